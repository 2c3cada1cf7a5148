//! `template`: looks templates over.

use std::path::Path;

use clap::Subcommand;
use pm_tasks::render::{Checked, check_given, check_stored};
use pm_tasks::{Clock as _, SystemClock};
use serde_json::json;

use super::render_configuration::read;
use crate::app::{self, EXIT_FAILED, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find syntax errors, unknown filters and unknown attributes, without rendering
    Check {
        /// Names of stored templates, or files; all stored templates, if none are given
        templates: Vec<String>,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    let Command::Check { templates } = command;
    let (loaded, store) = app::open(shared, output).await?;
    let now = SystemClock.now();
    let mut checked: Vec<Checked> = Vec::new();
    if templates.is_empty() {
        checked = check_stored(&store, &loaded.config, now, None).await?;
    }
    for name in &templates {
        let path = Path::new(name);
        if name == "-" || path.is_file() {
            checked.push(check_given(&loaded.config, now, name, &read(path)?));
            continue;
        }
        let found = check_stored(&store, &loaded.config, now, Some(name)).await?;
        if found.is_empty() {
            return Err(UsageError(format!("{name} is neither a file nor a stored template")).into());
        }
        checked.extend(found);
    }
    let count: usize = checked.iter().map(|template| template.findings.len()).sum();
    if output.json {
        let rows = checked.iter().map(|template| {
            let findings =
                template.findings.iter().map(|found| json!({ "line": found.line, "message": found.message }));
            json!({ "kind": template.kind, "name": template.name, "findings": findings.collect::<Vec<_>>() })
        });
        output.json(&json!({ "templates": rows.collect::<Vec<_>>() }))?;
    } else {
        for Checked { kind, name, findings } in &checked {
            for finding in findings {
                output.line(&format!("{kind} {name}, line {}: {}", finding.line, finding.message));
            }
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        output.remark(&format!(
            "{count} finding{} in {} template{}",
            plural(count),
            checked.len(),
            plural(checked.len())
        ));
    }
    store.close().await;
    Ok(if count == 0 { EXIT_OK } else { EXIT_FAILED })
}
