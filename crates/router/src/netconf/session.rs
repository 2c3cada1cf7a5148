//! A NETCONF session and its operations.

use std::fmt::{self, Write as _};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::framing::{Decoder, Framing};
use super::rpc::{self, RpcError};
use super::xml::{self, escape};
use crate::mask::excerpt;
use crate::ssh::{Bounds, Service, Ssh, Stream};
use crate::{Error, Step};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
const CAPABILITY: &str = "urn:ietf:params:netconf:capability:";
/// A `hello` with ten thousand modules is long.
const LONGEST_HELLO: usize = 8 << 20;

/// What a server may be able to do besides the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Has a candidate datastore.
    Candidate,
    /// Undoes a commit that is not confirmed by the same session.
    ConfirmedCommit,
    /// Undoes a commit that is not confirmed by whoever knows its id (RFC 6241, section 8.4).
    PersistentCommit,
    /// Undoes an edit of which a part fails.
    RollbackOnError,
    /// Checks a candidate.
    Validate,
}

/// A configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datastore {
    /// What is in force.
    Running,
    /// What may come into force.
    Candidate,
}

impl Datastore {
    fn element(self) -> &'static str {
        match self {
            Self::Running => "<running/>",
            Self::Candidate => "<candidate/>",
        }
    }
}

/// An answer in which nothing is wrong. It may be a configuration, so it does not show when printed for debugging.
pub struct Reply {
    /// The whole document.
    pub text: String,
    /// What the router finds odd.
    pub warnings: Vec<RpcError>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} octets, {:?})", self.text.len(), self.warnings)
    }
}

/// A session over SSH. One operation runs at a time; others wait.
pub struct Session {
    ssh: Ssh,
    capabilities: Vec<String>,
    id: Option<u64>,
    wire: Mutex<Wire>,
}

struct Wire {
    stream: Stream,
    decoder: Decoder,
    framing: Framing,
    next: u64,
    /// A part of a message was sent and the rest was not.
    broken: bool,
}

impl Session {
    /// Begins a session on a connection: as the subsystem, or as a program where there is no subsystem.
    pub async fn begin(ssh: Ssh) -> Result<Self, Error> {
        let bounds = Bounds { step: Step::Login, time: ssh.limits().login, more: false };
        let mut stream = ssh.open(bounds, Service::Subsystem("netconf")).await?;
        if stream.is_none() {
            stream = ssh.open(bounds, Service::Program("netconf")).await?;
        }
        let Some(stream) = stream else {
            return Err(Error::Failed {
                host: ssh.host().to_owned(),
                step: Step::Login,
                message: "the router has no NETCONF on this port; switch it on, or name its port".into(),
            });
        };
        let limit = ssh.limits().answer;
        let decoder = Decoder::new(limit.min(LONGEST_HELLO));
        let mut wire = Wire { stream, decoder, framing: Framing::Mark, next: 1, broken: false };
        let hello = async {
            let ours = format!(
                "<hello xmlns=\"{NAMESPACE}\"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability>\
                 <capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>"
            );
            wire.stream.send(bounds.step, Framing::Mark.frame(&ours)).await?;
            wire.receive(ssh.host(), bounds.step).await
        };
        let hello = timeout(bounds.time, hello).await.map_err(|_| Error::Timeout {
            host: ssh.host().to_owned(),
            step: bounds.step,
            limit: bounds.time,
        })??;
        let (capabilities, id) = read_hello(&hello).map_err(|message| Error::Unreadable {
            host: ssh.host().to_owned(),
            step: bounds.step,
            message: excerpt(&message),
        })?;
        if capabilities.iter().any(|one| one == "urn:ietf:params:netconf:base:1.1") {
            wire.framing = Framing::Chunks;
            wire.decoder.set_framing(Framing::Chunks);
        }
        wire.decoder.set_limit(limit);
        Ok(Self { ssh, capabilities, id, wire: Mutex::new(wire) })
    }

    /// The router's name in messages.
    pub fn host(&self) -> &str {
        self.ssh.host()
    }

    /// The connection.
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    /// The session's id, by which another one could end it.
    pub fn id(&self) -> Option<u64> {
        self.id
    }

    /// What the server says it can do, as URIs.
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Whether the server says it can do this.
    pub fn can(&self, capability: Capability) -> bool {
        let names: &[&str] = match capability {
            Capability::Candidate => &["candidate:1.0"],
            Capability::ConfirmedCommit => &["confirmed-commit:1.0", "confirmed-commit:1.1"],
            Capability::PersistentCommit => &["confirmed-commit:1.1"],
            Capability::RollbackOnError => &["rollback-on-error:1.0"],
            Capability::Validate => &["validate:1.0", "validate:1.1"],
        };
        self.capabilities.iter().any(|one| {
            let bare = one.split('?').next().unwrap_or(one);
            bare.strip_prefix(CAPABILITY).is_some_and(|name| names.contains(&name))
        })
    }

    /// Asks and waits for the answer. Errors of the server are the step's; its warnings are in the answer.
    pub async fn rpc(&self, step: Step, operation: &str) -> Result<Reply, Error> {
        let (reply, errors) = self.rpc_with_errors(step, operation).await?;
        if let Some(error) = rpc::judge(self.host(), step, &errors) {
            return Err(error);
        }
        Ok(Reply { text: reply, warnings: errors })
    }

    /// Asks, waits, and gives the server's errors as they are.
    pub async fn rpc_with_errors(
        &self,
        step: Step,
        operation: &str,
    ) -> Result<(String, Vec<RpcError>), Error> {
        let limit = self.time(step);
        let reply = timeout(limit, async { self.wire.lock().await.ask(self.host(), step, operation).await })
            .await
            .map_err(|_| Error::Timeout { host: self.host().to_owned(), step, limit })??;
        let errors = rpc::errors(&reply).map_err(|message| self.unreadable(step, message))?;
        Ok((reply, errors))
    }

    fn time(&self, step: Step) -> Duration {
        let limits = self.ssh.limits();
        match step {
            Step::Connect | Step::Login | Step::Facts | Step::Neighbors | Step::Config | Step::Pending => {
                limits.read
            }
            Step::Load | Step::Commit | Step::Confirm | Step::RollBack | Step::Discard => limits.change,
        }
    }

    pub(crate) fn unreadable(&self, step: Step, message: impl AsRef<str>) -> Error {
        Error::Unreadable { host: self.host().to_owned(), step, message: excerpt(message.as_ref()) }
    }

    /// Takes a datastore for this session alone. [`Error::Busy`] names who has it.
    pub async fn lock(&self, step: Step, datastore: Datastore) -> Result<(), Error> {
        let refusal = self.try_lock(step, datastore).await?;
        refusal.map_or(Ok(()), |refusal| Err(self.unlocked(step, refusal)))
    }

    /// The same, with the server's own word for it where the datastore is not to be had.
    pub(crate) async fn try_lock(&self, step: Step, datastore: Datastore) -> Result<Option<RpcError>, Error> {
        let body = format!("<lock><target>{}</target></lock>", datastore.element());
        let (_, errors) = self.rpc_with_errors(step, &body).await?;
        Ok(errors.into_iter().find(|error| !error.is_warning))
    }

    /// What it means that a datastore is not to be had.
    pub(crate) fn unlocked(&self, step: Step, refusal: RpcError) -> Error {
        let host = self.host().to_owned();
        // Somebody has edited it.
        if refusal.tag == "resource-denied" {
            return Error::Busy { host, holder: refusal.holder() };
        }
        let message = refusal.text();
        rpc::judge(self.host(), step, &[refusal]).unwrap_or(Error::Failed { host, step, message })
    }

    /// Gives a datastore back.
    pub async fn unlock(&self, datastore: Datastore) -> Result<(), Error> {
        let body = format!("<unlock><target>{}</target></unlock>", datastore.element());
        self.rpc(Step::Discard, &body).await.map(drop)
    }

    /// Merges a piece of configuration, given as XML, into the candidate.
    pub async fn edit_candidate(&self, config: &str) -> Result<Reply, Error> {
        let on_error = if self.can(Capability::RollbackOnError) {
            "<error-option>rollback-on-error</error-option>"
        } else {
            ""
        };
        let body = format!(
            "<edit-config><target><candidate/></target>{on_error}<config>{config}</config></edit-config>"
        );
        self.rpc(Step::Load, &body).await
    }

    /// Makes a configuration, given as XML, all that is in the candidate.
    pub async fn replace_candidate(&self, config: &str) -> Result<Reply, Error> {
        let body = format!(
            "<copy-config><target><candidate/></target><source><config>{config}</config></source></copy-config>"
        );
        self.rpc(Step::Load, &body).await
    }

    /// The configuration, or the part of it that a subtree filter, given as XML, asks for.
    pub async fn get_config(
        &self,
        step: Step,
        from: Datastore,
        filter: Option<&str>,
    ) -> Result<Reply, Error> {
        let filter = filter.map(subtree).unwrap_or_default();
        self.rpc(step, &format!("<get-config><source>{}</source>{filter}</get-config>", from.element())).await
    }

    /// What runs, as far as a subtree filter, given as XML, asks for it.
    pub async fn get(&self, step: Step, filter: &str) -> Result<Reply, Error> {
        self.rpc(step, &format!("<get>{}</get>", subtree(filter))).await
    }

    /// Makes the candidate equal to what runs.
    pub async fn discard_changes(&self) -> Result<(), Error> {
        self.rpc(Step::Discard, "<discard-changes/>").await.map(drop)
    }

    /// Puts the candidate into force.
    pub async fn commit(&self) -> Result<Reply, Error> {
        self.rpc(Step::Commit, "<commit/>").await
    }

    /// Puts the candidate into force for some seconds. With an id the change outlives the session, and whoever knows the id
    /// confirms it; without one it goes away with the session.
    pub async fn commit_for(&self, seconds: u64, persist: Option<&str>) -> Result<Reply, Error> {
        let mut body = format!("<commit><confirmed/><confirm-timeout>{seconds}</confirm-timeout>");
        if let Some(id) = persist {
            let _ = write!(body, "<persist>{}</persist>", escape(id));
        }
        body.push_str("</commit>");
        self.rpc(Step::Commit, &body).await
    }

    /// Keeps what was committed for some seconds.
    pub async fn confirm(&self, persist: Option<&str>) -> Result<(String, Vec<RpcError>), Error> {
        let body = match persist {
            Some(id) => format!("<commit><persist-id>{}</persist-id></commit>", escape(id)),
            None => "<commit/>".to_owned(),
        };
        self.rpc_with_errors(Step::Confirm, &body).await
    }

    /// Undoes what was committed for some seconds, at once.
    pub async fn cancel_commit(&self, persist: Option<&str>) -> Result<(String, Vec<RpcError>), Error> {
        let body = match persist {
            Some(id) => format!("<cancel-commit><persist-id>{}</persist-id></cancel-commit>", escape(id)),
            None => "<cancel-commit/>".to_owned(),
        };
        self.rpc_with_errors(Step::RollBack, &body).await
    }

    /// Ends another session, with its locks.
    pub async fn kill(&self, id: u64) -> Result<(), Error> {
        let body = format!("<kill-session><session-id>{id}</session-id></kill-session>");
        self.rpc(Step::Discard, &body).await.map(drop)
    }

    /// Ends the session and the connection; does not wait long.
    pub async fn close(&self) {
        let farewell = self.rpc(Step::Discard, "<close-session/>");
        let _ = timeout(Duration::from_secs(2), farewell).await;
        self.ssh.close().await;
    }
}

impl Wire {
    async fn receive(&mut self, host: &str, step: Step) -> Result<String, Error> {
        let unreadable = |message: String| Error::Unreadable {
            host: host.to_owned(),
            step,
            message: excerpt(message.as_ref()),
        };
        loop {
            match self.decoder.message() {
                Ok(Some(message)) => {
                    return String::from_utf8(message).map_err(|_| unreadable("it is not in UTF-8".into()));
                }
                Ok(None) => {
                    let octets = self.stream.receive(step).await?;
                    self.decoder.push(&octets);
                }
                Err(error) => {
                    // Where the next message begins is not known.
                    self.broken = true;
                    return Err(unreadable(error.to_string()));
                }
            }
        }
    }

    async fn ask(&mut self, host: &str, step: Step, operation: &str) -> Result<String, Error> {
        if self.broken {
            let message = "an earlier message was cut off; connect again".to_owned();
            return Err(Error::Lost { host: host.to_owned(), step, message });
        }
        let id = self.next;
        self.next += 1;
        let message = format!("<rpc xmlns=\"{NAMESPACE}\" message-id=\"{id}\">{operation}</rpc>");
        self.broken = true;
        self.stream.send(step, self.framing.frame(&message)).await?;
        self.broken = false;
        loop {
            let reply = self.receive(host, step).await?;
            let unreadable = |message: String| Error::Unreadable {
                host: host.to_owned(),
                step,
                message: excerpt(&message),
            };
            let head = xml::head(&reply).map_err(unreadable)?;
            match (head.name, head.attribute("message-id").map(str::parse::<u64>)) {
                ("rpc-reply", Some(Ok(of))) if of == id => return Ok(reply),
                // The answer to something that took too long, or a message that nobody asked for.
                ("rpc-reply", Some(Ok(of))) if of < id => {}
                ("notification", _) => {}
                // Servers that could not read a message do not know its id.
                ("rpc-reply", None) => return Ok(reply),
                _ => return Err(unreadable("it belongs to no question".into())),
            }
        }
    }
}

fn subtree(filter: &str) -> String {
    format!("<filter type=\"subtree\">{filter}</filter>")
}

/// The capabilities and the session's id.
pub(crate) fn read_hello(text: &str) -> Result<(Vec<String>, Option<u64>), String> {
    // Some servers print a line for people before they begin.
    let text = text.find('<').map_or("", |at| &text[at..]);
    let root = xml::read(text)?;
    if root.name != "hello" {
        return Err("it does not begin with a hello".into());
    }
    let capabilities: Vec<String> = root
        .find(&["capabilities"])
        .map(|all| all.all("capability").map(|one| one.text().to_owned()).collect())
        .unwrap_or_default();
    if !capabilities.iter().any(|one| {
        one.starts_with("urn:ietf:params:netconf:base:1.")
            || one.starts_with("urn:ietf:params:xml:ns:netconf:base:1.")
    }) {
        return Err("it knows neither NETCONF 1.0 nor 1.1".into());
    }
    Ok((capabilities, root.text_of(&["session-id"]).and_then(|id| id.parse().ok())))
}
