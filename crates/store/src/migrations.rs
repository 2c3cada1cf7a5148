//! The schema's history: numbered files, run in order, each in one transaction with the note that it ran.
//!
//! Files are written once for both engines; types stand in braces and are filled in from [`ColumnKind::sql`].

use chrono::{DateTime, Utc};

use crate::schema::ColumnKind;
use crate::{Engine, Store, StoreError, Value};

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// A new migration is a new file and a new line here.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", sql: include_str!("../migrations/0001_initial.sql") },
    Migration { version: 2, name: "irr", sql: include_str!("../migrations/0002_irr.sql") },
    Migration { version: 3, name: "objects", sql: include_str!("../migrations/0003_objects.sql") },
    Migration { version: 4, name: "polls", sql: include_str!("../migrations/0004_polls.sql") },
    Migration { version: 5, name: "deployments", sql: include_str!("../migrations/0005_deployments.sql") },
    Migration {
        version: 6,
        name: "deleted_sessions",
        sql: include_str!("../migrations/0006_deleted_sessions.sql"),
    },
    Migration { version: 7, name: "queue", sql: include_str!("../migrations/0007_queue.sql") },
    Migration { version: 8, name: "neighbors", sql: include_str!("../migrations/0008_neighbors.sql") },
    Migration { version: 9, name: "communities", sql: include_str!("../migrations/0009_communities.sql") },
    Migration {
        version: 10,
        name: "moments_and_samples",
        sql: include_str!("../migrations/0010_moments_and_samples.sql"),
    },
    Migration { version: 11, name: "queue_order", sql: include_str!("../migrations/0011_queue_order.sql") },
    Migration { version: 12, name: "schedules", sql: include_str!("../migrations/0012_schedules.sql") },
    Migration {
        version: 13,
        name: "notifications",
        sql: include_str!("../migrations/0013_notifications.sql"),
    },
    Migration { version: 14, name: "poll_keys", sql: include_str!("../migrations/0014_poll_keys.sql") },
    Migration {
        version: 15,
        name: "answers_and_ends",
        sql: include_str!("../migrations/0015_answers_and_ends.sql"),
    },
    Migration {
        version: 16,
        name: "refused_deployments",
        sql: include_str!("../migrations/0016_refused_deployments.sql"),
    },
    Migration {
        version: 17,
        name: "secrets_of_deployments",
        sql: include_str!("../migrations/0017_secrets_of_deployments.sql"),
    },
    Migration {
        version: 18,
        name: "deployments_left",
        sql: include_str!("../migrations/0018_deployments_left.sql"),
    },
    Migration { version: 19, name: "passed", sql: include_str!("../migrations/0019_passed.sql") },
];

/// The schema version that this program needs.
pub fn needed_version() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// What `migrate --check` prints.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Plan {
    /// Schema version of the database; 0 is an empty database.
    pub current: i64,
    /// Schema version that this program needs.
    pub needed: i64,
    /// Names of the migrations that would run, in order.
    pub pending: Vec<String>,
}

/// What would run.
///
/// # Errors
/// [`StoreError::SchemaTooNew`] for a database of a newer release.
pub async fn plan(store: &Store) -> Result<Plan, StoreError> {
    let current = own_version(store).await?;
    let needed = needed_version();
    if current > needed {
        return Err(StoreError::SchemaTooNew { found: current, known: needed });
    }
    let pending = MIGRATIONS
        .iter()
        .filter(|migration| migration.version > current)
        .map(|migration| format!("{:04}_{}", migration.version, migration.name))
        .collect();
    Ok(Plan { current, needed, pending })
}

/// Refuses a database whose schema is not the one this program was built for.
pub async fn verify(store: &Store) -> Result<(), StoreError> {
    let plan = plan(store).await?;
    if plan.pending.is_empty() {
        Ok(())
    } else {
        Err(StoreError::SchemaTooOld { found: plan.current, needed: plan.needed })
    }
}

/// Brings the schema up to date and gives the names of what ran. Processes that start at the same moment wait for
/// each other; the second finds nothing to do.
pub async fn run(store: &Store, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    run_up_to(store, needed_version(), now).await
}

/// The same, but no further than `version`: how tests make a database of an older release.
pub async fn run_up_to(store: &Store, version: i64, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    own_version(store).await?;
    let mut ran = Vec::new();
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    if session.engine() == Engine::Postgres {
        // Another process may be at it, or in the middle of a long write to a table that is changed.
        session.execute("SET LOCAL lock_timeout = 0", vec![]).await?;
        // Any fixed number will do, as long as every release uses the same.
        session.execute("SELECT pg_advisory_xact_lock(7243)", vec![]).await?;
    }
    session
        .script(&for_engine(
            "CREATE TABLE IF NOT EXISTS schema_migration (version {integer} PRIMARY KEY, name {text} NOT NULL, applied {time} NOT NULL)",
            session.engine(),
            now,
        ))
        .await?;
    let row =
        session.row("SELECT COALESCE(MAX(version), 0) AS version FROM schema_migration", vec![]).await?;
    let current = row.map_or(Ok(0), |row| row.get::<i64, _>("version"))?;
    if current > needed_version() {
        return Err(StoreError::SchemaTooNew { found: current, known: needed_version() });
    }
    for migration in MIGRATIONS.iter().filter(|m| m.version > current && m.version <= version) {
        session.script(&for_engine(migration.sql, session.engine(), now)).await?;
        session
            .execute(
                "INSERT INTO schema_migration (version, name, applied) VALUES (?, ?, ?)",
                vec![migration.version.into(), migration.name.into(), Value::from(now)],
            )
            .await?;
        ran.push(format!("{:04}_{}", migration.version, migration.name));
    }
    transaction.commit().await?;
    Ok(ran)
}

/// The schema's version, in a database that is ours or empty. One that we have never seen must hold none of the tables
/// that we are about to make: the original's have the same names.
async fn own_version(store: &Store) -> Result<i64, StoreError> {
    let current = current_version(store).await?;
    if current > 0 {
        return Ok(current);
    }
    let sql = match store.engine() {
        Engine::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('core_job', 'auth_user') LIMIT 1"
        }
        Engine::Postgres => {
            "SELECT name FROM (VALUES ('core_job'), ('auth_user')) AS ours (name) \
             WHERE to_regclass(name) IS NOT NULL LIMIT 1"
        }
    };
    let Some(row) = store.row(sql, vec![]).await? else { return Ok(0) };
    // Another process may have set the database up between the two questions; then it has a version now.
    match current_version(store).await? {
        0 => Err(StoreError::Foreign { location: store.location().to_owned(), table: row.get("name")? }),
        current => Ok(current),
    }
}

async fn current_version(store: &Store) -> Result<i64, StoreError> {
    let exists = match store.engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'",
        Engine::Postgres => {
            "SELECT 'schema_migration' AS name WHERE to_regclass('schema_migration') IS NOT NULL"
        }
    };
    if store.row(exists, vec![]).await?.is_none() {
        return Ok(0);
    }
    let row = store.row("SELECT COALESCE(MAX(version), 0) AS version FROM schema_migration", vec![]).await?;
    row.map_or(Ok(0), |row| row.get("version"))
}

fn for_engine(sql: &str, engine: Engine, now: DateTime<Utc>) -> String {
    let identity = match engine {
        Engine::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        Engine::Postgres => "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    };
    // What begins a statement, of one line, that only PostgreSQL knows.
    let only = match engine {
        Engine::Sqlite => "-- PostgreSQL:",
        Engine::Postgres => "",
    };
    let sql = sql.replace("{postgres}", only);
    // The form in which a bound time is stored.
    let mut text = sql.replace("{identity}", identity).replace("{now}", &format!("'{}'", now.to_rfc3339()));
    for (name, kind) in [
        ("{integer}", ColumnKind::Integer),
        ("{boolean}", ColumnKind::Boolean),
        ("{float}", ColumnKind::Float),
        ("{text}", ColumnKind::Text),
        ("{time}", ColumnKind::Time),
        ("{json}", ColumnKind::Json),
        ("{address}", ColumnKind::Address),
        ("{bytes}", ColumnKind::Address),
    ] {
        text = text.replace(name, kind.sql(engine));
    }
    text
}
