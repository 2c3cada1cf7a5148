//! The tests of `pm-router`: one program, so that they are linked once.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "for tests")]

mod bridge;
mod cases;
mod cli_vendors;
mod e2e;
mod eapi;
mod files;
mod fleet;
mod napalm_recorded;
mod netconf_vendors;
mod netconfd;
mod options;
mod parsers;
mod planted;
mod recorded_transports;
mod support;
mod timeouts;
mod vendor_texts;
mod vendors;
