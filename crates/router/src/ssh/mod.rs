//! SSH: one connection, any number of channels at the same time.

mod algorithms;
mod host_keys;
mod login;
mod stream;
mod way;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, Handle};
use russh::{Channel, ChannelMsg, ChannelWriteHalf, Disconnect};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use host_keys::HostKeys;
pub(crate) use way::text;
pub use way::{Jump, Way};

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
    /// The connection that this one goes through.
    jump: Option<Handle<Verifier>>,
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
        Self::connect_by(&Way::default(), endpoint, credentials, host_keys, limits).await
    }

    /// As [`Ssh::connect`], by a way of its own. A jump host gets the time of a router for itself; its host key is verified
    /// before it is shown any credential.
    pub async fn connect_by(
        way: &Way,
        endpoint: &Endpoint,
        credentials: &Credentials,
        host_keys: &HostKeys,
        limits: Limits,
    ) -> Result<Self, Error> {
        let name = endpoint.name();
        let router =
            Side { name: name.clone(), endpoint, credentials, host_keys, legacy: way.legacy_algorithms };
        let (handle, jump) = match &way.jump {
            None => (router.enter(limits, router.dial(way.source)).await?, None),
            Some(jump) => {
                let Jump { endpoint: at, credentials, host_keys } = jump;
                let own_name = format!("{} (the jump host of {name})", at.name());
                let through = Side { name: own_name, endpoint: at, credentials, host_keys, legacy: false };
                let jump = through.enter(limits, through.dial(way.source)).await?;
                let onward = async {
                    let port = u32::from(endpoint.port);
                    let channel =
                        jump.channel_open_direct_tcpip(endpoint.host.as_str(), port, "127.0.0.1", 0);
                    let channel = channel.await.map_err(|error| {
                        router.failed(format!("the jump host {} does not get there: {error}", at.name()))
                    })?;
                    Ok(channel.into_stream())
                };
                (router.enter(limits, onward).await?, Some(jump))
            }
        };
        let channels = Semaphore::new(CHANNELS);
        Ok(Self { host: name, handle, jump, channels, spare: Mutex::new(None), limits })
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
        for handle in std::iter::once(&self.handle).chain(&self.jump) {
            let farewell = handle.disconnect(Disconnect::ByApplication, "", "");
            let _ = timeout(Duration::from_secs(1), farewell).await;
        }
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
            None => self.open_channel().await.map_err(|error| lost(error.to_string()))?,
        };
        let (mut answers, half) = channel.split();
        let mut asking = Asking { half: Arc::new(half), is_open: true };
        let questions = &asking.half;
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
        asking.is_open = output.is_err();
        output
    }
}

/// A channel over which something is asked. One that is only dropped, as after a time-out, stays open on the router, which allows
/// few.
struct Asking {
    half: Arc<ChannelWriteHalf<client::Msg>>,
    is_open: bool,
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let (true, Ok(runtime)) = (self.is_open, tokio::runtime::Handle::try_current()) {
            let half = Arc::clone(&self.half);
            runtime.spawn(async move { half.close().await });
        }
    }
}

impl Ssh {
    /// One that has given its answer counts until its process has ended, so that the router may have none left for a moment.
    async fn open_channel(&self) -> Result<Channel<client::Msg>, russh::Error> {
        let mut tries = 40;
        loop {
            match self.handle.channel_open_session().await {
                Err(russh::Error::ChannelOpenFailure(_)) if tries > 0 => tries -= 1,
                opened => return opened,
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn prepare(&self, more: bool) {
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if !more || spare().is_some() {
            return;
        }
        let Ok(channel) = self.handle.channel_open_session().await else { return };
        // Another command may have been quicker. A channel that is only dropped stays open on the router, which allows few.
        let channel = {
            let mut spare = spare();
            if spare.is_none() {
                *spare = Some(channel);
                return;
            }
            channel
        };
        let _ = channel.close().await;
    }
}

/// A server to log in to.
struct Side<'a> {
    /// Its name in messages.
    name: String,
    endpoint: &'a Endpoint,
    credentials: &'a Credentials,
    host_keys: &'a HostKeys,
    legacy: bool,
}

impl Side<'_> {
    fn failed(&self, message: String) -> Error {
        Error::Connect { host: self.name.clone(), message }
    }

    /// Key exchange and login, over what the future brings.
    async fn enter<S>(
        &self,
        limits: Limits,
        transport: impl Future<Output = Result<S, Error>>,
    ) -> Result<Handle<Verifier>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let within = |step, limit| move |_| Error::Timeout { host: self.name.clone(), step, limit };
        let exchange = async { self.exchange_keys(transport.await?, limits).await };
        let mut handle =
            timeout(limits.connect, exchange).await.map_err(within(Step::Connect, limits.connect))??;
        timeout(limits.login, login::login(&mut handle, &self.name, self.credentials, self.legacy))
            .await
            .map_err(within(Step::Login, limits.login))??;
        Ok(handle)
    }

    async fn exchange_keys<S>(&self, transport: S, limits: Limits) -> Result<Handle<Verifier>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let wrong_key = |message| Error::HostKey { host: self.name.clone(), message };
        let verifier = Verifier::new(self.host_keys, self.endpoint, self.name.clone());
        let verifier = verifier.await.map_err(wrong_key)?;
        let mut preferred = algorithms::preferred(self.legacy);
        preferred.key = verifier.algorithms(&preferred.key).into();
        let config = client::Config {
            preferred,
            keepalive_interval: Some(limits.keep_alive),
            keepalive_max: 3,
            ..client::Config::default()
        };
        client::connect_stream(Arc::new(config), transport, verifier).await.map_err(|problem| match problem {
            Problem::HostKey(message) => wrong_key(message),
            Problem::Ssh(error) => self.failed(algorithms::explain(&error)),
        })
    }

    /// The first address of the host that takes the connection; with an address to come from, those of its kind count.
    async fn dial(&self, source: Option<IpAddr>) -> Result<TcpStream, Error> {
        let Endpoint { host, port } = self.endpoint;
        let all = tokio::net::lookup_host((host.as_str(), *port)).await;
        let all: Vec<SocketAddr> = all.map_err(|error| self.failed(error.to_string()))?.collect();
        let mut last = match source {
            Some(source) if !all.is_empty() => format!("it has no address that {source} can talk to"),
            _ => "the name has no address".to_owned(),
        };
        let fitting = all
            .into_iter()
            .filter(|address| source.is_none_or(|source| source.is_ipv4() == address.is_ipv4()));
        first_of(fitting, |address| dial_from(source, address)).await.map_err(|error| {
            if let Some(error) = error {
                last = error;
            }
            self.failed(last)
        })
    }
}

/// How long an address has the way for itself before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// What the first of these gives that gives something. One that says nothing does not hold up the others, which would take
/// their time from them. The error is the last one's; `None` if there is nobody to ask.
async fn first_of<T, F>(
    addresses: impl Iterator<Item = SocketAddr>,
    dial: impl Fn(SocketAddr) -> F,
) -> Result<T, Option<String>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let mut addresses = addresses.peekable();
    let mut attempts = JoinSet::new();
    let mut last = None;
    loop {
        if let Some(address) = addresses.next() {
            attempts.spawn(dial(address));
        }
        let head_start = async {
            match addresses.peek() {
                Some(_) => sleep(HEAD_START).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = attempts.join_next() => match done {
                Some(Ok(Ok(found))) => return Ok(found),
                Some(Ok(Err(error))) => last = Some(error),
                Some(Err(_)) => {}
                None => return Err(last),
            },
            () = head_start => {}
        }
    }
}

async fn dial_from(source: Option<IpAddr>, to: SocketAddr) -> Result<TcpStream, String> {
    let told = |error: std::io::Error| error.to_string();
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(told)?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0)).map_err(|error| {
            format!("{source}, from which to connect, is not an address of this machine: {error}")
        })?;
    }
    // Requests are small: waiting until they fill a segment costs 40 ms each.
    socket.set_nodelay(true).map_err(told)?;
    socket.connect(to).await.map_err(told)
}

#[cfg(test)]
mod tests;
