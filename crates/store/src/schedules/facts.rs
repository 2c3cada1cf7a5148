//! What a slot may depend on: how old data is, how the last run of something ended, and whether one is still going on.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::error::Holder;
use crate::jobs::{Outcome, Status};
use crate::queue::{WHOLE_BATCH, task_key};
use crate::{Row, Session, StoreError};

/// When the PeeringDB cache was synchronised last: the oldest of its kinds of records counts. `None`: never.
pub async fn peeringdb_synchronised(session: &mut Session<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row = session.row("SELECT MIN(synchronised) AS time FROM peeringdb_watermark", vec![]).await?;
    row.map_or(Ok(None), |row| row.get("time"))
}

/// How old the prefix lists are that are wanted and there: when the oldest of them was answered for last, but for a tenth of
/// them that may be older, since some peer's AS-SET is always gone. `None`: no list has been fetched.
pub async fn irr_answered(session: &mut Session<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    const THERE: &str =
        "FROM peering_irrstate WHERE state NOT IN ('off', 'missing') AND kind IN ('ipv4', 'ipv6')";
    let sql = format!(
        "SELECT answered AS time {THERE} ORDER BY CASE WHEN answered IS NULL THEN 0 ELSE 1 END, answered \
         LIMIT 1 OFFSET (SELECT COUNT(*) / 10 {THERE})"
    );
    let row = session.row(&sql, vec![]).await?;
    row.map_or(Ok(None), |row| row.get("time"))
}

/// A run of something.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The number of its job.
    pub job: i64,
    /// The task's arguments.
    pub arguments: Json,
    /// Where it stands.
    pub status: Status,
    /// How well it went, once completed.
    pub outcome: Option<Outcome>,
    /// The process that runs it; `None` for one that waits for a worker.
    pub owner: Option<String>,
    /// When that process last gave a sign of life.
    pub heartbeat: Option<DateTime<Utc>>,
}

/// What the arguments of a run say that does all that its task is there for: no rehearsal, and not about some objects only. A
/// plan that is made true may be about some routers.
const WHOLE: &str = r#"arguments NOT LIKE '%"dry_run":true%' AND arguments NOT LIKE '%"limit":"%' AND arguments NOT LIKE '%"of":"%'
    AND (arguments NOT LIKE '%"apply":%' OR arguments LIKE '%"apply":null%')
    AND (task = 'irr_accept' OR arguments NOT LIKE '%"asns":[%' OR arguments LIKE '%"asns":[]%')"#;

/// The newest run of the task of this name that did all that the task is there for, or for the schedule of this name with its
/// arguments, whoever asked for it; a job that does another one again counts as that one. Jobs that were asked for together are
/// one run, if they are about all that there is, and the worst of them is given. One that was cancelled before it began is none.
pub async fn last_run(session: &mut Session<'_>, name: &str) -> Result<Option<Run>, StoreError> {
    let own = "SELECT task, arguments FROM core_schedule WHERE name = ?";
    let own = session.row(own, vec![name.into()]).await?.map(|row| {
        let arguments = row.json("arguments")?.unwrap_or_default();
        Ok::<_, StoreError>(task_key(&row.get::<String, _>("task")?, &arguments))
    });
    let sql = format!(
        "SELECT id, arguments, status, outcome, owner, heartbeat, batch FROM core_job \
         WHERE ((task = ? AND ({WHOLE} OR (batch LIKE '{WHOLE_BATCH}%' AND arguments NOT LIKE '%\"dry_run\":true%'))) \
         OR task_key = ? OR id IN (WITH RECURSIVE chain (id) AS ( \
         SELECT last_job FROM core_schedule WHERE name = ? AND last_job IS NOT NULL \
         UNION SELECT j.id FROM core_job j JOIN chain ON j.repeat_of = chain.id) SELECT id FROM chain)) \
         AND NOT (status = 'cancelled' AND started IS NULL) ORDER BY id DESC LIMIT 1"
    );
    let own: Option<String> = own.transpose()?;
    let Some(row) = session.row(&sql, vec![name.into(), own.into(), name.into()]).await? else {
        return Ok(None);
    };
    match row.get::<Option<String>, _>("batch")? {
        Some(batch) if batch.starts_with(WHOLE_BATCH) => worst(session, &batch).await,
        _ => run_of(&row).map(Some),
    }
}

/// The job of a batch that went worst; one that was done again counts by what does it again.
async fn worst(session: &mut Session<'_>, batch: &str) -> Result<Option<Run>, StoreError> {
    let sql = "WITH RECURSIVE chain (id) AS (SELECT id FROM core_job WHERE batch = ? \
               UNION SELECT j.id FROM core_job j JOIN chain ON j.repeat_of = chain.id) \
               SELECT id, arguments, status, outcome, owner, heartbeat FROM core_job WHERE id IN (SELECT id FROM chain) \
               AND NOT EXISTS (SELECT 1 FROM core_job r WHERE r.repeat_of = core_job.id) \
               ORDER BY CASE WHEN status IN ('failed', 'errored') THEN 0 WHEN status = 'cancelled' THEN 1 \
               WHEN outcome = 'partial' THEN 2 WHEN status <> 'completed' THEN 3 ELSE 4 END, id DESC LIMIT 1";
    let row = session.row(sql, vec![batch.into()]).await?;
    row.as_ref().map(run_of).transpose()
}

/// A synchronisation that asks PeeringDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synchronisation {
    /// The number of its job.
    pub job: i64,
    /// When it was begun; `None` for one that waits for a worker.
    pub begun: Option<DateTime<Utc>>,
}

/// The synchronisation that waits, or else the one that was begun last, by whomever and however it ended. One that reads saved
/// files asks nobody.
pub async fn last_synchronisation(session: &mut Session<'_>) -> Result<Option<Synchronisation>, StoreError> {
    let sql = r#"SELECT id, CASE WHEN waits = 1 THEN NULL ELSE begun END AS begun FROM (
        SELECT id, COALESCE(started, created) AS begun,
            CASE WHEN status = 'pending' AND queued AND owner IS NULL THEN 1 ELSE 0 END AS waits
        FROM core_job WHERE task = 'peeringdb_sync' AND arguments NOT LIKE '%"from":"%'
            AND NOT (status = 'cancelled' AND started IS NULL)) asked
        ORDER BY waits DESC, begun DESC, id DESC LIMIT 1"#;
    let row = session.row(sql, vec![]).await?;
    row.map(|row| Ok(Synchronisation { job: row.get("id")?, begun: row.get("begun")? })).transpose()
}

/// The runs of a task that are not over, the oldest first.
pub async fn open_runs(session: &mut Session<'_>, task: &str) -> Result<Vec<Run>, StoreError> {
    let sql = "SELECT id, arguments, status, outcome, owner, heartbeat FROM core_job \
               WHERE status IN ('pending', 'running') AND task = ? ORDER BY id";
    let rows = session.rows(sql, vec![task.into()]).await?;
    rows.iter().map(run_of).collect()
}

/// Who holds a lock at this time.
pub async fn holder(
    session: &mut Session<'_>,
    key: &str,
    now: DateTime<Utc>,
) -> Result<Option<Holder>, StoreError> {
    let sql = "SELECT owner, job_id, acquired, expires FROM core_lock \
               WHERE key = ? AND owner IS NOT NULL AND expires > ?";
    let row = session.row(sql, vec![key.into(), now.into()]).await?;
    row.map(|row| {
        Ok(Holder {
            owner: row.get("owner")?,
            job: row.get("job_id")?,
            since: row.get("acquired")?,
            expires: row.get("expires")?,
        })
    })
    .transpose()
}

fn run_of(row: &Row) -> Result<Run, StoreError> {
    let status: String = row.get("status")?;
    Ok(Run {
        job: row.get("id")?,
        arguments: row.json("arguments")?.unwrap_or_default(),
        status: Status::parse(&status).ok_or_else(|| StoreError::Data(format!("job status {status}")))?,
        outcome: row.get::<Option<String>, _>("outcome")?.as_deref().and_then(Outcome::parse),
        owner: row.get("owner")?,
        heartbeat: row.get("heartbeat")?,
    })
}
