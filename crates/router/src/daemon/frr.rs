//! `FRRouting`: what `vtysh` prints.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use arcstr::ArcStr;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::shell::quote;
use crate::mask::json_error;
use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State, limited};

/// `show bgp vrf all summary json` and `show bgp vrf all neighbors json`, one after the other.
///
/// `received` holds answers of `… neighbors ADDRESS prefix-counts json`, in the order of [`questions`].
pub(super) fn neighbors(text: &str, received: Option<&str>) -> Result<Neighbors, String> {
    let mut documents = serde_json::Deserializer::from_str(text);
    let summary: HashMap<String, SummaryVrf<'_>> = document(&mut documents, "summary")?;
    let details: HashMap<String, DetailVrf<'_>> = document(&mut documents, "neighbors")?;
    let mut all = Neighbors::default();
    let mut soft = Vec::new();
    for (vrf, details) in details {
        let summary = summary.get(&vrf);
        for (name, raw) in details.0 {
            let read = || {
                let detail = detail(raw)?;
                let peer = summary.and_then(|vrf| vrf.peer(&name)).transpose()?;
                let one = neighbor(&vrf, &name, &detail, peer.as_ref())?;
                Ok::<_, String>((soft_families(&one, &detail), one))
            };
            match read() {
                Ok((families, one)) => {
                    soft.extend(families);
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
pub(super) type Question = (ArcStr, IpAddr, Family);

/// For whom FRR can count what arrived before policy: established, with `soft-reconfiguration inbound`.
pub(super) fn questions(text: &str) -> Result<Vec<Question>, String> {
    let mut documents = serde_json::Deserializer::from_str(text);
    let _: IgnoredAny = document(&mut documents, "summary")?;
    let details: HashMap<String, DetailVrf<'_>> = document(&mut documents, "neighbors")?;
    let mut soft = Vec::new();
    for (vrf, details) in details {
        for (name, raw) in details.0 {
            let Ok(detail) = detail(raw) else { continue };
            if let Ok(one) = neighbor(&vrf, &name, &detail, None) {
                soft.extend(soft_families(&one, &detail));
            }
        }
    }
    soft.sort();
    Ok(soft)
}

/// Commands in one script. A process takes 128 KiB as one argument, and a script is one.
const AT_ONCE: usize = 300;

/// Scripts that count what arrived before policy, in the order of the questions.
pub(super) fn counting(questions: &[Question]) -> Vec<String> {
    let script = |some: &[Question]| {
        let mut script = "ask received lim $L vtysh".to_owned();
        for (vrf, address, family) in some {
            let family = if *family == Family::Ipv4 { "ipv4" } else { "ipv6" };
            let command =
                format!("show bgp vrf {vrf} {family} unicast neighbors {address} prefix-counts json");
            let _ = write!(script, " -c {}", quote(&command));
        }
        script
    };
    questions.chunks(AT_ONCE).map(script).collect()
}

fn document<'de, T: Deserialize<'de>>(
    documents: &mut serde_json::Deserializer<serde_json::de::StrRead<'de>>,
    name: &str,
) -> Result<T, String> {
    T::deserialize(documents).map_err(|error| format!("{name}: {}", json_error(&error)))
}

/// An entry by itself, so that an odd one takes no others along.
fn detail(raw: &RawValue) -> Result<Detail, String> {
    serde_json::from_str(raw.get()).map_err(|error| json_error(&error))
}

fn soft_families(one: &Neighbor, detail: &Detail) -> Vec<Question> {
    let families = one.prefixes.keys().filter(|family| {
        let info = match family {
            Family::Ipv4 => &detail.address_family_info.ipv4_unicast,
            Family::Ipv6 => &detail.address_family_info.ipv6_unicast,
        };
        one.is_up() && info.as_ref().is_some_and(|info| info.inbound_soft_config_permit)
    });
    families.map(|family| (one.vrf.clone(), one.address, family)).collect()
}

fn add_received(all: &mut Neighbors, soft: &[Question], text: &str) -> Result<(), String> {
    let counts = serde_json::Deserializer::from_str(text).into_iter::<PrefixCounts>();
    for ((vrf, address, family), counts) in soft.iter().zip(counts) {
        let counts = counts.map_err(|error| format!("prefix-counts of {address}: {}", json_error(&error)))?;
        let Some(counts) = counts.walk.filter(|_| counts.of.as_deref() == Some(address.to_string().as_str()))
        else {
            continue;
        };
        let found = all.neighbors.iter_mut().find(|one| one.vrf == *vrf && one.address == *address);
        if let Some(one) = found
            && let Some(known) = one.prefixes.get(family)
        {
            one.prefixes.insert(*family, Prefixes { received: counts.adj_in, ..known });
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
    let seconds = |milliseconds: Option<u64>| milliseconds.map(|ms| limited(ms / 1000));
    Ok(Neighbor {
        remote_as: Some(detail.remote_as),
        local_as: Some(detail.local_as),
        local_address: detail.host_local.filter(|_| up),
        remote_id: detail.remote_router_id.filter(|id| up && !id.is_unspecified()),
        description: detail.nbr_desc.as_deref().map(ArcStr::from),
        enabled: !detail.admin_shut_down && peer_state != Some("Admin"),
        age: seconds(if up {
            detail.bgp_timer_up_msec
        } else {
            detail.last_reset_timer_msecs.filter(|_| detail.connections_dropped > 0)
        }),
        prefixes: detail.address_family_info.prefixes(up),
        over_limit: peer_state == Some("PfxCt"),
        last_error: last_error(detail, up).map(ArcStr::from),
        flaps: Some(limited(detail.connections_dropped)),
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
struct SummaryVrf<'a> {
    #[serde(borrow)]
    ipv4_unicast: Option<SummaryFamily<'a>>,
    #[serde(borrow)]
    ipv6_unicast: Option<SummaryFamily<'a>>,
}

impl SummaryVrf<'_> {
    fn peer(&self, name: &str) -> Option<Result<Peer, String>> {
        let families = [&self.ipv4_unicast, &self.ipv6_unicast];
        let raw = families.into_iter().flatten().find_map(|family| family.peers.get(name))?;
        Some(serde_json::from_str(raw.get()).map_err(|error| format!("summary: {}", json_error(&error))))
    }
}

#[derive(Deserialize)]
struct SummaryFamily<'a> {
    #[serde(borrow, default)]
    peers: HashMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    peer_state: Option<String>,
}

/// A VRF in the details: peers by address, among other things.
struct DetailVrf<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for DetailVrf<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = DetailVrf<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the neighbours of a VRF")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DetailVrf<'de>, A::Error> {
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

#[cfg(test)]
mod tests {
    use super::{Family, IpAddr, neighbors, questions};

    #[test]
    fn an_odd_neighbour_takes_no_others_along() {
        let text = r#"{"default":{"ipv4Unicast":{"peers":{
            "192.0.2.2":{"peerState":"OK"},"192.0.2.3":{"peerState":"OK"},"192.0.2.4":{"peerState":7}}}}}
            {"default":{"vrfId":0,"vrfName":"default",
            "192.0.2.2":{"remoteAs":64502,"localAs":64500,"bgpState":"Established",
              "addressFamilyInfo":{"ipv4Unicast":{"inboundSoftConfigPermit":true}}},
            "192.0.2.3":{"localAs":64500,"bgpState":"Established"},
            "192.0.2.4":{"remoteAs":64504,"localAs":64500,"bgpState":"Idle"}}}"#;
        let all = neighbors(text, None).unwrap();
        assert_eq!(all.neighbors.len(), 1);
        assert_eq!(all.neighbors[0].address.to_string(), "192.0.2.2");
        let [odd, other] = all.left_out.as_slice() else { panic!("{:?}", all.left_out) };
        assert!(odd.starts_with("192.0.2.3 in VRF default: "), "{odd}");
        assert!(other.starts_with("192.0.2.4 in VRF default: summary: "), "{other}");
        assert_eq!(questions(text).unwrap().len(), 1);
    }

    #[test]
    fn many_sessions_are_counted_in_several_scripts() {
        let question = |at: u16| {
            let address = IpAddr::from([0x2001, 0xdb8, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, at]);
            ("a-long-name-of-a-vrf".into(), address, Family::Ipv6)
        };
        let questions: Vec<super::Question> = (0..3000).map(question).collect();
        let scripts = super::counting(&questions);
        assert_eq!(scripts.len(), 10);
        assert!(scripts.iter().all(|script| script.len() < 64 << 10), "{}", scripts[0].len());
        let all = scripts.concat();
        let places: Vec<usize> = questions
            .iter()
            .map(|(_, address, _)| all.find(&format!(" neighbors {address} prefix-counts json")).unwrap())
            .collect();
        assert!(places.is_sorted(), "in the order of the questions");
        assert!(super::counting(&[]).is_empty());
    }
}
