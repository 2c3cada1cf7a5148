//! How a synchronisation gets into the cache: staged first, then taken over by set-based statements.
//!
//! Rows are staged in temporary tables of one connection, which hold up nobody. The write transaction then consists
//! of a few statements per namespace that the engine runs by itself, so it lasts seconds, and a crash at any moment
//! leaves the cache as it was or as it should be.
//!
//! Two feeds exist. [`Feed::Changes`] holds what changed since some time, deletions included. [`Feed::Snapshot`]
//! holds everything that is live, so what it lacks is gone.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;

use super::feed::{CacheRow, DELETED, Feed, Taking};
use super::tables::{COMMON, CacheTable};
use crate::database::placeholders;
use crate::value::add_array;
use crate::{Connection, Session, Store, StoreError, Transaction, Value};

/// A record that both feeds touch in the same way is one line of the report; it still counts in each.
pub(super) const RENOTED: &str =
    "ON CONFLICT (synchronisation_id, namespace, record_id, action) DO UPDATE SET label = excluded.label";

/// Most values that one SQLite statement is given; the engine's own limit is 32,766, and beyond some
/// hundred rows a longer statement is no faster.
const SQLITE_VALUES: usize = 16_000;

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
                    add_array(&mut arguments, column.kind, values)
                        .map_err(|error| StoreError::Data(format!("the column {}: {error}", column.name)))?;
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

pub(super) async fn count(session: &mut Session<'_>, from: &str) -> Result<i64, StoreError> {
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
