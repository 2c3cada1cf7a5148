//! The job record: what ran, for whom, how far it got, what it said, and how it ended. What is written into it is in
//! `writing.rs`.

mod writing;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Row, Session, Store, StoreError, Value};

pub use writing::{Close, Closed, Last, Pulse, close, finish, note, note_at, open, spoil, start};

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),* }

        impl $name {
            /// All of them, in the order of the life cycle.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The inverse of [`Self::as_str`].
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use choices;

choices! {
    /// Where a job stands.
    Status {
        /// Asked for, not begun.
        Pending = "pending",
        /// At work.
        Running = "running",
        /// Done; see [`Outcome`] for how well.
        Completed = "completed",
        /// The task said no: it could not or would not do it, and says why.
        Failed = "failed",
        /// The task broke.
        Errored = "errored",
        /// Stopped from outside before its end.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Errored | Self::Cancelled)
    }
}

choices! {
    /// How well a completed job went, and which errored ones are lost.
    Outcome {
        /// Everything was done.
        Ok = "ok",
        /// There was nothing to do.
        NothingToDo = "nothing to do",
        /// Part of it was done; the log names the rest.
        Partial = "partial",
        /// The process that ran it vanished; nobody knows how far it came. Such a job is errored.
        Lost = "lost",
    }
}

choices! {
    /// Weight of a log line, with the original's names.
    Level {
        /// Detail, shown with `-v`.
        Default = "default",
        /// What happens.
        Info = "info",
        /// What went well.
        Success = "success",
        /// What somebody should look at.
        Warning = "warning",
        /// What went wrong.
        Failure = "failure",
    }
}

/// A job that is about to be recorded.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// UUID in its usual text form.
    pub job_id: String,
    /// The original's label, such as `peeringdb.synchronise`.
    pub name: String,
    /// The task's name.
    pub task: String,
    /// The task's arguments; holds no secret.
    pub arguments: serde_json::Value,
    /// Who asked for it; `None` for the command line.
    pub user_id: Option<i64>,
}

/// One line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it was said.
    pub time: DateTime<Utc>,
    /// How weighty it is.
    pub level: Level,
    /// The object it is about, as text.
    pub object: Option<String>,
    /// What was said.
    pub message: String,
}

/// How far a job has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Steps done.
    pub done: i64,
    /// Steps in all; 0 when unknown.
    pub total: i64,
    /// What is being done.
    pub label: String,
}

/// A job as it is stored.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// Number in this database.
    pub id: i64,
    /// UUID.
    pub job_id: String,
    /// The original's label.
    pub name: String,
    /// The task's name.
    pub task: String,
    /// The task's arguments.
    pub arguments: serde_json::Value,
    /// Where it stands.
    pub status: Status,
    /// How well it went, once completed; or that it was lost.
    pub outcome: Option<Outcome>,
    /// Why it did not complete.
    pub error: Option<String>,
    /// What the task gave back, for programs.
    pub data: Option<serde_json::Value>,
    /// When it was asked for.
    pub created: DateTime<Utc>,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed: Option<DateTime<Utc>>,
    /// When it last gave a sign of life.
    pub heartbeat: Option<DateTime<Utc>>,
    /// The process that runs or ran it.
    pub owner: Option<String>,
    /// How far it has got.
    pub progress: Option<Progress>,
    /// Login name of who asked for it.
    pub user: Option<String>,
    /// The number of that user.
    #[serde(skip)]
    pub user_id: Option<i64>,
    /// Whether it was put on the queue, or is run by the process that recorded it.
    pub queued: bool,
    /// The lock that a job of the queue will take.
    pub lock_key: Option<String>,
    /// No worker begins it earlier.
    pub not_before: Option<DateTime<Utc>>,
    /// When somebody asked for its end.
    pub cancel_asked: Option<DateTime<Utc>>,
    /// The job that this one does again.
    pub repeat_of: Option<i64>,
    /// Which attempt it is; the first is 1.
    pub attempt: i64,
    /// How urgent it is; higher goes first.
    pub priority: i64,
    /// Which workers run it; `None` for one that was not put on the queue.
    pub queue: Option<String>,
    /// What it has in common with those that were asked for together with it.
    pub batch: Option<String>,
    /// The exit status of a command that ran it; once it is over.
    pub exit_code: Option<i64>,
}

impl Job {
    /// How long it took, or has taken so far; `None` before it began.
    pub fn duration(&self, now: DateTime<Utc>) -> Option<chrono::TimeDelta> {
        self.started.map(|started| self.completed.unwrap_or(now) - started)
    }

    /// Whether it waits for a worker.
    pub fn is_waiting(&self) -> bool {
        self.status == Status::Pending && self.queued && self.owner.is_none()
    }
}

/// Error text of a job whose process vanished.
pub const ABANDONED: &str =
    "the process that ran it ended without closing it (killed, or the host went down)";

/// Adds to the error of a job that its process did not close what was found out about it since.
pub async fn add_to_error(session: &mut Session<'_>, id: i64, text: &str) -> Result<(), StoreError> {
    let sql = "UPDATE core_job SET error = error || '; ' || ? WHERE id = ? AND status = 'errored' AND error IS NOT NULL";
    session.execute(sql, vec![text.into(), id.into()]).await?;
    Ok(())
}

const SELECT: &str = "SELECT j.*, u.username FROM core_job j LEFT JOIN auth_user u ON u.id = j.user_id";

/// Which jobs somebody wants to see.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Those in this status.
    pub status: Option<Status>,
    /// Those of this task.
    pub task: Option<&'a str>,
    /// Those of this queue.
    pub queue: Option<&'a str>,
}

/// The newest jobs first, at most `limit`, optionally of one status or task.
pub async fn list(
    store: &Store,
    status: Option<Status>,
    task: Option<&str>,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    find(store, Filter { status, task, queue: None }, limit).await
}

/// The newest jobs first, at most `limit`.
pub async fn find(store: &Store, filter: Filter<'_>, limit: i64) -> Result<Vec<Job>, StoreError> {
    let columns =
        [("j.status", filter.status.map(Status::as_str)), ("j.task", filter.task), ("j.queue", filter.queue)];
    let wanted: Vec<(&str, &str)> =
        columns.into_iter().filter_map(|(column, value)| Some((column, value?))).collect();
    let conditions: Vec<String> = wanted.iter().map(|(column, _)| format!("{column} = ?")).collect();
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let mut values: Vec<Value> = wanted.iter().map(|(_, value)| (*value).into()).collect();
    values.push(limit.into());
    let rows =
        store.rows(&format!("{SELECT}{filter} ORDER BY j.created DESC, j.id DESC LIMIT ?"), values).await?;
    rows.iter().map(job_of).collect()
}

/// The job that does this one again, if there is one; the newest of several.
pub async fn repetition(store: &Store, id: i64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT MAX(id) AS id FROM core_job WHERE repeat_of = ?";
    store.row(sql, vec![id.into()]).await?.map_or(Ok(None), |row| row.get("id"))
}

/// The job with this number.
pub async fn get(store: &Store, id: i64) -> Result<Option<Job>, StoreError> {
    store.row(&format!("{SELECT} WHERE j.id = ?"), vec![id.into()]).await?.as_ref().map(job_of).transpose()
}

/// The job with this UUID.
pub async fn get_by_uuid(store: &Store, job_id: &str) -> Result<Option<Job>, StoreError> {
    store
        .row(&format!("{SELECT} WHERE j.job_id = ?"), vec![job_id.into()])
        .await?
        .as_ref()
        .map(job_of)
        .transpose()
}

/// A job's log, oldest line first.
pub async fn log(store: &Store, id: i64) -> Result<Vec<LogLine>, StoreError> {
    log_from(store, id, 0).await
}

/// The same from this line on; the first is 0.
pub async fn log_from(store: &Store, id: i64, first: i64) -> Result<Vec<LogLine>, StoreError> {
    let rows = store
        .rows(
            "SELECT time, level, object, message FROM core_joblog WHERE job_id = ? AND line >= ? ORDER BY line",
            vec![id.into(), first.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LogLine {
                time: row.get("time")?,
                level: Level::parse(&row.get::<String, _>("level")?).unwrap_or(Level::Info),
                object: row.get("object")?,
                message: row.get("message")?,
            })
        })
        .collect()
}

fn job_of(row: &Row) -> Result<Job, StoreError> {
    let status: String = row.get("status")?;
    let progress = row.get::<Option<i64>, _>("progress_done")?.map(|done| {
        Ok::<_, StoreError>(Progress {
            done,
            total: row.get::<Option<i64>, _>("progress_total")?.unwrap_or_default(),
            label: row.get::<Option<String>, _>("progress_label")?.unwrap_or_default(),
        })
    });
    Ok(Job {
        id: row.get("id")?,
        job_id: row.get("job_id")?,
        name: row.get("name")?,
        task: row.get("task")?,
        arguments: row.json("arguments")?.unwrap_or_default(),
        status: Status::parse(&status).ok_or_else(|| StoreError::Data(format!("job status {status}")))?,
        outcome: row.get::<Option<String>, _>("outcome")?.as_deref().and_then(Outcome::parse),
        error: row.get("error")?,
        data: row.json("data")?,
        created: row.get("created")?,
        started: row.get("started")?,
        completed: row.get("completed")?,
        heartbeat: row.get("heartbeat")?,
        owner: row.get("owner")?,
        progress: progress.transpose()?,
        user: row.get("username")?,
        user_id: row.get("user_id")?,
        queued: row.get("queued")?,
        lock_key: row.get("lock_key")?,
        not_before: row.get("not_before")?,
        cancel_asked: row.get("cancel_asked")?,
        repeat_of: row.get("repeat_of")?,
        attempt: row.get("attempt")?,
        priority: row.get("priority")?,
        queue: row.get("queue")?,
        batch: row.get("batch")?,
        exit_code: row.get("exit_code")?,
    })
}
