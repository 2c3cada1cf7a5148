//! `objects`: any kind of object by hand.

use clap::Subcommand;
use pm_store::objects::registry;
use pm_tasks::Editor;
use pm_tasks::documents::{Format, write};
use pm_tasks::objects::{self, Shown};
use serde_json::json;

use super::documents::show_change;
use crate::app::{self, EXIT_OK, EXIT_REFUSED};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the kinds of objects and their fields
    Kinds,
    /// List objects
    List {
        /// Such as routers
        kind: String,
        /// Names, or conditions such as `status=enabled` or `router__name=edge1`
        which: Vec<String>,
        /// So many at most
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Show one object
    Show {
        /// Such as router
        kind: String,
        /// Its name, id=NUMBER, or conditions that only it fulfils
        #[arg(required = true)]
        which: Vec<String>,
    },
    /// Make an object
    Add {
        /// Such as router
        kind: String,
        /// Values, such as name=edge1
        #[arg(required = true, value_name = "FIELD=VALUE")]
        values: Vec<String>,
    },
    /// Change fields of one object
    Set {
        /// Such as router
        kind: String,
        /// Its name or id=NUMBER
        which: String,
        /// Values, such as status=disabled or tags=[core, edge]
        #[arg(required = true, value_name = "FIELD=VALUE")]
        values: Vec<String>,
        /// Show what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete objects
    Delete {
        /// Such as sessions
        kind: String,
        /// Names, id=NUMBER, or conditions
        #[arg(required = true)]
        which: Vec<String>,
        /// Delete also what goes with them, such as the sessions of an autonomous system
        #[arg(long)]
        cascade: bool,
        /// Show what would go, and delete nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(crate) async fn run(shared: &Shared, output: &Output, command: Command) -> anyhow::Result<u8> {
    if let Command::Kinds = command {
        return kinds(output);
    }
    let editor = app::editor(shared, output).await?;
    match command {
        Command::Kinds => Ok(EXIT_OK),
        Command::List { kind, which, limit } => list(output, &editor, &kind, &which, limit).await,
        Command::Show { kind, which } => {
            show(output, &objects::show(&editor, objects::kind(&kind)?, &which).await?)
        }
        Command::Add { kind, values } => {
            show(output, &objects::add(&editor, objects::kind(&kind)?, &values).await?)
        }
        Command::Set { kind, which, values, dry_run } => {
            set(output, &editor, &kind, &which, &values, dry_run).await
        }
        Command::Delete { kind, which, cascade, dry_run } => {
            let model = objects::kind(&kind)?;
            let (deleted, done) = objects::delete(&editor, model, &which, cascade, dry_run).await?;
            if output.json {
                let mut shown = serde_json::to_value(&deleted)?;
                shown["deleted"] = done.into();
                output.json(&shown)?;
            } else {
                for object in &deleted.objects {
                    output.line(&format!("- {} {object}", model.singular));
                }
                for (kind, count) in &deleted.along {
                    output.line(&format!("  and {count} {kind}"));
                }
                for (kind, field, count) in &deleted.emptied {
                    output.line(&format!("  {field} of {count} {kind} becomes empty"));
                }
            }
            if done || dry_run {
                return Ok(EXIT_OK);
            }
            output
                .error("nothing was deleted: other objects would go with them; say --cascade if they shall");
            Ok(EXIT_REFUSED)
        }
    }
}

/// Lists objects of a kind.
pub(crate) async fn list(
    output: &Output,
    editor: &Editor,
    kind: &str,
    which: &[String],
    limit: Option<u32>,
) -> anyhow::Result<u8> {
    let model = objects::kind(kind)?;
    let found = objects::list(editor, model, which, limit).await?;
    let status = model.field("status").is_some();
    let header: &[&str] = if status { &["ID", "Name", "Status"] } else { &["ID", "Name"] };
    output.table(&model.section(), &found, header, |one| {
        let mut cells = vec![one.id.to_string(), one.display.clone()];
        cells
            .extend(status.then(|| one.fields["status"].as_str().map(ToOwned::to_owned).unwrap_or_default()));
        cells
    })?;
    Ok(EXIT_OK)
}

/// Shows one object.
pub(crate) fn show(output: &Output, shown: &Shown) -> anyhow::Result<u8> {
    if output.json {
        output.json(shown)?;
    } else {
        output.line(&format!("# {} {}", shown.id, shown.display));
        output.line(write(&shown.fields, Format::Yaml).trim_end());
    }
    Ok(EXIT_OK)
}

/// Changes one object.
pub(crate) async fn set(
    output: &Output,
    editor: &Editor,
    kind: &str,
    which: &str,
    values: &[String],
    dry_run: bool,
) -> anyhow::Result<u8> {
    let changed = objects::set(editor, objects::kind(kind)?, &[which.to_owned()], values, dry_run).await?;
    match (&changed, output.json) {
        (changed, true) => output.json(&json!({ "changed": changed, "dry_run": dry_run }))?,
        (Some(changed), false) => show_change(output, changed),
        (None, false) => output.remark("Nothing to change."),
    }
    Ok(EXIT_OK)
}

fn kinds(output: &Output) -> anyhow::Result<u8> {
    let rows: Vec<serde_json::Value> = registry::models()
        .map(|model| {
            let fields: Vec<&str> = model.fields.iter().map(|field| field.name).collect();
            json!({ "kind": model.section(), "key": model.key, "fields": fields })
        })
        .collect();
    let words = |list: &serde_json::Value| {
        let words: Vec<&str> = list.as_array().into_iter().flatten().filter_map(|one| one.as_str()).collect();
        words.join(" ")
    };
    output.table("kinds", &rows, &["Kind", "Named by", "Fields"], |row| {
        vec![row["kind"].as_str().unwrap_or_default().to_owned(), words(&row["key"]), words(&row["fields"])]
    })?;
    Ok(EXIT_OK)
}
