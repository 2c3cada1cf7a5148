//! Prefix lists and AS lists that the original had stored with its autonomous systems.

use std::collections::HashMap;

use pm_irr::{Entry, Family, Prefix};
use pm_store::Session;
use pm_store::irr::{self, Kind, NewList, Update, Verdict};
use pm_store::objects::models::autonomous_system;
use pm_store::objects::query::Query;
use pm_store::objects::record::Record;
use serde_json::{Map, Value as Json, json};

use super::read::Files;
use crate::irr::lists::{of_asns, of_entries};
use crate::{TaskContext, TaskError};

/// Autonomous systems that one statement is about.
const AT_ONCE: usize = 100;

/// Stores the lists of all autonomous systems that were taken over, and gives the number of those that have any. An
/// autonomous system with no prefixes at all has none: the original does not tell that from a failure.
pub(super) async fn store(
    context: &TaskContext,
    session: &mut Session<'_>,
    files: &Files,
    left_out: &mut Vec<String>,
) -> Result<usize, TaskError> {
    let rows = files.lists.get("peering--autonomous-systems").map_or(&[][..], Vec::as_slice);
    let systems = Query::of(&autonomous_system::MODEL).without_lists().list(session).await?;
    let systems: HashMap<i64, Record> = systems.into_iter().map(|system| (system.id, system)).collect();
    let mut updates = Vec::new();
    for row in rows {
        let id = row.get("id").and_then(Json::as_i64).unwrap_or_default();
        let Some(system) = systems.get(&id) else { continue };
        let mut unreadable = 0;
        let verdicts = verdicts(row, &mut unreadable);
        if unreadable > 0 {
            let asn = system.integer("asn").unwrap_or_default();
            left_out.push(format!("AS{asn}: {unreadable} entries of its lists cannot be read"));
        }
        if !verdicts.is_empty() {
            let details = json!({ "source": "import-original" });
            updates.push(Update { autonomous_system: id, before: Vec::new(), verdicts, details });
        }
    }
    let now = context.clock.now();
    for chunk in updates.chunks(AT_ONCE) {
        irr::apply(session, chunk, context.config.irr_generations_keep, now).await?;
    }
    Ok(updates.len())
}

fn verdicts(row: &Map<String, Json>, unreadable: &mut usize) -> Vec<(Kind, Verdict)> {
    let mut verdicts = Vec::new();
    let mut take = |kind: Kind, list: NewList| {
        let found = list.entries;
        verdicts.push((kind, Verdict::Replaced { list, found }));
    };
    let prefixes = |name| row.get("prefixes")?.get(name)?.as_array().map(Vec::as_slice);
    let families = [(Kind::Ipv6, Family::V6, "ipv6"), (Kind::Ipv4, Family::V4, "ipv4")];
    if families.iter().any(|(.., name)| prefixes(*name).is_some_and(|list| !list.is_empty())) {
        for (kind, family, name) in families {
            let Some(list) = prefixes(name) else { continue };
            let entries: Vec<Entry> = list.iter().filter_map(entry).collect();
            *unreadable += list.len() - entries.len();
            take(kind, of_entries(family, &entries));
        }
    }
    if let Some(list) = row.get("as_list").and_then(Json::as_array).filter(|list| !list.is_empty()) {
        let asns: Vec<u32> =
            list.iter().filter_map(Json::as_u64).filter_map(|asn| u32::try_from(asn).ok()).collect();
        *unreadable += list.len() - asns.len();
        take(Kind::AsList, of_asns(&asns));
    }
    verdicts
}

/// An entry as bgpq4 writes it.
fn entry(json: &Json) -> Option<Entry> {
    let prefix: Prefix = json.get("prefix")?.as_str()?.parse().ok()?;
    let length =
        |name: &str| json.get(name).and_then(Json::as_u64).and_then(|length| u8::try_from(length).ok());
    let lengths =
        match (json.get("exact").and_then(Json::as_bool), length("greater-equal"), length("less-equal")) {
            (Some(true), ..) | (_, None, None) => None,
            (_, low, high) => Some((low.unwrap_or(prefix.length()), high.unwrap_or(prefix.family().bits()))),
        };
    Some(Entry { prefix, lengths })
}
