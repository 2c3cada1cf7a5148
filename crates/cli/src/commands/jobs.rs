//! `jobs`: what waits, runs and ran, how it ended, and how to end it.

use anyhow::anyhow;
use chrono::TimeDelta;
use clap::Subcommand;
use pm_store::jobs::{self, Filter, Job, LogLine, Status};
use pm_store::queue::{self, Cancelled};
use pm_store::schedules::slots;
use pm_store::{Store, locks};
use pm_tasks::queue::{EnqueueError, Origin, Queue, RetryError};
use pm_tasks::{AnyTask, Clock as _, SystemClock};
use serde_json::json;

use crate::app::{self, EXIT_FAILED, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::commands::job_tail::tail;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The newest jobs
    List {
        /// Only jobs in this status: pending, running, completed, failed, errored or cancelled
        #[arg(long)]
        status: Option<String>,
        /// Only jobs of this task, such as `peeringdb_sync`
        #[arg(long)]
        task: Option<String>,
        /// Only jobs of this queue: routers, data or default
        #[arg(long)]
        queue: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One job with its log
    Show {
        /// Number or UUID
        job: String,
    },
    /// What a job says, until it is over; ends with its exit code
    Tail {
        /// Number or UUID
        job: String,
    },
    /// Ask for the task of a job that is over once more, with the same arguments
    Retry {
        /// Numbers or UUIDs
        #[arg(required = true)]
        jobs: Vec<String>,
    },
    /// End a job: one that waits at once, one that runs at its next pause
    Cancel {
        /// Numbers or UUIDs
        #[arg(required = true)]
        jobs: Vec<String>,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    match command {
        Command::List { status, task, queue, limit } => {
            let status = status.map(|text| parse_status(&text)).transpose()?;
            let queue = queue.map(|text| known_queue(&text)).transpose()?;
            let task = task.map(|text| known_task(&text)).transpose()?;
            let filter = Filter { status, task, queue: queue.map(Queue::as_str) };
            let found = jobs::find(&store, filter, limit.into()).await?;
            output.table(
                "jobs",
                &found,
                &["Job", "Task", "Status", "Outcome", "Created", "Took", "Message"],
                cells,
            )?;
        }
        Command::Show { job } => show(&store, output, &job).await?,
        Command::Tail { job } => return tail(&store, output, find(&store, &job).await?).await,
        Command::Retry { jobs } => return retry(&store, output, &jobs).await,
        Command::Cancel { jobs } => return cancel(&store, output, &jobs).await,
    }
    Ok(EXIT_OK)
}

async fn find(store: &Store, job: &str) -> anyhow::Result<Job> {
    let found = match job.parse() {
        Ok(id) => jobs::get(store, id).await?,
        Err(_) => jobs::get_by_uuid(store, job).await?,
    };
    found.ok_or_else(|| anyhow!("there is no job {job}; `peering-manager jobs list` lists them"))
}

async fn show(store: &Store, output: &Output, job: &str) -> anyhow::Result<()> {
    let found = find(store, job).await?;
    let log = jobs::log(store, found.id).await?;
    let waits = waits(store, &found).await?;
    let again = jobs::repetition(store, found.id).await?;
    let slot = slots::of_job(&mut store.connection().await?.session(), found.id).await?;
    if output.json {
        return output.json(&json!({
            "job": found, "log": log, "waits": waits, "repeated_by": again, "scheduled": slot,
        }));
    }
    let before = match found.repeat_of {
        Some(id) => jobs::get(store, id).await?,
        None => None,
    };
    lines(output, &found, &log, waits.as_ref());
    if let Some(slot) = slot {
        let time = slot.slot.format("%Y-%m-%d %H:%M:%S UTC");
        output.line(&format!("  schedule   {}, for {time}", slot.schedule));
    }
    chain(output, &found, before.as_ref(), again);
    Ok(())
}

/// What a job of the queue waits for.
#[derive(serde::Serialize)]
struct Waits {
    /// Its place among those that wait.
    place: i64,
    /// For how long it has waited.
    seconds: i64,
    /// Who holds the lock that it needs.
    lock: Option<String>,
}

async fn waits(store: &Store, job: &Job) -> anyhow::Result<Option<Waits>> {
    if !job.is_waiting() {
        return Ok(None);
    }
    let now = SystemClock.now();
    let place = queue::place(&mut store.connection().await?.session(), job.id).await?;
    let held = locks::held(store).await?;
    let holder =
        held.into_iter().find(|(key, holder)| job.lock_key.as_ref() == Some(key) && holder.expires > now);
    let lock = holder.map(|(key, holder)| {
        let by = holder.job.map(|job| format!(", job {job}")).unwrap_or_default();
        format!("{key}, held by {}{by}", pm_tasks::describe_owner(&holder.owner))
    });
    Ok(Some(Waits { place, seconds: (now - job.created).num_seconds(), lock }))
}

fn lines(output: &Output, found: &Job, log: &[LogLine], waits: Option<&Waits>) {
    output.line(&format!("Job {} ({})", found.id, found.job_id));
    output.line(&format!("  task       {} {}", found.task, found.arguments));
    let outcome = found.outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
    let asked = found.cancel_asked.filter(|_| !found.status.is_over()).map_or("", |_| ", to be cancelled");
    output.line(&format!("  status     {}{outcome}{asked}", found.status));
    output.line(&format!("  created    {}", found.created.format("%Y-%m-%d %H:%M:%S UTC")));
    if let Some(queue) = &found.queue {
        output.line(&format!("  queue      {queue}"));
    }
    if let Some(time) = found.not_before.filter(|_| found.is_waiting()) {
        output.line(&format!("  not before {}", time.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    if let Some(waits) = waits {
        let time = TimeDelta::seconds(waits.seconds);
        output.line(&format!("  waits      at place {}, for {}", waits.place, length(time)));
        if let Some(lock) = &waits.lock {
            output.line(&format!("  waits for  {lock}"));
        }
    }
    if let Some(took) = took(found) {
        output.line(&format!("  took       {took}"));
    }
    if let Some(owner) = &found.owner {
        output.line(&format!("  run by     {}", pm_tasks::describe_owner(owner)));
    }
    if let Some(progress) = found.progress.as_ref().filter(|_| !found.status.is_over()) {
        output.line(&format!("  progress   {} of {}: {}", progress.done, progress.total, progress.label));
    }
    if let Some(error) = &found.error {
        output.line(&format!("  error      {error}"));
    }
    for line in log {
        output.line(&format!("  {} {:8} {}", line.time.format("%H:%M:%S"), line.level, line.message));
    }
}

/// What the job does again, and what does it again.
fn chain(output: &Output, found: &Job, before: Option<&Job>, again: Option<i64>) {
    if let Some(number) = found.repeat_of {
        let how = before.map_or_else(
            || "is cleared away".to_owned(),
            |before| {
                before
                    .outcome
                    .map_or_else(|| format!("is {}", before.status), |outcome| format!("was {outcome}"))
            },
        );
        let attempt = if found.attempt > 1 { format!(" (attempt {})", found.attempt) } else { String::new() };
        output.line(&format!("  repeats    job {number}, which {how}{attempt}"));
    }
    if let Some(again) = again {
        output.line(&format!("  repeated   by job {again}"));
    }
}

/// A time as people say it.
fn length(time: TimeDelta) -> String {
    match (time.num_days(), time.num_hours(), time.num_minutes()) {
        (2.., ..) => format!("{} days", time.num_days()),
        (_, 2.., _) => format!("{} h", time.num_hours()),
        (_, _, 2..) => format!("{} min", time.num_minutes()),
        _ => format!("{} s", time.num_seconds()),
    }
}

/// Asks for the end of each, and fails if one of them cannot be ended any more.
async fn cancel(store: &Store, output: &Output, names: &[String]) -> anyhow::Result<u8> {
    let mut exit = EXIT_OK;
    let mut told = Vec::new();
    for name in names {
        let job = find(store, name).await?;
        let result = queue::cancel(store, job.id, SystemClock.now()).await?;
        let (text, message) = match result {
            Cancelled::Done => ("cancelled", "was cancelled before it began".to_owned()),
            Cancelled::Asked => ("asked", "will end at its next pause".to_owned()),
            Cancelled::Over(Status::Cancelled) => ("cancelled", "is cancelled already".to_owned()),
            Cancelled::Over(status) => {
                exit = EXIT_FAILED;
                ("over", format!("cannot be cancelled: it is {status}"))
            }
            Cancelled::Unknown => {
                exit = EXIT_FAILED;
                ("unknown", "is gone".to_owned())
            }
        };
        let message = format!("Job {} ({}) {message}", job.id, job.task);
        if !output.json {
            output.line(&format!("{message}."));
        }
        told.push(json!({ "job": job.id, "task": job.task, "result": text, "message": message }));
    }
    if output.json {
        output.json(&json!({ "jobs": told }))?;
    }
    Ok(exit)
}

/// Asks for each once more, and fails if one of them must not be.
async fn retry(store: &Store, output: &Output, names: &[String]) -> anyhow::Result<u8> {
    let mut exit = EXIT_OK;
    let mut told = Vec::new();
    // What is asked for together stops together, as it did the first time.
    let batch = (names.len() > 1).then(|| uuid::Uuid::new_v4().to_string());
    for name in names {
        let job = find(store, name).await?;
        let now = SystemClock.now();
        match pm_tasks::queue::retry(store, &job, Origin::COMMAND_LINE, batch.clone(), now).await {
            Ok(queued) => {
                enqueue::tell(output, &job.task, &queued);
                let mut object = enqueue::as_json(&job.task, &queued);
                object["repeats"] = job.id.into();
                told.push(object);
            }
            Err(RetryError::Enqueue(EnqueueError::Store(error))) => return Err(error.into()),
            Err(error) => {
                exit = EXIT_FAILED;
                output.error(&error.to_string());
                told.push(json!({ "repeats": job.id, "task": job.task, "error": error.to_string() }));
            }
        }
    }
    if output.json {
        output.json(&json!({ "jobs": told }))?;
    }
    Ok(exit)
}

/// The name of a task as the records have it, however it was written.
fn known_task(text: &str) -> anyhow::Result<&'static str> {
    AnyTask::name_of(text).ok_or_else(|| {
        let written = text.to_lowercase();
        let closest =
            AnyTask::NAMES.into_iter().min_by_key(|name| strsim::damerau_levenshtein(&written, name));
        let meant = closest.filter(|name| {
            name.contains(&written) || strsim::damerau_levenshtein(&written, name) <= (name.len() / 4).max(2)
        });
        let hint = meant.map_or_else(|| ";".to_owned(), |name| format!("; did you mean {name}?"));
        anyhow!(UsageError(format!(
            "there is no task {text:?}{hint} there are {}",
            AnyTask::NAMES.join(", ")
        )))
    })
}

pub(crate) fn known_queue(text: &str) -> anyhow::Result<Queue> {
    Queue::parse(text.trim()).ok_or_else(|| {
        let known = Queue::ALL.map(Queue::as_str).join(", ");
        anyhow!(UsageError(format!("there is no queue {text:?}; there are {known}")))
    })
}

fn parse_status(text: &str) -> anyhow::Result<Status> {
    Status::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        anyhow!(UsageError(format!("there is no job status {text}; it is one of {}", known.join(", "))))
    })
}

fn cells(job: &Job) -> Vec<String> {
    let message = match &job.error {
        Some(error) => error.chars().take(80).collect(),
        None if job.is_waiting() => "waits for a worker".to_owned(),
        None => String::new(),
    };
    vec![
        job.id.to_string(),
        job.task.clone(),
        job.status.to_string(),
        job.outcome.map(|outcome| outcome.to_string()).unwrap_or_default(),
        job.created.format("%Y-%m-%d %H:%M:%S").to_string(),
        took(job).unwrap_or_default(),
        message,
    ]
}

fn took(job: &Job) -> Option<String> {
    job.duration(SystemClock.now()).map(|took| format!("{:.1} s", took.as_seconds_f64()))
}
