//! A router's own lock, held while something is done on it.

use std::future::Future;

use chrono::TimeDelta;
use pm_store::StoreError;
use pm_store::locks::{self, Claim, Lock};

use crate::runner::{ASK_AGAIN, HEARTBEAT, close_orphan, held};
use crate::{TaskContext, TaskError, process};

/// A lock, and how to go on holding it.
pub(crate) struct Held {
    lock: Lock,
}

/// Why there is no lock.
pub(crate) enum Taken {
    /// Somebody else has it; the text says who.
    Busy(String),
    /// The run was cancelled while it waited.
    Cancelled,
}

/// Takes the lock; waits for it if that is wanted. A holder that is certainly gone is no obstacle.
pub(crate) async fn claim(
    context: &TaskContext,
    key: &str,
    wait: bool,
) -> Result<Result<Held, Taken>, TaskError> {
    let lease = TimeDelta::seconds(context.config.lock_lease.into());
    let owner = process::this_process();
    let mut told = false;
    loop {
        let now = context.clock.now();
        let claim =
            locks::claim(&context.store, key, &owner, Some(context.job), lease, now, process::is_dead).await;
        match claim {
            Err(StoreError::Busy) if wait => {}
            Err(error) => return Err(error.into()),
            Ok(Claim::Taken { lock, from }) => {
                if let Some(from) = from {
                    close_orphan(&context.store, &from, &context.reporter, now).await?;
                }
                return Ok(Ok(Held { lock }));
            }
            Ok(Claim::Held(holder)) => {
                let text = held(key, &holder);
                if !wait {
                    return Ok(Err(Taken::Busy(text)));
                }
                if !told {
                    context.reporter.info(format!("waiting: {text}"));
                    told = true;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_AGAIN) => {}
            () = context.cancel.cancelled() => return Ok(Err(Taken::Cancelled)),
        }
    }
}

impl Held {
    /// To be called first in every transaction that writes.
    pub(crate) async fn hold(
        &self,
        session: &mut pm_store::Session<'_>,
        context: &TaskContext,
    ) -> Result<(), StoreError> {
        locks::hold(session, &self.lock, context.clock.now()).await
    }

    /// Does the work and lets go. The work is dropped when somebody else has taken the lock meanwhile.
    ///
    /// # Errors
    /// [`StoreError::LockLost`], and what the work says.
    pub(crate) async fn during<T>(
        &self,
        context: &TaskContext,
        work: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, TaskError> {
        let renewing = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let renewed = async {
                    let mut connection = context.store.connection().await?;
                    locks::hold(&mut connection.session(), &self.lock, context.clock.now()).await
                };
                match renewed.await {
                    Err(error @ StoreError::LockLost { .. }) => return error,
                    Err(error) => {
                        tracing::debug!(key = self.lock.key, %error, "the lease could not be renewed");
                    }
                    Ok(()) => {}
                }
            }
        };
        let done = tokio::select! {
            done = work => done,
            lost = renewing => Err(lost.into()),
        };
        if let Err(error) = locks::release(&context.store, &self.lock).await {
            tracing::warn!(key = self.lock.key, %error, "the lock could not be released and is free when its lease ends");
        }
        done
    }
}
