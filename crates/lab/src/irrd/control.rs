//! The controls, over HTTP on a port of their own: what an IRRd does not have.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use super::fault::{BadFault, Fault};
use super::server::Shared;

/// Serves the controls for ever.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new()
        .route("/lab/counters", get(counters))
        .route("/lab/reset", post(reset))
        .route("/lab/queries", get(queries))
        .route("/lab/fault", post(fault))
        .with_state(shared);
    let _ = axum::serve(listener, router).await;
}

impl IntoResponse for BadFault {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

async fn counters(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.seen.counters()).into_response()
}

async fn reset(State(shared): State<Arc<Shared>>) -> Response {
    shared.seen.reset();
    Json(json!({ "reset": true })).into_response()
}

async fn queries(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.seen.logged()).into_response()
}

/// `kind`, `match`, `after`, `times` (1), `bytes`, `seconds`; or `clear=1`.
async fn fault(
    State(shared): State<Arc<Shared>>,
    Query(mut parameters): Query<HashMap<String, String>>,
) -> Result<Response, BadFault> {
    if parameters.remove("clear").is_some_and(|clear| clear != "0") {
        shared.clear();
        return Ok(Json(json!({ "cleared": true })).into_response());
    }
    let mut fault = Fault::once(parameters.remove("kind").unwrap_or_default().parse()?);
    for (name, value) in &parameters {
        fault.set(name, value)?;
    }
    let kind = fault.kind;
    shared.add(fault);
    Ok(Json(json!({ "fault": kind.as_str() })).into_response())
}
