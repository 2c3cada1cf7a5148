//! `FRRouting`: what `vtysh` prints.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State};

/// `show bgp vrf all summary json` and `show bgp vrf all neighbors json`, one after the other.
///
/// `received` holds answers of `… neighbors ADDRESS prefix-counts json`, in the order of [`questions`].
pub(super) fn neighbors(text: &str, received: Option<&str>) -> Result<Neighbors, String> {
    let mut documents = serde_json::Deserializer::from_str(text);
    let summary: HashMap<String, SummaryVrf> = document(&mut documents, "summary")?;
    let details: HashMap<String, DetailVrf> = document(&mut documents, "neighbors")?;
    let mut all = Neighbors::default();
    let mut soft = Vec::new();
    for (vrf, details) in details {
        let summary = summary.get(&vrf);
        for (name, detail) in details.0 {
            let peer = summary.and_then(|vrf| vrf.peer(&name));
            match neighbor(&vrf, &name, &detail, peer) {
                Ok(one) => {
                    soft.extend(soft_families(&one, &detail));
                    all.neighbors.push(one);
                }
                Err(reason) => all.left_out.push(format!("{name} in VRF {vrf}: {reason}")),
            }
        }
    }
    let mut all = all.sorted();
    if let Some(text) = received {
        soft.sort();
        add_received(&mut all, &soft, text)?;
    }
    Ok(all)
}

/// VRF, address and family of the sessions whose received prefixes can be counted.
pub(super) type Question = (String, IpAddr, Family);

/// For whom FRR can count what arrived before policy: established, with `soft-reconfiguration inbound`.
pub(super) fn questions(text: &str) -> Result<Vec<Question>, String> {
    let mut documents = serde_json::Deserializer::from_str(text);
    let _: IgnoredAny = document(&mut documents, "summary")?;
    let details: HashMap<String, DetailVrf> = document(&mut documents, "neighbors")?;
    let mut soft = Vec::new();
    for (vrf, details) in details {
        for (name, detail) in details.0 {
            if let Ok(one) = neighbor(&vrf, &name, &detail, None) {
                soft.extend(soft_families(&one, &detail));
            }
        }
    }
    soft.sort();
    Ok(soft)
}

fn document<'de, T: Deserialize<'de>>(
    documents: &mut serde_json::Deserializer<serde_json::de::StrRead<'de>>,
    name: &str,
) -> Result<T, String> {
    T::deserialize(documents).map_err(|error| format!("{name}: {}", crate::mask::json_error(&error)))
}

fn soft_families(one: &Neighbor, detail: &Detail) -> Vec<Question> {
    let families = one.prefixes.keys().filter(|family| {
        let info = match family {
            Family::Ipv4 => &detail.address_family_info.ipv4_unicast,
            Family::Ipv6 => &detail.address_family_info.ipv6_unicast,
        };
        one.is_up() && info.as_ref().is_some_and(|info| info.inbound_soft_config_permit)
    });
    families.map(|&family| (one.vrf.clone(), one.address, family)).collect()
}

fn add_received(all: &mut Neighbors, soft: &[Question], text: &str) -> Result<(), String> {
    let counts = serde_json::Deserializer::from_str(text).into_iter::<PrefixCounts>();
    for ((vrf, address, family), counts) in soft.iter().zip(counts) {
        let counts = counts
            .map_err(|error| format!("prefix-counts of {address}: {}", crate::mask::json_error(&error)))?;
        let Some(counts) = counts.walk.filter(|_| counts.of.as_deref() == Some(address.to_string().as_str()))
        else {
            continue;
        };
        let found = all.neighbors.iter_mut().find(|one| one.vrf == *vrf && one.address == *address);
        if let Some(prefixes) = found.and_then(|one| one.prefixes.get_mut(family)) {
            prefixes.received = counts.adj_in;
        }
    }
    Ok(())
}

fn neighbor(vrf: &str, name: &str, detail: &Detail, peer: Option<&Peer>) -> Result<Neighbor, String> {
    // A session over an unnumbered interface is listed under the interface's name.
    let address = name.parse().ok().or(detail.host_foreign);
    let address: IpAddr = address.ok_or("it has no address yet")?;
    let state = State::from_name(&detail.bgp_state).ok_or_else(|| format!("state {:?}", detail.bgp_state))?;
    let up = state == State::Established;
    let peer_state = peer.and_then(|peer| peer.peer_state.as_deref());
    let seconds = |milliseconds: Option<u64>| milliseconds.map(|ms| ms / 1000);
    Ok(Neighbor {
        remote_as: Some(detail.remote_as),
        local_as: Some(detail.local_as),
        local_address: detail.host_local.filter(|_| up),
        remote_id: detail.remote_router_id.filter(|id| up && !id.is_unspecified()),
        description: detail.nbr_desc.clone(),
        enabled: !detail.admin_shut_down && peer_state != Some("Admin"),
        uptime: seconds(detail.bgp_timer_up_msec).filter(|_| up),
        downtime: seconds(detail.last_reset_timer_msecs.filter(|_| !up && detail.connections_dropped > 0)),
        prefixes: detail.address_family_info.prefixes(up),
        over_limit: peer_state == Some("PfxCt"),
        last_error: last_error(detail, up),
        flaps: Some(detail.connections_dropped),
        ..Neighbor::new(vrf, address, state)
    })
}

/// What ended the session, if anything did. A session that never ended has a reset reason too, which says nothing.
fn last_error(detail: &Detail, up: bool) -> Option<String> {
    let due = detail.last_reset_due_to.as_deref().unwrap_or_default();
    if let Some(reason) = &detail.last_notification_reason {
        let direction = if due.ends_with("received") { "received" } else { "sent" };
        let text = detail.last_shutdown_description.as_ref().map(|text| format!(": {text}"));
        return Some(format!("{reason} ({direction}){}", text.unwrap_or_default()));
    }
    (!due.is_empty() && (!up || detail.connections_dropped > 0)).then(|| due.to_owned())
}

/// A VRF in the summary: a key per family, and under it the peers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SummaryVrf {
    ipv4_unicast: Option<SummaryFamily>,
    ipv6_unicast: Option<SummaryFamily>,
}

impl SummaryVrf {
    fn peer(&self, name: &str) -> Option<&Peer> {
        [&self.ipv4_unicast, &self.ipv6_unicast]
            .into_iter()
            .flatten()
            .find_map(|family| family.peers.get(name))
    }
}

#[derive(Deserialize)]
struct SummaryFamily {
    #[serde(default)]
    peers: HashMap<String, Peer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    peer_state: Option<String>,
}

/// A VRF in the details: peers by address, among other things.
struct DetailVrf(Vec<(String, Detail)>);

impl<'de> Deserialize<'de> for DetailVrf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = DetailVrf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the neighbours of a VRF")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DetailVrf, A::Error> {
                let mut all = Vec::new();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key == "vrfId" || key == "vrfName" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        all.push((key.into_owned(), map.next_value()?));
                    }
                }
                Ok(DetailVrf(all))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    remote_as: u32,
    local_as: u32,
    nbr_desc: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    remote_router_id: Option<Ipv4Addr>,
    bgp_state: String,
    bgp_timer_up_msec: Option<u64>,
    #[serde(default)]
    admin_shut_down: bool,
    #[serde(default)]
    address_family_info: Families,
    #[serde(default)]
    connections_dropped: u64,
    last_reset_timer_msecs: Option<u64>,
    last_reset_due_to: Option<String>,
    last_notification_reason: Option<String>,
    last_shutdown_description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    host_local: Option<IpAddr>,
    #[serde(default, deserialize_with = "lenient")]
    host_foreign: Option<IpAddr>,
}

/// An address, or nothing where FRR writes `Unknown`.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + std::str::FromStr>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Cow<'de, str>>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Families {
    ipv4_unicast: Option<FamilyInfo>,
    ipv6_unicast: Option<FamilyInfo>,
}

impl Families {
    fn prefixes(&self, up: bool) -> crate::PrefixCounts {
        [(Family::Ipv4, &self.ipv4_unicast), (Family::Ipv6, &self.ipv6_unicast)]
            .into_iter()
            .filter_map(|(family, info)| {
                let info = info.as_ref()?;
                let prefixes = Prefixes {
                    received: None,
                    accepted: info.accepted_prefix_counter.filter(|_| up),
                    advertised: info.sent_prefix_counter.filter(|_| up),
                };
                Some((family, prefixes))
            })
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FamilyInfo {
    #[serde(default)]
    inbound_soft_config_permit: bool,
    accepted_prefix_counter: Option<u64>,
    sent_prefix_counter: Option<u64>,
}

#[derive(Deserialize)]
struct PrefixCounts {
    #[serde(rename = "prefixCountsFor")]
    of: Option<String>,
    #[serde(rename = "ribTableWalkCounters")]
    walk: Option<Walk>,
}

#[derive(Deserialize)]
struct Walk {
    #[serde(rename = "Adj-in")]
    adj_in: Option<u64>,
}
