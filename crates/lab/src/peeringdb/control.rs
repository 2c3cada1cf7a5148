//! The controls: what PeeringDB does not have. All of them are below `/lab`, the two oldest also at the root.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::TimeDelta;
use serde_json::json;

use super::advance::Advance;
use super::awkward::{CASES, Case};
use super::fault::{Fault, FaultKind};
use super::namespace::Namespace;
use super::server::Shared;

type Parameters = Query<HashMap<String, String>>;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/lab/requests", get(requests))
        .route("/lab/advance", post(advance))
        .route("/advance", post(advance))
        .route("/lab/freeze", post(freeze))
        .route("/freeze", post(freeze))
        .route("/lab/fault", post(fault))
}

/// A parameter that cannot be read, with what it may be.
struct BadParameter(String);

impl IntoResponse for BadParameter {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

/// The parameter, or the default if it is absent.
fn read<T: FromStr>(parameters: &HashMap<String, String>, name: &str, default: T) -> Result<T, BadParameter> {
    match parameters.get(name) {
        None => Ok(default),
        Some(value) => value.parse().map_err(|_| BadParameter(format!("{name}={value} cannot be read"))),
    }
}

/// Refuses a parameter that this control does not know: a misspelt one would do nothing in silence.
fn only(parameters: &HashMap<String, String>, known: &[&str]) -> Result<(), BadParameter> {
    match parameters.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(BadParameter(format!("unknown parameter {name}, known are {}", known.join(", ")))),
    }
}

async fn requests(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.requests()).into_response()
}

/// `days` (a fraction is fine), `percent`, `awkward=1` for all cases, or `case=NAME` for one; `behind=NAMESPACE` to do
/// it right behind the next answer of that namespace instead of now.
async fn advance(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Parameters,
) -> Result<Response, BadParameter> {
    only(&parameters, &["days", "percent", "awkward", "case", "behind"])?;
    let mut advance = match parameters.get("case") {
        Some(name) => Advance::only(Case::named(name).ok_or_else(|| {
            let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
            BadParameter(format!("no case {name}, there are {}", names.join(", ")))
        })?),
        None if read(&parameters, "awkward", 0)? != 0 => Advance::awkward_day(),
        None => Advance::day(),
    };
    if parameters.contains_key("days") {
        advance.duration = duration(read(&parameters, "days", 1.0)?)?;
    }
    advance.percent = read(&parameters, "percent", advance.percent)?;
    if let Some(name) = parameters.get("behind") {
        let namespace = name.parse().map_err(|error| BadParameter(format!("{error}")))?;
        shared.plan(namespace, advance);
        return Ok(Json(json!({ "planned": namespace.as_str() })).into_response());
    }
    let mut world = shared.world();
    let changes = world.advance(&advance);
    Ok(Json(json!({ "now": world.now(), "changes": changes })).into_response())
}

#[expect(clippy::cast_possible_truncation, reason = "the number of seconds is checked before")]
fn duration(days: f64) -> Result<TimeDelta, BadParameter> {
    if (0.0..=36_500.0).contains(&days) {
        Ok(TimeDelta::seconds((days * 86_400.0) as i64))
    } else {
        Err(BadParameter(format!("days={days} is not between 0 and 36500")))
    }
}

async fn freeze(State(shared): State<Arc<Shared>>) -> Response {
    let mut world = shared.world();
    world.freeze();
    Json(json!({ "frozen": world.now() })).into_response()
}

/// `ns` (or `*` for any, the default), `kind`, `times` (1), `after`, `seconds` (1, and 3600 for `slow`); or `clear=1`.
async fn fault(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Parameters,
) -> Result<Response, BadParameter> {
    only(&parameters, &["ns", "kind", "times", "after", "seconds", "clear"])?;
    if read(&parameters, "clear", 0)? != 0 {
        shared.faults().clear();
        return Ok(Json(json!({ "cleared": true })).into_response());
    }
    let kinds = || FaultKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let kind: FaultKind = parameters
        .get("kind")
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| BadParameter(format!("kind must be one of {}", kinds())))?;
    let namespace = match parameters.get("ns").map_or("*", String::as_str) {
        "*" => None,
        name => Some(name.parse::<Namespace>().map_err(|error| BadParameter(error.to_string()))?),
    };
    let once = Fault::once(kind);
    let fault = Fault {
        times: read(&parameters, "times", once.times)?,
        after: parameters.get("after").map(|_| read(&parameters, "after", 0)).transpose()?,
        seconds: read(&parameters, "seconds", once.seconds)?,
        ..once
    };
    shared.faults().add(namespace, fault);
    Ok(Json(json!({ "fault": kind.as_str() })).into_response())
}
