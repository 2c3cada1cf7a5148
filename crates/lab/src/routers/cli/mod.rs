//! A router with a command line over SSH: Cisco IOS or NX-OS, for what is shown.
//!
//! Strict: it pages unless told not to, scrolls what is typed past the edge of the terminal, refuses what it does not know in
//! the vendor's words and at the vendor's place, and shows nothing of the configuration to who is not privileged. What is
//! typed ahead is shown where the real thing shows it: at the prompt on IOS, in the middle of the answer on NX-OS.

mod shell;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose router it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// IOS and IOS-XE.
    #[default]
    Ios,
    /// NX-OS.
    Nxos,
}

/// What goes wrong, beginning with the command that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Nothing is said once somebody is logged in.
    SilentAfterLogin,
    /// Half an answer, and then nothing any more.
    Hang(String),
    /// Half an answer, and the connection ends.
    Cut(String),
    /// An answer without an end.
    Endless(String),
}

/// What a stand-in is made of.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose router it is.
    pub kind: Kind,
    /// Its name, which the prompt shows.
    pub hostname: String,
    /// Who may log in.
    pub user: String,
    /// The password; none logs in with the empty one.
    pub password: String,
    /// The public key that is taken too, in OpenSSH's form.
    pub key: Option<String>,
    /// Whether who logs in is privileged. On NX-OS everybody is.
    pub privileged: bool,
    /// What `enable` asks for.
    pub secret: Option<String>,
    /// What is shown before the first prompt.
    pub banner: String,
    /// Answers to commands, by the command or with an underscore for everything in it but letters and digits.
    pub answers: BTreeMap<String, String>,
    /// Commands that the user may not run.
    pub forbidden: BTreeSet<String>,
    /// Whether what is typed while a command runs is lost (IOS).
    pub forgetful: bool,
    /// What goes wrong.
    pub fault: Fault,
}

/// What was seen of clients.
#[derive(Debug, Default)]
struct Seen {
    commands: Vec<String>,
    packets: usize,
}

/// A router that runs until this is dropped.
pub struct Cli {
    address: SocketAddr,
    fingerprint: String,
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

impl Cli {
    /// Starts one on a free port of the loopback.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (address, fingerprint, task) = wire::listen(Arc::new(options), seen.clone()).await?;
        Ok(Self { address, fingerprint, seen, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its host key's fingerprint, `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The commands that were typed, in order; neither comments nor passwords are among them.
    pub fn commands(&self) -> Vec<String> {
        locked(&self.seen).commands.clone()
    }

    /// In how many packets everything was typed.
    pub fn packets(&self) -> usize {
        locked(&self.seen).packets
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
