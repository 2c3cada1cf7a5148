//! What a task is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pm_config::Config;
use pm_store::changes::Author;
use pm_store::jobs::Outcome;
use pm_store::locks::Lock;
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::Writing;
use pm_store::{Session, Store, StoreError, Transaction, locks};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::queue::Queue;
use crate::{Clock, Reporter};

/// A piece of work with a name and arguments.
///
/// The future of [`Task::run`] may be dropped at any await point when the run is cancelled, but not during
/// [`TaskContext::commit`]. What must not be cut in two belongs into one transaction; a task that has to tidy up outside the database watches
/// [`TaskContext::cancel`].
#[async_trait::async_trait]
pub trait Task: Send + Sync {
    /// The command's name, such as `peeringdb_sync`.
    fn name(&self) -> &'static str;

    /// The original's label of its jobs, such as `peeringdb.synchronise`.
    fn label(&self) -> &'static str;

    /// The arguments, as they are kept in the job record.
    fn arguments(&self) -> Json;

    /// What only one run may hold at a time. A task that works on many things may take a lock of each by itself instead;
    /// when the run ends, whatever its job holds is free again.
    fn lock_key(&self) -> Option<String>;

    /// How long a run that is cancelled may take to end by itself. [`TaskContext::cancel`] tells it; what it returns then is how
    /// the run ended, and afterwards it is dropped as any other.
    fn time_to_end(&self) -> Duration {
        Duration::ZERO
    }

    /// Jobs of the queue with the same key are run one after the other.
    fn queue_key(&self) -> Option<String> {
        self.lock_key()
    }

    /// Which workers run it.
    fn queue(&self) -> Queue {
        Queue::Default
    }

    /// How many jobs of those that are asked for together may go wrong before no other of them is begun; `None`: any number.
    fn most_spoilt(&self, _config: &Config) -> Option<u32> {
        None
    }

    /// Whether what came of a run counts for [`Task::most_spoilt`].
    fn is_spoilt(&self, _data: &Json) -> bool {
        false
    }

    /// Whether it may wait on the queue for a worker, which may be on another host; the error says why not.
    fn queueable(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether a run whose worker vanished may be done again without asking anybody. Only what gives the same result
    /// however often and from whatever state it is begun, and overrules no guard.
    fn is_repeatable(&self) -> bool {
        false
    }

    /// How long a worker lets it run.
    fn time_limit(&self, config: &Config) -> Duration {
        Duration::from_secs(config.job_timeout.into())
    }

    /// Does it.
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError>;
}

/// All that a task may use.
pub struct TaskContext {
    /// The database.
    pub store: Store,
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where to speak to.
    pub reporter: Reporter,
    /// Triggered when the run should end.
    pub cancel: CancellationToken,
    /// For the random parts of waits.
    pub seed: u64,
    /// The number of the job record.
    pub job: i64,
    /// Who makes the changes.
    pub author: Author,
    /// Keys for the secrets in the database.
    pub keyring: Arc<Keyring>,
    /// Whether to wait for what another run holds.
    pub wait: bool,
    pub(crate) lock: Option<Lock>,
    pub(crate) committing: Arc<AtomicBool>,
}

impl TaskContext {
    /// To be called first in every transaction that writes: it makes sure that the run still holds its lock, and
    /// keeps it until the transaction ends.
    pub async fn hold_lock(&self, session: &mut Session<'_>) -> Result<(), StoreError> {
        match &self.lock {
            Some(lock) => locks::hold(session, lock, self.clock.now()).await,
            None => Ok(()),
        }
    }

    /// How this run writes objects, under these rules.
    pub fn writing(&self, rules: Rules) -> Writing<'_> {
        Writing { author: &self.author, now: self.clock.now(), keyring: &self.keyring, rules }
    }

    /// Commits. To be used instead of [`Transaction::commit`]: a run that is cancelled now still waits for the answer,
    /// because a commit that was sent cannot be called back, and the record would say that nothing was stored.
    pub async fn commit(&self, transaction: Transaction<'_>) -> Result<(), StoreError> {
        self.committing.store(true, Ordering::SeqCst);
        let committed = transaction.commit().await;
        self.committing.store(false, Ordering::SeqCst);
        committed
    }
}

/// How a task ended that did not fail.
#[derive(Clone, Debug)]
pub struct Done {
    /// How well it went.
    pub outcome: Outcome,
    /// One sentence for people.
    pub summary: String,
    /// The same for programs; ends up in the job record.
    pub data: Json,
}

/// Why a task did not end well.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The task could not do it; nothing is broken in this program.
    #[error("{0}")]
    Failed(String),
    /// A guard said no; the text says what it saw and how to go on all the same.
    #[error("{0}")]
    Refused(String),
    /// Somebody ended it before it was done; the text says what was left.
    #[error("{0}")]
    Cancelled(String),
    /// It may work later without anybody doing anything.
    #[error("{0}")]
    TryLater(String),
    /// As [`Self::TryLater`], and no sooner than this: whoever was asked said so.
    #[error("{why}")]
    TryAfter {
        /// What it is.
        why: String,
        /// How long to stay away.
        pause: Duration,
    },
    /// A service did not answer, or not as it should. That may pass by itself; if it does not, something is wrong.
    #[error("{why}")]
    Unanswered {
        /// What it is.
        why: String,
        /// How long to stay away, if it said so.
        pause: Duration,
    },
    /// Another run holds all that this one is about; nothing was done.
    #[error("{0}")]
    Held(String),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that should not happen.
    #[error("{0}")]
    Broken(String),
    /// One of the others, with what programs may want to know of it; ends up in the job record.
    #[error("{error}")]
    With {
        /// How it ended.
        error: Box<TaskError>,
        /// For programs.
        data: Json,
    },
}

impl TaskError {
    /// Whether the same may work in a while without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::TryLater(_) | Self::TryAfter { .. } | Self::Unanswered { .. } => true,
            Self::Store(error) => error.may_pass(),
            Self::With { error, .. } => error.may_pass(),
            _ => false,
        }
    }

    /// How long the same is not to be tried, because somebody said so.
    pub fn pause(&self) -> Duration {
        match self {
            Self::TryAfter { pause, .. } | Self::Unanswered { pause, .. } => *pause,
            Self::With { error, .. } => error.pause(),
            _ => Duration::ZERO,
        }
    }
}

impl From<ObjectError> for TaskError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Store(error) => Self::Store(error),
            ObjectError::Protected { .. } => Self::Refused(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}
