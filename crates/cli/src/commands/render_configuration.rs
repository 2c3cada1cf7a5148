//! `render_configuration`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use pm_tasks::render::{Configuration, GivenTemplate, RenderConfiguration, Template};

use crate::app::{self, EXIT_DIFFERENT, EXIT_OK, UsageError};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only these routers, by name or hostname, comma separated
    #[arg(long, value_name = "HOSTS")]
    limit: Option<String>,
    /// Render this stored configuration template instead of each router's own
    #[arg(short = 'c', long, value_name = "NAME", conflicts_with = "input")]
    configuration: Option<String>,
    /// Render this template file instead of each router's own; - for standard input
    #[arg(long, alias = "template", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Remove the line break after a tag, as the template's own flag does
    #[arg(long)]
    trim: bool,
    /// Remove blanks before a tag at the start of a line, as the template's own flag does
    #[arg(long)]
    lstrip: bool,
    /// Write to this file, or into this directory a file per router, instead of standard output
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Only show how what --output holds would change; exit code 5 if it would
    #[arg(long, requires = "output")]
    diff: bool,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: Arguments) -> anyhow::Result<u8> {
    let template = match (&arguments.configuration, &arguments.input) {
        (Some(name), _) => Template::Stored(name.clone()),
        (None, Some(file)) => Template::Given(GivenTemplate {
            name: file.display().to_string(),
            text: read(file)?,
            trim: arguments.trim,
            lstrip: arguments.lstrip,
        }),
        (None, None) => Template::Own,
    };
    let task = RenderConfiguration {
        limit: arguments.limit,
        template,
        trim: arguments.trim,
        lstrip: arguments.lstrip,
        output: arguments.output,
        diff: arguments.diff,
        ..RenderConfiguration::default()
    };
    let finished = app::run_task(shared, output, &task, false).await?;
    if finished.exit != EXIT_OK {
        return Ok(finished.exit);
    }
    let rendered = task.rendered.lock().map_err(|_| anyhow!("what was rendered is lost"))?;
    if !output.json {
        for Configuration { rendering, difference, .. } in rendered.iter() {
            match (&task.output, task.diff) {
                (None, _) => output.octets(&rendering.text),
                (Some(_), true) => output.octets(difference),
                (Some(_), false) => {}
            }
        }
    }
    let differs = rendered.iter().any(|configuration| !configuration.difference.is_empty());
    Ok(if task.diff && differs { EXIT_DIFFERENT } else { EXIT_OK })
}

/// The text of a file, or of standard input.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let octets = if file == Path::new("-") {
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut octets).context("standard input")?;
        octets
    } else {
        std::fs::read(file)
            .map_err(|error| anyhow!(UsageError(format!("{} cannot be read: {error}", file.display()))))?
    };
    String::from_utf8(octets).map_err(|_| anyhow!("{} is not UTF-8", file.display()))
}
