//! The one way to run a task: record, lock, run, close.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::changes::Author;
use pm_store::jobs::{self, Close, NewJob, Outcome, Status};
use pm_store::locks::{self, Claim, Lock};
use pm_store::queue::{self, Again, PutBack, Waiting};
use pm_store::{Holder, Store, StoreError};
use serde::Serialize;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::ended::Ended;
use crate::queue::Attempt;
use crate::{Clock, Done, Reporter, Sink, Task, TaskContext, TaskError, process, secret_key};

/// How often a run writes its log and gives a sign of life.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the closing of a job record is tried.
const CLOSE_ATTEMPTS: usize = 3;
/// The same while the database cannot be reached, and how long is waited before each time but the first: it may be starting.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
/// How often a run that is to end looks whether the commit that was sent is through.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How often somebody who waits for a lock asks again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long a job of the queue that found its lock taken is left alone. Workers leave such jobs where they are; this is
/// for a lock that somebody took in the same moment.
const LEFT_ALONE: TimeDelta = TimeDelta::seconds(5);

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
    /// What was asked for, of a job of the queue.
    asked: Option<Waiting>,
    limit: Option<Duration>,
}

impl Record {
    fn is_queued(&self) -> bool {
        self.asked.is_some()
    }
}

/// A job that a worker has taken from the queue, with its lock.
pub(crate) struct Claimed {
    pub(crate) job: Waiting,
    /// How many lines its log has already.
    pub(crate) lines: i64,
    pub(crate) lock: Option<Lock>,
    /// Who had the lock and had not let go.
    pub(crate) from: Option<Holder>,
}

/// How a run ended, and whether that was because it was told to from outside.
struct Ran {
    ended: Ended,
    stopped: bool,
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
        let record = Record { job, job_id, asked: None, limit: None };
        let begun = match self.lock(task, job, &reporter, &cancel).await {
            Ok(Ok(lock)) => jobs::start(&self.store, job, &owner, self.clock.now()).await.map(|()| lock),
            Ok(Err(ended)) => {
                return Ok(self.close(task, &record, &reporter, Ran { ended, stopped: false }).await);
            }
            Err(error) => Err(error),
        };
        let lock = match begun {
            Ok(lock) => lock,
            Err(error) => {
                let close = Close::because(Status::Errored, &error.to_string());
                self.write_end(job, &reporter, &close, None).await;
                return Err(error);
            }
        };
        let ran = self.under_lock(task, &record, lock, &reporter, cancel).await;
        Ok(self.close(task, &record, &reporter, ran).await)
    }

    /// Runs the task of a job that a worker has taken from the queue, as [`Runner::run`] does, within the task's time limit.
    /// `None`: nothing was done because others hold all that it is about, and it waits again.
    pub(crate) async fn run_claimed(
        &self,
        task: &dyn Task,
        claimed: Claimed,
        cancel: CancellationToken,
    ) -> Option<Finished> {
        let Claimed { job, lines, lock, from } = claimed;
        let reporter = Reporter::after(lines, Arc::clone(&self.clock), Arc::clone(&self.sink));
        if let Some(from) = from
            && let Err(error) = close_orphan(&self.store, &from, &reporter, self.clock.now()).await
        {
            tracing::warn!(job = job.id, %error, "the job that had the lock before could not be closed");
        }
        let limit = Some(task.time_limit(&self.config));
        let record = Record { job: job.id, job_id: job.job_id.clone(), asked: Some(job), limit };
        let ran = self.under_lock(task, &record, lock, &reporter, cancel).await;
        if let Ended::Failed(TaskError::Held(why)) = &ran.ended {
            reporter.info(format!("waits again: {why}"));
            match self.put_back(&record, &reporter).await {
                Ok(PutBack::Waits) => return None,
                Ok(PutBack::Merged(other)) => {
                    let text = format!("merged with job {other}, which waits and does the same");
                    return Some(finished(task, &record, &Ended::Busy(text)));
                }
                Ok(PutBack::No) => {}
                Err(error) => {
                    tracing::warn!(job = record.job, %error, "the job could not be put back");
                    // Whether it waits again or not, nobody works on it: a worker will find that out, and ask for it again.
                    return None;
                }
            }
        }
        Some(self.close(task, &record, &reporter, ran).await)
    }

    /// Gives a job back to the queue on which nothing was done.
    async fn put_back(&self, record: &Record, reporter: &Reporter) -> Result<PutBack, StoreError> {
        let owner = process::this_process();
        let mut pauses = PAUSES.into_iter();
        loop {
            let now = self.clock.now();
            // Its lines are worth less than that it waits again.
            if let Err(error) = reporter.flush(&self.store, record.job).await {
                tracing::debug!(job = record.job, %error, "the job record could not be written");
            }
            match queue::put_back(&self.store, record.job, &owner, now + LEFT_ALONE, now).await {
                Err(error) if error.may_pass() => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
                done => return done,
            }
        }
    }

    /// Runs the task under its lock.
    async fn under_lock(
        &self,
        task: &dyn Task,
        record: &Record,
        lock: Option<Lock>,
        reporter: &Reporter,
        cancel: CancellationToken,
    ) -> Ran {
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
        self.work(task, &context, record).await
    }

    /// Runs until the task is done, the lock is lost, the time is over or the run is cancelled, whichever comes first; a
    /// commit that has been sent is waited for.
    async fn work(&self, task: &dyn Task, context: &TaskContext, record: &Record) -> Ran {
        let work = task.run(context);
        tokio::pin!(work);
        // The beat ends here: one that nobody polls any more could keep a transaction open.
        let (why, stopped) = tokio::select! {
            biased;
            done = &mut work => return Ran { ended: Ended::of(done), stopped: false },
            why = self.beat(record, context.lock.as_ref(), &context.reporter, false) => (why, false),
            () = context.cancel.cancelled() => (Ended::Cancelled, true),
            limit = time_is_over(record.limit) => (Ended::TimedOut { limit, left: None }, false),
        };
        context.cancel.cancel();
        let ended = self.tidy(task, context, record, why, work).await;
        Ran { ended, stopped }
    }

    /// Gives a run that was told to end the time that its task needs for that, and a commit that was sent its answer.
    async fn tidy(
        &self,
        task: &dyn Task,
        context: &TaskContext,
        record: &Record,
        stopped: Ended,
        mut work: Pin<&mut (impl Future<Output = Result<Done, TaskError>> + Send)>,
    ) -> Ended {
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
            match reporter.flush(&self.store, job).await {
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
        // Apart from each other: a run that writes keeps the row of its lock until it is done, and gives signs of life.
        tokio::select! {
            ended = self.tell(record, reporter, ending) => ended,
            ended = self.hold(record.job, lock) => ended,
        }
    }

    async fn tell(&self, record: &Record, reporter: &Reporter, ending: bool) -> Ended {
        let job = record.job;
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            // A database that is busy now is asked again in a second; the lease is longer than any write.
            match reporter.flush(&self.store, job).await {
                Ok(pulse) if pulse.cancel && !ending => {
                    reporter.warning("somebody asked for the end of this job");
                    return Ended::Cancelled;
                }
                Ok(pulse) if record.is_queued() && !pulse.open => {
                    return Ended::Failed(TaskError::Broken(TAKEN.into()));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(job, %error, "the job record could not be written"),
            }
        }
    }

    async fn hold(&self, job: i64, lock: Option<&Lock>) -> Ended {
        let Some(lock) = lock else { return std::future::pending().await };
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            match self.renew(lock).await {
                Err(error @ StoreError::LockLost { .. }) => return Ended::of(Err(error.into())),
                Err(error) => tracing::debug!(job, %error, "the lease could not be renewed"),
                Ok(()) => {}
            }
        }
    }

    async fn renew(&self, lock: &Lock) -> Result<(), StoreError> {
        let mut connection = self.store.connection().await?;
        // Not before: a connection may have been waited for.
        locks::hold(&mut connection.session(), lock, self.clock.now()).await
    }

    /// Closes the record, says how the run ended, frees its locks, and asks for it again if that is the thing to do.
    async fn close(&self, task: &dyn Task, record: &Record, reporter: &Reporter, ran: Ran) -> Finished {
        let again = self.again(task, record, &ran);
        let mut finished = finished(task, record, &ran.ended);
        let said = finished.message.clone();
        match finished.status {
            Status::Completed if finished.outcome == Some(Outcome::Partial) => reporter.warning(said),
            Status::Completed => reporter.success(said),
            _ => reporter.failure(said),
        }
        let Finished { status, outcome, message, data, exit, .. } = &finished;
        let error = message.replace(|letter: char| letter.is_control() && letter != '\n', " ");
        let close = Close {
            status: *status,
            outcome: *outcome,
            error: (*status != Status::Completed).then(|| error.clone()),
            data: (!data.is_null()).then(|| data.clone()),
            exit: *exit,
            spoilt: task.is_spoilt(data),
        };
        if let Some(job) = self.write_end(record.job, reporter, &close, again.as_ref()).await {
            let when = again.map(|again| again.text).unwrap_or_default();
            reporter.info(format!("job {job} does it again{when}"));
        }
        finished.message = error;
        finished
    }

    /// What was done is done, whether or not the record can say so; somebody else may be writing for a while. Gives the job
    /// that does it again.
    async fn write_end(
        &self,
        job: i64,
        reporter: &Reporter,
        close: &Close,
        again: Option<&Again>,
    ) -> Option<i64> {
        let now = self.clock.now();
        let mut pauses = PAUSES.into_iter();
        for attempt in 1.. {
            // Better without its last lines than not at all.
            let with_lines = attempt < CLOSE_ATTEMPTS;
            let error = match reporter.finish(&self.store, job, close, again, with_lines, now).await {
                Ok(closed) => return closed.again,
                Err(error) => error,
            };
            tracing::warn!(job, attempt, %error, "the job record could not be closed");
            let away = error.may_pass() && !matches!(error, StoreError::Busy);
            match pauses.next() {
                Some(pause) if away => tokio::time::sleep(pause).await,
                Some(_) if attempt < CLOSE_ATTEMPTS => {}
                _ => return None,
            }
        }
        None
    }

    /// What is to be asked for in place of a job of the queue that ended like this.
    fn again(&self, task: &dyn Task, record: &Record, ran: &Ran) -> Option<Again> {
        let attempt = Attempt { task, asked: record.asked.as_ref()? };
        if ran.stopped && ran.ended.verdict().0 == Status::Cancelled {
            return attempt.elsewhere();
        }
        if ran.ended.may_pass() {
            return attempt.later(self.config.job_retries, self.seed, ran.ended.pause(), self.clock.now());
        }
        None
    }
}

fn finished(task: &dyn Task, record: &Record, ended: &Ended) -> Finished {
    let (status, outcome, exit) = ended.verdict();
    let (message, data) = (ended.message(), ended.data());
    Finished { job: record.job, task: task.name(), status, outcome, message, data, exit }
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

/// The job whose lock was taken over will not be closed by anybody else, if it was not closed before. One of the queue will:
/// workers and housekeeping close it, and have it done again if that is harmless.
pub(crate) async fn close_orphan(
    store: &Store,
    from: &Holder,
    reporter: &Reporter,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(job) = from.job else { return Ok(()) };
    if jobs::get(store, job).await?.is_some_and(|job| job.queued) {
        return Ok(());
    }
    let close = Close { outcome: Some(Outcome::Lost), ..Close::because(Status::Errored, jobs::ABANDONED) };
    if jobs::close(store, job, &close, now).await? {
        reporter.warning(format!("took over from job {job}: {}", jobs::ABANDONED));
    }
    Ok(())
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
