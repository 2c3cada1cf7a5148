//! One e-mail over SMTP (RFC 5321), in plain text.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Built};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Identity, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

use crate::text::start;

/// Characters of what the server said that are given back.
const ANSWER: usize = 500;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// With STARTTLS, and not without it.
    StartTls,
    /// From the first octet.
    Tls,
}

/// The server that takes messages.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User name and password.
    pub login: Option<(String, SecretString)>,
    /// How long all of it may take.
    pub timeout: Duration,
    /// PEM files of authorities that are trusted beside the usual ones.
    pub authorities: Vec<Vec<u8>>,
    /// Certificate and key of ours, as PEM files.
    pub identity: Option<(Vec<u8>, SecretString)>,
}

/// A message to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender, as an address or as `Name <address>`.
    pub from: String,
    /// The address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The body.
    pub body: String,
    /// What tells it from others; the same each time that it is sent.
    pub id: String,
    /// When it was written.
    pub time: DateTime<Utc>,
}

/// Why a message was not taken. Holds no password.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The message cannot be written.
    #[error("{what} {text:?} is no e-mail address")]
    Address {
        /// Whose address it is.
        what: &'static str,
        /// The address.
        text: String,
    },
    /// The message or the connection cannot be made as the settings say.
    #[error("the e-mail cannot be sent: {0}")]
    Setup(String),
    /// It took too long.
    #[error("the mail server {server} did not take the message within {seconds} s")]
    TimedOut {
        /// Host and port.
        server: String,
        /// How long it may take.
        seconds: u64,
    },
    /// The server did not take it.
    #[error("the mail server {server} did not take the message: {reason}")]
    Refused {
        /// Host and port.
        server: String,
        /// SMTP status, if it gave one.
        code: Option<u16>,
        /// What it said, or what went wrong.
        reason: String,
    },
}

/// Tells programs that answer messages to leave this one alone (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Hands a message to the server and gives what it said.
///
/// # Errors
/// [`MailError`].
pub async fn send(server: &Server, message: &Message) -> Result<String, MailError> {
    // An error only means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let from = mailbox("the sender", &message.from)?;
    let domain = from.email.domain().to_owned();
    let built = built(message, from)?;
    let transport = transport(server, domain)?;
    let name = format!("{}:{}", server.host, server.port);
    let secrets = secrets(server);
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    match tokio::time::timeout(server.timeout, transport.send(built)).await {
        Ok(Ok(response)) => Ok(start(
            &format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" ")),
            &secrets,
            ANSWER,
        )),
        Ok(Err(error)) => Err(MailError::Refused {
            server: name,
            code: error.status().map(u16::from),
            reason: start(&error.to_string(), &secrets, ANSWER),
        }),
        Err(_) => Err(MailError::TimedOut { server: name, seconds: server.timeout.as_secs() }),
    }
}

fn mailbox(what: &'static str, text: &str) -> Result<Mailbox, MailError> {
    text.parse().map_err(|_| MailError::Address { what, text: text.to_owned() })
}

fn built(message: &Message, from: Mailbox) -> Result<Built, MailError> {
    let to = mailbox("the recipient", &message.to)?;
    let id = format!("<{}@{}>", message.id, from.email.domain());
    // A line break would begin another header.
    let subject = message.subject.split_whitespace().collect::<Vec<_>>().join(" ");
    Built::builder()
        .from(from)
        .to(to)
        .subject(subject)
        .date(SystemTime::from(message.time))
        .message_id(Some(id))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(message.body.clone())
        .map_err(|error| MailError::Setup(error.to_string()))
}

fn transport(server: &Server, hello: String) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let tls = match server.security {
        Security::Plain => Tls::None,
        Security::StartTls => Tls::Required(parameters(server)?),
        Security::Tls => Tls::Wrapper(parameters(server)?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.as_str())
        .port(server.port)
        .timeout(Some(server.timeout))
        .hello_name(ClientId::Domain(hello))
        .tls(tls);
    if let Some((user, password)) = &server.login {
        let password = password.expose_secret().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

fn parameters(server: &Server) -> Result<TlsParameters, MailError> {
    let setup = |what: &str| MailError::Setup(what.to_owned());
    let mut builder = TlsParameters::builder(server.host.clone());
    for pem in &server.authorities {
        let certificate =
            Certificate::from_pem(pem).map_err(|_| setup("ca_file holds no certificate in PEM form"))?;
        builder = builder.add_root_certificate(certificate);
    }
    if let Some((certificate, key)) = &server.identity {
        let identity = Identity::from_pem(certificate, key.expose_secret().as_bytes());
        builder = builder.identify_with(identity.map_err(|_| {
            setup(
                "email.ssl_certfile and email.ssl_keyfile do not hold a certificate and its key in PEM form",
            )
        })?);
    }
    builder.build_rustls().map_err(|error| MailError::Setup(error.to_string()))
}

/// The password, and the forms in which it goes over the wire.
fn secrets(server: &Server) -> Vec<String> {
    use lettre::transport::smtp::authentication::Mechanism;
    let Some((user, password)) = &server.login else { return Vec::new() };
    let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
    let plain = Mechanism::Plain.response(&credentials, None).unwrap_or_default();
    let mut secrets = vec![password.expose_secret().to_owned(), plain];
    secrets.extend([STANDARD.encode(&secrets[0]), STANDARD.encode(&secrets[1])]);
    secrets
}
