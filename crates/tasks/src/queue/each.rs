//! A job per router: polls, and deployments that do not hang together otherwise.
//!
//! Each job names its router and waits under that router's lock, so that one router that is slow or at work holds up nobody else,
//! and workers on several hosts share the work. All are put on the queue in one transaction, and have a batch in common.

use chrono::{DateTime, Utc};
use pm_config::Config;
use pm_store::queue::{self, Ask, Queued};
use pm_store::{Session, Store, StoreError, picture};

use super::{EnqueueError, Origin, ask};
use crate::deploy::left_out;
use crate::routers::{NoWay, Reached, limited, routers, words};
use crate::{AnyTask, ConfigureRouters, PollBgpSessions, TaskError, secret_key};

/// What came of asking for a job per router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Routers and their jobs, by the routers' names.
    pub queued: Vec<(String, Queued)>,
    /// Routers that get none, and why.
    pub left: Vec<(String, String)>,
}

/// Why nothing was put on the queue.
#[derive(Debug, thiserror::Error)]
pub enum SpreadError {
    /// A name that nothing has.
    #[error("{0}")]
    Unknown(String),
    /// As for one job.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// What routers there are could not be read.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl From<StoreError> for SpreadError {
    fn from(error: StoreError) -> Self {
        Self::Enqueue(error.into())
    }
}

/// Whether [`enqueue_each`] makes a job of each router. What looks at one router before it goes on to the next does not: a plan and
/// what is planned, canaries.
pub fn is_spread(task: &AnyTask) -> bool {
    match task {
        AnyTask::PollBgpSessions(_) => true,
        AnyTask::ConfigureRouters(task) => task.canary.is_none() && task.apply.is_none() && !task.dry_run,
        _ => false,
    }
}

/// Puts a job per router on the queue, all in one transaction. Routers that cannot take part are left out, for the reasons that
/// a run gives. One that waits already keeps its job.
///
/// # Errors
/// [`SpreadError::Unknown`] for a name in the limit that no router has; nothing is stored then.
pub async fn enqueue_each(
    store: &Store,
    config: &Config,
    task: &AnyTask,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<Spread, SpreadError> {
    let keyring = secret_key::keyring(config, store).await;
    // The ways to the routers lead through files, which may be slow to read: nobody is to wait for that with what he writes.
    let mut moment = store.begin_reading().await?;
    let mut session = moment.session();
    let all = routers(&mut session, config, &keyring).await?;
    let words = words(&all);
    let (taking_part, left) = match task {
        AnyTask::PollBgpSessions(task) => polled(all, task)?,
        AnyTask::ConfigureRouters(task) => configured(&mut session, all, task).await?,
        other => {
            let (task, why) = (other.as_task().name(), "it is not about routers".to_owned());
            return Err(EnqueueError::Unfit { task, why }.into());
        }
    };
    moment.rollback().await?;
    let batch = batch(task);
    let asks: Vec<Ask> = taking_part
        .iter()
        .map(|router| {
            let word = words.get(&router.id).unwrap_or(&router.name);
            Ok(Ask { batch: Some(batch.clone()), ..of_router(task, router.id, word, origin)? })
        })
        .collect::<Result<_, EnqueueError>>()?;
    let mut transaction = store.begin().await?;
    let queued = queue::add_all_in(&mut transaction.session(), &asks, now).await?;
    transaction.commit().await?;
    let names = taking_part.into_iter().map(|router| router.name);
    Ok(Spread { queued: names.zip(queued).collect(), left })
}

/// The name of a batch, which says whether it is about all routers.
fn batch(task: &AnyTask) -> String {
    let limit = match task {
        AnyTask::PollBgpSessions(task) => task.limit.as_ref(),
        AnyTask::ConfigureRouters(task) => task.limit.as_ref(),
        _ => None,
    };
    let begin = if limit.is_none() { queue::WHOLE_BATCH } else { "" };
    format!("{begin}{}", uuid::Uuid::new_v4())
}

/// The task for one router, which a limit of this word names, under the lock that it takes there.
fn of_router(task: &AnyTask, router: i64, word: &str, origin: Origin) -> Result<Ask, EnqueueError> {
    let limit = Some(word.to_owned());
    let (task, lock) = match task {
        AnyTask::ConfigureRouters(task) => {
            (AnyTask::ConfigureRouters(ConfigureRouters { limit, ..task.clone() }), "deploy")
        }
        _ => (AnyTask::PollBgpSessions(PollBgpSessions { limit }), "poll"),
    };
    Ok(Ask { lock_key: Some(format!("{lock}:{router}")), ..ask(&task, origin)? })
}

/// Routers that take part, and the names of those that do not, with the reason.
type Chosen = (Vec<Reached>, Vec<(String, String)>);

/// What is broken on the way to a router may be in order on the worker's host, so such a router takes part.
fn polled(all: Vec<Reached>, task: &PollBgpSessions) -> Result<Chosen, SpreadError> {
    let named = task.limit.is_some();
    let all = limited(all, task.limit.as_deref()).map_err(SpreadError::Unknown)?;
    Ok(choose(all.into_iter().filter(|router| router.polled || named), |router| match &router.target {
        _ if !router.polled => Some("polling its sessions is not enabled".to_owned()),
        Err(NoWay::Unmeant(reason)) => Some(reason.clone()),
        _ => None,
    }))
}

async fn configured(
    session: &mut Session<'_>,
    all: Vec<Reached>,
    task: &ConfigureRouters,
) -> Result<Chosen, SpreadError> {
    let all = limited(all, task.limit.as_deref()).map_err(SpreadError::Unknown)?;
    if let Some(name) = &task.configuration {
        let model = pm_store::objects::registry::model("devices.configuration")
            .ok_or_else(|| StoreError::Data("there is no model devices.configuration".to_owned()))?;
        let known = picture::objects(session, model).await.map_err(TaskError::from)?;
        if !known.iter().any(|one| one.text("name") == name || one.id.to_string() == *name) {
            return Err(SpreadError::Unknown(format!("there is no configuration {name:?}")));
        }
    }
    Ok(choose(all, left_out))
}

fn choose(all: impl IntoIterator<Item = Reached>, why_not: impl Fn(&Reached) -> Option<String>) -> Chosen {
    let (mut taking_part, mut left) = (Vec::new(), Vec::new());
    for router in all {
        match why_not(&router) {
            Some(reason) => left.push((router.name, reason)),
            None => taking_part.push(router),
        }
    }
    (taking_part, left)
}
