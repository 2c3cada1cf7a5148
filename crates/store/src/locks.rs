//! Locks as rows: an owner, a lease that must be renewed, and a fencing number that grows with every new holder.
//!
//! A holder whose lease ran out may still be at work without knowing. So every transaction of a run under a lock
//! begins with [`hold`], which renews the lease inside the transaction: if the number has moved on, nothing is
//! written. The row stays locked until the commit, so nobody can take over in between either.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Holder, Session, Store, StoreError, Value};

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
    // A look first: the holder may be in the middle of a long write, which reading does not wait for.
    let holder_now = holder(&mut store.connection().await?.session(), key).await?;
    if let Some(holder) = holder_now.filter(|holder| holder.expires > now && !is_dead(&holder.owner)) {
        return Ok(Claim::Held(holder));
    }
    let mut transaction = store.begin().await?;
    let mut session = transaction.session();
    // Makes sure that there is a row to be locked by what follows, on both engines.
    session
        .execute(
            "INSERT INTO core_lock (key, fence, acquired, expires) VALUES (?, 0, ?, ?) ON CONFLICT (key) DO NOTHING",
            vec![key.into(), now.into(), now.into()],
        )
        .await?;
    session.execute("UPDATE core_lock SET fence = fence WHERE key = ?", vec![key.into()]).await?;
    let holder = holder(&mut session, key).await?;
    if let Some(holder) = &holder
        && holder.expires > now
        && !is_dead(&holder.owner)
    {
        return Ok(Claim::Held(holder.clone()));
    }
    let row = session
        .row(
            "UPDATE core_lock SET owner = ?, job_id = ?, fence = fence + 1, acquired = ?, expires = ? WHERE key = ? \
             RETURNING fence",
            vec![owner.into(), job.into(), now.into(), (now + lease).into(), key.into()],
        )
        .await?;
    let fence =
        row.map_or_else(|| Err(StoreError::LockLost { key: key.to_owned() }), |row| row.get("fence"))?;
    transaction.commit().await?;
    Ok(Claim::Taken { lock: Lock { key: key.to_owned(), fence, lease }, from: holder })
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

/// Lets go. Does nothing when somebody else has taken the lock since.
pub async fn release(store: &Store, lock: &Lock) -> Result<(), StoreError> {
    store
        .execute(
            "UPDATE core_lock SET owner = NULL, job_id = NULL WHERE key = ? AND fence = ?",
            vec![lock.key.as_str().into(), lock.fence.into()],
        )
        .await?;
    Ok(())
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

async fn holder(session: &mut Session<'_>, key: &str) -> Result<Option<Holder>, StoreError> {
    let row = session
        .row(
            "SELECT owner, job_id, acquired, expires FROM core_lock WHERE key = ? AND owner IS NOT NULL",
            vec![Value::from(key)],
        )
        .await?;
    row.as_ref().map(holder_of).transpose()
}

fn holder_of(row: &crate::Row) -> Result<Holder, StoreError> {
    Ok(Holder {
        owner: row.get("owner")?,
        job: row.get("job_id")?,
        since: row.get("acquired")?,
        expires: row.get("expires")?,
    })
}
