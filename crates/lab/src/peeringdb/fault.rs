//! HTTP going wrong on demand.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::answer::{error, json_response};
use super::body;
use super::fields::{Fields, to_json};
use super::namespace::Namespace;

/// A fault, and how often it strikes.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many requests it hits; 0 for all until the faults are cleared.
    pub times: u32,
    /// Where a body is cut, in bytes; half of it if not stated. Of a compressed body the compressed bytes count,
    /// except for [`FaultKind::CutClean`].
    pub after: Option<usize>,
    /// What `Retry-After` says, or how long [`FaultKind::Slow`] dribbles.
    pub seconds: u64,
}

impl Fault {
    /// This fault, once, with a wait of one second where there is one.
    pub fn once(kind: FaultKind) -> Self {
        let seconds = if kind == FaultKind::Slow { 3_600 } else { 1 };
        Self { kind, times: 1, after: None, seconds }
    }
}

/// A name that is none of [`FaultKind::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault")]
pub struct UnknownFault(pub String);

macro_rules! fault_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)*) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The name, as in `/lab/fault?kind=NAME`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

fault_kinds! {
    /// 429 with `Retry-After` in seconds.
    TooMany = "429",
    /// 429 with `Retry-After` as an HTTP date, on the simulated clock, which the `Date` header shows too.
    TooManyDate = "429-date",
    /// 429 without `Retry-After`.
    TooManyBare = "429-bare",
    /// 401, as for a wrong key.
    Unauthorized = "401",
    /// 500 with an HTML body.
    Internal = "500",
    /// 502 with the HTML body of a proxy.
    BadGateway = "502-html",
    /// 200 with an HTML body.
    Html = "html",
    /// `Content-Length` says more than comes before the connection closes.
    Cut = "cut",
    /// A chunked body without its last chunk: the connection closes before.
    CutChunked = "cut-chunked",
    /// Valid HTTP, but the JSON in it is cut.
    CutClean = "cut-clean",
    /// The body comes a few bytes at a time.
    Slow = "slow",
    /// The request is accepted and never answered.
    Hang = "hang",
    /// Records of wrong JSON types: an id as text, a name as number, records that are no objects.
    WrongTypes = "wrong-types",
    /// A record lacks its id.
    NoId = "no-id",
    /// A record comes twice, the second time with another name.
    Duplicate = "duplicate",
    /// A valid answer without any records.
    Empty = "empty",
    /// With `since`, every row of the namespace as deleted; without, a tenth of the rows that there are.
    MassDelete = "mass-delete",
    /// 200 with a body that is no JSON, although its type says so.
    NotJson = "not-json",
    /// `{"meta": {}}`.
    NoData = "no-data",
    /// `data` is an object, not a list.
    DataObject = "data-object",
    /// A body without an end.
    Huge = "huge",
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

/// The faults that wait for their requests, in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Option<Namespace>, Fault)>);

impl Faults {
    /// Adds a fault for a namespace, or for any.
    pub(crate) fn add(&mut self, namespace: Option<Namespace>, fault: Fault) {
        self.0.push((namespace, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that hits a request to this namespace.
    pub(crate) fn strike(&mut self, namespace: Namespace) -> Option<Fault> {
        let at = self.0.iter().position(|(target, _)| target.is_none_or(|target| target == namespace))?;
        let fault = self.0[at].1.clone();
        match fault.times {
            0 => {}
            1 => {
                self.0.remove(at);
            }
            times => self.0[at].1.times = times - 1,
        }
        Some(fault)
    }
}

impl Fault {
    /// The answer, for faults that do not look at what was asked for. `now` is the simulated time; `stop` ends what
    /// would go on for ever.
    pub(crate) async fn instead(
        &self,
        now: DateTime<Utc>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Option<Response> {
        Some(match self.kind {
            FaultKind::TooMany => throttled(Some(self.seconds)),
            FaultKind::TooManyBare => throttled(None),
            FaultKind::TooManyDate => {
                let wait = TimeDelta::seconds(i64::try_from(self.seconds).unwrap_or(i64::MAX / 1_000));
                let mut response = throttled(None);
                set_date(response.headers_mut(), header::RETRY_AFTER, now + wait);
                response
            }
            FaultKind::Unauthorized => error(StatusCode::UNAUTHORIZED, "Invalid API key"),
            FaultKind::Internal => html(StatusCode::INTERNAL_SERVER_ERROR, "<h1>Server Error (500)</h1>"),
            FaultKind::BadGateway => {
                html(StatusCode::BAD_GATEWAY, "<center><h1>502 Bad Gateway</h1></center>")
            }
            FaultKind::Html => html(StatusCode::OK, "<h1>PeeringDB is down for maintenance</h1>"),
            FaultKind::NotJson => json_response(StatusCode::OK, "PeeringDB is down for maintenance"),
            FaultKind::NoData => json_response(StatusCode::OK, r#"{"meta": {}}"#),
            FaultKind::DataObject => {
                json_response(StatusCode::OK, r#"{"data": {"1": {"id": 1}}, "meta": {}}"#)
            }
            FaultKind::Huge => {
                let row = r#"{"id": 1, "name": "again and again", "status": "ok"}"#;
                ([(header::CONTENT_TYPE, "application/json")], body::endless(row, stop)).into_response()
            }
            FaultKind::Hang => {
                stop.await;
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            FaultKind::Cut
            | FaultKind::CutChunked
            | FaultKind::CutClean
            | FaultKind::Slow
            | FaultKind::WrongTypes
            | FaultKind::NoId
            | FaultKind::Duplicate
            | FaultKind::Empty
            | FaultKind::MassDelete => return None,
        })
    }

    /// Spoils the rows of an answer, for the faults that do that.
    pub(crate) fn spoil(&self, rows: &mut Vec<Fields>, deleted: bool) -> Vec<String> {
        match self.kind {
            FaultKind::Empty => rows.clear(),
            FaultKind::NoId => {
                if let Some(row) = rows.first_mut() {
                    row.remove("id");
                }
            }
            FaultKind::Duplicate => {
                if let Some(mut row) = rows.first().cloned() {
                    row.set("name", json!("the same again"));
                    rows.push(row);
                }
            }
            FaultKind::MassDelete if deleted => {
                for row in rows.iter_mut() {
                    row.set("status", json!("deleted"));
                }
            }
            FaultKind::MassDelete => rows.truncate(rows.len() / 10),
            _ => {}
        }
        let mut texts: Vec<String> = rows.iter().map(Fields::to_json).collect();
        if self.kind == FaultKind::WrongTypes {
            let mut spoilt = rows.clone();
            if let [first, second, ..] = spoilt.as_mut_slice() {
                first.set("id", json!(first.number("id").to_string()));
                second.set("name", json!(42));
                second.set("updated", json!(1_700_000_000));
                texts.splice(0..2, [first.to_json(), second.to_json()]);
            }
            texts.extend(["\"no object\"", "[1, 2]", "null"].map(str::to_owned));
        }
        texts
    }

    /// Whether [`Self::spoil`] is for this fault.
    pub(crate) fn spoils_rows(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::WrongTypes
                | FaultKind::NoId
                | FaultKind::Duplicate
                | FaultKind::Empty
                | FaultKind::MassDelete
        )
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// What PeeringDB says to a client that asks too often. `seconds` is how long to wait.
pub(crate) fn throttled(seconds: Option<u64>) -> Response {
    let wait = seconds.unwrap_or(55);
    let message = format!("Request was throttled. Expected available in {wait} seconds.");
    let body = to_json(&Fields::from_pairs(vec![
        ("message", json!(message)),
        ("meta", json!({ "error": "Too Many Requests" })),
    ]));
    let mut response = json_response(StatusCode::TOO_MANY_REQUESTS, body);
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An HTTP date: RFC 9110, section 5.6.7.
pub(crate) fn set_date(headers: &mut HeaderMap, name: header::HeaderName, time: DateTime<Utc>) {
    if let Ok(value) = HeaderValue::from_str(&time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
        headers.insert(name, value);
    }
}

pub(crate) fn html(status: StatusCode, content: &str) -> Response {
    let body = format!("<!doctype html>\n<html><body>{content}</body></html>\n");
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}
