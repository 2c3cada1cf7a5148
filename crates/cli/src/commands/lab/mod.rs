//! `lab`: stand-ins, for trying things out and for tests.

mod routers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use pm_lab::irrd;
use pm_lab::peeringdb::{self, Clock, Generated, Options, Order, Settings};
use pm_tasks::{Clock as _, SystemClock};

use crate::app::EXIT_OK;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A PeeringDB that behaves like PeeringDB, on 127.0.0.1; faults and new days on demand
    #[command(after_help = "POST /lab/advance?days=1&percent=0.5&awkward=1 lets a day pass; \
        POST /lab/fault?ns=net&kind=500&times=2 makes it fail; GET /lab/requests shows what was asked.")]
    Peeringdb {
        /// TCP port; 0 takes any free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Size of the world: 1.0 is about today's PeeringDB
        #[arg(long, default_value_t = 0.02)]
        scale: f64,
        /// The same seed gives the same world
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// A key that is accepted; may be given more than once
        #[arg(long, value_name = "KEY")]
        api_key: Vec<String>,
        /// Enforce PeeringDB's limits on requests
        #[arg(long)]
        throttle: bool,
        /// Leave meta.generated out of answers to since, as PeeringDB does
        #[arg(long)]
        plain_meta: bool,
        /// Order of rows in answers to since
        #[arg(long, value_enum, default_value = "updated")]
        order: OrderChoice,
        /// The simulated time at the start, RFC 3339 [default: now]
        #[arg(long, value_name = "TIME")]
        now: Option<DateTime<Utc>>,
    },
    /// An IRRd that answers as IRRd does, on 127.0.0.1; slow, far away and faulty on demand
    #[command(after_help = "With --control PORT: POST /lab/fault?kind=cut&match=AS-X makes it fail, \
        GET /lab/counters and GET /lab/queries show what was asked.")]
    Irrd(Irrd),
    /// Routers of Junos, IOS-XR and EOS, on 127.0.0.1, with sessions that follow from their configurations
    Routers(routers::Routers),
}

#[derive(Debug, Args)]
pub(crate) struct Irrd {
    /// TCP port; 0 takes any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Answer from the objects in this file, instead of invented ones
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scale", "seed"])]
    rpsl: Option<PathBuf>,
    /// Size of the invented world, which has the AS-SETs of the lab's PeeringDB of the same scale and seed
    #[arg(long, default_value_t = 0.02)]
    scale: f64,
    /// The same seed gives the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write all objects to this file as RPSL
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// The sources selected at first, in order [default: all]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    sources: Vec<String>,
    /// Milliseconds that everything takes on its way, in each direction: half of what a ping would show
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// Serve this many connections at a time and let others wait [default: all]
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// Seconds after which an idle connection is closed
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    idle: u64,
    /// Do not know !a, as IRRd before version 4
    #[arg(long)]
    no_a: bool,
    /// Do not know !m
    #[arg(long)]
    no_m: bool,
    /// Go wrong: a kind, and where, when and how often, as in cut,match=AS-X,times=0; may be given more than once
    #[arg(long, value_name = "FAULT")]
    fault: Vec<irrd::Fault>,
    /// Port for the controls, over HTTP; 0 takes any free one
    #[arg(long, value_name = "PORT")]
    control: Option<u16>,
}

/// Order of rows in answers to since.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OrderChoice {
    /// As PeeringDB does: by the time of the change.
    Updated,
    /// By id.
    Id,
    /// Neither.
    Shuffled,
}

pub(crate) async fn run(output: &Output, command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Peeringdb { port, scale, seed, api_key, throttle, plain_meta, order, now } => {
            let options = Options {
                port,
                api_keys: api_key,
                throttle,
                generated: if plain_meta { Generated::FullOnly } else { Generated::Always },
                order: match order {
                    OrderChoice::Updated => Order::Updated,
                    OrderChoice::Id => Order::Id,
                    OrderChoice::Shuffled => Order::Shuffled,
                },
                clock: Clock::Running,
            };
            let settings = Settings { scale, seed, now: now.unwrap_or_else(|| SystemClock.now()), options };
            let started = |url: &str| {
                output.line(&format!("PeeringDB at {url}; set peeringdb_api to it. Ctrl-C ends it."));
            };
            peeringdb::run(settings, started, stopped()).await?;
        }
        Command::Irrd(command) => irrd(output, command).await?,
        Command::Routers(command) => routers::run(output, command).await?,
    }
    Ok(EXIT_OK)
}

async fn irrd(output: &Output, command: Irrd) -> anyhow::Result<()> {
    let world = match &command.rpsl {
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let world =
                irrd::World::from_rpsl(&text).with_context(|| format!("cannot use {}", file.display()))?;
            ensure!(world.objects() > 0, "{} holds no object that is known here", file.display());
            world
        }
        None => irrd::World::generate(command.scale, command.seed),
    };
    if let Some(file) = &command.dump {
        std::fs::write(file, world.to_rpsl()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let options = irrd::Options {
        port: command.port,
        control: command.control,
        sources: command.sources,
        delay: Duration::from_millis(command.delay),
        workers: command.workers,
        idle: Duration::from_secs(command.idle),
        no_a: command.no_a,
        no_m: command.no_m,
        faults: command.fault,
        ..irrd::Options::default()
    };
    let started = |server: &irrd::Server| {
        output.line(&format!("IRRd at {}; set bgpq3_host to it. Ctrl-C ends it.", server.address()));
        if let Some(control) = server.control() {
            output.line(&format!("Its controls are at http://{control}/lab."));
        }
    };
    irrd::run(world, options, started, stopped()).await?;
    Ok(())
}

async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    } else {
        let _ = tokio::signal::ctrl_c().await;
    }
}
