use std::collections::HashMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use chrono::TimeDelta;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::advance::Advance;
use super::answer::{self, error};
use super::control;
use super::fault::{Fault, Faults, html, set_date, throttled};
use super::namespace::Namespace;
use super::throttle::Throttle;
use super::world::{Caller, World};
use super::{Clock, Options};

/// How long open connections may finish when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// The server could not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on 127.0.0.1:{port}")]
pub struct StartError {
    /// The port that was asked for.
    pub port: u16,
    source: std::io::Error,
}

/// A request that the API got, also one that it refused or that a fault hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestSeen {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The parameters as they were sent, or nothing.
    pub query: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether there was an `Authorization` header.
    pub has_key: bool,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<String>,
    /// Milliseconds since the server started, in real time.
    pub at_ms: u64,
}

/// A running stand-in. Dropping it stops it without waiting for open connections; [`Server::stop`] waits.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the handlers of all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    options: Options,
    world: Mutex<World>,
    faults: Mutex<Faults>,
    throttle: Mutex<Throttle>,
    requests: Mutex<Vec<RequestSeen>>,
    /// What is to happen right behind the next answer of a namespace.
    planned: Mutex<HashMap<Namespace, Advance>>,
    started: Instant,
    /// Up to when real time has moved the simulated clock.
    ticked: Mutex<Instant>,
    stop: CancellationToken,
}

impl Server {
    /// Publishes the dump and begins to serve.
    pub async fn start(mut world: World, options: Options) -> Result<Self, StartError> {
        world.freeze();
        let port = options.port;
        let failed = |source| StartError { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let now = Instant::now();
        let shared = Arc::new(Shared {
            options,
            world: Mutex::new(world),
            faults: Mutex::default(),
            throttle: Mutex::default(),
            requests: Mutex::default(),
            planned: Mutex::default(),
            started: now,
            ticked: Mutex::new(now),
            stop: CancellationToken::new(),
        });
        let service = router(Arc::clone(&shared)).into_make_service_with_connect_info::<SocketAddr>();
        let stopped = shared.stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            // Serving ends when told to, and not otherwise.
            let _ = axum::serve(listener, service).with_graceful_shutdown(stopped).await;
        });
        Ok(Self { address, shared, task })
    }

    /// Where the API is: `http://127.0.0.1:PORT/api`.
    pub fn url(&self) -> String {
        format!("{}/api", self.root())
    }

    /// Where the dumps and the controls are: `http://127.0.0.1:PORT`.
    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The world, for looking and changing. Requests wait as long as the guard lives: do not hold it across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Has a fault wait for requests to a namespace, or to any.
    pub fn fault(&self, namespace: Option<Namespace>, fault: Fault) {
        lock(&self.shared.faults).add(namespace, fault);
    }

    /// Forgets all faults that still wait.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Lets time pass right behind the next answer of this namespace, as when the world changes in the midst of a
    /// client's synchronisation.
    pub fn advance_behind(&self, namespace: Namespace, advance: Advance) {
        lock(&self.shared.planned).insert(namespace, advance);
    }

    /// The requests so far, in the order they came.
    pub fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.shared.requests).clone()
    }

    /// Stops: open connections may finish within two seconds.
    pub async fn stop(mut self) {
        self.shared.stop.cancel();
        let _ = tokio::time::timeout(GRACE, &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.task.abort();
    }
}

/// A panic elsewhere leaves the world as it was between two changes, which is good enough for a stand-in.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = lock(&self.world);
        if self.options.clock == Clock::Running {
            let mut ticked = lock(&self.ticked);
            let whole = Duration::from_secs(ticked.elapsed().as_secs());
            *ticked += whole;
            let now = world.now() + TimeDelta::from_std(whole).unwrap_or_default();
            world.set_now(now);
        }
        world
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.requests).clone()
    }

    pub(crate) fn plan(&self, namespace: Namespace, advance: Advance) {
        lock(&self.planned).insert(namespace, advance);
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.clone().cancelled_owned()
    }

    fn note(&self, request: &Request) {
        let text = |name| {
            request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        lock(&self.requests).push(RequestSeen {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            user_agent: text(header::USER_AGENT),
            has_key: request.headers().contains_key(header::AUTHORIZATION),
            accept_encoding: text(header::ACCEPT_ENCODING),
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Who the caller is, or why the request is refused.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Box<Response>> {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let refuse = |status, message| Err(Box::new(error(status, message)));
        let mut words = value.to_str().unwrap_or_default().split_whitespace();
        match (words.next().map(str::to_ascii_lowercase).as_deref(), words.next(), words.next()) {
            (Some("api-key"), Some(key), None) if self.options.api_keys.iter().any(|known| known == key) => {
                Ok(Caller::Keyed)
            }
            (Some("api-key"), Some(_), None) => refuse(StatusCode::UNAUTHORIZED, "Invalid API key"),
            (Some("basic"), Some(_), None) => {
                refuse(StatusCode::UNAUTHORIZED, "Invalid username or password")
            }
            _ => refuse(StatusCode::BAD_REQUEST, "Unknown authorization method"),
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/{namespace}", any(api))
        .route("/api/{namespace}/{id}", any(api))
        .route("/{dump}", any(dump))
        .merge(control::routes())
        .fallback(async || html(StatusCode::NOT_FOUND, "<h1>Not Found</h1>"))
        .with_state(shared)
}

/// A list or a single object. The `Date` header is the simulated time, as the real one is PeeringDB's.
async fn api(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Path(path): Path<HashMap<String, String>>,
    request: Request,
) -> Response {
    let now = shared.world().now();
    let mut response = answer_to(&shared, client, &path, request).await;
    set_date(response.headers_mut(), header::DATE, now);
    response
}

async fn answer_to(
    shared: &Shared,
    client: SocketAddr,
    path: &HashMap<String, String>,
    request: Request,
) -> Response {
    shared.note(&request);
    let Ok(namespace) = path.get("namespace").map(String::as_str).unwrap_or_default().parse::<Namespace>()
    else {
        return html(StatusCode::NOT_FOUND, "<h1>Not Found</h1>");
    };
    // A fault stands for the network or a proxy, so it comes before the server has looked at anything.
    let fault = shared.faults().strike(namespace);
    if let Some(fault) = &fault {
        let now = shared.world().now();
        if let Some(response) = fault.instead(now, shared.stopped()).await {
            return response;
        }
    }
    let caller = match shared.caller(request.headers()) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    if shared.options.throttle
        && let Err(seconds) = lock(&shared.throttle).admit(client.ip(), caller, Instant::now())
    {
        return throttled(Some(seconds));
    }
    if let Some(refusal) = not_allowed(request.method()) {
        return refusal;
    }
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
        return error(StatusCode::BAD_REQUEST, "Invalid query");
    };
    let rows = {
        let mut world = shared.world();
        let rows = match path.get("id") {
            Some(id) => answer::single(&world, namespace, id, &parameters, caller, &shared.options),
            None => answer::list(&world, namespace, &parameters, caller, &shared.options, fault.as_ref()),
        };
        if let Some(advance) = lock(&shared.planned).remove(&namespace) {
            world.advance(&advance);
        }
        rows
    };
    match rows {
        Ok(rows) => answer::respond(rows, accepts_gzip(request.headers()), fault.as_ref(), shared.stopped()),
        Err(refusal) => *refusal,
    }
}

/// `/{namespace}-0.json`: the published dump, which needs no key and shows what needs none.
async fn dump(State(shared): State<Arc<Shared>>, Path(name): Path<String>, request: Request) -> Response {
    shared.note(&request);
    let Some(Ok(namespace)) = name.strip_suffix("-0.json").map(str::parse::<Namespace>) else {
        return html(StatusCode::NOT_FOUND, "<h1>Not Found</h1>");
    };
    if let Some(refusal) = not_allowed(request.method()) {
        return refusal;
    }
    let rows = answer::dump(&shared.world(), namespace);
    answer::respond(rows, accepts_gzip(request.headers()), None, shared.stopped())
}

/// The stand-in is for reading.
fn not_allowed(method: &Method) -> Option<Response> {
    if [Method::GET, Method::HEAD].contains(method) {
        return None;
    }
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

/// Whether the client lists gzip, and not with a weight of nothing.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            name.eq_ignore_ascii_case("gzip") && !parts.any(|weight| weight == "q=0" || weight == "q=0.0")
        })
}
