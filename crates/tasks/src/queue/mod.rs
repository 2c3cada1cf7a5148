//! Tasks that wait for a worker: putting them there (here, and `each.rs` for a job per router), reading them back, and what
//! becomes of those that must be done again (`again.rs`). `workers.rs` knows who is at work.
//!
//! The queue itself is made of job records, see [`pm_store::queue`].

mod again;
mod each;
mod workers;

use chrono::{DateTime, Utc};
use pm_store::jobs::NewJob;
use pm_store::queue::{self, Ask, Queued};
use pm_store::{Session, Store, StoreError};
use serde_json::{Value as Json, json};

use crate::{AnyTask, Task};

pub(crate) use again::{Attempt, Whose, are_silent, patrol, recover, silence, told, until_all_spoke};
pub use again::{RetryError, retry};
pub use each::{Spread, SpreadError, enqueue_each, is_spread};
pub use workers::{at_work, workers_at_work, workers_that_serve};
pub(crate) use workers::{forget_workers, is_at_work};

/// Which workers run a task. A worker serves all queues unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// What talks to routers.
    Routers,
    /// What fetches data from PeeringDB and IRR databases.
    Data,
    /// Everything else.
    Default,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Routers, Self::Data, Self::Default];

    /// Its name, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routers => "routers",
            Self::Data => "data",
            Self::Default => "default",
        }
    }

    /// The inverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == text)
    }
}

/// How urgent a job is. Those of people go before those of schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Somebody asked for it and waits.
    Person,
    /// It is done every day.
    Schedule,
}

impl Priority {
    /// As it is stored: higher goes first.
    pub const fn number(self) -> i64 {
        match self {
            Self::Person => 10,
            Self::Schedule => 0,
        }
    }
}

/// On whose behalf something is put on the queue.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The user; `None` for the command line and schedules.
    pub user_id: Option<i64>,
    /// How urgent it is.
    pub priority: Priority,
}

impl Origin {
    /// Somebody at a command line.
    pub const COMMAND_LINE: Self = Self { user_id: None, priority: Priority::Person };
}

/// Why a task is not on the queue.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// It is none for the background.
    #[error("{task} cannot wait for a worker: {why}")]
    Unfit {
        /// The task's name.
        task: &'static str,
        /// Why.
        why: String,
    },
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts a task on the queue. If the same task with the same arguments waits already, that job will do.
///
/// # Errors
/// [`EnqueueError::Unfit`] for a task that cannot be stored or makes no sense there; nothing is stored then.
pub async fn enqueue(
    store: &Store,
    task: &AnyTask,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<Queued, EnqueueError> {
    Ok(queue::add(store, &ask(task, origin)?, now).await?)
}

/// As [`enqueue`], in a transaction of the caller's, at whose end workers see the job.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_in(
    session: &mut Session<'_>,
    task: &AnyTask,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<Queued, EnqueueError> {
    Ok(queue::add_in(session, &ask(task, origin)?, now).await?)
}

/// What is asked for with a task.
pub(crate) fn ask(any: &AnyTask, origin: Origin) -> Result<Ask, EnqueueError> {
    let task = any.as_task();
    let unfit = |why: String| EnqueueError::Unfit { task: task.name(), why };
    task.queueable().map_err(unfit)?;
    let arguments = content(any).map_err(unfit)?;
    // What a worker will make of it must be what was asked for.
    let read = read(task.name(), &arguments).map_err(unfit)?;
    if read != *any {
        return Err(unfit("its arguments cannot be stored".to_owned()));
    }
    let job = NewJob {
        job_id: uuid::Uuid::new_v4().to_string(),
        name: task.label().to_owned(),
        task: task.name().to_owned(),
        arguments,
        user_id: origin.user_id,
    };
    let lock_key = task.queue_key();
    Ok(Ask { lock_key, priority: origin.priority.number(), ..Ask::new(job, task.queue().as_str()) })
}

fn content(task: &AnyTask) -> Result<Json, String> {
    let mut value = serde_json::to_value(task).map_err(|error| error.to_string())?;
    Ok(value.get_mut("arguments").map(Json::take).unwrap_or_default())
}

/// The task that a job record asks for.
pub(crate) fn read(task: &str, arguments: &Json) -> Result<AnyTask, String> {
    let value = json!({ "task": task, "arguments": arguments });
    let read: AnyTask = serde_json::from_value(value).map_err(|error| error.to_string())?;
    // An argument that this program does not know would be passed over in silence: another thing than was asked for.
    match unknown(arguments, &content(&read)?) {
        Some(name) => Err(format!("this program knows no argument {name}")),
        None => Ok(read),
    }
}

/// Something that `asked` has and `known` has not.
fn unknown(asked: &Json, known: &Json) -> Option<String> {
    match (asked, known) {
        (Json::Object(asked), Json::Object(known)) => asked.iter().find_map(|(name, value)| {
            known.get(name).map_or_else(|| Some(name.clone()), |known| unknown(value, known))
        }),
        (Json::Array(asked), Json::Array(known)) => {
            asked.iter().zip(known).find_map(|(asked, known)| unknown(asked, known))
        }
        _ => None,
    }
}

/// Makes tasks of what stands in job records.
pub trait Catalogue: Send + Sync {
    /// The task of this name with these arguments; the error says why there is none.
    fn read(&self, task: &str, arguments: &Json) -> Result<Box<dyn Task>, String>;
}

/// Every task of this program.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllTasks;

impl Catalogue for AllTasks {
    fn read(&self, task: &str, arguments: &Json) -> Result<Box<dyn Task>, String> {
        let task = read(task, arguments)?.into_task();
        // However it came into the table.
        task.queueable()?;
        Ok(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::RenderConfiguration;
    use crate::{
        ConfigureRouters, GetIrrData, GrabPrefixes, Housekeeping, ImportOriginal, IrrAccept, PeeringdbFlush,
        PeeringdbLink, PeeringdbSync, PollBgpSessions, SecretsRotate,
    };

    fn fit() -> Vec<(AnyTask, bool)> {
        let forced = PeeringdbSync { force: true, ..PeeringdbSync::default() };
        vec![
            (AnyTask::Housekeeping(Housekeeping { dry_run: true }), true),
            (AnyTask::PeeringdbSync(PeeringdbSync::default()), true),
            (AnyTask::PeeringdbSync(forced), false),
            (AnyTask::GetIrrData(GetIrrData { asns: vec![64_500], ..GetIrrData::default() }), true),
            (AnyTask::GetIrrData(GetIrrData { force: true, ..GetIrrData::default() }), false),
            (AnyTask::GrabPrefixes(GrabPrefixes::default()), true),
            (AnyTask::IrrAccept(IrrAccept { asns: vec![1] }), false),
            (AnyTask::PeeringdbLink(PeeringdbLink {}), true),
            (
                AnyTask::ConfigureRouters(ConfigureRouters {
                    canary: Some(2),
                    ..ConfigureRouters::default()
                }),
                false,
            ),
            (AnyTask::PollBgpSessions(PollBgpSessions { limit: Some("edge1".into()) }), true),
        ]
    }

    #[test]
    fn a_worker_reads_what_was_asked_for() {
        for (task, repeatable) in fit() {
            let Ask { job, lock_key, queue, priority, .. } = ask(&task, Origin::COMMAND_LINE).unwrap();
            let known = task.as_task();
            assert_eq!((lock_key, queue.as_str(), priority), (known.queue_key(), known.queue().as_str(), 10));
            assert_eq!(Queue::parse(&queue), Some(known.queue()));
            assert_eq!((job.task.as_str(), job.name.as_str()), (known.name(), known.label()));
            assert_eq!(read(&job.task, &job.arguments).unwrap(), task);
            let read = AllTasks.read(&job.task, &job.arguments).unwrap();
            assert_eq!((read.name(), read.is_repeatable()), (known.name(), repeatable), "{task:?}");
            // What the trait has a default for must come through as well.
            assert_eq!((read.time_to_end(), read.queue_key()), (known.time_to_end(), known.queue_key()));
            assert_eq!(read.queue(), known.queue());
        }
    }

    #[test]
    fn what_is_none_for_the_background_is_refused() {
        let from = PeeringdbSync { from: Some("/tmp/dumps".into()), ..PeeringdbSync::default() };
        for (task, why) in [
            (AnyTask::PeeringdbFlush(PeeringdbFlush {}), "a flush cannot"),
            (AnyTask::PeeringdbSync(from), "/tmp/dumps lies on this host"),
            (AnyTask::ImportOriginal(ImportOriginal::default()), "files of this host"),
            (AnyTask::SecretsRotate(SecretsRotate::default()), "keys are rotated by"),
            (AnyTask::RenderConfiguration(RenderConfiguration::default()), "what is rendered"),
        ] {
            let error = ask(&task, Origin::COMMAND_LINE).unwrap_err().to_string();
            assert!(error.starts_with(task.as_task().name()) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_this_program_does_not_know_is_not_run_without_it() {
        for (task, arguments, why) in [
            ("reboot_everything", json!({}), "unknown variant `reboot_everything`"),
            ("housekeeping", json!({"dry_run": "perhaps"}), "invalid type"),
            ("housekeeping", json!({"dry_run": false, "canary": 5}), "no argument canary"),
        ] {
            let error = read(task, &arguments).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        // A row of an older program lacks what came later.
        assert!(read("get_irr_data", &json!({"limit": 5})).is_ok());
    }
}
