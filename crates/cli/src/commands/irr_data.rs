//! `get_irr_data`, and `grab_prefixes` that came before it.

use clap::Args;
use pm_tasks::{AnyTask, GetIrrData, GrabPrefixes};

use super::peeringdb::parse_asn;
use crate::app;
use crate::commands::Shared;
use crate::enqueue;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct GrabArguments {
    /// Hide prefix lists with more entries than this, per address family; 0 hides none
    #[arg(short, long, default_value_t = 0, value_name = "ENTRIES")]
    limit: u32,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// Hide prefix lists with more entries than this, per address family; 0 hides none
    #[arg(short, long, default_value_t = 0, value_name = "ENTRIES")]
    limit: u32,
    /// Only these autonomous systems, comma separated
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', value_parser = parse_asn)]
    asn: Vec<i64>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Take lists that the guards hold back: one that became empty, much shorter or much longer
    #[arg(long)]
    force: bool,
    /// Wait if another run is fetching IRR data, instead of ending with exit code 75
    #[arg(long)]
    wait: bool,
    /// Put it on the queue, for a worker, instead of running it here
    #[arg(short, long)]
    tasks: bool,
}

pub(crate) async fn grab(shared: &Shared, output: &Output, arguments: &GrabArguments) -> anyhow::Result<u8> {
    // The original prints this line whatever the verbosity, on stdout; there it would spoil --json.
    output.warning(
        "`grab_prefixes` is deprecated and will be removed in a future release; use `get_irr_data`, which also fetches \
         AS lists",
    );
    let task = GrabPrefixes { limit: arguments.limit, force: arguments.run.force };
    if arguments.run.tasks {
        return enqueue::enqueue(shared, output, &AnyTask::GrabPrefixes(task)).await;
    }
    Ok(app::run_task(shared, output, &task, arguments.run.wait).await?.exit)
}

pub(crate) async fn get(shared: &Shared, output: &Output, arguments: GetArguments) -> anyhow::Result<u8> {
    let task = GetIrrData { limit: arguments.limit, asns: arguments.asn, force: arguments.run.force };
    if arguments.run.tasks {
        return enqueue::enqueue(shared, output, &AnyTask::GetIrrData(task)).await;
    }
    Ok(app::run_task(shared, output, &task, arguments.run.wait).await?.exit)
}
