//! What the database can say about itself, for `doctor`.

use chrono::{DateTime, Utc};

use crate::{Engine, Session, Store, StoreError};

/// The engine's own verdict on the database: sentences about damage; none means sound.
pub async fn damage(store: &Store) -> Result<Vec<String>, StoreError> {
    if store.engine() == Engine::Postgres {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for row in store.rows("PRAGMA quick_check(20)", vec![]).await? {
        let verdict: String = row.get(0)?;
        if verdict != "ok" {
            found.push(verdict);
        }
    }
    Ok(found)
}

/// The engine's version, such as `3.50.4` or `15.18 (Debian …)`.
pub async fn version(store: &Store) -> Result<String, StoreError> {
    let sql = match store.engine() {
        Engine::Sqlite => "SELECT sqlite_version() AS version",
        Engine::Postgres => "SELECT current_setting('server_version') AS version",
    };
    store.row(sql, vec![]).await?.map_or_else(|| Ok(String::new()), |row| row.get("version"))
}

/// What the server's clock shows; SQLite has none of its own.
pub async fn server_time(store: &Store) -> Result<Option<DateTime<Utc>>, StoreError> {
    if store.engine() == Engine::Sqlite {
        return Ok(None);
    }
    store.row("SELECT clock_timestamp() AS now", vec![]).await?.map(|row| row.get("now")).transpose()
}

/// Octets that the database takes on disk.
pub async fn size(store: &Store) -> Result<i64, StoreError> {
    size_in(&mut store.connection().await?.session()).await
}

pub(crate) async fn size_in(session: &mut Session<'_>) -> Result<i64, StoreError> {
    let sql = match session.engine() {
        Engine::Sqlite => {
            "SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()"
        }
        Engine::Postgres => "SELECT pg_database_size(current_database()) AS size",
    };
    session.row(sql, vec![]).await?.map_or(Ok(0), |row| row.get("size"))
}
