//! The worker: runs the jobs that wait on the queue, some at a time, until it is told to stop.
//!
//! It decides nothing about a task. It claims a job, hands it to [`Runner`], and claims the next one, the oldest first. A job
//! whose lock is taken is left where it is, and holds nobody up but later jobs with the same lock.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt as _;
use pm_store::jobs::{self, Close, Level, Outcome, Status};
use pm_store::queue::{self, Waiting};
use pm_store::{Engine, StoreError, migrations};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::queue::{Catalogue, forget_workers, recover, told};
use crate::{Finished, Runner, Sink, Task, process};

/// Jobs that are looked at in one question.
const PAGE: i64 = 20;
/// How often the worker gives a sign of life and looks for jobs whose process is gone.
const PATROL: Duration = Duration::from_secs(10);
/// How long it waits before it looks again; on PostgreSQL it is woken when a job is put on the queue.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const LOOK_AGAIN_WOKEN: Duration = Duration::from_secs(5);
/// The longest wait after the database failed; it begins with `LOOK_AGAIN` and doubles.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a job waits that could not be begun because the database failed.
const AFTER_TROUBLE: TimeDelta = TimeDelta::seconds(5);

/// Somebody who watches a worker.
pub trait Watch: Send + Sync {
    /// Who watches this job.
    fn sink(&self, job: i64, task: &str) -> Arc<dyn Sink>;
    /// What the worker itself has to say.
    fn say(&self, level: Level, message: &str);
}

/// Runs the jobs of the queue.
#[derive(Clone)]
pub struct Worker {
    /// How a job is run. Its `sink` and `wait` are not used.
    pub runner: Runner,
    /// Which tasks there are.
    pub catalogue: Arc<dyn Catalogue>,
    /// Who watches.
    pub watch: Arc<dyn Watch>,
    /// Jobs at the same time.
    pub concurrency: usize,
    /// Whether to end once nothing waits any more.
    pub once: bool,
}

/// How the jobs of a worker ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Done.
    pub completed: u64,
    /// Done in part.
    pub partial: u64,
    /// Could not be done, or were refused by a guard.
    pub failed: u64,
    /// Broke, or took too long.
    pub errored: u64,
    /// Ended from outside.
    pub cancelled: u64,
}

impl Tally {
    /// Whether every job did what it was asked for.
    pub fn is_clean(self) -> bool {
        self.partial + self.failed + self.errored + self.cancelled == 0
    }

    fn count(&mut self, finished: &Finished) {
        *match (finished.status, finished.outcome) {
            (Status::Completed, Some(Outcome::Partial)) => &mut self.partial,
            (Status::Completed, _) => &mut self.completed,
            (Status::Failed, _) => &mut self.failed,
            (Status::Cancelled, _) => &mut self.cancelled,
            _ => &mut self.errored,
        } += 1;
    }
}

/// A job with the task that it asks for.
type Known = (Waiting, Box<dyn Task>);

/// What a worker has in its hands.
struct Shift {
    running: JoinSet<Option<Finished>>,
    tally: Tally,
    /// Jobs that this program cannot read; a newer one will.
    passed_over: BTreeSet<i64>,
    next_patrol: Instant,
}

impl Worker {
    /// Works until it is cancelled, or with `once` until nothing waits any more that it can run. When it is cancelled, so
    /// are the jobs that run; those that wait stay where they are.
    ///
    /// # Errors
    /// Those of the database at the very beginning, and with `once` later ones, too; otherwise it tries again. A schema of
    /// another release, whenever it appears.
    pub async fn run(&self, cancel: CancellationToken) -> Result<Tally, StoreError> {
        let store = &self.runner.store;
        let owner = process::this_process();
        let cancel = cancel.child_token();
        let bell = store.bell();
        let mut shift = Shift {
            running: JoinSet::new(),
            tally: Tally::default(),
            passed_over: BTreeSet::new(),
            next_patrol: Instant::now(),
        };
        let mut trouble = 0_u32;
        let mut begun = false;
        let ended = loop {
            if cancel.is_cancelled() {
                break Ok(());
            }
            let pause = match self.round(&mut shift, &owner, &cancel).await {
                Ok(waiting) => {
                    (trouble, begun) = (0, true);
                    if self.once && waiting == 0 && shift.running.is_empty() {
                        break Ok(());
                    }
                    // Only an empty queue is worth a long sleep: nobody rings when a lock is let go.
                    let woken = store.engine() == Engine::Postgres && waiting == 0;
                    if woken { LOOK_AGAIN_WOKEN } else { LOOK_AGAIN }
                }
                Err(error) if self.is_the_end(&error, begun) => break Err(error),
                Err(error) => {
                    let pause = LOOK_AGAIN.saturating_mul(1 << trouble.min(8)).min(LONGEST_PAUSE);
                    trouble += 1;
                    self.watch
                        .say(Level::Warning, &format!("the queue cannot be read, trying again: {error}"));
                    pause
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                Some(ended) = shift.running.join_next() => shift.count(ended.ok().flatten().as_ref()),
                () = bell.rung() => {}
                () = tokio::time::sleep(pause) => {}
            }
        };
        if ended.is_err() {
            cancel.cancel();
        }
        while let Some(ended) = shift.running.join_next().await {
            shift.count(ended.ok().flatten().as_ref());
        }
        if let Err(error) = queue::sign_off(store, &owner).await {
            tracing::debug!(%error, "the worker could not sign off");
        }
        ended.map(|()| shift.tally)
    }

    /// Whether to end because of this rather than to try again.
    fn is_the_end(&self, error: &StoreError, begun: bool) -> bool {
        match error {
            StoreError::SchemaTooNew { .. } | StoreError::SchemaTooOld { .. } => true,
            StoreError::Busy => false,
            _ => self.once || !begun,
        }
    }

    /// Looks after lost jobs if it is time, and begins what can be begun. Gives how many jobs wait that this program can
    /// run, now or later.
    async fn round(
        &self,
        shift: &mut Shift,
        owner: &str,
        cancel: &CancellationToken,
    ) -> Result<i64, StoreError> {
        if shift.next_patrol <= Instant::now() {
            self.patrol(owner).await?;
            shift.next_patrol = Instant::now() + PATROL;
        }
        loop {
            let passed_over: Vec<i64> = shift.passed_over.iter().copied().collect();
            let now = self.runner.clock.now();
            let due = queue::due(&self.runner.store, &passed_over, PAGE, now).await?;
            let (tasks, unknown) = self.read(due.jobs);
            if !unknown.is_empty() {
                shift.passed_over.extend(unknown);
                continue;
            }
            if tasks.is_empty() || shift.running.len() >= self.concurrency {
                return Ok(due.waiting);
            }
            let ids: Vec<i64> = tasks.iter().map(|(job, _)| job.id).collect();
            let claimed = queue::claim(&self.runner.store, &ids, &passed_over, owner, now).await?;
            let Some((job, task)) = tasks.into_iter().find(|(job, _)| Some(job.id) == claimed) else {
                // Others were faster, and took all of them.
                return Ok(due.waiting);
            };
            self.begin(shift, job, task, cancel);
        }
    }

    /// Gives a sign of life, and closes the jobs of those who give none.
    async fn patrol(&self, owner: &str) -> Result<(), StoreError> {
        let store = &self.runner.store;
        let now = self.runner.clock.now();
        let lease = TimeDelta::seconds(self.runner.config.lock_lease.into());
        // Somebody may have upgraded the database meanwhile; the program that is needed now is another one.
        migrations::verify(store).await?;
        let concurrency = i64::try_from(self.concurrency).unwrap_or(i64::MAX);
        queue::sign_on(store, owner, concurrency, now).await?;
        forget_workers(store, lease, now).await?;
        for lost in recover(store, self.catalogue.as_ref(), lease, now).await? {
            self.watch.say(Level::Warning, &told(&lost));
        }
        Ok(())
    }

    /// The tasks of these jobs, and the jobs that this program cannot read.
    fn read(&self, jobs: Vec<Waiting>) -> (Vec<Known>, Vec<i64>) {
        let (mut tasks, mut unknown) = (Vec::new(), Vec::new());
        for job in jobs {
            match self.catalogue.read(&job.task, &job.arguments) {
                Ok(task) => tasks.push((job, task)),
                Err(why) => {
                    self.watch.say(
                        Level::Warning,
                        &format!(
                            "job {} ({}) is left to a worker of a newer release: {why}; `peering-manager jobs cancel {}` \
                             takes it off the queue",
                            job.id, job.task, job.id
                        ),
                    );
                    unknown.push(job.id);
                }
            }
        }
        (tasks, unknown)
    }

    fn begin(&self, shift: &mut Shift, job: Waiting, task: Box<dyn Task>, cancel: &CancellationToken) {
        let sink = self.watch.sink(job.id, &job.task);
        let seed = self.runner.seed ^ job.id.unsigned_abs();
        let runner = Runner { sink, seed, wait: false, ..self.runner.clone() };
        let cancel = cancel.child_token();
        shift.running.spawn(async move { run(&runner, task.as_ref(), &job, cancel).await });
    }
}

impl Shift {
    fn count(&mut self, finished: Option<&Finished>) {
        if let Some(finished) = finished {
            self.tally.count(finished);
        }
    }
}

/// Runs a claimed job. Whatever happens, it is closed or waits again afterwards, or its heartbeat stops and others see it.
async fn run(runner: &Runner, task: &dyn Task, job: &Waiting, cancel: CancellationToken) -> Option<Finished> {
    match AssertUnwindSafe(runner.run_claimed(task, job, cancel)).catch_unwind().await {
        Ok(Ok(finished)) => finished,
        Ok(Err(error)) => {
            tracing::warn!(job = job.id, %error, "the job could not be begun and waits again");
            let again = runner.clock.now() + AFTER_TROUBLE;
            if let Err(error) = queue::put_back(&runner.store, job.id, &process::this_process(), again).await
            {
                tracing::warn!(job = job.id, %error, "the job could not be put back");
            }
            None
        }
        Err(_) => Some(broken(runner, task, job).await),
    }
}

/// Closes the job of a task that panicked; the panic itself is on standard error.
async fn broken(runner: &Runner, task: &dyn Task, job: &Waiting) -> Finished {
    let message = "the task panicked, which is a mistake in this program; its log has the place".to_owned();
    let close = Close { status: Status::Errored, outcome: None, error: Some(message.clone()), data: None };
    let closed = jobs::close(&runner.store, job.id, &close, runner.clock.now()).await.map(drop);
    let freed = queue::free_locks_of(&runner.store, job.id).await;
    if let Err(error) = closed.and(freed) {
        tracing::warn!(job = job.id, %error, "the job record could not be closed");
    }
    Finished {
        job: job.id,
        task: task.name(),
        status: Status::Errored,
        outcome: None,
        message,
        data: serde_json::Value::Null,
        exit: 1,
    }
}
