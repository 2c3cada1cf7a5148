//! NX-OS over SSH: the tables of `show bgp all summary vrf all`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes};
use crate::nxos::{is_shut, state};
use crate::vendor::{Gathered, address, as_number, napalm_vrf, or_minus_one, seconds};

const HEADING: &str = "BGP summary information for VRF";

/// A table: the neighbours of one VRF and one family.
#[derive(Default)]
struct Section<'a> {
    vrf: &'a str,
    family: &'a str,
    router_id: &'a str,
    local_as: &'a str,
    rows: Vec<Row<'a>>,
    odd: Vec<String>,
}

/// A row, put together again if it was wrapped.
struct Row<'a> {
    address: &'a str,
    remote_as: &'a str,
    time: &'a str,
    /// The state, or the number of prefixes while it is established.
    state: String,
}

impl Row<'_> {
    fn received(&self) -> Option<u64> {
        self.state.parse().ok()
    }
}

/// All neighbours.
pub(crate) fn neighbors(text: &str) -> Result<Neighbors, String> {
    let mut rows = Gathered::default();
    for section in sections(text)? {
        rows.leave_out(section.odd.iter().map(|odd| format!("{odd} in VRF {}", section.vrf)));
        for row in &section.rows {
            rows.add(section.vrf, row.address, neighbor(&section, row));
        }
    }
    Ok(rows.neighbors())
}

fn neighbor(section: &Section<'_>, row: &Row<'_>) -> Result<Neighbor, String> {
    let address = address(row.address).ok_or("its address is none")?;
    let received = row.received();
    let state = match received {
        Some(_) => crate::State::Established,
        None => state(&row.state).ok_or_else(|| format!("its state is unknown: {:.40}", row.state))?,
    };
    let mut one = Neighbor::new(section.vrf, address, state);
    one.remote_as = as_number(row.remote_as);
    one.local_as = as_number(section.local_as);
    one.enabled = !is_shut(&row.state);
    one.over_limit = row.state.contains("PfxCt");
    if one.is_up() {
        one.uptime = seconds(row.time);
    } else {
        one.downtime = seconds(row.time);
    }
    let family = match section.family {
        "IPv4 Unicast" => Some(Family::Ipv4),
        "IPv6 Unicast" => Some(Family::Ipv6),
        _ => None,
    };
    one.prefixes
        .extend(family.map(|family| (family, Prefixes { accepted: received, ..Prefixes::default() })));
    Ok(one)
}

/// The shape of NAPALM's getter: of a VRF's families, the last one stays.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Value, String> {
    if getter != "get_bgp_neighbors" {
        return Err(format!("NAPALM has no {getter} here"));
    }
    napalm_neighbors(parts.get("show_bgp_all_summary_vrf_all").map_or("", String::as_str))
}

/// The shape of `get_bgp_neighbors`.
pub(crate) fn napalm_neighbors(text: &str) -> Result<Value, String> {
    let mut vrfs = Map::new();
    for section in sections(text)? {
        let family = match section.family.split_once(' ') {
            Some((family, "Unicast" | "EVPN")) => family.to_ascii_lowercase(),
            _ => continue,
        };
        let peers = section.rows.iter().map(|row| {
            let received = row.received();
            let peer = json!({
                "is_enabled": !is_shut(&row.state),
                "uptime": or_minus_one(received.and_then(|_| seconds(row.time))),
                "remote_as": as_number(row.remote_as).unwrap_or(0),
                "is_up": received.is_some(),
                "description": "",
                "local_as": as_number(section.local_as).unwrap_or(0),
                "remote_id": "0.0.0.0",
                "address_family": { family.as_str(): {
                    "sent_prefixes": -1,
                    "accepted_prefixes": -1,
                    "received_prefixes": or_minus_one(received),
                }},
            });
            (row.address.to_owned(), peer)
        });
        let peers: Map<String, Value> = peers.collect();
        vrfs.insert(
            napalm_vrf(section.vrf).to_owned(),
            json!({ "router_id": section.router_id, "peers": peers }),
        );
    }
    Ok(Value::Object(vrfs))
}

/// The tables; a VRF or family without one is left aside. Text without any heading is a router without BGP, if it says so.
fn sections(text: &str) -> Result<Vec<Section<'_>>, String> {
    let mut all = Vec::new();
    let mut section = Section::default();
    let mut words: Vec<&str> = Vec::new();
    let mut in_table = false;
    let mut lines = 0;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix(HEADING) {
            section.finish(&mut words);
            section.move_to(&mut all, lines);
            let (vrf, rest) = rest.trim_start().split_once(',').unwrap_or((rest.trim(), ""));
            section.vrf = vrf.trim();
            section.family = rest.split_once("address family").map_or("", |(_, family)| family.trim());
            in_table = false;
            lines = 0;
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        lines += 1;
        if in_table {
            if !line.starts_with([' ', '\t']) {
                section.finish(&mut words);
            }
            words.extend(line.split_whitespace());
        } else if let Some(rest) = line.strip_prefix("BGP router identifier ") {
            if let Some((id, rest)) = rest.split_once(", ") {
                section.router_id = id.trim();
                section.local_as = rest
                    .trim_start()
                    .strip_prefix("local AS number ")
                    .and_then(|rest| rest.split_whitespace().next())
                    .unwrap_or("");
            }
        } else if line.starts_with("Neighbor ") && line.contains("PfxRcd") {
            in_table = true;
        }
    }
    section.finish(&mut words);
    let headed = !section.vrf.is_empty() || !all.is_empty();
    section.move_to(&mut all, lines);
    if headed || text.trim().is_empty() || text.contains("BGP") || text.contains("bgp") || text.contains('%')
    {
        Ok(all)
    } else {
        Err("the summary has no heading".to_owned())
    }
}

impl<'a> Section<'a> {
    /// A row from the words of one, two or three lines.
    fn finish(&mut self, words: &mut Vec<&'a str>) {
        if words.is_empty() {
            return;
        }
        match words.as_slice() {
            [address, _, remote_as, _, _, _, _, _, time, state @ ..]
                if !state.is_empty() && crate::vendor::address(address).is_some() =>
            {
                self.rows.push(Row { address, remote_as, time, state: state.join(" ") });
            }
            [first, ..] if crate::vendor::address(first).is_some() => {
                self.odd.push(format!("{first}: its row has {} columns", words.len()));
            }
            [first, "4", remote_as, ..] if as_number(remote_as).is_some() => {
                self.odd.push(format!("{first}: its address is none"));
            }
            // A prompt, or a remark.
            _ => {}
        }
        words.clear();
    }

    fn move_to(&mut self, all: &mut Vec<Self>, lines: usize) {
        let section = std::mem::take(self);
        if lines > 0 && !section.vrf.is_empty() {
            all.push(section);
        }
    }
}
