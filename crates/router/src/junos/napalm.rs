//! Junos's neighbours in the shapes that NAPALM's driver gives them. It asks once per routing instance.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::peers::{address_and_port, as_number, each, is_shut};
use crate::address::canonical_ip;
use crate::netconf::xml::{self, Element, Foreign};
use crate::{NapalmDetail, NapalmDetailPeer, NapalmNeighbors, NapalmPeer, NapalmPrefixes, NapalmVrf};

/// A neighbour that stands in the summary only: its VRF, its address, its seconds.
pub(super) type Alone = (String, String, Option<i64>);

/// The answers for one instance.
pub(super) struct Instance<'a> {
    pub(super) name: &'a str,
    pub(super) neighbors: &'a str,
    pub(super) summary: &'a str,
}

/// The instances that people made, `master` among them.
pub(super) fn instances(document: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    xml::walk(
        document,
        Foreign::Shown,
        |path| path.ends_with(&["instance-core", "instance-name"]),
        |_, element| {
            names.push(element.text().to_owned());
            Ok(())
        },
    )?;
    names.retain(|name| !name.starts_with("__"));
    Ok(names)
}

/// An element's text as `PyEZ` takes it: what is empty has its own name as text.
fn text<'e>(element: &'e Element<'_>, path: &[&'e str]) -> Option<&'e str> {
    let found = element.text_of(path)?;
    Some(if found.is_empty() { path.last().copied().unwrap_or_default() } else { found })
}

fn number(element: &Element<'_>, path: &[&str]) -> Option<i64> {
    text(element, path)?.parse().ok()
}

fn numbers(ribs: &[&Element<'_>], name: &str) -> Vec<i64> {
    ribs.iter().filter_map(|rib| rib.text_of(&[name])).map(|text| text.parse().unwrap_or_default()).collect()
}

fn asn(element: &Element<'_>, name: &str) -> i64 {
    text(element, &[name]).and_then(as_number).map_or(0, i64::from)
}

fn vrf_name(instance: &str) -> &str {
    if instance == "master" { "global" } else { instance }
}

/// `get_bgp_neighbors`, and the times of neighbours that stand in the summary only.
pub(super) fn short(
    instances: &[Instance<'_>],
    foreign: Foreign,
) -> Result<(NapalmNeighbors, Vec<Alone>), String> {
    let mut all = NapalmNeighbors::new();
    let mut alone = Vec::new();
    for instance in instances {
        let mut vrf = NapalmVrf::default();
        let mut known = false;
        each(instance.neighbors, foreign, |element| {
            let (address, _) = address_and_port(text(element, &["peer-address"]).unwrap_or_default());
            let Some(address) = canonical_ip(address) else { return };
            if !known {
                text(element, &["local-id"]).unwrap_or_default().clone_into(&mut vrf.router_id);
                known = true;
            }
            vrf.peers.insert(address, peer(element, instance.name));
        })?;
        if vrf.peers.is_empty() {
            continue;
        }
        each(instance.summary, foreign, |element| {
            let Some(address) = text(element, &["peer-address"]).and_then(canonical_ip) else { return };
            let seconds =
                element.find(&["elapsed-time"]).and_then(|time| time.attribute("seconds")?.parse().ok());
            match vrf.peers.get_mut(&address) {
                Some(peer) => peer.uptime = seconds.unwrap_or_default(),
                None => alone.push((vrf_name(instance.name).to_owned(), address, seconds)),
            }
        })?;
        all.insert(vrf_name(instance.name).to_owned(), vrf);
    }
    Ok((all, alone))
}

fn peer(element: &Element<'_>, instance: &str) -> NapalmPeer {
    let is_up = text(element, &["peer-state"]) == Some("Established");
    NapalmPeer {
        local_as: asn(element, "local-as"),
        remote_as: asn(element, "peer-as"),
        remote_id: text(element, &["peer-id"]).unwrap_or_default().to_owned(),
        is_up,
        is_enabled: !is_shut(element),
        description: text(element, &["description"]).unwrap_or_default().to_owned(),
        uptime: 0,
        address_family: families(element, instance, is_up),
    }
}

/// Counters by family. They are lists beside each other, and what is sent is told only for tables that are in sync.
fn families(element: &Element<'_>, instance: &str, is_up: bool) -> BTreeMap<String, NapalmPrefixes> {
    let mut all: BTreeMap<String, NapalmPrefixes> =
        ["ipv4", "ipv6"].into_iter().map(|family| (family.to_owned(), NapalmPrefixes::default())).collect();
    if !is_up {
        return all;
    }
    let ribs: Vec<&Element<'_>> = element.all("bgp-rib").collect();
    let received = numbers(&ribs, "received-prefix-count");
    let accepted = numbers(&ribs, "accepted-prefix-count");
    let states: Vec<&str> = ribs.iter().filter_map(|rib| rib.text_of(&["send-state"])).collect();
    let sent = numbers(&ribs, "advertised-prefix-count");
    let mut sent = sent.into_iter();
    for (at, rib) in ribs.iter().enumerate() {
        let in_sync = ribs.len() == 1 || states.get(at).is_some_and(|state| state.contains("in sync"));
        let sent = if in_sync { sent.next().unwrap_or_default() } else { 0 };
        let Some(family) = family(rib.text_of(&["name"]).unwrap_or_default(), instance) else { continue };
        let counts = NapalmPrefixes {
            received_prefixes: received.get(at).copied().unwrap_or_default(),
            accepted_prefixes: accepted.get(at).copied().unwrap_or_default(),
            sent_prefixes: sent,
        };
        all.insert(family.to_owned(), counts);
    }
    all
}

/// The family of a table; in the instance without a name only tables without a name count.
fn family(table: &str, instance: &str) -> Option<&'static str> {
    let (front, _) = table.rsplit_once('.')?;
    let label = if instance == "master" { front } else { front.rsplit('.').next().unwrap_or(front) };
    match label {
        "inet" => Some("ipv4"),
        "inet6" => Some("ipv6"),
        "inetflow" => Some("flow"),
        _ => None,
    }
}

/// `get_bgp_neighbors_detail`.
pub(super) fn long(instances: &[Instance<'_>], foreign: Foreign) -> Result<NapalmDetail, String> {
    let mut all = NapalmDetail::new();
    for instance in instances {
        let name = vrf_name(instance.name);
        each(instance.neighbors, foreign, |element| {
            let Some(remote_as) = text(element, &["peer-as"]).and_then(as_number) else { return };
            let peer = detail(element, name, remote_as);
            all.entry(name.to_owned()).or_default().entry(remote_as.to_string()).or_default().push(peer);
        })?;
    }
    Ok(all)
}

fn detail(element: &Element<'_>, vrf: &str, remote_as: u32) -> NapalmDetailPeer {
    let word = |path: &[&str]| text(element, path).unwrap_or_default().to_owned();
    let number_or = |path: &[&str], other: i64| number(element, path).unwrap_or(other);
    let end = |name: &str| {
        let said = element.text_of(&[name]).unwrap_or_default();
        let (address, port) = address_and_port(said);
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(179);
        (canonical_ip(address).unwrap_or_else(|| address.to_owned()), port)
    };
    let (local_address, local_port) = end("local-address");
    let (remote_address, remote_port) = end("peer-address");
    let options = word(&["bgp-option-information", "bgp-options"]);
    let has = |option: &str| options.split_ascii_whitespace().any(|one| one == option);
    let four_octets: Vec<&str> =
        element.all("peer-4byte-as-capability-advertised").map(Element::text).collect();
    let advertises = matches!(four_octets.as_slice(), [one] if one.parse() == Ok(remote_as));
    let ribs: Vec<&Element<'_>> = element.all("bgp-rib").collect();
    let sum = |name: &str| {
        if ribs.is_empty() { -1 } else { numbers(&ribs, name).into_iter().fold(0, i64::saturating_add) }
    };
    NapalmDetailPeer {
        up: text(element, &["peer-state"]) == Some("Established"),
        local_as: asn(element, "local-as"),
        remote_as: i64::from(remote_as),
        router_id: word(&["peer-id"]),
        local_address,
        local_address_configured: has("AddressFamily"),
        local_port,
        routing_table: vrf.to_owned(),
        remote_address,
        remote_port,
        multihop: has("Multihop"),
        multipath: has("Multipath"),
        remove_private_as: has("RemovePrivateAS"),
        import_policy: word(&["bgp-option-information", "import-policy"]),
        export_policy: word(&["bgp-option-information", "export-policy"]),
        input_messages: number_or(&["input-messages"], -1),
        output_messages: number_or(&["output-messages"], -1),
        input_updates: number_or(&["input-updates"], -1),
        output_updates: number_or(&["output-updates"], -1),
        messages_queued_out: queued(element),
        connection_state: word(&["peer-state"]),
        previous_connection_state: word(&["last-state"]),
        last_event: word(&["last-event"]),
        suppress_4byte_as: !advertises,
        local_as_prepend: element.find(&["peer-addpath-not-supported"]).is_some(),
        holdtime: number_or(&["active-holdtime"], 0),
        configured_holdtime: number_or(&["bgp-option-information", "holdtime"], 0),
        keepalive: number_or(&["keepalive-interval"], 0),
        configured_keepalive: number_or(&["keepalive-interval"], 0),
        active_prefix_count: sum("active-prefix-count"),
        received_prefix_count: sum("received-prefix-count"),
        accepted_prefix_count: sum("accepted-prefix-count"),
        suppressed_prefix_count: sum("suppressed-prefix-count"),
        advertised_prefix_count: sum("advertised-prefix-count"),
        flap_count: number_or(&["flap-count"], 0),
    }
}

/// Messages that wait. The queues are told apart by their table's name; as many are counted as have one.
fn queued(element: &Element<'_>) -> i64 {
    let named = element.all("bgp-output-queue").filter(|queue| queue.find(&["table-name"]).is_some()).count();
    let counts = element.all("bgp-output-queue").map(|queue| number(queue, &["count"]).unwrap_or_default());
    counts.take(named).fold(0, i64::saturating_add)
}

/// What recorded answers come to: the parts are named by the request and the instance behind it.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Json, String> {
    recorded(getter, parts, Foreign::Shown)
}

/// The same with `foreign` for elements in a namespace of their own. `PyEZ` takes namespaces away; NAPALM's recorded cases were
/// made without it, and an element with one is not found in them.
pub(crate) fn recorded(
    getter: &str,
    parts: &BTreeMap<String, String>,
    foreign: Foreign,
) -> Result<Json, String> {
    let part = |name: String| parts.get(&name).map(String::as_str);
    let names = instances(
        part("get-instance-information".into()).ok_or("there is no part get-instance-information")?,
    )?;
    let instances: Vec<Instance<'_>> = names
        .iter()
        .filter_map(|name| {
            Some(Instance {
                name,
                neighbors: part(format!("get-bgp-neighbor-information{name}"))?,
                summary: part(format!("get-bgp-summary-information{name}")).unwrap_or("<bgp-information/>"),
            })
        })
        .collect();
    let failed = |error: serde_json::Error| error.to_string();
    match getter {
        "get_bgp_neighbors" => {
            let (all, alone) = short(&instances, foreign)?;
            let mut all = serde_json::to_value(all).map_err(failed)?;
            for (vrf, address, seconds) in alone {
                if let Some(peers) = all.pointer_mut(&format!("/{vrf}/peers")).and_then(Json::as_object_mut) {
                    peers.insert(address, json!({ "uptime": seconds }));
                }
            }
            Ok(all)
        }
        "get_bgp_neighbors_detail" => serde_json::to_value(long(&instances, foreign)?).map_err(failed),
        _ => Err(format!("there is no getter {getter}")),
    }
}
