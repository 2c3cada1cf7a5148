//! `completions` and `manual`: what packagers put beside the binary.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use crate::app::EXIT_OK;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct CompletionArguments {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManualArguments {
    /// Directory; made if it does not exist
    directory: PathBuf,
}

pub(crate) fn completions(arguments: &CompletionArguments) -> anyhow::Result<u8> {
    let mut command = super::Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "peering-manager", &mut script);
    match std::io::Write::write_all(&mut std::io::stdout().lock(), &script) {
        // Somebody who closed the pipe has read enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(EXIT_OK),
    }
}

pub(crate) fn manual(output: &Output, arguments: &ManualArguments) -> anyhow::Result<u8> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    clap_mangen::generate_to(super::Arguments::command(), directory)
        .with_context(|| directory.display().to_string())?;
    if output.json {
        output.json(&serde_json::json!({ "directory": directory }))?;
    }
    output.remark(&format!("Manual pages in {}", directory.display()));
    Ok(EXIT_OK)
}
