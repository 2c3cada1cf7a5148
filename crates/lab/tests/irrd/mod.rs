//! The stand-in IRRd, from outside: over TCP, and by the programs it is made for.

mod bgpq;
mod client;
mod faults;
mod generated;
mod protocol;
mod transport;
