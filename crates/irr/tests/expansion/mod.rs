//! Sets to prefixes and AS numbers, over small worlds of registries that are held in memory.

mod cases;
mod collisions;
mod explaining;
mod faults;
mod golden;
mod properties;
mod real;
mod requests;
mod rpsl;
mod server;
