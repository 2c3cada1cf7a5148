//! Whether a run of the same kind is still going on, so that another one is not begun.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::schedules::Schedule;
use pm_store::schedules::facts::{self, Run};
use pm_store::{Session, StoreError};
use serde_json::Value as Json;

use crate::{AnyTask, process};

/// What is still going on, for people; `None` if nothing is. These count: the schedule's last job, any run of the task with
/// the same arguments, whoever started it, and whoever holds the task's lock.
pub(crate) async fn going_on(
    session: &mut Session<'_>,
    schedule: &Schedule,
    task: &AnyTask,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let name = &schedule.definition.task;
    // As they are in job records, written out.
    let arguments = asked(task.as_task().arguments());
    let open = facts::open_runs(session, name).await?;
    let same = open
        .iter()
        .filter(|run| is_alive(run, lease, now))
        .find(|run| Some(run.job) == schedule.last_job || asked(run.arguments.clone()) == arguments);
    if let Some(run) = same {
        let how = if run.owner.is_some() { "still runs" } else { "still waits for a worker" };
        return Ok(Some(format!("job {} ({name}) {how}", run.job)));
    }
    let Some(key) = task.as_task().lock_key() else { return Ok(None) };
    let holder = facts::holder(session, &key, now).await?.filter(|holder| !process::is_dead(&holder.owner));
    Ok(holder.map(|holder| {
        let job = holder.job.map(|job| format!(", job {job}")).unwrap_or_default();
        format!("the lock {key} is held by {}{job}", process::describe(&holder.owner))
    }))
}

/// One whose process is gone will be closed, and holds nobody up until then. One that waits for a worker has none.
fn is_alive(run: &Run, lease: TimeDelta, now: DateTime<Utc>) -> bool {
    run.owner.as_deref().is_none_or(|owner| {
        !process::is_dead(owner) && run.heartbeat.is_some_and(|heartbeat| now - heartbeat <= lease)
    })
}

/// What was asked for, whoever asked for it, and whether he would wait.
fn asked(mut arguments: Json) -> Json {
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.remove("user");
        arguments.remove("wait");
    }
    arguments
}
