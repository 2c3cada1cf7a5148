//! Juniper Junos, over NETCONF with Junos's own operations.

mod napalm;
mod peers;

pub(crate) use napalm::{napalm, recorded};
