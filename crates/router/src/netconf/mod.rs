//! NETCONF 1.0 and 1.1 over SSH (RFC 6241, RFC 6242).
//!
//! * `framing.rs`: messages out of octets;
//! * `xml.rs`: reading documents in pieces, and escaping;
//! * `rpc.rs`: what went wrong, in words;
//! * `session.rs`: the operations; `candidate.rs`: what becomes of a loaded candidate.

use std::fmt::Write as _;

pub(crate) mod candidate;
mod framing;
mod rpc;
mod session;
pub(crate) mod xml;

pub use framing::{Decoder, Framing, FramingError};
pub use rpc::RpcError;
pub(crate) use rpc::errors;
pub(crate) use session::read_hello as hello;
pub use session::{Capability, Datastore, Reply, Session};

/// A name for a change: the session on this router, and what was loaded. The next session has another number, so that two
/// changes never have the same name while one of them waits.
pub(crate) fn change_id(session: Option<u64>, text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut id = format!("{}-", session.unwrap_or_default());
    for octet in digest.as_ref().iter().take(6) {
        let _ = write!(id, "{octet:02x}");
    }
    id
}
