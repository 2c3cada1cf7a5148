//! Tasks that wait for a worker: putting them there, reading them back, and what becomes of those whose worker vanished.
//!
//! The queue itself is made of job records, see [`pm_store::queue`].

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::jobs::NewJob;
use pm_store::queue::{self, Lost, Queued};
use pm_store::{Store, StoreError};
use serde_json::{Value as Json, json};

use crate::{AnyTask, Task, process};

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

/// Puts a task on the queue, on behalf of a user or of the command line (`None`). If the same task with the same arguments
/// waits already, that job will do.
///
/// # Errors
/// [`EnqueueError::Unfit`] for a task that cannot be stored or makes no sense there; nothing is stored then.
pub async fn enqueue(
    store: &Store,
    task: &AnyTask,
    user_id: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Queued, EnqueueError> {
    let job = stored(task, user_id)?;
    Ok(queue::add(store, &job, task.as_task().queue_key().as_deref(), now).await?)
}

fn stored(any: &AnyTask, user_id: Option<i64>) -> Result<NewJob, EnqueueError> {
    let task = any.as_task();
    let unfit = |why: String| EnqueueError::Unfit { task: task.name(), why };
    task.queueable().map_err(unfit)?;
    let arguments = content(any).map_err(unfit)?;
    // What a worker will make of it must be what was asked for.
    let read = read(task.name(), &arguments).map_err(unfit)?;
    if read != *any {
        return Err(unfit("its arguments cannot be stored".to_owned()));
    }
    Ok(NewJob {
        job_id: uuid::Uuid::new_v4().to_string(),
        name: task.label().to_owned(),
        task: task.name().to_owned(),
        arguments,
        user_id,
    })
}

fn content(task: &AnyTask) -> Result<Json, String> {
    let mut value = serde_json::to_value(task).map_err(|error| error.to_string())?;
    Ok(value.get_mut("arguments").map(Json::take).unwrap_or_default())
}

/// The task that a job record asks for.
fn read(task: &str, arguments: &Json) -> Result<AnyTask, String> {
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
        Ok(read(task, arguments)?.into_task())
    }
}

/// Closes the jobs whose process is gone. A task of the queue that can be repeated is put there once more; one that was
/// lost twice is not, because it may be what ends its workers.
pub async fn recover(
    store: &Store,
    catalogue: &dyn Catalogue,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Lost>, StoreError> {
    let again = |lost: &Lost| {
        let task = catalogue.read(&lost.task, &lost.arguments).ok()?;
        let repeats = lost.repeat_of.is_none() && task.is_repeatable();
        repeats.then(|| {
            let job = NewJob {
                job_id: uuid::Uuid::new_v4().to_string(),
                name: task.label().to_owned(),
                task: lost.task.clone(),
                arguments: lost.arguments.clone(),
                user_id: None,
            };
            (job, task.queue_key())
        })
    };
    queue::close_lost(store, process::is_dead, now - lease, now, again).await
}

/// One line about a lost job.
pub fn told(lost: &Lost) -> String {
    let again = lost.again.map(|job| format!("; job {job} does it again")).unwrap_or_default();
    format!("job {} ({}) was closed: {}{again}", lost.id, lost.task, pm_store::jobs::ABANDONED)
}

/// How many workers are at work.
pub async fn workers_at_work(
    store: &Store,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let workers = queue::workers(store).await?;
    Ok(workers.iter().filter(|worker| is_at_work(worker, lease, now)).count())
}

fn is_at_work(worker: &queue::Worker, lease: TimeDelta, now: DateTime<Utc>) -> bool {
    now - worker.heartbeat <= lease && !process::is_dead(&worker.owner)
}

/// Forgets workers that are gone.
pub(crate) async fn forget_workers(
    store: &Store,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let workers = queue::workers(store).await?;
    let gone: Vec<_> = workers.into_iter().filter(|worker| !is_at_work(worker, lease, now)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    queue::forget(store, &gone).await
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
            let job = stored(&task, None).unwrap();
            let known = task.as_task();
            assert_eq!((job.task.as_str(), job.name.as_str()), (known.name(), known.label()));
            assert_eq!(read(&job.task, &job.arguments).unwrap(), task);
            let read = AllTasks.read(&job.task, &job.arguments).unwrap();
            assert_eq!((read.name(), read.is_repeatable()), (known.name(), repeatable), "{task:?}");
            // What the trait has a default for must come through as well.
            assert_eq!((read.time_to_end(), read.queue_key()), (known.time_to_end(), known.queue_key()));
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
            let error = stored(&task, None).unwrap_err().to_string();
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
