//! The worker: runs the jobs that wait on the queue, some at a time, until it is told to stop.
//!
//! It decides nothing about a task. It takes a job, hands it to [`Runner`], and takes the next one, the most urgent first and of
//! these the oldest. A job whose lock is taken is left where it is, and holds nobody up but later jobs with the same lock.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt as _;
use pm_store::jobs::{self, Close, Last, Level, Outcome, Status};
use pm_store::queue::{self, Begun, Look, Waiting, Who, Wish};
use pm_store::{StoreError, migrations};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::queue::{
    Catalogue, Queue, Whose, are_silent, forget_workers, patrol, recover, silence, told, until_all_spoke,
};
use crate::runner::{Claimed, HEARTBEAT};
use crate::{Finished, Runner, Sink, Task, process};

/// Jobs that are looked at in one question.
const PAGE: i64 = 20;
/// How long it waits before it looks again while something waits for a lock or a time; nobody rings for these.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The same while nothing waits. It is woken when a job is put on the queue; a ring can be missed.
const LOOK_AGAIN_WOKEN: Duration = Duration::from_secs(5);
/// How long the database may take to answer when the worker is told to stop; a connection whose other end is gone never does.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
/// The longest wait after the database failed; it begins with `LOOK_AGAIN` and doubles.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Somebody who watches a worker.
pub trait Watch: Send + Sync {
    /// Who watches this job.
    fn sink(&self, job: i64, task: &str) -> Arc<dyn Sink>;
    /// What the worker itself has to say.
    fn say(&self, level: Level, message: &str);
    /// The worker's loop turns, with so many jobs in hand; nothing if this round failed. See [`crate::Pulse::turn`].
    fn turned(&self, _busy: Option<usize>) {}
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
    /// The queues that it serves; all, if none are named.
    pub queues: Vec<Queue>,
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
    /// Ends what runs.
    end: CancellationToken,
    tally: Tally,
    /// Jobs that this program cannot read; a newer one will.
    passed_over: BTreeSet<i64>,
    next_patrol: Instant,
    reach: Reach,
    /// Jobs were silent at the last patrol, and their processes may not have been able to speak.
    doubts: bool,
}

/// Whether the database could be reached all the time, so that others could write their signs of life, too. Whoever begins does not
/// know: it may have been away until now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    last: Instant,
    failed: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self { last: Instant::now(), failed: true }
    }
}

impl Reach {
    /// A round went well, or failed.
    pub(crate) fn note(&mut self, well: bool) {
        if well {
            self.last = Instant::now();
        }
        self.failed |= !well;
    }

    /// Whether somebody who was silent for that long had every chance to speak. Asked again later, it is so if nothing has
    /// happened since.
    pub(crate) fn held(&mut self, silence: TimeDelta) -> bool {
        // Whoever has nothing to do looks around every few signs of life.
        let most = (silence.to_std().unwrap_or_default() / 2).max(4 * HEARTBEAT);
        let held = !self.failed && self.last.elapsed() <= most;
        *self = Self { last: Instant::now(), failed: false };
        held
    }
}

impl Worker {
    /// As [`Worker::run_until`], with nobody who is in a hurry.
    ///
    /// # Errors
    /// As [`Worker::run_until`].
    pub async fn run(&self, stop: CancellationToken) -> Result<Tally, StoreError> {
        self.run_until(stop, CancellationToken::new()).await
    }

    /// Works until it is told to stop, or with `once` until nothing waits any more that it can run. Then it takes nothing more;
    /// what runs may go on for `worker_stop_seconds`, or until `hurry`. What still runs then is cancelled, and handed back to
    /// the queue if it can be repeated.
    ///
    /// # Errors
    /// Those of the database at the very beginning, and with `once` later ones, too; otherwise it tries again. A schema of
    /// another release, whenever it appears.
    pub async fn run_until(
        &self,
        stop: CancellationToken,
        hurry: CancellationToken,
    ) -> Result<Tally, StoreError> {
        let owner = process::this_process();
        let mut shift = Shift {
            running: JoinSet::new(),
            end: CancellationToken::new(),
            tally: Tally::default(),
            passed_over: BTreeSet::new(),
            next_patrol: Instant::now(),
            reach: Reach::default(),
            doubts: false,
        };
        let ended = self.work(&mut shift, &owner, &stop).await;
        // Nobody is to count on it any more.
        match tokio::time::timeout(GRACE, queue::sign_off(&self.runner.store, &owner)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the worker could not sign off"),
            Err(_) => tracing::debug!("the worker could not sign off in time"),
        }
        if ended.is_ok() {
            self.let_finish(&mut shift, &hurry).await;
        }
        shift.end.cancel();
        while let Some(ended) = shift.running.join_next().await {
            shift.count(ended.ok().flatten().as_ref());
        }
        ended.map(|()| shift.tally)
    }

    async fn work(&self, shift: &mut Shift, owner: &str, stop: &CancellationToken) -> Result<(), StoreError> {
        let bell = self.runner.store.bell();
        let mut trouble = 0_u32;
        let mut begun = false;
        while !stop.is_cancelled() {
            let Some(round) = within_grace(stop, Box::pin(self.round(shift, owner))).await else {
                self.watch.say(Level::Warning, "the database does not answer; stopping without it");
                return Ok(());
            };
            shift.reach.note(round.is_ok());
            let pause = match round {
                Ok(waits) => {
                    (trouble, begun) = (0, true);
                    self.watch.turned(Some(shift.running.len()));
                    if self.once && !waits && !shift.doubts && shift.running.is_empty() {
                        return Ok(());
                    }
                    // Only an empty queue is worth a long sleep: nobody rings when a lock is let go.
                    let pause = if waits { LOOK_AGAIN } else { LOOK_AGAIN_WOKEN };
                    pause.min(shift.next_patrol - Instant::now())
                }
                Err(error) if self.is_the_end(&error, begun) => return Err(error),
                Err(error) => {
                    self.watch.turned(None);
                    let pause = LOOK_AGAIN.saturating_mul(1 << trouble.min(8)).min(LONGEST_PAUSE);
                    trouble += 1;
                    self.watch
                        .say(Level::Warning, &format!("the queue cannot be read, trying again: {error}"));
                    pause
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = shift.running.join_next() => shift.count(ended.ok().flatten().as_ref()),
                () = bell.rung() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Waits for what runs, but not for ever.
    async fn let_finish(&self, shift: &mut Shift, hurry: &CancellationToken) {
        let patience = Duration::from_secs(self.runner.config.worker_stop_seconds.into());
        if !shift.running.is_empty() && !patience.is_zero() {
            let text = format!(
                "stopping: what runs ({}) may take {} s to finish, nothing more is begun",
                shift.running.len(),
                patience.as_secs()
            );
            self.watch.say(Level::Info, &text);
        }
        let end = Instant::now() + patience;
        while !shift.running.is_empty() {
            tokio::select! {
                Some(ended) = shift.running.join_next() => shift.count(ended.ok().flatten().as_ref()),
                () = hurry.cancelled() => return,
                () = tokio::time::sleep_until(end) => return,
            }
        }
    }

    /// Whether to end because of this rather than to try again.
    fn is_the_end(&self, error: &StoreError, begun: bool) -> bool {
        match error {
            StoreError::SchemaTooNew { .. } | StoreError::SchemaTooOld { .. } => true,
            StoreError::Busy => false,
            _ => self.once || !begun,
        }
    }

    /// Looks after lost jobs if it is time, and begins what can be begun. Says whether jobs wait that this program can run, now
    /// or later.
    async fn round(&self, shift: &mut Shift, owner: &str) -> Result<bool, StoreError> {
        let store = &self.runner.store;
        let lease = TimeDelta::seconds(self.runner.config.lock_lease.into());
        if shift.next_patrol <= Instant::now() {
            let all_could_speak = shift.reach.held(silence(store, lease));
            match self.patrol(owner, lease, all_could_speak).await {
                Ok(doubts) => shift.doubts = doubts,
                // What is written for long keeps nobody from what waits; others may not be able to speak meanwhile either.
                Err(StoreError::Busy) => shift.reach.note(false),
                Err(error) => return Err(error),
            }
            let next = if all_could_speak { patrol(lease) } else { until_all_spoke(lease) };
            shift.next_patrol = Instant::now() + next;
        }
        let queues = self.queues.iter().map(|queue| queue.as_str().to_owned()).collect();
        let mut look = Look { passed_over: Vec::new(), queues };
        while shift.running.len() < self.concurrency {
            look.passed_over = shift.passed_over.iter().copied().collect();
            let now = self.runner.clock.now();
            let due = queue::due(store, &look, PAGE, now).await?;
            let (tasks, unknown) = self.read(due.jobs);
            if !unknown.is_empty() {
                shift.passed_over.extend(unknown);
                continue;
            }
            let wishes: Vec<Wish> =
                tasks.iter().map(|(job, task)| self.wish(job.id, task.as_ref())).collect();
            match queue::begin(store, &wishes, &look, Who { owner, lease, now }, process::is_dead).await? {
                // There are none, or others were faster.
                Begun::Nothing => return Ok(due.waits),
                Begun::Dropped { id, reason } => {
                    self.watch.say(Level::Warning, &format!("job {id}: {reason}"));
                    shift.tally.cancelled += 1;
                }
                Begun::Job { id, lines, lock, from } => {
                    if let Some((job, task)) = tasks.into_iter().find(|(job, _)| job.id == id) {
                        self.begin(shift, Claimed { job, lines, lock, from }, task);
                    }
                }
            }
        }
        Ok(true)
    }

    fn wish(&self, id: i64, task: &dyn Task) -> Wish {
        let most_spoilt = task.most_spoilt(&self.runner.config).map(i64::from);
        Wish { id, lock: task.lock_key(), most_spoilt }
    }

    /// Gives a sign of life, and closes the jobs of those who are dead; and of those who give none, if they could. Says whether
    /// there are some of whom it cannot be said yet.
    async fn patrol(&self, owner: &str, lease: TimeDelta, all_could_speak: bool) -> Result<bool, StoreError> {
        let store = &self.runner.store;
        // Somebody may have upgraded the database meanwhile; the program that is needed now is another one.
        migrations::verify(store).await?;
        let concurrency = i64::try_from(self.concurrency).unwrap_or(i64::MAX);
        let queues: Vec<String> = self.queues.iter().map(|queue| queue.as_str().to_owned()).collect();
        queue::sign_on(store, owner, concurrency, &queues, self.runner.clock.now()).await?;
        let now = self.runner.clock.now();
        let whose = if all_could_speak { Whose::AlsoOfTheSilent } else { Whose::OfTheDead };
        for lost in recover(store, self.catalogue.as_ref(), whose, lease, now).await? {
            self.watch.say(Level::Warning, &told(&lost));
        }
        forget_workers(store, whose, lease, now).await?;
        Ok(!all_could_speak && are_silent(store, lease, now).await?)
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

    fn begin(&self, shift: &mut Shift, claimed: Claimed, task: Box<dyn Task>) {
        let job = &claimed.job;
        let sink = self.watch.sink(job.id, &job.task);
        let seed = self.runner.seed ^ job.id.unsigned_abs();
        let runner = Runner { sink, seed, wait: false, ..self.runner.clone() };
        let cancel = shift.end.child_token();
        shift.running.spawn(async move { run(&runner, task.as_ref(), claimed, cancel).await });
    }
}

impl Shift {
    fn count(&mut self, finished: Option<&Finished>) {
        if let Some(finished) = finished {
            self.tally.count(finished);
        }
    }
}

/// What comes of it; nothing if it takes too long after somebody was told to stop.
pub(crate) async fn within_grace<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    let over = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = over => None,
    }
}

/// Runs a job that was taken. Whatever happens, it is closed or waits again afterwards, or its heartbeat stops and others see
/// it.
async fn run(
    runner: &Runner,
    task: &dyn Task,
    claimed: Claimed,
    cancel: CancellationToken,
) -> Option<Finished> {
    let job = claimed.job.id;
    match AssertUnwindSafe(runner.run_claimed(task, claimed, cancel)).catch_unwind().await {
        Ok(finished) => finished,
        Err(_) => Some(broken(runner, task, job).await),
    }
}

/// Closes the job of a task that panicked; the panic itself is on standard error. What it said last is lost.
async fn broken(runner: &Runner, task: &dyn Task, job: i64) -> Finished {
    let message = "the task panicked, which is a mistake in this program; its log has the place".to_owned();
    let close = Close::because(Status::Errored, &message);
    let last = Last { first: 0, lines: &[], progress: None };
    let (owner, now) = (process::this_process(), runner.clock.now());
    if let Err(error) = jobs::finish(&runner.store, job, &owner, last, &close, None, now).await {
        tracing::warn!(job, %error, "the job record could not be closed");
    }
    Finished {
        job,
        task: task.name(),
        status: Status::Errored,
        outcome: None,
        message,
        data: serde_json::Value::Null,
        exit: 1,
    }
}
