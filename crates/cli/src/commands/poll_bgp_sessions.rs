//! `poll_bgp_sessions`.

use clap::Args;
use pm_tasks::{AnyTask, PollBgpSessions};

use crate::app;
use crate::commands::Shared;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these routers, by name or hostname, comma separated
    #[arg(short, long, value_name = "HOSTS")]
    limit: Option<String>,
    /// Wait for routers that another run is polling, instead of leaving them out
    #[arg(long)]
    wait: bool,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: Arguments) -> anyhow::Result<u8> {
    let task = PollBgpSessions { limit: arguments.limit };
    if arguments.tasks {
        return enqueue::enqueue_each(shared, output, &AnyTask::PollBgpSessions(task)).await;
    }
    Ok(app::run_task(shared, output, &task, arguments.wait).await?.exit)
}
