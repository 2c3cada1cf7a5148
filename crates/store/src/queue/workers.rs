//! Who is at work.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Session, Store, StoreError};

/// A worker, as it last told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Its process.
    pub owner: String,
    /// Since when it works.
    pub started: DateTime<Utc>,
    /// When it last gave a sign of life.
    pub heartbeat: DateTime<Utc>,
    /// Jobs that it runs at the same time.
    pub concurrency: i64,
    /// The queues that it serves; all, if none are named.
    pub queues: Vec<String>,
}

impl Worker {
    /// Whether it runs the jobs of this queue.
    pub fn serves(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|one| one == queue)
    }
}

/// Notes that a worker is at work: at its begin, and from time to time.
pub async fn sign_on(
    store: &Store,
    owner: &str,
    concurrency: i64,
    queues: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO core_worker (owner, started, heartbeat, concurrency, queues) VALUES (?, ?, ?, ?, ?) \
               ON CONFLICT (owner) DO UPDATE SET heartbeat = excluded.heartbeat";
    let values = vec![owner.into(), now.into(), now.into(), concurrency.into(), queues.join(",").into()];
    store.execute(sql, values).await.map(drop)
}

/// Notes that a worker has ended.
pub async fn sign_off(store: &Store, owner: &str) -> Result<(), StoreError> {
    store.execute("DELETE FROM core_worker WHERE owner = ?", vec![owner.into()]).await.map(drop)
}

/// Forgets workers, unless they have given a sign of life since.
pub async fn forget(store: &Store, gone: &[Worker]) -> Result<(), StoreError> {
    let same = vec!["(owner = ? AND heartbeat = ?)"; gone.len()].join(" OR ");
    let values = gone.iter().flat_map(|worker| [worker.owner.as_str().into(), worker.heartbeat.into()]);
    store.execute(&format!("DELETE FROM core_worker WHERE {same}"), values.collect()).await.map(drop)
}

/// The workers that have not signed off, the oldest first. Some may be gone all the same.
pub async fn workers(store: &Store) -> Result<Vec<Worker>, StoreError> {
    workers_in(&mut store.connection().await?.session()).await
}

pub(crate) async fn workers_in(session: &mut Session<'_>) -> Result<Vec<Worker>, StoreError> {
    let sql =
        "SELECT owner, started, heartbeat, concurrency, queues FROM core_worker ORDER BY started, owner";
    let rows = session.rows(sql, vec![]).await?;
    let workers = rows.iter().map(|row| {
        Ok(Worker {
            owner: row.get("owner")?,
            started: row.get("started")?,
            heartbeat: row.get("heartbeat")?,
            concurrency: row.get("concurrency")?,
            queues: row
                .get::<String, _>("queues")?
                .split(',')
                .filter(|one| !one.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    });
    workers.collect()
}
