//! The front door over HTTP. For now it answers those who watch over the program: `/metrics` for Prometheus, and
//! `/health/live`, `/health/ready`, `/health/fresh` for whoever starts it, sends requests to it, or wants to be woken.
//!
//! It knows the tasks and the store, as the command line does, and no SQL and no wire protocol. Whatever it says is for
//! strangers: numbers and names, no secret and no text of an error. Begin with [`serve`]; `health.rs` and `metrics.rs` have
//! the answers, `door.rs` the limits on who asks.

mod door;
mod health;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use pm_config::Config;
use pm_store::{Store, StoreError};
use pm_tasks::vitals::{self, Standing};
use pm_tasks::{Clock, Pulse};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An answer is as old as this at most; many who ask at once cost the database no more than one.
const KEPT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is told of.
pub struct Site {
    /// The database.
    pub store: Store,
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The loops of this process.
    pub pulses: Vec<Pulse>,
    /// The program's version.
    pub version: &'static str,
}

/// What requests share.
struct Shared {
    site: Site,
    kept: Mutex<Option<(Instant, Arc<Standing>)>>,
}

impl Shared {
    /// How it all stands, not older than [`KEPT`].
    async fn standing(&self) -> Result<Arc<Standing>, StoreError> {
        let mut kept = self.kept.lock().await;
        if let Some((at, standing)) = &*kept
            && at.elapsed() < KEPT
        {
            return Ok(Arc::clone(standing));
        }
        let site = &self.site;
        let standing = Arc::new(vitals::look(&site.store, &site.config, site.clock.now()).await?);
        *kept = Some((Instant::now(), Arc::clone(&standing)));
        Ok(standing)
    }
}

/// Answers until it is cancelled; then those requests that are at work are ended within a few seconds.
pub async fn serve(listener: TcpListener, site: Site, cancel: CancellationToken) {
    door::serve(listener, router(site), cancel).await;
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/metrics", get(metrics::answer))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/fresh", get(health::fresh))
        .layer(middleware::from_fn(in_time))
        .with_state(Arc::new(Shared { site, kept: Mutex::new(None) }))
}

/// What handlers are given.
type Given = State<Arc<Shared>>;

/// Ends what takes too long, and keeps answers out of caches.
async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
    let late = || (StatusCode::SERVICE_UNAVAILABLE, "the answer takes too long\n").into_response();
    let mut answer = answer.unwrap_or_else(|_| late());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
