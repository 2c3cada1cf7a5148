//! Memory: the database, and nothing but the database.
//!
//! Two engines behind one set of statements: SQLite embedded, PostgreSQL as a server. Begin with [`Store`], then
//! [`migrations`] for the schema, [`objects`] for the objects people keep, [`peeringdb`] for the cache, [`irr`] for
//! prefix lists, [`polls`], [`tombstones`] and [`deployments`] for what routers have, and [`jobs`], [`queue`], [`schedules`],
//! [`locks`], [`changes`], [`retention`] for what the tasks need. [`events`] notes what people want to hear of,
//! [`notifications`] the messages about it.
//!
//! This crate knows no adapter, no task, no clock and no settings: times, limits and owners come in as arguments.

pub mod address;
pub mod backup;
mod bell;
pub mod changes;
mod database;
pub mod deployments;
pub mod entities;
mod error;
pub mod events;
mod given;
pub mod health;
pub mod irr;
pub mod jobs;
pub mod locks;
pub mod migrations;
pub mod notifications;
pub mod objects;
pub mod peeringdb;
pub mod picture;
pub mod polls;
pub mod queue;
pub mod releases;
pub mod retention;
pub mod routers;
pub mod schedules;
pub mod schema;
pub mod sessions;
pub mod statuses;
pub mod strangers;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tombstones;
mod value;
pub mod vitals;

pub use bell::Bell;
pub use database::{Connection, Engine, Session, Store, Transaction};
pub use error::{BUSY_SECONDS, Holder, StoreError};
pub use value::{Row, Value};
