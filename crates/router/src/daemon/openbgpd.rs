//! `OpenBGPD`: what `bgpctl` prints.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use crate::neighbor::{Family, Neighbor, Neighbors, PrefixCounts, Prefixes, State};

/// `bgpctl -j show neighbor`, and lines of an address and how many of its prefixes are in the RIB.
pub(super) fn neighbors(text: &str, accepted: Option<&str>) -> Result<Neighbors, String> {
    let answer: Answer = serde_json::from_str(text).map_err(|error| crate::mask::json_error(&error))?;
    let accepted = accepted.map(counts).transpose()?.unwrap_or_default();
    let mut all = Neighbors::default();
    for entry in &answer.neighbors {
        match neighbor(entry, &accepted) {
            Ok(one) => all.neighbors.push(one),
            Err(reason) => all.left_out.push(format!("{}: {reason}", entry.remote_addr)),
        }
    }
    Ok(all.sorted())
}

/// Addresses of sessions that are up, for which accepted prefixes can be counted, and how many prefixes they sent.
pub(super) fn established(text: &str) -> Result<Vec<(IpAddr, u64)>, String> {
    let answer: Answer = serde_json::from_str(text).map_err(|error| crate::mask::json_error(&error))?;
    let up = answer.neighbors.iter().filter(|entry| entry.state == "Established");
    Ok(up
        .filter_map(|entry| Some((entry.remote_addr.parse().ok()?, entry.stats.prefixes.received)))
        .collect())
}

fn counts(text: &str) -> Result<HashMap<IpAddr, u64>, String> {
    text.lines()
        .map(|line| {
            let pair = line
                .split_once(' ')
                .and_then(|(address, count)| Some((address.parse().ok()?, count.trim().parse().ok()?)));
            pair.ok_or_else(|| format!("a count in the form {line:?}"))
        })
        .collect()
}

fn neighbor(entry: &Entry, accepted: &HashMap<IpAddr, u64>) -> Result<Neighbor, String> {
    let address: IpAddr = entry.remote_addr.parse().map_err(|_| "it has no address".to_owned())?;
    let state = State::from_name(&entry.state).ok_or_else(|| format!("state {:?}", entry.state))?;
    let up = state == State::Established;
    let seconds = u64::try_from(entry.last_updown_sec).ok();
    Ok(Neighbor {
        remote_as: entry.remote_as.parse().ok(),
        local_address: entry
            .session
            .as_ref()
            .and_then(|session| session.local.as_ref()?.address.parse().ok()),
        remote_id: entry.bgpid.as_ref().and_then(|text| text.parse::<Ipv4Addr>().ok()),
        description: entry.description.clone().filter(|text| !text.is_empty()),
        enabled: !entry.config.down,
        uptime: seconds.filter(|_| up),
        downtime: seconds.filter(|_| !up),
        prefixes: prefixes(entry, up, accepted.get(&address).copied()),
        over_limit: state == State::Idle
            && entry.last_error_sent.as_deref().is_some_and(|text| text.contains("max-prefix exceeded")),
        last_error: last_error(entry),
        ..Neighbor::new("default", address, state)
    })
}

/// `OpenBGPD` counts all families of a session together: with more than one, the numbers belong to none of them.
fn prefixes(entry: &Entry, up: bool, accepted: Option<u64>) -> PrefixCounts {
    let negotiated = entry.session.as_ref().and_then(|session| session.capabilities.as_ref());
    let names = negotiated.filter(|_| up).unwrap_or(&entry.config.capabilities);
    let families: Vec<Family> = names
        .multiprotocol
        .iter()
        .filter_map(|name| match name.as_str() {
            "IPv4 unicast" => Some(Family::Ipv4),
            "IPv6 unicast" => Some(Family::Ipv6),
            _ => None,
        })
        .collect();
    let told = if up && names.multiprotocol.len() == 1 {
        Prefixes {
            received: Some(entry.stats.prefixes.received),
            accepted,
            advertised: Some(entry.stats.prefixes.sent),
        }
    } else {
        Prefixes::default()
    };
    families.into_iter().map(|family| (family, told)).collect()
}

/// The reason text of a shutdown is kept when the session comes up and fails again for another reason.
fn last_error(entry: &Entry) -> Option<String> {
    if let Some(error) = &entry.last_error_received {
        let text = entry.last_shutdown_reason.as_ref().filter(|_| error.contains("administrative"));
        return Some(format!(
            "{error} (received){}",
            text.map(|text| format!(": {text}")).unwrap_or_default()
        ));
    }
    entry.last_error_sent.as_ref().map(|error| format!("{error} (sent)"))
}

#[derive(Deserialize)]
struct Answer {
    neighbors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    remote_as: String,
    description: Option<String>,
    remote_addr: String,
    bgpid: Option<String>,
    state: String,
    last_updown_sec: i64,
    last_shutdown_reason: Option<String>,
    last_error_received: Option<String>,
    last_error_sent: Option<String>,
    config: Config,
    #[serde(default)]
    stats: Stats,
    session: Option<Session>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    down: bool,
    #[serde(default)]
    capabilities: Capabilities,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    multiprotocol: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Stats {
    #[serde(default)]
    prefixes: Counters,
}

#[derive(Default, Deserialize)]
struct Counters {
    #[serde(default)]
    sent: u64,
    #[serde(default)]
    received: u64,
}

#[derive(Deserialize)]
struct Session {
    local: Option<Local>,
    capabilities: Option<Capabilities>,
}

#[derive(Deserialize)]
struct Local {
    address: String,
}
