//! `jobs tail`: what a job says, while it says it.

use std::time::Duration;

use anyhow::anyhow;
use pm_store::jobs::{self, Job, LogLine, Outcome, Progress, Status};
use pm_store::{Store, queue};
use serde_json::json;

use crate::app::{EXIT_FAILED, EXIT_OK, EXIT_PARTLY};
use crate::output::Output;

/// How often the record is looked at; what runs writes into it once a second.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Prints a job's lines until it is over, and gives its exit code.
pub(crate) async fn tail(store: &Store, output: &Output, mut job: Job) -> anyhow::Result<u8> {
    let mut seen = Seen::default();
    loop {
        // The job was read before its lines: once it is over, they are all there.
        let lines = jobs::log_from(store, job.id, seen.lines).await?;
        for line in &lines {
            show_line(output, line)?;
        }
        seen.lines += i64::try_from(lines.len())?;
        if job.status.is_over() {
            break;
        }
        if job.is_waiting() && !seen.waits {
            let place = queue::place(&mut store.connection().await?.session(), job.id).await?;
            seen.waits = true;
            output.remark(&format!("Job {} ({}) waits for a worker, at place {place}.", job.id, job.task));
        }
        if let Some(progress) =
            job.progress.as_ref().filter(|progress| seen.progress.as_ref() != Some(*progress))
        {
            show_progress(output, progress)?;
            seen.progress = Some(progress.clone());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let again = jobs::get(store, job.id).await?;
        job = again.ok_or_else(|| anyhow!("job {} is gone; housekeeping has cleared it away", job.id))?;
    }
    if output.json {
        output.json(&json!({ "job": job }))?;
    }
    let outcome = job.outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
    let error = job.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    output.remark(&format!("Job {} ({}) is {}{outcome}{error}", job.id, job.task, job.status));
    Ok(exit_code(&job))
}

/// What was shown already.
#[derive(Default)]
struct Seen {
    lines: i64,
    progress: Option<Progress>,
    waits: bool,
}

fn show_line(output: &Output, line: &LogLine) -> anyhow::Result<()> {
    if output.json {
        return output.json(&json!({ "line": line }));
    }
    output.line(&format!("{} {:8} {}", line.time.format("%H:%M:%S"), line.level, line.message));
    Ok(())
}

fn show_progress(output: &Output, progress: &Progress) -> anyhow::Result<()> {
    if output.json {
        return output.json(&json!({ "progress": progress }));
    }
    output.remark(&format!("         progress {} of {}: {}", progress.done, progress.total, progress.label));
    Ok(())
}

/// The exit code of a command that ran it. Jobs of earlier releases have none.
fn exit_code(job: &Job) -> u8 {
    let known = job.exit_code.and_then(|code| u8::try_from(code).ok());
    known.unwrap_or(match (job.status, job.outcome) {
        (Status::Completed, Some(Outcome::Partial)) => EXIT_PARTLY,
        (Status::Completed, _) => EXIT_OK,
        _ => EXIT_FAILED,
    })
}
