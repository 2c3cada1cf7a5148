//! `GoBGP`: what `gobgp` prints.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use arcstr::ArcStr;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mask::json_error;
use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State, limited};

/// `gobgp -j neighbor`, the router's clock in seconds since 1970, and answers of `gobgp -j neighbor ADDRESS`, which alone count
/// what is advertised.
pub(super) fn neighbors(text: &str, clock: &str, advertised: Option<&str>) -> Result<Neighbors, String> {
    let now: u64 = clock.trim().parse().map_err(|_| format!("the clock says {clock:?}"))?;
    let mut sent: HashMap<(String, i64), u64> = HashMap::new();
    for entry in serde_json::Deserializer::from_str(advertised.unwrap_or_default()).into_iter::<Entry>() {
        let entry = entry.map_err(|error| format!("one neighbour: {}", json_error(&error)))?;
        for family in &entry.afi_safis {
            sent.insert((entry.address().to_owned(), family.state.family.afi), family.state.advertised);
        }
    }
    let mut all = Neighbors::default();
    for (at, raw) in raw_entries(text)?.into_iter().enumerate() {
        let entry = serde_json::from_str::<Entry>(raw.get());
        match entry.map_err(|error| json_error(&error)).and_then(|entry| neighbor(&entry, now, &sent)) {
            Ok(one) => all.neighbors.push(one),
            Err(reason) => all.left_out.push(format!("{}: {reason}", name_of(raw, at))),
        }
    }
    Ok(all.sorted())
}

/// Entries by themselves, so that an odd one takes no others along.
fn raw_entries(text: &str) -> Result<Vec<&RawValue>, String> {
    serde_json::from_str(text).map_err(|error| json_error(&error))
}

/// Every neighbour that can be read.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, String> {
    Ok(raw_entries(text)?.into_iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect())
}

/// The address in an entry that is otherwise not understood, or which one it is.
fn name_of(raw: &RawValue, at: usize) -> String {
    #[derive(Deserialize)]
    struct Named {
        conf: Address,
    }
    #[derive(Deserialize)]
    struct Address {
        neighbor_address: String,
    }
    let named = serde_json::from_str::<Named>(raw.get()).ok();
    named.map_or_else(|| format!("neighbour {}", at + 1), |named| named.conf.neighbor_address)
}

/// Addresses of sessions that are up.
pub(super) fn established(text: &str) -> Result<Vec<IpAddr>, String> {
    let up = entries(text)?.into_iter().filter(|entry| entry.state.session == ESTABLISHED);
    Ok(up.filter_map(|entry| entry.address().parse().ok()).collect())
}

const ESTABLISHED: u8 = 6;
/// Of `admin_state`; a missing one is 0, up.
const SHUT: u8 = 1;
const OVER_LIMIT: u8 = 2;

fn neighbor(entry: &Entry, now: u64, sent: &HashMap<(String, i64), u64>) -> Result<Neighbor, String> {
    let address: IpAddr = entry.address().parse().map_err(|_| "it has no address".to_owned())?;
    let state = match entry.state.session {
        1 => State::Idle,
        2 => State::Connect,
        3 => State::Active,
        4 => State::OpenSent,
        5 => State::OpenConfirm,
        ESTABLISHED => State::Established,
        other => return Err(format!("state {other}")),
    };
    let up = state == State::Established;
    // The time at which it came up stays after it went down; the time at which it went down is there when it never was up.
    let was_up = entry.timers.state.uptime.as_ref();
    let since = |moment: Option<&Moment>| moment.map(|moment| limited(now.saturating_sub(moment.seconds)));
    Ok(Neighbor {
        remote_as: Some(entry.conf.peer_asn).filter(|&asn| asn != 0),
        local_as: Some(entry.conf.local_asn).filter(|&asn| asn != 0),
        local_address: entry.transport.local_address.parse().ok().filter(|_| up),
        remote_id: entry.state.router_id.parse::<Ipv4Addr>().ok().filter(|_| up),
        description: Some(entry.conf.description.as_str()).filter(|text| !text.is_empty()).map(ArcStr::from),
        enabled: entry.state.admin_state != SHUT,
        age: since(if up {
            was_up
        } else {
            entry.timers.state.downtime.as_ref().filter(|_| was_up.is_some())
        }),
        prefixes: entry.afi_safis.iter().filter_map(|one| prefixes(entry, one, up, sent)).collect(),
        over_limit: entry.state.admin_state == OVER_LIMIT,
        ..Neighbor::new(entry.vrf(), address, state)
    })
}

/// Zero is left out of the JSON, so that a count that is missing is a zero; but not while the session is down.
fn prefixes(
    entry: &Entry,
    family: &AfiSafi,
    up: bool,
    sent: &HashMap<(String, i64), u64>,
) -> Option<(Family, Prefixes)> {
    let state = &family.state;
    let name = match (state.family.afi, state.family.safi) {
        (1, 1) => Family::Ipv4,
        (2, 1) => Family::Ipv6,
        _ => return None,
    };
    let prefixes = Prefixes {
        received: up.then_some(state.received),
        accepted: up.then_some(state.accepted),
        advertised: sent.get(&(entry.address().to_owned(), state.family.afi)).copied().filter(|_| up),
    };
    Some((name, prefixes))
}

/// A neighbour as `gobgp` prints it.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub conf: Conf,
    state: SessionState,
    #[serde(default)]
    timers: Timers,
    #[serde(default)]
    transport: Transport,
    #[serde(default)]
    afi_safis: Vec<AfiSafi>,
}

impl Entry {
    /// One that came by itself, from a range, has no address of its own in its configuration.
    fn address(&self) -> &str {
        if self.conf.neighbor_address.is_empty() {
            &self.state.neighbor_address
        } else {
            &self.conf.neighbor_address
        }
    }

    fn vrf(&self) -> &str {
        if self.conf.vrf.is_empty() { "default" } else { &self.conf.vrf }
    }
}

/// What is configured of a neighbour, with what it has from its group.
#[derive(Deserialize)]
pub(super) struct Conf {
    #[serde(default)]
    pub neighbor_address: String,
    #[serde(default)]
    pub neighbor_interface: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub auth_password: String,
    #[serde(default)]
    pub admin_down: bool,
    #[serde(default)]
    vrf: String,
    #[serde(default)]
    local_asn: u32,
    #[serde(default)]
    pub peer_asn: u32,
}

#[derive(Deserialize)]
struct SessionState {
    #[serde(default, rename = "session_state")]
    session: u8,
    #[serde(default)]
    admin_state: u8,
    #[serde(default)]
    neighbor_address: String,
    #[serde(default)]
    router_id: String,
}

#[derive(Default, Deserialize)]
struct Timers {
    #[serde(default)]
    state: TimerState,
}

#[derive(Default, Deserialize)]
struct TimerState {
    uptime: Option<Moment>,
    downtime: Option<Moment>,
}

#[derive(Deserialize)]
struct Moment {
    #[serde(default)]
    seconds: u64,
}

#[derive(Default, Deserialize)]
struct Transport {
    #[serde(default)]
    local_address: String,
}

#[derive(Deserialize)]
struct AfiSafi {
    #[serde(default)]
    state: FamilyState,
}

#[derive(Default, Deserialize)]
struct FamilyState {
    #[serde(default)]
    family: AfiSafiName,
    #[serde(default)]
    received: u64,
    #[serde(default)]
    accepted: u64,
    #[serde(default)]
    advertised: u64,
}

#[derive(Default, Deserialize)]
struct AfiSafiName {
    #[serde(default)]
    afi: i64,
    #[serde(default)]
    safi: i64,
}

#[cfg(test)]
mod tests {
    use super::{established, neighbors};

    const TEXT: &str = r#"[
        {"conf":{"neighbor_address":"192.0.2.2","peer_asn":64502},"state":{"session_state":6}},
        {"conf":{"neighbor_address":"192.0.2.3","peer_asn":-1},"state":{"session_state":6}},
        {"conf":[]},
        {"conf":{"peer_asn":64888},"state":{"neighbor_address":"192.0.2.4","session_state":6}}]"#;

    #[test]
    fn an_odd_neighbour_takes_no_others_along() {
        let all = neighbors(TEXT, "1795472049", None).unwrap();
        let found: Vec<String> = all.neighbors.iter().map(|one| one.address.to_string()).collect();
        // The last one came by itself, from a range.
        assert_eq!(found, ["192.0.2.2", "192.0.2.4"]);
        let [odd, nameless] = all.left_out.as_slice() else { panic!("{:?}", all.left_out) };
        assert!(odd.starts_with("192.0.2.3: ") && nameless.starts_with("neighbour 3: "), "{odd} {nameless}");
        assert_eq!(established(TEXT).unwrap().len(), 2);
    }
}
