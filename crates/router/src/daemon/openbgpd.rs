//! `OpenBGPD`: what `bgpctl` prints.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use arcstr::ArcStr;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mask::json_error;
use crate::neighbor::{Family, Neighbor, Neighbors, PrefixCounts, Prefixes, State, limited};

/// `bgpctl -j show neighbor`, and lines of an address and how many of its prefixes are in the RIB, or `-` where that could not
/// be counted.
pub(super) fn neighbors(text: &str, accepted: Option<&str>) -> Result<Neighbors, String> {
    let accepted = accepted.map(counts).transpose()?.unwrap_or_default();
    let mut all = Neighbors::default();
    for (at, raw) in raw_entries(text)?.into_iter().enumerate() {
        let entry = serde_json::from_str::<Entry>(raw.get());
        match entry.map_err(|error| json_error(&error)).and_then(|entry| neighbor(&entry, &accepted)) {
            Ok(one) => {
                if accepted.get(&one.address) == Some(&None) {
                    all.left_out.push(format!("{}: its accepted prefixes could not be counted", one.address));
                }
                all.neighbors.push(one);
            }
            Err(reason) => all.left_out.push(format!("{}: {reason}", name_of(raw, at))),
        }
    }
    Ok(all.sorted())
}

/// Entries by themselves, so that an odd one takes no others along.
fn raw_entries(text: &str) -> Result<Vec<&RawValue>, String> {
    let answer: Answer<'_> = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    Ok(answer.neighbors)
}

/// The address in an entry that is otherwise not understood, or which one it is.
fn name_of(raw: &RawValue, at: usize) -> String {
    #[derive(Deserialize)]
    struct Named {
        remote_addr: String,
    }
    let named = serde_json::from_str::<Named>(raw.get()).ok();
    named.map_or_else(|| format!("neighbour {}", at + 1), |named| named.remote_addr)
}

/// Addresses of sessions that are up, for which accepted prefixes can be counted, and how many prefixes they sent.
pub(super) fn established(text: &str) -> Result<Vec<(IpAddr, u64)>, String> {
    let entries =
        raw_entries(text)?.into_iter().filter_map(|raw| serde_json::from_str::<Entry>(raw.get()).ok());
    Ok(entries
        .filter(|entry| entry.state == "Established")
        .filter_map(|entry| Some((entry.remote_addr.parse().ok()?, entry.stats.prefixes.received)))
        .collect())
}

fn counts(text: &str) -> Result<HashMap<IpAddr, Option<u64>>, String> {
    let count = |text: &str| if text == "-" { Some(None) } else { text.parse().ok().map(Some) };
    text.lines()
        .map(|line| {
            let pair = line
                .split_once(' ')
                .and_then(|(address, number)| Some((address.parse().ok()?, count(number.trim())?)));
            pair.ok_or_else(|| format!("a count in the form {line:?}"))
        })
        .collect()
}

fn neighbor(entry: &Entry, accepted: &HashMap<IpAddr, Option<u64>>) -> Result<Neighbor, String> {
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
        description: entry.description.as_deref().filter(|text| !text.is_empty()).map(ArcStr::from),
        enabled: !entry.config.down,
        age: seconds.map(limited),
        prefixes: prefixes(entry, up, accepted.get(&address).copied().flatten()),
        over_limit: state == State::Idle
            && entry.last_error_sent.as_deref().is_some_and(|text| text.contains("max-prefix exceeded")),
        last_error: last_error(entry).map(ArcStr::from),
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
struct Answer<'a> {
    #[serde(borrow)]
    neighbors: Vec<&'a RawValue>,
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

#[cfg(test)]
mod tests {
    use super::{established, neighbors};

    const TWO: &str = r#"{"neighbors":[
        {"remote_as":"64502","remote_addr":"192.0.2.2","state":"Established","last_updown_sec":48,
         "config":{"capabilities":{"multiprotocol":["IPv4 unicast"]}},"stats":{"prefixes":{"sent":1,"received":20}}},
        {"remote_as":64503,"remote_addr":"192.0.2.3","state":"Established","last_updown_sec":48,"config":{}},
        {"remote_as":"64504"}]}"#;

    #[test]
    fn an_odd_neighbour_takes_no_others_along() {
        let all = neighbors(TWO, Some("192.0.2.2 18\n")).unwrap();
        let found: Vec<String> = all.neighbors.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(found, ["192.0.2.2"]);
        assert_eq!(all.neighbors[0].prefixes.values().next().unwrap().accepted, Some(18));
        let [odd, nameless] = all.left_out.as_slice() else { panic!("{:?}", all.left_out) };
        assert!(odd.starts_with("192.0.2.3: ") && nameless.starts_with("neighbour 3: "), "{odd} {nameless}");
        assert_eq!(established(TWO).unwrap(), [("192.0.2.2".parse().unwrap(), 20)]);
    }

    #[test]
    fn what_was_not_counted_is_not_zero() {
        let all = neighbors(TWO, Some("192.0.2.2 -\n")).unwrap();
        assert_eq!(all.neighbors[0].prefixes.values().next().unwrap().accepted, None);
        assert_eq!(all.left_out[0], "192.0.2.2: its accepted prefixes could not be counted");
    }
}
