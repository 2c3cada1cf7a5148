//! Stand-ins for routers: they answer over the real transports, refuse what the real thing refuses, and undo a change that
//! nobody confirms.

pub mod cli;
pub mod eapi;
mod eos;
pub mod netconf;
pub mod nxapi;
