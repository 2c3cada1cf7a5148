//! A switch with eAPI, over HTTP or HTTPS: commands run one after the other until one is refused, configuration sessions with
//! a commit timer, and given answers to what is shown.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::eos::{Switch, clock};
use super::eos_bgp;
use super::peering::{Others, Peering};
use super::place::{Place, Wire, reached};

/// What the switch is.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who may log in, and with which password.
    pub user: String,
    /// The password.
    pub password: String,
    /// What `enable` asks for, if anything.
    pub enable: Option<String>,
    /// The configuration it starts with.
    pub running: String,
    /// Answers to show commands: an object for JSON, a text for text.
    pub answers: BTreeMap<String, Value>,
    /// Whether it names a waiting commit as EOS does since 4.32.
    pub newer: bool,
    /// A certificate and its key (PEM); without them it talks plain HTTP.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
}

/// What goes wrong with the next request that has a command of this beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the connection ends before the answer does.
    CutAfter,
    /// The connection ends and nothing is done.
    CutBefore,
    /// HTML comes back.
    Html,
    /// Nothing comes back.
    Hang,
    /// Nothing comes back, and to nothing that follows.
    Deaf,
}

/// A running stand-in; dropping it stops it.
#[derive(Debug)]
pub struct Eapi {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    switch: Mutex<Switch>,
    peering: Mutex<Option<Peering>>,
    faults: Mutex<VecDeque<(String, Fault)>>,
    deaf: AtomicBool,
    seen: Mutex<Vec<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Eapi {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::start_at(Place::default(), options, None).await
    }

    /// Starts one at a place. With others around it, what it says of its sessions follows from its configuration and from them.
    pub async fn start_at(place: Place, options: Options, others: Option<Others>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", place.port)).await?;
        let address = listener.local_addr()?;
        let tls = options.tls.as_ref().map(|(certificate, key)| acceptor(certificate, key)).transpose()?;
        let switch = Switch::new(&options.running, options.newer);
        let peering = others.map(|others| Peering::new(others, &eos_bgp::peers(&switch.running)));
        let shared = Arc::new(Shared {
            switch: Mutex::new(switch),
            peering: Mutex::new(peering),
            options,
            faults: Mutex::default(),
            deaf: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        let app = axum::Router::new().route("/command-api", post(handle)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let _ =
                axum::serve(Door { listener, tls, delay: place.delay, arrived: JoinSet::new() }, app).await;
        });
        Ok(Self { address, shared, task })
    }

    /// The configuration that runs.
    pub fn running(&self) -> String {
        let mut switch = locked(&self.shared.switch);
        switch.tick();
        switch.running.text()
    }

    /// The configuration that it would start with.
    pub fn startup(&self) -> String {
        locked(&self.shared.switch).startup.text()
    }

    /// How many sessions are open and not committed.
    pub fn open_sessions(&self) -> usize {
        locked(&self.shared.switch).open_sessions()
    }

    /// Someone else changes the configuration at the switch.
    pub fn type_in(&self, line: &str) {
        let _ = locked(&self.shared.switch).running.apply(&mut String::new(), line, None);
    }

    /// Someone begins a session and leaves it open.
    pub fn leave_session(&self, name: &str) {
        let _ = locked(&self.shared.switch).enter(name);
    }

    /// Lets the next request with such a command go wrong.
    pub fn fault(&self, command: &str, fault: Fault) {
        locked(&self.shared.faults).push_back((command.to_owned(), fault));
    }

    /// The commands it was given.
    pub fn seen(&self) -> Vec<String> {
        locked(&self.shared.seen).clone()
    }
}

impl Drop for Eapi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn acceptor(certificate: &[u8], key: &[u8]) -> std::io::Result<tokio_rustls::TlsAcceptor> {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let invalid = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| invalid(&error))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| invalid(&error))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| invalid(&error))?;
    Ok(Arc::new(config).into())
}

/// Where connections come in. The handshakes of several go on at the same time.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<tokio_rustls::TlsAcceptor>,
    pub(crate) delay: Duration,
    pub(crate) arrived: JoinSet<Option<(Box<dyn Wire>, SocketAddr)>>,
}

impl axum::serve::Listener for Door {
    type Io = Box<dyn Wire>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some(arrived) = self.arrived.join_next() => {
                    if let Ok(Some(arrived)) = arrived {
                        return arrived;
                    }
                }
                Ok((stream, address)) = self.listener.accept() => {
                    let (tls, delay) = (self.tls.clone(), self.delay);
                    self.arrived.spawn(async move {
                        let stream = reached(stream, delay);
                        let Some(tls) = tls else { return Some((stream, address)) };
                        let stream = tls.accept(stream).await.ok()?;
                        Some((Box::new(stream) as Box<dyn Wire>, address))
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[derive(Deserialize)]
struct Question {
    jsonrpc: String,
    method: String,
    params: Params,
    id: Value,
}

#[derive(Deserialize)]
struct Params {
    version: Value,
    cmds: Vec<Command>,
    #[serde(default)]
    format: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Command {
    Plain(String),
    WithInput {
        cmd: String,
        #[serde(default)]
        input: Option<String>,
    },
}

impl Command {
    fn parts(&self) -> (&str, Option<&str>) {
        match self {
            Self::Plain(command) => (command, None),
            Self::WithInput { cmd, input } => (cmd, input.as_deref()),
        }
    }
}

/// `Basic` and its argument (RFC 7617), decoded.
pub(super) fn credentials(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let mut octets = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    String::from_utf8(octets).ok()
}

/// A body that ends in the middle.
pub(super) fn cut() -> Response {
    let parts: [Result<Bytes, std::io::Error>; 2] =
        [Ok(Bytes::from_static(b"{\"jsonrpc\": \"2.0\", ")), Err(std::io::Error::other("cut"))];
    Body::from_stream(futures::stream::iter(parts)).into_response()
}

async fn handle(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let expected = format!("{}:{}", shared.options.user, shared.options.password);
    if credentials(&headers).as_deref() != Some(&expected) {
        let said = "Unable to authenticate user: Bad username/password combination";
        return (StatusCode::UNAUTHORIZED, said).into_response();
    }
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        let error = json!({ "code": -32700, "message": "Parse error" });
        return axum::Json(json!({ "jsonrpc": "2.0", "id": null, "error": error })).into_response();
    };
    let commands: Vec<String> =
        question.params.cmds.iter().map(|one| one.parts().0.trim().to_owned()).collect();
    locked(&shared.seen).extend(commands.iter().cloned());
    let fault = {
        let mut faults = locked(&shared.faults);
        let hit = faults
            .iter()
            .position(|(start, _)| commands.iter().any(|command| command.starts_with(start.as_str())));
        hit.and_then(|at| faults.remove(at)).map(|(_, fault)| fault)
    };
    match fault {
        Some(Fault::CutBefore) => return cut(),
        Some(Fault::Html) => return "<html><body>It works</body></html>".into_response(),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Deaf) => shared.deaf.store(true, Ordering::Relaxed),
        Some(Fault::CutAfter) | None => {}
    }
    if shared.deaf.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let answer = run(&shared, &question);
    if fault.is_some() {
        return cut();
    }
    let mut reply = json!({ "jsonrpc": "2.0", "id": question.id });
    match answer {
        Ok(results) => reply["result"] = Value::Array(results),
        Err(error) => reply["error"] = error,
    }
    axum::Json(reply).into_response()
}

fn run(shared: &Shared, question: &Question) -> Result<Vec<Value>, Value> {
    let params = &question.params;
    if question.jsonrpc != "2.0" || question.method != "runCmds" {
        return Err(json!({ "code": -32601, "message": "Method not found" }));
    }
    if params.version != json!(1) && params.version != json!("latest") {
        return Err(json!({ "code": -32602, "message": "Invalid params: version" }));
    }
    let as_text = match params.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(_) => return Err(json!({ "code": -32602, "message": "Invalid params: format" })),
    };
    let mut terminal = Terminal { shared, enabled: false, session: None, section: String::new(), as_text };
    let mut results = Vec::new();
    for (at, command) in params.cmds.iter().enumerate() {
        let (text, input) = command.parts();
        match terminal.run(text.trim(), input) {
            Ok(result) => results.push(result),
            Err((code, error)) => {
                let kind = if code == 1003 { "unconverted command" } else { "invalid command" };
                let total = params.cmds.len();
                results.push(json!({ "errors": [error] }));
                return Err(json!({
                    "code": code,
                    "message": format!("CLI command {} of {total} '{text}' failed: {kind}", at + 1),
                    "data": results,
                }));
            }
        }
    }
    if params.cmds.iter().any(|command| command.parts().0.starts_with("configure")) {
        let switch = locked(&shared.switch);
        if let Some(peering) = locked(&shared.peering).as_mut() {
            // What comes of a change begins now, whether or not somebody asks.
            peering.sessions(&eos_bgp::peers(&switch.running));
        }
    }
    Ok(results)
}

/// The modes that commands of one request run in.
struct Terminal<'a> {
    shared: &'a Shared,
    enabled: bool,
    session: Option<String>,
    section: String,
    as_text: bool,
}

impl Terminal<'_> {
    fn run(&mut self, command: &str, input: Option<&str>) -> Result<Value, (i32, String)> {
        let mut switch = locked(&self.shared.switch);
        switch.tick();
        let invalid = |error: String| (1002, error);
        let empty = if self.as_text { json!({ "output": "" }) } else { json!({}) };
        // As when somebody presses Enter.
        if command.is_empty() {
            return Ok(empty);
        }
        if command == "enable" {
            let wanted = self.shared.options.enable.as_deref();
            if wanted.is_some() && wanted != input {
                return Err((1002, "Bad secret".to_owned()));
            }
            self.enabled = true;
            return Ok(empty);
        }
        if let Some(name) = self.session.clone() {
            match command {
                "end" => self.session = None,
                "rollback clean-config" => {
                    *switch.candidate(&name).map_err(invalid)? = super::eos::Config::default();
                }
                line => switch
                    .candidate(&name)
                    .and_then(|config| config.apply(&mut self.section, line, input))
                    .map_err(invalid)?,
            }
            return Ok(empty);
        }
        if command.starts_with("show ") {
            return self.show(&switch, command);
        }
        if !self.enabled {
            return Err((1002, "Invalid input (privileged mode required)".to_owned()));
        }
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["configure", "session", name] => {
                switch.enter(name).map_err(invalid)?;
                self.session = Some((*name).to_owned());
                self.section.clear();
            }
            ["configure", "session", name, "commit"] => switch.commit(name, None).map_err(invalid)?,
            ["configure", "session", name, "commit", "timer", time] => {
                let time =
                    clock(time).ok_or_else(|| (1002, format!("Invalid input (at token 5: '{time}')")))?;
                switch.commit(name, Some(time)).map_err(invalid)?;
            }
            ["configure", "session", name, "abort"] => switch.abort(name).map_err(invalid)?,
            ["configure", "replace", file] if file.starts_with("flash:") => {
                switch.replace(file).map_err(invalid)?;
            }
            ["copy", from @ ("running-config" | "startup-config"), file] if file.starts_with("flash:") => {
                switch.copy(*from == "running-config", file);
            }
            ["write", "memory"] => switch.startup = switch.running.clone(),
            ["more", file] if file.starts_with("flash:") && self.as_text => {
                return switch.more(file).map(|text| json!({ "output": text })).map_err(invalid);
            }
            _ => {
                return Err((
                    1002,
                    format!("Invalid input (at token 0: '{}')", words.first().unwrap_or(&"")),
                ));
            }
        }
        Ok(empty)
    }

    fn show(&self, switch: &Switch, command: &str) -> Result<Value, (i32, String)> {
        let text = |text: String| json!({ "output": text });
        if let Some(answer) = self.shared.options.answers.get(command) {
            return match (answer, self.as_text) {
                (Value::String(answer), true) => Ok(text(answer.clone())),
                (Value::String(_), false) => {
                    Err((1003, "Command cannot be used over the API at this time.".to_owned()))
                }
                (answer, false) => Ok(answer.clone()),
                (answer, true) => Ok(text(answer.to_string())),
            };
        }
        if !self.as_text
            && let Some(peering) = locked(&self.shared.peering).as_mut()
            && let Some(answer) =
                eos_bgp::answer(command, &peering.sessions(&eos_bgp::peers(&switch.running)))
        {
            return Ok(answer);
        }
        let words: Vec<&str> = command.split_whitespace().collect();
        match (words.as_slice(), self.as_text) {
            (["show", "hostname"], false) => {
                let name = switch.running.hostname();
                Ok(json!({ "hostname": name, "fqdn": format!("{name}.example.net") }))
            }
            (["show", "version"], false) => Ok(json!({
                "modelName": "vEOS-lab", "version": if self.shared.options.newer { "4.32.1F" } else { "4.30.1F" },
                "uptime": switch.uptime(), "bootupTimestamp": 1_750_000_000.0, "serialNumber": "", "hardwareRevision": "",
                "internalVersion": if self.shared.options.newer { "4.32.1F-1" } else { "4.30.1F-1" },
            })),
            (
                ["show", "configuration", "sessions", "detail"] | ["show", "configuration", "sessions"],
                false,
            ) => Ok(switch.sessions()),
            (["show", "running-config"], true) if self.enabled => Ok(text(switch.running.text())),
            (["show", "startup-config"], true) if self.enabled => Ok(text(switch.startup.text())),
            (["show", "running-config", "|", "include", ..], true) => Ok(text(String::new())),
            (["show", "session-config", "named", name], true) => {
                switch.shown(name).map(text).map_err(|error| (1002, error))
            }
            (["show", "session-config", "named", name, "diffs"], true) => {
                switch.diffs(name).map(text).map_err(|error| (1002, error))
            }
            (["show", "session-config", ..] | ["show", "running-config"], false) => {
                Err((1003, "Command cannot be used over the API at this time.".to_owned()))
            }
            _ => Err((1002, format!("Invalid input (at token 1: '{}')", words.get(1).unwrap_or(&"")))),
        }
    }
}
