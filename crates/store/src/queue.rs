//! The queue. It is made of job records: one that is pending and has no owner waits for a worker.
//!
//! [`add`] puts a job there. A worker looks with [`due`], takes one with [`claim`], and begins with [`start`] or gives it
//! back with [`put_back`]. [`cancel`] ends a job, [`close_lost`] closes those whose process is gone, and `core_worker` knows
//! who is at work. Only the statement of [`claim`] decides who gets a job, so any number of workers may look at the same time.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use crate::database::placeholders;
use crate::jobs::{NewJob, Status};
use crate::{Bell, Engine, Session, Store, StoreError, Value, bell};

/// A job of the queue that nobody has begun.
const WAITING: &str = "j.status = 'pending' AND j.queued AND j.owner IS NULL";

/// What came of putting a job on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queued {
    /// The number of the job that will do it.
    pub job: i64,
    /// Whether that one waited already: nothing was added.
    pub joined: bool,
    /// When it was asked for first.
    pub since: DateTime<Utc>,
    /// Its place among those that wait; the first is 1.
    pub place: i64,
}

/// A job that waits, as far as a worker has to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Number in this database.
    pub id: i64,
    /// UUID.
    pub job_id: String,
    /// The task's name.
    pub task: String,
    /// The task's arguments.
    pub arguments: Json,
}

/// What waits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// Jobs that can be begun now, the oldest first.
    pub jobs: Vec<Waiting>,
    /// How many wait in all, also for a lock or for a time, without those that were passed over.
    pub waiting: i64,
}

/// What came of asking for a job's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not begun, and never will.
    Done,
    /// Its process will see it within a second or so.
    Asked,
    /// It is over already.
    Over(Status),
    /// There is no such job.
    Unknown,
}

/// A job whose process is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Its number.
    pub id: i64,
    /// The task's name.
    pub task: String,
    /// The task's arguments.
    pub arguments: Json,
    /// Whether it came from the queue.
    pub queued: bool,
    /// The lost job that it did again, if it was a repetition itself.
    pub repeat_of: Option<i64>,
    /// The job that does it again.
    pub again: Option<i64>,
}

/// A worker, as it last told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Its process.
    pub owner: String,
    /// Since when it works.
    pub started: DateTime<Utc>,
    /// When it last gave a sign of life.
    pub heartbeat: DateTime<Utc>,
    /// Jobs that it runs at the same time.
    pub concurrency: i64,
}

/// Puts a job on the queue. If one of the same task with the same arguments waits already, that one is as good.
pub async fn add(
    store: &Store,
    job: &NewJob,
    lock_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Queued, StoreError> {
    let mut transaction = store.begin().await?;
    let queued = add_in(&mut transaction.session(), job, lock_key, None, now).await?;
    transaction.commit().await?;
    Ok(queued)
}

/// As [`add`], in a transaction of the caller's.
async fn add_in(
    session: &mut Session<'_>,
    job: &NewJob,
    lock_key: Option<&str>,
    repeat_of: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Queued, StoreError> {
    if session.engine() == Engine::Postgres {
        // One after the other, so that two who ask for the same find each other. SQLite has one writer anyway.
        session.execute("SELECT pg_advisory_xact_lock(7244)", vec![]).await?;
    }
    let sql = format!(
        "SELECT j.id, j.created FROM core_job j WHERE {WAITING} AND j.cancel_asked IS NULL AND j.task = ? \
         AND j.arguments = ? ORDER BY j.id LIMIT 1"
    );
    let known = session.row(&sql, vec![job.task.as_str().into(), Value::json(&job.arguments)]).await?;
    let (id, since) = match &known {
        Some(row) => (row.get("id")?, row.get("created")?),
        None => (insert(session, job, lock_key, repeat_of, now).await?, now),
    };
    let place = place(session, id).await?;
    Ok(Queued { job: id, joined: known.is_some(), since, place })
}

async fn insert(
    session: &mut Session<'_>,
    job: &NewJob,
    lock_key: Option<&str>,
    repeat_of: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let row = session
        .row(
            "INSERT INTO core_job (job_id, name, task, arguments, user_id, status, created, queued, lock_key, repeat_of) \
             VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?) RETURNING id",
            vec![
                job.job_id.as_str().into(),
                job.name.as_str().into(),
                job.task.as_str().into(),
                Value::json(&job.arguments),
                job.user_id.into(),
                now.into(),
                true.into(),
                lock_key.map(str::to_owned).into(),
                repeat_of.into(),
            ],
        )
        .await?;
    bell::ring(session).await?;
    row.map_or_else(|| Err(StoreError::Data("the job was not recorded".into())), |row| row.get("id"))
}

/// The place of a job among those that wait; the first is 1. Of use only for one that waits.
pub async fn place(session: &mut Session<'_>, id: i64) -> Result<i64, StoreError> {
    let sql = format!("SELECT COUNT(*) AS place FROM core_job j WHERE {WAITING} AND j.id <= ?");
    session.row(&sql, vec![id.into()]).await?.map_or(Ok(0), |row| row.get("place"))
}

/// `AND column NOT IN (…)`, or nothing.
fn not_in(column: &str, ids: &[i64]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    format!(" AND {column} NOT IN ({})", placeholders(ids.len()))
}

fn integers(ids: &[i64]) -> impl Iterator<Item = Value> {
    ids.iter().map(|id| Value::from(*id))
}

/// The condition that a job `j` can be begun now, and its values: its time has come, nobody holds its lock, and no other
/// job of the queue with that lock runs or is older. Those in `passed_over` stand in nobody's way.
fn startable(passed_over: &[i64], now: DateTime<Utc>) -> (String, Vec<Value>) {
    let others = not_in("o.id", passed_over);
    let sql = format!(
        "{WAITING} AND (j.not_before IS NULL OR j.not_before <= ?) \
         AND NOT EXISTS (SELECT 1 FROM core_lock l WHERE l.key = j.lock_key AND l.owner IS NOT NULL AND l.expires > ?) \
         AND NOT EXISTS (SELECT 1 FROM core_job o WHERE o.lock_key = j.lock_key AND o.id <> j.id AND o.queued \
         AND (o.status = 'running' OR (o.status = 'pending' AND o.id < j.id{others})))"
    );
    let values = [now.into(), now.into()].into_iter().chain(integers(passed_over)).collect();
    (sql, values)
}

/// The oldest jobs that could be begun now, at most `limit`, without those in `passed_over`. It only reads.
pub async fn due(
    store: &Store,
    passed_over: &[i64],
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Due, StoreError> {
    let mut connection = store.connection().await?;
    let mut session = connection.session();
    let passed = not_in("j.id", passed_over);
    let sql = format!("SELECT COUNT(*) AS count FROM core_job j WHERE {WAITING}{passed}");
    let count = session.row(&sql, integers(passed_over).collect()).await?;
    let waiting: i64 = count.map_or(Ok(0), |row| row.get("count"))?;
    if waiting == 0 {
        return Ok(Due::default());
    }
    let (condition, mut values) = startable(passed_over, now);
    let sql = format!(
        "SELECT j.id, j.job_id, j.task, j.arguments FROM core_job j WHERE {condition}{passed} ORDER BY j.id LIMIT ?"
    );
    values.extend(integers(passed_over));
    values.push(limit.into());
    let rows = session.rows(&sql, values).await?;
    let jobs = rows.iter().map(|row| {
        Ok(Waiting {
            id: row.get("id")?,
            job_id: row.get("job_id")?,
            task: row.get("task")?,
            arguments: row.json("arguments")?.unwrap_or_default(),
        })
    });
    Ok(Due { jobs: jobs.collect::<Result<_, StoreError>>()?, waiting })
}

/// Takes the oldest of these jobs that still can be begun, for `owner`, and gives its number. This one statement decides:
/// no two workers get the same job.
pub async fn claim(
    store: &Store,
    candidates: &[i64],
    passed_over: &[i64],
    owner: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, StoreError> {
    if candidates.is_empty() {
        return Ok(None);
    }
    let (condition, mut conditions) = startable(passed_over, now);
    // Whoever comes second on PostgreSQL goes on to the next job instead of waiting for the first one.
    let skip = if store.engine() == Engine::Postgres { " FOR UPDATE OF j SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE core_job SET status = 'running', owner = ?, started = ?, heartbeat = ?, not_before = NULL \
         WHERE status = 'pending' AND owner IS NULL AND id = (SELECT j.id FROM core_job j WHERE {condition} \
         AND j.id IN ({}) ORDER BY j.id LIMIT 1{skip}) RETURNING id",
        placeholders(candidates.len())
    );
    let mut values = vec![owner.into(), now.into(), now.into()];
    values.append(&mut conditions);
    values.extend(integers(candidates));
    store.row(&sql, values).await?.map(|row| row.get("id")).transpose()
}

/// Begins a job that was claimed, and says whether it is still `owner`'s to begin.
pub async fn start(store: &Store, id: i64, owner: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let touched = store
        .execute(
            "UPDATE core_job SET started = ?, heartbeat = ? WHERE id = ? AND status = 'running' AND owner = ?",
            vec![now.into(), now.into(), id.into(), owner.into()],
        )
        .await?;
    Ok(touched > 0)
}

/// Gives a job back that was claimed and not begun, and says whether it waits again: one whose end was asked for does not.
pub async fn put_back(
    store: &Store,
    id: i64,
    owner: &str,
    not_before: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let touched = store
        .execute(
            "UPDATE core_job SET status = 'pending', owner = NULL, started = NULL, heartbeat = NULL, not_before = ? \
             WHERE id = ? AND status = 'running' AND owner = ? AND cancel_asked IS NULL",
            vec![not_before.into(), id.into(), owner.into()],
        )
        .await?;
    Ok(touched > 0)
}

/// Error text of a job that was cancelled while it waited for a worker.
pub const NEVER_BEGUN: &str = "cancelled before it began";

/// Asks for a job's end. One that waits for a worker ends now.
pub async fn cancel(store: &Store, id: i64, now: DateTime<Utc>) -> Result<Cancelled, StoreError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let row = session
        .row(
            "UPDATE core_job SET cancel_asked = COALESCE(cancel_asked, ?) WHERE id = ? \
             AND status IN ('pending', 'running') RETURNING owner",
            vec![now.into(), id.into()],
        )
        .await?;
    let cancelled = match row.map(|row| row.get::<Option<String>, _>("owner")).transpose()? {
        Some(Some(_)) => Cancelled::Asked,
        Some(None) => {
            let sql = "UPDATE core_job SET status = 'cancelled', completed = ?, error = ? WHERE id = ?";
            session.execute(sql, vec![now.into(), NEVER_BEGUN.into(), id.into()]).await?;
            Cancelled::Done
        }
        None => {
            let row = session.row("SELECT status FROM core_job WHERE id = ?", vec![id.into()]).await?;
            match row.map(|row| row.get::<String, _>("status")).transpose()? {
                Some(status) => Cancelled::Over(
                    Status::parse(&status).ok_or_else(|| StoreError::Data(format!("job status {status}")))?,
                ),
                None => Cancelled::Unknown,
            }
        }
    };
    transaction.commit().await?;
    Ok(cancelled)
}

/// Closes the jobs whose process is gone, whether they ran or waited for a lock: it is certainly dead, or has given no sign
/// of life since `silent_since`. Their locks are freed. `again` says of a lost job of the queue by which new one, with
/// which lock, it is to be done again, if at all; that one is put on the queue in the same transaction.
pub async fn close_lost(
    store: &Store,
    is_dead: impl Fn(&str) -> bool,
    silent_since: DateTime<Utc>,
    now: DateTime<Utc>,
    again: impl Fn(&Lost) -> Option<(NewJob, Option<String>)>,
) -> Result<Vec<Lost>, StoreError> {
    let (silent, dead) = gone(store, is_dead, silent_since).await?;
    if silent.is_empty() && dead.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let mut lost = close_gone(&mut session, &silent, &dead, silent_since, now).await?;
    let ids: Vec<i64> = lost.iter().map(|lost| lost.id).collect();
    free_locks(&mut session, &ids, &dead, now).await?;
    for one in &mut lost {
        if let Some((job, lock_key)) = again(one).filter(|_| one.queued) {
            one.again = Some(add_in(&mut session, &job, lock_key.as_deref(), Some(one.id), now).await?.job);
        }
    }
    transaction.commit().await?;
    Ok(lost)
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

/// `(?, …)` for an `IN`, of which an empty list is `(NULL)`: nothing is in it.
fn list(count: usize) -> String {
    if count == 0 { "(NULL)".to_owned() } else { format!("({})", placeholders(count)) }
}

async fn close_gone(
    session: &mut Session<'_>,
    silent: &[i64],
    dead: &[i64],
    silent_since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Lost>, StoreError> {
    // One that was silent may have spoken since.
    let sql = format!(
        "UPDATE core_job SET status = 'errored', outcome = 'lost', completed = ?, error = ? \
         WHERE status IN ('pending', 'running') AND owner IS NOT NULL \
         AND (id IN {} OR (id IN {} AND (heartbeat IS NULL OR heartbeat < ?))) \
         RETURNING id, task, arguments, queued, repeat_of",
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
            queued: row.get("queued")?,
            repeat_of: row.get("repeat_of")?,
            again: None,
        })
    });
    lost.collect()
}

/// Frees the locks of closed jobs: those of processes that are dead, and of others once the lease has run out.
async fn free_locks(
    session: &mut Session<'_>,
    closed: &[i64],
    dead: &[i64],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE core_lock SET owner = NULL, job_id = NULL WHERE job_id IN {} AND (expires < ? OR job_id IN {})",
        list(closed.len()),
        list(dead.len())
    );
    let values = integers(closed).chain([now.into()]).chain(integers(dead)).collect();
    session.execute(&sql, values).await.map(drop)
}

/// Frees the locks that a job still holds. For a job that was closed by its own process without letting them go.
pub async fn free_locks_of(store: &Store, id: i64) -> Result<(), StoreError> {
    let sql = "UPDATE core_lock SET owner = NULL, job_id = NULL WHERE job_id = ?";
    store.execute(sql, vec![id.into()]).await.map(drop)
}

/// Notes that a worker is at work: at its begin, and from time to time.
pub async fn sign_on(
    store: &Store,
    owner: &str,
    concurrency: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO core_worker (owner, started, heartbeat, concurrency) VALUES (?, ?, ?, ?) \
               ON CONFLICT (owner) DO UPDATE SET heartbeat = excluded.heartbeat";
    store.execute(sql, vec![owner.into(), now.into(), now.into(), concurrency.into()]).await.map(drop)
}

/// Notes that a worker has ended.
pub async fn sign_off(store: &Store, owner: &str) -> Result<(), StoreError> {
    store.execute("DELETE FROM core_worker WHERE owner = ?", vec![owner.into()]).await.map(drop)
}

/// Forgets workers, unless they have given a sign of life since.
pub async fn forget(store: &Store, gone: &[Worker]) -> Result<(), StoreError> {
    let same = vec!["(owner = ? AND heartbeat = ?)"; gone.len()].join(" OR ");
    let values = gone.iter().flat_map(|worker| [worker.owner.as_str().into(), worker.heartbeat.into()]);
    store.execute(&format!("DELETE FROM core_worker WHERE {same}"), values.collect()).await.map(drop)
}

/// The workers that have not signed off, the oldest first. Some may be gone all the same.
pub async fn workers(store: &Store) -> Result<Vec<Worker>, StoreError> {
    let sql = "SELECT owner, started, heartbeat, concurrency FROM core_worker ORDER BY started, owner";
    let rows = store.rows(sql, vec![]).await?;
    let workers = rows.iter().map(|row| {
        Ok(Worker {
            owner: row.get("owner")?,
            started: row.get("started")?,
            heartbeat: row.get("heartbeat")?,
            concurrency: row.get("concurrency")?,
        })
    });
    workers.collect()
}

impl Store {
    /// A bell that rings when somebody puts a job on the queue; on SQLite it never does.
    pub fn bell(&self) -> Bell {
        self.postgres_pool().map_or_else(Bell::silent, |pool| Bell::listening(pool.clone()))
    }
}
