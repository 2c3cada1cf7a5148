//! How a synchronisation gets into the cache: staged first, then taken over by set-based statements.
//!
//! Rows are staged in temporary tables of one connection, which hold up nobody. The write transaction then consists
//! of a few statements per namespace that the engine runs by itself, so it lasts seconds, and a crash at any moment
//! leaves the cache as it was or as it should be.
//!
//! Two feeds exist. [`Feed::Changes`] holds what changed since some time, deletions included. [`Feed::Snapshot`]
//! holds everything that is live, so what it lacks is gone.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use xxhash_rust::xxh3::Xxh3;

use super::tables::{COMMON, CacheTable, TABLES};
use crate::database::placeholders;
use crate::schema::ColumnKind;
use crate::{Connection, Session, Store, StoreError, Transaction, Value};

/// Status of a tombstone.
pub const DELETED: &str = "deleted";

/// A record that both feeds touch in the same way is one line of the report; it still counts in each.
const RENOTED: &str = "ON CONFLICT (synchronisation_id, namespace, record_id, action) DO UPDATE SET label = excluded.label";

/// Most values that one SQLite statement is given; the engine's own limit is 32,766, and beyond some
/// hundred rows a longer statement is no faster.
const SQLITE_VALUES: usize = 16_000;

/// One record on its way into the cache.
#[derive(Clone, Debug)]
pub struct CacheRow {
    /// PeeringDB's id.
    pub id: i64,
    /// `ok`, `pending`, `deleted`, or whatever else was sent.
    pub status: String,
    /// When it was made, as PeeringDB says.
    pub created: DateTime<Utc>,
    /// When it was last changed, as PeeringDB says.
    pub updated: DateTime<Utc>,
    /// What has no column or does not fit one, as JSON.
    pub extra: Option<String>,
    /// One value per column of the table, in its order.
    pub values: Vec<Value>,
}

impl CacheRow {
    /// A number that differs when anything differs; the same on every machine and release.
    pub(crate) fn hash(&self) -> i64 {
        let mut hash = Xxh3::new();
        hash.update(self.status.as_bytes());
        hash.update(&self.created.timestamp_micros().to_le_bytes());
        hash.update(&self.updated.timestamp_micros().to_le_bytes());
        hash.update(self.extra.as_deref().unwrap_or_default().as_bytes());
        for value in &self.values {
            match value {
                Value::Integer(Some(v)) => hash.update(&v.to_le_bytes()),
                Value::Boolean(Some(v)) => hash.update(&[1, u8::from(*v)]),
                Value::Float(Some(v)) => hash.update(&v.to_le_bytes()),
                Value::Text(Some(v)) => hash.update(v.as_bytes()),
                Value::Time(Some(v)) => hash.update(&v.timestamp_micros().to_le_bytes()),
                Value::Bytes(Some(v)) => hash.update(v),
                _ => hash.update(&[0]),
            }
            // A separator that no UTF-8 text holds, so that neighbouring values cannot trade octets.
            hash.update(&[0xff]);
        }
        hash.digest().cast_signed()
    }
}

/// What a staged table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    /// What changed since a time, tombstones included.
    Changes,
    /// Everything that is live.
    Snapshot,
}

impl Feed {
    pub(crate) fn stage_name(self, table: &CacheTable) -> String {
        let feed = match self {
            Self::Changes => "changes",
            Self::Snapshot => "snapshot",
        };
        format!("stage_{feed}_{}", table.namespace)
    }
}

/// The staging area of one run.
pub struct Staging {
    connection: Connection,
    seen: std::collections::HashMap<String, HashSet<i64>>,
    repeated: HashSet<String>,
}

/// How much of a namespace would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Rows in the cache.
    pub held: i64,
    /// Of these, rows that would be deleted.
    pub lost: i64,
}

/// What a feed did to one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Applied {
    /// Rows that were not there.
    pub created: u64,
    /// Rows that differed.
    pub updated: u64,
    /// Rows that went.
    pub deleted: u64,
}

impl Applied {
    /// All of them.
    pub const fn total(self) -> u64 {
        self.created + self.updated + self.deleted
    }
}

impl Staging {
    /// An empty staging area on a connection of its own.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let mut connection = store.connection().await?;
        if matches!(connection, Connection::Sqlite(_)) {
            // Temporary tables are thrown away after a crash anyway, so they need no journal.
            connection.session().script("PRAGMA temp.journal_mode = OFF; PRAGMA temp_store = FILE").await?;
        }
        Ok(Self { connection, seen: std::collections::HashMap::default(), repeated: HashSet::new() })
    }

    /// Makes the feed's table, empty; what it held before is forgotten.
    pub async fn restart(&mut self, feed: Feed, table: &CacheTable) -> Result<(), StoreError> {
        let stage = feed.stage_name(table);
        let mut session = self.connection.session();
        let engine = session.engine();
        let columns: Vec<String> =
            table.all_columns().map(|column| format!("{} {}", column.name, column.kind.sql(engine))).collect();
        session.script(&format!("DROP TABLE IF EXISTS {stage}")).await?;
        session.script(&format!("CREATE TEMPORARY TABLE {stage} ({})", columns.join(", "))).await?;
        self.seen.insert(stage.clone(), HashSet::new());
        self.repeated.remove(&stage);
        Ok(())
    }

    /// Stages rows.
    pub async fn add(&mut self, feed: Feed, table: &CacheTable, rows: Vec<CacheRow>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let stage = feed.stage_name(table);
        let seen = self.seen.entry(stage.clone()).or_default();
        for row in &rows {
            if !seen.insert(row.id) {
                self.repeated.insert(stage.clone());
            }
        }
        let names: Vec<&str> = table.all_columns().map(|column| column.name).collect();
        let names = names.join(", ");
        match &mut self.connection {
            Connection::Sqlite(_) => {
                let width = COMMON.len() + table.columns.len();
                let chunk = (SQLITE_VALUES / width).max(1);
                let row_sql = format!("({})", placeholders(width));
                let mut rows = rows.into_iter().peekable();
                let mut session = self.connection.session();
                session.script("BEGIN").await?;
                while rows.peek().is_some() {
                    let mut values = Vec::with_capacity(chunk * width);
                    let mut count = 0;
                    for row in rows.by_ref().take(chunk) {
                        push_values(&mut values, row);
                        count += 1;
                    }
                    let sql = format!("INSERT INTO {stage} ({names}) VALUES {}", vec![row_sql.as_str(); count].join(", "));
                    session.execute(&sql, values).await?;
                }
                session.script("COMMIT").await?;
            }
            Connection::Postgres(connection) => {
                let mut text = Vec::with_capacity(rows.len() * 512);
                for row in rows {
                    let mut values = Vec::with_capacity(COMMON.len() + table.columns.len());
                    push_values(&mut values, row);
                    copy_line(&mut text, &values);
                }
                let mut copy = connection.copy_in_raw(&format!("COPY {stage} ({names}) FROM STDIN")).await?;
                copy.send(text).await?;
                copy.finish().await?;
            }
        }
        Ok(())
    }

    /// To be called when a feed is complete: where an id came twice the newest row stays, and the table gets what
    /// the following statements need to be fast.
    pub async fn finish(&mut self, feed: Feed, table: &CacheTable) -> Result<(), StoreError> {
        let stage = feed.stage_name(table);
        let mut session = self.connection.session();
        if self.repeated.contains(&stage) {
            let row_id = match session.engine() {
                crate::Engine::Sqlite => "rowid",
                crate::Engine::Postgres => "ctid",
            };
            session
                .execute(
                    &format!(
                        "DELETE FROM {stage} WHERE {row_id} IN (SELECT {row_id} FROM (SELECT {row_id}, ROW_NUMBER() \
                         OVER (PARTITION BY id ORDER BY updated DESC, {row_id} DESC) AS place FROM {stage}) AS ranked \
                         WHERE place > 1)"
                    ),
                    vec![],
                )
                .await?;
        }
        session.script(&format!("CREATE INDEX {stage}_id ON {stage} (id)")).await?;
        if session.engine() == crate::Engine::Postgres {
            session.script(&format!("ANALYZE {stage}")).await?;
        }
        Ok(())
    }

    /// Whether this feed was staged for this namespace.
    pub fn holds(&self, feed: Feed, table: &CacheTable) -> bool {
        self.seen.contains_key(&feed.stage_name(table))
    }

    /// What the staged feeds would remove, before anything is written. `generated` is the snapshot's own time.
    pub async fn loss(&mut self, table: &CacheTable, generated: Option<DateTime<Utc>>) -> Result<Loss, StoreError> {
        let name = table.table;
        let mut loss = Loss { held: count(&mut self.connection.session(), &format!("{name} t"), vec![]).await?, lost: 0 };
        for feed in [Feed::Changes, Feed::Snapshot] {
            if self.holds(feed, table) {
                let (going, values) = going_sql(feed, table, generated);
                let lost = count(&mut self.connection.session(), &format!("{name} t WHERE {going}"), values).await?;
                // A snapshot lacks what the changes delete, so the larger of the two is the loss, not the sum.
                loss.lost = loss.lost.max(lost);
            }
        }
        Ok(loss)
    }

    /// Networks with one of our autonomous systems' numbers that the staged feeds would remove.
    pub async fn lost_peers(&mut self, generated: Option<DateTime<Utc>>) -> Result<Vec<(i64, String)>, StoreError> {
        let Some(table) = super::tables::table_of("net") else { return Ok(Vec::new()) };
        let mut peers = Vec::new();
        for feed in [Feed::Changes, Feed::Snapshot] {
            if self.holds(feed, table) {
                let (going, values) = going_sql(feed, table, generated);
                let sql = format!(
                    "SELECT t.asn, t.name FROM {} t WHERE t.asn IN (SELECT asn FROM peering_autonomoussystem) AND {going} \
                     ORDER BY t.asn",
                    table.table
                );
                for row in self.connection.session().rows(&sql, values).await? {
                    let peer = (row.get("asn")?, row.get::<Option<String>, _>("name")?.unwrap_or_default());
                    if !peers.contains(&peer) {
                        peers.push(peer);
                    }
                }
            }
        }
        Ok(peers)
    }

    /// Begins the write transaction, with the staged tables in reach.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        self.connection.begin().await
    }

    /// What statements run on.
    pub fn session(&mut self) -> Session<'_> {
        self.connection.session()
    }

    /// Gives the staged tables back to the disk.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection.close().await
    }
}

/// Takes one feed of one namespace over into the cache and notes each record under the run.
pub async fn apply(
    session: &mut Session<'_>,
    run: i64,
    feed: Feed,
    table: &CacheTable,
    generated: Option<DateTime<Utc>>,
) -> Result<Applied, StoreError> {
    let (stage, name, namespace) = (feed.stage_name(table), table.table, table.namespace);
    let note = "INSERT INTO peeringdb_synchronisationrecord (synchronisation_id, namespace, record_id, action, label)";
    let absent = format!("NOT EXISTS (SELECT 1 FROM {name} t WHERE t.id = s.id)");
    let created = session
        .execute(
            &format!(
                "{note} SELECT CAST(? AS BIGINT), '{namespace}', s.id, 'created', {} FROM {stage} s \
                 WHERE s.status <> '{DELETED}' AND {absent} {RENOTED}",
                table.label_sql("s")
            ),
            vec![run.into()],
        )
        .await?;
    let updated = session
        .execute(
            &format!(
                "{note} SELECT CAST(? AS BIGINT), '{namespace}', s.id, 'updated', {} FROM {stage} s \
                 JOIN {name} t ON t.id = s.id WHERE s.status <> '{DELETED}' AND s.hash <> t.hash \
                 AND s.updated >= t.updated {RENOTED}",
                table.label_sql("s")
            ),
            vec![run.into()],
        )
        .await?;
    let columns: Vec<&str> = table.all_columns().map(|column| column.name).collect();
    let assignments: Vec<String> =
        columns.iter().filter(|column| **column != "id").map(|column| format!("{column} = excluded.{column}")).collect();
    session
        .execute(
            &format!(
                "INSERT INTO {name} ({columns}) SELECT {columns} FROM {stage} s WHERE s.status <> '{DELETED}' AND NOT EXISTS \
                 (SELECT 1 FROM {name} t WHERE t.id = s.id AND (t.hash = s.hash OR t.updated > s.updated)) \
                 ON CONFLICT (id) DO UPDATE SET {}",
                assignments.join(", "),
                columns = columns.join(", "),
            ),
            vec![],
        )
        .await?;
    let (going, values) = going_sql(feed, table, generated);
    let mut noted = vec![run.into()];
    noted.extend(values.clone());
    session
        .execute(
            &format!(
                "{note} SELECT CAST(? AS BIGINT), '{namespace}', t.id, 'deleted', {} FROM {name} t WHERE {going} \
                 {RENOTED}",
                table.label_sql("t")
            ),
            noted,
        )
        .await?;
    let deleted =
        session.execute(&format!("DELETE FROM {name} WHERE id IN (SELECT t.id FROM {name} t WHERE {going})"), values).await?;
    Ok(Applied { created, updated, deleted })
}

/// A snapshot may have been made before the changes: what these saw deleted since then must not come back.
pub async fn drop_outlived(session: &mut Session<'_>, table: &CacheTable) -> Result<(), StoreError> {
    let (snapshot, changes) = (Feed::Snapshot.stage_name(table), Feed::Changes.stage_name(table));
    session
        .execute(
            &format!(
                "DELETE FROM {snapshot} WHERE id IN (SELECT s.id FROM {snapshot} s JOIN {changes} c ON c.id = s.id \
                 WHERE c.status = '{DELETED}' AND c.updated > s.updated)"
            ),
            vec![],
        )
        .await?;
    Ok(())
}

/// Marks records whose required parent is missing, unmarks those whose parent has come, and notes the former under
/// the run. Gives the number of dangling records per namespace afterwards.
pub async fn check_references(session: &mut Session<'_>, run: i64) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let mut dangling = Vec::new();
    for table in TABLES {
        let missing: Vec<String> = table
            .parents
            .iter()
            .filter(|parent| parent.required)
            .filter_map(|parent| {
                let to = super::tables::table_of(parent.namespace)?;
                Some(format!("NOT EXISTS (SELECT 1 FROM {} p WHERE p.id = t.{})", to.table, parent.column))
            })
            .collect();
        if missing.is_empty() {
            continue;
        }
        let (name, namespace, missing) = (table.table, table.namespace, missing.join(" OR "));
        session
            .execute(
                &format!(
                    "INSERT INTO peeringdb_synchronisationrecord (synchronisation_id, namespace, record_id, action, label) \
                     SELECT CAST(? AS BIGINT), '{namespace}', t.id, 'dangling', {} FROM {name} t \
                     WHERE NOT t.dangling AND ({missing}) {RENOTED}",
                    table.label_sql("t")
                ),
                vec![run.into()],
            )
            .await?;
        session
            .execute(
                &format!(
                    "UPDATE {name} SET dangling = TRUE WHERE id IN \
                     (SELECT t.id FROM {name} t WHERE NOT t.dangling AND ({missing}))"
                ),
                vec![],
            )
            .await?;
        session
            .execute(
                &format!(
                    "UPDATE {name} SET dangling = FALSE WHERE id IN \
                     (SELECT t.id FROM {name} t WHERE t.dangling AND NOT ({missing}))"
                ),
                vec![],
            )
            .await?;
        let left = count(session, &format!("{name} t WHERE t.dangling"), vec![]).await?;
        if left > 0 {
            dangling.push((namespace, left));
        }
    }
    Ok(dangling)
}

/// Condition on `t`, a row of the cache, that is true when the feed removes it.
fn going_sql(feed: Feed, table: &CacheTable, generated: Option<DateTime<Utc>>) -> (String, Vec<Value>) {
    let stage = feed.stage_name(table);
    match feed {
        Feed::Changes => (
            format!(
                "EXISTS (SELECT 1 FROM {stage} s WHERE s.id = t.id AND s.status = '{DELETED}' AND s.updated >= t.updated)"
            ),
            vec![],
        ),
        Feed::Snapshot => {
            let absent = format!("NOT EXISTS (SELECT 1 FROM {stage} s WHERE s.id = t.id)");
            match generated {
                // A row that changed after the snapshot was made may be missing from it without being gone.
                Some(generated) => (format!("{absent} AND t.updated <= ?"), vec![generated.into()]),
                None => (absent, vec![]),
            }
        }
    }
}

async fn count(session: &mut Session<'_>, from: &str, values: Vec<Value>) -> Result<i64, StoreError> {
    let row = session.row(&format!("SELECT COUNT(*) AS count FROM {from}"), values).await?;
    row.map_or(Ok(0), |row| row.get("count"))
}

fn push_values(values: &mut Vec<Value>, row: CacheRow) {
    let hash = row.hash();
    values.push(row.id.into());
    values.push(row.status.into());
    values.push(row.created.into());
    values.push(row.updated.into());
    values.push(row.extra.into());
    values.push(hash.into());
    values.extend(row.values);
}

/// One line of PostgreSQL's text COPY format
/// (<https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2>).
fn copy_line(line: &mut Vec<u8>, values: &[Value]) {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            line.push(b'\t');
        }
        match value {
            Value::Integer(Some(v)) => line.extend(v.to_string().bytes()),
            Value::Boolean(Some(v)) => line.push(if *v { b't' } else { b'f' }),
            Value::Float(Some(v)) => line.extend(v.to_string().bytes()),
            Value::Time(Some(v)) => line.extend(v.to_rfc3339_opts(SecondsFormat::Micros, true).bytes()),
            Value::Text(Some(v)) => {
                for byte in v.bytes() {
                    match byte {
                        b'\\' => line.extend(b"\\\\"),
                        b'\t' => line.extend(b"\\t"),
                        b'\n' => line.extend(b"\\n"),
                        b'\r' => line.extend(b"\\r"),
                        other => line.push(other),
                    }
                }
            }
            Value::Bytes(Some(v)) => {
                line.extend(b"\\\\x");
                line.extend(v.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
            }
            _ => line.extend(b"\\N"),
        }
    }
    line.push(b'\n');
}

/// The column's place after [`COMMON`] in a row's values.
pub fn place_of(table: &CacheTable, column: &str) -> Option<usize> {
    table.columns.iter().position(|candidate| candidate.name == column)
}

/// A NULL that fits the column.
pub fn null_of(kind: ColumnKind) -> Value {
    match kind {
        ColumnKind::Integer => Value::Integer(None),
        ColumnKind::Boolean => Value::Boolean(None),
        ColumnKind::Float => Value::Float(None),
        ColumnKind::Text | ColumnKind::Json => Value::Text(None),
        ColumnKind::Time => Value::Time(None),
        ColumnKind::Address => Value::Bytes(None),
    }
}
