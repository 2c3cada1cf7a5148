//! The tests of `pm-peeringdb`: one program, so that they are linked once.

#![expect(clippy::panic, clippy::unwrap_used, reason = "for tests")]

mod fetching;
mod reading;
mod records;
mod server;
mod stand_in;
