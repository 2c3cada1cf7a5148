//! `import` and `export`: all objects as one document.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use pm_store::objects::document::{Changed, Report, Secrets};
use pm_store::objects::registry;
use pm_tasks::documents::{self, DocumentError, Format};
use pm_tasks::private_file;
use serde_json::{Value as Json, json};

use crate::app::{self, EXIT_FAILED, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The document, in YAML or JSON; `-` for standard input
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// Where to write it; `-`, or nothing, for standard output
    file: Option<PathBuf>,
    /// Form of the document [default: as the file's name ends, otherwise yaml]
    #[arg(long, value_enum)]
    format: Option<FormatChoice>,
    /// Whether passwords are left out, or stand there for everybody to read
    #[arg(long, value_enum, default_value = "hidden")]
    secrets: SecretsChoice,
}

/// Forms of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatChoice {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// What becomes of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SecretsChoice {
    /// They are left out.
    Hidden,
    /// They can be read.
    Readable,
}

fn is_stream(file: &Path) -> bool {
    file.as_os_str() == "-"
}

pub(crate) async fn import(
    shared: &Shared,
    output: &Output,
    arguments: &ImportArguments,
) -> anyhow::Result<u8> {
    let text = if is_stream(&arguments.file) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        text
    } else {
        std::fs::read_to_string(&arguments.file)
            .map_err(|error| UsageError(format!("{}: {error}", arguments.file.display())))?
    };
    let editor = app::editor(shared, output).await?;
    let imported = async {
        let document = documents::read(&text)?;
        documents::import(&editor, &document, arguments.dry_run).await
    };
    let report = match imported.await {
        Ok(report) => report,
        Err(DocumentError::Places(places)) => {
            let file = arguments.file.display();
            for place in &places {
                output.error(&format!("{file}: {place}"));
            }
            if output.json {
                output.json(&json!({ "dry_run": arguments.dry_run, "errors": places }))?;
            }
            return Ok(EXIT_FAILED);
        }
        Err(error) => return Err(error.into()),
    };
    if output.json {
        let mut shown = serde_json::to_value(&report)?;
        shown["dry_run"] = arguments.dry_run.into();
        output.json(&shown)?;
    } else {
        show(output, &report, arguments.dry_run);
    }
    Ok(EXIT_OK)
}

fn show(output: &Output, report: &Report, dry_run: bool) {
    for change in &report.created {
        output.line(&format!("+ {}", named(change)));
    }
    for change in &report.updated {
        show_change(output, change);
    }
    let would = if dry_run { " would be" } else { "" };
    output.remark(&format!(
        "{}{would} created, {}{would} updated, {} as they should be.",
        report.created.len(),
        report.updated.len(),
        report.unchanged
    ));
}

/// What changes of one object, a line per field.
pub(crate) fn show_change(output: &Output, change: &Changed) {
    output.line(&format!("~ {}", named(change)));
    for (field, before, after) in &change.fields {
        let (before, after) = (short(before), short(after));
        output.line(&format!("    {field}: {before} → {after}"));
    }
}

fn named(change: &Changed) -> String {
    let kind = registry::model(change.model).map_or(change.model, |model| model.singular);
    format!("{kind} {}", change.display)
}

/// A value in one line that is not too long.
fn short(value: &Json) -> String {
    const LONGEST: usize = 100;
    let text = match value {
        Json::String(text) if text.starts_with("***") => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

pub(crate) async fn export(
    shared: &Shared,
    output: &Output,
    arguments: &ExportArguments,
) -> anyhow::Result<u8> {
    let editor = app::editor(shared, output).await?;
    let secrets = match arguments.secrets {
        SecretsChoice::Hidden => Secrets::LeftOut(&editor.keyring),
        SecretsChoice::Readable => Secrets::Readable(&editor.keyring),
    };
    let document = documents::export(&editor.store, secrets).await?;
    let file = arguments.file.as_deref().filter(|file| !is_stream(file));
    let ends_in_json = file.and_then(Path::extension).is_some_and(|ending| ending == "json");
    let format = match arguments.format {
        Some(FormatChoice::Json) => Format::Json,
        None if ends_in_json || file.is_none() && output.json => Format::Json,
        Some(FormatChoice::Yaml) | None => Format::Yaml,
    };
    let Some(file) = file else {
        if output.json && format == Format::Json {
            output.json(&document)?;
        } else {
            output.verbatim(documents::write(&document, format).trim_end_matches('\n'));
        }
        return Ok(EXIT_OK);
    };
    private_file::replace(file, &documents::write(&document, format))
        .with_context(|| file.display().to_string())?;
    let objects: usize =
        registry::models().filter_map(|model| document.get(model.section())?.as_array().map(Vec::len)).sum();
    if output.json {
        output.json(&json!({ "file": file, "objects": objects }))?;
    } else {
        output.remark(&format!("{objects} objects in {}", file.display()));
    }
    Ok(EXIT_OK)
}
