//! How a synchronisation gets into the cache: staged first, then taken over by set-based statements.
//!
//! Rows are staged in temporary tables of one connection, which hold up nobody. The write transaction then consists
//! of a few statements per namespace that the engine runs by itself, so it lasts seconds, and a crash at any moment
//! leaves the cache as it was or as it should be.
//!
//! Two feeds exist. [`Feed::Changes`] holds what changed since some time, deletions included. [`Feed::Snapshot`]
//! holds everything that is live, so what it lacks is gone.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe};
use xxhash_rust::xxh3::Xxh3;

use super::tables::{COMMON, CacheTable, TABLES};
use crate::database::placeholders;
use crate::schema::{Column, ColumnKind};
use crate::{Connection, Session, Store, StoreError, Transaction, Value};

/// Status of a tombstone.
pub const DELETED: &str = "deleted";
/// Status of a record that is there to be used.
pub const LIVE: &str = "ok";

/// A record that both feeds touch in the same way is one line of the report; it still counts in each.
const RENOTED: &str =
    "ON CONFLICT (synchronisation_id, namespace, record_id, action) DO UPDATE SET label = excluded.label";

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

/// A staged feed, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Taking {
    /// Which one.
    pub feed: Feed,
    /// When it was made, by PeeringDB's clock; `None` where that is not known.
    pub moment: Option<DateTime<Utc>>,
    /// Our own time, by which a row's time can be seen to be impossible.
    pub now: DateTime<Utc>,
    /// Whether every element could be read. If not, what a snapshot lacks says nothing.
    pub complete: bool,
}

impl Taking {
    /// Whether a staged row takes the place of the cache's row: it is as new or newer. A row whose time could not be
    /// read ([`DateTime::UNIX_EPOCH`] stands in) is the newest that is known, and what a snapshot shows is how things
    /// stood at its moment, even where a time was turned back.
    pub(crate) fn wins(self, held: &CacheRow, staged: &CacheRow) -> bool {
        staged.updated >= held.updated
            || staged.updated == DateTime::UNIX_EPOCH
            || self.impossible(held)
            || self.settled(held)
    }

    /// Whether a row of the cache goes because a snapshot lacks it. One that changed after the snapshot was made may
    /// be missing from it without being gone, and only live records are listed.
    pub(crate) fn removes_absent(self, held: &CacheRow) -> bool {
        self.feed == Feed::Snapshot
            && self.complete
            && held.status == LIVE
            && (self.moment.is_none() || self.settled(held) || self.impossible(held))
    }

    /// The snapshot was made after the row was last changed.
    fn settled(self, held: &CacheRow) -> bool {
        self.feed == Feed::Snapshot && self.moment.is_some_and(|moment| held.updated <= moment)
    }

    /// The row claims to have been changed more than a day from now; it is not believed, or it would stay for ever.
    fn impossible(self, held: &CacheRow) -> bool {
        held.updated > self.tomorrow()
    }

    fn tomorrow(self) -> DateTime<Utc> {
        self.now.checked_add_signed(TimeDelta::days(1)).unwrap_or(self.now)
    }

    /// [`Self::wins`] as a condition on the staged row `s` and the cache's row `t`.
    fn wins_sql(self, t: &str) -> String {
        let newer = format!("s.updated >= {t}.updated OR s.updated = {}", literal(DateTime::UNIX_EPOCH));
        match (self.feed, self.moment) {
            (Feed::Snapshot, Some(moment)) => {
                format!("({newer} OR {} OR {t}.updated <= {})", self.impossible_sql(t), literal(moment))
            }
            _ => format!("({newer} OR {})", self.impossible_sql(t)),
        }
    }

    fn impossible_sql(self, t: &str) -> String {
        format!("{t}.updated > {}", literal(self.tomorrow()))
    }

    /// Condition on `t`, a row of the cache, that is true when the feed removes it.
    fn going_sql(self, table: &CacheTable) -> String {
        let stage = self.feed.stage_name(table);
        let deleted = format!(
            "t.id IN (SELECT s.id FROM {stage} s JOIN {} h ON h.id = s.id WHERE s.status = '{DELETED}' AND {})",
            table.table,
            self.wins_sql("h")
        );
        if self.feed == Feed::Changes || !self.complete {
            return deleted;
        }
        let absent =
            format!("t.status = '{LIVE}' AND NOT EXISTS (SELECT 1 FROM {stage} s WHERE s.id = t.id)");
        let settled = self.moment.map_or_else(String::new, |moment| {
            format!(" AND (t.updated <= {} OR {})", literal(moment), self.impossible_sql("t"))
        });
        format!("({deleted} OR {absent}{settled})")
    }

    /// Condition on `t` that is true when the feed takes it out of sight without removing it.
    fn hiding_sql(self, table: &CacheTable) -> String {
        format!(
            "t.status = '{LIVE}' AND t.id IN (SELECT s.id FROM {} s JOIN {} h ON h.id = s.id \
             WHERE s.status NOT IN ('{LIVE}', '{DELETED}') AND {})",
            self.feed.stage_name(table),
            table.table,
            self.wins_sql("h")
        )
    }
}

/// A time as both engines read it in a statement; for SQLite it is the text that is stored.
fn literal(time: DateTime<Utc>) -> String {
    format!("'{}'", time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
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
        connection.close_on_drop();
        let prepare = match connection {
            // Temporary tables are thrown away after a crash anyway, so they need no journal. The cache, in KiB, has
            // room for the tables that are read more than once in a run.
            Connection::Sqlite(_) => {
                "PRAGMA temp.journal_mode = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -65536"
            }
            // Before the cache has statistics the planner expects so much work that it compiles statements, which
            // takes longer than running them.
            Connection::Postgres(_) => "SET jit = off",
        };
        connection.session().script(prepare).await?;
        Ok(Self { connection, seen: std::collections::HashMap::default(), repeated: HashSet::new() })
    }

    /// Makes the feed's table, empty; what it held before is forgotten.
    pub async fn restart(&mut self, feed: Feed, table: &CacheTable) -> Result<(), StoreError> {
        let stage = feed.stage_name(table);
        let mut session = self.connection.session();
        let engine = session.engine();
        let columns: Vec<String> = table
            .all_columns()
            .map(|column| format!("{} {}", column.name, column.kind.sql(engine)))
            .collect();
        session.script(&format!("DROP TABLE IF EXISTS {stage}")).await?;
        session.script(&format!("CREATE TEMPORARY TABLE {stage} ({})", columns.join(", "))).await?;
        self.seen.insert(stage.clone(), HashSet::new());
        self.repeated.remove(&stage);
        Ok(())
    }

    /// Stages rows.
    pub async fn add(
        &mut self,
        feed: Feed,
        table: &CacheTable,
        rows: Vec<CacheRow>,
    ) -> Result<(), StoreError> {
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
                    let sql = format!(
                        "INSERT INTO {stage} ({names}) VALUES {}",
                        vec![row_sql.as_str(); count].join(", ")
                    );
                    session.execute(&sql, values).await?;
                }
                session.script("COMMIT").await?;
            }
            Connection::Postgres(connection) => {
                // Not COPY: its end is a packet of its own that TCP holds back until the data before it is
                // acknowledged, 40 ms later, and sqlx cannot turn that off (`TCP_NODELAY`).
                let mut columns: Vec<Vec<Value>> =
                    table.all_columns().map(|_| Vec::with_capacity(rows.len())).collect();
                for row in rows {
                    let mut values = Vec::with_capacity(columns.len());
                    push_values(&mut values, row);
                    columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
                }
                let mut arguments = PgArguments::default();
                let mut arrays = Vec::with_capacity(columns.len());
                for (place, (column, values)) in table.all_columns().zip(columns).enumerate() {
                    arrays.push(format!("${}::{}[]", place + 1, column.kind.sql(crate::Engine::Postgres)));
                    add_array(&mut arguments, column, values)?;
                }
                let sql =
                    format!("INSERT INTO {stage} ({names}) SELECT * FROM UNNEST({})", arrays.join(", "));
                sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut **connection).await?;
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
            // Only what the statements join and filter by: statistics about long texts take longer than the staging.
            session.script(&format!("ANALYZE {stage} (id, status)")).await?;
        }
        Ok(())
    }

    /// Where both feeds were staged, makes the snapshot agree with the changes. These are asked for last, so what they
    /// say of a record is newer than what the snapshot says.
    pub async fn reconcile(&mut self, table: &CacheTable) -> Result<(), StoreError> {
        if !self.holds(Feed::Changes, table) || !self.holds(Feed::Snapshot, table) {
            return Ok(());
        }
        let (snapshot, changes) = (Feed::Snapshot.stage_name(table), Feed::Changes.stage_name(table));
        let mut session = self.connection.session();
        session
            .execute(&format!("DELETE FROM {snapshot} WHERE id IN (SELECT id FROM {changes})"), vec![])
            .await?;
        let known = format!("INSERT INTO {snapshot} SELECT * FROM {changes} WHERE status <> '{DELETED}'");
        session.execute(&known, vec![]).await?;
        Ok(())
    }

    /// Whether this feed was staged for this namespace.
    pub fn holds(&self, feed: Feed, table: &CacheTable) -> bool {
        self.seen.contains_key(&feed.stage_name(table))
    }

    /// How many live rows the staged feeds would remove or hide, before anything is written.
    pub async fn loss(&mut self, table: &CacheTable, takings: &[Taking]) -> Result<Loss, StoreError> {
        let name = table.table;
        let mut session = self.connection.session();
        let mut loss = Loss { held: count(&mut session, &format!("{name} t")).await?, lost: 0 };
        for taking in takings {
            let rows =
                format!("{name} t WHERE {} OR ({})", taking.going_sql(table), taking.hiding_sql(table));
            // A snapshot lacks what the changes delete, so the larger of the two is the loss, not the sum.
            loss.lost = loss.lost.max(count(&mut session, &rows).await?);
        }
        Ok(loss)
    }

    /// Networks with one of our autonomous systems' numbers that the staged feeds would remove or hide.
    pub async fn lost_peers(&mut self, takings: &[Taking]) -> Result<Vec<(i64, String)>, StoreError> {
        let Some(table) = super::tables::table_of("net") else { return Ok(Vec::new()) };
        let mut peers = std::collections::BTreeSet::new();
        for taking in takings {
            let sql = format!(
                "SELECT t.asn, t.name FROM {} t WHERE t.asn IN (SELECT asn FROM peering_autonomoussystem) \
                 AND ({} OR ({}))",
                table.table,
                taking.going_sql(table),
                taking.hiding_sql(table)
            );
            for row in self.connection.session().rows(&sql, vec![]).await? {
                peers.insert((row.get("asn")?, row.get::<Option<String>, _>("name")?.unwrap_or_default()));
            }
        }
        Ok(peers.into_iter().collect())
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
    taking: Taking,
    table: &CacheTable,
) -> Result<Applied, StoreError> {
    let (stage, name, namespace) = (taking.feed.stage_name(table), table.table, table.namespace);
    let wins = taking.wins_sql("t");
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
                 AND {wins} {RENOTED}",
                table.label_sql("s")
            ),
            vec![run.into()],
        )
        .await?;
    let columns: Vec<&str> = table.all_columns().map(|column| column.name).collect();
    let assignments: Vec<String> = columns
        .iter()
        .filter(|column| **column != "id")
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    session
        .execute(
            &format!(
                "INSERT INTO {name} ({columns}) SELECT {columns} FROM {stage} s WHERE s.status <> '{DELETED}' AND NOT EXISTS \
                 (SELECT 1 FROM {name} t WHERE t.id = s.id AND (t.hash = s.hash OR NOT {wins})) \
                 ON CONFLICT (id) DO UPDATE SET {}",
                assignments.join(", "),
                columns = columns.join(", "),
            ),
            vec![],
        )
        .await?;
    let going = taking.going_sql(table);
    session
        .execute(
            &format!(
                "{note} SELECT CAST(? AS BIGINT), '{namespace}', t.id, 'deleted', {} FROM {name} t WHERE {going} \
                 {RENOTED}",
                table.label_sql("t")
            ),
            vec![run.into()],
        )
        .await?;
    let deleted = session
        .execute(&format!("DELETE FROM {name} WHERE id IN (SELECT t.id FROM {name} t WHERE {going})"), vec![])
        .await?;
    Ok(Applied { created, updated, deleted })
}

/// Marks records whose required parent is missing, unmarks those whose parent has come, and notes the former under
/// the run. Gives the number of dangling records per namespace afterwards.
///
/// A record can only have become dangling if the run touched it or deleted a parent; so unless `whole` is asked for,
/// only those are looked at.
pub async fn check_references(
    session: &mut Session<'_>,
    run: i64,
    whole: bool,
) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let mut dangling = Vec::new();
    for table in TABLES {
        let (name, namespace) = (table.table, table.namespace);
        let suspects = if whole { "NOT c.dangling".to_owned() } else { suspects_sql(&table, run) };
        let Some(orphans) = orphans_sql(&table, &suspects) else { continue };
        let lost = session
            .execute(
                &format!(
                    "INSERT INTO peeringdb_synchronisationrecord (synchronisation_id, namespace, record_id, action, label) \
                     SELECT CAST(? AS BIGINT), '{namespace}', t.id, 'dangling', {} FROM {name} t \
                     WHERE t.id IN ({orphans}) AND NOT t.dangling {RENOTED}",
                    table.label_sql("t")
                ),
                vec![run.into()],
            )
            .await?;
        if lost > 0 {
            let mark = format!("UPDATE {name} SET dangling = TRUE WHERE id IN ({orphans}) AND NOT dangling");
            session.execute(&mark, vec![]).await?;
        }
        let marked = count(session, &format!("{name} t WHERE t.dangling")).await?;
        if marked > 0
            && let Some(still) = orphans_sql(&table, "c.dangling")
        {
            let unmark = format!("UPDATE {name} SET dangling = FALSE WHERE dangling AND id NOT IN ({still})");
            let found = session.execute(&unmark, vec![]).await?;
            let left = marked - found.cast_signed();
            if left > 0 {
                dangling.push((namespace, left));
            }
        }
    }
    Ok(dangling)
}

/// Query for the ids of a table's rows that lack a required parent, among those for which a condition on `c` holds;
/// `None` when the table has no parents. Joins, because neither engine makes one out of several `NOT EXISTS`.
fn orphans_sql(table: &CacheTable, among: &str) -> Option<String> {
    let (mut joins, mut absent) = (Vec::new(), Vec::new());
    for (place, parent) in table.parents.iter().filter(|parent| parent.required).enumerate() {
        let to = super::tables::table_of(parent.namespace)?.table;
        joins.push(format!("LEFT JOIN {to} p{place} ON p{place}.id = c.{}", parent.column));
        absent.push(format!("p{place}.id IS NULL"));
    }
    let (joins, missing) = (joins.join(" "), absent.join(" OR "));
    (!absent.is_empty())
        .then(|| format!("SELECT c.id FROM {} c {joins} WHERE ({missing}) AND ({among})", table.table))
}

/// Condition on `c` that holds for rows which the run touched or took a parent from.
fn suspects_sql(table: &CacheTable, run: i64) -> String {
    let noted = |namespace: &str, actions: &str| {
        format!(
            "(SELECT record_id FROM peeringdb_synchronisationrecord WHERE synchronisation_id = {run} \
             AND namespace = '{namespace}' AND action IN ({actions}))"
        )
    };
    let mut parts = vec![format!("c.id IN {}", noted(table.namespace, "'created', 'updated'"))];
    for parent in table.parents.iter().filter(|parent| parent.required) {
        parts.push(format!("c.{} IN {}", parent.column, noted(parent.namespace, "'deleted'")));
    }
    parts.join(" OR ")
}

async fn count(session: &mut Session<'_>, from: &str) -> Result<i64, StoreError> {
    let row = session.row(&format!("SELECT COUNT(*) AS count FROM {from}"), vec![]).await?;
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

/// Binds the values of one column as one array.
fn add_array(arguments: &mut PgArguments, column: &Column, values: Vec<Value>) -> Result<(), StoreError> {
    macro_rules! array {
        ($variant:ident) => {{
            let unwrapped = |value: Value| match value {
                Value::$variant(value) => Ok(value),
                null if null.is_null() => Ok(None),
                other => Err(StoreError::Data(format!("{other:?} does not fit the column {}", column.name))),
            };
            arguments.add(values.into_iter().map(unwrapped).collect::<Result<Vec<_>, _>>()?)
        }};
    }
    match column.kind {
        ColumnKind::Integer => array!(Integer),
        ColumnKind::Boolean => array!(Boolean),
        ColumnKind::Float => array!(Float),
        ColumnKind::Text | ColumnKind::Json => array!(Text),
        ColumnKind::Time => array!(Time),
        ColumnKind::Address => array!(Bytes),
    }
    .map_err(|error| sqlx::Error::Encode(error).into())
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
