//! `jobs`: what ran, and how it ended.

use anyhow::anyhow;
use clap::Subcommand;
use pm_store::jobs::{self, Job, Status};
use pm_tasks::{Clock as _, SystemClock};
use serde_json::json;

use crate::app::{self, EXIT_OK, UsageError};
use crate::commands::Shared;
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
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One job with its log
    Show {
        /// Number or UUID
        job: String,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let (_, store) = app::open(shared, output).await?;
    match command {
        Command::List { status, task, limit } => {
            let status = status.map(|text| parse_status(&text)).transpose()?;
            let found = jobs::list(&store, status, task.as_deref(), limit.into()).await?;
            output.table(
                "jobs",
                &found,
                &["Job", "Task", "Status", "Outcome", "Created", "Took", "Message"],
                cells,
            )?;
        }
        Command::Show { job } => {
            let found = match job.parse() {
                Ok(id) => jobs::get(&store, id).await?,
                Err(_) => jobs::get_by_uuid(&store, &job).await?,
            };
            let found = found
                .ok_or_else(|| anyhow!("there is no job {job}; `peering-manager jobs list` lists them"))?;
            let log = jobs::log(&store, found.id).await?;
            if output.json {
                output.json(&json!({ "job": found, "log": log }))?;
                return Ok(EXIT_OK);
            }
            output.line(&format!("Job {} ({})", found.id, found.job_id));
            output.line(&format!("  task       {} {}", found.task, found.arguments));
            let outcome = found.outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
            output.line(&format!("  status     {}{outcome}", found.status));
            output.line(&format!("  created    {}", found.created.format("%Y-%m-%d %H:%M:%S UTC")));
            if let Some(took) = took(&found) {
                output.line(&format!("  took       {took}"));
            }
            if let Some(owner) = &found.owner {
                output.line(&format!("  run by     {}", pm_tasks::describe_owner(owner)));
            }
            if let Some(progress) = found.progress.as_ref().filter(|_| !found.status.is_over()) {
                output.line(&format!(
                    "  progress   {} of {}: {}",
                    progress.done, progress.total, progress.label
                ));
            }
            if let Some(error) = &found.error {
                output.line(&format!("  error      {error}"));
            }
            for line in log {
                output.line(&format!("  {} {:8} {}", line.time.format("%H:%M:%S"), line.level, line.message));
            }
        }
    }
    Ok(EXIT_OK)
}

fn parse_status(text: &str) -> anyhow::Result<Status> {
    Status::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        anyhow!(UsageError(format!("there is no job status {text}; it is one of {}", known.join(", "))))
    })
}

fn cells(job: &Job) -> Vec<String> {
    let message: String = job.error.as_deref().unwrap_or_default().chars().take(80).collect();
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
