//! What becomes of a job record: opened, begun, added to, closed.

use chrono::{DateTime, Utc};

use super::{LogLine, NewJob, Outcome, Progress, Status};
use crate::events::{self, EventKind};
use crate::queue::{self, Again};
use crate::{Session, Store, StoreError, Value, locks};

/// How a job ends.
#[derive(Clone, Debug)]
pub struct Close {
    /// A status that [`Status::is_over`].
    pub status: Status,
    /// How well it went, for a completed job; or that it was lost.
    pub outcome: Option<Outcome>,
    /// Why it did not complete, in full.
    pub error: Option<String>,
    /// What the task gave back.
    pub data: Option<serde_json::Value>,
    /// The exit status of a command that runs it.
    pub exit: u8,
    /// Whether it did harm that keeps the rest of its batch from being begun.
    pub spoilt: bool,
}

impl Close {
    /// With this error and exit status 1.
    pub fn because(status: Status, error: &str) -> Self {
        let error = Some(error.to_owned());
        Self { status, outcome: None, error, data: None, exit: 1, spoilt: false }
    }
}

/// Records a job as pending and gives its number. `owner` is the process that is about to run it, if there is one yet;
/// it has to give signs of life from now on.
pub async fn open(
    store: &Store,
    job: &NewJob,
    owner: Option<&str>,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let row = store
        .row(
            "INSERT INTO core_job (job_id, name, task, arguments, user_id, status, created, owner, heartbeat, task_key) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            vec![
                job.job_id.as_str().into(),
                job.name.as_str().into(),
                job.task.as_str().into(),
                Value::json(&job.arguments),
                job.user_id.into(),
                Status::Pending.as_str().into(),
                now.into(),
                owner.map(str::to_owned).into(),
                owner.map(|_| now).into(),
                queue::task_key(&job.task, &job.arguments).into(),
            ],
        )
        .await?;
    row.map_or_else(|| Err(StoreError::Data("the job was not recorded".into())), |row| row.get("id"))
}

/// Marks a job as running; also one that housekeeping closed because its process slept for long before it began.
pub async fn start(store: &Store, id: i64, owner: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    store
        .execute(
            "UPDATE core_job SET status = ?, owner = ?, started = ?, heartbeat = ?, completed = NULL, error = NULL \
             WHERE id = ?",
            vec![Status::Running.as_str().into(), owner.into(), now.into(), now.into(), id.into()],
        )
        .await?;
    Ok(())
}

/// Notes that a job did harm that keeps the rest of its batch from being begun, at the moment when that is known.
///
/// # Errors
/// Those of the database.
pub async fn spoil(store: &Store, id: i64) -> Result<(), StoreError> {
    store.execute("UPDATE core_job SET spoilt = ? WHERE id = ?", vec![true.into(), id.into()]).await?;
    Ok(())
}

/// What the one who runs a job learns when it gives a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Whether the job is still open; somebody may have taken its process for dead.
    pub open: bool,
    /// Whether somebody asked for its end.
    pub cancel: bool,
}

/// What is added to a job record.
#[derive(Clone, Copy, Debug)]
pub struct Last<'a> {
    /// The number of the first of the lines.
    pub first: i64,
    /// Log lines. A number that is there already is left alone, so the same lines may be given again by somebody who does not
    /// know whether they were stored.
    pub lines: &'a [LogLine],
    /// How far the work is.
    pub progress: Option<&'a Progress>,
}

/// Adds log lines, numbered from `first`, and notes progress and a sign of life, as [`Last`] has it.
pub async fn note(
    store: &Store,
    id: i64,
    first: i64,
    lines: &[LogLine],
    progress: Option<&Progress>,
    now: DateTime<Utc>,
) -> Result<Pulse, StoreError> {
    note_at(store, id, Last { first, lines, progress }, || now).await
}

/// As [`note`], at the time that it is once the database is reached: that may have been waited for, and the sign of life would be
/// an old one when it is seen.
pub async fn note_at(
    store: &Store,
    id: i64,
    last: Last<'_>,
    now: impl FnOnce() -> DateTime<Utc>,
) -> Result<Pulse, StoreError> {
    let mut transaction = store.begin().await?;
    let now = now();
    let mut session = transaction.session();
    add_lines(&mut session, id, last.first, last.lines).await?;
    let row = session
        .row(
            "UPDATE core_job SET heartbeat = ?, progress_done = ?, progress_total = ?, progress_label = ? WHERE id = ? \
             RETURNING status, cancel_asked",
            with_progress(vec![now.into()], last.progress, id),
        )
        .await?;
    let pulse = match row {
        Some(row) => Pulse {
            open: Status::parse(&row.get::<String, _>("status")?).is_some_and(|status| !status.is_over()),
            cancel: row.get::<Option<DateTime<Utc>>, _>("cancel_asked")?.is_some(),
        },
        None => Pulse { open: false, cancel: false },
    };
    transaction.commit().await?;
    Ok(pulse)
}

/// These values, then those of the progress, then the job's number.
fn with_progress(mut values: Vec<Value>, progress: Option<&Progress>, id: i64) -> Vec<Value> {
    values.extend([
        progress.map(|progress| progress.done).into(),
        progress.map(|progress| progress.total).into(),
        progress.map(|progress| progress.label.clone()).into(),
        id.into(),
    ]);
    values
}

async fn add_lines(
    session: &mut Session<'_>,
    id: i64,
    first: i64,
    lines: &[LogLine],
) -> Result<(), StoreError> {
    for (chunk, place) in lines.chunks(100).zip((first..).step_by(100)) {
        let mut values = Vec::with_capacity(chunk.len() * 6);
        for (line, number) in chunk.iter().zip(place..) {
            values.extend([
                Value::from(id),
                number.into(),
                line.time.into(),
                line.level.as_str().into(),
                line.object.clone().into(),
                line.message.as_str().into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO core_joblog (job_id, line, time, level, object, message) VALUES {} \
             ON CONFLICT (job_id, line) DO NOTHING",
            vec!["(?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// What came of ending a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Whether it was still open.
    pub closed: bool,
    /// The job that does it again.
    pub again: Option<i64>,
}

/// The end of a run, in one transaction: its last lines, the end of its job, and that its locks are free. A job that is over,
/// or is not `owner`'s any more, stays as it is. `again` is put on the queue, unless somebody asked for the job's end or closed
/// it.
pub async fn finish(
    store: &Store,
    id: i64,
    owner: &str,
    last: Last<'_>,
    close: &Close,
    again: Option<&Again>,
    now: DateTime<Utc>,
) -> Result<Closed, StoreError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let sql = "UPDATE core_job SET progress_done = ?, progress_total = ?, progress_label = ? WHERE id = ? \
               AND status IN ('pending', 'running') AND owner = ? RETURNING cancel_asked";
    let mut values = with_progress(vec![], last.progress, id);
    values.push(owner.into());
    let open = session.row(sql, values).await?;
    let mut closed = Closed { closed: open.is_some(), again: None };
    if let Some(row) = open {
        add_lines(&mut session, id, last.first, last.lines).await?;
        let asked: Option<DateTime<Utc>> = row.get("cancel_asked")?;
        let mut error = close.error.clone();
        if let Some(again) = again.filter(|_| asked.is_none()) {
            let job = queue::add_in(&mut session, &again.ask, now).await?.job;
            error = Some(format!("{}; job {job} does it again{}", error.unwrap_or_default(), again.text));
            closed.again = Some(job);
        }
        close_in(&mut session, id, &Close { error, ..close.clone() }, now).await?;
        locks::release_in(&mut session, id).await?;
    }
    transaction.commit().await?;
    Ok(closed)
}

/// Ends a job and says whether it did: a job that is over stays as it is.
pub async fn close(store: &Store, id: i64, close: &Close, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let mut transaction = store.begin().await?;
    let closed = close_in(&mut transaction.session(), id, close, now).await?;
    transaction.commit().await?;
    Ok(closed)
}

/// Exit status of a job that a guard refused.
const REFUSED: u8 = 3;

/// What a job's end is to people.
fn kind_of(close: &Close) -> EventKind {
    match (close.status, close.outcome) {
        (_, Some(Outcome::Lost)) => EventKind::JobLost,
        (Status::Completed, Some(Outcome::Partial)) => EventKind::JobPartial,
        (Status::Completed, _) => EventKind::JobCompleted,
        (Status::Cancelled, _) => EventKind::JobCancelled,
        _ if close.exit == REFUSED => EventKind::GuardHeld,
        _ => EventKind::JobFailed,
    }
}

async fn close_in(
    session: &mut Session<'_>,
    id: i64,
    close: &Close,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let closed = session
        .execute(
            "UPDATE core_job SET status = ?, outcome = ?, error = ?, data = ?, exit_code = ?, spoilt = (spoilt OR ?), \
             completed = ?, heartbeat = ? WHERE id = ? AND status IN ('pending', 'running')",
            vec![
                close.status.as_str().into(),
                close.outcome.map(|outcome| outcome.as_str().to_owned()).into(),
                close.error.clone().into(),
                close.data.as_ref().map(serde_json::Value::to_string).into(),
                i64::from(close.exit).into(),
                close.spoilt.into(),
                now.into(),
                now.into(),
                id.into(),
            ],
        )
        .await?;
    if closed > 0 {
        events::jobs_ended(session, &[id], kind_of(close), now).await?;
    }
    Ok(closed > 0)
}
