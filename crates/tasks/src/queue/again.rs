//! What is done again: jobs whose worker vanished, jobs that failed in passing, jobs that were handed back, and whatever a
//! person asks for again.
//!
//! Only a task that says so ([`Task::is_repeatable`]) is done again without a person: it gives the same result however often it
//! is begun, and overrules no guard. It is asked for as anything else is, so that an equal job that waits already is found, and
//! there is never more than one that would do the same.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::jobs::{self, Job, NewJob};
use pm_store::queue::{self, Again, Ask, Lost, Queued, Waiting};
use pm_store::{Engine, Store, StoreError};

use super::{Catalogue, EnqueueError, Origin, ask, read};
use crate::runner::HEARTBEAT;
use crate::{Task, process};

/// The longest silence of a process whose host we cannot look at. It gives a sign of life every second.
const LONGEST_SILENCE: TimeDelta = TimeDelta::seconds(45);
/// How long a job waits that is asked for again after the first, the second and every later attempt.
const PAUSES: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15)];
/// Nobody who says how long to stay away is believed more than this: the job keeps the next ones of its kind from being made.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// How often workers and schedulers look for jobs whose process is gone, at least; a third of a lease if that is less.
const PATROL: Duration = Duration::from_secs(10);

/// How long to wait between two looks at who is silent, at least, so that everybody could speak in between who was kept from it:
/// his connections may take some seconds to come back.
pub(crate) fn until_all_spoke(lease: TimeDelta) -> Duration {
    patrol(lease).max(2 * HEARTBEAT)
}

/// How often to look for jobs whose process is gone.
pub(crate) fn patrol(lease: TimeDelta) -> Duration {
    PATROL.min(lease.to_std().unwrap_or_default() / 3)
}

/// Whose jobs count as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of processes that are certainly dead.
    OfTheDead,
    /// Also those of processes that have been silent for too long. Only for somebody who has seen for a while that the others
    /// could speak: the database may have been away for all.
    AlsoOfTheSilent,
}

/// How long a process may be silent before its jobs count as lost. With SQLite it is on this host, and seen to be dead at once;
/// one that lives may be silent because somebody else writes.
pub(crate) fn silence(store: &Store, lease: TimeDelta) -> TimeDelta {
    match store.engine() {
        Engine::Sqlite => lease,
        Engine::Postgres => lease.min(LONGEST_SILENCE),
    }
}

/// Closes the jobs whose process is gone. A task of the queue that can be repeated is put there once more; one that was
/// lost twice is not, because it may be what ends its workers.
pub(crate) async fn recover(
    store: &Store,
    catalogue: &dyn Catalogue,
    whose: Whose,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Lost>, StoreError> {
    let again = |lost: &Lost| {
        let queue = lost.queue.as_deref()?;
        let task = catalogue.read(&lost.task, &lost.arguments).ok()?;
        let job = NewJob {
            job_id: uuid::Uuid::new_v4().to_string(),
            name: task.label().to_owned(),
            task: lost.task.clone(),
            arguments: lost.arguments.clone(),
            user_id: lost.user_id,
        };
        (!lost.lost_before && task.is_repeatable()).then(|| Ask {
            lock_key: lost.lock_key.clone(),
            priority: lost.priority,
            repeat_of: Some(lost.id),
            attempt: lost.attempt + 1,
            ..Ask::new(job, queue)
        })
    };
    let silent_since = (whose == Whose::AlsoOfTheSilent).then(|| now - silence(store, lease));
    queue::close_lost(store, process::is_dead, silent_since, now, again).await
}

/// Whether there are jobs whose process has been silent for too long, and may yet speak.
pub(crate) async fn are_silent(
    store: &Store,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    queue::are_silent(store, process::is_dead, now - silence(store, lease)).await
}

/// One line about a lost job.
pub(crate) fn told(lost: &Lost) -> String {
    let again = lost.again.map(|job| format!("; job {job} does it again")).unwrap_or_default();
    format!("job {} ({}) was closed: {}{again}", lost.id, lost.task, jobs::ABANDONED)
}

/// An attempt of a job of the queue, and how there can be another.
pub(crate) struct Attempt<'a> {
    pub(crate) task: &'a dyn Task,
    pub(crate) asked: &'a Waiting,
}

impl Attempt<'_> {
    /// What is asked for because this attempt failed in passing, if another may be made: not before `least` is over.
    pub(crate) fn later(&self, most: u32, seed: u64, least: Duration, now: DateTime<Utc>) -> Option<Again> {
        let number = self.asked.attempt;
        if !self.task.is_repeatable() || number > i64::from(most) {
            return None;
        }
        let least = TimeDelta::from_std(least.min(LONGEST_PAUSE)).unwrap_or_default();
        let pause = pause(number, seed).max(least);
        let attempt = number + 1;
        let text = format!(" in {} s (attempt {attempt} of {})", pause.num_seconds(), i64::from(most) + 1);
        Some(Again { ask: Ask { attempt, not_before: Some(now + pause), ..self.ask() }, text })
    }

    /// What is asked for because the worker ends before this attempt does.
    pub(crate) fn elsewhere(&self) -> Option<Again> {
        let ask = || Ask { attempt: self.asked.attempt, ..self.ask() };
        self.task.is_repeatable().then(|| Again { ask: ask(), text: String::new() })
    }

    /// The same once more, in the same place.
    fn ask(&self) -> Ask {
        let Waiting { id, name, task, arguments, user_id, lock_key, priority, queue, .. } = self.asked;
        let new = NewJob {
            job_id: uuid::Uuid::new_v4().to_string(),
            name: name.clone(),
            task: task.clone(),
            arguments: arguments.clone(),
            user_id: *user_id,
        };
        Ask { lock_key: lock_key.clone(), priority: *priority, repeat_of: Some(*id), ..Ask::new(new, queue) }
    }
}

/// How long to wait after this attempt: longer each time, and for each job a little different, so that what failed together
/// does not come back together.
fn pause(attempt: i64, seed: u64) -> TimeDelta {
    let place = usize::try_from(attempt - 1).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    // A fifth less to a fifth more. Fibonacci hashing spreads seeds that lie close together.
    let part = (seed.wrapping_add(attempt.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 401;
    let milliseconds = PAUSES[place].as_millis() * (800 + u128::from(part)) / 1000;
    TimeDelta::milliseconds(i64::try_from(milliseconds).unwrap_or(i64::MAX))
}

/// Why a job is not asked for again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// It is not over.
    #[error("job {job} ({task}) is still {status}; `jobs cancel {job}` ends it")]
    Open {
        /// Its number.
        job: i64,
        /// Its task.
        task: String,
        /// Where it stands.
        status: jobs::Status,
    },
    /// Nobody knows what it asked for.
    #[error("job {job} ({task}) cannot be asked for again: {why}")]
    Unknown {
        /// Its number.
        job: i64,
        /// Its task.
        task: String,
        /// Why.
        why: String,
    },
    /// It is none for the background, or the database said no.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// Asks for the task of a job that is over once more, on somebody's behalf, with the same arguments. What is asked for together
/// has a `batch` in common, see [`Ask::batch`].
///
/// # Errors
/// [`RetryError::Open`] for a job that waits or runs, and [`EnqueueError::Unfit`] for a task that must not be on the queue.
pub async fn retry(
    store: &Store,
    job: &Job,
    origin: Origin,
    batch: Option<String>,
    now: DateTime<Utc>,
) -> Result<Queued, RetryError> {
    let (number, task) = (job.id, job.task.clone());
    if !job.status.is_over() {
        return Err(RetryError::Open { job: number, task, status: job.status });
    }
    let any =
        read(&job.task, &job.arguments).map_err(|why| RetryError::Unknown { job: number, task, why })?;
    let new = ask(&any, origin)?;
    // A job for one router waited under that router's key.
    let lock_key = job.lock_key.clone().or_else(|| new.lock_key.clone());
    let ask = Ask { lock_key, batch, repeat_of: Some(number), ..new };
    Ok(queue::add(store, &ask, now).await.map_err(EnqueueError::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_longer_and_no_two_jobs_wait_alike() {
        for seed in 0..1000 {
            for (attempt, seconds) in [(1, 60), (2, 300), (3, 900), (4, 900), (1000, 900)] {
                let pause = pause(attempt, seed);
                let (least, most) = (seconds * 800, seconds * 1200);
                assert!((least..=most).contains(&pause.num_milliseconds()), "{attempt}, {seed}: {pause}");
            }
        }
        let different: std::collections::BTreeSet<TimeDelta> = (0..100).map(|seed| pause(1, seed)).collect();
        assert!(different.len() > 50, "{}", different.len());
    }
}
