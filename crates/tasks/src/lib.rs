//! Work: every task of the program, and the one way to run a task.
//!
//! A task is where adapters meet the store, and nothing else is. Begin with [`Task`] and [`TaskContext`] in `task.rs`,
//! then [`Runner`] in `runner.rs`, which opens the job record, takes the lock, runs the task and closes the record,
//! the same for the command line as for anything else that starts a task. A new task is one file here and one line
//! in [`AnyTask`].
//!
//! This crate knows no terminal, no HTTP request and no environment variable. The time comes from a [`Clock`].

mod any;
mod clock;
mod housekeeping;
mod http;
pub mod irr;
mod peeringdb_export;
mod peeringdb_flush;
mod peeringdb_sync;
mod process;
pub mod render;
mod reporter;
mod runner;
mod task;

pub use any::AnyTask;
pub use clock::{Clock, SystemClock};
pub use housekeeping::{Housekeeping, is_newer};
pub use http::client as http_client;
pub use irr::{GetIrrData, GrabPrefixes, IrrAccept};
pub use peeringdb_export::export as export_peeringdb;
pub use peeringdb_flush::PeeringdbFlush;
pub use peeringdb_sync::{NamespaceReport, PeeringdbSync, SyncReport, merge as merge_network};
pub use process::{describe as describe_owner, is_dead, this_process};
pub use reporter::{NoSink, Reporter, Sink};
pub use runner::{Finished, Runner};
pub use task::{Done, Task, TaskContext, TaskError};
