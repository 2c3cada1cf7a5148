//! `backup`

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use pm_store::backup::{self, Backup};
use pm_tasks::secret_key;

use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The copy; must not exist
    file: PathBuf,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let (loaded, store) = app::open(shared, output).await?;
    match backup::copy_to(&store, &arguments.file).await? {
        Backup::Done(size) => {
            let key = secret_key::place(&loaded.config, &store).await?;
            if output.json {
                output.json(&serde_json::json!({ "file": arguments.file, "bytes": size, "key": key }))?;
            }
            output.remark(&format!("{} kB in {}", size / 1000, arguments.file.display()));
            if let Some(key) = key {
                output.remark(&format!(
                    "Passwords in it are lost without {key}, which is not in it: keep a copy of that in another place."
                ));
            }
            Ok(EXIT_OK)
        }
        Backup::UseTool(tool) => bail!("the database is PostgreSQL, which has its own tool for it: {tool}"),
    }
}
