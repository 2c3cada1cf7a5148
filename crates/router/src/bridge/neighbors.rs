//! What drivers of NAPALM's say of neighbours. Many give nothing, texts or fractions where a number belongs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use arcstr::ArcStr;
use serde::de::{DeserializeSeed as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::lenient::{Dictionary, Each, EachField, Entry, Fields, Items, Said};
use crate::mask::json_error;
use crate::napalm::{NapalmDetail, NapalmDetailPeer, NapalmNeighbors, NapalmPeer, NapalmPrefixes, NapalmVrf};
use crate::neighbor::{limited, sort, vrf_name};
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

/// Both getters as one list, which is made while they are read: nothing else is held of a peer.
pub(super) struct Joined<'d> {
    driver: &'d str,
    /// Those of the short getter; by VRF and address as soon as all of it is read.
    found: Vec<Neighbor>,
    /// Those that only the long getter has.
    more: BTreeMap<(ArcStr, IpAddr), Neighbor>,
    /// What is no address in the short getter. Some drivers name peers by something else; the long getter has the address.
    nameless: Vec<String>,
    /// What is no address in the long getter.
    left_out: Vec<String>,
    /// Peers of the long getter.
    long_ones: usize,
}

impl<'d> Joined<'d> {
    /// Nothing yet, of this driver of NAPALM's.
    pub(super) fn new(driver: &'d str) -> Self {
        Self {
            driver,
            found: Vec::new(),
            more: BTreeMap::new(),
            nameless: Vec::new(),
            left_out: Vec::new(),
            long_ones: 0,
        }
    }

    /// Adds the short getter, out of JSON. Only some drivers have it; it is the first.
    pub(super) fn short<'de, D>(&mut self, said: D) -> Result<(), String>
    where
        D: Deserializer<'de, Error = serde_json::Error>,
    {
        Each(ShortVrfs(self))
            .deserialize(said)
            .map_err(|error| format!("get_bgp_neighbors: {}", json_error(&error)))?;
        sort(&mut self.found);
        self.found.dedup_by(|again, first| {
            let same = (&again.vrf, again.address) == (&first.vrf, first.address);
            if same {
                std::mem::swap(again, first);
            }
            same
        });
        Ok(())
    }

    /// Adds the long getter, out of JSON. Only some drivers have it.
    pub(super) fn long<'de, D>(&mut self, said: D) -> Result<(), String>
    where
        D: Deserializer<'de, Error = serde_json::Error>,
    {
        Each(LongVrfs(self))
            .deserialize(said)
            .map_err(|error| format!("get_bgp_neighbors_detail: {}", json_error(&error)))
    }

    /// All of it.
    pub(super) fn neighbors(mut self) -> Neighbors {
        if self.long_ones < self.nameless.len() {
            self.left_out.append(&mut self.nameless);
        }
        self.found.extend(self.more.into_values());
        Neighbors { neighbors: self.found, left_out: self.left_out }.sorted()
    }

    fn add_short(&mut self, vrf: &ArcStr, said: &str, key: &str, peer: &NapalmPeer) {
        match key.parse() {
            Ok(address) => self.found.push(from_short(vrf.clone(), address, peer, self.driver)),
            Err(_) => self.nameless.push(format!("{said}: {key:?} is not an address")),
        }
    }

    fn add_long(&mut self, vrf: &ArcStr, said: &str, peer: &NapalmDetailPeer) {
        self.long_ones += 1;
        let Ok(address) = peer.remote_address.parse() else {
            self.left_out.push(format!("{said}: {:?} is not an address", peer.remote_address));
            return;
        };
        let listed = self.found.binary_search_by_key(&(vrf, address), |one| (&one.vrf, one.address));
        let one = if let Ok(at) = listed {
            &mut self.found[at]
        } else {
            let place = self.more.entry((vrf.clone(), address));
            place.or_insert_with(|| from_long(vrf.clone(), address, peer))
        };
        add_long(one, peer, self.driver);
    }
}

/// Drivers disagree on the name of the one without a name.
fn vrf_of(said: &str) -> ArcStr {
    vrf_name(if said == "global" { "default" } else { said })
}

/// The VRFs of the short getter.
struct ShortVrfs<'j, 'd>(&'j mut Joined<'d>);

impl<'de> Entry<'de> for ShortVrfs<'_, '_> {
    fn entry<D: Deserializer<'de>>(&mut self, name: Cow<'de, str>, vrf: D) -> Result<(), D::Error> {
        EachField(ShortVrf { all: self.0, vrf: vrf_of(&name), said: &name }).deserialize(vrf)
    }
}

/// A VRF of it, of which the peers are read.
struct ShortVrf<'j, 'd> {
    all: &'j mut Joined<'d>,
    vrf: ArcStr,
    said: &'j str,
}

impl<'de> Entry<'de> for ShortVrf<'_, '_> {
    fn entry<D: Deserializer<'de>>(&mut self, name: Cow<'de, str>, value: D) -> Result<(), D::Error> {
        if name == "peers" {
            return Each(ShortPeers(self)).deserialize(value);
        }
        IgnoredAny::deserialize(value).map(drop)
    }
}

struct ShortPeers<'v, 'j, 'd>(&'v mut ShortVrf<'j, 'd>);

impl<'de> Entry<'de> for ShortPeers<'_, '_, '_> {
    fn entry<D: Deserializer<'de>>(&mut self, key: Cow<'de, str>, peer: D) -> Result<(), D::Error> {
        let peer = Fields::<SaidPeer<'de>>::deserialize(peer)?.0.shape();
        let ShortVrf { all, vrf, said } = &mut *self.0;
        all.add_short(vrf, said, &key, &peer);
        Ok(())
    }
}

/// The VRFs of the long getter.
struct LongVrfs<'j, 'd>(&'j mut Joined<'d>);

impl<'de> Entry<'de> for LongVrfs<'_, '_> {
    fn entry<D: Deserializer<'de>>(&mut self, name: Cow<'de, str>, by_as: D) -> Result<(), D::Error> {
        Each(LongVrf { all: self.0, vrf: vrf_of(&name), said: &name }).deserialize(by_as)
    }
}

/// A VRF of it: a list for each AS.
struct LongVrf<'j, 'd> {
    all: &'j mut Joined<'d>,
    vrf: ArcStr,
    said: &'j str,
}

impl<'de> Entry<'de> for LongVrf<'_, '_> {
    fn entry<D: Deserializer<'de>>(&mut self, _: Cow<'de, str>, peers: D) -> Result<(), D::Error> {
        let add = |peer: Fields<SaidDetail<'de>>| self.all.add_long(&self.vrf, self.said, &peer.0.shape());
        Items::new(add).deserialize(peers)
    }
}

fn count(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

fn as_number(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|&one| one > 0)
}

fn some(text: &str) -> Option<ArcStr> {
    let text = text.trim();
    (!text.is_empty() && text != "None").then(|| text.into())
}

fn router_id(text: &str) -> Option<std::net::Ipv4Addr> {
    text.parse().ok().filter(|id: &std::net::Ipv4Addr| !id.is_unspecified())
}

fn from_short(vrf: ArcStr, address: IpAddr, peer: &NapalmPeer, driver: &str) -> Neighbor {
    // The short shape tells no more than this of a session that is down.
    let state = match (peer.is_up, peer.is_enabled) {
        (true, _) => State::Established,
        (false, true) => State::Active,
        (false, false) => State::Idle,
    };
    let mut one = Neighbor::in_vrf(vrf, address, state);
    one.local_as = as_number(peer.local_as);
    one.remote_as = as_number(peer.remote_as);
    // NAPALM's nxos gives the neighbour's address in its place.
    one.remote_id = router_id(&peer.remote_id).filter(|_| driver != "nxos");
    one.description = some(&peer.description);
    one.enabled = peer.is_enabled;
    if peer.is_up {
        one.age = count(peer.uptime).map(limited);
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

fn from_long(vrf: ArcStr, address: IpAddr, peer: &NapalmDetailPeer) -> Neighbor {
    let mut one = Neighbor::in_vrf(vrf, address, if peer.up { State::Established } else { State::Idle });
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
    let state = State::from_name(&peer.connection_state).unwrap_or(one.state);
    if state != State::Established {
        // Neither getter tells since when it is down.
        one.age = None;
    }
    one.state = state;
    if !one.is_up() {
        one.prefixes.forget();
        one.last_error = one.last_error.take().or(some(&peer.last_event));
    }
    one.local_as = one.local_as.or(as_number(peer.local_as));
    one.remote_as = one.remote_as.or(as_number(peer.remote_as));
    one.local_address = peer.local_address.parse().ok().filter(|_| one.is_up());
    // Drivers that have no counter give 0.
    if matches!(driver, "junos" | "iosxr" | "iosxr_netconf") || peer.flap_count > 0 {
        one.flaps = count(peer.flap_count).map(limited);
    }
}
