//! SSH, and the two ways in which NETCONF tells messages apart (RFC 6242).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::config::Refusal;
use super::xml::{BASE, Node, parse};
use super::{Fault, Kind, Shared, iosxr, junos};
use crate::routers::place::{Place, reached};

const END: &[u8] = b"]]>]]>";
/// No request is longer.
const LONGEST: usize = 64 << 20;

/// A server, as long as the task runs.
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    pub(super) host_key: PublicKey,
    pub(super) task: JoinHandle<()>,
}

pub(super) async fn listen(state: Shared, place: Place) -> std::io::Result<Listening> {
    let listener = TcpListener::bind(("127.0.0.1", place.port)).await?;
    let address = listener.local_addr()?;
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&place.number.to_be_bytes());
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    let host_key = key.public_key().clone();
    let config = russh::server::Config {
        keys: vec![key],
        auth_rejection_time: Duration::from_millis(10),
        nodelay: true,
        ..Default::default()
    };
    let config = Arc::new(config);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = Connection::new(state.clone());
            let config = config.clone();
            tokio::spawn(async move {
                let stream = reached(stream, place.delay);
                if let Ok(session) = russh::server::run_stream(config, stream, connection).await {
                    let _ = session.await;
                }
            });
        }
    });
    Ok(Listening { address, host_key, task })
}

struct Connection {
    state: Shared,
    user: String,
    session: Option<u64>,
    chunked: bool,
    greeted: bool,
    /// Nothing is answered any more.
    silent: bool,
    input: Vec<u8>,
}

impl Connection {
    fn new(state: Shared) -> Self {
        Self {
            state,
            user: String::new(),
            session: None,
            chunked: false,
            greeted: false,
            silent: false,
            input: Vec::new(),
        }
    }

    /// The next whole message; an error ends the connection.
    fn message(&mut self) -> Result<Option<String>, russh::Error> {
        let wrong = || russh::Error::Disconnect;
        let (message, length) = if self.chunked {
            match chunks(&self.input).map_err(|()| wrong())? {
                Some(found) => found,
                None => return Ok(None),
            }
        } else {
            let Some(at) = self.input.windows(END.len()).position(|window| window == END) else {
                return Ok(None);
            };
            (self.input[..at].to_vec(), at + END.len())
        };
        self.input.drain(..length);
        String::from_utf8(message).map(Some).map_err(|_| wrong())
    }

    fn frame(&self, text: &str) -> Vec<u8> {
        if self.chunked {
            // In two chunks, as a server may.
            let (one, other) = text.as_bytes().split_at(text.len() / 2);
            let mut out = Vec::new();
            for part in [one, other].into_iter().filter(|part| !part.is_empty()) {
                out.extend_from_slice(format!("\n#{}\n", part.len()).as_bytes());
                out.extend_from_slice(part);
            }
            out.extend_from_slice(b"\n##\n");
            out
        } else {
            [text.as_bytes(), END].concat()
        }
    }

    fn hello(&self, id: u64) -> String {
        let base = "urn:ietf:params:netconf:";
        let more: &[&str] = match self.state.lock().options.kind {
            Kind::Junos => &[
                "base:1.0",
                "capability:candidate:1.0",
                "capability:confirmed-commit:1.0",
                "capability:validate:1.0",
            ],
            Kind::IosXr => &[
                "base:1.1",
                "capability:candidate:1.0",
                "capability:rollback-on-error:1.0",
                "capability:validate:1.1",
                "capability:confirmed-commit:1.1",
            ],
        };
        let list =
            more.iter().fold(String::new(), |list, one| list + "<capability>" + base + one + "</capability>");
        format!(
            "<!-- user {} --><hello xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><capabilities>{list}</capabilities>\
             <session-id>{id}</session-id></hello>",
            self.user
        )
    }

    /// The answer, and whether the session ends with it; none where it falls silent.
    fn answer(&mut self, text: &str) -> Result<Option<(String, bool)>, russh::Error> {
        let reply = |id: &str, body: &str| {
            format!(
                "<rpc-reply xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" xmlns:junos=\"urn:junos\"{id}>\n{body}\n</rpc-reply>"
            )
        };
        // Junos does not look at namespaces.
        let any = self.state.lock().options.kind == Kind::Junos;
        let is_rpc = |root: &Node| root.name == "rpc" && (any || root.namespace == BASE);
        let Some(rpc) = parse(text).filter(is_rpc) else {
            let refusal = Refusal::new("malformed-message", "this is no request");
            return Ok(Some((reply("", &refusal.xml()), false)));
        };
        let Some(id) = rpc.attribute("message-id") else {
            return Ok(Some((reply("", &Refusal::new("missing-attribute", "message-id").xml()), false)));
        };
        let id = format!(" message-id=\"{id}\"");
        let [operation] = rpc.children.as_slice() else {
            return Ok(Some((reply(&id, &Refusal::new("missing-element", "one operation").xml()), false)));
        };
        let session = self.session.unwrap_or_default();
        let mut state = self.state.lock();
        if state.killed.contains(&session) {
            return Err(russh::Error::Disconnect);
        }
        let fault = state.strikes(&operation.name);
        match fault {
            Some(Fault::Silent) => return Ok(None),
            Some(Fault::CutBefore) => return Err(russh::Error::Disconnect),
            Some(Fault::Refused) => {
                let refusal = Refusal::new("operation-failed", "not now");
                return Ok(Some((reply(&id, &refusal.xml()), false)));
            }
            Some(Fault::Ignored) => return Ok(Some((reply(&id, "<ok/>"), false))),
            Some(Fault::CutAfter) | None => {}
        }
        state.operations.push(operation.name.clone());
        if operation.name == "close-session" {
            state.end(session);
            return Ok(Some((reply(&id, "<ok/>"), true)));
        }
        let body = match state.options.kind {
            Kind::Junos => junos::answer(&mut state, session, &self.user, operation),
            Kind::IosXr => iosxr::answer(&mut state, session, &self.user, operation),
        };
        if fault.is_some() {
            return Err(russh::Error::Disconnect);
        }
        Ok(Some((reply(&id, &body.unwrap_or_else(|refusal| refusal.xml())), false)))
    }

    fn greet(&mut self, text: &str) -> Result<(), russh::Error> {
        let root = parse(text).filter(|root| root.name == "hello").ok_or(russh::Error::Disconnect)?;
        let known = |node: &Node| {
            node.children.iter().any(|one| one.text.trim() == "urn:ietf:params:netconf:base:1.1")
        };
        self.chunked =
            self.state.lock().options.kind == Kind::IosXr && root.child("capabilities").is_some_and(known);
        self.greeted = true;
        Ok(())
    }
}

type Chunks = (Vec<u8>, usize);

/// A message in chunks, and how long it is with them.
fn chunks(input: &[u8]) -> Result<Option<Chunks>, ()> {
    let mut message = Vec::new();
    let mut at = 0;
    loop {
        let rest = &input[at..];
        let Some(line) = rest.iter().skip(1).position(|&octet| octet == b'\n') else {
            return if rest.len() > 20 { Err(()) } else { Ok(None) };
        };
        let head = std::str::from_utf8(&rest[..=line]).map_err(|_| ())?;
        let size = head.strip_prefix("\n#").ok_or(())?;
        at += line + 2;
        if size == "#" {
            return Ok(Some((message, at)));
        }
        let size: usize = size.parse().map_err(|_| ())?;
        if size == 0 || size > LONGEST {
            return Err(());
        }
        let Some(chunk) = input.get(at..at + size) else { return Ok(None) };
        message.extend_from_slice(chunk);
        at += size;
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        user.clone_into(&mut self.user);
        if self.state.lock().strikes("login").is_some() {
            std::future::pending::<()>().await;
        }
        let is_right = self.state.lock().options.password == password;
        Ok(if is_right { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if name != "netconf" || self.session.is_some() {
            return session.channel_failure(channel);
        }
        if self.state.lock().strikes("subsystem").is_some() {
            self.silent = true;
            return Ok(());
        }
        session.channel_success(channel)?;
        if self.state.lock().strikes("hello").is_some() {
            self.silent = true;
            return Ok(());
        }
        let id = self.state.lock().begin();
        self.session = Some(id);
        let hello = self.hello(id);
        session.data(channel, self.frame(&hello))
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.silent {
            return Ok(());
        }
        self.input.extend_from_slice(data);
        if self.input.len() > LONGEST {
            return Err(russh::Error::Disconnect);
        }
        while let Some(message) = self.message()? {
            if !self.greeted {
                self.greet(&message)?;
                continue;
            }
            let Some((text, ends)) = self.answer(&message)? else {
                self.silent = true;
                return Ok(());
            };
            session.data(channel, self.frame(&text))?;
            if ends {
                session.eof(channel)?;
                session.close(channel)?;
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(id) = self.session {
            self.state.lock().end(id);
        }
    }
}
