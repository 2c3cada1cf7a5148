//! NX-OS over SSH: the tables of `show bgp all summary vrf all`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arcstr::ArcStr;
use serde_json::{Map, Value, json};

use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, limited, vrf_name};
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
}

/// What is read of a table: its rows, with those that are none between them, and then its end.
enum Piece<'a> {
    Row(Row<'a>),
    /// Whose row cannot be read, and why.
    Odd(String),
    End,
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
    let mut rows = Gathered::of(rows(text));
    let mut vrf = vrf_name("");
    read(text, |section, piece| match piece {
        Piece::Row(row) => {
            if vrf != section.vrf {
                vrf = vrf_name(section.vrf);
            }
            rows.add(section.vrf, row.address, neighbor(vrf.clone(), section, &row));
        }
        Piece::Odd(reason) => rows.leave_out(format!("{reason} in VRF {}", section.vrf)),
        Piece::End => {}
    })?;
    Ok(rows.neighbors())
}

/// How many rows there are at most: a row does not begin with a blank, and is longer than this.
fn rows(text: &str) -> usize {
    const SHORTEST: usize = "::1 4 1 0 0 0 0 0 0 0".len();
    let begin = |line: &str| line.starts_with(|first: char| first.is_ascii_hexdigit() || first == ':');
    text.lines().filter(|line| begin(line)).count().min(text.len() / SHORTEST)
}

fn neighbor(vrf: ArcStr, section: &Section<'_>, row: &Row<'_>) -> Result<Neighbor, String> {
    let address = address(row.address).ok_or("its address is none")?;
    let received = row.received();
    let state = match received {
        Some(_) => crate::State::Established,
        None => state(&row.state).ok_or_else(|| format!("its state is unknown: {:.40}", row.state))?,
    };
    let mut one = Neighbor::in_vrf(vrf, address, state);
    one.remote_as = as_number(row.remote_as);
    one.local_as = as_number(section.local_as);
    one.enabled = !is_shut(&row.state);
    one.over_limit = row.state.contains("PfxCt");
    one.age = seconds(row.time).map(limited);
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
    let mut peers = Map::new();
    read(text, |section, piece| {
        let family = match section.family.split_once(' ') {
            Some((family, "Unicast" | "EVPN")) => family.to_ascii_lowercase(),
            _ => return,
        };
        match piece {
            Piece::Row(row) => {
                peers.insert(row.address.to_owned(), napalm_peer(section, &family, &row));
            }
            Piece::Odd(_) => {}
            Piece::End => {
                let peers = std::mem::take(&mut peers);
                let of = json!({ "router_id": section.router_id, "peers": peers });
                vrfs.insert(napalm_vrf(section.vrf).to_owned(), of);
            }
        }
    })?;
    Ok(Value::Object(vrfs))
}

fn napalm_peer(section: &Section<'_>, family: &str, row: &Row<'_>) -> Value {
    let received = row.received();
    json!({
        "is_enabled": !is_shut(&row.state),
        "uptime": or_minus_one(received.and_then(|_| seconds(row.time))),
        "remote_as": as_number(row.remote_as).unwrap_or(0),
        "is_up": received.is_some(),
        "description": "",
        "local_as": as_number(section.local_as).unwrap_or(0),
        "remote_id": "0.0.0.0",
        "address_family": { family: {
            "sent_prefixes": -1,
            "accepted_prefixes": -1,
            "received_prefixes": or_minus_one(received),
        }},
    })
}

/// Reads the tables, and hands out what is in them; one without a VRF, or without anything, is left aside. Text without any
/// heading is a router without BGP, if it says so.
fn read<'a>(text: &'a str, mut found: impl FnMut(&Section<'a>, Piece<'a>)) -> Result<(), String> {
    let mut reader = Reader { text, found: &mut found, section: Section::default(), row: None, lines: 0 };
    let mut in_table = false;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let begin = end;
        end += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(rest) = line.strip_prefix(HEADING) {
            reader.end();
            let section = &mut reader.section;
            let (vrf, rest) = rest.trim_start().split_once(',').unwrap_or((rest.trim(), ""));
            section.vrf = vrf.trim();
            section.family = rest.split_once("address family").map_or("", |(_, family)| family.trim());
            in_table = false;
            continue;
        }
        if line.trim_ascii_start().is_empty() {
            continue;
        }
        reader.lines += 1;
        if in_table {
            if !line.starts_with([' ', '\t']) {
                reader.row();
            }
            reader.row = Some((reader.row.map_or(begin, |(begin, _)| begin), end));
        } else if let Some(rest) = line.strip_prefix("BGP router identifier ") {
            reader.section.identify(rest);
        } else if line.starts_with("Neighbor ") && line.contains("PfxRcd") {
            in_table = true;
        }
    }
    reader.end();
    if text.trim().is_empty() || text.contains("BGP") || text.contains("bgp") || text.contains('%') {
        Ok(())
    } else {
        Err("the summary has no heading".to_owned())
    }
}

impl<'a> Section<'a> {
    /// `192.0.2.254, local AS number 64500`.
    fn identify(&mut self, said: &'a str) {
        let Some((id, rest)) = said.split_once(", ") else { return };
        self.router_id = id.trim();
        self.local_as = rest
            .trim_start()
            .strip_prefix("local AS number ")
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap_or("");
    }
}

/// Where in the text the reading is.
struct Reader<'a, 'f, F> {
    text: &'a str,
    found: &'f mut F,
    section: Section<'a>,
    /// Where the row that is being read begins and ends.
    row: Option<(usize, usize)>,
    /// Lines of the section that are not empty.
    lines: usize,
}

impl<'a, F: FnMut(&Section<'a>, Piece<'a>)> Reader<'a, '_, F> {
    /// The row has ended: one of one, two or three lines.
    fn row(&mut self) {
        let Some((begin, end)) = self.row.take() else { return };
        let piece = match Row::read(&self.text[begin..end]) {
            Some(row) => Some(Piece::Row(row)),
            None => odd(&self.text[begin..end]).map(Piece::Odd),
        };
        if let Some(piece) = piece.filter(|_| !self.section.vrf.is_empty()) {
            (self.found)(&self.section, piece);
        }
    }

    /// The section has ended.
    fn end(&mut self) {
        self.row();
        let section = std::mem::take(&mut self.section);
        if std::mem::take(&mut self.lines) > 0 && !section.vrf.is_empty() {
            (self.found)(&section, Piece::End);
        }
    }
}

/// What is wrong with a row; nothing if it is a prompt, or a remark.
fn odd(row: &str) -> Option<String> {
    let mut words = row.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(first), _, _) if crate::vendor::address(first).is_some() => {
            Some(format!("{first}: its row has {} columns", row.split_ascii_whitespace().count()))
        }
        (Some(first), Some("4"), Some(remote_as)) if as_number(remote_as).is_some() => {
            Some(format!("{first}: its address is none"))
        }
        _ => None,
    }
}
