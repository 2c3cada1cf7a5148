//! Locks as rows: an owner, a lease that must be renewed, and a fencing number that grows with every new holder.
//!
//! A holder whose lease ran out may still be at work without knowing. So every transaction of a run under a lock
//! begins with [`hold`], which renews the lease inside the transaction: if the number has moved on, nothing is
//! written. The row stays locked until the commit, so nobody can take over in between either.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::given::Given;
use crate::schema::ColumnKind;
use crate::{Engine, Holder, Session, Store, StoreError, Value};

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What is locked, such as `peeringdb_sync` or `deploy:7`.
    pub key: String,
    /// Grows by one with every holder.
    pub fence: i64,
    /// How long the lease lasts from each renewal.
    pub lease: TimeDelta,
}

/// Answer to somebody who wants a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is theirs. `from` names who had it when the lease had run out or the owner was found dead.
    Taken {
        /// The lock.
        lock: Lock,
        /// The former holder, if it had not let go.
        from: Option<Holder>,
    },
    /// Somebody else has it.
    Held(Holder),
}

/// Tries to take the lock for `owner`. `is_dead` may say of another owner that it certainly no longer runs; its lock
/// is taken over at once instead of after the lease.
pub async fn claim(
    store: &Store,
    key: &str,
    owner: &str,
    job: Option<i64>,
    lease: TimeDelta,
    now: DateTime<Utc>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Claim, StoreError> {
    let mut claims = claim_all(store, &[key.to_owned()], owner, job, lease, now, is_dead).await?;
    claims.pop().ok_or_else(|| StoreError::LockLost { key: key.to_owned() })
}

/// As [`claim`], for many locks, of which each is taken that can be: what came of each, in the order of `keys`, of which
/// no two are the same. The number of statements does not depend on that of the locks.
pub async fn claim_all(
    store: &Store,
    keys: &[String],
    owner: &str,
    job: Option<i64>,
    lease: TimeDelta,
    now: DateTime<Utc>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<Claim>, StoreError> {
    let lives = |holder: &Holder| holder.expires > now && !is_dead(&holder.owner);
    // A look first: a holder may be in the middle of a long write, which reading does not wait for.
    let mut holders = holders_of(&mut store.connection().await?.session(), keys).await?;
    let free = |holders: &HashMap<String, Holder>| -> Vec<String> {
        keys.iter().filter(|key| !holders.get(*key).is_some_and(lives)).cloned().collect()
    };
    let mut taken = HashMap::new();
    let wanted = free(&holders);
    if !wanted.is_empty() {
        let mut transaction = store.begin().await?;
        let mut session = transaction.session();
        let claims = claim_all_in(&mut session, &wanted, owner, job, lease, now, &is_dead).await?;
        transaction.commit().await?;
        taken.extend(wanted.into_iter().zip(claims));
    }
    let of = |key: &String| match (taken.remove(key), holders.remove(key)) {
        (Some(claim), _) => Ok(claim),
        (None, Some(holder)) => Ok(Claim::Held(holder)),
        (None, None) => Err(StoreError::LockLost { key: key.clone() }),
    };
    keys.iter().map(of).collect()
}

/// As [`claim_all`], in the caller's transaction, and without a look before it.
pub(crate) async fn claim_all_in(
    session: &mut Session<'_>,
    keys: &[String],
    owner: &str,
    job: Option<i64>,
    lease: TimeDelta,
    now: DateTime<Utc>,
    is_dead: &impl Fn(&str) -> bool,
) -> Result<Vec<Claim>, StoreError> {
    hold_still(session, keys, now).await?;
    let mut holders = holders_of(session, keys).await?;
    let lives = |holder: &Holder| holder.expires > now && !is_dead(&holder.owner);
    let wanted: Vec<String> =
        keys.iter().filter(|key| !holders.get(*key).is_some_and(lives)).cloned().collect();
    let sql = format!(
        "UPDATE core_lock SET owner = ?, job_id = ?, fence = fence + 1, acquired = ?, expires = ? \
         WHERE key IN {} RETURNING key, fence",
        texts(session.engine())
    );
    let values = vec![owner.into(), job.into(), now.into(), (now + lease).into(), listed(&wanted)];
    let mut taken = HashMap::new();
    for row in session.rows(&sql, values).await? {
        let key: String = row.get("key")?;
        taken.insert(key.clone(), Lock { key, fence: row.get("fence")?, lease });
    }
    let of = |key: &String| match (taken.remove(key), holders.remove(key)) {
        (Some(lock), from) => Ok(Claim::Taken { lock, from }),
        (None, Some(holder)) => Ok(Claim::Held(holder)),
        (None, None) => Err(StoreError::LockLost { key: key.clone() }),
    };
    keys.iter().map(of).collect()
}

/// Makes sure that there is a row for each key, and keeps them as they are until the transaction ends, on both engines.
pub(crate) async fn hold_still(
    session: &mut Session<'_>,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let engine = session.engine();
    let given = match engine {
        // Without a condition SQLite would take ON CONFLICT for the condition of a join.
        Engine::Sqlite => "SELECT value, 0, ?, ? FROM json_each(?) WHERE TRUE",
        Engine::Postgres => {
            "SELECT value, 0, CAST(? AS TIMESTAMPTZ), CAST(? AS TIMESTAMPTZ) \
             FROM json_array_elements_text(?::JSON) ORDER BY value"
        }
    };
    let sql =
        format!("INSERT INTO core_lock (key, fence, acquired, expires) {given} ON CONFLICT (key) DO NOTHING");
    session.execute(&sql, vec![now.into(), now.into(), listed(keys)]).await?;
    if engine == Engine::Postgres {
        // Always in the same order, so that two who want many do not wait for each other. SQLite has one writer anyway.
        let sql = format!("SELECT key FROM core_lock WHERE key IN {} ORDER BY key FOR UPDATE", texts(engine));
        session.rows(&sql, vec![listed(keys)]).await?;
    }
    Ok(())
}

/// Makes sure that nobody is in the middle of a write under one of these locks, and keeps it so until the transaction ends.
///
/// # Errors
/// [`StoreError::Busy`] at once if somebody is; the transaction is of no use any more then.
pub(crate) async fn hold_at_once(session: &mut Session<'_>, keys: &[String]) -> Result<(), StoreError> {
    let engine = session.engine();
    if engine == Engine::Postgres && !keys.is_empty() {
        let keys_are = texts(engine);
        let sql = format!("SELECT key FROM core_lock WHERE key IN {keys_are} ORDER BY key FOR UPDATE NOWAIT");
        session.rows(&sql, vec![listed(keys)]).await?;
    }
    Ok(())
}

/// Renews the lease inside a transaction (see the module's text) or by itself.
///
/// # Errors
/// [`StoreError::LockLost`] when somebody else has taken the lock since.
pub async fn hold(session: &mut Session<'_>, lock: &Lock, now: DateTime<Utc>) -> Result<(), StoreError> {
    let touched = session
        .execute(
            "UPDATE core_lock SET expires = ? WHERE key = ? AND fence = ? AND owner IS NOT NULL",
            vec![(now + lock.lease).into(), lock.key.as_str().into(), lock.fence.into()],
        )
        .await?;
    if touched == 1 { Ok(()) } else { Err(StoreError::LockLost { key: lock.key.clone() }) }
}

/// Renews many leases with one statement, and gives how many of them were still one's own.
pub async fn renew_all(
    session: &mut Session<'_>,
    locks: &[Lock],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let Some(lease) = locks.iter().map(|lock| lock.lease).max() else { return Ok(0) };
    let pairs = locks.iter().map(|lock| [lock.key.as_str().into(), lock.fence.into()]);
    let columns = [("key", ColumnKind::Text), ("fence", ColumnKind::Integer)];
    let pairs = Given::new(session.engine(), columns, pairs);
    let sql = format!(
        "UPDATE core_lock SET expires = ? WHERE owner IS NOT NULL AND (key, fence) IN (SELECT g.key, g.fence FROM {})",
        pairs.table()
    );
    session.execute(&sql, [vec![(now + lease).into()], pairs.values()].concat()).await
}

/// Lets go in the caller's transaction, at whose end the lock is free.
pub async fn let_go(session: &mut Session<'_>, lock: &Lock) -> Result<(), StoreError> {
    let sql = "UPDATE core_lock SET owner = NULL, job_id = NULL WHERE key = ? AND fence = ?";
    session.execute(sql, vec![lock.key.as_str().into(), lock.fence.into()]).await?;
    Ok(())
}

/// Lets go of whatever this job holds.
pub async fn release_of(store: &Store, job: i64) -> Result<(), StoreError> {
    release_in(&mut store.connection().await?.session(), job).await
}

/// The same in the caller's transaction.
pub(crate) async fn release_in(session: &mut Session<'_>, job: i64) -> Result<(), StoreError> {
    let sql = "UPDATE core_lock SET owner = NULL, job_id = NULL WHERE job_id = ?";
    session.execute(sql, vec![job.into()]).await.map(drop)
}

/// Lets go. Does nothing when somebody else has taken the lock since.
pub async fn release(store: &Store, lock: &Lock) -> Result<(), StoreError> {
    let_go(&mut store.connection().await?.session(), lock).await
}

/// Frees every lock whose lease ran out before `now` and gives their keys. The rows stay, because they hold the
/// fencing numbers.
pub async fn release_expired(store: &Store, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let rows = store
        .rows(
            "UPDATE core_lock SET owner = NULL, job_id = NULL WHERE owner IS NOT NULL AND expires < ? RETURNING key",
            vec![now.into()],
        )
        .await?;
    rows.iter().map(|row| row.get("key")).collect()
}

/// Locks that are held, with their holders.
pub async fn held(store: &Store) -> Result<Vec<(String, Holder)>, StoreError> {
    let rows = store
        .rows("SELECT key, owner, job_id, acquired, expires FROM core_lock WHERE owner IS NOT NULL ORDER BY key", vec![])
        .await?;
    rows.iter().map(|row| Ok((row.get("key")?, holder_of(row)?))).collect()
}

/// Who holds these, by key.
async fn holders_of(
    session: &mut Session<'_>,
    keys: &[String],
) -> Result<HashMap<String, Holder>, StoreError> {
    let sql = format!(
        "SELECT key, owner, job_id, acquired, expires FROM core_lock WHERE owner IS NOT NULL AND key IN {}",
        texts(session.engine())
    );
    let rows = session.rows(&sql, vec![listed(keys)]).await?;
    rows.iter().map(|row| Ok((row.get("key")?, holder_of(row)?))).collect()
}

/// A list of texts that travels as one value.
pub(crate) const fn texts(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "(SELECT value FROM json_each(?))",
        Engine::Postgres => "(SELECT value FROM json_array_elements_text(?::JSON))",
    }
}

/// The value for [`texts`].
pub(crate) fn listed(texts: &[String]) -> Value {
    Value::json(&texts.into())
}

fn holder_of(row: &crate::Row) -> Result<Holder, StoreError> {
    Ok(Holder {
        owner: row.get("owner")?,
        job: row.get("job_id")?,
        since: row.get("acquired")?,
        expires: row.get("expires")?,
    })
}
