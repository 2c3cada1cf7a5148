//! The stand-in PeeringDB, from outside: over HTTP, and through its world.

#![expect(clippy::unwrap_used, reason = "the lint exempts test functions, not what they share")]

mod api;
mod awkward;
mod client;
mod faults;
mod scale;
mod shapes;
