//! A switch with NX-API (JSON-RPC over HTTP or HTTPS): given answers to what is shown, and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::eapi::{Door, acceptor};
use super::fleet;

/// What the switch is.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may log in.
    pub user: String,
    /// The password.
    pub password: String,
    /// Answers to commands: an object for `cli`, a text for `cli_ascii`.
    pub answers: BTreeMap<String, Value>,
}

/// A running stand-in; dropping it stops it.
#[derive(Debug)]
pub struct NxApi {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    /// The command that is not answered.
    silent: Mutex<Option<String>>,
}

impl NxApi {
    /// Starts on a free port of 127.0.0.1, with plain HTTP.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::start_behind(options, None).await
    }

    /// Starts with HTTPS; [`fleet::CERTIFICATE`] is its certificate.
    pub async fn start_with_tls(options: Options) -> std::io::Result<Self> {
        Self::start_behind(options, Some(acceptor(fleet::CERTIFICATE.as_bytes(), fleet::KEY.as_bytes())?))
            .await
    }

    async fn start_behind(options: Options, tls: Option<tokio_rustls::TlsAcceptor>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { options, silent: Mutex::default() });
        let app = axum::Router::new().route("/ins", post(handle)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let door = Door { listener, tls, delay: Duration::ZERO, arrived: JoinSet::new() };
            let _ = axum::serve(door, app).await;
        });
        Ok(Self { address, shared, task })
    }

    /// This command is no longer answered.
    pub fn fall_silent(&self, at: &str) {
        *self.shared.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(at.to_owned());
    }
}

impl Drop for NxApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let options = &shared.options;
    let expected = format!("{}:{}", options.user, options.password);
    if super::eapi::credentials(&headers).as_deref() != Some(&expected) {
        return (StatusCode::UNAUTHORIZED, "<html><title>401 Authorization Required</title></html>")
            .into_response();
    }
    let known = headers.get("content-type").is_some_and(|kind| kind == "application/json-rpc");
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(questions)) if known => {
            let silent = shared.silent.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if silent.is_some_and(|at| questions.iter().any(|one| one["params"]["cmd"] == at)) {
                std::future::pending::<()>().await;
            }
            let replies: Vec<Value> = questions.iter().map(|one| answer(options, one)).collect();
            let refused = replies.iter().any(|reply| reply.get("error").is_some());
            let status = if refused { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            let body = if replies.len() == 1 { replies.into_iter().next().unwrap_or_default() } else { Value::Array(replies) };
            (status, axum::Json(body)).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, axum::Json(json!({ "jsonrpc": "2.0", "error": { "code": -32700, "message": "Parse error" }, "id": null })))
            .into_response(),
    }
}

fn answer(options: &Options, question: &Value) -> Value {
    let id = &question["id"];
    let error = |code: i32, message: &str, said: &str| json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message, "data": { "msg": said } }, "id": id });
    let command = question["params"]["cmd"].as_str().unwrap_or("");
    let found = options.answers.get(command);
    match (question["method"].as_str(), found) {
        (Some("cli"), Some(Value::String(text))) if text.is_empty() => {
            json!({ "jsonrpc": "2.0", "result": null, "id": id })
        }
        (Some("cli"), Some(body @ Value::Object(_))) => {
            json!({ "jsonrpc": "2.0", "result": { "body": body }, "id": id })
        }
        (Some("cli_ascii"), Some(Value::String(text))) => {
            json!({ "jsonrpc": "2.0", "result": { "msg": text }, "id": id })
        }
        (Some("cli" | "cli_ascii"), _) => error(-32602, "Invalid params", "% Invalid command\n"),
        _ => error(-32601, "Method not found", ""),
    }
}
