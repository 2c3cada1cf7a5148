//! A router with NETCONF over SSH: Junos with its own operations, or IOS-XR with its configuration as text.
//!
//! Strict: what is not known, not well formed or not allowed now is refused with the error that the vendor documents. The
//! configuration is lines of text; a line with `bogus` is refused when it is loaded, one with `refused-later` by the commit.
//! What runs out runs out at the next question.

mod config;
mod iosxr;
mod iosxr_bgp;
mod junos;
mod junos_bgp;
mod wire;
mod xml;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use russh::keys::{HashAlg, PublicKey};

use super::peering::Others;
use super::place::Place;
use config::State;

/// Whose router it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NETCONF 1.0.
    Junos,
    /// NETCONF 1.1.
    IosXr,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and neither it nor anything that follows over this connection is answered.
    Silent,
    /// The connection ends, and nothing is done.
    CutBefore,
    /// It is done, and the connection ends before the answer.
    CutAfter,
    /// It is refused, for no reason that is said.
    Refused,
    /// It is answered as if it were done, and it is not.
    Ignored,
}

/// What a stand-in is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose router it is.
    pub kind: Kind,
    /// What runs at first.
    pub config: String,
    /// The password of whoever comes.
    pub password: String,
    /// What is answered, as XML, to an operation of Junos's by its name, with the instance behind it if one was asked for
    /// (`get-bgp-neighbor-information`, `get-bgp-neighbor-information blue`); with IOS-XR to `get`, or to what its filter asks
    /// for (`bgp`, `system-time`, `inventory`).
    pub answers: BTreeMap<String, String>,
    /// How long a minute lasts, also for the router's own clock.
    pub minute: Duration,
}

/// A router that runs until this is dropped.
pub struct Router {
    address: SocketAddr,
    host_key: PublicKey,
    state: Shared,
    task: tokio::task::JoinHandle<()>,
}

impl Router {
    /// Starts one on a free port of the loopback.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::start_at(Place::default(), options, None).await
    }

    /// Starts one at a place. With others around it, what it says of its sessions follows from its configuration and from them.
    pub async fn start_at(place: Place, options: Options, others: Option<Others>) -> std::io::Result<Self> {
        let state = Shared(Arc::new(Mutex::new(State::new(options, others))));
        let listening = wire::listen(state.clone(), place).await?;
        Ok(Self { address: listening.address, host_key: listening.host_key, state, task: listening.task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its host key's fingerprint, `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.host_key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Its host key, as it stands in a file of known hosts behind the host.
    pub fn host_key(&self) -> String {
        // A key that was just made can be written down.
        self.host_key.to_openssh().unwrap_or_default()
    }

    /// What runs now.
    pub fn running(&self) -> String {
        self.state.lock().running().to_owned()
    }

    /// Operations that were asked for, in order.
    pub fn operations(&self) -> Vec<String> {
        self.state.lock().operations.clone()
    }

    /// Falls silent: where this is asked for once more after `before` times, that connection gets no answer, and none to
    /// anything that follows; the next one does. Besides operations there are `login`, `subsystem` and `hello`.
    pub fn fall_silent(&self, at: &str, before: usize) {
        self.fail(at, before, Fault::Silent);
    }

    /// Lets this go wrong when it is asked for once more after `before` times.
    pub fn fail(&self, at: &str, before: usize, fault: Fault) {
        self.state.lock().fault = Some((at.to_owned(), before, fault));
    }

    /// Someone at the router commits a whole configuration, which on Junos confirms what waits.
    pub fn commit_by_hand(&self, config: &str) {
        let mut state = self.state.lock();
        let is_same = state.candidate == state.running();
        if state.options.kind == Kind::Junos {
            state.pending = None;
        }
        state.commit(config.to_owned(), "ina", "", "");
        if is_same {
            config.clone_into(&mut state.candidate);
        }
    }

    /// Somebody edits the candidate that is there for everybody, and commits nothing.
    pub fn type_in(&self, text: &str) {
        self.state.lock().candidate.push_str(text);
    }

    /// Somebody gives up what was typed in.
    pub fn forget_edits(&self) {
        let mut state = self.state.lock();
        let running = state.running().to_owned();
        state.candidate = running;
    }

    /// Whether somebody holds a lock or left a candidate behind.
    pub fn is_clean(&self) -> bool {
        let state = self.state.lock();
        state.lock.is_none() && state.candidate == state.running() && state.private.is_empty()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    /// The state, after what has run out was undone.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.expire(Instant::now());
        state
    }
}
