//! What drivers of NAPALM's say of neighbours. Many give nothing, texts or fractions where a number belongs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::napalm::{NapalmDetail, NapalmDetailPeer, NapalmNeighbors, NapalmPeer, NapalmPrefixes, NapalmVrf};
use crate::{Family, Neighbor, Neighbors, Prefixes, State};

/// The short shape; what is missing or of another kind is -1, false or empty.
pub(super) fn short(said: &Json) -> Result<NapalmNeighbors, String> {
    let vrfs = object(said, "get_bgp_neighbors")?.iter().map(|(name, vrf)| {
        let peers = object(vrf.get("peers").unwrap_or(&Json::Null), "peers")?;
        let peers = peers.iter().map(|(key, peer)| (key.clone(), short_peer(peer))).collect();
        Ok((name.clone(), NapalmVrf { router_id: text(vrf, "router_id"), peers }))
    });
    vrfs.collect()
}

fn short_peer(peer: &Json) -> NapalmPeer {
    let families = peer.get("address_family").and_then(Json::as_object);
    let families = families
        .into_iter()
        .flatten()
        .map(|(name, counts)| (name.clone(), lay_over(NapalmPrefixes::default(), counts)));
    let address_family = families.collect();
    NapalmPeer { address_family, ..lay_over(NapalmPeer::default(), peer) }
}

/// The long shape.
pub(super) fn long(said: &Json) -> Result<NapalmDetail, String> {
    let mut vrfs = NapalmDetail::new();
    for (name, by_as) in object(said, "get_bgp_neighbors_detail")? {
        let of_vrf = vrfs.entry(name.clone()).or_default();
        for (asn, peers) in object(by_as, "a VRF")? {
            let peers = peers.as_array().ok_or_else(|| format!("AS {asn} has no list of neighbours"))?;
            let peers = peers.iter().map(|peer| lay_over(NapalmDetailPeer::default(), peer)).collect();
            of_vrf.insert(asn.clone(), peers);
        }
    }
    Ok(vrfs)
}

fn object<'a>(value: &'a Json, what: &str) -> Result<&'a Map<String, Json>, String> {
    static NONE: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
    match value {
        Json::Object(fields) => Ok(fields),
        Json::Null => Ok(&NONE),
        _ => Err(format!("{what} is not a dictionary")),
    }
}

fn text(value: &Json, field: &str) -> String {
    value.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// The fields of the value as far as they are of the kind that is expected; a number that is missing is -1.
fn lay_over<T: Serialize + DeserializeOwned + Default>(empty: T, value: &Json) -> T {
    let Ok(Json::Object(mut fields)) = serde_json::to_value(&empty) else { return empty };
    for (name, field) in &mut fields {
        let said = value.get(name).unwrap_or(&Json::Null);
        match field {
            Json::Number(_) => *field = whole(said).into(),
            Json::Bool(_) | Json::String(_)
                if std::mem::discriminant(field) == std::mem::discriminant(said) =>
            {
                *field = said.clone();
            }
            _ => {}
        }
    }
    serde_json::from_value(Json::Object(fields)).unwrap_or(empty)
}

/// A number, which may come as a fraction or as text; -1 if it is none.
fn whole(said: &Json) -> i64 {
    match said {
        Json::String(digits) => digits.trim().parse().unwrap_or(-1),
        #[expect(clippy::cast_possible_truncation, reason = "casts of floats stop at the ends of the range")]
        Json::Number(number) => number.as_i64().or(number.as_f64().map(|one| one as i64)).unwrap_or(-1),
        _ => -1,
    }
}

/// Both getters as one list. `long` is `None` where the driver has only the short one, and the other way round.
pub(super) fn joined(
    short: Option<&NapalmNeighbors>,
    long: Option<&NapalmDetail>,
    driver: &str,
) -> Neighbors {
    let mut found: BTreeMap<(String, IpAddr), Neighbor> = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut nameless = Vec::new();
    let peers = short.into_iter().flatten().flat_map(|(vrf, of)| of.peers.iter().map(move |one| (vrf, one)));
    for (vrf, (key, peer)) in peers {
        match key.parse() {
            Ok(address) => {
                let one = from_short(&vrf_name(vrf), address, peer, driver);
                found.insert((one.vrf.clone(), address), one);
            }
            // Some drivers name them by something else; the long shape has the address.
            Err(_) => nameless.push((vrf, key, peer)),
        }
    }
    let peers = long
        .into_iter()
        .flatten()
        .flat_map(|(vrf, by_as)| by_as.values().flatten().map(move |one| (vrf, one)));
    let mut long_ones = 0;
    for (vrf, peer) in peers {
        long_ones += 1;
        let Ok(address) = peer.remote_address.parse() else {
            left_out.push(format!("{vrf}: {:?} is not an address", peer.remote_address));
            continue;
        };
        let name = vrf_name(vrf);
        let one = found.entry((name.clone(), address)).or_insert_with(|| from_long(&name, address, peer));
        add_long(one, peer, driver);
    }
    if long_ones < nameless.len() {
        left_out.extend(nameless.iter().map(|(vrf, key, _)| format!("{vrf}: {key:?} is not an address")));
    }
    Neighbors { neighbors: found.into_values().collect(), left_out }.sorted()
}

/// Drivers disagree on the name of the one without a name.
fn vrf_name(vrf: &str) -> String {
    if vrf == "global" { "default".to_owned() } else { vrf.to_owned() }
}

fn count(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

fn as_number(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|&one| one > 0)
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text != "None").then(|| text.to_owned())
}

fn router_id(text: &str) -> Option<std::net::Ipv4Addr> {
    text.parse().ok().filter(|id: &std::net::Ipv4Addr| !id.is_unspecified())
}

fn from_short(vrf: &str, address: IpAddr, peer: &NapalmPeer, driver: &str) -> Neighbor {
    // The short shape tells no more than this of a session that is down.
    let state = match (peer.is_up, peer.is_enabled) {
        (true, _) => State::Established,
        (false, true) => State::Active,
        (false, false) => State::Idle,
    };
    let mut one = Neighbor::new(vrf, address, state);
    one.local_as = as_number(peer.local_as);
    one.remote_as = as_number(peer.remote_as);
    // NAPALM's nxos gives the neighbour's address in its place.
    one.remote_id = router_id(&peer.remote_id).filter(|_| driver != "nxos");
    one.description = some(&peer.description);
    one.enabled = peer.is_enabled;
    if peer.is_up {
        one.uptime = count(peer.uptime);
    }
    for (name, counts) in &peer.address_family {
        let family = match name.as_str() {
            "ipv4" | "ipv4 unicast" => Family::Ipv4,
            "ipv6" | "ipv6 unicast" => Family::Ipv6,
            _ => continue,
        };
        let known = if peer.is_up {
            Prefixes {
                received: count(counts.received_prefixes),
                accepted: count(counts.accepted_prefixes),
                advertised: count(counts.sent_prefixes),
            }
        } else {
            Prefixes::default()
        };
        one.prefixes.insert(family, known);
    }
    one
}

fn from_long(vrf: &str, address: IpAddr, peer: &NapalmDetailPeer) -> Neighbor {
    let mut one = Neighbor::new(vrf, address, if peer.up { State::Established } else { State::Idle });
    if peer.up {
        // It has the sums of all families; with one session for each, they are those of the address.
        let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        let counts = Prefixes {
            received: count(peer.received_prefix_count),
            accepted: count(peer.accepted_prefix_count),
            advertised: count(peer.advertised_prefix_count),
        };
        one.prefixes.insert(family, counts);
    }
    one
}

fn add_long(one: &mut Neighbor, peer: &NapalmDetailPeer, driver: &str) {
    if let Some(state) = State::from_name(&peer.connection_state) {
        one.state = state;
    }
    if !one.is_up() {
        one.uptime = None;
        one.prefixes.values_mut().for_each(|counts| *counts = Prefixes::default());
        one.last_error = one.last_error.take().or(some(&peer.last_event));
    }
    one.local_as = one.local_as.or(as_number(peer.local_as));
    one.remote_as = one.remote_as.or(as_number(peer.remote_as));
    one.local_address = peer.local_address.parse().ok().filter(|_| one.is_up());
    // Drivers that have no counter give 0.
    if matches!(driver, "junos" | "iosxr" | "iosxr_netconf") || peer.flap_count > 0 {
        one.flaps = count(peer.flap_count);
    }
}
