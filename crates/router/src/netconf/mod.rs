//! NETCONF 1.0 and 1.1 over SSH (RFC 6241, RFC 6242).
//!
//! * `framing.rs`: messages out of octets;
//! * `xml.rs`: reading documents in pieces, and escaping;
//! * `rpc.rs`: what went wrong, in words;
//! * `session.rs`: the operations.

mod framing;
mod rpc;
mod session;
pub(crate) mod xml;

pub(crate) use rpc::RpcError;
pub(crate) use session::{Capability, Datastore, Reply, Session};
