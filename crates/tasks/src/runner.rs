//! The one way to run a task: record, lock, run, close.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::changes::Author;
use pm_store::jobs::{self, Close, NewJob, Outcome, Status};
use pm_store::locks::{self, Claim, Lock};
use pm_store::queue::{self, Waiting};
use pm_store::{Holder, Store, StoreError};
use serde::Serialize;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::{Clock, Done, Reporter, Sink, Task, TaskContext, TaskError, process, secret_key};

/// How often a run writes its log and gives a sign of life.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the closing of a job record is tried.
const CLOSE_ATTEMPTS: u32 = 3;
/// How often a run that is to end looks whether the commit that was sent is through.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How often somebody who waits for a lock asks again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long a job of the queue that found its lock taken is left alone. Workers leave such jobs where they are; this is
/// for a lock that somebody took in the same moment.
const LEFT_ALONE: TimeDelta = TimeDelta::seconds(1);

/// Runs tasks.
#[derive(Clone)]
pub struct Runner {
    /// The database.
    pub store: Store,
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who watches.
    pub sink: Arc<dyn Sink>,
    /// For the random parts of waits.
    pub seed: u64,
    /// Whether to wait for a lock that somebody else holds.
    pub wait: bool,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Finished {
    /// The number of the job record.
    pub job: i64,
    /// The task's name.
    pub task: &'static str,
    /// How the job ended.
    pub status: Status,
    /// How well a completed job went.
    pub outcome: Option<Outcome>,
    /// One sentence: what was done, or why not.
    pub message: String,
    /// The same for programs.
    pub data: Json,
    /// Exit status for a command: 0 ok, 1 failed, 3 refused by a guard, 4 partly failed, 75 try later.
    pub exit: u8,
}

/// A job record that is there, and how the run under it differs from others.
struct Record {
    job: i64,
    job_id: String,
    queued: bool,
    limit: Option<Duration>,
}

impl Runner {
    /// Runs the task under a job record and gives what came of it.
    ///
    /// # Errors
    /// Only when the job record itself cannot be written; whatever the task does is in [`Finished`].
    pub async fn run(&self, task: &dyn Task, cancel: CancellationToken) -> Result<Finished, StoreError> {
        let job_id = uuid::Uuid::new_v4().to_string();
        let new = NewJob {
            job_id: job_id.clone(),
            name: task.label().to_owned(),
            task: task.name().to_owned(),
            arguments: task.arguments(),
            user_id: None,
        };
        let owner = process::this_process();
        let job = jobs::open(&self.store, &new, Some(&owner), self.clock.now()).await?;
        let reporter = Reporter::new(Arc::clone(&self.clock), Arc::clone(&self.sink));
        let lock = match self.lock(task, job, &reporter, &cancel).await? {
            Ok(lock) => lock,
            Err(ended) => return self.close(task, job, &reporter, ended, Json::Null).await,
        };
        if let Err(error) = jobs::start(&self.store, job, &owner, self.clock.now()).await {
            self.release(job).await;
            return Err(error);
        }
        let record = Record { job, job_id, queued: false, limit: None };
        self.under_lock(task, record, lock, reporter, cancel).await
    }

    /// Runs the task of a job that a worker has claimed from the queue, as [`Runner::run`] does, within the task's time
    /// limit. `None`: it was not begun, because its lock is taken, so it waits on; or because somebody else has closed it.
    ///
    /// # Errors
    /// Only before the task began; the job is still claimed then.
    pub async fn run_claimed(
        &self,
        task: &dyn Task,
        claimed: &Waiting,
        cancel: CancellationToken,
    ) -> Result<Option<Finished>, StoreError> {
        let (job, owner) = (claimed.id, process::this_process());
        let reporter = Reporter::new(Arc::clone(&self.clock), Arc::clone(&self.sink));
        let lock = match task.lock_key() {
            None => None,
            Some(key) => match self.claim_lock(&key, job, &reporter).await? {
                Ok(lock) => Some(lock),
                Err(_) => return self.leave(task, job, &owner, &reporter).await,
            },
        };
        match queue::start(&self.store, job, &owner, self.clock.now()).await {
            Ok(true) => {}
            ended => {
                self.release(job).await;
                return ended.map(|_| None);
            }
        }
        let limit = Some(task.time_limit(&self.config));
        let record = Record { job, job_id: claimed.job_id.clone(), queued: true, limit };
        self.under_lock(task, record, lock, reporter, cancel).await.map(Some)
    }

    /// Gives a claimed job back to the queue, or closes it if its end was asked for meanwhile.
    async fn leave(
        &self,
        task: &dyn Task,
        job: i64,
        owner: &str,
        reporter: &Reporter,
    ) -> Result<Option<Finished>, StoreError> {
        if queue::put_back(&self.store, job, owner, self.clock.now() + LEFT_ALONE).await? {
            return Ok(None);
        }
        self.close(task, job, reporter, Ended::Cancelled, Json::Null).await.map(Some)
    }

    /// Runs the task under its lock and closes the record.
    async fn under_lock(
        &self,
        task: &dyn Task,
        record: Record,
        lock: Option<Lock>,
        reporter: Reporter,
        cancel: CancellationToken,
    ) -> Result<Finished, StoreError> {
        let context = TaskContext {
            store: self.store.clone(),
            config: Arc::clone(&self.config),
            clock: Arc::clone(&self.clock),
            reporter: reporter.clone(),
            cancel,
            seed: self.seed,
            job: record.job,
            author: Author {
                user_id: None,
                user_name: format!("task {}", task.name()),
                request_id: record.job_id.clone(),
            },
            keyring: Arc::new(secret_key::keyring(&self.config, &self.store).await),
            wait: self.wait,
            lock,
            committing: Arc::default(),
        };
        let ended = self.work(task, &context, &record).await;
        let data = match &ended {
            Ended::Done(done) => done.data.clone(),
            Ended::Failed(TaskError::With { data, .. })
            | Ended::TimedOut { left: Some(TaskError::With { data, .. }), .. } => data.clone(),
            _ => Json::Null,
        };
        // The record first: whoever takes over a lock that was not released closes the job of its holder, and that
        // does nothing to one that is closed already.
        let finished = self.close(task, record.job, &reporter, ended, data).await;
        self.release(record.job).await;
        finished
    }

    /// Runs until the task is done, the lock is lost, the time is over or the run is cancelled, whichever comes first; a
    /// commit that has been sent is waited for.
    async fn work(&self, task: &dyn Task, context: &TaskContext, record: &Record) -> Ended {
        let work = task.run(context);
        let beat = self.beat(record, context.lock.as_ref(), &context.reporter, false);
        tokio::pin!(work, beat);
        let stopped = tokio::select! {
            biased;
            done = &mut work => return Ended::of(done),
            stopped = &mut beat => stopped,
            () = context.cancel.cancelled() => Ended::Cancelled,
            limit = time_is_over(record.limit) => Ended::TimedOut { limit, left: None },
        };
        context.cancel.cancel();
        if stopped.leaves_time() && !task.time_to_end().is_zero() {
            let beat = self.beat(record, context.lock.as_ref(), &context.reporter, true);
            tokio::select! {
                biased;
                done = &mut work => return stopped.with(Ended::of(done)),
                lost = beat => return lost,
                () = tokio::time::sleep(task.time_to_end()) => {}
            }
        }
        // Nothing but the commit is waited for: the task may have many more to come.
        while context.committing.load(Ordering::SeqCst) {
            tokio::select! {
                biased;
                done = &mut work => return Ended::of(done),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        stopped
    }

    /// Lets go of the lock, and of those that the task took by itself. If that fails, the lease ends them, so it does not
    /// spoil what was done.
    async fn release(&self, job: i64) {
        if let Err(error) = locks::release_of(&self.store, job).await {
            tracing::warn!(job, %error, "the locks could not be released and are free when their lease ends");
        }
    }

    /// Takes the task's lock. The inner error is how the run ends without it.
    async fn lock(
        &self,
        task: &dyn Task,
        job: i64,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<Result<Option<Lock>, Ended>, StoreError> {
        let Some(key) = task.lock_key() else { return Ok(Ok(None)) };
        let mut told = false;
        loop {
            match self.claim_lock(&key, job, reporter).await {
                // Somebody writes for long; whoever waits goes on waiting.
                Err(StoreError::Busy) if self.wait => {}
                Err(error) => return Err(error),
                Ok(Ok(lock)) => return Ok(Ok(Some(lock))),
                Ok(Err(holder)) => {
                    let text = held(&key, &holder);
                    if !self.wait {
                        return Ok(Err(Ended::Busy(text)));
                    }
                    if !told {
                        reporter.info(format!("waiting: {text}"));
                        told = true;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_AGAIN) => {}
                () = cancel.cancelled() => return Ok(Err(Ended::Cancelled)),
            }
            // A sign of life, so that nobody takes the one who waits for dead.
            match reporter.flush(&self.store, job, self.clock.now()).await {
                Ok(pulse) if pulse.cancel => return Ok(Err(Ended::Cancelled)),
                Ok(_) => {}
                Err(error) => tracing::debug!(job, %error, "the job record could not be written"),
            }
        }
    }

    /// Takes a lock if it is free; the inner error is who has it.
    async fn claim_lock(
        &self,
        key: &str,
        job: i64,
        reporter: &Reporter,
    ) -> Result<Result<Lock, Holder>, StoreError> {
        let owner = process::this_process();
        let lease = TimeDelta::seconds(self.config.lock_lease.into());
        let now = self.clock.now();
        match locks::claim(&self.store, key, &owner, Some(job), lease, now, process::is_dead).await? {
            Claim::Taken { lock, from } => {
                if let Some(from) = from {
                    close_orphan(&self.store, &from, reporter, now).await?;
                }
                Ok(Ok(lock))
            }
            Claim::Held(holder) => Ok(Err(holder)),
        }
    }

    /// Writes the log and renews the lease for as long as it is polled; ends only when the run has to, and says how. A run
    /// that is ending already is not told again.
    async fn beat(&self, record: &Record, lock: Option<&Lock>, reporter: &Reporter, ending: bool) -> Ended {
        let job = record.job;
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let now = self.clock.now();
            // A database that is busy now is asked again in a second; the lease is longer than any write.
            match reporter.flush(&self.store, job, now).await {
                Ok(pulse) if pulse.cancel && !ending => {
                    reporter.warning("somebody asked for the end of this job");
                    return Ended::Cancelled;
                }
                Ok(pulse) if record.queued && !pulse.open => {
                    return Ended::Failed(TaskError::Broken(TAKEN.into()));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(job, %error, "the job record could not be written"),
            }
            if let Some(lock) = lock {
                match self.renew(lock, now).await {
                    Err(error @ StoreError::LockLost { .. }) => return Ended::of(Err(error.into())),
                    Err(error) => tracing::debug!(job, %error, "the lease could not be renewed"),
                    Ok(()) => {}
                }
            }
        }
    }

    async fn renew(&self, lock: &Lock, now: chrono::DateTime<chrono::Utc>) -> Result<(), StoreError> {
        let mut connection = self.store.connection().await?;
        locks::hold(&mut connection.session(), lock, now).await
    }

    async fn close(
        &self,
        task: &dyn Task,
        job: i64,
        reporter: &Reporter,
        ended: Ended,
        data: Json,
    ) -> Result<Finished, StoreError> {
        let (status, outcome, exit) = ended.verdict();
        let message = ended.message();
        match status {
            Status::Completed if outcome == Some(Outcome::Partial) => reporter.warning(message.clone()),
            Status::Completed => reporter.success(message.clone()),
            _ => reporter.failure(message.clone()),
        }
        let now = self.clock.now();
        if let Err(error) = reporter.flush(&self.store, job, now).await {
            tracing::warn!(job, %error, "the last lines of the job's log could not be written");
        }
        let message = message.replace(|letter: char| letter.is_control() && letter != '\n', " ");
        let error = (status != Status::Completed).then(|| message.clone());
        let kept = (!data.is_null()).then(|| data.clone());
        let close = Close { status, outcome, error, data: kept };
        // What was done is done, whether or not the record can say so; somebody else may be writing for a while.
        for attempt in 1..=CLOSE_ATTEMPTS {
            match jobs::close(&self.store, job, &close, now).await {
                Ok(_) => break,
                Err(error) => tracing::warn!(job, attempt, %error, "the job record could not be closed"),
            }
        }
        Ok(Finished { job, task: task.name(), status, outcome, message, data, exit })
    }
}

/// Error text of a run that another process took for dead, rightly or not. Its job may be done again by now.
const TAKEN: &str =
    "the job was closed by somebody who took this process for dead; it gave no sign of life for too long";

/// Ends when the limit is over, if there is one, and gives it.
async fn time_is_over(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
    limit.unwrap_or_default()
}

/// The job whose lock was taken over will not be closed by anybody else, if it was not closed before.
pub(crate) async fn close_orphan(
    store: &Store,
    from: &Holder,
    reporter: &Reporter,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(job) = from.job else { return Ok(()) };
    let close = Close {
        status: Status::Errored,
        outcome: Some(Outcome::Lost),
        error: Some(jobs::ABANDONED.to_owned()),
        data: None,
    };
    if jobs::close(store, job, &close, now).await? {
        reporter.warning(format!("took over from job {job}: {}", jobs::ABANDONED));
    }
    Ok(())
}

/// How a run ended.
enum Ended {
    Done(Done),
    Failed(TaskError),
    Cancelled,
    /// The time limit, and what the task said when it had to end.
    TimedOut {
        limit: Duration,
        left: Option<TaskError>,
    },
    Busy(String),
}

impl Ended {
    fn of(result: Result<Done, TaskError>) -> Self {
        match result {
            Ok(done) => Self::Done(done),
            Err(error) => Self::Failed(error),
        }
    }

    /// Whether a task that needs time to end gets it: not when others may be at its work by now.
    fn leaves_time(&self) -> bool {
        matches!(self, Self::Cancelled | Self::TimedOut { .. })
    }

    /// How a run ended that was told to end in this way and then ended by itself in that.
    fn with(self, then: Self) -> Self {
        match (self, then) {
            (Self::TimedOut { limit, .. }, Self::Failed(error)) => {
                Self::TimedOut { limit, left: Some(error) }
            }
            (_, then) => then,
        }
    }

    fn verdict(&self) -> (Status, Option<Outcome>, u8) {
        match self {
            Self::Done(done) => {
                (Status::Completed, Some(done.outcome), if done.outcome == Outcome::Partial { 4 } else { 0 })
            }
            Self::Failed(error) => of_error(error),
            Self::TimedOut { .. } => (Status::Errored, None, 1),
            Self::Cancelled => (Status::Cancelled, None, 1),
            Self::Busy(_) => (Status::Cancelled, None, 75),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Done(done) => done.summary.clone(),
            Self::Failed(error) => error.to_string(),
            Self::Cancelled => {
                "cancelled before it was done; what was not committed by then is not stored".to_owned()
            }
            Self::TimedOut { limit, left } => {
                let left = left.as_ref().map_or_else(
                    || "what was not committed by then is not stored".to_owned(),
                    ToString::to_string,
                );
                format!(
                    "ended because it took longer than a background job of this kind may, {} s (job_timeout); {left}",
                    limit.as_secs()
                )
            }
            Self::Busy(text) => text.clone(),
        }
    }
}

fn of_error(error: &TaskError) -> (Status, Option<Outcome>, u8) {
    match error {
        TaskError::Failed(_) => (Status::Failed, None, 1),
        TaskError::Refused(_) => (Status::Failed, None, 3),
        TaskError::TryLater(_) | TaskError::Store(StoreError::Busy) => (Status::Failed, None, 75),
        TaskError::Held(_) => (Status::Cancelled, None, 75),
        TaskError::Cancelled(_) => (Status::Cancelled, None, 1),
        TaskError::Store(_) | TaskError::Broken(_) => (Status::Errored, None, 1),
        TaskError::With { error, .. } => of_error(error),
    }
}

/// Who holds a lock, for people, and what to do.
pub(crate) fn held(key: &str, holder: &Holder) -> String {
    format!("{key} is being run by {}; try again later, or wait for it with --wait", who(holder))
}

/// Process, job and time of a holder, for people.
pub(crate) fn who(holder: &Holder) -> String {
    let job = holder.job.map(|job| format!(", job {job}")).unwrap_or_default();
    let since = holder.since.format("%Y-%m-%d %H:%M:%S UTC");
    format!("{}{job}, since {since}", process::describe(&holder.owner))
}
