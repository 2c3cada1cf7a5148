//! The server: listens, hands out connections, and can be steered while it runs.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, maybe_done};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::connection;
use super::control;
use super::fault::{Fault, FaultKind, Faults};
use super::seen::{Counters, QuerySeen, Seen};
use super::session::Registry;
use super::world::World;

/// The server could not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on 127.0.0.1:{port}")]
pub struct StartError {
    /// The port that was asked for.
    pub port: u16,
    source: std::io::Error,
}

/// A running stand-in. Dropping it ends it at once, with all its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    control: Option<SocketAddr>,
    shared: Arc<Shared>,
}

/// Comes true when a worker is free, and holds it as long as what it gives.
pub(crate) type Turn = BoxFuture<'static, Option<OwnedSemaphorePermit>>;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) registry: Arc<Registry>,
    pub(crate) seen: Seen,
    workers: Option<Arc<Semaphore>>,
    faults: Mutex<Faults>,
    /// Whether there may be a fault that waits, so that nobody takes the lock in vain.
    armed: AtomicBool,
    /// Whether to listen, and whether that is so.
    listen: watch::Sender<bool>,
    listening: watch::Sender<bool>,
    pub(crate) stop: CancellationToken,
}

impl Server {
    /// Begins to serve.
    pub async fn start(world: Arc<World>, options: Options) -> Result<Self, StartError> {
        let listener = listen(options.port).await?;
        let address = local(&listener, options.port)?;
        let control = match options.control {
            Some(port) => Some(listen(port).await?),
            None => None,
        };
        let control_address = control.as_ref().map(|listener| local(listener, 0)).transpose()?;
        let lacks = [(options.no_a, 'a'), (options.no_m, 'm')]
            .iter()
            .filter(|lack| lack.0)
            .map(|lack| lack.1)
            .collect();
        let shared = Arc::new(Shared {
            registry: Arc::new(Registry::new(world, &options.sources, lacks)),
            seen: Seen::new(options.log),
            workers: options.workers.map(|count| Arc::new(Semaphore::new(count))),
            faults: Mutex::default(),
            armed: AtomicBool::new(false),
            listen: watch::Sender::new(true),
            listening: watch::Sender::new(true),
            stop: CancellationToken::new(),
            options,
        });
        for fault in &shared.options.faults {
            shared.add(fault.clone());
        }
        tokio::spawn(Arc::clone(&shared).until_stopped(accept(listener, address, Arc::clone(&shared))));
        if let Some(listener) = control {
            tokio::spawn(Arc::clone(&shared).until_stopped(control::serve(listener, Arc::clone(&shared))));
        }
        Ok(Self { address, control: control_address, shared })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the controls are, if they were asked for.
    pub fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// The sources a connection begins with, separated by commas.
    pub fn sources(&self) -> &str {
        self.shared.registry.sources()
    }

    /// Has a fault wait for queries or connections. [`FaultKind::Refuse`] begins shortly after this; to have it happen
    /// before, see [`Self::set_listening`].
    pub fn fault(&self, fault: Fault) {
        self.shared.add(fault);
    }

    /// Forgets all faults that wait, and listens again.
    pub fn clear_faults(&self) {
        self.shared.clear();
    }

    /// Closes the port, so that connections are refused, or opens it again; comes back when that is done. Connections
    /// that are open go on.
    pub async fn set_listening(&self, listen: bool) {
        let mut listening = self.shared.listening.subscribe();
        self.shared.listen.send_replace(listen);
        // The sender lives as long as this does.
        let _ = listening.wait_for(|now| *now == listen).await;
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.shared.seen.counters()
    }

    /// Sets the counters to zero, and empties the log.
    pub fn reset_counters(&self) {
        self.shared.seen.reset();
    }

    /// The last queries, oldest first; how many are kept is [`Options::log`].
    pub fn queries(&self) -> Vec<QuerySeen> {
        self.shared.seen.logged()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    pub(crate) fn add(self: &Arc<Self>, fault: Fault) {
        if fault.kind != FaultKind::Refuse {
            self.faults(|faults| faults.add(fault));
            return;
        }
        self.listen.send_replace(false);
        if let Some(wait) = fault.wait {
            let shared = Arc::clone(self);
            tokio::spawn(Arc::clone(self).until_stopped(async move {
                sleep(wait).await;
                shared.listen.send_replace(true);
            }));
        }
    }

    pub(crate) fn clear(&self) {
        self.faults(Faults::clear);
        self.listen.send_replace(true);
    }

    /// The fault that strikes, if one does.
    pub(crate) fn strike(&self, find: impl FnOnce(&mut Faults) -> Option<Fault>) -> Option<Fault> {
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        let fault = self.faults(find)?;
        self.seen.faults.fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }

    /// The turn of the connection that was just accepted: it comes after all that were accepted before.
    async fn turn(&self) -> Option<Turn> {
        let worker = Arc::clone(self.workers.as_ref()?).acquire_owned();
        let mut place = Box::pin(maybe_done(worker));
        // Asking once is what takes a place in the queue.
        let _ = futures::poll!(place.as_mut());
        Some(Box::pin(async move {
            place.as_mut().await;
            place.as_mut().take_output()?.ok()
        }))
    }

    fn faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut faults);
        self.armed.store(!faults.is_empty(), Ordering::Release);
        result
    }

    async fn until_stopped(self: Arc<Self>, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => {}
            () = self.stop.cancelled() => {}
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| StartError { port, source })
}

fn local(listener: &TcpListener, port: u16) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError { port, source })
}

/// Accepts connections while it is to listen, and closes the port while it is not.
async fn accept(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut wanted = shared.listen.subscribe();
    let mut listener = Some(listener);
    loop {
        if *wanted.borrow_and_update() != listener.is_some() {
            listener = if listener.is_some() { None } else { reopen(address).await };
            shared.listening.send_replace(listener.is_some());
            continue;
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            stream = next(listener.as_ref()) => {
                let turn = shared.turn().await;
                let shared = Arc::clone(&shared);
                let serving = Arc::clone(&shared);
                tokio::spawn(shared.until_stopped(async move { connection::serve(stream, turn, &serving).await }));
            }
        }
    }
}

/// The next connection; never, if nobody listens.
async fn next(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
        // Too many open files, most likely.
        sleep(Duration::from_millis(20)).await;
    }
}

/// Listens on the same port again, once it is free.
async fn reopen(address: SocketAddr) -> Option<TcpListener> {
    let listener = TcpListener::bind(address).await.ok();
    if listener.is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    listener
}
