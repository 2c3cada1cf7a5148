//! `--tasks`: puts tasks on the queue, where a worker finds them, and says which jobs will do them.

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::Store;
use pm_store::jobs::Status;
use pm_store::queue::Queued;
use pm_tasks::queue::{self, EnqueueError, Origin, Queue, Spread, SpreadError};
use pm_tasks::{AnyTask, Clock as _, SystemClock};
use serde_json::{Value as Json, json};

use crate::app::{self, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

/// Puts a task on the queue, as one job.
pub(crate) async fn enqueue(shared: &Shared, output: &Output, task: &AnyTask) -> anyhow::Result<u8> {
    let (loaded, store) = app::open(shared, output).await?;
    let now = SystemClock.now();
    let queued = queue::enqueue(&store, task, Origin::COMMAND_LINE, now).await.map_err(unfit)?;
    let (name, serves) = (task.as_task().name(), task.as_task().queue());
    let workers = workers(output, &store, &loaded.config, serves, now).await?;
    if output.json {
        let mut object = as_json(name, &queued);
        object["workers"] = workers.into();
        output.json(&object)?;
    }
    tell(output, name, &queued);
    store.close().await;
    Ok(EXIT_OK)
}

/// Puts a job per router on the queue, where that is how the task is done; else one job.
pub(crate) async fn enqueue_each(shared: &Shared, output: &Output, task: &AnyTask) -> anyhow::Result<u8> {
    if !queue::is_spread(task) {
        return enqueue(shared, output, task).await;
    }
    let (loaded, store) = app::open(shared, output).await?;
    let now = SystemClock.now();
    let spread = queue::enqueue_each(&store, &loaded.config, task, Origin::COMMAND_LINE, now).await;
    let Spread { queued, left } = spread.map_err(|error| match error {
        SpreadError::Enqueue(error) => unfit(error),
        other => anyhow!(other),
    })?;
    let (name, serves) = (task.as_task().name(), task.as_task().queue());
    for (router, reason) in &left {
        output.warning(&format!("{router}: skipped, {reason}"));
    }
    let workers =
        if queued.is_empty() { 0 } else { workers(output, &store, &loaded.config, serves, now).await? };
    if output.json {
        let jobs: Vec<Json> = queued
            .iter()
            .map(|(router, queued)| {
                let mut object = as_json(name, queued);
                object["router"] = router.as_str().into();
                object
            })
            .collect();
        let skipped: Vec<Json> =
            left.iter().map(|(router, reason)| json!({ "router": router, "reason": reason })).collect();
        output.json(&json!({ "task": name, "jobs": jobs, "skipped": skipped, "workers": workers }))?;
    }
    for (router, queued) in &queued {
        tell(output, &format!("{name}, {router}"), queued);
    }
    if queued.is_empty() {
        output.remark("There is no router to do it on; nothing was added.");
    }
    store.close().await;
    Ok(EXIT_OK)
}

fn unfit(error: EnqueueError) -> anyhow::Error {
    match error {
        EnqueueError::Unfit { .. } => {
            anyhow!(UsageError(format!("{error}; leave --tasks out to run it here and now")))
        }
        EnqueueError::Store(error) => error.into(),
    }
}

/// How many workers will look at this queue; says so if there are none.
async fn workers(
    output: &Output,
    store: &Store,
    config: &Config,
    serves: Queue,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let lease = TimeDelta::seconds(config.lock_lease.into());
    let workers = queue::workers_that_serve(store, serves, lease, now).await?;
    if workers == 0 {
        output.warning(&format!(
            "no worker is at work that serves the queue {}; `peering-manager worker` runs what waits",
            serves.as_str()
        ));
    }
    Ok(workers)
}

pub(crate) fn as_json(task: &str, queued: &Queued) -> Json {
    json!({
        "job": queued.job, "task": task, "status": Status::Pending, "joined": queued.joined,
        "place": queued.place, "since": queued.since, "running": queued.running,
    })
}

/// Which job will do it.
pub(crate) fn tell(output: &Output, what: &str, queued: &Queued) {
    let text = if queued.joined {
        let since = queued.since.format("%Y-%m-%d %H:%M:%S UTC");
        format!("Job {} ({what}) waits with the same arguments since {since}; nothing was added.", queued.job)
    } else {
        format!("Job {} ({what}) waits for a worker, at place {}.", queued.job, queued.place)
    };
    let runs = queued.running.map_or_else(String::new, |job| {
        format!(" Job {job} runs already with the same arguments; it may have read what has changed since.")
    });
    output.remark(&format!("{text}{runs}"));
}
