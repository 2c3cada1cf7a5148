//! Storing what a run found, many autonomous systems in a few statements.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::{Held, Kind, List, Stand, State};
use crate::database::placeholders;
use crate::given::Given;
use crate::schema::ColumnKind;
use crate::{Session, StoreError, Value};

/// Octets that one statement carries at most, about.
const STATEMENT_OCTETS: usize = 8 << 20;
/// Rows that one statement carries at most.
const ROWS: usize = 500;

/// A list to be stored, or found to be stored already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewList {
    /// What it is about.
    pub kind: Kind,
    /// SHA-256 of `data`.
    pub digest: Vec<u8>,
    /// How many entries it has.
    pub entries: i64,
    /// Length of its shortest prefix, if it has any.
    pub shortest: Option<i64>,
    /// Its octets, which this crate does not look into.
    pub data: Vec<u8>,
    /// Blocks of addresses in which it has entries, each once.
    pub blocks: Vec<Vec<u8>>,
}

/// What a run decided about one list of one autonomous system.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The answer is the list that is there already; it is shown (again).
    Same {
        /// Prefixes or AS numbers behind it.
        found: i64,
    },
    /// The answer becomes the list.
    Replaced {
        /// The new list.
        list: NewList,
        /// Prefixes or AS numbers behind it.
        found: i64,
    },
    /// The answer is put aside for somebody to look at; the old list stays.
    Held {
        /// The list.
        list: NewList,
        /// Prefixes or AS numbers behind it.
        found: i64,
        /// Why.
        reason: String,
    },
    /// The answer is longer than the operator wants: nothing is shown, and the old list is kept.
    TooBig {
        /// Entries of the answer.
        entries: i64,
    },
    /// The operator wants no list: nothing is shown, and the old list is kept.
    Off,
    /// There was no usable answer; whatever is there stays as it is.
    Failed {
        /// Why.
        why: String,
    },
}

/// What a run decided about the lists of one autonomous system.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The autonomous system's number in this database.
    pub autonomous_system: i64,
    /// Where its lists stood before, all kinds that have a state.
    pub before: Vec<State>,
    /// What was decided, for each kind that was looked for.
    pub verdicts: Vec<(Kind, Verdict)>,
    /// Server, sources, serials, names and arguments, for the generation.
    pub details: Json,
}

impl Update {
    fn before(&self, kind: Kind) -> Option<&State> {
        self.before.iter().find(|state| state.kind == kind)
    }

    fn replaces(&self) -> bool {
        self.verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Replaced { .. }))
    }
}

/// Stores all of it in the caller's transaction. The states in [`Update::before`] must still hold, which the lock of the
/// run sees to. Keeps the newest `keep` generations of each of these autonomous systems.
pub async fn apply(
    session: &mut Session<'_>,
    updates: &[Update],
    keep: u32,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let lists = store_lists(session, updates, now).await?;
    let after: Vec<Vec<State>> =
        updates.iter().map(|update| states_after(update, &lists, now)).collect::<Result<_, _>>()?;
    store_blocks(session, updates, &lists).await?;
    store_states(session, after.iter().flatten()).await?;
    store_generations(session, updates, &after, keep, now).await?;
    drop_blocks(session, updates).await
}

fn new_lists(updates: &[Update]) -> impl Iterator<Item = &NewList> {
    updates.iter().flat_map(|update| &update.verdicts).filter_map(|(_, verdict)| match verdict {
        Verdict::Replaced { list, .. } | Verdict::Held { list, .. } => Some(list),
        _ => None,
    })
}

/// Stores the lists that are not there yet and gives all of them by digest.
async fn store_lists(
    session: &mut Session<'_>,
    updates: &[Update],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Vec<u8>, List>, StoreError> {
    let distinct: BTreeMap<&[u8], &NewList> =
        new_lists(updates).map(|list| (list.digest.as_slice(), list)).collect();
    let distinct: Vec<&NewList> = distinct.into_values().collect();
    let mut stored = BTreeMap::new();
    for chunk in chunks_by_size(&distinct) {
        let sql = format!(
            "INSERT INTO peering_irrlist (digest, kind, entries, shortest, data, created) VALUES {} \
             ON CONFLICT (digest) DO NOTHING",
            vec!["(?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 6);
        for list in chunk {
            values.extend([
                list.digest.clone().into(),
                list.kind.as_str().into(),
                list.entries.into(),
                list.shortest.into(),
                list.data.clone().into(),
                now.into(),
            ]);
        }
        session.execute(&sql, values).await?;
        let sql = format!(
            "SELECT id, digest, entries, shortest FROM peering_irrlist WHERE digest IN ({})",
            placeholders(chunk.len())
        );
        let digests = chunk.iter().map(|list| Value::from(list.digest.clone())).collect();
        for row in session.rows(&sql, digests).await? {
            let digest: Vec<u8> = row.get("digest")?;
            let (id, entries, shortest) = (row.get("id")?, row.get("entries")?, row.get("shortest")?);
            let list = List { id, digest: digest.clone(), entries, shortest };
            stored.insert(digest, list);
        }
    }
    Ok(stored)
}

/// Runs of lists that are at most [`ROWS`] and about [`STATEMENT_OCTETS`] long.
fn chunks_by_size<'a, 'b>(lists: &'a [&'b NewList]) -> Vec<&'a [&'b NewList]> {
    let mut chunks = Vec::new();
    let (mut begin, mut octets) = (0, 0);
    for (place, list) in lists.iter().enumerate() {
        if place > begin && (octets + list.data.len() > STATEMENT_OCTETS || place - begin == ROWS) {
            chunks.push(&lists[begin..place]);
            (begin, octets) = (place, 0);
        }
        octets += list.data.len();
    }
    if begin < lists.len() {
        chunks.push(&lists[begin..]);
    }
    chunks
}

/// The states that the verdicts lead to.
fn states_after(
    update: &Update,
    lists: &BTreeMap<Vec<u8>, List>,
    now: DateTime<Utc>,
) -> Result<Vec<State>, StoreError> {
    let stored = |list: &NewList| {
        lists.get(&list.digest).cloned().ok_or_else(|| StoreError::Data("a list was not stored".to_owned()))
    };
    update
        .verdicts
        .iter()
        .map(|(kind, verdict)| {
            let mut state = update.before(*kind).cloned().unwrap_or(State {
                autonomous_system: update.autonomous_system,
                kind: *kind,
                state: Stand::Missing,
                list: None,
                found: 0,
                too_long: None,
                taken: None,
                checked: now,
                answered: None,
                failure: None,
                held: None,
            });
            state.checked = now;
            if !matches!(verdict, Verdict::Failed { .. } | Verdict::Off) {
                state.answered = Some(now);
            }
            match verdict {
                Verdict::Failed { why } => {
                    state.failure = Some(why.clone());
                    // It is wanted again, or nobody would have asked: then the one from before is shown.
                    if state.state == Stand::Off {
                        state.state = if state.list.is_some() { Stand::Current } else { Stand::Missing };
                    }
                    return Ok(state);
                }
                Verdict::Held { list, found, reason } => {
                    let list = stored(list)?;
                    let since =
                        state.held.filter(|held| held.list.id == list.id).map_or(now, |held| held.since);
                    state.held = Some(Held {
                        list,
                        found: *found,
                        reason: reason.clone(),
                        since,
                        details: update.details.clone(),
                    });
                    state.failure = None;
                    // What was hidden is shown again: the operator wants a list, and the old one is the good one.
                    state.state = if state.list.is_some() { Stand::Current } else { Stand::Missing };
                    state.too_long = None;
                    return Ok(state);
                }
                Verdict::Same { found } => {
                    state.state = Stand::Current;
                    state.found = *found;
                }
                Verdict::Replaced { list, found } => {
                    state.state = Stand::Current;
                    state.list = Some(stored(list)?);
                    state.found = *found;
                    state.taken = Some(now);
                }
                Verdict::TooBig { .. } => state.state = Stand::TooBig,
                Verdict::Off => state.state = Stand::Off,
            }
            state.too_long = match verdict {
                Verdict::TooBig { entries } => Some(*entries),
                _ => None,
            };
            state.failure = None;
            state.held = None;
            Ok(state)
        })
        .collect()
}

/// Where to look for the entries of the lists that are in use now.
async fn store_blocks(
    session: &mut Session<'_>,
    updates: &[Update],
    lists: &BTreeMap<Vec<u8>, List>,
) -> Result<(), StoreError> {
    let mut pairs: BTreeSet<(&[u8], i64)> = BTreeSet::new();
    for (_, verdict) in updates.iter().flat_map(|update| &update.verdicts) {
        let Verdict::Replaced { list, .. } = verdict else { continue };
        let Some(stored) = lists.get(&list.digest) else { continue };
        pairs.extend(list.blocks.iter().map(|block| (block.as_slice(), stored.id)));
    }
    let pairs: Vec<_> = pairs.into_iter().collect();
    for chunk in pairs.chunks(ROWS * 100) {
        let rows = chunk.iter().map(|(block, list)| [block.to_vec().into(), (*list).into()]);
        let columns = [("block", ColumnKind::Address), ("list", ColumnKind::Integer)];
        let rows = Given::new(session.engine(), columns, rows);
        // Without a condition SQLite would take ON CONFLICT for the condition of a join.
        let sql = format!(
            "INSERT INTO peering_irrblock (block, list_id) SELECT g.block, g.list FROM {} WHERE TRUE \
             ON CONFLICT DO NOTHING",
            rows.table()
        );
        session.execute(&sql, rows.values()).await?;
    }
    Ok(())
}

const STATE_COLUMNS: [&str; 15] = [
    "autonomous_system_id",
    "kind",
    "state",
    "list_id",
    "found",
    "too_long",
    "taken",
    "checked",
    "answered",
    "failure",
    "held_id",
    "held_found",
    "held_reason",
    "held_since",
    "held_details",
];

async fn store_states(
    session: &mut Session<'_>,
    states: impl Iterator<Item = &State>,
) -> Result<(), StoreError> {
    let states: Vec<&State> = states.collect();
    let row = format!("({})", placeholders(STATE_COLUMNS.len()));
    let assignments: Vec<String> =
        STATE_COLUMNS[2..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
    for chunk in states.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO peering_irrstate ({}) VALUES {} ON CONFLICT (autonomous_system_id, kind) DO UPDATE SET {}",
            STATE_COLUMNS.join(", "),
            vec![row.as_str(); chunk.len()].join(", "),
            assignments.join(", ")
        );
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * STATE_COLUMNS.len());
        for state in chunk {
            let held = state.held.as_ref();
            values.extend([
                state.autonomous_system.into(),
                state.kind.as_str().into(),
                state.state.as_str().into(),
                state.list.as_ref().map(|list| list.id).into(),
                state.found.into(),
                state.too_long.into(),
                state.taken.into(),
                state.checked.into(),
                state.answered.into(),
                state.failure.clone().into(),
                held.map(|held| held.list.id).into(),
                held.map(|held| held.found).into(),
                held.map(|held| held.reason.clone()).into(),
                held.map(|held| held.since).into(),
                held.map(|held| held.details.to_string()).into(),
            ]);
        }
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// A generation for each autonomous system of which any list was replaced.
async fn store_generations(
    session: &mut Session<'_>,
    updates: &[Update],
    after: &[Vec<State>],
    keep: u32,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let changed: Vec<(&Update, &Vec<State>)> =
        updates.iter().zip(after).filter(|(update, _)| update.replaces()).collect();
    for chunk in changed.chunks(ROWS) {
        let ids =
            || chunk.iter().map(|(update, _)| Value::from(update.autonomous_system)).collect::<Vec<_>>();
        let sql = format!(
            "SELECT autonomous_system_id, MAX(number) AS number FROM peering_irrgeneration \
             WHERE autonomous_system_id IN ({}) GROUP BY autonomous_system_id",
            placeholders(chunk.len())
        );
        let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
        for row in session.rows(&sql, ids()).await? {
            newest.insert(row.get("autonomous_system_id")?, row.get("number")?);
        }
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 7);
        for (update, after) in chunk {
            let list = |kind: Kind| {
                let state = after.iter().find(|state| state.kind == kind).or_else(|| update.before(kind));
                Value::from(state.and_then(|state| state.list.as_ref()).map(|list| list.id))
            };
            let number = newest.get(&update.autonomous_system).copied().unwrap_or(0) + 1;
            values.extend([
                update.autonomous_system.into(),
                number.into(),
                now.into(),
                list(Kind::Ipv6),
                list(Kind::Ipv4),
                list(Kind::AsList),
                Value::json(&update.details),
            ]);
        }
        let sql = format!(
            "INSERT INTO peering_irrgeneration \
             (autonomous_system_id, number, time, ipv6_id, ipv4_id, as_list_id, details) VALUES {}",
            vec!["(?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
        let sql = format!(
            "DELETE FROM peering_irrgeneration WHERE autonomous_system_id IN ({}) AND number <= \
             (SELECT MAX(newest.number) FROM peering_irrgeneration newest \
              WHERE newest.autonomous_system_id = peering_irrgeneration.autonomous_system_id) - ?",
            placeholders(chunk.len())
        );
        let mut values = ids();
        values.push(keep.into());
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// Lists that nobody uses any more are not looked into.
async fn drop_blocks(session: &mut Session<'_>, updates: &[Update]) -> Result<(), StoreError> {
    let replaced: Vec<i64> = updates
        .iter()
        .flat_map(|update| update.verdicts.iter().map(move |(kind, verdict)| (update, *kind, verdict)))
        .filter(|(_, _, verdict)| matches!(verdict, Verdict::Replaced { .. }))
        .filter_map(|(update, kind, _)| update.before(kind)?.list.as_ref().map(|list| list.id))
        .collect();
    for chunk in replaced.chunks(ROWS) {
        let sql = format!(
            "DELETE FROM peering_irrblock WHERE list_id IN ({}) AND NOT EXISTS \
             (SELECT 1 FROM peering_irrstate WHERE peering_irrstate.list_id = peering_irrblock.list_id)",
            placeholders(chunk.len())
        );
        session.execute(&sql, chunk.iter().map(|id| Value::from(*id)).collect()).await?;
    }
    Ok(())
}

/// Lists that no autonomous system and no generation has any more, at most so many of them.
pub async fn unused(session: &mut Session<'_>, limit: u32) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT l.id FROM peering_irrlist l \
        WHERE NOT EXISTS (SELECT 1 FROM peering_irrstate s WHERE s.list_id = l.id) \
        AND NOT EXISTS (SELECT 1 FROM peering_irrstate s WHERE s.held_id = l.id) \
        AND NOT EXISTS (SELECT 1 FROM peering_irrgeneration g WHERE g.ipv6_id = l.id) \
        AND NOT EXISTS (SELECT 1 FROM peering_irrgeneration g WHERE g.ipv4_id = l.id) \
        AND NOT EXISTS (SELECT 1 FROM peering_irrgeneration g WHERE g.as_list_id = l.id) LIMIT ?";
    session.rows(sql, vec![limit.into()]).await?.iter().map(|row| row.get("id")).collect()
}

/// Removes lists that are [`unused`], at most so many, and says how many.
pub async fn remove_unused(session: &mut Session<'_>, limit: u32) -> Result<u64, StoreError> {
    let unused = unused(session, limit).await?;
    for chunk in unused.chunks(ROWS) {
        for (table, column) in [("peering_irrblock", "list_id"), ("peering_irrlist", "id")] {
            let sql = format!("DELETE FROM {table} WHERE {column} IN ({})", placeholders(chunk.len()));
            session.execute(&sql, chunk.iter().map(|id| Value::from(*id)).collect()).await?;
        }
    }
    Ok(u64::try_from(unused.len()).unwrap_or(u64::MAX))
}
