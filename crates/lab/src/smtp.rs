//! A mail server (RFC 5321) that delivers to nobody: it remembers what it gets. It takes commands in their order only, lines
//! that end as they must, STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4616), and refuses what it is told to refuse.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::routers::eapi::acceptor;

/// Octets that a line may have (RFC 5321, section 4.5.3.1.6).
const LINE: usize = 1000;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    #[default]
    Plain,
    /// After STARTTLS; nothing else is taken before.
    StartTls,
    /// From the first octet.
    Tls,
}

/// What it wants and how it behaves.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How the connection is protected.
    pub security: Security,
    /// Certificate and key as PEM, for TLS.
    pub identity: Option<(String, String)>,
    /// User name and password that it wants.
    pub login: Option<(String, String)>,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The name in `EHLO`.
    pub hello: String,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers, an empty line, and the body, with dots as they were.
    pub text: String,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    tls: Option<Tls>,
    taken: Mutex<Vec<Taken>>,
    /// What it says to a message instead of taking it.
    refusal: Mutex<Option<String>>,
    delay: Mutex<Duration>,
}

#[derive(Clone)]
struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running stand-in on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// No port is free, or certificate and key cannot be read.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let tls = match &options.identity {
            Some((certificate, key)) => Some(Tls(acceptor(certificate.as_bytes(), key.as_bytes())?)),
            None => None,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            tls,
            taken: Mutex::default(),
            refusal: Mutex::default(),
            delay: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&served);
                // A connection that breaks off is the client's affair.
                tokio::spawn(async move { serve(&shared, stream).await });
            }
        });
        Ok(Self { address, shared, task })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it answers messages with this line, such as `451 try later`; `None`: it takes them.
    pub fn refuse(&self, reply: Option<&str>) {
        *lock(&self.shared.refusal) = reply.map(ToOwned::to_owned);
    }

    /// From now on it waits before it greets.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.shared.delay) = delay;
    }

    /// The messages that it has taken.
    pub fn taken(&self) -> Vec<Taken> {
        lock(&self.shared.taken).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    let delay = *lock(&shared.delay);
    tokio::time::sleep(delay).await;
    let tls = shared.tls.as_ref().map(|tls| &tls.0);
    match (shared.options.security, tls) {
        (Security::Tls, Some(tls)) => {
            let mut talk = Talk::new(shared, BufReader::new(tls.accept(stream).await?), true);
            talk.say("220 stand-in ESMTP").await?;
            talk.listen().await.map(drop)
        }
        (Security::StartTls, Some(tls)) => {
            let mut talk = Talk::new(shared, BufReader::new(stream), false);
            talk.say("220 stand-in ESMTP").await?;
            if talk.listen().await? {
                let stream = talk.stream.into_inner();
                let mut talk = Talk::new(shared, BufReader::new(tls.accept(stream).await?), true);
                talk.listen().await?;
            }
            Ok(())
        }
        _ => {
            let mut talk = Talk::new(shared, BufReader::new(stream), false);
            talk.say("220 stand-in ESMTP").await?;
            talk.listen().await.map(drop)
        }
    }
}

/// One connection, up to its end or to STARTTLS.
struct Talk<'a, S> {
    shared: &'a Shared,
    stream: S,
    encrypted: bool,
    hello: Option<String>,
    authenticated: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, BufReader<S>> {
    fn new(shared: &'a Shared, stream: BufReader<S>, encrypted: bool) -> Self {
        let authenticated = shared.options.login.is_none();
        Self { shared, stream, encrypted, hello: None, authenticated, from: None, to: Vec::new() }
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    /// A line without its end; `None` when the client is gone or sends what is no line.
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut octets = Vec::new();
        self.stream.read_until(b'\n', &mut octets).await?;
        let line = octets.strip_suffix(b"\r\n").filter(|line| line.len() <= LINE && !line.contains(&b'\r'));
        Ok(line.and_then(|line| String::from_utf8(line.to_vec()).ok()))
    }

    /// Talks until the client ends it. True: the client wants TLS now.
    async fn listen(&mut self) -> std::io::Result<bool> {
        let wants_tls = self.shared.options.security == Security::StartTls && !self.encrypted;
        while let Some(line) = self.line().await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            match verb.to_ascii_uppercase().as_str() {
                "QUIT" => {
                    self.say("221 bye").await?;
                    return Ok(false);
                }
                "EHLO" if !rest.is_empty() => {
                    self.hello = Some(rest.to_owned());
                    self.greet(wants_tls).await?;
                }
                "STARTTLS" if wants_tls && self.hello.is_some() => {
                    self.say("220 go ahead").await?;
                    return Ok(true);
                }
                _ if wants_tls => self.say("530 5.7.0 must issue a STARTTLS command first").await?,
                "AUTH" if self.hello.is_some() => self.authenticate(rest).await?,
                "MAIL" if self.hello.is_some() && self.authenticated && self.from.is_none() => {
                    self.from = path(rest, "FROM:");
                    self.taken(self.from.is_some()).await?;
                }
                "MAIL" if !self.authenticated => self.say("530 5.7.0 authentication required").await?,
                "RCPT" if self.from.is_some() => {
                    let to = path(rest, "TO:");
                    let known = to.is_some();
                    self.to.extend(to);
                    self.taken(known).await?;
                }
                "DATA" if !self.to.is_empty() => self.data().await?,
                "RSET" => {
                    (self.from, self.to) = (None, Vec::new());
                    self.say("250 ok").await?;
                }
                "NOOP" => self.say("250 ok").await?,
                _ => self.say("503 bad sequence of commands").await?,
            }
        }
        Ok(false)
    }

    async fn taken(&mut self, known: bool) -> std::io::Result<()> {
        self.say(if known { "250 ok" } else { "501 syntax error in parameters" }).await
    }

    async fn greet(&mut self, wants_tls: bool) -> std::io::Result<()> {
        let mut lines = vec!["stand-in", "8BITMIME"];
        if wants_tls {
            lines.push("STARTTLS");
        } else if self.shared.options.login.is_some() {
            lines.push("AUTH PLAIN");
        }
        for (place, line) in lines.iter().enumerate() {
            let more = if place + 1 < lines.len() { '-' } else { ' ' };
            self.say(&format!("250{more}{line}")).await?;
        }
        Ok(())
    }

    async fn authenticate(&mut self, rest: &str) -> std::io::Result<()> {
        let given = rest.strip_prefix("PLAIN ").unwrap_or_default();
        let wanted = self.shared.options.login.as_ref();
        self.authenticated =
            wanted.is_some_and(|(user, password)| given == base64(&format!("\0{user}\0{password}")));
        if self.authenticated {
            self.say("235 2.7.0 welcome").await
        } else {
            // As careless servers do, it repeats what it was given.
            self.say(&format!("535 5.7.8 authentication failed: {given}")).await
        }
    }

    async fn data(&mut self) -> std::io::Result<()> {
        self.say("354 end with a dot").await?;
        let mut text = String::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            if line == "." {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push('\n');
        }
        let refusal = lock(&self.shared.refusal).clone();
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if let Some(refusal) = refusal {
            return self.say(&refusal).await;
        }
        let hello = self.hello.clone().unwrap_or_default();
        lock(&self.shared.taken).push(Taken { hello, from, to, text, encrypted: self.encrypted });
        self.say("250 2.0.0 queued").await
    }
}

/// The address in `FROM:<address>`.
fn path(text: &str, before: &str) -> Option<String> {
    let (start, rest) = text.split_at_checked(before.len())?;
    let address = rest.strip_prefix('<')?.split_once('>')?.0;
    (start.eq_ignore_ascii_case(before) && address.contains('@')).then(|| address.to_owned())
}

/// RFC 4648.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut coded = String::new();
    for part in text.as_bytes().chunks(3) {
        let octet = |place: usize| usize::from(part.get(place).copied().unwrap_or_default());
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for place in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * place) & 63]);
            coded.push(if place <= part.len() { digit } else { '=' });
        }
    }
    coded
}
