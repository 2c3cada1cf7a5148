//! The stand-in PeeringDB, from outside: over HTTP, and through its world.

mod api;
mod awkward;
mod client;
mod faults;
mod scale;
mod shapes;
