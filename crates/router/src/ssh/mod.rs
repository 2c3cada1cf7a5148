//! SSH: one connection, any number of channels at the same time.

mod host_keys;
mod login;
mod stream;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, Handle};
use russh::{Channel, ChannelMsg, Disconnect, Preferred};
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use host_keys::HostKeys;

use crate::{Error, Step};
use host_keys::{Problem, Verifier};
pub(crate) use stream::{Service, Stream};

/// Where a router is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name or address.
    pub host: String,
    /// The port, 22 as a rule.
    pub port: u16,
}

impl Endpoint {
    fn name(&self) -> String {
        if self.port == 22 { self.host.clone() } else { format!("{} port {}", self.host, self.port) }
    }
}

/// A private key.
#[derive(Clone)]
pub struct Key {
    /// The text of the key file, in OpenSSH's, PKCS#8 or PKCS#1 form.
    pub text: SecretString,
    /// What it is encrypted with, if it is.
    pub passphrase: Option<SecretString>,
}

/// Who logs in, and with what. Tried in this order: agent, keys, password (asked for plainly, then interactively).
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The socket of an SSH agent.
    pub agent: Option<std::path::PathBuf>,
    /// Private keys.
    pub keys: Vec<Key>,
    /// The password.
    pub password: Option<SecretString>,
}

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the TCP connection and the key exchange.
    pub connect: Duration,
    /// For logging in.
    pub login: Duration,
    /// For reading something.
    pub read: Duration,
    /// For checking, committing, confirming or undoing.
    pub change: Duration,
    /// Octets that one answer may have.
    pub answer: usize,
    /// Silence after which the router is asked whether it is there; after three times that, the connection is given up.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            login: Duration::from_secs(15),
            read: Duration::from_mins(1),
            change: Duration::from_mins(3),
            answer: 256 << 20,
            keep_alive: Duration::from_secs(15),
        }
    }
}

/// What a command gave back.
pub(crate) struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: Option<u32>,
}

/// What one step may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub step: Step,
    pub time: Duration,
    /// Another command follows: its channel is opened while this one runs, which saves a round trip.
    pub more: bool,
}

/// Channels at the same time on one connection: OpenSSH's `MaxSessions` is 10 unless set.
const CHANNELS: usize = 8;

/// A connection over SSH.
pub struct Ssh {
    host: String,
    handle: Handle<Verifier>,
    channels: Semaphore,
    /// A channel that was opened while the step before ran, which saves a round trip.
    spare: Mutex<Option<Channel<client::Msg>>>,
    limits: Limits,
}

impl Ssh {
    /// Connects, verifies the host key, logs in.
    pub async fn connect(
        endpoint: &Endpoint,
        credentials: &Credentials,
        host_keys: &HostKeys,
        limits: Limits,
    ) -> Result<Self, Error> {
        let host = endpoint.name();
        let within = |step, limit| move |_| Error::Timeout { host: endpoint.name(), step, limit };
        let mut handle = timeout(limits.connect, exchange_keys(endpoint, host_keys, limits))
            .await
            .map_err(within(Step::Connect, limits.connect))??;
        timeout(limits.login, login::login(&mut handle, &host, credentials))
            .await
            .map_err(within(Step::Login, limits.login))??;
        Ok(Self { host, handle, channels: Semaphore::new(CHANNELS), spare: Mutex::new(None), limits })
    }

    /// The router's name in messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The limits that were given.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Says goodbye.
    pub async fn close(&self) {
        let farewell = self.handle.disconnect(Disconnect::ByApplication, "", "");
        let _ = timeout(Duration::from_secs(1), farewell).await;
    }

    /// Runs a command without a terminal and waits for its end, or for its output to end with `until`: what follows that
    /// would be one more round trip, because servers hold back a small packet until the one before has arrived. The exit
    /// status is given back, not judged.
    pub(crate) async fn run(
        &self,
        bounds: Bounds,
        command: &str,
        input: &[u8],
        until: &[u8],
    ) -> Result<Output, Error> {
        timeout(bounds.time, self.run_unbounded(bounds, command, input, until))
            .await
            .map_err(|_| Error::Timeout { host: self.host.clone(), step: bounds.step, limit: bounds.time })?
    }

    async fn run_unbounded(
        &self,
        Bounds { step, more, .. }: Bounds,
        command: &str,
        input: &[u8],
        until: &[u8],
    ) -> Result<Output, Error> {
        let lost = |message: String| Error::Lost { host: self.host.clone(), step, message };
        let _permit = self.channels.acquire().await.map_err(|_| lost("closed".into()))?;
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let channel = match spare {
            Some(channel) => channel,
            None => self.handle.channel_open_session().await.map_err(|error| lost(error.to_string()))?,
        };
        let (mut answers, questions) = channel.split();
        questions.exec(false, command).await.map_err(|error| lost(error.to_string()))?;
        let send = async {
            if !input.is_empty() {
                questions.data(input).await?;
            }
            questions.eof().await
        };
        let receive = async {
            let mut output = Output { stdout: Vec::new(), stderr: Vec::new(), status: None };
            let mut ended = false;
            while let Some(message) = answers.wait().await {
                match message {
                    ChannelMsg::Data { data } => {
                        output.stdout.extend_from_slice(&data);
                        if output.stdout.ends_with(until) {
                            ended = true;
                            break;
                        }
                    }
                    ChannelMsg::ExtendedData { data, .. } => output.stderr.extend_from_slice(&data),
                    ChannelMsg::ExitStatus { exit_status } => output.status = Some(exit_status),
                    ChannelMsg::Failure => {
                        return Err(lost("the router runs no commands for this user".into()));
                    }
                    ChannelMsg::ExitSignal { .. } | ChannelMsg::Eof => ended = true,
                    ChannelMsg::Close => {
                        ended = true;
                        break;
                    }
                    _ => {}
                }
                if output.stdout.len() + output.stderr.len() > self.limits.answer {
                    return Err(Error::Unreadable {
                        host: self.host.clone(),
                        step,
                        message: format!("it is longer than {} octets", self.limits.answer),
                    });
                }
            }
            if ended || output.status.is_some() {
                Ok(output)
            } else {
                Err(lost("closed by the router".into()))
            }
        };
        // A command that ends without reading its input is no failure: its answer tells.
        let (_sent, output, ()) = tokio::join!(send, receive, self.prepare(more));
        output
    }
}

impl Ssh {
    async fn prepare(&self, more: bool) {
        if more && let Ok(channel) = self.handle.channel_open_session().await {
            *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
        }
    }
}

async fn exchange_keys(
    endpoint: &Endpoint,
    host_keys: &HostKeys,
    limits: Limits,
) -> Result<Handle<Verifier>, Error> {
    let failed = |message: String| Error::Connect { host: endpoint.name(), message };
    let verifier = Verifier::new(host_keys, &endpoint.host, endpoint.port)
        .await
        .map_err(|message| Error::HostKey { host: endpoint.name(), message })?;
    let mut preferred = Preferred::default();
    preferred.key = verifier.algorithms(&preferred.key).into();
    let config = client::Config {
        preferred,
        keepalive_interval: Some(limits.keep_alive),
        keepalive_max: 3,
        ..client::Config::default()
    };
    let socket = open_socket(endpoint).await.map_err(|error| failed(error.to_string()))?;
    client::connect_stream(Arc::new(config), socket, verifier).await.map_err(|problem| match problem {
        Problem::HostKey(message) => Error::HostKey { host: endpoint.name(), message },
        Problem::Ssh(error) => failed(error.to_string()),
    })
}

/// All addresses of the host, one after another.
async fn open_socket(endpoint: &Endpoint) -> std::io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await?.collect();
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => {
                // Requests are small: waiting until they fill a segment costs 40 ms each.
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
