//! What all askings of a client have in common: the hosts, the connections that wait for work, the clock.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::hosts::{Choice, Hosts};
use super::options::{Options, OptionsError};
use crate::Failure;
use crate::answer::Limits;
use crate::connection::dial::dial;
use crate::connection::{Connection, Terms, Traffic};

/// Answers up to so many times the limit are read past: a new connection would cost about as much.
const SKIPPED: u64 = 4;

#[derive(Debug)]
pub(super) struct Shared {
    pub options: Options,
    pub hosts: Arc<Hosts>,
    /// One for each connection that is in use. Those that wait for work have none: whoever gets a permit takes one of
    /// them before opening another, so there are never more connections than permits.
    pub permits: Arc<Semaphore>,
    pub traffic: Arc<Traffic>,
    terms: Arc<Terms>,
    pool: Mutex<Pool>,
    first_use: OnceLock<Instant>,
}

/// Connections that wait for work.
#[derive(Debug, Default)]
struct Pool {
    waiting: Vec<(Instant, Connection)>,
    /// The client is gone.
    closed: bool,
}

impl Shared {
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        let hosts = Hosts::new(options.check()?, options.bad_host_pause, options.retry_pause);
        let limits =
            Limits { kept: options.answer_limit, skipped: options.answer_limit.saturating_mul(SKIPPED) };
        let terms = Terms {
            name: options.name.clone(),
            idle_timeout: options.idle_timeout,
            window: options.window,
            limits,
        };
        Ok(Self {
            hosts: Arc::new(hosts),
            permits: Arc::new(Semaphore::new(options.connections)),
            traffic: Arc::default(),
            terms: Arc::new(terms),
            pool: Mutex::default(),
            first_use: OnceLock::new(),
            options,
        })
    }

    /// When nothing is waited for any longer. The first use sets it.
    pub fn deadline(&self) -> Instant {
        *self.first_use.get_or_init(Instant::now) + self.options.total
    }

    /// What is said after the deadline.
    pub fn too_late(&self) -> Failure {
        Failure(format!("not answered within the {:?} that all questions may take", self.options.total))
    }

    /// The right to hold a connection, as soon as there is one.
    pub async fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        self.permits.clone().acquire_owned().await.map_err(|_| Failure("the client is closed".to_owned()))
    }

    /// Opens a connection; or the reason why that failed.
    pub async fn open(&self, choice: &Choice) -> Result<Connection, String> {
        let asking = self.hosts.begin_asking(choice.place);
        let stream = dial(&choice.host.name, choice.host.port, self.options.connect_timeout).await?;
        let (hosts, traffic) = (self.hosts.clone(), self.traffic.clone());
        Ok(Connection::new(stream, choice.clone(), self.terms.clone(), hosts, traffic, asking))
    }

    /// A connection to this host that waits for work. Those to other hosts, and those that the server closed meanwhile,
    /// are closed.
    pub fn kept(&self, place: usize) -> Option<Connection> {
        loop {
            let (_, connection) = self.pool().waiting.pop()?;
            if connection.choice.place == place && connection.is_alive() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection open for a while.
    pub fn keep(self: &Arc<Self>, mut connection: Connection) {
        connection.used = true;
        {
            let mut pool = self.pool();
            if pool.closed {
                return;
            }
            pool.waiting.push((Instant::now(), connection));
        }
        let (shared, keep_open) = (Arc::downgrade(self), self.options.keep_open);
        tokio::spawn(async move {
            sleep(keep_open).await;
            if let Some(shared) = shared.upgrade() {
                shared.close_old();
            }
        });
    }

    /// Closes the connections that waited too long.
    fn close_old(&self) {
        let keep_open = self.options.keep_open;
        self.pool().waiting.retain(|(since, _)| since.elapsed() < keep_open);
    }

    /// Takes out all connections that wait for work. With `forever` no other is kept any longer.
    pub fn drain(&self, forever: bool) -> Vec<Connection> {
        let mut pool = self.pool();
        pool.closed |= forever;
        mem::take(&mut pool.waiting).into_iter().map(|(_, connection)| connection).collect()
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
