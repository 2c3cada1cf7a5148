//! The floor: what a good engineer writes in an afternoon that is fast and looks at nothing.
//!
//! No checks, no comparison, no report, no log, no lock; the same data in the same tables with the same indexes, and
//! durable in the same way. It says how much of the program's time is the work itself.

pub(crate) mod delete;
pub(crate) mod irr;
pub(crate) mod sync;

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

/// A connection as durable as the program's own.
pub(crate) async fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::from_str(url)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(std::time::Duration::from_secs(30))
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// A connection with the server's defaults.
pub(crate) async fn postgres(url: &str) -> anyhow::Result<PgConnection> {
    Ok(PgConnection::connect_with(&PgConnectOptions::from_str(url)?.disable_statement_logging()).await?)
}
