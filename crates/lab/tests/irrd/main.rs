//! The stand-in IRRd, from outside: over TCP, and by the programs it is made for.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the lints exempt test functions, not what they share"
)]

mod bgpq;
mod client;
mod faults;
mod generated;
mod protocol;
mod transport;
