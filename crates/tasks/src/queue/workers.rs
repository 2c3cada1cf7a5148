//! Who is at work on the queue.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::queue::{self, Worker};
use pm_store::{Store, StoreError};

use super::{Queue, Whose};
use crate::process;

/// How many workers are at work.
pub async fn workers_at_work(
    store: &Store,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(at_work(store, lease, now).await?.len())
}

/// How many workers are at work that run the jobs of this queue.
pub async fn workers_that_serve(
    store: &Store,
    queue: Queue,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let workers = at_work(store, lease, now).await?;
    Ok(workers.iter().filter(|worker| worker.serves(queue.as_str())).count())
}

/// The workers that give signs of life, as far as can be seen.
pub async fn at_work(store: &Store, lease: TimeDelta, now: DateTime<Utc>) -> Result<Vec<Worker>, StoreError> {
    let workers = queue::workers(store).await?;
    Ok(workers.into_iter().filter(|worker| is_at_work(worker, lease, now)).collect())
}

/// Whether it gives signs of life, as far as can be seen.
pub(crate) fn is_at_work(worker: &Worker, lease: TimeDelta, now: DateTime<Utc>) -> bool {
    now - worker.heartbeat <= lease && !process::is_dead(&worker.owner)
}

/// Forgets workers that are gone.
pub(crate) async fn forget_workers(
    store: &Store,
    whose: Whose,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let workers = queue::workers(store).await?;
    let is_gone = |worker: &Worker| match whose {
        Whose::OfTheDead => process::is_dead(&worker.owner),
        Whose::AlsoOfTheSilent => !is_at_work(worker, lease, now),
    };
    let gone: Vec<_> = workers.into_iter().filter(is_gone).collect();
    if gone.is_empty() {
        return Ok(());
    }
    queue::forget(store, &gone).await
}
