//! The front door: parse, call, print. What a command does is in `pm_tasks` and `pm_store`; here is one file per
//! command under `commands/`, the terminal in `terminal.rs`, and what all commands share in `app.rs` and
//! `enqueue.rs`.

mod ages;
mod app;
mod clocks;
mod commands;
mod enqueue;
mod output;
mod service_manager;
mod terminal;
mod units;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = match commands::Arguments::try_parse_from(commands::spelled_out(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` arrive here too. A reader that went away is no reason to fail.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { app::EXIT_USAGE } else { app::EXIT_OK });
        }
    };
    let output = output::Output::of(&arguments.shared);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&format!("the runtime cannot be started: {error}"));
            return ExitCode::from(app::EXIT_FAILED);
        }
    };
    let code = runtime.block_on(commands::run(arguments, &output)).unwrap_or_else(|error| {
        output.error(&format!("{error:#}"));
        app::exit_code(&error)
    });
    ExitCode::from(if output.is_lost() { app::EXIT_FAILED } else { code })
}
