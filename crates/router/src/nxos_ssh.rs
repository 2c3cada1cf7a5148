//! NX-OS over SSH: the tables of `show bgp all summary vrf all`.

use std::borrow::Cow;
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
    /// As they are printed, those that were wrapped with all their lines.
    rows: Vec<&'a str>,
    odd: Vec<String>,
}

impl<'a> Section<'a> {
    fn rows(&self) -> impl Iterator<Item = Row<'a>> {
        self.rows.iter().filter_map(|text| Row::read(text))
    }
}

/// A row, put together again if it was wrapped.
struct Row<'a> {
    address: &'a str,
    remote_as: &'a str,
    time: &'a str,
    /// The state, or the number of prefixes while it is established.
    state: Cow<'a, str>,
}

impl<'a> Row<'a> {
    /// `None` if it has too few columns, or no address in front.
    fn read(text: &'a str) -> Option<Self> {
        let mut rest = text.trim_ascii();
        let mut words = [""; 9];
        for word in &mut words {
            let end = rest.bytes().position(|octet| octet.is_ascii_whitespace())?;
            (*word, rest) = (&rest[..end], rest[end..].trim_ascii_start());
        }
        let [address, _, remote_as, _, _, _, _, _, time] = words;
        crate::vendor::address(address)?;
        let state = if rest.contains(['\n', '\t', '\r']) || rest.contains("  ") {
            Cow::Owned(rest.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        } else {
            Cow::Borrowed(rest)
        };
        (!state.is_empty()).then_some(Self { address, remote_as, time, state })
    }

    fn received(&self) -> Option<u64> {
        self.state.parse().ok()
    }
}

/// All neighbours.
pub(crate) fn neighbors(text: &str) -> Result<Neighbors, String> {
    let sections = sections(text)?;
    let mut rows = Gathered::of(sections.iter().map(|section| section.rows.len()).sum());
    for section in sections {
        rows.leave_out(section.odd.iter().map(|odd| format!("{odd} in VRF {}", section.vrf)));
        for row in section.rows() {
            rows.add(section.vrf, row.address, neighbor(&section, &row));
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
        let peers = section.rows().map(|row| {
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
    // Where the row that is being read begins and ends.
    let mut row: Option<(usize, usize)> = None;
    let mut in_table = false;
    let mut lines = 0;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let begin = end;
        end += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(rest) = line.strip_prefix(HEADING) {
            section.finish(text, row.take());
            section.move_to(&mut all, lines);
            let (vrf, rest) = rest.trim_start().split_once(',').unwrap_or((rest.trim(), ""));
            section.vrf = vrf.trim();
            section.family = rest.split_once("address family").map_or("", |(_, family)| family.trim());
            in_table = false;
            lines = 0;
            continue;
        }
        if line.trim_ascii_start().is_empty() {
            continue;
        }
        lines += 1;
        if in_table {
            if !line.starts_with([' ', '\t']) {
                section.finish(text, row.take());
            }
            row = Some((row.map_or(begin, |(begin, _)| begin), end));
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
    section.finish(text, row);
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
    /// A row of one, two or three lines.
    fn finish(&mut self, text: &'a str, row: Option<(usize, usize)>) {
        let Some((begin, end)) = row else { return };
        let row = &text[begin..end];
        if Row::read(row).is_some() {
            return self.rows.push(row);
        }
        let mut words = row.split_ascii_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(first), _, _) if crate::vendor::address(first).is_some() => {
                self.odd
                    .push(format!("{first}: its row has {} columns", row.split_ascii_whitespace().count()));
            }
            (Some(first), Some("4"), Some(remote_as)) if as_number(remote_as).is_some() => {
                self.odd.push(format!("{first}: its address is none"));
            }
            // A prompt, or a remark.
            _ => {}
        }
    }

    fn move_to(&mut self, all: &mut Vec<Self>, lines: usize) {
        let section = std::mem::take(self);
        if lines > 0 && !section.vrf.is_empty() {
            all.push(section);
        }
    }
}
