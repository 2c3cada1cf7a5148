//! Opening the database, and the two things statements run on: a [`Session`] and a [`Transaction`].

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Postgres, Sqlite};

use crate::error::BUSY_SECONDS;
use crate::value::{postgres_arguments, sqlite_arguments};
use crate::{Bell, Row, StoreError, Value};

/// `SQLITE_BUSY`, also in its longer forms (<https://www.sqlite.org/rescode.html#busy>).
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a PostgreSQL server is to do for each of our connections, so that a process that vanished or was suspended in the
/// middle of a transaction does not keep others waiting: nobody waits for a row without end, a transaction that writes and is
/// left alone is ended, and a connection whose other end is gone is found out.
///
/// It is set after connecting, because poolers refuse what they do not know when it comes with the first message. A server that
/// has no such setting does without, and what an administrator or the URL has set for us stays.
const ON_THE_SERVER: [(&str, u64, &str); 6] = [
    ("lock_timeout", BUSY_SECONDS, "s"),
    ("idle_in_transaction_session_timeout", 60, "s"),
    ("tcp_keepalives_idle", 15, "s"),
    ("tcp_keepalives_interval", 5, "s"),
    ("tcp_keepalives_count", 3, ""),
    ("client_connection_check_interval", 10, "s"),
];

/// The sources of a setting that somebody meant for us (`pg_settings.source`).
const MEANT_FOR_US: &str = "('client', 'user', 'database', 'database user')";

/// Connections that one process opens at most.
const CONNECTIONS: u32 = 8;
/// Connections that a task may need at the same time: one that stages, one that reads or writes, one for its sign of life.
const CONNECTIONS_PER_TASK: u32 = 3;

/// Which database engine is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// A server.
    Postgres,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

#[derive(Clone)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The database. Cheap to clone; every clone shares one pool of connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    location: String,
}

impl Store {
    /// Opens the database that `url` names, making a SQLite file, readable by its owner only, that does not exist yet.
    /// Runs no migration.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when the URL is of another kind, the file cannot be opened or the server does
    /// not answer; the message holds no password.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_as(url, true, CONNECTIONS).await
    }

    /// As [`Store::open`], for a process that runs so many tasks at the same time.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_for(url: &str, tasks: u32) -> Result<Self, StoreError> {
        Self::open_as(url, true, CONNECTIONS.max(2 + tasks.saturating_mul(CONNECTIONS_PER_TASK))).await
    }

    /// As [`Store::open`], but makes nothing.
    ///
    /// # Errors
    /// Also [`StoreError::Missing`] for a SQLite file that does not exist.
    pub async fn open_existing(url: &str) -> Result<Self, StoreError> {
        Self::open_as(url, false, CONNECTIONS).await
    }

    /// Opens a SQLite file by its path, whatever characters that has.
    pub(crate) async fn open_file(path: &std::path::Path) -> Result<Self, StoreError> {
        let location = path.display().to_string();
        let unreachable = |error: sqlx::Error| StoreError::Unreachable {
            location: location.clone(),
            reason: error.to_string(),
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(SqliteConnectOptions::new().filename(path));
        Ok(Self { pool: Pool::Sqlite(pool.await.map_err(unreachable)?), location: location.clone() })
    }

    async fn open_as(url: &str, make: bool, connections: u32) -> Result<Self, StoreError> {
        let location = location_of(url);
        let unreachable = |reason: String| StoreError::Unreachable { location: location.clone(), reason };
        let pool = if url.starts_with("sqlite:") {
            let options =
                SqliteConnectOptions::from_str(url).map_err(|error| unreachable(error.to_string()))?;
            let file = options.get_filename().to_path_buf();
            let in_memory = url.contains(":memory:") || url.contains("mode=memory");
            if !in_memory && !file.exists() {
                if !make {
                    return Err(StoreError::Missing { location });
                }
                make_private(&file).map_err(|error| unreachable(format!("{}: {error}", file.display())))?;
            }
            let options = options
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(BUSY_SECONDS))
                .disable_statement_logging();
            let pool_options = SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(30));
            // Whoever makes a new file a database with a log beside it (WAL) keeps others out for a moment, and SQLite lets
            // nobody wait for that: it answers at once.
            let begun = Instant::now();
            let pool = loop {
                match pool_options.clone().connect_with(options.clone()).await {
                    Err(error) if is_busy(&error) && begun.elapsed() < Duration::from_secs(BUSY_SECONDS) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    opened => break opened.map_err(|error| unreachable(error.to_string()))?,
                }
            };
            Pool::Sqlite(pool)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let form = "the URL is not of the form postgres://user:password@host:port/name, in which `/`, `?`, `#` and \
                        `@` of a password are written %2F, %3F, %23 and %40";
            let options = (!has_late_at(url)).then(|| PgConnectOptions::from_str(url).ok()).flatten();
            let options = options
                .ok_or_else(|| unreachable(form.into()))?
                .application_name("peering-manager")
                .disable_statement_logging();
            // The pool would ask a server that is down again and again, and then say only that it took too long.
            let first = tokio::time::timeout(CONNECT_TIMEOUT, options.connect());
            let first = first
                .await
                .map_err(|_| unreachable(format!("no answer in {} s", CONNECT_TIMEOUT.as_secs())))?;
            first.map_err(|error| unreachable(error.to_string()))?.close().await?;
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(30))
                .after_connect(|connection, _| Box::pin(settle(connection)))
                .connect_lazy_with(options);
            Pool::Postgres(pool)
        } else {
            return Err(unreachable("database_url must begin with sqlite:, postgres: or postgresql:".into()));
        };
        Ok(Self { pool, location })
    }

    /// Which engine answers.
    pub fn engine(&self) -> Engine {
        match self.pool {
            Pool::Sqlite(_) => Engine::Sqlite,
            Pool::Postgres(_) => Engine::Postgres,
        }
    }

    /// The database's URL without user and password.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> Option<std::path::PathBuf> {
        match &self.pool {
            Pool::Sqlite(pool) => Some(pool.connect_options().get_filename().to_path_buf()),
            Pool::Postgres(_) => None,
        }
    }

    /// A bell that rings when somebody puts a job on the queue; on SQLite whenever another connection has written.
    pub fn bell(&self) -> Bell {
        match &self.pool {
            Pool::Sqlite(pool) => Bell::of_file(pool.clone()),
            Pool::Postgres(pool) => Bell::of_server(pool.clone()),
        }
    }

    /// A connection of one's own, for work that needs session state (temporary tables) or many statements.
    pub async fn connection(&self) -> Result<Connection, StoreError> {
        Ok(match &self.pool {
            Pool::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
            Pool::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }

    /// Begins a transaction that will write. On SQLite it takes the write lock at once, so that it cannot fail
    /// half way because somebody else wrote in between.
    pub async fn begin(&self) -> Result<Transaction<'static>, StoreError> {
        Ok(match &self.pool {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => Transaction::Postgres(begin_to_the_end(pool, "BEGIN").await?),
        })
    }

    /// Begins a transaction that only reads and sees one moment of the database throughout. It may be left alone for as long as
    /// it takes to work on what was read: it keeps nobody waiting.
    pub async fn begin_reading(&self) -> Result<Transaction<'static>, StoreError> {
        Ok(match &self.pool {
            Pool::Sqlite(pool) => Transaction::Sqlite(pool.begin_with("BEGIN").await?),
            Pool::Postgres(pool) => Transaction::Postgres(begin_to_the_end(pool, READING).await?),
        })
    }

    /// One statement in a transaction of its own; gives the number of rows it touched.
    pub async fn execute(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.connection().await?.session().execute(sql, values).await
    }

    /// All rows of one query.
    pub async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.connection().await?.session().rows(sql, values).await
    }

    /// The first row of one query.
    pub async fn row(&self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        self.connection().await?.session().row(sql, values).await
    }

    /// Closes every connection; SQLite then folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// Both statements go in one message.
const READING: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Sets [`ON_THE_SERVER`] on a new connection.
async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if set(connection, &ON_THE_SERVER).await? {
        return Ok(());
    }
    // A server on another system than Linux may refuse what only Linux can do, and takes the rest.
    for one in ON_THE_SERVER.chunks(1) {
        set(connection, one).await?;
    }
    Ok(())
}

/// Whether the server took these settings.
async fn set(connection: &mut PgConnection, settings: &[(&str, u64, &str)]) -> Result<bool, sqlx::Error> {
    let wanted = settings.iter().map(|(name, value, unit)| format!("('{name}', '{value}{unit}')"));
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT set_config(w.name, w.value, FALSE) FROM (VALUES {wanted}) AS w (name, value) \
         JOIN pg_settings s ON s.name = w.name WHERE s.source NOT IN {MEANT_FOR_US}"
    );
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
        Err(sqlx::Error::Database(error)) => {
            tracing::debug!(wanted, error = error.message(), "the server refuses a setting");
            Ok(false)
        }
        done => done.map(|_| true),
    }
}

/// Begins a transaction even if the caller gives up meanwhile, and undoes it then. sqlx 0.9.0 forgets one that is given up
/// between `BEGIN` and its answer: the connection would go back into the pool inside a transaction that never ends, and
/// what the next caller writes there would be lost (transact-rs/sqlx issue 4393).
async fn begin_to_the_end(
    pool: &PgPool,
    statement: &'static str,
) -> Result<sqlx::Transaction<'static, Postgres>, StoreError> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await }).await;
    Ok(begun.map_err(|error| StoreError::Data(format!("a transaction could not begin: {error}")))??)
}

/// A connection taken out of the pool; goes back when dropped.
pub enum Connection {
    /// To the embedded engine.
    Sqlite(sqlx::pool::PoolConnection<Sqlite>),
    /// To the server.
    Postgres(sqlx::pool::PoolConnection<Postgres>),
}

impl Connection {
    /// What statements run on.
    pub fn session(&mut self) -> Session<'_> {
        match self {
            Self::Sqlite(connection) => Session::Sqlite(connection),
            Self::Postgres(connection) => Session::Postgres(connection),
        }
    }

    /// As [`Store::begin`], on this connection, so that its temporary tables are in reach. The connection will be closed
    /// instead of going back.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        // It may be in a transaction that nobody knows of, see `begin_to_the_end`.
        self.close_on_drop();
        Ok(match self {
            Self::Sqlite(connection) => Transaction::Sqlite(connection.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(connection) => Transaction::Postgres(connection.begin().await?),
        })
    }

    /// Makes sure that the connection is closed instead of going back, for work that leaves session state behind.
    pub fn close_on_drop(&mut self) {
        match self {
            Self::Sqlite(connection) => connection.close_on_drop(),
            Self::Postgres(connection) => connection.close_on_drop(),
        }
    }

    /// Takes the connection out of the pool for good and closes it: its session state dies with it.
    pub async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.close().await?,
            Self::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }
}

/// A unit of work. Dropped without [`Transaction::commit`], nothing of it happened.
pub enum Transaction<'c> {
    /// On the embedded engine.
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    /// On the server.
    Postgres(sqlx::Transaction<'c, Postgres>),
}

impl Transaction<'_> {
    /// What statements run on.
    pub fn session(&mut self) -> Session<'_> {
        match self {
            Self::Sqlite(transaction) => Session::Sqlite(transaction),
            Self::Postgres(transaction) => Session::Postgres(transaction),
        }
    }

    /// Makes all of it durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// Undoes all of it now (dropping does the same, later).
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.rollback().await?,
            Self::Postgres(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }
}

/// A borrowed connection, inside a transaction or not. Statements write `?` for a bound value on both engines;
/// a literal question mark may not stand in a statement.
pub enum Session<'c> {
    /// On the embedded engine.
    Sqlite(&'c mut SqliteConnection),
    /// On the server.
    Postgres(&'c mut PgConnection),
}

impl Session<'_> {
    /// Which engine answers.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// The number of rows that the statement touched.
    pub async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        count();
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), sqlite_arguments(values)?);
                query.execute(&mut **connection).await?.rows_affected()
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(numbered(sql)), postgres_arguments(values)?);
                query.execute(&mut **connection).await?.rows_affected()
            }
        })
    }

    /// Several statements without values, separated by semicolons (migrations).
    pub async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        let script = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => script.execute(&mut **connection).await.map(drop)?,
            Self::Postgres(connection) => script.execute(&mut **connection).await.map(drop)?,
        }
        Ok(())
    }

    /// All rows. For answers without a bound on their size use [`Session::each`].
    pub async fn rows(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.each(sql, values, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// The first row, if any.
    pub async fn row(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        count();
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), sqlite_arguments(values)?);
                query.fetch_optional(&mut **connection).await?.map(Row::Sqlite)
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(numbered(sql)), postgres_arguments(values)?);
                query.fetch_optional(&mut **connection).await?.map(Row::Postgres)
            }
        })
    }

    /// Hands every row to `consume` as it arrives, keeping none.
    pub async fn each(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        mut consume: impl FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        use futures::TryStreamExt as _;
        count();
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), sqlite_arguments(values)?);
                let mut rows = query.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await? {
                    consume(Row::Sqlite(row))?;
                }
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(numbered(sql)), postgres_arguments(values)?);
                let mut rows = query.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await? {
                    consume(Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }
}

/// Notes a statement, for tests that bound how many something takes.
fn count() {
    #[cfg(feature = "testing")]
    STATEMENTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

/// Statements that this process has run. Of use only to a test that is alone in its process, or with others that wait.
#[cfg(feature = "testing")]
pub(crate) static STATEMENTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// An empty file that only its owner can read: sessions and password hashes will be in it.
fn make_private(file: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map(drop)
}

/// PostgreSQL's form of the placeholders: `?` becomes `$1`, `$2`, …
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut number = 0_u32;
    for part in sql.split_inclusive('?') {
        match part.strip_suffix('?') {
            Some(before) => {
                number += 1;
                text.push_str(before);
                text.push('$');
                text.push_str(&number.to_string());
            }
            None => text.push_str(part),
        }
    }
    text
}

/// `?, ?, ?` for `count` values of an `IN` list or a row.
pub(crate) fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// The URL without user, password and parameters. Where a password with a stray `/`, `?` or `#` in it leaves open what is what,
/// only the scheme.
fn location_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return "in database_url".to_owned() };
    if scheme == "sqlite" {
        return url.split_once('?').map_or(url, |(before, _)| before).to_owned();
    }
    let scheme_alone = format!("{scheme}:");
    let Some(rest) = rest.strip_prefix("//") else { return scheme_alone };
    // The last `@`: a password may hold one that nobody encoded.
    let from = match rest.rfind('@') {
        Some(at) if rest[..at].contains('?') => return scheme_alone,
        Some(at) => at + 1,
        // What looks like a host and a bad port may be user and password.
        None if PgConnectOptions::from_str(url).is_err() => return scheme_alone,
        None => 0,
    };
    let place = rest[from..].split_once('?').map_or(&rest[from..], |(before, _)| before);
    format!("{scheme}://{place}")
}

/// Whether there is an `@` behind a `/`, `?` or `#`: then a password holds such a sign that nobody encoded, and parts of it would be
/// taken for the name of the database and for parameters, which servers and sqlx name when they do not know them.
fn has_late_at(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once(['/', '?', '#']).is_some_and(|(_, after)| after.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered() {
        assert_eq!(numbered("a = ? AND b IN (?, ?)"), "a = $1 AND b IN ($2, $3)");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn location_has_no_credentials() {
        assert_eq!(
            location_of("postgres://u:p@ss@db.example:5432/pm?sslmode=require"),
            "postgres://db.example:5432/pm"
        );
        assert_eq!(location_of("sqlite:///var/lib/pm.db"), "sqlite:///var/lib/pm.db");
        assert_eq!(location_of("sqlite:./x.db?mode=rwc"), "sqlite:./x.db");
        assert_eq!(location_of("sqlite:///var/a@b.db"), "sqlite:///var/a@b.db");
        assert_eq!(location_of("postgres:///pm?host=/run/postgresql"), "postgres:///pm");
    }

    #[test]
    fn a_sign_that_cuts_a_password_in_two_is_seen() {
        for url in ["postgres://pm:1/a@db/pm", "postgres://pm:1?a@db/pm", "postgres://pm:1#a@db/pm"] {
            assert!(has_late_at(url), "{url}");
        }
        for url in
            ["postgres://pm:a@b@db/pm", "postgres://pm:a%2F@db:5432/pm?sslmode=require", "postgres:///pm"]
        {
            assert!(!has_late_at(url), "{url}");
        }
    }

    #[test]
    fn location_has_no_part_of_a_password_that_nobody_encoded() {
        for (url, location) in [
            ("postgres://pm:Sup3r/Secret@db.example/pm", "postgres://db.example/pm"),
            ("postgres://pm:Sup3r#Secret@db.example/pm", "postgres://db.example/pm"),
            ("postgres://pm:Sup3r?Secret@db.example/pm", "postgres:"),
            ("postgres://pm:12?Secret@db.example/pm", "postgres:"),
            ("postgres://pm:a@12?Secret@db.example/pm", "postgres:"),
            ("postgres://db.example/pm?user=a@b&password=Secret", "postgres:"),
            ("postgres://pm:Secret", "postgres:"),
            ("postgres:pm:Secret@db.example/pm", "postgres:"),
            ("mysql://pm:Secret", "mysql:"),
            ("pm:Secret@db.example/pm", "pm:"),
            ("Secret", "in database_url"),
        ] {
            assert_eq!(location_of(url), location, "{url}");
        }
    }
}
