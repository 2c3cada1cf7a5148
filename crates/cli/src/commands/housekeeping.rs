//! `housekeeping`

use clap::Args;
use pm_tasks::{AnyTask, Housekeeping};

use crate::app;
use crate::commands::Shared;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Say what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait if another housekeeping runs, instead of ending with exit code 75
    #[arg(long)]
    wait: bool,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let task = Housekeeping { dry_run: arguments.dry_run };
    if arguments.tasks {
        return enqueue::enqueue(shared, output, &AnyTask::Housekeeping(task)).await;
    }
    Ok(app::run_task(shared, output, &task, arguments.wait).await?.exit)
}
