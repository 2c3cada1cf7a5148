//! What each synchronisation did, and from where the next one goes on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::feed::{CacheRow, DELETED, Feed, Taking};
use super::lookup::{cache_row, record_json};
use super::staging::{Applied, Staging};
use super::tables::{CacheTable, TABLES, table_of};
use crate::{Row, Session, Store, StoreError, Value};

/// From where a namespace goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The namespace.
    pub namespace: String,
    /// Epoch seconds: everything that changed up to here has been stored.
    pub since: i64,
    /// What the API let us see: `anonymous` or `keyed`.
    pub access: String,
    /// When it was last synchronised.
    pub synchronised: DateTime<Utc>,
    /// When it was last compared as a whole.
    pub compared: Option<DateTime<Utc>>,
}

/// One synchronisation.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The job that ran it.
    pub job_id: Option<i64>,
    /// When it ended.
    pub time: DateTime<Utc>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// `changes`, `full`, `files` or `flush`.
    pub kind: String,
    /// Records that were not there.
    pub created: i64,
    /// Records that differed.
    pub updated: i64,
    /// Records that went.
    pub deleted: i64,
    /// Differences that only the comparison as a whole found.
    pub drift: i64,
    /// Per namespace, see the task.
    pub details: Json,
}

/// One record that a run touched.
#[derive(Clone, Debug, Serialize)]
pub struct Touched {
    /// The namespace.
    pub namespace: String,
    /// PeeringDB's id.
    pub id: i64,
    /// `created`, `updated`, `deleted` or `dangling`.
    pub action: String,
    /// What a person calls the record.
    pub label: String,
    /// AS number, when it concerns one of our autonomous systems.
    pub asn: Option<i64>,
    /// Field name to [old, new], for our own peers.
    pub changes: Option<Json>,
}

/// A record of one of our autonomous systems that a feed is about to touch.
#[derive(Clone, Debug)]
pub struct OwnChange {
    id: i64,
    action: &'static str,
    asn: Option<i64>,
    label: String,
    changes: Option<Json>,
}

/// All watermarks, by namespace.
pub async fn watermarks(store: &Store) -> Result<BTreeMap<String, Watermark>, StoreError> {
    let rows = store
        .rows("SELECT namespace, since, access, synchronised, compared FROM peeringdb_watermark", vec![])
        .await?;
    rows.iter()
        .map(|row| {
            let namespace: String = row.get("namespace")?;
            let watermark = Watermark {
                namespace: namespace.clone(),
                since: row.get("since")?,
                access: row.get("access")?,
                synchronised: row.get("synchronised")?,
                compared: row.get("compared")?,
            };
            Ok((namespace, watermark))
        })
        .collect()
}

/// Stores watermarks, in the transaction that stores what they stand for.
pub async fn set_watermarks(session: &mut Session<'_>, watermarks: &[Watermark]) -> Result<(), StoreError> {
    if watermarks.is_empty() {
        return Ok(());
    }
    let mut values = Vec::with_capacity(watermarks.len() * 5);
    for watermark in watermarks {
        values.extend([
            Value::from(watermark.namespace.as_str()),
            watermark.since.into(),
            watermark.access.as_str().into(),
            watermark.synchronised.into(),
            watermark.compared.into(),
        ]);
    }
    let sql = format!(
        "INSERT INTO peeringdb_watermark (namespace, since, access, synchronised, compared) VALUES {} \
         ON CONFLICT (namespace) DO UPDATE SET since = excluded.since, access = excluded.access, \
         synchronised = excluded.synchronised, compared = excluded.compared",
        vec!["(?, ?, ?, ?, ?)"; watermarks.len()].join(", ")
    );
    session.execute(&sql, values).await.map(drop)
}

/// Opens a run, in its transaction, and gives its number.
pub async fn open(
    session: &mut Session<'_>,
    job: Option<i64>,
    kind: &str,
    started: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let row = session
        .row(
            "INSERT INTO peeringdb_synchronisation (job_id, time, started, kind, created, updated, deleted, drift, details) \
             VALUES (?, ?, ?, ?, 0, 0, 0, 0, '{}') RETURNING id",
            vec![job.into(), started.into(), started.into(), kind.into()],
        )
        .await?;
    row.map_or_else(|| Err(StoreError::Data("the run was not recorded".into())), |row| row.get("id"))
}

/// Completes a run's row with its totals.
pub async fn complete(
    session: &mut Session<'_>,
    run: i64,
    total: Applied,
    drift: u64,
    details: &Json,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    session
        .execute(
            "UPDATE peeringdb_synchronisation SET time = ?, created = ?, updated = ?, deleted = ?, drift = ?, details = ? \
             WHERE id = ?",
            vec![
                now.into(),
                total.created.cast_signed().into(),
                total.updated.cast_signed().into(),
                total.deleted.cast_signed().into(),
                drift.cast_signed().into(),
                Value::json(details),
                run.into(),
            ],
        )
        .await
        .map(drop)
}

/// The run with this number, or the newest.
pub async fn find(store: &Store, run: Option<i64>) -> Result<Option<Run>, StoreError> {
    let row = match run {
        Some(run) => {
            store.row("SELECT * FROM peeringdb_synchronisation WHERE id = ?", vec![run.into()]).await?
        }
        None => store.row("SELECT * FROM peeringdb_synchronisation ORDER BY id DESC LIMIT 1", vec![]).await?,
    };
    row.map(|row| {
        Ok(Run {
            id: row.get("id")?,
            job_id: row.get("job_id")?,
            time: row.get("time")?,
            started: row.get("started")?,
            kind: row.get("kind")?,
            created: row.get("created")?,
            updated: row.get("updated")?,
            deleted: row.get("deleted")?,
            drift: row.get("drift")?,
            details: row.json("details")?.unwrap_or_default(),
        })
    })
    .transpose()
}

/// Records that a run touched: those of our own autonomous systems first. At most `limit`, all when `None`.
pub async fn touched(
    store: &Store,
    run: i64,
    own_only: bool,
    limit: Option<i64>,
) -> Result<Vec<Touched>, StoreError> {
    let own = if own_only { "AND asn IS NOT NULL" } else { "" };
    let limited = if limit.is_some() { "LIMIT ?" } else { "" };
    let sql = format!(
        "SELECT namespace, record_id, action, label, asn, changes FROM peeringdb_synchronisationrecord \
         WHERE synchronisation_id = ? {own} ORDER BY CASE WHEN asn IS NULL THEN 1 ELSE 0 END, asn, namespace, \
         action, record_id {limited}"
    );
    let mut values = vec![Value::from(run)];
    values.extend(limit.map(Value::from));
    let rows = store.rows(&sql, values).await?;
    rows.iter()
        .map(|row| {
            Ok(Touched {
                namespace: row.get("namespace")?,
                id: row.get("record_id")?,
                action: row.get("action")?,
                label: row.get::<Option<String>, _>("label")?.unwrap_or_default(),
                asn: row.get("asn")?,
                changes: row.json("changes")?,
            })
        })
        .collect()
}

/// What a feed is about to do to the records of our own autonomous systems, field by field. To be asked before
/// [`super::staging::apply`], and noted with [`note_own`] after it.
pub async fn own_changes(
    staging: &mut Staging,
    taking: Taking,
    table: &CacheTable,
) -> Result<Vec<OwnChange>, StoreError> {
    let Some(kin) = Kin::of(table) else { return Ok(Vec::new()) };
    let stage = taking.feed.stage_name(table);
    // What the changes tell comes first and is told once.
    let told = (taking.feed == Feed::Snapshot && staging.holds(Feed::Changes, table))
        .then(|| format!("SELECT id FROM {}", Feed::Changes.stage_name(table)));
    let nets = own_networks(staging).await?;
    if nets.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = staging.session();
    let staged = kin.condition("s", &nets);
    let held = kin.condition("t", &nets);
    let mut after = BTreeMap::new();
    let sql = format!(
        "SELECT s.* FROM {stage} s WHERE {staged} OR s.id IN (SELECT t.id FROM {} t WHERE {held})",
        table.table
    );
    session
        .each(&sql, vec![], |row| {
            let row = cache_row(&row, table)?;
            after.insert(row.id, row);
            Ok(())
        })
        .await?;
    let mut before = BTreeMap::new();
    let sql = format!(
        "SELECT t.* FROM {} t WHERE {held} OR t.id IN (SELECT s.id FROM {stage} s WHERE {staged})",
        table.table
    );
    session
        .each(&sql, vec![], |row| {
            let row = cache_row(&row, table)?;
            before.insert(row.id, row);
            Ok(())
        })
        .await?;
    let mut ids: BTreeSet<i64> = before.keys().chain(after.keys()).copied().collect();
    if let Some(told) = told {
        for row in session.rows(&told, vec![]).await? {
            ids.remove(&row.get("id")?);
        }
    }
    Ok(ids
        .into_iter()
        .filter_map(|id| {
            let (old, new) = (before.get(&id), after.get(&id));
            let action = action_of(taking, old, new)?;
            let shown = if action == "deleted" { old } else { new }?;
            Some(OwnChange {
                id,
                action,
                asn: kin.asn(shown, table, &nets),
                label: label_of(shown, table),
                changes: (action == "updated").then(|| differences(old, new, table)),
            })
        })
        .collect())
}

/// Adds what [`own_changes`] found to the run's records.
pub async fn note_own(
    session: &mut Session<'_>,
    run: i64,
    table: &CacheTable,
    changes: &[OwnChange],
) -> Result<(), StoreError> {
    for chunk in changes.chunks(200) {
        let mut values = Vec::with_capacity(chunk.len() * 7);
        for change in chunk {
            values.extend([
                Value::from(run),
                table.namespace.into(),
                change.id.into(),
                change.action.into(),
                change.label.as_str().into(),
                change.asn.into(),
                change.changes.as_ref().map(Json::to_string).into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO peeringdb_synchronisationrecord \
             (synchronisation_id, namespace, record_id, action, label, asn, changes) VALUES {} \
             ON CONFLICT (synchronisation_id, namespace, record_id, action) \
             DO UPDATE SET asn = excluded.asn, changes = excluded.changes",
            vec!["(?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// Empties the cache, its watermarks and its reports. Gives the number of records that went.
pub async fn flush(session: &mut Session<'_>) -> Result<u64, StoreError> {
    let mut removed = 0;
    for table in TABLES.iter().rev() {
        removed += session.execute(&format!("DELETE FROM {}", table.table), vec![]).await?;
    }
    for table in ["peeringdb_synchronisationrecord", "peeringdb_synchronisation", "peeringdb_watermark"] {
        session.execute(&format!("DELETE FROM {table}"), vec![]).await?;
    }
    Ok(removed)
}

/// How a table's rows belong to a network.
enum Kin {
    /// By the AS number that they hold.
    Asn,
    /// By the network's id that they hold.
    NetId,
}

impl Kin {
    fn of(table: &CacheTable) -> Option<Self> {
        let holds = |name: &str| table.columns.iter().any(|column| column.name == name);
        if holds("asn") {
            Some(Self::Asn)
        } else if holds("net_id") {
            Some(Self::NetId)
        } else {
            None
        }
    }

    fn condition(&self, alias: &str, nets: &BTreeMap<i64, i64>) -> String {
        match self {
            Self::Asn => format!("{alias}.asn IN (SELECT asn FROM peering_autonomoussystem)"),
            Self::NetId => {
                let ids: Vec<String> = nets.keys().map(i64::to_string).collect();
                format!("{alias}.net_id IN ({})", ids.join(", "))
            }
        }
    }

    fn asn(&self, row: &CacheRow, table: &CacheTable, nets: &BTreeMap<i64, i64>) -> Option<i64> {
        let column = match self {
            Self::Asn => "asn",
            Self::NetId => "net_id",
        };
        match (self, row.values.get(super::feed::place_of(table, column)?)?) {
            (Self::Asn, Value::Integer(asn)) => *asn,
            (Self::NetId, Value::Integer(Some(id))) => nets.get(id).copied(),
            _ => None,
        }
    }
}

/// Networks with one of our AS numbers, in the cache or about to come: PeeringDB's id to AS number.
async fn own_networks(staging: &mut Staging) -> Result<BTreeMap<i64, i64>, StoreError> {
    let Some(table) = table_of("net") else { return Ok(BTreeMap::new()) };
    let mut sources = vec![table.table.to_owned()];
    for feed in [Feed::Changes, Feed::Snapshot] {
        if staging.holds(feed, table) {
            sources.push(feed.stage_name(table));
        }
    }
    let parts: Vec<String> = sources
        .iter()
        .map(|source| {
            format!("SELECT id, asn FROM {source} WHERE asn IN (SELECT asn FROM peering_autonomoussystem)")
        })
        .collect();
    let rows: Vec<Row> = staging.session().rows(&parts.join(" UNION "), vec![]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("asn")?))).collect()
}

fn action_of(taking: Taking, old: Option<&CacheRow>, new: Option<&CacheRow>) -> Option<&'static str> {
    match (old, new) {
        (None, Some(new)) => (new.status != DELETED).then_some("created"),
        (Some(old), Some(new)) if !taking.wins(old, new) => None,
        (Some(_), Some(new)) if new.status == DELETED => Some("deleted"),
        (Some(old), Some(new)) => (old.hash() != new.hash()).then_some("updated"),
        (Some(old), None) => taking.removes_absent(old).then_some("deleted"),
        (None, None) => None,
    }
}

fn label_of(row: &CacheRow, table: &CacheTable) -> String {
    let record = record_json(row, table);
    table
        .label
        .iter()
        .filter_map(|column| record.get(*column).and_then(Json::as_str))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}

fn differences(old: Option<&CacheRow>, new: Option<&CacheRow>, table: &CacheTable) -> Json {
    let record = |row: Option<&CacheRow>| row.map(|row| record_json(row, table)).unwrap_or_default();
    let (old, new) = (record(old), record(new));
    let mut changes = Map::new();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let side = |record: &Map<String, Json>| record.get(name).cloned().unwrap_or_default();
        if side(&old) != side(&new) {
            changes.insert(name.clone(), Json::Array(vec![side(&old), side(&new)]));
        }
    }
    changes.into()
}
