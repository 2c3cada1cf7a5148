//! `migrate`

use clap::Args;
use pm_store::{Store, migrations};
use pm_tasks::{Clock as _, SystemClock};
use secrecy::ExposeSecret as _;

use crate::app::{self, EXIT_FAILED, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Say what would run and do nothing; the exit code is 1 if anything would
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let store = Store::open(loaded.config.database_url.expose_secret()).await?;
    let plan = migrations::plan(&store).await?;
    if arguments.check {
        if output.json {
            output.json(&plan)?;
        } else if plan.pending.is_empty() {
            output.remark(&format!("The schema is up to date (version {}).", plan.current));
        } else {
            output.remark(&format!("Would run on {}: {}", store.location(), plan.pending.join(", ")));
        }
        return Ok(if plan.pending.is_empty() { EXIT_OK } else { EXIT_FAILED });
    }
    let ran = migrations::run(&store, SystemClock.now()).await?;
    if output.json {
        output.json(&serde_json::json!({ "ran": ran, "version": plan.needed }))?;
    } else if ran.is_empty() {
        output.remark(&format!("The schema is up to date (version {}).", plan.needed));
    } else {
        output.remark(&format!("Ran on {}: {}", store.location(), ran.join(", ")));
    }
    Ok(EXIT_OK)
}
