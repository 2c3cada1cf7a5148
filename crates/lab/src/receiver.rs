//! A receiver of webhooks: it remembers what it gets, and answers as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::routers::eapi::{Door, acceptor};

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// How it answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// How long it waits first.
    pub delay: Duration,
    /// Whether the body has no end.
    pub endless: bool,
}

impl Reply {
    /// At once, with an empty body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), delay: Duration::ZERO, endless: false }
    }
}

#[derive(Debug)]
struct Shared {
    received: Mutex<Vec<Received>>,
    reply: Mutex<Reply>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running stand-in on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts one that answers with 200.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_behind(None).await
    }

    /// Starts one behind TLS, with certificate and key as PEM.
    ///
    /// # Errors
    /// They cannot be read, or no port is free.
    pub async fn start_tls(certificate: &[u8], key: &[u8]) -> std::io::Result<Self> {
        Self::start_behind(Some(acceptor(certificate, key)?)).await
    }

    async fn start_behind(tls: Option<tokio_rustls::TlsAcceptor>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { received: Mutex::default(), reply: Mutex::new(Reply::status(200)) });
        let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let door = Door { listener, tls, delay: Duration::ZERO, arrived: JoinSet::new() };
            let _ = axum::serve(door, app).await;
        });
        Ok(Self { address, shared, task })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it answers so.
    pub fn reply(&self, reply: Reply) {
        *lock(&self.shared.reply) = reply;
    }

    /// What came in so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = lock(&shared.reply).clone();
    lock(&shared.received).push(Received {
        method: method.to_string(),
        target: uri.to_string(),
        headers,
        body,
    });
    tokio::time::sleep(reply.delay).await;
    let body = if reply.endless {
        let piece =
            || futures::future::ready(Some((Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1024])), ())));
        Body::from_stream(futures::stream::unfold((), move |()| piece()))
    } else {
        Body::from(reply.body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    for (name, value) in reply.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
