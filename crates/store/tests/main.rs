//! The tests of `pm-store`: one program, so that they are linked once.

#![expect(clippy::unwrap_used, reason = "for tests")]

mod backup;
mod deletion;
mod document;
mod engines;
mod irr;
mod links;
mod objects;
mod original;
mod poll_rows;
mod queue;
mod schedules;
mod sealed;
mod server;
mod support;
mod tombstone_statements;
mod tombstones;
