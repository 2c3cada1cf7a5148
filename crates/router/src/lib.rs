//! Routers: who their BGP neighbours are, and changing their configuration so that it can be undone.
//!
//! Plain values go in and come out; nothing here knows a database or a setting. Time limits, credentials and paths are
//! given by the caller. Begin reading with [`Router`], then a driver:
//!
//! * `driver.rs`: what every driver can be asked; what a platform cannot do is a `None`, not an error;
//! * `target.rs`, `arguments.rs`: which driver is taken for what an operator says of a router;
//! * `neighbor.rs`, `facts.rs`, `diff.rs`: what comes back; `napalm.rs`: the same in NAPALM's words;
//! * `error.rs`: what can go wrong, with the host and the step, and never with a secret;
//! * `ssh/`: one connection with many channels, host keys that are verified, every way to log in;
//! * `netconf/`: NETCONF 1.0 and 1.1; `junos/`, `iosxr/`: the vendors' routers that speak it;
//! * `daemon/`: FRR, BIRD, `OpenBGPD` and `GoBGP` on a machine with a shell: `parse` is in `frr.rs` and so on, a change and its
//!   undoing are in `change.rs`;
//! * `http.rs`, `eos/`: Arista EOS over eAPI; `nxapi.rs`: Cisco NX-OS over NX-API;
//! * `terminal/`: Cisco IOS and NX-OS, asked as a person would ask them, over SSH;
//! * `nxos.rs`, `nxos_ssh.rs`, `ios/`: what Cisco's systems print; `vendor.rs`: what these share;
//! * `parsers.rs`: everything that reads what routers send, by name;
//! * `bridge/`: every other platform, with the user's own NAPALM in a Python process;
//! * `files/`: directories and git repositories, for those who bring configurations to routers by other means.
//!
//! A change goes load → difference → commit with a timer → look whether all is well → confirm. Nobody confirms: the router
//! restores itself. That is the router's own doing (BIRD), or that of a script which waits on the router (the others).

mod address;
mod arguments;
mod bridge;
mod daemon;
mod diff;
mod driver;
mod eos;
mod error;
mod facts;
mod files;
mod http;
mod ios;
mod iosxr;
mod junos;
mod known;
mod mask;
mod napalm;
mod neighbor;
pub mod netconf;
mod nxapi;
mod nxos;
mod nxos_ssh;
mod parsers;
mod ssh;
mod target;
mod terminal;
mod vendor;

pub use arguments::{Arguments, Choice};
pub use bridge::{NapalmVersions, napalm_versions};
pub use daemon::{Daemon, DaemonKind, DaemonOptions, parse};
pub use diff::Diff;
pub use driver::{Candidate, Capabilities, ConfigText, How, Load, Loader, Pending, Platform, Router, Undo};
pub use error::{Error, Step};
pub use facts::Facts;
pub use files::{FileCandidate, FileError, FileTarget, Git, Written};
pub use known::mask_values;
pub use mask::{MASK, mask_line, mask_text};
pub use napalm::{
    NapalmDetail, NapalmDetailPeer, NapalmNeighbors, NapalmPeer, NapalmPrefixes, NapalmVrf, parse_napalm,
    parse_vendor,
};
pub use neighbor::{Family, Neighbor, Neighbors, PrefixCounts, Prefixes, State};
pub use parsers::{PARSERS, Parser, Parts};
pub use ssh::{Credentials, Endpoint, HostKeys, Jump, Key, Limits, Ssh, Way};
pub use target::{Target, Tls, connect};

/// [`parse_napalm`] for Junos with elements in a namespace of their own left out, as they are when answers are read without
/// `PyEZ`, which takes namespaces away.
pub fn parse_napalm_strictly(
    getter: &str,
    parts: &std::collections::BTreeMap<String, String>,
) -> Result<serde_json::Value, String> {
    junos::recorded(getter, parts, netconf::xml::Foreign::Hidden)
}
