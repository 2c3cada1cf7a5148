//! A candidate on a router that has one for everybody, or one of our own: on every way out it is taken away.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::driver::{Candidate, Pending};
use crate::{Diff, Error};

/// What a driver does with the candidate that it has loaded.
#[async_trait]
pub(crate) trait Changes: Send + Sync {
    /// Commits it under this id, to be undone after `timer`.
    async fn commit_loaded(&self, id: &str, timer: Duration) -> Result<Pending, Error>;

    /// Forgets it and gives the lock back. If that works, nothing is [`Changes::dirty`] any more.
    async fn take_away(&self) -> Result<(), Error>;

    /// Whether a candidate may be there that nobody took away.
    fn dirty(&self) -> &Mutex<bool>;

    /// [`Changes::take_away`] on the way out of something, of which the outcome counts.
    async fn clean_up(&self) {
        if *self.dirty().lock().await
            && let Err(error) = self.take_away().await
        {
            tracing::warn!(%error, "the candidate could not be taken away; it goes with the connection");
        }
    }
}

/// A candidate that is loaded.
pub(crate) struct Loaded<'a, D> {
    pub driver: &'a D,
    pub id: String,
    pub diff: Diff,
}

#[async_trait]
impl<D: Changes> Candidate for Loaded<'_, D> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        let result = self.driver.commit_loaded(&self.id, timer).await;
        self.driver.clean_up().await;
        result
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        self.driver.take_away().await
    }
}
