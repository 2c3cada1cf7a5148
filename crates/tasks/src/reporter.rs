//! What a task says while it works: into the job record, and to whoever watches.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use pm_store::jobs::{self, Close, Closed, Last, Level, LogLine, Progress, Pulse};
use pm_store::queue::Again;
use pm_store::{Store, StoreError};

use crate::{Clock, process};

/// Somebody who watches: a terminal, a test, nobody.
pub trait Sink: Send + Sync {
    /// A line was said.
    fn line(&self, line: &LogLine);
    /// The work got further.
    fn progress(&self, progress: &Progress);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn line(&self, _: &LogLine) {}
    fn progress(&self, _: &Progress) {}
}

/// Where a task speaks to. Lines reach the watcher at once and the job record at most once a second, because SQLite
/// has one writer.
#[derive(Clone)]
pub struct Reporter {
    clock: Arc<dyn Clock>,
    sink: Arc<dyn Sink>,
    pending: Arc<Mutex<Pending>>,
}

#[derive(Default)]
struct Pending {
    written: i64,
    lines: Vec<LogLine>,
    progress: Option<Progress>,
}

impl Reporter {
    pub(crate) fn new(clock: Arc<dyn Clock>, sink: Arc<dyn Sink>) -> Self {
        Self::after(0, clock, sink)
    }

    /// One whose first line comes after so many that the job record has already.
    pub(crate) fn after(written: i64, clock: Arc<dyn Clock>, sink: Arc<dyn Sink>) -> Self {
        Self { clock, sink, pending: Arc::new(Mutex::new(Pending { written, ..Pending::default() })) }
    }

    /// Detail that only somebody who looks closely wants.
    pub fn detail(&self, message: impl Into<String>) {
        self.say(Level::Default, None, &message.into());
    }

    /// What happens.
    pub fn info(&self, message: impl Into<String>) {
        self.say(Level::Info, None, &message.into());
    }

    /// What went well.
    pub fn success(&self, message: impl Into<String>) {
        self.say(Level::Success, None, &message.into());
    }

    /// What somebody should look at.
    pub fn warning(&self, message: impl Into<String>) {
        self.say(Level::Warning, None, &message.into());
    }

    /// What went wrong.
    pub fn failure(&self, message: impl Into<String>) {
        self.say(Level::Failure, None, &message.into());
    }

    /// A line about one object.
    pub fn say(&self, level: Level, object: Option<String>, message: &str) {
        // Some of it comes from outside: a terminal must not obey it, and PostgreSQL keeps no NUL.
        let message = message.replace(|letter: char| letter.is_control() && letter != '\n', " ");
        let line = LogLine { time: self.clock.now(), level, object, message };
        self.sink.line(&line);
        self.locked().lines.push(line);
    }

    /// How far the work is: `done` of `total` steps (0 when unknown).
    pub fn progress(&self, done: usize, total: usize, label: impl Into<String>) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let progress = Progress { done: number(done), total: number(total), label: label.into() };
        self.sink.progress(&progress);
        self.locked().progress = Some(progress);
    }

    /// Writes what has not been written yet into the job record, with a sign of life. Lines are forgotten only once
    /// they are stored: this future may be dropped at any moment.
    pub(crate) async fn flush(&self, store: &Store, job: i64) -> Result<Pulse, StoreError> {
        let (first, lines, progress) = {
            let pending = self.locked();
            (pending.written, pending.lines.clone(), pending.progress.clone())
        };
        let last = Last { first, lines: &lines, progress: progress.as_ref() };
        let pulse = jobs::note_at(store, job, last, || self.clock.now()).await?;
        let mut pending = self.locked();
        pending.lines.drain(..lines.len());
        pending.written += i64::try_from(lines.len()).unwrap_or(0);
        Ok(pulse)
    }

    /// Ends the job, with what has not been written yet, see [`jobs::finish`].
    pub(crate) async fn finish(
        &self,
        store: &Store,
        job: i64,
        close: &Close,
        again: Option<&Again>,
        with_lines: bool,
        now: DateTime<Utc>,
    ) -> Result<Closed, StoreError> {
        let (first, lines, progress) = {
            let pending = self.locked();
            (pending.written, pending.lines.clone(), pending.progress.clone())
        };
        let lines = if with_lines { &lines[..] } else { &[] };
        let last = Last { first, lines, progress: progress.as_ref() };
        jobs::finish(store, job, &process::this_process(), last, close, again, now).await
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
