//! A PeeringDB API server with an invented, consistent and changing world behind it.
//!
//! - `namespace`: the thirteen object types and which refers to which.
//! - `fields`, `record`: one object as the API prints it.
//! - [`World`]: every object, the simulated clock, the ordinary ways to change them. `generate` invents it.
//! - `advance`: lets simulated time pass, with ordinary changes; [`awkward`]: the changes that break importers.
//! - `query`, `select`, `depth`: what a request asks for and which rows answer it.
//! - `server`, `answer`, `throttle`, `fault`: HTTP, and HTTP going wrong on demand.
//!
//! The behaviour follows PeeringDB's published server source (`rest.py`, `serializers.py`, `renderers.py`, and
//! `django-handleref`) and <https://docs.peeringdb.com/>. What it leaves out on purpose:
//!
//! - Texts copied from a parent (`org_name`, the `name` of a `netfac`) and the counters (`net_count`, …) are those of
//!   the row's creation. The real API derives them at every request, without touching `updated`.
//! - Times are whole seconds. The real database keeps microseconds that the API does not print.
//! - Writing, `page`, `name_search`, searches by distance and filters across relations.

mod advance;
mod answer;
pub mod awkward;
mod body;
mod control;
mod depth;
mod fault;
mod fields;
mod generate;
mod namespace;
mod query;
mod record;
mod select;
mod server;
mod throttle;
mod world;

use std::future::Future;

use chrono::{DateTime, Utc};

pub use advance::{Advance, Changes};
pub use fault::{Fault, FaultKind, UnknownFault};
pub(crate) use generate::as_sets;
pub use namespace::{Namespace, UnknownNamespace};
pub use server::{RequestSeen, Server, StartError};
pub use world::{Caller, NoSuchRow, World};

/// How the server behaves; the default is an unthrottled one on any free port, without keys.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The keys that `Authorization: Api-Key KEY` may carry.
    pub api_keys: Vec<String>,
    /// Whether to enforce the documented limits: 20 requests a minute anonymously, 40 with a key, per client address.
    pub throttle: bool,
    /// When an answer carries `meta.generated`.
    pub generated: Generated,
    /// The order of rows in answers to `since`.
    pub order: Order,
    /// Whether the simulated clock also moves with real time.
    pub clock: Clock,
}

/// When an answer carries `meta.generated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generated {
    /// In every answer.
    #[default]
    Always,
    /// In full answers only: what PeeringDB does, whose answers to `since` or to a filter have an empty `meta`.
    FullOnly,
    /// Never.
    Never,
}

/// The order of rows in answers to `since`. Without `since` rows come by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By `updated`, then by id: what PeeringDB does.
    #[default]
    Updated,
    /// By id.
    Id,
    /// Neither: an order that depends on the ids only, so that a successor comes before or after the row it replaces.
    Shuffled,
}

/// Whether the simulated clock also moves with real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// It moves when told to.
    #[default]
    Held,
    /// It moves with real time, and further when told to.
    Running,
}

/// What a command line needs to know to run the stand-in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Size of the world: 1.0 is about today's PeeringDB.
    pub scale: f64,
    /// The seed all data comes from.
    pub seed: u64,
    /// The simulated time at the start.
    pub now: DateTime<Utc>,
    /// The server's own options.
    pub options: Options,
}

/// Invents a world, serves it until `stop` resolves, and then closes. `started` is told the API's address.
pub async fn run(
    settings: Settings,
    started: impl FnOnce(&str),
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let world = World::generate(settings.scale, settings.seed, settings.now);
    let server = Server::start(world, settings.options).await?;
    started(&server.url());
    stop.await;
    server.stop().await;
    Ok(())
}
