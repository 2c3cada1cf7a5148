//! Cisco IOS-XR, over NETCONF; and what its XML agent says.

mod napalm;
mod oper;

pub(crate) use napalm::{napalm_agent, napalm_netconf};
