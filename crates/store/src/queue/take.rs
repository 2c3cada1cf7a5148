//! How a worker gets a job: it looks, and takes one together with its lock.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;

use super::{WAITING, integers, list};
use crate::events::{self, EventKind};
use crate::locks::{self, Claim, Lock};
use crate::{Engine, Holder, Session, Store, StoreError, Value};

/// A job that waits for its time keeps its place before others of its lock for so long; one that waits for longer, because it
/// is to be tried again later, holds nobody up.
const KEEPS_ITS_PLACE: TimeDelta = TimeDelta::seconds(5);
/// A job that is put off for longer than this, because it is to be tried again later, does not count as waiting for somebody who
/// wants to see the end of the queue.
const PUT_OFF: TimeDelta = TimeDelta::seconds(30);

/// A job that waits, as far as a worker has to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Number in this database.
    pub id: i64,
    /// UUID.
    pub job_id: String,
    /// The original's label.
    pub name: String,
    /// The task's name.
    pub task: String,
    /// The task's arguments.
    pub arguments: Json,
    /// Who asked for it.
    pub user_id: Option<i64>,
    /// The lock under which it waits.
    pub lock_key: Option<String>,
    /// How urgent it is.
    pub priority: i64,
    /// Which workers run it.
    pub queue: String,
    /// Which attempt it is; the first is 1.
    pub attempt: i64,
}

/// What waits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// Jobs that can be begun now, in the order in which they are to be.
    pub jobs: Vec<Waiting>,
    /// Whether any wait, also for a lock or for a time, without those that were passed over.
    pub waits: bool,
}

/// What a worker looks at.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Jobs that it cannot read.
    pub passed_over: Vec<i64>,
    /// The queues that it serves; all, if none are named.
    pub queues: Vec<String>,
}

/// Who takes a job.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Its process.
    pub owner: &'a str,
    /// How long a lock is held from each renewal.
    pub lease: TimeDelta,
    /// Now.
    pub now: DateTime<Utc>,
}

/// A job that somebody would begin.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its number.
    pub id: i64,
    /// The lock that is taken with it.
    pub lock: Option<String>,
    /// It is not begun once so many jobs of its batch have gone wrong.
    pub most_spoilt: Option<i64>,
}

/// What came of wishing to begin a job.
#[derive(Debug)]
pub enum Begun {
    /// None of them can be begun any more: others were faster.
    Nothing,
    /// This one is running.
    Job {
        /// Its number.
        id: i64,
        /// How many lines its log has, if it was begun and given back before.
        lines: i64,
        /// Its lock.
        lock: Option<Lock>,
        /// Who had the lock and had not let go.
        from: Option<Holder>,
    },
    /// This one has ended, because too many of its batch went wrong.
    Dropped {
        /// Its number.
        id: i64,
        /// Why, as it is recorded.
        reason: String,
    },
}

/// ` AND column IN (…)`, or nothing if all are wanted.
fn within(column: &str, queues: &[String]) -> String {
    if queues.is_empty() { String::new() } else { format!(" AND {column} IN {}", list(queues.len())) }
}

/// ` AND column NOT IN (…)`, or nothing.
fn not_in(column: &str, ids: &[i64]) -> String {
    if ids.is_empty() { String::new() } else { format!(" AND {column} NOT IN {}", list(ids.len())) }
}

impl Look {
    /// The condition that a waiting job `j` is looked at, and its values.
    fn condition(&self) -> (String, Vec<Value>) {
        let sql =
            format!("{WAITING}{}{}", not_in("j.id", &self.passed_over), within("j.queue", &self.queues));
        let queues = self.queues.iter().map(|queue| queue.as_str().into());
        (sql, integers(&self.passed_over).chain(queues).collect())
    }

    /// The condition that it can be begun now, and its values: its time has come, nobody holds its lock, and no other job of
    /// the queue with that lock runs or comes before it. Those that are passed over stand in nobody's way.
    fn startable(&self, now: DateTime<Utc>) -> (String, Vec<Value>) {
        let (looked, mut values) = self.condition();
        let sql = format!(
            "{looked} AND (j.not_before IS NULL OR j.not_before <= ?) \
             AND NOT EXISTS (SELECT 1 FROM core_lock l WHERE l.key = j.lock_key AND l.owner IS NOT NULL AND l.expires > ?) \
             AND NOT EXISTS (SELECT 1 FROM core_job o WHERE o.lock_key = j.lock_key AND o.id <> j.id AND o.queued \
             AND o.status IN ('pending', 'running') AND (o.status = 'running' OR \
             ((o.priority > j.priority OR (o.priority = j.priority AND o.id < j.id)) \
             AND (o.not_before IS NULL OR o.not_before <= ?){})))",
            not_in("o.id", &self.passed_over)
        );
        values.extend([now.into(), now.into(), (now + KEEPS_ITS_PLACE).into()]);
        values.extend(integers(&self.passed_over));
        (sql, values)
    }
}

/// The jobs that could be begun now, at most `limit`, the first to be begun first. It only reads.
pub async fn due(store: &Store, look: &Look, limit: i64, now: DateTime<Utc>) -> Result<Due, StoreError> {
    let mut connection = store.connection().await?;
    let mut session = connection.session();
    let (condition, mut values) = look.startable(now);
    let sql = format!(
        "SELECT j.id, j.job_id, j.name, j.task, j.arguments, j.user_id, j.lock_key, j.priority, j.queue, j.attempt \
         FROM core_job j WHERE {condition} \
         ORDER BY j.priority DESC, j.id LIMIT ?"
    );
    values.push(limit.into());
    let rows = session.rows(&sql, values).await?;
    let jobs = rows.iter().map(|row| {
        Ok(Waiting {
            id: row.get("id")?,
            job_id: row.get("job_id")?,
            name: row.get("name")?,
            task: row.get("task")?,
            arguments: row.json("arguments")?.unwrap_or_default(),
            user_id: row.get("user_id")?,
            lock_key: row.get("lock_key")?,
            priority: row.get("priority")?,
            queue: row.get::<Option<String>, _>("queue")?.unwrap_or_default(),
            attempt: row.get("attempt")?,
        })
    });
    let jobs = jobs.collect::<Result<Vec<_>, StoreError>>()?;
    let mut waits = !jobs.is_empty();
    if !waits {
        let (condition, mut values) = look.condition();
        let sql = format!(
            "SELECT j.id FROM core_job j WHERE {condition} AND (j.not_before IS NULL OR j.not_before <= ?) LIMIT 1"
        );
        values.push((now + PUT_OFF).into());
        waits = session.row(&sql, values).await?.is_some();
    }
    Ok(Due { jobs, waits })
}

/// How many jobs wait, for a worker, a lock or a time.
pub async fn waiting(store: &Store) -> Result<i64, StoreError> {
    let sql = format!("SELECT COUNT(*) AS count FROM core_job j WHERE {WAITING}");
    store.row(&sql, vec![]).await?.map_or(Ok(0), |row| row.get("count"))
}

/// The same by queue, of those in which any wait.
pub async fn waiting_by_queue(store: &Store) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = format!(
        "SELECT COALESCE(j.queue, ''), COUNT(*) FROM core_job j WHERE {WAITING} GROUP BY 1 ORDER BY 1"
    );
    let rows = store.rows(&sql, vec![]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Takes the first of these jobs that still can be begun, together with its lock, and begins it: one transaction. No two
/// workers get the same job, nor two jobs of one lock. `is_dead` is as in [`locks::claim`].
pub async fn begin(
    store: &Store,
    wishes: &[Wish],
    look: &Look,
    who: Who<'_>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Begun, StoreError> {
    let mut wishes: Vec<&Wish> = wishes.iter().collect();
    while !wishes.is_empty() {
        let mut transaction = store.begin().await?;
        let mut session = transaction.session();
        let Some(row) = claim(&mut session, &wishes, look, who).await? else { break };
        let id: i64 = row.get("id")?;
        let Some(place) = wishes.iter().position(|wish| wish.id == id) else { break };
        let wish = wishes.remove(place);
        if let Some(reason) = spoilt(&mut session, wish, row.get("batch")?).await? {
            drop_it(&mut session, id, &reason, who.now).await?;
            transaction.commit().await?;
            return Ok(Begun::Dropped { id, reason });
        }
        let (queue_key, lines): (Option<String>, i64) = (row.get("lock_key")?, row.get("lines")?);
        match lock(&mut session, wish, queue_key.as_deref(), who, &is_dead).await {
            Ok(Some((held, from))) => {
                transaction.commit().await?;
                return Ok(Begun::Job { id, lines, lock: held, from });
            }
            // Somebody took the lock in this moment, or has lost it and does not know yet; the job stays where it is, and the
            // next one may be free.
            Ok(None) | Err(StoreError::Busy) => transaction.rollback().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(Begun::Nothing)
}

/// Makes the first of these that can be begun the owner's.
async fn claim(
    session: &mut Session<'_>,
    wishes: &[&Wish],
    look: &Look,
    who: Who<'_>,
) -> Result<Option<crate::Row>, StoreError> {
    let (condition, mut conditions) = look.startable(who.now);
    // Whoever comes second on PostgreSQL goes on to the next job instead of waiting for the first one.
    let skip = if session.engine() == Engine::Postgres { " FOR UPDATE OF j SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE core_job SET status = 'running', owner = ?, started = ?, heartbeat = ?, not_before = NULL \
         WHERE status = 'pending' AND owner IS NULL AND id = (SELECT j.id FROM core_job j WHERE {condition} \
         AND j.id IN {} ORDER BY j.priority DESC, j.id LIMIT 1{skip}) RETURNING id, lock_key, batch, \
         (SELECT COALESCE(MAX(l.line) + 1, 0) FROM core_joblog l WHERE l.job_id = core_job.id) AS lines",
        list(wishes.len())
    );
    let mut values = vec![who.owner.into(), who.now.into(), who.now.into()];
    values.append(&mut conditions);
    values.extend(wishes.iter().map(|wish| wish.id.into()));
    session.row(&sql, values).await
}

/// The jobs that went wrong of those that were asked for together with this one.
///
/// # Errors
/// Those of the database.
pub async fn spoilt_beside(session: &mut Session<'_>, job: i64) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT o.id FROM core_job j JOIN core_job o ON o.batch = j.batch AND o.id <> j.id \
               WHERE j.id = ? AND (o.status = 'errored' OR o.spoilt) ORDER BY o.id";
    session.rows(sql, vec![job.into()]).await?.iter().map(|row| row.get("id")).collect()
}

/// Why a job is not begun because of others of its batch.
async fn spoilt(
    session: &mut Session<'_>,
    wish: &Wish,
    batch: Option<String>,
) -> Result<Option<String>, StoreError> {
    let (Some(most), Some(batch)) = (wish.most_spoilt, batch) else { return Ok(None) };
    let sql = "SELECT id FROM core_job WHERE batch = ? AND (status = 'errored' OR spoilt) ORDER BY id";
    let rows = session.rows(sql, vec![batch.into()]).await?;
    let ids = rows.iter().map(|row| Ok(row.get::<i64, _>("id")?.to_string()));
    let ids: Vec<String> = ids.collect::<Result<_, StoreError>>()?;
    if i64::try_from(ids.len()).unwrap_or(i64::MAX) < most {
        return Ok(None);
    }
    Ok(Some(format!(
        "not begun: it went wrong in job {}, which was asked for together with this one",
        ids.join(", ")
    )))
}

async fn drop_it(
    session: &mut Session<'_>,
    id: i64,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE core_job SET status = 'cancelled', owner = NULL, started = NULL, completed = ?, error = ?, \
               exit_code = 1 WHERE id = ?";
    session.execute(sql, vec![now.into(), reason.into(), id.into()]).await?;
    events::jobs_ended(session, &[id], EventKind::JobCancelled, now).await
}

/// Takes the job's lock, and makes sure that no other job of the queue with its key runs; the lock, and who had it before.
async fn lock(
    session: &mut Session<'_>,
    wish: &Wish,
    queue_key: Option<&str>,
    who: Who<'_>,
    is_dead: &impl Fn(&str) -> bool,
) -> Result<Option<(Option<Lock>, Option<Holder>)>, StoreError> {
    let mut keys: Vec<String> = wish.lock.iter().cloned().chain(queue_key.map(str::to_owned)).collect();
    keys.dedup();
    locks::hold_at_once(session, &keys).await?;
    let taken = match &wish.lock {
        None => (None, None),
        Some(key) => {
            let keys = std::slice::from_ref(key);
            let claimed =
                locks::claim_all_in(session, keys, who.owner, Some(wish.id), who.lease, who.now, is_dead);
            match claimed.await?.pop() {
                Some(Claim::Taken { lock, from }) => (Some(lock), from),
                _ => return Ok(None),
            }
        }
    };
    let Some(key) = queue_key.filter(|_| session.engine() == Engine::Postgres) else {
        // SQLite has one writer: what the claim saw still holds.
        return Ok(Some(taken));
    };
    if wish.lock.as_deref() != Some(key) {
        locks::hold_still(session, &[key.to_owned()], who.now).await?;
    }
    // Somebody may have taken one of the same key between the claim's look and ours.
    let sql =
        "SELECT id FROM core_job WHERE lock_key = ? AND queued AND status = 'running' AND id <> ? LIMIT 1";
    let other = session.row(sql, vec![key.into(), wish.id.into()]).await?;
    Ok(other.is_none().then_some(taken))
}

/// What came of giving a job back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// It waits again.
    Waits,
    /// It has ended, because this one waits and does the same.
    Merged(i64),
    /// It is not the owner's any more, or its end was asked for.
    No,
}

/// Gives a job back on which nothing was done, and frees its locks.
pub async fn put_back(
    store: &Store,
    id: i64,
    owner: &str,
    not_before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<PutBack, StoreError> {
    loop {
        match put_back_once(store, id, owner, not_before, now).await {
            // Somebody asked for the same in this moment.
            Err(StoreError::Conflict(_)) => {}
            done => return done,
        }
    }
}

async fn put_back_once(
    store: &Store,
    id: i64,
    owner: &str,
    not_before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<PutBack, StoreError> {
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    let ours = "status = 'running' AND owner = ? AND cancel_asked IS NULL";
    let sql = format!(
        "SELECT j.id FROM core_job j WHERE {WAITING} AND j.cancel_asked IS NULL \
         AND j.task_key = (SELECT task_key FROM core_job WHERE id = ?)"
    );
    let equal = session.row(&sql, vec![id.into()]).await?.map(|row| row.get::<i64, _>("id")).transpose()?;
    let touched = match equal {
        None => {
            let sql = format!(
                "UPDATE core_job SET status = 'pending', owner = NULL, started = NULL, heartbeat = NULL, not_before = ? \
                 WHERE id = ? AND {ours}"
            );
            session.execute(&sql, vec![not_before.into(), id.into(), owner.into()]).await?
        }
        Some(other) => {
            let error = format!("merged with job {other}, which waits and does the same");
            let sql = format!(
                "UPDATE core_job SET status = 'cancelled', completed = ?, error = ?, exit_code = 75 WHERE id = ? AND {ours}"
            );
            session.execute(&sql, vec![now.into(), error.into(), id.into(), owner.into()]).await?
        }
    };
    if touched == 0 {
        return Ok(PutBack::No);
    }
    locks::release_in(&mut session, id).await?;
    transaction.commit().await?;
    Ok(equal.map_or(PutBack::Waits, PutBack::Merged))
}
