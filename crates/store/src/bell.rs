//! The bell of the queue: PostgreSQL tells those who listen that a job was put there. It only saves waiting. Whoever
//! listens still looks from time to time, because a ring can be missed and SQLite has none.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::{Engine, Session, StoreError};

const CHANNEL: &str = "core_job_queued";
/// How long to wait before listening again, when the connection was lost.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// Rings when somebody has put a job on the queue. Ends with its owner.
pub struct Bell {
    rung: Arc<Notify>,
    listening: Option<JoinHandle<()>>,
}

impl Bell {
    /// One that never rings.
    pub(crate) fn silent() -> Self {
        Self { rung: Arc::default(), listening: None }
    }

    /// One that listens, over a connection of the pool that it keeps.
    pub(crate) fn listening(pool: PgPool) -> Self {
        let rung = Arc::new(Notify::new());
        let bell = Arc::clone(&rung);
        let listening = tokio::spawn(async move {
            loop {
                if let Err(error) = listen(&pool, &bell).await {
                    tracing::debug!(%error, "nobody tells of new jobs for now");
                }
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        });
        Self { rung, listening: Some(listening) }
    }

    /// Waits for the next ring; one that came since the last time counts.
    pub async fn rung(&self) {
        self.rung.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

async fn listen(pool: &PgPool, bell: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // None: the connection was lost and made anew, and rings may have been missed.
        listener.try_recv().await?;
        bell.notify_one();
    }
}

/// Rings, once the transaction is committed.
pub(crate) async fn ring(session: &mut Session<'_>) -> Result<(), StoreError> {
    if session.engine() == Engine::Postgres {
        session.execute("SELECT pg_notify(?, '')", vec![CHANNEL.into()]).await?;
    }
    Ok(())
}
