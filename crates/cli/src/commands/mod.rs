//! The commands, one file each, with the names that cron lines have used for years.

mod autonomous_systems;
mod backup;
mod config;
mod configure_routers;
mod deleted_sessions;
mod deployments;
mod doctor;
mod documents;
mod email;
mod exchanges;
mod generate;
mod housekeeping;
mod import_original;
mod install_units;
mod irr;
mod irr_data;
mod irr_query;
mod job_tail;
mod jobs;
#[cfg(feature = "lab")]
mod lab;
mod migrate;
mod notifications;
mod objects;
mod peeringdb;
mod peeringdb_sync;
mod poll_bgp_sessions;
mod render_configuration;
mod router;
mod router_list;
mod run;
mod schedule;
mod scheduler;
mod secrets;
mod server;
mod session_import;
mod session_states;
mod sessions;
mod template;
mod worker;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::output::Output;

const EXIT_CODES: &str =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 refused, 4 partly failed, 5 differs, 75 try later.";

/// Commands that have always taken `--config NAME` for a stored configuration.
const WITH_CONFIGURATIONS: [&str; 4] =
    ["render_configuration", "render-configuration", "configure_routers", "configure-routers"];

/// The command line with `--config NAME` written out as `--configuration NAME` where it stands behind a command that means
/// a stored configuration by it. The name of a file that exists is the settings file there, too, as it is everywhere.
pub(crate) fn spelled_out(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    let command = words.iter().position(|word| WITH_CONFIGURATIONS.iter().any(|command| word == command));
    let Some(command) = command else { return words };
    let is_file = |name: &OsStr| Path::new(name).is_file();
    for place in command + 1..words.len() {
        let next = words.get(place + 1).cloned();
        if words[place] == "--" {
            break;
        }
        if words[place] == "--config" && next.is_some_and(|name| !is_file(&name)) {
            words[place] = "--configuration".into();
        } else if let Some(name) = words[place].to_str().and_then(|word| word.strip_prefix("--config="))
            && !is_file(OsStr::new(name))
        {
            words[place] = format!("--configuration={name}").into();
        }
    }
    words
}

/// Keeps a network's BGP peers, their PeeringDB data and the tasks around them.
#[derive(Debug, Parser)]
#[command(name = "peering-manager", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shared {
    /// Settings file [default: `$PEERING_MANAGER_CONFIG`, /etc/peering-manager/config.toml, ./peering-manager.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object on stdout instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Shape of the lines on stderr [default: the setting `log_format`]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormatChoice>,
}

impl Shared {
    /// The number of `-v`, or -1 for `-q`.
    pub(crate) fn verbosity(&self) -> i8 {
        if self.quiet { -1 } else { i8::try_from(self.verbose).unwrap_or(i8::MAX) }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// When the stream is a terminal.
    Auto,
    /// Even into a file.
    Always,
    /// Not at all.
    Never,
}

/// Shape of the lines on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormatChoice {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl From<LogFormatChoice> for pm_config::LogFormat {
    fn from(choice: LogFormatChoice) -> Self {
        match choice {
            LogFormatChoice::Text => Self::Text,
            LogFormatChoice::Json => Self::Json,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Clear away what has grown old and look for a newer release
    Housekeeping(housekeeping::Arguments),
    /// Synchronise the cache with PeeringDB, and autonomous systems with the cache
    #[command(name = "peeringdb_sync", alias = "peeringdb-sync")]
    PeeringdbSync(peeringdb_sync::Arguments),
    /// Fetch prefix lists and AS lists from IRR databases
    #[command(name = "get_irr_data", alias = "get-irr-data")]
    GetIrrData(irr_data::GetArguments),
    /// Fetch prefix lists from IRR databases; superseded by `get_irr_data`
    #[command(name = "grab_prefixes", alias = "grab-prefixes")]
    GrabPrefixes(irr_data::GrabArguments),
    /// Ask routers for the state of their BGP sessions
    #[command(name = "poll_bgp_sessions", alias = "poll-bgp-sessions")]
    PollBgpSessions(poll_bgp_sessions::Arguments),
    /// Make sessions of neighbours on the LANs of all exchanges; `sessions import` for one
    #[command(name = "import_all_ix_sessions", alias = "import-all-ix-sessions")]
    ImportAllIxSessions(session_import::How),
    /// Bring configurations to routers
    #[command(name = "configure_routers", alias = "configure-routers")]
    ConfigureRouters(configure_routers::Arguments),
    /// Deployments: what was deployed, planned and refused; freeze them
    #[command(subcommand)]
    Deployments(deployments::Command),
    /// Compare what routers run with what was deployed; exit code 5 if it differs
    Drift(configure_routers::DriftArguments),
    /// Render the configurations of routers
    #[command(name = "render_configuration", alias = "render-configuration")]
    RenderConfiguration(render_configuration::Arguments),
    /// Templates: look them over
    #[command(subcommand)]
    Template(template::Command),
    /// E-mails: render them
    #[command(subcommand)]
    Email(email::EmailCommand),
    /// Export templates: render them
    #[command(subcommand)]
    ExportTemplate(email::ExportCommand),
    /// Prefix lists and AS lists: look at them, review them, ask IRR servers
    #[command(subcommand)]
    Irr(irr::Command),
    /// Look into the PeeringDB cache, or write it out
    #[command(subcommand)]
    Peeringdb(peeringdb::Command),
    /// Autonomous systems
    #[command(name = "as", subcommand)]
    AutonomousSystems(autonomous_systems::Command),
    /// Internet exchanges
    #[command(name = "ix", subcommand)]
    Exchanges(exchanges::Command),
    /// How sessions stand, what routers have and we do not, and whom to have sessions with
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Any kind of object: list, show, add, change, delete
    #[command(subcommand)]
    Objects(objects::Command),
    /// Make and change objects until they are as a document has them
    Import(documents::ImportArguments),
    /// Write all objects as a document
    Export(documents::ExportArguments),
    /// Take over what the original's REST API lists
    ImportOriginal(import_original::Arguments),
    /// Ask a router, without a database; list those of the database
    #[command(subcommand)]
    Router(router::Command),
    /// The key that encrypts stored passwords
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Run what waits on the queue, until told to stop
    #[command(visible_alias = "rqworker")]
    Worker(worker::Arguments),
    /// Put the tasks of schedules on the queue, until told to stop
    Scheduler(scheduler::Arguments),
    /// A worker and a scheduler in one process, until told to stop
    Run(run::Arguments),
    /// What is run by itself, and when
    #[command(subcommand)]
    Schedule(schedule::Command),
    /// Answer over HTTP for those who watch over it: health and metrics
    Server(server::Arguments),
    /// Put systemd's units, or a file for cron, on this host
    InstallUnits(install_units::Arguments),
    /// What waits, runs and ran, and how it ended
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Notifications: who is told of what, what was told, whether messages arrive
    #[command(subcommand)]
    Notifications(notifications::Command),
    /// Settings: show, check, write a commented file, convert the original's
    #[command(subcommand)]
    Config(config::Command),
    /// Bring the database schema up to date
    Migrate(migrate::Arguments),
    /// Make a consistent copy of the database while it is in use
    Backup(backup::Arguments),
    /// Say what is wrong with this installation
    Doctor,
    /// Print a completion script for a shell
    Completions(generate::CompletionArguments),
    /// Write the manual pages into a directory
    Manual(generate::ManualArguments),
    /// Stand-ins for the services this program talks to
    #[cfg(feature = "lab")]
    #[command(subcommand)]
    Lab(lab::Command),
}

/// Runs the command and gives its exit code.
pub(crate) async fn run(arguments: Arguments, output: &Output) -> anyhow::Result<u8> {
    let shared = &arguments.shared;
    match arguments.command {
        Command::Housekeeping(arguments) => housekeeping::run(shared, output, &arguments).await,
        Command::PeeringdbSync(arguments) => peeringdb_sync::run(shared, output, arguments).await,
        Command::GetIrrData(arguments) => irr_data::get(shared, output, arguments).await,
        Command::GrabPrefixes(arguments) => irr_data::grab(shared, output, &arguments).await,
        Command::PollBgpSessions(arguments) => poll_bgp_sessions::run(shared, output, arguments).await,
        Command::ImportAllIxSessions(how) => session_import::import_all(shared, output, how).await,
        Command::ConfigureRouters(arguments) => configure_routers::run(shared, output, arguments).await,
        Command::Deployments(command) => deployments::run(shared, output, command).await,
        Command::Drift(arguments) => configure_routers::drift(shared, output, arguments).await,
        Command::RenderConfiguration(arguments) => render_configuration::run(shared, output, arguments).await,
        Command::Template(command) => template::run(shared, output, command).await,
        Command::Email(command) => email::email(shared, output, command).await,
        Command::ExportTemplate(command) => email::export(shared, output, command).await,
        Command::Irr(command) => irr::run(shared, output, command).await,
        Command::Peeringdb(command) => peeringdb::run(shared, output, command).await,
        Command::AutonomousSystems(command) => autonomous_systems::run(shared, output, command).await,
        Command::Exchanges(command) => exchanges::run(shared, output, command).await,
        Command::Sessions(command) => sessions::run(shared, output, command).await,
        Command::Objects(command) => objects::run(shared, output, command).await,
        Command::Import(arguments) => documents::import(shared, output, &arguments).await,
        Command::Export(arguments) => documents::export(shared, output, &arguments).await,
        Command::ImportOriginal(arguments) => import_original::run(shared, output, arguments).await,
        Command::Router(command) => router::run(shared, output, command).await,
        Command::Secrets(command) => secrets::run(shared, output, &command).await,
        Command::Worker(arguments) => worker::run(shared, output, &arguments).await,
        Command::Scheduler(arguments) => scheduler::run(shared, output, &arguments).await,
        Command::Run(arguments) => run::run(shared, output, &arguments).await,
        Command::Schedule(command) => schedule::run(shared, output, command).await,
        Command::Server(arguments) => server::run(shared, output, &arguments).await,
        Command::InstallUnits(arguments) => install_units::run(shared, output, &arguments),
        Command::Jobs(command) => jobs::run(shared, output, command).await,
        Command::Notifications(command) => notifications::run(shared, output, command).await,
        Command::Config(command) => config::run(shared, output, command),
        Command::Migrate(arguments) => migrate::run(shared, output, &arguments).await,
        Command::Backup(arguments) => backup::run(shared, output, &arguments).await,
        Command::Doctor => doctor::run(shared, output).await,
        Command::Completions(arguments) => generate::completions(&arguments),
        Command::Manual(arguments) => generate::manual(output, &arguments),
        #[cfg(feature = "lab")]
        Command::Lab(command) => lab::run(output, command).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(line: &str) -> String {
        let words = spelled_out(line.split(' ').map(OsString::from));
        words.join(OsStr::new(" ")).into_string().unwrap_or_default()
    }

    #[test]
    fn the_original_name_of_the_flag_is_understood() {
        for (line, meant) in [
            ("pm render_configuration --config edge", "pm render_configuration --configuration edge"),
            ("pm render_configuration --config=edge", "pm render_configuration --configuration=edge"),
            ("pm --config none.toml render_configuration", "pm --config none.toml render_configuration"),
            ("pm render_configuration --config Cargo.toml", "pm render_configuration --config Cargo.toml"),
            ("pm as list --config none.toml", "pm as list --config none.toml"),
        ] {
            assert_eq!(spelled(line), meant);
        }
    }
}
