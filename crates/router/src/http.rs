//! HTTPS to a router: one POST after the other over a connection that is kept.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::mask::excerpt;
use crate::target::Target;
use crate::{Error, Step};

/// A way to one address of a router's HTTP server.
pub(crate) struct Http {
    host: String,
    url: String,
    client: reqwest::Client,
    user: String,
    password: Option<SecretString>,
    largest: usize,
    connect: Duration,
}

impl Http {
    /// Nothing is sent yet. `transport` in the options may be `http`, for those who have no certificates.
    #[expect(
        clippy::disallowed_methods,
        reason = "routers' certificates are believed per router, not by a setting"
    )]
    pub fn new(target: &Target, path: &str) -> Result<Self, Error> {
        let plain = target.text("transport") == Some("http");
        let (scheme, port) = if plain { ("http", 80) } else { ("https", 443) };
        let endpoint = target.endpoint_or(port);
        let host = if endpoint.port == port {
            endpoint.host.clone()
        } else {
            format!("{} port {}", endpoint.host, endpoint.port)
        };
        let failed = |message: String| Error::Connect { host: host.clone(), message };
        if let Some(argument) = target.way.unheeded(false) {
            return Err(failed(format!(
                "the argument {argument} is for SSH, and this platform is asked over HTTPS"
            )));
        }
        // An error only means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(target.limits.connect)
            .tcp_nodelay(true)
            .local_address(target.way.source)
            .tls_danger_accept_invalid_certs(!target.tls.verify);
        if let Some(path) = &target.tls.authorities {
            let told =
                |error: &dyn std::fmt::Display| failed(format!("certificates {}: {error}", path.display()));
            let pem = std::fs::read(path).map_err(|error| told(&error))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| told(&error))?;
            if certificates.is_empty() {
                return Err(told(&"it holds no certificate in PEM form"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| failed(format!("no HTTP client: {error}")))?;
        let name =
            if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
        Ok(Self {
            url: format!("{scheme}://{name}:{}{path}", endpoint.port),
            host,
            client,
            user: target.credentials.user.clone(),
            password: target.credentials.password.clone(),
            largest: target.limits.answer,
            connect: target.limits.connect,
        })
    }

    /// The router's name in messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends JSON and gives back the answer's text, whatever its status but 200 an error.
    pub async fn post(
        &self,
        step: Step,
        limit: Duration,
        content: &str,
        body: String,
    ) -> Result<String, Error> {
        let password = self.password.as_ref().map(ExposeSecret::expose_secret);
        let request = self
            .client
            .post(&self.url)
            .basic_auth(&self.user, password)
            .header("content-type", content)
            .timeout(limit)
            .body(body);
        let mut answer = request.send().await.map_err(|error| self.wrong(step, limit, error))?;
        let status = answer.status();
        if status == 401 || status == 403 {
            let tried = format!("the password, over HTTP; it answered {status}");
            return Err(Error::Login { host: self.host.clone(), user: self.user.clone(), tried });
        }
        let mut octets = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.wrong(step, limit, error))? {
            if octets.len() + chunk.len() > self.largest {
                return Err(self.unreadable(step, format!("it is longer than {} octets", self.largest)));
            }
            octets.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(octets)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        if text.trim_start().starts_with('<') {
            return Err(self.unreadable(
                step,
                format!("status {status}, and HTML in place of JSON; is the API enabled?"),
            ));
        }
        // NX-API says what it refuses with a status of 400 or 500 and JSON.
        if !status.is_success() && !text.trim_start().starts_with(['{', '[']) {
            let message = format!("status {status}: {}; is the API enabled?", excerpt(&text));
            return Err(Error::Failed { host: self.host.clone(), step, message });
        }
        Ok(text)
    }

    pub fn unreadable(&self, step: Step, message: impl AsRef<str>) -> Error {
        Error::Unreadable { host: self.host.clone(), step, message: excerpt(message.as_ref()) }
    }

    fn wrong(&self, step: Step, limit: Duration, error: reqwest::Error) -> Error {
        let host = self.host.clone();
        match (error.is_timeout(), error.is_connect()) {
            (true, true) => {
                return Error::Timeout { host, step: Step::Connect, limit: self.connect.min(limit) };
            }
            (true, false) => return Error::Timeout { host, step, limit },
            (false, true) => {
                let mut message = causes(&error.without_url());
                if message.contains("invalid peer certificate") {
                    message.push_str(
                        "; name a file with it or its authority in the argument ca_file (--ca), or set ssl_verify to false \
                         (--insecure-tls)",
                    );
                }
                return Error::Connect { host, message };
            }
            (false, false) => {}
        }
        Error::Lost { host, step, message: causes(&error.without_url()) }
    }
}

/// The error and what it stems from.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let one_text = one.to_string();
        if !text.contains(&one_text) {
            text.push_str(": ");
            text.push_str(&one_text);
        }
        cause = one.source();
    }
    text
}
