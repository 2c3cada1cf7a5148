//! One HTTP request to a webhook's receiver.
//!
//! No redirect is followed. The address is checked before the connection is made, and the connection goes to that very
//! address: what a name resolves to a moment later does not matter. Of the answer only the start is read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Proxy};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::target::{Refused, Targets};
use crate::text::{innermost, start};

/// The header with the signature of the body: HMAC with SHA-512, in hexadecimal.
pub const SIGNATURE: &str = "x-hook-signature";
/// The header with what tells one delivery from others; the same each time that it is sent.
pub const DELIVERY: &str = "x-hook-delivery";

/// Headers that nobody else may set: they say how the message is put together, or are ours.
const OURS: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", SIGNATURE, DELIVERY];
/// Octets of a part of an address that may be a secret.
const TELLING: usize = 8;
/// Characters of an answer that are given back.
const ANSWER: usize = 500;

/// What to send, and where to.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// `http` or `https`.
    pub url: SecretString,
    /// Media type of the body.
    pub content_type: String,
    /// Further headers. Their values are never told.
    pub headers: Vec<(String, SecretString)>,
    /// The body.
    pub body: Vec<u8>,
    /// Signs the body, if there is one.
    pub secret: Option<SecretString>,
    /// What tells this delivery from others.
    pub delivery: String,
}

/// How to send it.
#[derive(Clone)]
pub struct Options {
    /// `User-Agent`.
    pub user_agent: String,
    /// Scheme and URL of proxies.
    pub proxies: Vec<(String, SecretString)>,
    /// PEM files of authorities that are trusted beside the usual ones.
    pub authorities: Vec<Vec<u8>>,
    /// Whether the certificate is verified.
    pub verify: bool,
    /// Which addresses may be used.
    pub targets: Targets,
    /// How long all of it may take.
    pub timeout: Duration,
    /// Octets of the answer that are read.
    pub answer_limit: usize,
    /// What names stand for.
    pub names: Arc<dyn Names>,
}

/// Finds the addresses of names.
pub trait Names: Send + Sync {
    /// All addresses of a name.
    fn look_up(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// As the operating system does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What the receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Start of the body, in one line, without what was secret in the request.
    pub start: String,
}

impl Answer {
    /// Whether the receiver took it: any status from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer. Holds no secret, and of the URL only scheme, host and port.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The URL is none.
    #[error("the payload URL is no address of the form https://host/path, without user and password")]
    Url,
    /// The URL leads where webhooks may not go.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A header that cannot be sent.
    #[error("the header {0:?} cannot be set")]
    Header(String),
    /// Proxy, certificate or method cannot be used.
    #[error("the request cannot be made: {0}")]
    Setup(String),
    /// It took too long.
    #[error("{origin} did not answer within {seconds} s")]
    TimedOut {
        /// Scheme, host and port.
        origin: String,
        /// How long it may take.
        seconds: u64,
    },
    /// The receiver could not be reached, or broke off.
    #[error("{origin} could not be reached: {reason}")]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// Why.
        reason: String,
    },
}

/// Sends a request and gives the answer, whatever its status.
///
/// # Errors
/// [`WebhookError`].
pub async fn send(request: &Request, options: &Options) -> Result<Answer, WebhookError> {
    let url = parse(request.url.expose_secret())?;
    let origin = url.origin().ascii_serialization();
    let work = async {
        let proxied = options.proxies.iter().any(|(scheme, _)| scheme == url.scheme());
        check_host(&url, options, proxied).await?;
        let client = client(options, proxied)?;
        let signature = request.secret.as_ref().map(|secret| sign(secret, &request.body));
        let headers = headers(request, signature.as_deref())?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| WebhookError::Setup(format!("{:?} is no method", request.method)))?;
        let sent = client.request(method, url.clone()).headers(headers).body(request.body.clone()).send();
        let mut response = sent.await.map_err(|error| unreachable(&origin, error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // What breaks off after the status is no failure: the receiver has decided by then.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= options.answer_limit {
                body.truncate(options.answer_limit);
                break;
            }
        }
        let text = String::from_utf8_lossy(&body);
        Ok(Answer { status, start: start(&text, &secrets(request, &url, signature.as_deref()), ANSWER) })
    };
    match tokio::time::timeout(options.timeout, work).await {
        Ok(ended) => ended,
        Err(_) => Err(WebhookError::TimedOut { origin: origin.clone(), seconds: options.timeout.as_secs() }),
    }
}

fn parse(text: &str) -> Result<Url, WebhookError> {
    let url = Url::parse(text.trim()).map_err(|_| WebhookError::Url)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && url.has_host() && ["http", "https"].contains(&url.scheme()) {
        Ok(url)
    } else {
        Err(WebhookError::Url)
    }
}

/// Addresses in the URL are checked here, names when they are looked up for the connection. Behind a proxy it is the proxy
/// that looks names up; what they stand for here is checked all the same, as far as they are known here.
async fn check_host(url: &Url, options: &Options, proxied: bool) -> Result<(), WebhookError> {
    match url.host() {
        Some(Host::Ipv4(address)) => {
            options.targets.check(&address.to_string(), IpAddr::V4(address))?;
        }
        Some(Host::Ipv6(address)) => {
            options.targets.check(&address.to_string(), IpAddr::V6(address))?;
        }
        Some(Host::Domain(name)) if proxied => {
            for address in options.names.look_up(name).await.unwrap_or_default() {
                options.targets.check(name, address)?;
            }
        }
        Some(Host::Domain(_)) => {}
        None => return Err(WebhookError::Url),
    }
    Ok(())
}

/// Looks names up for connections, and gives none of the addresses if one of them may not be used.
struct Checked {
    names: Arc<dyn Names>,
    targets: Targets,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, targets) = (self.names.look_up(name.as_str()), self.targets.clone());
        Box::pin(async move {
            let found = found.await?;
            for address in &found {
                targets.check(name.as_str(), *address)?;
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "unlike others it goes to addresses that were checked, and trusts by webhook"
)]
fn client(options: &Options, proxied: bool) -> Result<Client, WebhookError> {
    // An error only means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // `no_proxy` also keeps those of the environment out.
    let mut builder = Client::builder()
        .user_agent(&options.user_agent)
        .redirect(Policy::none())
        .referer(false)
        .timeout(options.timeout)
        .pool_max_idle_per_host(0)
        .tls_danger_accept_invalid_certs(!options.verify)
        .no_proxy();
    if proxied {
        for (scheme, url) in &options.proxies {
            // The error may hold the URL and with it a password.
            let proxy = match scheme.as_str() {
                "http" => Proxy::http(url.expose_secret()),
                _ => Proxy::https(url.expose_secret()),
            };
            let proxy = proxy.map_err(|_| {
                WebhookError::Setup(format!("the URL of the proxy for {scheme} cannot be used"))
            })?;
            builder = builder.proxy(proxy);
        }
    } else {
        let checked = Checked { names: Arc::clone(&options.names), targets: options.targets.clone() };
        builder = builder.dns_resolver(Arc::new(checked));
    }
    for pem in &options.authorities {
        let certificates = Certificate::from_pem_bundle(pem)
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| WebhookError::Setup("a CA file holds no certificate in PEM form".to_owned()))?;
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| WebhookError::Setup(innermost(&error)))
}

fn headers(request: &Request, signature: Option<&str>) -> Result<HeaderMap, WebhookError> {
    let mut headers = HeaderMap::new();
    let bad = |name: &str| WebhookError::Header(name.to_owned());
    let value = |name: &str, text: &str| HeaderValue::from_str(text).map_err(|_| bad(name));
    headers.insert(CONTENT_TYPE, value("Content-Type", &request.content_type)?);
    for (name, text) in &request.headers {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
        if OURS.contains(&known.as_str()) {
            return Err(bad(name));
        }
        let mut value = value(name, text.expose_secret())?;
        value.set_sensitive(true);
        headers.insert(known, value);
    }
    headers.insert(DELIVERY, value(DELIVERY, &request.delivery)?);
    if let Some(signature) = signature {
        headers.insert(SIGNATURE, value(SIGNATURE, signature)?);
    }
    Ok(headers)
}

/// HMAC with SHA-512 of the body, in hexadecimal.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    use std::fmt::Write as _;
    let key = hmac::Key::new(hmac::HMAC_SHA512, secret.expose_secret().as_bytes());
    hmac::sign(&key, body).as_ref().iter().fold(String::with_capacity(128), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// What the answer may not repeat.
fn secrets<'a>(request: &'a Request, url: &'a Url, signature: Option<&'a str>) -> Vec<&'a str> {
    let mut secrets: Vec<&str> = request.headers.iter().map(|(_, value)| value.expose_secret()).collect();
    secrets.extend(request.headers.iter().flat_map(|(_, value)| value.expose_secret().split_whitespace()));
    secrets.extend(request.secret.as_ref().map(ExposeSecret::expose_secret));
    secrets.extend(signature);
    secrets.extend([request.url.expose_secret(), url.as_str(), url.path()]);
    secrets.extend(url.query());
    // Parts of the address that are long enough to be what gives access to it.
    let parts = url.path().split('/').chain(url.query().unwrap_or_default().split(['&', '=']));
    secrets.extend(parts.filter(|part| part.len() >= TELLING));
    secrets
}

fn unreachable(origin: &str, error: reqwest::Error) -> WebhookError {
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return WebhookError::Refused(refused.clone());
        }
        cause = inner.source();
    }
    WebhookError::Unreachable { origin: origin.to_owned(), reason: innermost(&error) }
}
