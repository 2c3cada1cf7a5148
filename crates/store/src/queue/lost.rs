//! Jobs whose process is gone.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::{Ask, add_all_in, integers, list};
use crate::events::{self, EventKind};
use crate::given::Given;
use crate::schema::ColumnKind;
use crate::{Engine, Session, Store, StoreError};

/// A job whose process is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Its number.
    pub id: i64,
    /// The task's name.
    pub task: String,
    /// The task's arguments.
    pub arguments: Json,
    /// The queue that it came from, if it came from one.
    pub queue: Option<String>,
    /// The lock key with which it waited there.
    pub lock_key: Option<String>,
    /// How urgent it was.
    pub priority: i64,
    /// Who asked for it.
    pub user_id: Option<i64>,
    /// Which attempt it was.
    pub attempt: i64,
    /// Whether it did a lost job again.
    pub lost_before: bool,
    /// Whether somebody had asked for its end.
    pub cancel_asked: bool,
    /// The job that does it again.
    pub again: Option<i64>,
}

/// Closes the jobs whose process is gone, whether they ran or waited for a lock: it is certainly dead, or has given no sign
/// of life since `silent_since`; without that, only the dead count. Their locks are free then, and whoever wakes up and still thinks to hold one writes nothing,
/// because its fence has moved on. `again` says of a lost job of the queue what is to be asked for in its place, if anything;
/// that is put on the queue in the same transaction.
pub async fn close_lost(
    store: &Store,
    is_dead: impl Fn(&str) -> bool,
    silent_since: impl Into<Option<DateTime<Utc>>>,
    now: DateTime<Utc>,
    again: impl Fn(&Lost) -> Option<Ask>,
) -> Result<Vec<Lost>, StoreError> {
    let judged = silent_since.into();
    let silent_since = judged.unwrap_or(now);
    let (mut silent, mut dead) = gone(store, is_dead, silent_since).await?;
    if judged.is_none() {
        silent.clear();
    }
    if silent.is_empty() && dead.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    if session.engine() == Engine::Postgres {
        let untouched = untouched(&mut session, &[dead.as_slice(), &silent].concat()).await?;
        dead.retain(|id| untouched.contains(id));
        silent.retain(|id| untouched.contains(id));
    }
    let mut lost = close_gone(&mut session, &silent, &dead, silent_since, now).await?;
    let ids: Vec<i64> = lost.iter().map(|lost| lost.id).collect();
    free_locks(&mut session, &ids).await?;
    events::jobs_ended(&mut session, &ids, EventKind::JobLost, now).await?;
    let repeated = lost.iter_mut().filter(|one| one.queue.is_some() && !one.cancel_asked);
    let (places, asks): (Vec<&mut Lost>, Vec<Ask>) =
        repeated.filter_map(|one| again(one).map(|ask| (one, ask))).unzip();
    for (one, queued) in places.into_iter().zip(add_all_in(&mut session, &asks, now).await?) {
        one.again = Some(queued.job);
    }
    name_what_does_it_again(&mut session, &lost).await?;
    transaction.commit().await?;
    Ok(lost)
}

/// Adds to the errors of lost jobs which job does the same again: one that was asked for now, or one that waited already.
async fn name_what_does_it_again(session: &mut Session<'_>, lost: &[Lost]) -> Result<(), StoreError> {
    let repeated =
        lost.iter().filter_map(|one| one.again.map(|again| [one.id.into(), again.to_string().into()]));
    let columns = [("id", ColumnKind::Integer), ("again", ColumnKind::Text)];
    let repeated = Given::new(session.engine(), columns, repeated);
    let sql = format!(
        "UPDATE core_job SET error = error || '; job ' || g.again || ' does it again' FROM {} WHERE core_job.id = g.id",
        repeated.table()
    );
    session.execute(&sql, repeated.values()).await.map(drop)
}

/// Whether there are open jobs whose process has given no sign of life since then, and is not certainly dead.
pub async fn are_silent(
    store: &Store,
    is_dead: impl Fn(&str) -> bool,
    silent_since: DateTime<Utc>,
) -> Result<bool, StoreError> {
    Ok(!gone(store, is_dead, silent_since).await?.0.is_empty())
}

/// The open jobs whose process has been silent for too long, and those whose process is certainly dead.
async fn gone(
    store: &Store,
    is_dead: impl Fn(&str) -> bool,
    silent_since: DateTime<Utc>,
) -> Result<(Vec<i64>, Vec<i64>), StoreError> {
    let sql = "SELECT id, owner, heartbeat FROM core_job WHERE status IN ('pending', 'running') AND owner IS NOT NULL";
    let (mut silent, mut dead) = (Vec::new(), Vec::new());
    for row in store.rows(sql, vec![]).await? {
        let id: i64 = row.get("id")?;
        let heartbeat: Option<DateTime<Utc>> = row.get("heartbeat")?;
        if is_dead(&row.get::<String, _>("owner")?) {
            dead.push(id);
        } else if heartbeat.is_none_or(|heartbeat| heartbeat < silent_since) {
            silent.push(id);
        }
    }
    Ok((silent, dead))
}

/// Those of these jobs in whose middle of a write nobody is. A process that vanished in a transaction keeps its rows until the
/// server finds that out; its jobs are left to the next look, and hold up no others.
async fn untouched(session: &mut Session<'_>, ids: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
    let among = list(ids.len());
    let sql = format!("SELECT id FROM core_job WHERE id IN {among} ORDER BY id FOR UPDATE SKIP LOCKED");
    let rows = session.rows(&sql, integers(ids).collect()).await?;
    let mut jobs: BTreeSet<i64> = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    let sql = format!("SELECT key, job_id FROM core_lock WHERE job_id IN {among} ORDER BY key");
    let all = session.rows(&sql, integers(ids).collect()).await?;
    let rows = session.rows(&format!("{sql} FOR UPDATE SKIP LOCKED"), integers(ids).collect()).await?;
    let free: BTreeSet<String> = rows.iter().map(|row| row.get("key")).collect::<Result<_, _>>()?;
    for row in &all {
        if !free.contains(&row.get::<String, _>("key")?) {
            jobs.remove(&row.get("job_id")?);
        }
    }
    Ok(jobs)
}

/// Closes those that are still as they were: one that was silent may have spoken since.
async fn close_gone(
    session: &mut Session<'_>,
    silent: &[i64],
    dead: &[i64],
    silent_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Lost>, StoreError> {
    let sql = format!(
        "UPDATE core_job SET status = 'errored', outcome = 'lost', completed = ?, error = ?, exit_code = 1 \
         WHERE status IN ('pending', 'running') AND owner IS NOT NULL \
         AND (id IN {} OR (id IN {} AND (heartbeat IS NULL OR heartbeat < ?))) \
         RETURNING id, task, arguments, queue, lock_key, priority, user_id, attempt, cancel_asked, \
         (SELECT b.outcome FROM core_job b WHERE b.id = core_job.repeat_of) AS outcome_before",
        list(dead.len()),
        list(silent.len())
    );
    let mut values = vec![now.into(), crate::jobs::ABANDONED.into()];
    values.extend(integers(dead).chain(integers(silent)));
    values.push(silent_since.into());
    let rows = session.rows(&sql, values).await?;
    let lost = rows.iter().map(|row| {
        Ok(Lost {
            id: row.get("id")?,
            task: row.get("task")?,
            arguments: row.json("arguments")?.unwrap_or_default(),
            queue: row.get("queue")?,
            lock_key: row.get("lock_key")?,
            priority: row.get("priority")?,
            user_id: row.get("user_id")?,
            attempt: row.get("attempt")?,
            lost_before: row.get::<Option<String>, _>("outcome_before")?.as_deref() == Some("lost"),
            cancel_asked: row.get::<Option<DateTime<Utc>>, _>("cancel_asked")?.is_some(),
            again: None,
        })
    });
    lost.collect()
}

/// Frees the locks of closed jobs, and moves their fences on.
async fn free_locks(session: &mut Session<'_>, closed: &[i64]) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE core_lock SET owner = NULL, job_id = NULL, fence = fence + 1 WHERE job_id IN {}",
        list(closed.len())
    );
    session.execute(&sql, integers(closed).collect()).await.map(drop)
}
