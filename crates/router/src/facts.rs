//! What a router is.

use serde::{Deserialize, Serialize};

/// What a router says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its own name.
    pub hostname: String,
    /// Who makes the system: `FRRouting`, `CZ.NIC`, …
    pub vendor: String,
    /// The machine or the program.
    pub model: String,
    /// The version of the system or the daemon.
    pub version: String,
    /// The router ID, if BGP runs.
    pub router_id: Option<String>,
    /// Seconds since the machine started, if it tells.
    pub uptime: Option<u64>,
}
