//! Work: every task of the program, and the one way to run a task.
//!
//! A task is where adapters meet the store, and nothing else is. Begin with [`Task`] and [`TaskContext`] in `task.rs`,
//! then [`Runner`] in `runner.rs`, which opens the job record, takes the lock, runs the task and closes the record,
//! the same for the command line as for anything else that starts a task. A new task is one file here and one line
//! in [`AnyTask`]. [`queue`] puts a task on the queue, and a [`Worker`] runs what is there;
//! [`schedule`] puts tasks there by itself. A [`notify::Courier`] tells people and programs of what happened.
//!
//! This crate knows no terminal, no HTTP request and no environment variable. The time comes from a [`Clock`].

mod any;
mod clock;
pub mod deleted_sessions;
pub mod deploy;
pub mod documents;
mod editor;
mod ended;
pub mod exchanges;
mod housekeeping;
mod http;
pub mod import_original;
pub mod irr;
pub mod notify;
pub mod objects;
mod patience;
mod peeringdb_export;
mod peeringdb_flush;
mod peeringdb_link;
mod peeringdb_sync;
pub mod peers;
pub mod private_file;
mod process;
mod pulse;
pub mod queue;
pub mod render;
mod reporter;
pub mod routers;
mod runner;
pub mod schedule;
pub mod secret_key;
mod secrets_rotate;
pub mod sessions;
pub mod systems;
mod task;
pub mod vitals;
mod worker;

pub use any::AnyTask;
pub use clock::{Clock, SystemClock};
pub use deploy::{ConfigureRouters, Drift, close_deployment};
pub use editor::Editor;
pub use housekeeping::{Housekeeping, is_newer};
pub use http::client as http_client;
pub use import_original::ImportOriginal;
pub use irr::{GetIrrData, GrabPrefixes, IrrAccept};
pub use peeringdb_export::export as export_peeringdb;
pub use peeringdb_flush::PeeringdbFlush;
pub use peeringdb_link::PeeringdbLink;
pub use peeringdb_sync::{NamespaceReport, PeeringdbSync, SyncReport, merge as merge_network};
pub use process::{describe as describe_owner, is_dead, this_process};
pub use pulse::Pulse;
pub use reporter::{NoSink, Reporter, Sink};
pub use routers::PollBgpSessions;
pub use runner::{Finished, Runner};
pub use secrets_rotate::SecretsRotate;
pub use sessions::ImportSessions;
pub use task::{Done, Task, TaskContext, TaskError};
pub use worker::{Tally, Watch, Worker};

/// What people are shown of routers, which front doors would otherwise have to ask the edge for.
pub use pm_router::{Diff, mask_text, mask_values, napalm_versions};
