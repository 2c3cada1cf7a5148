//! Stand-ins for routers: they answer over the real transports, refuse what the real thing refuses, and undo a change that
//! nobody confirms. A [`fleet`](fleet) is many of them, whose sessions follow from their configurations.

pub mod cli;
pub mod eapi;
mod eos;
mod eos_bgp;
pub mod fleet;
pub mod netconf;
pub mod nxapi;
pub mod peering;
pub mod place;
mod tree;
