//! The courier: finds out who is to be told of what, and delivers it, until it is told to stop.
//!
//! Messages are taken one at a time with a lease and sent side by side, few at a time to the same receiver, so that one who
//! is slow delays nobody else. What was sent and could not be recorded is sent again, under the same delivery id.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use pm_config::Config;
use pm_notify::webhook::{Names, SystemNames};
use pm_store::notifications::{self, Attempt, Delivery, State};
use pm_store::objects::problems::ObjectError;
use pm_store::{Store, events};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::rules::decide;
use super::sender::{Outcome, Sender};
use crate::worker::within_grace;
use crate::{Clock, Pulse, secret_key};

/// Events that are looked at in one transaction.
const BATCH: u32 = 100;
/// How often it looks for something to do.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest wait after the database failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Messages to the same receiver that are under way at the same time.
const PER_RECEIVER: usize = 2;
/// How long a lease lasts beyond the time that sending may take.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How long messages under way may take to arrive when it is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Waits after the first, the second … attempt; the last holds for all that follow.
const AGAIN: [TimeDelta; 5] = [
    TimeDelta::seconds(30),
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::hours(1),
    TimeDelta::hours(6),
];
/// How often it is tried to record how an attempt ended.
const RECORD_ATTEMPTS: u32 = 3;

/// Delivers messages.
#[derive(Clone)]
pub struct Courier {
    store: Store,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    names: Arc<dyn Names>,
    pulse: Pulse,
}

/// What became of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Taken by their receivers.
    pub sent: u64,
    /// Not taken; they will be tried again.
    pub failed: u64,
    /// Not taken, for the last time.
    pub given_up: u64,
    /// Not sent, because nobody wanted them any more.
    pub skipped: u64,
}

impl Sent {
    fn count(&mut self, state: State) {
        *match state {
            State::Sent => &mut self.sent,
            State::GivenUp => &mut self.given_up,
            State::Skipped => &mut self.skipped,
            State::Pending | State::Failed => &mut self.failed,
        } += 1;
    }
}

/// Messages that are under way.
#[derive(Default)]
struct Tour {
    running: JoinSet<(String, State)>,
    /// How many per receiver.
    under_way: BTreeMap<String, usize>,
    sent: Sent,
    /// Events could not be made messages when it last looked.
    stuck: bool,
}

impl Tour {
    /// Receivers that get no more for now.
    fn busy(&self) -> Vec<String> {
        let busy = self.under_way.iter().filter(|(_, count)| **count >= PER_RECEIVER);
        busy.map(|(receiver, _)| receiver.clone()).collect()
    }

    fn arrived(&mut self, receiver: &str, state: State) {
        self.sent.count(state);
        if let Some(count) = self.under_way.get_mut(receiver) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(receiver);
            }
        }
    }

    /// Waits for one of them.
    async fn next(&mut self) {
        if let Some(Ok((receiver, state))) = self.running.join_next().await {
            self.arrived(&receiver, state);
        }
    }
}

impl Courier {
    /// One with these settings.
    pub fn new(store: Store, config: Arc<Config>, clock: Arc<dyn Clock>) -> Self {
        Self { store, config, clock, names: Arc::new(SystemNames), pulse: Pulse::new("courier") }
    }

    /// The same with another way to look up the names of hosts.
    #[must_use]
    pub fn with_names(self, names: Arc<dyn Names>) -> Self {
        Self { names, ..self }
    }

    /// The sign that [`Courier::run`] gives.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Delivers until it is cancelled. Trouble with the database is waited out.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut tour = Tour::default();
        let mut trouble = 0_u32;
        while !cancel.is_cancelled() {
            let Some(round) = within_grace(&cancel, Box::pin(self.round(&mut tour))).await else { break };
            let pause = match round {
                Ok(()) => {
                    trouble = 0;
                    self.pulse.turn(Some(0));
                    LOOK_AGAIN
                }
                Err(error) => {
                    self.pulse.turn(None);
                    if trouble == 0 {
                        tracing::warn!(%error, "notifications wait: the database cannot be read");
                    }
                    trouble += 1;
                    LOOK_AGAIN.saturating_mul(1 << trouble.min(5)).min(LONGEST_PAUSE)
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tour.next(), if !tour.running.is_empty() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.pulse.end();
        let rest = async {
            while !tour.running.is_empty() {
                tour.next().await;
            }
        };
        // What does not arrive by then is sent again once its lease has run out.
        let _ = tokio::time::timeout(GRACE, rest).await;
    }

    /// Delivers all that is due now, and gives what became of it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn deliver_due(&self) -> Result<Sent, ObjectError> {
        let mut tour = Tour::default();
        loop {
            self.round(&mut tour).await?;
            if tour.running.is_empty() {
                return Ok(tour.sent);
            }
            tour.next().await;
        }
    }

    /// Makes messages of events, and begins to deliver what can be.
    async fn round(&self, tour: &mut Tour) -> Result<(), ObjectError> {
        self.dispatch_all(tour).await;
        let most = usize::try_from(self.config.notification_concurrency).unwrap_or(usize::MAX);
        let mut keyring = None;
        while tour.running.len() < most {
            let (now, busy) = (self.clock.now(), tour.busy());
            if !notifications::due(&self.store, &busy, now).await? {
                break;
            }
            let until = now + self.lease();
            let Some(delivery) = notifications::claim(&self.store, &busy, until, now).await? else { break };
            let keyring = if let Some(keyring) = &keyring {
                Arc::clone(keyring)
            } else {
                let read = secret_key::keyring(&self.config, &self.store).await;
                Arc::clone(keyring.insert(Arc::new(read)))
            };
            *tour.under_way.entry(delivery.receiver.clone()).or_default() += 1;
            let (courier, store) = (self.clone(), self.store.clone());
            let (config, names) = (Arc::clone(&self.config), Arc::clone(&self.names));
            let sender = Sender { store, config, keyring, names, now };
            tour.running.spawn(async move {
                let state = courier.attempt(&sender, &delivery).await;
                (delivery.receiver, state)
            });
        }
        Ok(())
    }

    /// Makes messages of events. What goes wrong with that keeps no message back that is there already.
    async fn dispatch_all(&self, tour: &mut Tour) {
        loop {
            match dispatch(&self.store, self.clock.now()).await {
                Ok(count) if count >= BATCH as usize => {}
                Ok(_) => {
                    tour.stuck = false;
                    return;
                }
                Err(error) => {
                    if !tour.stuck {
                        tracing::warn!(%error, "events wait: they cannot be made into notifications");
                    }
                    tour.stuck = true;
                    return;
                }
            }
        }
    }

    fn lease(&self) -> TimeDelta {
        LEASE + TimeDelta::seconds(self.config.webhook_timeout.max(self.config.email_timeout).into())
    }

    /// Tries to deliver a message that was taken, and records what came of it.
    async fn attempt(&self, sender: &Sender, delivery: &Delivery) -> State {
        let most = i64::from(self.config.notification_attempts);
        let outcome = if delivery.attempts > most {
            let error = "the process that sent it vanished every time, so it may have arrived".to_owned();
            Outcome::Failed { status: None, answer: None, error }
        } else {
            let sent = AssertUnwindSafe(sender.deliver(delivery)).catch_unwind().await;
            let broke = "sending it ended in a mistake of this program; its log has the place".to_owned();
            sent.unwrap_or(Outcome::Failed { status: None, answer: None, error: broke })
        };
        let now = self.clock.now();
        let attempt = attempt_of(outcome, delivery.attempts, most, now);
        self.say(delivery, &attempt);
        for tried in 1..=RECORD_ATTEMPTS {
            match notifications::record(&self.store, delivery, &attempt, now).await {
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(delivery = delivery.id, tried, %error, "a delivery could not be recorded");
                }
            }
        }
        attempt.state
    }

    #[expect(clippy::unused_self, reason = "reads as what the courier does")]
    fn say(&self, delivery: &Delivery, attempt: &Attempt) {
        let error = attempt.error.as_deref().unwrap_or_default();
        let (id, recipient) = (delivery.id, &delivery.recipient);
        match attempt.state {
            State::Sent => tracing::info!("notification {id} to {recipient} was sent: {}", delivery.summary),
            State::GivenUp => tracing::warn!("notification {id} to {recipient} was given up: {error}"),
            State::Failed => tracing::warn!("notification {id} to {recipient} will be tried again: {error}"),
            State::Pending | State::Skipped => {
                tracing::debug!("notification {id} to {recipient} was not sent: {error}");
            }
        }
    }
}

/// What is recorded of an attempt, the how-manieth it may be of how many.
fn attempt_of(outcome: Outcome, attempts: i64, most: i64, now: DateTime<Utc>) -> Attempt {
    match outcome {
        Outcome::Sent { status, answer } => {
            Attempt { state: State::Sent, again: None, status, answer: Some(answer), error: None }
        }
        Outcome::Skipped(why) => {
            Attempt { state: State::Skipped, again: None, status: None, answer: None, error: Some(why) }
        }
        Outcome::Failed { status, answer, error } => {
            let over = attempts >= most;
            let place = usize::try_from(attempts - 1).unwrap_or(0).min(AGAIN.len() - 1);
            Attempt {
                state: if over { State::GivenUp } else { State::Failed },
                again: (!over).then(|| now + AGAIN[place]),
                status,
                answer,
                error: Some(error),
            }
        }
    }
}

/// Makes messages of the events that wait, at most so many in one transaction, and gives how many events there were.
///
/// # Errors
/// Those of the database; then the events wait on.
pub async fn dispatch(store: &Store, now: DateTime<Utc>) -> Result<usize, ObjectError> {
    if !events::wait(&mut store.connection().await?.session()).await? {
        return Ok(0);
    }
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let taken = events::take(&mut session, BATCH, now).await?;
    let rules = notifications::rules(&mut session).await?;
    let mut subjects: Vec<String> = taken.iter().map(|event| event.subject.clone()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let mut folds = notifications::folds(&mut session, &subjects).await?;
    let deliveries: Vec<_> = taken.iter().flat_map(|event| decide(&rules, event, &mut folds)).collect();
    notifications::replace_folds(&mut session, &subjects, &folds).await?;
    notifications::add_in(&mut session, &deliveries, now).await?;
    transaction.commit().await?;
    Ok(taken.len())
}
