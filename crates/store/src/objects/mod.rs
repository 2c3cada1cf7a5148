//! The objects that people keep: autonomous systems, routers, sessions and all around them.
//!
//! Each is described once, in a file of [`models`]; a description ([`model::Model`]) says fields, choices, defaults,
//! relations, rules, display and order. Everything else works from the descriptions: [`query::Query`] reads
//! [`record::Record`]s, [`write`] makes, changes and deletes them by [`record::Draft`]s with checks and change log,
//! [`document`] exports and imports all of them as one document. See `docs/decisions/one-description-per-object.md`.

pub mod choices;
pub mod conditions;
pub mod data;
pub mod document;
mod field;
pub(crate) mod forms;
pub(crate) mod join;
pub mod model;
pub mod models;
pub mod problems;
pub mod query;
pub mod read;
pub mod record;
pub mod registry;
pub mod router_passwords;
pub mod schema;
pub mod secrets;
pub(crate) mod sql;
pub mod telling;
pub mod write;
