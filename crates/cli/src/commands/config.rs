//! `config`

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use pm_config::{Level, import_original};
use serde_json::json;

use crate::app::{self, EXIT_FAILED, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The settings in force and where they come from, secrets masked
    Show,
    /// What is wrong with the settings; the exit code is 1 if anything is
    Check,
    /// Print a commented settings file
    Init,
    /// Convert the original's configuration.py
    Import {
        /// The Python file
        file: PathBuf,
    },
}

pub(crate) fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Show => {
            let loaded = app::settings(shared, output)?;
            if output.json {
                output.json(&loaded.show_json())?;
            } else {
                output.verbatim(loaded.show_toml().trim_end());
            }
        }
        Command::Check => return check(shared, output),
        Command::Init => {
            let text = pm_config::init_text();
            if output.json {
                output.json(&json!({ "toml": text }))?;
            } else {
                output.verbatim(text.trim_end());
            }
        }
        Command::Import { file } => {
            let source = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let converted = import_original::convert(&source).with_context(|| file.display().to_string())?;
            if output.json {
                output.json(&json!({ "toml": converted.toml, "notes": converted.notes }))?;
            } else {
                output.verbatim(converted.toml.trim_end());
                for note in &converted.notes {
                    output.warning(note);
                }
            }
        }
    }
    Ok(EXIT_OK)
}

fn check(shared: &Shared, output: &Output) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let findings = pm_config::check(&loaded);
    let failed = findings.iter().any(|finding| finding.level == Level::Error);
    if output.json {
        let findings: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "level": if finding.level == Level::Error { "error" } else { "warning" }, "text": finding.text }))
            .collect();
        output.json(&json!({ "file": loaded.file, "warnings": loaded.warnings, "findings": findings }))?;
    } else {
        for finding in &findings {
            match finding.level {
                Level::Error => output.error(&finding.text),
                Level::Warning => output.warning(&finding.text),
            }
        }
        let source = loaded
            .file
            .map_or_else(|| "no file, defaults only".to_owned(), |file| file.display().to_string());
        output.remark(&format!("Settings ({source}): {}", if failed { "not usable" } else { "ok" }));
    }
    Ok(if failed { EXIT_FAILED } else { EXIT_OK })
}
