//! A lock for each router, such as `poll:7`: two runs over different routers do not wait for each other, and no router is
//! worked on by two at once. The runner frees them when the run ends, whatever its end; until then [`RouterLocks::beat`]
//! keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use pm_store::locks::{self, Claim, Lock};
use pm_store::{Holder, Session, StoreError};

use crate::runner::{HEARTBEAT, close_orphan};
use crate::{TaskContext, TaskError, process};

/// The locks of routers that a run holds.
pub(crate) struct RouterLocks<'a> {
    context: &'a TaskContext,
    /// What is done with the routers, such as `poll`.
    work: &'static str,
    held: Mutex<BTreeMap<i64, Lock>>,
}

impl<'a> RouterLocks<'a> {
    /// None yet.
    pub(crate) fn new(context: &'a TaskContext, work: &'static str) -> Self {
        Self { context, work, held: Mutex::default() }
    }

    /// Takes the locks of these routers that are free, or whose holders are gone; gives those that somebody else holds. A
    /// few statements for all.
    pub(crate) async fn take(&self, routers: &[i64]) -> Result<BTreeMap<i64, Holder>, TaskError> {
        let context = self.context;
        let keys: Vec<String> = routers.iter().map(|router| format!("{}:{router}", self.work)).collect();
        let lease = TimeDelta::seconds(context.config.lock_lease.into());
        let owner = process::this_process();
        let now = context.clock.now();
        let job = Some(context.job);
        let claims =
            locks::claim_all(&context.store, &keys, &owner, job, lease, now, process::is_dead).await?;
        let (mut theirs, mut orphans) = (BTreeMap::new(), BTreeMap::new());
        for (router, claim) in routers.iter().zip(claims) {
            match claim {
                Claim::Held(holder) => drop(theirs.insert(*router, holder)),
                Claim::Taken { lock, from } => {
                    self.held().insert(*router, lock);
                    orphans.extend(from.and_then(|from| Some((from.job?, from))));
                }
            }
        }
        for from in orphans.values() {
            close_orphan(&context.store, from, &context.reporter, now).await?;
        }
        Ok(theirs)
    }

    /// To be called first in every transaction about a router: makes sure that its lock is still held, and keeps it until
    /// the transaction ends.
    pub(crate) async fn hold(&self, session: &mut Session<'_>, router: i64) -> Result<(), StoreError> {
        let lock = self.held().get(&router).cloned();
        let lock = lock.ok_or_else(|| StoreError::LockLost { key: format!("{}:{router}", self.work) })?;
        locks::hold(session, &lock, self.context.clock.now()).await
    }

    /// Lets go of a router in a transaction, at whose end it is free for others; then comes [`Self::is_gone`]. Until then it
    /// is held, for the transaction may have to be done again.
    pub(crate) async fn let_go(&self, session: &mut Session<'_>, router: i64) -> Result<(), StoreError> {
        let lock = self.held().get(&router).cloned();
        match lock {
            Some(lock) => locks::let_go(session, &lock).await,
            None => Ok(()),
        }
    }

    /// The transaction in which a router was let go has ended well.
    pub(crate) fn is_gone(&self, router: i64) {
        self.held().remove(&router);
    }

    /// Lets go of a router on which nothing was done. If that fails, the runner does it at the end.
    pub(crate) async fn free(&self, router: i64) {
        let Some(lock) = self.held().remove(&router) else { return };
        if let Err(error) = locks::release(&self.context.store, &lock).await {
            tracing::debug!(key = lock.key, %error, "the lock is kept until the run ends");
        }
    }

    /// Renews the leases for as long as it is polled, and never ends. A lock that was lost is found by [`Self::hold`].
    pub(crate) async fn beat(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let held: Vec<Lock> = self.held().values().cloned().collect();
            if let Err(error) = self.renew(&held).await {
                tracing::debug!(job = self.context.job, %error, "the leases could not be renewed");
            }
        }
    }

    async fn renew(&self, held: &[Lock]) -> Result<(), StoreError> {
        if held.is_empty() {
            return Ok(());
        }
        let mut connection = self.context.store.connection().await?;
        locks::renew_all(&mut connection.session(), held, self.context.clock.now()).await?;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<i64, Lock>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of routers, the first few of them, for a sentence.
pub(crate) fn a_few(names: &BTreeSet<String>) -> String {
    let first: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    let more = names.len().saturating_sub(first.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pm_config::Config;
    use pm_store::Store;
    use pm_store::changes::Author;
    use pm_store::jobs::{self, NewJob};
    use pm_store::objects::secrets::Keyring;
    use pm_store::testing::{each_engine, epoch};

    use super::*;
    use crate::{Clock, NoSink, Reporter};

    struct StandingStill;

    impl Clock for StandingStill {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            epoch()
        }
    }

    async fn context(store: &Store) -> TaskContext {
        let new = NewJob {
            job_id: "a-job".to_owned(),
            name: "devices.poll_bgp_sessions".to_owned(),
            task: "poll_bgp_sessions".to_owned(),
            arguments: serde_json::json!({}),
            user_id: None,
        };
        let job = jobs::open(store, &new, Some(&process::this_process()), epoch()).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(StandingStill);
        TaskContext {
            store: store.clone(),
            config: Arc::new(Config::default()),
            clock: Arc::clone(&clock),
            reporter: Reporter::new(clock, Arc::new(NoSink)),
            cancel: tokio_util::sync::CancellationToken::new(),
            seed: 1,
            job,
            author: Author { user_id: None, user_name: "test".into(), request_id: "r".into() },
            keyring: Arc::new(Keyring::new([7; 32], &[])),
            wait: false,
            lock: None,
            committing: Arc::default(),
        }
    }

    #[tokio::test]
    async fn a_transaction_that_let_go_can_be_done_again() {
        each_engine(async |store| {
            let context = context(&store).await;
            let locks = RouterLocks::new(&context, "poll");
            assert!(locks.take(&[7]).await.unwrap().is_empty());
            for is_last in [false, true] {
                let mut transaction = store.begin().await.unwrap();
                let mut session = transaction.session();
                locks.hold(&mut session, 7).await.unwrap();
                locks.let_go(&mut session, 7).await.unwrap();
                // The first time the database is busy when it is to be committed.
                if is_last {
                    transaction.commit().await.unwrap();
                } else {
                    transaction.rollback().await.unwrap();
                }
            }
            locks.is_gone(7);
            assert!(pm_store::locks::held(&store).await.unwrap().is_empty());
            let lost = locks.hold(&mut store.connection().await.unwrap().session(), 7).await;
            assert!(matches!(lost, Err(StoreError::LockLost { .. })), "{lost:?}");
        })
        .await;
    }
}
