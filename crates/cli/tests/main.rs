//! The tests of `peering-manager`: one program, so that they are linked once.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "for tests"
)]

mod chaos;
mod command_line;
mod concurrency;
mod crash;
mod database;
mod deployment_records;
mod deployments;
mod documentation;
mod faults;
mod files;
mod first_router;
mod irr;
#[expect(dead_code, reason = "a part of it is enough")]
#[path = "../../router/tests/e2e/lab.rs"]
mod lab;
mod lab_routers;
mod licences;
mod monitoring;
mod notifications;
mod objects;
mod polls;
#[path = "support/postgres.rs"]
mod postgres;
mod queue;
mod render;
mod report;
mod router;
mod schedules;
mod secrets;
mod sessions;
mod support;
mod systemd;
mod units;
