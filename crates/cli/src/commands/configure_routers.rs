//! `configure_routers` and `drift`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use pm_tasks::{AnyTask, ConfigureRouters, Drift, Finished};

use crate::app::{self, EXIT_DIFFERENT, EXIT_OK};
use crate::commands::Shared;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Commit even if the router sees no difference
    #[arg(long)]
    no_commit_check: bool,
    /// Only these routers, by name or hostname, comma separated
    #[arg(short, long, value_name = "HOSTS")]
    limit: Option<String>,
    /// Deploy this stored configuration template instead of each router's own
    #[arg(short = 'c', long, value_name = "NAME")]
    configuration: Option<String>,
    /// Change nothing: make a plan, and show what would change
    #[arg(long)]
    dry_run: bool,
    /// Make this plan true, if neither routers nor configurations have changed since
    #[arg(long, value_name = "PLAN", conflicts_with = "dry_run")]
    apply: Option<i64>,
    /// Change so many routers first, and the others only if all went well with them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    canary: Option<u32>,
    /// Overrule the guards and deploy windows; that is recorded
    #[arg(long)]
    force: bool,
    /// Wait for routers that another run is at work on, instead of leaving them out
    #[arg(long)]
    wait: bool,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
    /// Who is recorded as the one who asked for it
    #[arg(long, env = "USER", hide_env_values = true, default_value = "somebody", value_name = "NAME")]
    user: String,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: Arguments) -> anyhow::Result<u8> {
    let task = ConfigureRouters {
        limit: arguments.limit,
        configuration: arguments.configuration,
        no_commit_check: arguments.no_commit_check,
        dry_run: arguments.dry_run,
        apply: arguments.apply,
        canary: arguments.canary,
        force: arguments.force,
        // A job of the queue waits for whatever it needs.
        wait: arguments.wait || arguments.tasks,
        user: arguments.user,
        ..ConfigureRouters::default()
    };
    if arguments.tasks {
        return enqueue::enqueue_each(shared, output, &AnyTask::ConfigureRouters(task)).await;
    }
    let (mut diffs, dry_run) = (BTreeMap::new(), task.dry_run);
    let finished = app::run_task_and(shared, output, &task, arguments.wait, |finished| {
        if dry_run {
            diffs = taken(&task.diffs, finished);
        }
    });
    let finished = finished.await?;
    show(output, &diffs);
    Ok(finished.exit)
}

#[derive(Debug, Args)]
pub(crate) struct DriftArguments {
    /// Only these routers, by name or hostname, comma separated
    #[arg(short, long, value_name = "HOSTS")]
    limit: Option<String>,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
}

pub(crate) async fn drift(shared: &Shared, output: &Output, arguments: DriftArguments) -> anyhow::Result<u8> {
    let task = Drift { limit: arguments.limit, ..Drift::default() };
    if arguments.tasks {
        return enqueue::enqueue(shared, output, &AnyTask::Drift(task)).await;
    }
    let mut diffs = BTreeMap::new();
    let finished = app::run_task_and(shared, output, &task, false, |finished| {
        diffs = taken(&task.diffs, finished);
    });
    let finished = finished.await?;
    show(output, &diffs);
    Ok(if finished.exit == EXIT_OK && !diffs.is_empty() { EXIT_DIFFERENT } else { finished.exit })
}

/// The differences, which are added to each router of what is printed as JSON.
fn taken(diffs: &Mutex<BTreeMap<String, String>>, finished: &mut Finished) -> BTreeMap<String, String> {
    let diffs = std::mem::take(&mut *diffs.lock().unwrap_or_else(PoisonError::into_inner));
    for one in finished.data["routers"].as_array_mut().into_iter().flatten() {
        let diff = one["router"].as_str().and_then(|router| diffs.get(router));
        if let Some(diff) = diff.cloned() {
            one["diff"] = diff.into();
        }
    }
    diffs
}

/// Differences, router by router.
fn show(output: &Output, diffs: &BTreeMap<String, String>) {
    if output.json {
        return;
    }
    for (router, diff) in diffs {
        output.line(&format!("--- {router}\n{}", diff.trim_end_matches('\n')));
    }
}
