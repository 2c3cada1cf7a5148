//! The shapes in which NAPALM gives neighbours (`get_bgp_neighbors` and `get_bgp_neighbors_detail` of its base class), so that
//! programs written for it can go on, and so that the two can be compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Family, Neighbor, Neighbors, Platform, Prefixes, State};

/// By VRF; `global` is the one without a name.
pub type NapalmNeighbors = BTreeMap<String, NapalmVrf>;

/// By VRF, then by the neighbour's AS.
pub type NapalmDetail = BTreeMap<String, BTreeMap<String, Vec<NapalmDetailPeer>>>;

/// A VRF's neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NapalmVrf {
    /// The router ID in this VRF, or nothing.
    pub router_id: String,
    /// By address.
    pub peers: BTreeMap<String, NapalmPeer>,
}

/// A neighbour in short. A number of -1 is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NapalmPeer {
    /// Our AS.
    pub local_as: i64,
    /// The neighbour's AS.
    pub remote_as: i64,
    /// The neighbour's router ID, or nothing.
    pub remote_id: String,
    /// Whether the session is established.
    pub is_up: bool,
    /// Whether it may come up.
    pub is_enabled: bool,
    /// The configured description, or nothing.
    pub description: String,
    /// Seconds since it came up.
    pub uptime: i64,
    /// By family.
    pub address_family: BTreeMap<String, NapalmPrefixes>,
}

/// Numbers of prefixes; -1 is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NapalmPrefixes {
    /// Before import policy.
    pub received_prefixes: i64,
    /// After it.
    pub accepted_prefixes: i64,
    /// Sent to the neighbour.
    pub sent_prefixes: i64,
}

impl Default for NapalmPrefixes {
    fn default() -> Self {
        Self { received_prefixes: -1, accepted_prefixes: -1, sent_prefixes: -1 }
    }
}

/// A neighbour in full. The fields are NAPALM's; times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are NAPALM's, and its manual says what they mean")]
#[expect(clippy::struct_excessive_bools, reason = "as NAPALM has it")]
pub struct NapalmDetailPeer {
    pub up: bool,
    pub local_as: i64,
    pub remote_as: i64,
    pub router_id: String,
    pub local_address: String,
    pub local_address_configured: bool,
    pub local_port: i64,
    pub routing_table: String,
    pub remote_address: String,
    pub remote_port: i64,
    pub multihop: bool,
    pub multipath: bool,
    pub remove_private_as: bool,
    pub import_policy: String,
    pub export_policy: String,
    pub input_messages: i64,
    pub output_messages: i64,
    pub input_updates: i64,
    pub output_updates: i64,
    pub messages_queued_out: i64,
    pub connection_state: String,
    pub previous_connection_state: String,
    pub last_event: String,
    pub suppress_4byte_as: bool,
    pub local_as_prepend: bool,
    pub holdtime: i64,
    pub configured_holdtime: i64,
    pub keepalive: i64,
    pub configured_keepalive: i64,
    pub active_prefix_count: i64,
    pub received_prefix_count: i64,
    pub accepted_prefix_count: i64,
    pub suppressed_prefix_count: i64,
    pub advertised_prefix_count: i64,
    pub flap_count: i64,
}

/// What NAPALM's getter of this name gives for what a router answered, without a router. The parts are the answers, by their
/// commands with everything but letters and digits turned into underscores. The error says what is not understood.
pub fn parse_napalm(
    platform: Platform,
    getter: &str,
    parts: &BTreeMap<String, String>,
) -> Result<serde_json::Value, String> {
    match platform {
        Platform::Eos => crate::eos::napalm(getter, parts),
        Platform::Nxos => crate::nxos::napalm(getter, parts),
        Platform::NxosSsh => crate::nxos_ssh::napalm(getter, parts),
        Platform::Ios => crate::ios::napalm(getter, parts),
        Platform::Junos => crate::junos::napalm(getter, parts),
        Platform::IosxrNetconf => crate::iosxr::napalm_netconf(getter, parts),
        Platform::Iosxr => crate::iosxr::napalm_agent(getter, parts),
        other => Err(format!("there is no parser for {}", other.name())),
    }
}

/// Neighbours in our own shape for what a router answered, without a router. The parts are as with [`parse_napalm`]; what our
/// driver asks Junos for all instances at once has the name of the operation.
pub fn parse_vendor(platform: Platform, parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let summary = || parts.get("show_bgp_all_summary_vrf_all").map_or("", String::as_str);
    match platform {
        Platform::Eos => crate::eos::neighbors(parts),
        Platform::Nxos => crate::nxos::neighbors(summary()),
        Platform::NxosSsh => crate::nxos_ssh::neighbors(summary()),
        Platform::Ios => crate::ios::neighbors(parts),
        Platform::Junos => crate::junos::neighbors(parts),
        Platform::IosxrNetconf => crate::iosxr::neighbors(parts),
        Platform::Iosxr => crate::iosxr::agent_neighbors(parts),
        other => Err(format!("there is no parser for {}", other.name())),
    }
}

fn vrf_name(vrf: &str) -> String {
    if vrf == "default" { "global".to_owned() } else { vrf.to_owned() }
}

fn number(value: Option<u64>) -> i64 {
    value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1)
}

fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn family_name(family: Family) -> String {
    match family {
        Family::Ipv4 => "ipv4".to_owned(),
        Family::Ipv6 => "ipv6".to_owned(),
    }
}

/// The shapes have no place for it.
fn say_what_is_left_out(all: &Neighbors) {
    for one in &all.left_out {
        tracing::warn!("left out: {one}");
    }
}

/// What a driver knows, in NAPALM's short shape.
pub(crate) fn neighbors(all: &Neighbors) -> NapalmNeighbors {
    say_what_is_left_out(all);
    let mut vrfs = NapalmNeighbors::new();
    for one in &all.neighbors {
        let peer = NapalmPeer {
            local_as: number(one.local_as.map(u64::from)),
            remote_as: number(one.remote_as.map(u64::from)),
            remote_id: text(one.remote_id.as_ref()),
            is_up: one.is_up(),
            is_enabled: one.enabled,
            description: text(one.description.as_ref()),
            uptime: number(one.uptime()),
            address_family: one
                .prefixes
                .iter()
                .map(|(family, counts)| (family_name(family), prefixes(counts)))
                .collect(),
        };
        vrfs.entry(vrf_name(&one.vrf)).or_default().peers.insert(one.address.to_string(), peer);
    }
    vrfs
}

fn prefixes(counts: Prefixes) -> NapalmPrefixes {
    NapalmPrefixes {
        received_prefixes: number(counts.received),
        accepted_prefixes: number(counts.accepted),
        sent_prefixes: number(counts.advertised),
    }
}

/// What a driver knows, in NAPALM's long shape. What it does not know is -1, false or empty.
pub(crate) fn detail(all: &Neighbors) -> NapalmDetail {
    say_what_is_left_out(all);
    let mut vrfs = NapalmDetail::new();
    for one in &all.neighbors {
        let asn = one.remote_as.unwrap_or_default().to_string();
        vrfs.entry(vrf_name(&one.vrf)).or_default().entry(asn).or_default().push(detail_of(one));
    }
    vrfs
}

fn detail_of(one: &Neighbor) -> NapalmDetailPeer {
    let sum = |count: fn(&Prefixes) -> Option<u64>| {
        let known: Vec<u64> = one.prefixes.values().filter_map(|one| count(&one)).collect();
        number((!known.is_empty()).then(|| known.into_iter().fold(0, u64::saturating_add)))
    };
    NapalmDetailPeer {
        up: one.is_up(),
        local_as: number(one.local_as.map(u64::from)),
        remote_as: number(one.remote_as.map(u64::from)),
        router_id: text(one.remote_id.as_ref()),
        local_address: text(one.local_address.as_ref()),
        local_port: -1,
        routing_table: vrf_name(&one.vrf),
        remote_address: one.address.to_string(),
        remote_port: -1,
        input_messages: -1,
        output_messages: -1,
        input_updates: -1,
        output_updates: -1,
        messages_queued_out: -1,
        connection_state: state_name(one.state).to_owned(),
        last_event: text(one.last_error.as_ref()),
        holdtime: -1,
        configured_holdtime: -1,
        keepalive: -1,
        configured_keepalive: -1,
        active_prefix_count: -1,
        received_prefix_count: sum(|counts| counts.received),
        accepted_prefix_count: sum(|counts| counts.accepted),
        suppressed_prefix_count: -1,
        advertised_prefix_count: sum(|counts| counts.advertised),
        flap_count: number(one.flaps.map(u64::from)),
        ..NapalmDetailPeer::default()
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Idle => "Idle",
        State::Connect => "Connect",
        State::Active => "Active",
        State::OpenSent => "OpenSent",
        State::OpenConfirm => "OpenConfirm",
        State::Established => "Established",
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn what_the_shapes_have_no_place_for_is_logged() {
        let file = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
        let log = tracing_subscriber::fmt()
            .with_writer(File::create(file.path()).unwrap_or_else(|error| panic!("{error}")))
            .finish();
        let all =
            Neighbors { neighbors: Vec::new(), left_out: vec!["192.0.2.9: its AS is not a number".into()] };
        tracing::subscriber::with_default(log, || (neighbors(&all), detail(&all)));
        let said = std::fs::read_to_string(file.path()).unwrap_or_default();
        assert_eq!(said.matches("left out: 192.0.2.9: its AS is not a number").count(), 2, "{said}");
    }

    #[test]
    fn what_is_not_known_is_minus_one() {
        let mut one = Neighbor::new("default", "192.0.2.1".parse().unwrap_or([0; 4].into()), State::Idle);
        one.remote_as = Some(64_500);
        one.prefixes.insert(Family::Ipv4, Prefixes { received: Some(3), accepted: None, advertised: None });
        one.prefixes.insert(Family::Ipv6, Prefixes { received: Some(4), ..Prefixes::default() });
        let all = Neighbors { neighbors: vec![one], left_out: Vec::new() };
        let short = &neighbors(&all)["global"].peers["192.0.2.1"];
        assert_eq!((short.remote_as, short.local_as, short.uptime), (64_500, -1, -1));
        let counts = short.address_family["ipv4"];
        assert_eq!((counts.received_prefixes, counts.accepted_prefixes), (3, -1));
        let long = &detail(&all)["global"]["64500"][0];
        assert_eq!((long.received_prefix_count, long.accepted_prefix_count), (7, -1));
        assert_eq!((long.connection_state.as_str(), long.up), ("Idle", false));
    }
}
