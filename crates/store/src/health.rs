//! What the database can say about itself, for `doctor`.

use crate::{Engine, Store, StoreError};

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

/// Octets that the database takes on disk.
pub async fn size(store: &Store) -> Result<i64, StoreError> {
    let sql = match store.engine() {
        Engine::Sqlite => {
            "SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()"
        }
        Engine::Postgres => "SELECT pg_database_size(current_database()) AS size",
    };
    store.row(sql, vec![]).await?.map_or(Ok(0), |row| row.get("size"))
}
