//! What can go wrong in the database, told apart where a caller would act differently.

use chrono::{DateTime, Utc};

/// Failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process held the database for longer than the busy time-out.
    #[error(
        "the database is busy: another process has been writing to it for longer than {BUSY_SECONDS} s; try again"
    )]
    Busy,
    /// The disk (or the tablespace) is full. Nothing of the unit of work was stored.
    #[error(
        "the disk that holds the database is full; nothing was changed. Free some space and run it again ({0})"
    )]
    DiskFull(String),
    /// The database cannot be opened or reached.
    #[error("cannot open the database {location}: {reason}")]
    Unreachable {
        /// The database, without credentials.
        location: String,
        /// What the engine said.
        reason: String,
    },
    /// A newer program has migrated this database.
    #[error(
        "the database has schema version {found}, this program knows {known}: it was used by a newer release. \
         Install that release again, or restore a backup"
    )]
    SchemaTooNew {
        /// Version in the database.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// The database's tables are not ours.
    #[error(
        "{location} holds tables of another program (such as {table}); name an empty database in database_url, and see \
         the manual on moving over if it is the original's"
    )]
    Foreign {
        /// The database, without credentials.
        location: String,
        /// A table that is there.
        table: String,
    },
    /// There is no such SQLite file.
    #[error("the database {location} does not exist yet; the first command that needs it makes it")]
    Missing {
        /// The database.
        location: String,
    },
    /// Migrations wait to be run.
    #[error(
        "the database has schema version {found}, this program needs {needed}: run `peering-manager migrate`"
    )]
    SchemaTooOld {
        /// Version in the database.
        found: i64,
        /// Version that this program needs.
        needed: i64,
    },
    /// The lease ran out and somebody else took the lock (or may take it): nothing more may be written under it.
    #[error(
        "the lock {key} was lost: its lease ran out before the work was done. What was not committed by then is not stored"
    )]
    LockLost {
        /// The lock's key.
        key: String,
    },
    /// A uniqueness rule of the database refused a row.
    #[error("{0}")]
    Conflict(String),
    /// What was read does not have the shape that was expected.
    #[error("unexpected data in the database: {0}")]
    Data(String),
    /// Any other answer of the engine.
    #[error("database error: {0}")]
    Sql(sqlx::Error),
    /// A file beside the database could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether the same may work in a while without anybody doing anything: the database was busy, or out of reach.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy | Self::Unreachable { .. } => true,
            Self::Sql(error) => is_of_the_connection(error),
            _ => false,
        }
    }
}

fn is_of_the_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        // PostgreSQL, Appendix A: 08 connection exceptions, 57P the server is going down or coming up, 53300 too many
        // connections, 40 two transactions in each other's way, 25P03 this process was suspended in a transaction.
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            ["08", "57P", "53300", "40", "25P03"].iter().any(|class| code.starts_with(class))
                && database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
        }),
        _ => false,
    }
}

/// How long a statement waits for SQLite's write lock, in seconds.
pub const BUSY_SECONDS: u64 = 15;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            let code = database.code().unwrap_or_default().into_owned();
            // SQLite: https://www.sqlite.org/rescode.html (5 BUSY, 6 LOCKED, 13 FULL; extended codes keep the low
            // byte). PostgreSQL: Appendix A, 53100 disk_full, 55P03 lock_not_available.
            let low_byte = code.parse::<u32>().ok().map(|code| code & 0xff);
            let sqlite = database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
            if (sqlite && matches!(low_byte, Some(5 | 6))) || code == "55P03" {
                return Self::Busy;
            }
            if (sqlite && low_byte == Some(13)) || code == "53100" {
                return Self::DiskFull(database.message().to_owned());
            }
            if database.is_unique_violation() {
                return Self::Conflict(database.message().to_owned());
            }
        }
        Self::Sql(error)
    }
}

/// Who holds a lock, for the message to whoever finds it taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `host/boot/pid-namespace/pid/start` of the process, as whoever took the lock wrote it.
    pub owner: String,
    /// The job that runs under the lock.
    pub job: Option<i64>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When the lease ends if it is not renewed.
    pub expires: DateTime<Utc>,
}
