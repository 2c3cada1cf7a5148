//! SQLite has one writer, and somebody else may be it for long; PostgreSQL may be started anew.

use std::future::Future;
use std::time::Duration;

use pm_store::StoreError;

use crate::TaskError;

/// How often a transaction is tried. Each time waits by itself for a quarter of a minute.
const TIMES: u32 = 5;
/// Between tries while the database is away: the first pauses, and all that follow.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
const LAST_PAUSE: Duration = Duration::from_secs(5);

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

/// Does it again while the database is busy or away, until `end` comes. For work that may be done twice: where the answer to
/// a commit is lost, it may have been done.
///
/// # Errors
/// Why it was not done by then, and what will not pass by itself.
pub(crate) async fn persistently<T, F>(
    end: impl Future<Output = ()>,
    work: impl Fn() -> F,
) -> Result<T, TaskError>
where
    F: Future<Output = Result<T, TaskError>>,
{
    tokio::pin!(end);
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match work().await {
            Err(TaskError::Store(error)) if error.may_pass() => error,
            done => return done,
        };
        tracing::debug!(%error, "trying once more");
        tokio::select! {
            biased;
            () = &mut end => return Err(error.into()),
            () = tokio::time::sleep(pauses.next().unwrap_or(LAST_PAUSE)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn away() -> TaskError {
        let (location, reason) = ("postgres://db".to_owned(), "the server is starting".to_owned());
        TaskError::Store(StoreError::Unreachable { location, reason })
    }

    fn seconds(count: u64) -> impl Future<Output = ()> {
        tokio::time::sleep(Duration::from_secs(count))
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_waited_for_until_the_end() {
        let tries = AtomicU32::new(0);
        let on = async |after: u32| {
            let count = tries.fetch_add(1, Ordering::SeqCst) + 1;
            if count < after { Err(away()) } else { Ok(count) }
        };
        assert_eq!(persistently(seconds(60), || on(5)).await.unwrap(), 5);
        tries.store(0, Ordering::SeqCst);
        let begun = tokio::time::Instant::now();
        let error = persistently(seconds(60), || on(u32::MAX)).await.unwrap_err();
        assert!(matches!(error, TaskError::Store(StoreError::Unreachable { .. })), "{error:?}");
        assert_eq!(begun.elapsed(), Duration::from_mins(1));
        assert!(tries.load(Ordering::SeqCst) > 10, "it goes on trying");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_waited_for() {
        let tries = AtomicU32::new(0);
        let lost = async || {
            tries.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(TaskError::Store(StoreError::LockLost { key: "deploy:1".to_owned() }))
        };
        assert!(persistently(seconds(60), lost).await.is_err());
        assert_eq!(tries.load(Ordering::SeqCst), 1);
    }
}
