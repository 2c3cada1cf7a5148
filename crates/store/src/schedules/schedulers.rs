//! Who watches the schedules.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Session, Store, StoreError};

/// A scheduler, as it last told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// Its process.
    pub owner: String,
    /// Since when it works.
    pub started: DateTime<Utc>,
    /// When it last gave a sign of life.
    pub heartbeat: DateTime<Utc>,
}

/// Notes that a scheduler is at work: at its begin, and from time to time.
pub async fn sign_on(store: &Store, owner: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let sql = "INSERT INTO core_scheduler (owner, started, heartbeat) VALUES (?, ?, ?) \
               ON CONFLICT (owner) DO UPDATE SET heartbeat = excluded.heartbeat";
    store.execute(sql, vec![owner.into(), now.into(), now.into()]).await.map(drop)
}

/// Notes that a scheduler has ended.
pub async fn sign_off(store: &Store, owner: &str) -> Result<(), StoreError> {
    store.execute("DELETE FROM core_scheduler WHERE owner = ?", vec![owner.into()]).await.map(drop)
}

/// The schedulers that have not signed off, the oldest first. Some may be gone all the same.
pub async fn list(session: &mut Session<'_>) -> Result<Vec<Sign>, StoreError> {
    let sql = "SELECT owner, started, heartbeat FROM core_scheduler ORDER BY started, owner";
    let rows = session.rows(sql, vec![]).await?;
    let signs = rows.iter().map(|row| {
        Ok(Sign { owner: row.get("owner")?, started: row.get("started")?, heartbeat: row.get("heartbeat")? })
    });
    signs.collect()
}

/// Forgets schedulers, unless they have given a sign of life since.
pub async fn forget(store: &Store, gone: &[Sign]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let same = vec!["(owner = ? AND heartbeat = ?)"; gone.len()].join(" OR ");
    let values = gone.iter().flat_map(|sign| [sign.owner.as_str().into(), sign.heartbeat.into()]);
    store.execute(&format!("DELETE FROM core_scheduler WHERE {same}"), values.collect()).await.map(drop)
}
