//! Benchmarks: how long the program takes, beside a floor that does the same work without checks, and limits.
//!
//! `measures/` has one file per thing that is measured; each gives rows for the table of `report.rs`. The program runs
//! as a process of its own (`process.rs`), on databases of its own (`database.rs`), against a stand-in for PeeringDB
//! (`peeringdb.rs`), for IRR servers (`irrd.rs`) and for routers (`fleet.rs`), and with real ones (`daemons.rs`). `floor/` is
//! what it is compared with; it runs in a child of this program, so that both pay for a process start.
//! `docs/benchmarks.md` says what the numbers mean.

mod daemons;
mod database;
mod deployments;
mod distance;
mod fleet;
mod floor;
mod irrd;
mod lists;
mod measures;
mod objects;
mod parsers;
mod peeringdb;
mod process;
mod render;
mod report;
mod session;
mod work;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use database::Kind;
use report::Report;
use session::Session;

/// Measures the release program and says which targets it misses.
#[derive(Debug, Parser)]
#[command(name = "pm-bench", version, max_term_width = 110)]
struct Arguments {
    /// A tenth of the data; the targets are then only a hint
    #[arg(long)]
    quick: bool,
    /// Only this measure: sync, writers, delta, housekeeping, irr, render, daemons, fleet, polls, parsers, queue or start; may be
    /// given more than once
    #[arg(long, value_name = "NAME")]
    only: Vec<measures::Measure>,
    /// How often sync, housekeeping and irr are repeated
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program does in a child process of itself.
#[derive(Debug, Subcommand)]
enum Part {
    /// Fetches the 13 namespaces and inserts them, without any check
    #[command(hide = true)]
    FloorSync {
        /// Kind of the database
        kind: Kind,
        /// The API
        api: String,
        /// A migrated, empty database
        database: String,
    },
    /// Deletes the change log, without any check
    #[command(hide = true)]
    FloorDelete {
        /// Kind of the database
        kind: Kind,
        /// A database with a change log
        database: String,
        /// Rows per statement
        batch: i64,
    },
    /// Writes a small row again and again until stdin ends, and prints how long each took
    #[command(hide = true)]
    Write {
        /// Kind of the database
        kind: Kind,
        /// A migrated database
        database: String,
    },
    /// Asks for prefix lists with bgpq4, one after another, and prints their lengths
    #[command(hide = true)]
    Bgpq4 {
        /// The IRR server
        host: String,
        /// Its sources
        sources: String,
        /// AS-SETs
        names: Vec<String>,
    },
    /// Asks for prefix lists all at once, and looks at nothing
    #[command(hide = true)]
    FloorIrr {
        /// The IRR server
        host: String,
        /// AS-SETs
        names: Vec<String>,
    },
    /// Asks for prefix lists as the program does, and prints their lengths
    #[command(hide = true)]
    Lists {
        /// The IRR server
        host: String,
        /// Its sources
        sources: String,
        /// AS-SETs
        names: Vec<String>,
    },
    /// Renders the router of a database, and prints how long each rendering took and its length
    #[command(hide = true)]
    Render {
        /// A database that the measure has filled
        database: String,
        /// How often
        rounds: u32,
    },
    /// Polls stand-ins for routers with the drivers alone, and prints what each took
    #[command(hide = true)]
    Poll {
        /// Where the stand-ins wrote their list
        directory: PathBuf,
        /// The first so many of them
        count: usize,
        /// How many at a time
        concurrency: usize,
    },
    /// Reads what a router with many neighbours sends, and prints how long that took
    #[command(hide = true)]
    Parse {
        /// The parser's name
        name: String,
        /// Where the answer is
        file: PathBuf,
        /// How often
        rounds: u32,
    },
    /// Writes what a router with many neighbours sends
    #[command(hide = true)]
    MakeAnswer {
        /// The name of the parser that reads it
        name: String,
        /// How long it is
        octets: usize,
        /// Where to write it
        file: PathBuf,
    },
    /// Polls and changes real BIRD routers over a long way, and prints what that took
    #[command(hide = true)]
    Daemons {
        /// The list of `lab/netns`
        inventory: PathBuf,
        /// How often
        rounds: u32,
    },
    /// Runs jobs that do nothing, until nothing waits or until stdin ends
    #[command(hide = true)]
    Work {
        /// A migrated database
        database: String,
        /// Jobs at the same time
        concurrency: usize,
        /// End when nothing waits
        #[arg(long)]
        once: bool,
    },
    /// Aggregates a million prefixes, and prints how long it took
    #[command(hide = true)]
    Aggregate {
        /// How often
        rounds: u32,
    },
}

#[expect(clippy::print_stderr, reason = "a program for the terminal")]
#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pm-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    match arguments.part {
        Some(part) => run_part(part).await.map(|()| true),
        None => benchmark(&arguments).await,
    }
}

async fn run_part(part: Part) -> anyhow::Result<()> {
    match part {
        Part::FloorSync { kind, api, database } => floor::sync::run(kind, &api, &database).await,
        Part::FloorDelete { kind, database, batch } => floor::delete::run(kind, &database, batch).await,
        Part::Write { kind, database } => writer::run(kind, &database).await,
        Part::Bgpq4 { host, sources, names } => floor::irr::bgpq4(&host, &sources, &names).await,
        Part::FloorIrr { host, names } => floor::irr::pipelined(&host, &names).await,
        Part::Lists { host, sources, names } => lists::run(&host, &sources, &names).await,
        Part::Render { database, rounds } => render::run(&database, rounds).await,
        Part::Poll { directory, count, concurrency } => fleet::poll(&directory, count, concurrency).await,
        Part::Parse { name, file, rounds } => parsers::run(&name, &file, rounds),
        Part::MakeAnswer { name, octets, file } => parsers::make(&name, octets, &file),
        Part::Daemons { inventory, rounds } => daemons::measure(&inventory, rounds).await,
        Part::Work { database, concurrency, once } => work::run(&database, concurrency, once).await,
        Part::Aggregate { rounds } => lists::aggregate(rounds),
    }
}

/// Whatever way it ends, what was started is stopped and what was made is removed: processes when the session that
/// owns them is dropped, databases of the server here.
#[expect(clippy::print_stdout, reason = "the table is the result")]
async fn benchmark(arguments: &Arguments) -> anyhow::Result<bool> {
    let session = Session::new(arguments.quick, arguments.rounds)?;
    let mut report = Report::default();
    let ended = tokio::select! {
        ended = measures::run(&session, &arguments.only, &mut report) => ended,
        signal = interrupted() => signal.and_then(|()| anyhow::bail!("interrupted")),
    };
    let removed = session.remove_databases().await;
    println!("{report}");
    ended?;
    removed?;
    Ok(report.all_met())
}

async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be waited for")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.context("signals cannot be waited for"),
        _ = terminate.recv() => Ok(()),
    }
}
