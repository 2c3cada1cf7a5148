//! EOS: the JSON of `show ip bgp neighbors vrf all`, `show ipv6 bgp peers vrf all` and the two summaries.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use arcstr::ArcStr;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::mask::json_error;
use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State, limited};
use crate::vendor::{address, as_number, canonical};

/// The four answers, in the order they are asked for.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a> {
    pub summaries: [&'a str; 2],
    pub details: [&'a str; 2],
}

/// All neighbours.
pub(super) fn neighbors(answers: Answers<'_>) -> Result<Neighbors, String> {
    let summaries = read_summaries(answers)?;
    let mut all = Neighbors::default();
    // By VRF, address and zone.
    let mut seen: BTreeSet<(ArcStr, IpAddr, Option<String>)> = BTreeSet::new();
    for (text, name) in answers.details.iter().zip(["neighbors", "IPv6 peers"]) {
        let details: Vrfs<'_, DetailVrf<'_>> = read(text, name)?;
        for (vrf, list) in &details.vrfs {
            for raw in &list.peers {
                match serde_json::from_str::<Peer<'_>>(raw.get())
                    .map_err(|error| json_error(&error))
                    .and_then(|peer| Ok((neighbor(vrf, &peer, &summaries)?, zone(&peer.address))))
                {
                    // A neighbour of both families, or of none yet, may stand in both lists.
                    Ok((one, zone)) => {
                        if seen.insert((one.vrf.clone(), one.address, zone)) {
                            all.neighbors.push(one);
                        }
                    }
                    Err(reason) => {
                        all.left_out.push(format!("{} in VRF {vrf}: {reason}", name_of(raw.get())));
                    }
                }
            }
        }
    }
    Ok(all.sorted())
}

/// The interface behind a link-local address.
fn zone(address: &str) -> Option<String> {
    address.split_once('%').map(|(_, zone)| zone.to_owned())
}

/// The shape of NAPALM's `get_bgp_neighbors`.
pub(super) fn napalm(answers: Answers<'_>) -> Result<Value, String> {
    let summaries = read_summaries(answers)?;
    let mut vrfs: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (text, name) in answers.details.iter().zip(["neighbors", "IPv6 peers"]) {
        let details: Vrfs<'_, DetailVrf<'_>> = read(text, name)?;
        for (vrf, list) in &details.vrfs {
            let peers = vrfs.entry(vrf.to_string()).or_default();
            for raw in &list.peers {
                if let Ok(peer) = serde_json::from_str::<Peer<'_>>(raw.get()) {
                    let name = canonical(&peer.address);
                    peers.insert(name.clone(), napalm_peer(vrf, &name, &peer, &summaries));
                }
            }
        }
    }
    let mut router_ids = BTreeMap::new();
    for summary in &summaries {
        for (vrf, one) in &summary.vrfs {
            router_ids.insert(vrf.to_string(), canonical(&one.router_id));
            vrfs.entry(vrf.to_string()).or_default();
        }
    }
    let shape = vrfs.into_iter().map(|(vrf, peers)| {
        let mut one = Map::new();
        if let Some(router_id) = router_ids.get(&vrf) {
            one.insert("router_id".to_owned(), json!(router_id));
        }
        one.insert("peers".to_owned(), Value::Object(peers));
        (if vrf == "default" { "global".to_owned() } else { vrf }, Value::Object(one))
    });
    Ok(Value::Object(shape.collect()))
}

fn napalm_peer(vrf: &str, name: &str, peer: &Peer<'_>, summaries: &[Vrfs<'_, SummaryVrf<'_>>; 2]) -> Value {
    let accepted = |at: usize| accepted(&summaries[at], vrf, name).unwrap_or(0);
    let family = |received: Option<u64>, accepted: u64, sent: Option<u64>| {
        json!({
            "received_prefixes": received.unwrap_or(0),
            "accepted_prefixes": accepted,
            "sent_prefixes": sent.unwrap_or(0),
        })
    };
    json!({
        "local_as": peer.local_as.number().unwrap_or(0),
        "remote_as": peer.remote_as.number().unwrap_or(0),
        "remote_id": peer.router_id.as_deref().map(canonical).unwrap_or_default(),
        "is_up": peer.state == "Established",
        "is_enabled": peer.enabled(),
        "description": peer.description.as_deref().unwrap_or(""),
        "uptime": peer.established_time.map_or(-1, Seconds::whole),
        "address_family": {
            "ipv4": family(peer.received, accepted(0), peer.sent),
            "ipv6": family(peer.received_v6, accepted(1), peer.sent_v6),
        },
    })
}

fn neighbor(
    vrf: &str,
    peer: &Peer<'_>,
    summaries: &[Vrfs<'_, SummaryVrf<'_>>; 2],
) -> Result<Neighbor, String> {
    let address = address(&peer.address).ok_or("its address is none")?;
    let state =
        State::from_name(&peer.state).ok_or_else(|| format!("its state is unknown: {:.40}", peer.state))?;
    let mut one = Neighbor::new(vrf, address, state);
    one.remote_as = peer.remote_as.number();
    one.local_as = peer.local_as.number();
    one.description = peer.description.as_deref().filter(|text| !text.is_empty()).map(ArcStr::from);
    one.enabled = peer.enabled();
    one.flaps =
        peer.established_transitions.map(|times| limited(times.saturating_sub(u64::from(one.is_up()))));
    one.over_limit = !one.is_up() && peer.idle_reason.as_deref().is_some_and(is_limit);
    one.last_error = peer.last_error().map(ArcStr::from);
    let name = address.to_string();
    let listed = |at: usize| summaries[at].vrfs.get(vrf).and_then(|vrf| vrf.peers.get(name.as_str()));
    for (at, family) in [Family::Ipv4, Family::Ipv6].into_iter().enumerate() {
        let enabled = peer.capabilities.as_ref().and_then(|all| all.enabled(family));
        if !(enabled.unwrap_or(false) || (enabled.is_none() && listed(at).is_some())) {
            continue;
        }
        let (received, sent) = match family {
            Family::Ipv4 => (peer.received, peer.sent),
            Family::Ipv6 => (peer.received_v6, peer.sent_v6),
        };
        let counts = if one.is_up() {
            let accepted = listed(at).and_then(|peer| peer.accepted).or(received.filter(|&count| count == 0));
            Prefixes { received, accepted, advertised: sent }
        } else {
            Prefixes::default()
        };
        one.prefixes.insert(family, counts);
    }
    if one.is_up() {
        one.age = peer.established_time.and_then(|time| u64::try_from(time.whole()).ok()).map(limited);
        one.local_address = peer.update_source.as_deref().and_then(crate::vendor::address);
        one.remote_id = peer.router_id.as_deref().and_then(|id| id.parse().ok());
    }
    Ok(one)
}

/// Whether these words mean that there were too many prefixes.
fn is_limit(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("max") && (reason.contains("prefix") || reason.contains("route"))
}

fn accepted(summary: &Vrfs<'_, SummaryVrf<'_>>, vrf: &str, name: &str) -> Option<u64> {
    summary.vrfs.get(vrf)?.peers.get(name)?.accepted
}

/// The address in an entry that is otherwise not understood.
fn name_of(raw: &str) -> String {
    #[derive(Deserialize)]
    struct Name {
        #[serde(rename = "peerAddress")]
        address: Option<String>,
    }
    serde_json::from_str::<Name>(raw)
        .ok()
        .and_then(|name| name.address)
        .map_or_else(|| "a neighbour".to_owned(), |name| name.chars().take(60).collect())
}

fn read_summaries(answers: Answers<'_>) -> Result<[Vrfs<'_, SummaryVrf<'_>>; 2], String> {
    Ok([read(answers.summaries[0], "summary")?, read(answers.summaries[1], "IPv6 summary")?])
}

fn read<'a, T: Deserialize<'a> + Default>(text: &'a str, name: &str) -> Result<T, String> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| format!("{name}: {}", json_error(&error)))
}

/// An answer: something per VRF. Without BGP there is no `vrfs` at all.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Vrfs<'a, T> {
    #[serde(borrow, default = "BTreeMap::new")]
    vrfs: BTreeMap<Cow<'a, str>, T>,
}

impl<T> Default for Vrfs<'_, T> {
    fn default() -> Self {
        Self { vrfs: BTreeMap::new() }
    }
}

#[derive(Deserialize)]
struct SummaryVrf<'a> {
    #[serde(borrow, default, rename = "routerId")]
    router_id: Cow<'a, str>,
    #[serde(borrow, default)]
    peers: BTreeMap<Cow<'a, str>, SummaryPeer>,
}

#[derive(Deserialize)]
struct SummaryPeer {
    #[serde(default, rename = "prefixAccepted")]
    accepted: Option<u64>,
}

#[derive(Deserialize)]
struct DetailVrf<'a> {
    #[serde(borrow, default, rename = "peerList")]
    peers: Vec<&'a RawValue>,
}

/// Written as a number by older releases and as a text by newer ones.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum As<'a> {
    Number(u32),
    Text(#[serde(borrow)] Cow<'a, str>),
    #[default]
    None,
}

impl As<'_> {
    fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => as_number(text),
            Self::None => None,
        }
    }
}

/// Seconds, with or without a fraction.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Seconds {
    Whole(i64),
    Fraction(f64),
}

impl Seconds {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction of a second is cut, and too much saturates"
    )]
    fn whole(self) -> i64 {
        match self {
            Self::Whole(seconds) => seconds,
            Self::Fraction(seconds) => seconds as i64,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer<'a> {
    #[serde(borrow, rename = "peerAddress")]
    address: Cow<'a, str>,
    #[serde(borrow, default, rename = "asn")]
    remote_as: As<'a>,
    #[serde(borrow, default, rename = "localAsn")]
    local_as: As<'a>,
    #[serde(borrow, default)]
    router_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow, default)]
    idle_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    establish_fail_hint: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(default)]
    established_time: Option<Seconds>,
    #[serde(default)]
    established_transitions: Option<u64>,
    #[serde(default, rename = "prefixesReceived")]
    received: Option<u64>,
    #[serde(default, rename = "prefixesSent")]
    sent: Option<u64>,
    #[serde(default, rename = "v6PrefixesReceived")]
    received_v6: Option<u64>,
    #[serde(default, rename = "v6PrefixesSent")]
    sent_v6: Option<u64>,
    #[serde(borrow, default)]
    update_source: Option<Cow<'a, str>>,
    #[serde(default, rename = "neighborCapabilities")]
    capabilities: Option<Capabilities>,
    #[serde(borrow, default, rename = "lastErrorCode")]
    sent_error: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "lastErrorSubcode")]
    sent_error_detail: Option<Cow<'a, str>>,
    #[serde(default, rename = "lastErrorTimeInfo")]
    sent_error_time: Option<When>,
    #[serde(borrow, default, rename = "lastErrorRcvdCode")]
    received_error: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "lastErrorRcvdSubcode")]
    received_error_detail: Option<Cow<'a, str>>,
    #[serde(default, rename = "lastErrorRcvdTimeInfo")]
    received_error_time: Option<When>,
    #[serde(borrow, default, rename = "lastSocketOutErrorMsg")]
    socket_error: Option<Cow<'a, str>>,
    #[serde(default, rename = "lastSocketOutErrorTimeInfo")]
    socket_error_time: Option<When>,
}

/// How long ago something was.
#[derive(Deserialize, Clone, Copy)]
struct When {
    #[serde(default)]
    time: Option<Seconds>,
}

impl Peer<'_> {
    fn enabled(&self) -> bool {
        !(self.state == "Idle" && self.idle_reason.as_deref() == Some("Administratively shut down"))
    }

    /// Why it is idle; else the last of what was sent, what was received, and what the socket said.
    fn last_error(&self) -> Option<String> {
        if self.state == "Idle"
            && let Some(reason) = self.idle_reason.as_deref().filter(|text| !text.is_empty())
        {
            return Some(reason.to_owned());
        }
        let age = |when: Option<When>| when.and_then(|when| when.time).map_or(i64::MAX, Seconds::whole);
        let error = |way: &str, code: &Option<Cow<'_, str>>, detail: &Option<Cow<'_, str>>| {
            let code = code.as_deref().filter(|code| !code.is_empty())?;
            Some(match detail.as_deref().filter(|detail| !detail.is_empty()) {
                Some(detail) => format!("{way}: {code}/{detail}"),
                None => format!("{way}: {code}"),
            })
        };
        let all = [
            (age(self.sent_error_time), error("sent", &self.sent_error, &self.sent_error_detail)),
            (
                age(self.received_error_time),
                error("received", &self.received_error, &self.received_error_detail),
            ),
            (age(self.socket_error_time), error("socket", &self.socket_error, &None)),
        ];
        all.into_iter()
            .filter_map(|(age, text)| text.map(|text| (age, text)))
            .min_by_key(|(age, _)| *age)
            .map(|(_, text)| text)
            .or_else(|| self.establish_fail_hint.as_deref().map(str::to_owned))
    }
}

#[derive(Deserialize)]
struct Capabilities {
    #[serde(default, rename = "multiprotocolCaps")]
    families: BTreeMap<String, Capability>,
}

#[derive(Deserialize)]
struct Capability {
    #[serde(default)]
    enabled: bool,
}

impl Capabilities {
    /// Whether a family was negotiated; unknown before that.
    fn enabled(&self, family: Family) -> Option<bool> {
        if self.families.is_empty() {
            return None;
        }
        let name = match family {
            Family::Ipv4 => "ipv4Unicast",
            Family::Ipv6 => "ipv6Unicast",
        };
        Some(self.families.get(name).is_some_and(|capability| capability.enabled))
    }
}
