//! `import-original`: takes over what the original's REST API lists.

use std::path::PathBuf;

use clap::Args;
use pm_tasks::ImportOriginal;

use crate::app;
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Directory with a file per list, such as peering--autonomous-systems.json
    directory: PathBuf,
    /// Say what would be taken over, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: Arguments) -> anyhow::Result<u8> {
    let task = ImportOriginal { directory: arguments.directory, dry_run: arguments.dry_run };
    Ok(app::run_task(shared, output, &task, false).await?.exit)
}
