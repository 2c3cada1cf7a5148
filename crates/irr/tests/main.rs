//! The tests of `pm-irr`: one program, so that they are linked once.

#![expect(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "for tests")]

mod bgpq4_aggregation;
mod expansion;
mod set_strings;
mod wire;
