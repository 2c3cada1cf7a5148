//! Who is let in, and for how long: connections, the time for a request's head, its size.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at the same time; more wait in the kernel.
const CONNECTIONS: usize = 64;
/// Octets that the head of a request may have.
const HEAD: usize = 16 * 1024;
/// How long a head may take to arrive, and a connection may rest between two requests.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may last.
const LONGEST: Duration = Duration::from_mins(10);
/// How long running requests are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long to wait after a connection could not be taken, which is for want of memory or file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections until it is cancelled.
pub(crate) async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Some((stream, place)) = next(&listener, &places, &cancel).await {
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a stranger's connection ends is of no interest.
            let _ = tokio::time::timeout(LONGEST, connection).await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
}

/// The next connection with its place; nothing once it is over.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    cancel: &CancellationToken,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let taken = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    cancel.run_until_cancelled(taken).await.flatten()
}
