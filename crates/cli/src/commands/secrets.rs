//! `secrets`: the key that encrypts stored passwords.

use anyhow::anyhow;
use clap::Subcommand;
use pm_store::objects::secrets::random_text;
use pm_tasks::SecretsRotate;

use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encrypt all stored passwords anew, under a new key or the one in the settings
    Rotate {
        /// Make no new key; take the older ones out of the key file
        #[arg(long)]
        forget: bool,
    },
    /// Print random text that can be a `secret_key`
    Generate,
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Rotate { forget } => {
            let task = SecretsRotate { forget: *forget };
            Ok(app::run_task(shared, output, &task, false).await?.exit)
        }
        Command::Generate => {
            let key = random_text().ok_or_else(|| anyhow!("the operating system gives no randomness"))?;
            if output.json {
                output.json(&serde_json::json!({ "secret_key": key }))?;
            } else {
                output.verbatim(&key);
            }
            Ok(EXIT_OK)
        }
    }
}
