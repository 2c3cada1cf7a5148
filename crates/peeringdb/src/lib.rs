//! The adapter to `PeeringDB`'s API: asks for the records of a namespace and hands them out as typed rows
//! while the answer is still arriving.
//!
//! It knows `PeeringDB`'s protocol (requests, limits, faults) and the shape of its records. It must not know
//! the database, the configuration file, the clock, or what a record is used for: time limits, addresses and
//! keys come in as plain values, and records go out over a channel.
//!
//! Nothing that `PeeringDB` sends is dropped. What does not fit a field's type is kept as it was sent, and
//! [`Exported`] gives back the object that came in. See [`Record`] for the rule.
//!
//! Where to begin reading: `types.rs` and `fields.rs` say what there is, `record.rs` how a JSON object
//! becomes a record and back (`fit.rs` for a single value), `stream.rs` how an answer is taken apart as it
//! comes, `client.rs` how it is asked for, again and again if need be, at the pace that `governor.rs` allows.
//! `error.rs` lists what can go wrong.

mod attempt;
mod client;
mod error;
mod fields;
mod fit;
mod governor;
mod options;
mod printable;
mod record;
mod repair;
mod splitter;
mod stream;
mod types;

pub use client::{Answer, Client, Event};
pub use error::{FetchError, OptionsError, ReadError};
pub use fields::Field;
pub use options::ClientOptions;
pub use record::{Alteration, Exported, NoId, Record, parse, to_json};
pub use stream::{Contents, SinkClosed, Unusable, read};
pub use types::{Kind, Namespace, Reference, Status, UnknownNamespace, Value};
