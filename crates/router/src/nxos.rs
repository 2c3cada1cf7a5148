//! NX-OS over NX-API: the JSON of `show bgp all summary vrf all`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::neighbor::{Family, Neighbor, Neighbors, Prefixes, State, limited};
use crate::vendor::{Gathered, address, as_number, canonical, or_minus_one, seconds};

/// All neighbours.
pub(crate) fn neighbors(text: &str) -> Result<Neighbors, String> {
    let mut rows = Gathered::default();
    for vrf in read(text)?.vrfs() {
        for (family, safi, row) in vrf.rows() {
            rows.add(&vrf.name, &row.address, neighbor(&vrf, family, safi, row));
        }
    }
    Ok(rows.neighbors())
}

/// The shape of NAPALM's getter, which keeps the last of a neighbour's families.
pub(crate) fn napalm(getter: &str, parts: &BTreeMap<String, String>) -> Result<Value, String> {
    if getter != "get_bgp_neighbors" {
        return Err(format!("NAPALM has no {getter} here"));
    }
    napalm_neighbors(parts.get("show_bgp_all_summary_vrf_all").map_or("", String::as_str))
}

/// The shape of `get_bgp_neighbors`.
pub(crate) fn napalm_neighbors(text: &str) -> Result<Value, String> {
    let mut vrfs = Map::new();
    for vrf in read(text)?.vrfs() {
        let mut peers = Map::new();
        for (family, safi, row) in vrf.rows() {
            let (up, enabled) = napalm_state(&row.state);
            let address = canonical(&row.address);
            let peer = json!({
                "local_as": as_number(&vrf.local_as).unwrap_or(0),
                "remote_as": as_number(&row.remote_as).unwrap_or(0),
                "remote_id": address,
                "is_enabled": enabled,
                "is_up": up,
                "uptime": -1,
                "description": "",
                "address_family": { family_name(family, safi): {
                    "sent_prefixes": -1,
                    "accepted_prefixes": -1,
                    "received_prefixes": or_minus_one(row.received.parse().ok()),
                }},
            });
            peers.insert(address, peer);
        }
        vrfs.insert(
            if vrf.name == "default" { "global".to_owned() } else { vrf.name.to_string() },
            json!({ "router_id": vrf.router_id, "peers": peers }),
        );
    }
    Ok(Value::Object(vrfs))
}

/// Up, and enabled, as NAPALM has it.
fn napalm_state(state: &str) -> (bool, bool) {
    match state {
        "Established" | "Closing" => (true, true),
        _ if is_shut(state) => (false, false),
        _ => (false, true),
    }
}

/// `Shutdown`, `Shut (Admin)`, `Admin (Shut)`, `Idle (Admin)`.
pub(crate) fn is_shut(state: &str) -> bool {
    state.contains("Shut") || state.contains("(Admin")
}

/// The state by what NX-OS calls it.
pub(crate) fn state(text: &str) -> Option<State> {
    State::from_name(text).or_else(|| {
        let word = text.split([' ', '(']).next().unwrap_or("");
        Some(match word {
            "Shut" | "Shutdown" | "Admin" | "Closing" | "Clsng" | "Closed" => State::Idle,
            "Open" | "OpenSe" => State::OpenSent,
            "OpenCo" | "OpenConf" => State::OpenConfirm,
            "Estab" => State::Established,
            _ => return None,
        })
    })
}

fn neighbor(vrf: &Vrf<'_>, family: &str, safi: &str, row: &Row<'_>) -> Result<Neighbor, String> {
    let address = address(&row.address).ok_or("its address is none")?;
    let state = state(&row.state).ok_or_else(|| format!("its state is unknown: {:.40}", row.state))?;
    let mut one = Neighbor::new(&vrf.name, address, state);
    one.remote_as = as_number(&row.remote_as);
    one.local_as = as_number(&vrf.local_as);
    one.enabled = !is_shut(&row.state);
    one.over_limit = row.state.contains("PfxCt");
    one.age = seconds(&row.time).map(limited);
    let received = if one.is_up() { row.received.parse().ok() } else { None };
    let family = match (family, safi) {
        ("1", "1") => Some(Family::Ipv4),
        ("2", "1") => Some(Family::Ipv6),
        _ => None,
    };
    // The summary counts what is in the table: what import policy let through.
    one.prefixes
        .extend(family.map(|family| (family, Prefixes { accepted: received, ..Prefixes::default() })));
    Ok(one)
}

fn family_name(family: &str, safi: &str) -> String {
    match (family, safi) {
        ("1", "1") => "ipv4".to_owned(),
        ("1", "128") => "vpnv4".to_owned(),
        ("2", "1") => "ipv6".to_owned(),
        ("2", "128") => "vpnv6".to_owned(),
        ("25", "70") => "l2vpn".to_owned(),
        _ => format!("{family}/{safi}"),
    }
}

/// The whole answer. Nothing at all, and no table, are a router without BGP.
fn read(text: &str) -> Result<Answer<'_>, String> {
    let text = text.trim();
    if text.is_empty() || text == "\"\"" || text == "null" {
        return Ok(Answer { vrfs: None });
    }
    serde_json::from_str(text).map_err(|error| format!("summary: {}", crate::mask::json_error(&error)))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, rename = "TABLE_vrf")]
    vrfs: Option<VrfTable<'a>>,
}

impl<'a> Answer<'a> {
    fn vrfs(self) -> Vec<Vrf<'a>> {
        self.vrfs.map(|table| table.rows.0).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct VrfTable<'a> {
    #[serde(borrow, rename = "ROW_vrf")]
    rows: Rows<Vrf<'a>>,
}

#[derive(Deserialize)]
struct Vrf<'a> {
    #[serde(borrow, rename = "vrf-name-out")]
    name: Cow<'a, str>,
    #[serde(borrow, default, rename = "vrf-router-id")]
    router_id: Cow<'a, str>,
    #[serde(borrow, default, rename = "vrf-local-as")]
    local_as: Word<'a>,
    #[serde(borrow, default, rename = "TABLE_af")]
    families: Option<FamilyTable<'a>>,
}

impl<'a> Vrf<'a> {
    /// Family, subsequent family, neighbour.
    fn rows(&self) -> impl Iterator<Item = (&str, &str, &Row<'a>)> {
        let families = self.families.iter().flat_map(|table| &table.rows.0);
        families.flat_map(|family| {
            let sub = family.table.iter().flat_map(|table| &table.rows.0);
            sub.flat_map(move |sub| {
                let rows = sub.table.iter().flat_map(|table| &table.rows.0);
                rows.map(move |row| (&*family.id, &*sub.id, row))
            })
        })
    }
}

#[derive(Deserialize)]
struct FamilyTable<'a> {
    #[serde(borrow, rename = "ROW_af")]
    rows: Rows<FamilyRow<'a>>,
}

#[derive(Deserialize)]
struct FamilyRow<'a> {
    #[serde(borrow, default, rename = "af-id")]
    id: Word<'a>,
    #[serde(borrow, default, rename = "TABLE_saf")]
    table: Option<SubTable<'a>>,
}

#[derive(Deserialize)]
struct SubTable<'a> {
    #[serde(borrow, rename = "ROW_saf")]
    rows: Rows<SubRow<'a>>,
}

#[derive(Deserialize)]
struct SubRow<'a> {
    #[serde(borrow, default, rename = "safi")]
    id: Word<'a>,
    #[serde(borrow, default, rename = "TABLE_neighbor")]
    table: Option<NeighborTable<'a>>,
}

#[derive(Deserialize)]
struct NeighborTable<'a> {
    #[serde(borrow, rename = "ROW_neighbor")]
    rows: Rows<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default, rename = "neighborid")]
    address: Word<'a>,
    #[serde(borrow, default, rename = "neighboras")]
    remote_as: Word<'a>,
    #[serde(borrow, default)]
    state: Word<'a>,
    #[serde(borrow, default)]
    time: Word<'a>,
    #[serde(borrow, default, rename = "prefixreceived")]
    received: Word<'a>,
}

/// A text, or a number that is taken for one: releases differ.
#[derive(Default)]
struct Word<'a>(Cow<'a, str>);

impl std::ops::Deref for Word<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it is written: a number is not made one, and 1.10 stays an AS number.
        let said = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(match said.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) if !text.contains('\\') => Cow::Borrowed(text),
            Some(_) => Cow::Owned(serde_json::from_str(said).unwrap_or_default()),
            // One odd field must not take the others' rows along.
            None if said == "null" || said.starts_with(['{', '[']) => Cow::default(),
            None => Cow::Borrowed(said),
        }))
    }
}

/// The rows of a table: a list, or the row itself where there is only one.
struct Rows<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Rows<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a row or a list of rows")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows<T>, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = list.next_element()? {
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Rows<T>, A::Error> {
                Ok(Rows(vec![T::deserialize(de::value::MapAccessDeserializer::new(map))?]))
            }
            fn visit_str<E>(self, _: &str) -> Result<Rows<T>, E> {
                Ok(Rows(Vec::new()))
            }
            fn visit_unit<E>(self) -> Result<Rows<T>, E> {
                Ok(Rows(Vec::new()))
            }
        }
        deserializer.deserialize_any(Any(std::marker::PhantomData))
    }
}
