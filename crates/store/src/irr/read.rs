//! Questions about lists.

use std::collections::BTreeMap;

use super::{Generation, Held, Kind, List, Stand, State};
use crate::database::placeholders;
use crate::{Row, Session, StoreError, Value};

/// Numbers that one statement takes at most.
const CHUNK: usize = 1000;

/// Where the lists of these autonomous systems (by their number in this database) stand, in order of `kind`; one that
/// was never looked for has none.
pub async fn states(session: &mut Session<'_>, of: &[i64]) -> Result<BTreeMap<i64, Vec<State>>, StoreError> {
    let mut found: BTreeMap<i64, Vec<State>> = BTreeMap::new();
    for chunk in of.chunks(CHUNK) {
        let sql = format!(
            "SELECT s.*, l.digest, l.entries, l.shortest, h.digest AS held_digest, h.entries AS held_entries, \
             h.shortest AS held_shortest \
             FROM peering_irrstate s LEFT JOIN peering_irrlist l ON l.id = s.list_id \
             LEFT JOIN peering_irrlist h ON h.id = s.held_id WHERE s.autonomous_system_id IN ({})",
            placeholders(chunk.len())
        );
        for row in session.rows(&sql, chunk.iter().map(|id| Value::from(*id)).collect()).await? {
            let state = state(&row)?;
            found.entry(state.autonomous_system).or_default().push(state);
        }
    }
    for states in found.values_mut() {
        states.sort_by_key(|state| state.kind);
    }
    Ok(found)
}

fn state(row: &Row) -> Result<State, StoreError> {
    let list = optional_list(row, "list_id", ["digest", "entries", "shortest"])?;
    let held = optional_list(row, "held_id", ["held_digest", "held_entries", "held_shortest"])?;
    let held = match held {
        None => None,
        Some(list) => Some(Held {
            list,
            found: row.get::<Option<i64>, _>("held_found")?.unwrap_or_default(),
            reason: row.get::<Option<String>, _>("held_reason")?.unwrap_or_default(),
            since: row.get::<Option<_>, _>("held_since")?.unwrap_or_default(),
            details: row.json("held_details")?.unwrap_or_default(),
        }),
    };
    Ok(State {
        autonomous_system: row.get("autonomous_system_id")?,
        kind: word(row, "kind", Kind::parse)?,
        state: word(row, "state", Stand::parse)?,
        list,
        found: row.get("found")?,
        too_long: row.get("too_long")?,
        taken: row.get("taken")?,
        checked: row.get("checked")?,
        answered: row.get("answered")?,
        failure: row.get("failure")?,
        held,
    })
}

fn word<T>(row: &Row, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| StoreError::Data(format!("column {column} holds the unknown word {text:?}")))
}

fn optional_list(row: &Row, id: &str, others: [&str; 3]) -> Result<Option<List>, StoreError> {
    let [digest, entries, shortest] = others;
    let Some(id) = row.get::<Option<i64>, _>(id)? else { return Ok(None) };
    Ok(Some(List {
        id,
        digest: row.get::<Option<Vec<u8>>, _>(digest)?.unwrap_or_default(),
        entries: row.get::<Option<i64>, _>(entries)?.unwrap_or_default(),
        shortest: row.get(shortest)?,
    }))
}

/// The lists of these numbers.
async fn lists(session: &mut Session<'_>, ids: &[i64]) -> Result<BTreeMap<i64, List>, StoreError> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let sql = format!(
            "SELECT id, digest, entries, shortest FROM peering_irrlist WHERE id IN ({})",
            placeholders(chunk.len())
        );
        for row in session.rows(&sql, chunk.iter().map(|id| Value::from(*id)).collect()).await? {
            let id = row.get("id")?;
            let (digest, entries, shortest) = (row.get("digest")?, row.get("entries")?, row.get("shortest")?);
            found.insert(id, List { id, digest, entries, shortest });
        }
    }
    Ok(found)
}

/// The autonomous systems (by their number in this database) of which a list is held back.
pub async fn held_back(session: &mut Session<'_>) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT DISTINCT autonomous_system_id FROM peering_irrstate WHERE held_id IS NOT NULL";
    session.rows(sql, vec![]).await?.iter().map(|row| row.get("autonomous_system_id")).collect()
}

/// The octets of a list, if it is still there.
pub async fn data(session: &mut Session<'_>, list: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let row = session.row("SELECT data FROM peering_irrlist WHERE id = ?", vec![list.into()]).await?;
    row.map(|row| row.get("data")).transpose()
}

/// Hands over the octets of each of these lists, one after another, with its number.
pub async fn each_data(
    session: &mut Session<'_>,
    lists: &[i64],
    mut take: impl FnMut(i64, Vec<u8>),
) -> Result<(), StoreError> {
    for chunk in lists.chunks(CHUNK) {
        let sql = format!("SELECT id, data FROM peering_irrlist WHERE id IN ({})", placeholders(chunk.len()));
        session
            .each(&sql, chunk.iter().map(|id| Value::from(*id)).collect(), |row| {
                take(row.get("id")?, row.get("data")?);
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// The generations of an autonomous system, newest first.
pub async fn generations(
    session: &mut Session<'_>,
    autonomous_system: i64,
) -> Result<Vec<Generation>, StoreError> {
    let sql = "SELECT number, time, ipv6_id, ipv4_id, as_list_id, details FROM peering_irrgeneration \
               WHERE autonomous_system_id = ? ORDER BY number DESC";
    let rows = session.rows(sql, vec![autonomous_system.into()]).await?;
    let mut ids = Vec::with_capacity(rows.len() * 3);
    for row in &rows {
        for column in ["ipv6_id", "ipv4_id", "as_list_id"] {
            ids.extend(row.get::<Option<i64>, _>(column)?);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let lists = lists(session, &ids).await?;
    let list = |row: &Row, column: &str| -> Result<Option<List>, StoreError> {
        Ok(row.get::<Option<i64>, _>(column)?.and_then(|id| lists.get(&id).cloned()))
    };
    rows.iter()
        .map(|row| {
            Ok(Generation {
                number: row.get("number")?,
                time: row.get("time")?,
                ipv6: list(row, "ipv6_id")?,
                ipv4: list(row, "ipv4_id")?,
                as_list: list(row, "as_list_id")?,
                details: row.json("details")?.unwrap_or_default(),
            })
        })
        .collect()
}

/// Hands over, one after another, each list that is shown and has entries in one of these blocks: the list's octets, and
/// `(AS number, name)` of each autonomous system that shows it. No more than one list is in memory at a time.
pub async fn each_listing(
    session: &mut Session<'_>,
    blocks: &[Vec<u8>],
    mut take: impl FnMut(Vec<u8>, &[(i64, String)]),
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT DISTINCT b.list_id, a.asn, a.name FROM peering_irrblock b \
         JOIN peering_irrstate s ON s.list_id = b.list_id AND s.state = 'current' \
         JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id \
         WHERE b.block IN ({}) ORDER BY b.list_id, a.asn",
        placeholders(blocks.len())
    );
    let mut users: BTreeMap<i64, Vec<(i64, String)>> = BTreeMap::new();
    for row in session.rows(&sql, blocks.iter().map(|block| Value::from(block.clone())).collect()).await? {
        users.entry(row.get("list_id")?).or_default().push((row.get("asn")?, row.get("name")?));
    }
    let ids: Vec<i64> = users.keys().copied().collect();
    each_data(session, &ids, |id, data| take(data, users.get(&id).map_or(&[], Vec::as_slice))).await
}
