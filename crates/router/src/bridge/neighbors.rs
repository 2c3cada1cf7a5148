//! What drivers of NAPALM's say of neighbours. Many give nothing, texts or fractions where a number belongs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

use super::lenient::{Dictionary, Fields, Said};
use crate::mask::json_error;
use crate::napalm::{NapalmDetail, NapalmDetailPeer, NapalmNeighbors, NapalmPeer, NapalmPrefixes, NapalmVrf};
use crate::{Family, Neighbor, Neighbors, Prefixes, State};

/// A shape as drivers fill it: what is missing or of another kind is -1, false or empty.
macro_rules! shape {
    ($(#[$attribute:meta])* $name:ident gives $shape:ident; $($text:ident)*; $($number:ident)*; $($flag:ident)*) => {
        $(#[$attribute])*
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct $name<'a> {
            $(#[serde(borrow)] $text: Said<'a>,)*
            $(#[serde(borrow)] $number: Said<'a>,)*
            $(#[serde(borrow)] $flag: Said<'a>,)*
        }

        impl $name<'_> {
            fn shape(self) -> $shape {
                $shape {
                    $($text: self.$text.text(),)*
                    $($number: self.$number.number(),)*
                    $($flag: self.$flag.flag(),)*
                }
            }
        }
    };
}

shape! {
    #[expect(clippy::struct_field_names, reason = "as NAPALM has it")]
    SaidPrefixes gives NapalmPrefixes;
    ;
    received_prefixes accepted_prefixes sent_prefixes;
}

shape! {
    SaidDetail gives NapalmDetailPeer;
    router_id local_address routing_table remote_address import_policy export_policy connection_state previous_connection_state last_event;
    local_as remote_as local_port remote_port input_messages output_messages input_updates output_updates messages_queued_out holdtime configured_holdtime keepalive configured_keepalive active_prefix_count received_prefix_count accepted_prefix_count suppressed_prefix_count advertised_prefix_count flap_count;
    up local_address_configured multihop multipath remove_private_as suppress_4byte_as local_as_prepend
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidVrf<'a> {
    #[serde(borrow)]
    router_id: Said<'a>,
    #[serde(borrow)]
    peers: Dictionary<'a, Fields<SaidPeer<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidPeer<'a> {
    #[serde(borrow)]
    local_as: Said<'a>,
    #[serde(borrow)]
    remote_as: Said<'a>,
    #[serde(borrow)]
    remote_id: Said<'a>,
    #[serde(borrow)]
    is_up: Said<'a>,
    #[serde(borrow)]
    is_enabled: Said<'a>,
    #[serde(borrow)]
    description: Said<'a>,
    #[serde(borrow)]
    uptime: Said<'a>,
    #[serde(borrow)]
    address_family: Fields<Dictionary<'a, Fields<SaidPrefixes<'a>>>>,
}

impl SaidPeer<'_> {
    fn shape(self) -> NapalmPeer {
        let families = self.address_family.0.0.into_iter();
        NapalmPeer {
            local_as: self.local_as.number(),
            remote_as: self.remote_as.number(),
            remote_id: self.remote_id.text(),
            is_up: self.is_up.flag(),
            is_enabled: self.is_enabled.flag(),
            description: self.description.text(),
            uptime: self.uptime.number(),
            address_family: families.map(|(name, counts)| (name.into_owned(), counts.0.shape())).collect(),
        }
    }
}

/// The short shape, out of JSON.
pub(super) fn short<'de, D>(said: D) -> Result<NapalmNeighbors, String>
where
    D: Deserializer<'de, Error = serde_json::Error>,
{
    let vrfs = Dictionary::<Fields<SaidVrf<'_>>>::deserialize(said)
        .map_err(|error| format!("get_bgp_neighbors: {}", json_error(&error)))?;
    let vrfs = vrfs.0.into_iter().map(|(name, Fields(vrf))| {
        let peers = vrf.peers.0.into_iter().map(|(key, peer)| (key.into_owned(), peer.0.shape()));
        (name.into_owned(), NapalmVrf { router_id: vrf.router_id.text(), peers: peers.collect() })
    });
    Ok(vrfs.collect())
}

/// The long shape, out of JSON.
pub(super) fn long<'de, D>(said: D) -> Result<NapalmDetail, String>
where
    D: Deserializer<'de, Error = serde_json::Error>,
{
    let vrfs = Dictionary::<Dictionary<'_, Vec<Fields<SaidDetail<'_>>>>>::deserialize(said)
        .map_err(|error| format!("get_bgp_neighbors_detail: {}", json_error(&error)))?;
    let mut all = NapalmDetail::new();
    for (name, by_as) in vrfs.0 {
        let of_vrf = all.entry(name.into_owned()).or_default();
        for (asn, peers) in by_as.0 {
            of_vrf.insert(asn.into_owned(), peers.into_iter().map(|peer| peer.0.shape()).collect());
        }
    }
    Ok(all)
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
