//! An IRRd 4 that answers from memory: the whois protocol that bgpq4 speaks, over invented or given RPSL.
//!
//! - `rpsl`: objects as files have them. [`World`]: all objects by source. `generate` invents them.
//! - `expand`: how sets are taken apart and prefixes found.
//! - `query`, `session`, `ripe`: what a line asks for, what a connection has been told, and the answers.
//! - `connection`, `delay`, `server`: TCP, with the delay of a long wire if wanted.
//! - `fault`, `seen`, `control`: going wrong on demand, counting, and both over HTTP.
//!
//! The behaviour follows IRRd's documentation (<https://irrd.readthedocs.io/en/stable/users/queries/whois/>) and what
//! IRRd 4.5 was seen to do. What it leaves out on purpose:
//!
//! - `!o`, `!r` and `!f`: refused as unknown commands.
//! - Queries in RIPE's manner, except for a key, with `-T`, `-s`, `-a`, `-k`, `-r`, `-F` and `-V` before it.
//! - Mirroring, RPKI, scopes: no source has a serial number, and no object is hidden.
//! - A line of more than 1 MiB ends the connection.

mod connection;
mod control;
mod expand;
mod fault;
mod generate;
mod query;
mod ripe;
mod rpsl;
mod seen;
mod server;
mod session;
mod world;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use fault::{BadFault, Fault, FaultKind};
pub use rpsl::RpslError;
pub use seen::{Counters, QuerySeen};
pub use server::{Server, StartError};
pub use world::World;

/// How the server behaves; the default is one like the real one, near by, on any free port.
#[derive(Debug, Clone)]
pub struct Options {
    /// TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Port of the controls, over HTTP; 0 takes any free one, `None` does without.
    pub control: Option<u16>,
    /// The sources a connection begins with, in order; those that the world does not have are there, and empty. If
    /// none is given: all that the world has.
    pub sources: Vec<String>,
    /// How long everything takes on its way, in each direction. Half of what a ping shows.
    pub delay: Duration,
    /// How many connections are served at a time. Further ones are accepted, and wait.
    pub workers: Option<usize>,
    /// How long a connection may be idle before it is closed, unless it says otherwise with `!t`.
    pub idle: Duration,
    /// Whether `!a` is an unknown command, as it is to servers before IRRd 4.
    pub no_a: bool,
    /// The same for `!m`.
    pub no_m: bool,
    /// The faults that wait from the start.
    pub faults: Vec<Fault>,
    /// How many queries the log keeps.
    pub log: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            control: None,
            sources: Vec::new(),
            delay: Duration::ZERO,
            workers: None,
            idle: Duration::from_secs(30),
            no_a: false,
            no_m: false,
            faults: Vec::new(),
            log: 10_000,
        }
    }
}

/// Serves a world until `stop` resolves. `started` is told of the server before.
pub async fn run(
    world: World,
    options: Options,
    started: impl FnOnce(&Server),
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let server = Server::start(Arc::new(world), options).await?;
    started(&server);
    stop.await;
    Ok(())
}
