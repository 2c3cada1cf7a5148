//! The answers of the API: lists, single objects, dumps, errors.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::body::{self, Pieces};
use super::depth;
use super::fault::{Fault, FaultKind};
use super::fields::{Fields, to_json};
use super::namespace::Namespace;
use super::query::{BadQuery, Query};
use super::record::{Record, Status};
use super::select::{changed_records, seen_by};
use super::world::{Caller, World};
use super::{Generated, Options, Order};

/// An error as the API renders it: without `data`.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    json_response(status, to_json(&json!({ "meta": { "error": message } })))
}

/// A JSON answer that is no list of rows.
pub(crate) fn json_response(status: StatusCode, body: impl Into<Bytes>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body.into())).into_response()
}

/// Rows to be sent, and `meta`.
pub(crate) struct Rows {
    texts: Vec<Arc<str>>,
    meta: String,
}

/// The rows that a list request asks for.
pub(crate) fn list(
    world: &World,
    namespace: Namespace,
    parameters: &[(String, String)],
    caller: Caller,
    options: &Options,
    fault: Option<&Fault>,
) -> Result<Rows, Box<Response>> {
    let example = world.table(namespace).values().next().map(Record::fields).unwrap_or_default();
    let query = Query::parse(namespace, parameters, &example)
        .map_err(|BadQuery(message)| Box::new(error(StatusCode::BAD_REQUEST, &message)))?;
    let chosen = choose(world, namespace, &query, caller, options.order, fault);
    if chosen.is_empty() && query.unique && fault.is_none() {
        let body = to_json(&Fields::from_pairs(vec![
            ("data", json!([])),
            ("meta", json!({ "error": "Entity not found" })),
        ]));
        return Err(Box::new(json_response(StatusCode::NOT_FOUND, body)));
    }
    let depth = query.depth.unwrap_or(0).min(3);
    let full = query.since.is_none() && !query.is_filtered();
    let mut meta = meta(options.generated, full, world.now());
    let mut chosen = chosen;
    if depth > 0 && chosen.len() > depth::ROW_LIMIT {
        chosen.truncate(depth::ROW_LIMIT);
        meta.set("truncated", json!(format!(
            "Your search query (with depth {depth}) returned more than {} rows and has been truncated. Please be more \
             specific in your filters, use the limit and skip parameters to page through the resultset or drop the \
             depth parameter",
            depth::ROW_LIMIT
        )));
    }
    let spoiling = fault.filter(|fault| fault.spoils_rows());
    let texts = if depth == 0 && query.fields.is_none() && spoiling.is_none() {
        chosen.into_iter().map(|record| record.text).collect()
    } else {
        let mut rows: Vec<Fields> =
            chosen.iter().map(|record| depth::with_sets(world, namespace, record, depth, caller)).collect();
        if let Some(fields) = &query.fields {
            for row in &mut rows {
                row.keep(fields);
            }
        }
        match spoiling {
            Some(fault) => fault.spoil(&mut rows, query.since.is_some()).into_iter().map(Arc::from).collect(),
            None => rows.iter().map(|row| row.to_json().into()).collect(),
        }
    };
    Ok(Rows { texts, meta: meta.to_json() })
}

/// The records of a list. What the caller may not see is left out after `skip` and `limit`, as PeeringDB does: a page
/// of contacts can be shorter than its limit, or empty, with more to come.
fn choose(
    world: &World,
    namespace: Namespace,
    query: &Query,
    caller: Caller,
    order: Order,
    fault: Option<&Fault>,
) -> Vec<Record> {
    let everything = fault.is_some_and(|fault| fault.kind == FaultKind::MassDelete);
    let mut records: Vec<&Record> = match query.since {
        None => world.live_records(namespace).collect(),
        Some(_) if everything => world.table(namespace).values().collect(),
        Some(since) => changed_records(world, namespace, since).collect(),
    };
    if query.since.is_some() {
        match order {
            Order::Updated => {}
            Order::Id => records.sort_by_key(|record| record.id),
            Order::Shuffled => records.sort_by_key(|record| {
                let mut hasher = DefaultHasher::new();
                (record.id, namespace).hash(&mut hasher);
                (hasher.finish(), record.id)
            }),
        }
    }
    records
        .into_iter()
        .filter(|record| query.matches(record))
        .skip(query.skip)
        .take(query.limit.unwrap_or(usize::MAX))
        .filter_map(|record| seen_by(namespace, record, caller))
        .collect()
}

/// The one object of this id, or why there is none. A deleted object is none; a pending one is.
pub(crate) fn single(
    world: &World,
    namespace: Namespace,
    id: &str,
    parameters: &[(String, String)],
    caller: Caller,
    options: &Options,
) -> Result<Rows, Box<Response>> {
    let not_found = || {
        let message = format!("No {} matches the given query.", namespace.class());
        Box::new(error(StatusCode::NOT_FOUND, &message))
    };
    let record = id
        .parse()
        .ok()
        .and_then(|id| world.record(namespace, id))
        .filter(|record| record.status != Status::Deleted)
        .ok_or_else(not_found)?;
    let query = Query::parse(namespace, parameters, &record.fields())
        .map_err(|BadQuery(message)| Box::new(error(StatusCode::BAD_REQUEST, &message)))?;
    if !query.matches(record) {
        return Err(not_found());
    }
    // What exists but is not for this caller is forbidden, not unknown, and not explained.
    let record =
        seen_by(namespace, record, caller).ok_or_else(|| Box::new(StatusCode::FORBIDDEN.into_response()))?;
    let mut fields = depth::with_parents(world, namespace, &record, query.depth.unwrap_or(2).min(4), caller);
    if let Some(names) = &query.fields {
        fields.keep(names);
    }
    let meta = meta(options.generated, false, world.now());
    Ok(Rows { texts: vec![fields.to_json().into()], meta: meta.to_json() })
}

/// The published dump of a namespace.
pub(crate) fn dump(world: &World, namespace: Namespace) -> Rows {
    let dump = world.dump();
    let texts = dump.rows[namespace as usize].iter().map(|record| Arc::clone(&record.text)).collect();
    Rows { texts, meta: meta(Generated::Always, true, dump.taken).to_json() }
}

/// `generated` is the time of the answer in seconds since the epoch, as a float.
#[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2^53")]
fn meta(generated: Generated, full: bool, now: DateTime<Utc>) -> Fields {
    let mut meta = Fields::default();
    if generated == Generated::Always || (generated == Generated::FullOnly && full) {
        meta.set("generated", json!(now.timestamp() as f64));
    }
    meta
}

/// The rows as a response, cut or slowed down if the fault is of that kind. `stop` ends what would go on for long.
pub(crate) fn respond(
    rows: Rows,
    gzip: bool,
    fault: Option<&Fault>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let json = cut_clean(body::envelope(rows.texts, rows.meta), fault);
    let pieces = if gzip { body::gzip(json) } else { json };
    let mut response = match fault.map(|fault| (fault.kind, fault)) {
        Some((FaultKind::Cut, fault)) => {
            let (pieces, length, at) = measured(pieces, fault.after);
            let mut response = Response::new(body::broken(body::truncated(pieces, at)));
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            response
        }
        Some((FaultKind::CutChunked, fault)) => {
            let (pieces, _, at) = measured(pieces, fault.after);
            Response::new(body::broken(body::truncated(pieces, at)))
        }
        Some((FaultKind::Slow, fault)) => Response::new(body::dribbled(pieces, fault.duration(), stop)),
        _ => Response::new(body::streamed(pieces)),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding, Authorization"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Cuts the JSON before it is compressed, so that everything but the JSON is in order.
fn cut_clean(pieces: Pieces, fault: Option<&Fault>) -> Pieces {
    match fault {
        Some(fault) if fault.kind == FaultKind::CutClean => {
            let (pieces, _, at) = measured(pieces, fault.after);
            body::truncated(pieces, at)
        }
        _ => pieces,
    }
}

/// The body, its length, and where to cut it: never at or behind its end.
fn measured(pieces: Pieces, after: Option<usize>) -> (Pieces, usize, usize) {
    let pieces: Vec<Bytes> = pieces.collect();
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let at = after.unwrap_or(length / 2).min(length.saturating_sub(1));
    (Box::new(pieces.into_iter()), length, at)
}
