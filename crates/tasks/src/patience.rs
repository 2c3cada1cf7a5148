//! SQLite has one writer, and somebody else may be it for long.

use std::future::Future;

use pm_store::StoreError;

use crate::TaskError;

/// How often a transaction is tried. Each time waits by itself for a quarter of a minute.
const TIMES: u32 = 5;

/// Does it again while the database is busy with somebody else's transaction.
///
/// # Errors
/// [`StoreError::Busy`] when that lasts for a minute, and whatever else the work says.
pub(crate) async fn patiently<T, F>(work: impl Fn() -> F) -> Result<T, TaskError>
where
    F: Future<Output = Result<T, TaskError>>,
{
    for _ in 1..TIMES {
        match work().await {
            Err(TaskError::Store(StoreError::Busy)) => {}
            done => return done,
        }
    }
    work().await
}
