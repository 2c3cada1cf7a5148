//! Records of the cache and of the lab's world, brought into one shape to be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pm_lab::peeringdb::{Caller, Namespace, Server};
use serde_json::Value as Json;

/// All live records, by namespace and id.
pub(crate) type Records = BTreeMap<&'static str, BTreeMap<u64, Json>>;

/// What the lab's PeeringDB holds now: what a cache must hold after a synchronisation.
pub(crate) fn oracle(server: &Server, caller: Caller) -> Records {
    let world = server.world();
    Namespace::ALL.map(|namespace| (namespace.as_str(), by_id(world.live(namespace, caller)))).into()
}

/// What `peeringdb export` wrote.
pub(crate) fn exported(directory: &Path) -> Records {
    Namespace::ALL
        .map(|namespace| {
            let path = directory.join(format!("{namespace}.json"));
            let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut file: Json = serde_json::from_slice(&text).unwrap();
            let Json::Array(data) = file["data"].take() else { panic!("no data in {}", path.display()) };
            (namespace.as_str(), by_id(data))
        })
        .into()
}

fn by_id(records: Vec<Json>) -> BTreeMap<u64, Json> {
    let count = records.len();
    let by_id: BTreeMap<u64, Json> = records
        .into_iter()
        .map(|record| (record["id"].as_u64().expect("an id"), without_nul(record)))
        .collect();
    assert_eq!(by_id.len(), count, "an id came twice");
    by_id
}

/// No database's text can hold NUL characters, so they are removed on the way in.
fn without_nul(value: Json) -> Json {
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "") } else { text };
    match value {
        Json::String(text) => Json::String(clean(text)),
        Json::Array(list) => list.into_iter().map(without_nul).collect(),
        Json::Object(object) => {
            object.into_iter().map(|(key, value)| (clean(key), without_nul(value))).collect()
        }
        other => other,
    }
}

/// Panics with the records that differ, which is shorter than two caches.
#[track_caller]
pub(crate) fn assert_same(found: &Records, expected: &Records, when: &str) {
    let differences = differences(found, expected);
    assert!(
        differences.is_empty(),
        "{when}: {} records differ:\n{}",
        differences.len(),
        differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// One line per record that is not the same in both.
pub(crate) fn differences(found: &Records, expected: &Records) -> Vec<String> {
    let empty = BTreeMap::new();
    let mut lines = Vec::new();
    for namespace in Namespace::ALL.map(Namespace::as_str) {
        let (found, expected) =
            (found.get(namespace).unwrap_or(&empty), expected.get(namespace).unwrap_or(&empty));
        let ids: BTreeSet<&u64> = found.keys().chain(expected.keys()).collect();
        for id in ids {
            match (found.get(id), expected.get(id)) {
                (Some(found), Some(expected)) if found == expected => {}
                (Some(found), Some(expected)) => {
                    lines.push(format!("{namespace} {id} is {found}, expected {expected}"));
                }
                (Some(found), None) => lines.push(format!("{namespace} {id} should not be there: {found}")),
                (None, _) => lines.push(format!("{namespace} {id} is missing")),
            }
        }
    }
    lines
}
