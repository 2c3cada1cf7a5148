//! The tests of `pm-lab`: one program, so that they are linked once.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "for tests")]

mod irrd;
mod peeringdb;
