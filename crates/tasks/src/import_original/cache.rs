//! From the original's lists of PeeringDB records to files of PeeringDB's own API, which the synchronisation can read.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Write as _};

use serde_json::{Map, Value as Json, json};

use super::convert::time;
use super::read::Files;

/// List and namespace.
const LISTS: &[(&str, &str)] = &[
    ("peeringdb--organizations", "org"),
    ("peeringdb--campuses", "campus"),
    ("peeringdb--facilities", "fac"),
    ("peeringdb--networks", "net"),
    ("peeringdb--internet-exchanges", "ix"),
    ("peeringdb--internet-exchange-facilities", "ixfac"),
    ("peeringdb--ixlans", "ixlan"),
    ("peeringdb--ixlan-prefixes", "ixpfx"),
    ("peeringdb--network-facilities", "netfac"),
    ("peeringdb--network-ixlans", "netixlan"),
    ("peeringdb--network-contacts", "poc"),
];

/// What is a record there, and a number in PeeringDB's API.
const REFERENCES: &[&str] = &["org", "campus", "fac", "net", "ix", "ixlan", "net_side", "ix_side"];
/// What only the original has.
const OWN: &[&str] = &["display", "display_url", "url", "net_asn"];
/// What is a time.
const TIMES: &[&str] = &["created", "updated", "rir_status_updated", "ixf_last_import", "ixf_import_request"];
/// Older than any change at PeeringDB, so that whatever comes from there wins.
const LONG_AGO: &str = "1970-01-01T00:00:00Z";

/// Whether this list is one of PeeringDB's records.
pub(super) fn knows(list: &str) -> bool {
    LISTS.iter().any(|(known, _)| *known == list)
}

/// The records of the API by namespace, parents first.
pub(super) fn records(files: &Files) -> Vec<(&'static str, Vec<Json>)> {
    let exchanges: HashMap<i64, Json> = files
        .lists
        .get("peeringdb--ixlans")
        .into_iter()
        .flatten()
        .filter_map(|lan| Some((lan.get("id")?.as_i64()?, number(lan.get("ix")?))))
        .collect();
    let mut found = Vec::new();
    for (list, namespace) in LISTS {
        let columns = files.columns.get(*list);
        let rows = files.lists.get(*list).map_or(&[][..], Vec::as_slice);
        let records: Vec<Json> = rows.iter().map(|row| record(row, columns, &exchanges)).collect();
        if !records.is_empty() {
            found.push((*namespace, records));
        }
    }
    found
}

fn number(value: &Json) -> Json {
    value.get("id").cloned().unwrap_or_else(|| value.clone())
}

fn record(row: &Map<String, Json>, columns: Option<&Json>, exchanges: &HashMap<i64, Json>) -> Json {
    let id = row.get("id").map(Json::to_string).unwrap_or_default();
    let more = columns.and_then(|columns| columns.get(&id)).and_then(Json::as_object);
    let mut record = Map::new();
    for (name, value) in row.iter().chain(more.into_iter().flatten()) {
        match name.as_str() {
            name if TIMES.contains(&name) => {
                if let Some(time) = value.as_str().and_then(time) {
                    record.insert(
                        name.to_owned(),
                        time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into(),
                    );
                }
            }
            "ipaddr4" | "ipaddr6" => {
                let host = value.as_str().map(|text| text.split('/').next().unwrap_or_default());
                record.insert(name.clone(), host.into());
            }
            name if REFERENCES.contains(&name) => {
                record.insert(format!("{name}_id"), number(value));
            }
            name if !OWN.contains(&name) => {
                // A choice is given with its label.
                record.insert(name.to_owned(), value.get("value").unwrap_or(value).clone());
            }
            _ => {}
        }
    }
    if let Some(exchange) =
        record.get("ixlan_id").and_then(Json::as_i64).and_then(|lan| exchanges.get(&lan)).cloned()
        && row.contains_key("ipaddr4")
    {
        record.insert("ix_id".to_owned(), exchange);
    }
    for name in ["created", "updated"] {
        record.entry(name).or_insert_with(|| LONG_AGO.into());
    }
    record.insert("status".to_owned(), "ok".into());
    record.into()
}

/// A directory that vanishes with what is given back, with a file per namespace.
pub(super) fn write(records: &[(&'static str, Vec<Json>)]) -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    let all: BTreeMap<&str, &Vec<Json>> =
        records.iter().map(|(namespace, rows)| (*namespace, rows)).collect();
    for namespace in pm_peeringdb::Namespace::ALL {
        let rows = all.get(namespace.as_str()).map_or(&[][..], |rows| rows.as_slice());
        let mut file =
            BufWriter::new(std::fs::File::create(directory.path().join(format!("{namespace}.json")))?);
        serde_json::to_writer(&mut file, &json!({ "meta": {}, "data": rows }))?;
        file.flush()?;
    }
    Ok(directory)
}
