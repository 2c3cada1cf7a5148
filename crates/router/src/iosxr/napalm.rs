//! IOS-XR's neighbours in the shapes that NAPALM's two drivers give them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::oper::{AGENT, Item, YANG, each};
use crate::netconf::xml::{self, Foreign};
use crate::{NapalmDetail, NapalmNeighbors, NapalmVrf};

/// What NAPALM asks the agent for the list of VRFs, and for one of them.
const VRFS: &str = "<Get><Operational><BGP><ConfigInstanceTable>";
const DEFAULT: &str = "<Get><Operational><BGP><InstanceTable><Instance><Naming><InstanceName>default</InstanceName></Naming>\
    <InstanceActive><DefaultVRF>";
const ONE: &str = "<Get><Operational><BGP><InstanceTable><Instance><Naming><InstanceName>default</InstanceName></Naming>\
    <InstanceActive><VRFTable><VRF><Naming>";

/// `get_bgp_neighbors` of `iosxr_netconf`.
pub(super) fn short(document: &str) -> Result<NapalmNeighbors, String> {
    let mut all = NapalmNeighbors::from([("global".to_owned(), NapalmVrf::default())]);
    each(&YANG, document, |vrf, item| {
        let name = if vrf.is_default { "global" } else { vrf.name.as_str() };
        let entry = all.entry(name.to_owned()).or_default();
        entry.router_id.clone_from(&vrf.router_id);
        if let Item::Neighbor(element) = item {
            entry.peers.extend(YANG.short(element));
        }
    })?;
    Ok(all)
}

/// `get_bgp_neighbors_detail` of `iosxr_netconf`.
pub(super) fn long(document: &str) -> Result<NapalmDetail, String> {
    let mut all = NapalmDetail::from([("global".to_owned(), BTreeMap::new())]);
    each(&YANG, document, |vrf, item| {
        let name = if vrf.is_default { "global" } else { vrf.name.as_str() };
        let entry = all.entry(name.to_owned()).or_default();
        if let Item::Neighbor(element) = item {
            let peer = YANG.long(vrf, element);
            entry.entry(peer.remote_as.to_string()).or_default().push(peer);
        }
    })?;
    Ok(all)
}

/// The VRFs that the agent's configuration names.
fn agent_vrfs(document: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    xml::walk(
        document,
        Foreign::Shown,
        |path| path.ends_with(&["ConfigVRF", "Naming", "VRFName"]),
        |_, element| {
            names.push(element.text().to_owned());
            Ok(())
        },
    )?;
    Ok(names)
}

/// `get_bgp_neighbors` of `iosxr`.
fn agent_short(parts: &BTreeMap<String, String>) -> Result<NapalmNeighbors, String> {
    let vrfs = answer(parts, VRFS).map(agent_vrfs).transpose()?.unwrap_or_default();
    let mut all = NapalmNeighbors::new();
    let mut read = |name: &str, question: &str| -> Result<(), String> {
        let mut entry = NapalmVrf::default();
        let mut known = false;
        if let Some(document) = answer(parts, question) {
            each(&AGENT, document, |vrf, item| match item {
                Item::Vrf => {
                    if !known && !vrf.router_id.is_empty() {
                        entry.router_id.clone_from(&vrf.router_id);
                        known = true;
                    }
                }
                Item::Neighbor(element) => entry.peers.extend(AGENT.short(element)),
            })?;
        }
        all.insert(name.to_owned(), entry);
        Ok(())
    };
    read("global", DEFAULT)?;
    for vrf in &vrfs {
        read(vrf, &format!("{ONE}{vrf}"))?;
    }
    Ok(all)
}

/// `get_bgp_neighbors_detail` of `iosxr`.
fn agent_long(parts: &BTreeMap<String, String>) -> Result<NapalmDetail, String> {
    let mut all = NapalmDetail::from([("global".to_owned(), BTreeMap::new())]);
    if let Some(document) = answer(parts, &format!("{ONE}default")) {
        each(&AGENT, document, |vrf, item| {
            let name = if vrf.name == "default" { "global" } else { vrf.name.as_str() };
            let entry = all.entry(name.to_owned()).or_default();
            if let Item::Neighbor(element) = item {
                let peer = AGENT.long(vrf, element);
                entry.entry(peer.remote_as.to_string()).or_default().push(peer);
            }
        })?;
    }
    Ok(all)
}

/// The answer to a question, of which the part's name is what is left when all but letters and digits is `_`, cut off at the
/// end. How much white space the question had does not count.
fn answer<'a>(parts: &'a BTreeMap<String, String>, question: &str) -> Option<&'a str> {
    let wanted = plain(question);
    let fits = |name: &str| {
        let name = plain(name);
        let name = name.trim_end_matches('_');
        let shared = name.bytes().zip(wanted.bytes()).take_while(|(one, other)| one == other).count();
        (shared == name.len() || shared >= wanted.trim_end_matches('_').len()).then_some(shared)
    };
    let best = parts
        .iter()
        .filter_map(|(name, text)| Some((fits(name)?, text)))
        .max_by_key(|(shared, _)| *shared)?;
    Some(best.1)
}

fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// What the recorded answers come to.
pub(crate) fn napalm_netconf(getter: &str, parts: &BTreeMap<String, String>) -> Result<Json, String> {
    let document = parts.iter().find(|(name, _)| name.contains("bgp")).map(|(_, text)| text.as_str());
    let document = document.ok_or("there is no part with the state of BGP")?;
    match getter {
        "get_bgp_neighbors" => json(short(document)?),
        "get_bgp_neighbors_detail" => json(long(document)?),
        _ => Err(format!("there is no getter {getter}")),
    }
}

/// What the XML agent's recorded answers come to.
pub(crate) fn napalm_agent(getter: &str, parts: &BTreeMap<String, String>) -> Result<Json, String> {
    match getter {
        "get_bgp_neighbors" => json(agent_short(parts)?),
        "get_bgp_neighbors_detail" => json(agent_long(parts)?),
        _ => Err(format!("there is no getter {getter}")),
    }
}

fn json(value: impl serde::Serialize) -> Result<Json, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}
