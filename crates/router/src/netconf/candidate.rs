//! A candidate on a router that has one for everybody, or one of our own: on every way out it is taken away.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Session;
use crate::driver::{Candidate, Pending};
use crate::{Diff, Error};

/// How long a connection that is closed may still take to take its candidate away; its end does so, too.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is known of the one candidate that a connection has.
#[derive(Default)]
pub(crate) struct Slot {
    /// One may be there that nobody took away.
    pub dirty: Mutex<bool>,
    /// Grows with each that is loaded or taken away.
    turn: AtomicU64,
}

impl Slot {
    /// Whatever was loaded is there no more.
    pub fn turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn is_at(&self, turn: u64) -> bool {
        self.turn.load(Ordering::SeqCst) == turn
    }
}

/// What was loaded.
pub(crate) struct Made {
    pub id: String,
    /// What it was compared with, in the driver's own terms.
    pub base: String,
}

/// What a driver does with the candidate that it has loaded.
#[async_trait]
pub(crate) trait Changes: Send + Sync {
    /// Commits it, to be undone after `timer`. [`Error::Changed`] if what it was compared with is no more what is there.
    async fn commit_loaded(&self, made: &Made, timer: Duration) -> Result<Pending, Error>;

    /// The change that the commit makes, as far as it can be named before.
    fn named(&self, made: &Made, timer: Duration) -> Pending;

    /// Forgets it and gives the lock back. If that works, nothing is dirty any more.
    async fn take_away(&self) -> Result<(), Error>;

    /// Its place.
    fn slot(&self) -> &Slot;

    /// What it is loaded over.
    fn session(&self) -> &Session;

    /// [`Changes::take_away`] on the way out of something, of which the outcome counts: it takes no longer than a change may.
    async fn clean_up(&self) {
        if !*self.slot().dirty.lock().await {
            return;
        }
        self.slot().turn();
        let limit = self.session().ssh().limits().change;
        match timeout(limit, self.take_away()).await {
            Ok(Ok(())) => {}
            Ok(Err(Error::Timeout { .. })) | Err(_) => self.abandon().await,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the candidate could not be taken away; it goes with the connection");
            }
        }
    }

    /// [`Changes::clean_up`] after something that may have failed. A router that has stopped answering is not asked once
    /// more: who waits for the outcome has waited as long as he said he would.
    async fn tidy(&self, failed: Option<&Error>) {
        match failed {
            Some(Error::Timeout { .. }) => self.abandon().await,
            _ => self.clean_up().await,
        }
    }

    /// Ends the connection; the router takes candidate and lock back with it.
    async fn abandon(&self) {
        *self.slot().dirty.lock().await = false;
        self.slot().turn();
        self.session().ssh().close().await;
    }

    /// Takes the candidate away and ends the session; does not wait long.
    async fn part(&self) {
        let _ = timeout(FAREWELL, self.clean_up()).await;
        self.session().close().await;
    }
}

/// A candidate that is loaded.
pub(crate) struct Loaded<'a, D> {
    pub driver: &'a D,
    pub made: Made,
    /// Its turn; at another one, something else is in its place.
    pub turn: u64,
    pub diff: Diff,
}

#[async_trait]
impl<D: Changes> Candidate for Loaded<'_, D> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    fn change(&self, timer: Duration) -> Option<Pending> {
        Some(self.driver.named(&self.made, timer))
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        if !self.driver.slot().is_at(self.turn) {
            return Err(Error::Changed { host: self.driver.session().host().to_owned() });
        }
        let result = self.driver.commit_loaded(&self.made, timer).await;
        self.driver.tidy(result.as_ref().err()).await;
        result
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        if !self.driver.slot().is_at(self.turn) {
            return Ok(());
        }
        let result = self.driver.take_away().await;
        if let Err(error @ Error::Timeout { .. }) = &result {
            self.driver.tidy(Some(error)).await;
        }
        result
    }
}
