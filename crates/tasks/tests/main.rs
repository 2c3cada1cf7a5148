//! The tests of `pm-tasks`: one program, so that they are linked once.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "for tests")]

mod deployments;
mod enqueueing;
mod housekeeping;
mod inherited_statuses;
mod irr;
mod mirror;
mod notifications;
mod odd_records;
#[path = "support/original.rs"]
mod original;
mod outcomes;
mod poll_locks;
mod poll_statements;
mod polls;
mod queue;
mod queue_statements;
#[path = "../../render/tests/recorded/mod.rs"]
mod recorded;
mod render_deleted;
mod render_lists;
mod render_statements;
mod rendering_original;
mod running;
mod schedule_cron;
mod schedules;
mod session_import;
mod session_states;
mod support;
