//! `migrate`

use clap::Args;
use pm_store::{Store, StoreError, migrations};
use pm_tasks::{Clock as _, SystemClock};
use secrecy::ExposeSecret as _;

use crate::app::{self, EXIT_FAILED, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

/// A database without a file. The path is never opened; it only has to exist, or the store would make a file first.
const IN_MEMORY: &str = "sqlite:///?mode=memory";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Say what would run and do nothing; the exit code is 1 if anything would
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let url = loaded.config.database_url.expose_secret();
    if arguments.check {
        return check(output, url).await;
    }
    let store = Store::open(url).await?;
    let plan = migrations::plan(&store).await?;
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

async fn check(output: &Output, url: &str) -> anyhow::Result<u8> {
    let (plan, location) = match Store::open_existing(url).await {
        Ok(store) => (migrations::plan(&store).await?, store.location().to_owned()),
        // It will be made empty, so its plan is that of any empty database.
        Err(StoreError::Missing { location }) => {
            (migrations::plan(&Store::open(IN_MEMORY).await?).await?, location)
        }
        Err(error) => return Err(error.into()),
    };
    if output.json {
        output.json(&plan)?;
    } else if plan.pending.is_empty() {
        output.remark(&format!("The schema is up to date (version {}).", plan.current));
    } else {
        output.remark(&format!("Would run on {location}: {}", plan.pending.join(", ")));
    }
    Ok(if plan.pending.is_empty() { EXIT_OK } else { EXIT_FAILED })
}
