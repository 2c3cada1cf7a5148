//! Asks IRRd servers, many questions at a time.
//!
//! A round trip costs more than an answer, so nothing waits for an answer that it does not need: queries follow each
//! other, and the greeting, without a pause. A few connections share the queries of one asking. They are opened together,
//! stay open for a short while after, and then take leave, as each holds one of the server's few worker processes.
//!
//! `run.rs` is one asking; `crew.rs` its connections, and what it means when one breaks; `queue.rs` who asks what; `hosts.rs` which server;
//! `outlet.rs` is where the answers leave.

mod crew;
pub(crate) mod hosts;
mod options;
pub(crate) mod outlet;
pub(crate) mod queue;
pub(crate) mod run;
mod shared;
pub(crate) mod wellformed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::{Mutex, mpsc};

pub use self::options::{Options, OptionsError};
use self::shared::Shared;
use crate::{Ask, Failure, Features, Outcome, Query};

/// A client of one or several IRRd servers that hold the same data.
///
/// Askings may run at the same time. Together they hold no more connections than [`Options::connections`]: one that
/// finds all taken waits until another ends, or is given up by dropping its receiver.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    /// Held by who asks for the features: the others wait for the same answer.
    greeting: Mutex<()>,
}

/// What a client did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Queries sent that are answered: greetings and selections of sources included.
    pub queries: u64,
    /// Answers to them.
    pub answers: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Connections opened.
    pub connections: u64,
    /// Connections that were to take the place of one that broke.
    pub reconnects: u64,
}

impl Client {
    /// A client that connects when it is asked.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        Ok(Self { shared: Arc::new(Shared::new(options)?), greeting: Mutex::new(()) })
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        let traffic = &self.shared.traffic;
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Statistics {
            queries: read(&traffic.queries),
            answers: read(&traffic.answers),
            bytes_in: read(&traffic.bytes_in),
            bytes_out: read(&traffic.bytes_out),
            connections: read(&traffic.connections),
            reconnects: read(&traffic.reconnects),
        }
    }

    /// Closes the connections that no asking uses, and waits until the servers are told. The client remains usable.
    pub async fn close(&self) {
        for connection in self.shared.drain(false) {
            connection.quit().await;
        }
    }
}

#[async_trait::async_trait]
impl Ask for Client {
    async fn features(&self) -> Result<Features, Failure> {
        let _alone = self.greeting.lock().await;
        run::features(&self.shared).await.map(|features| Features::clone(&features))
    }

    fn known(&self) -> Option<Features> {
        let choice = self.shared.hosts.choose(None).ok()?;
        self.shared.hosts.features(choice.place).map(|features| Features::clone(&features))
    }

    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    fn ask(&self, queries: Vec<Query>) -> mpsc::Receiver<(usize, Outcome)> {
        let (sender, receiver) = mpsc::channel(outlet::WAITING);
        tokio::spawn(run::ask(self.shared.clone(), queries, sender));
        receiver
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.shared.drain(true));
    }
}
