//! `lab`: stand-ins, for trying things out and for tests.

use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
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
    let Command::Peeringdb { port, scale, seed, api_key, throttle, plain_meta, order, now } = command;
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
    Ok(EXIT_OK)
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
