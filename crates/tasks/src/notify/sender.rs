//! One attempt to deliver one message.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pm_config::Config;
use pm_notify::mail::{self, Security, Server};
use pm_notify::target::Targets;
use pm_notify::webhook::{self, Names, Options, Request};
use pm_store::notifications::Delivery;
use pm_store::objects::conditions;
use pm_store::objects::data::Data;
use pm_store::objects::models::{notification_rule, webhook as described};
use pm_store::objects::query::Query;
use pm_store::objects::record::Record;
use pm_store::objects::secrets::{Keyring, SecretError};
use pm_store::{Store, changes, events, jobs};
use secrecy::{ExposeSecret as _, SecretString};

use super::context::{self, Context};
use super::message::{self, Text};
use super::render::render;

/// Octets of an answer that are read.
const ANSWER: usize = 64 << 10;
/// Largest file with certificates that is read, in octets.
const PEM: u64 = 4 << 20;

/// All that sending takes.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) store: Store,
    pub(super) config: Arc<Config>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) names: Arc<dyn Names>,
    pub(super) now: DateTime<Utc>,
}

/// What came of an attempt. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver took it.
    Sent { status: Option<u16>, answer: String },
    /// Nobody is to be told after all.
    Skipped(String),
    /// It did not arrive.
    Failed { status: Option<u16>, answer: Option<String>, error: String },
}

impl Outcome {
    fn failed(error: String) -> Self {
        Self::Failed { status: None, answer: None, error }
    }
}

impl Sender {
    /// Delivers a message.
    pub(super) async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let done =
            if delivery.is_mail() { self.by_mail(delivery).await } else { self.by_webhook(delivery).await };
        done.unwrap_or_else(Outcome::failed)
    }

    async fn by_mail(&self, delivery: &Delivery) -> Result<Outcome, String> {
        let mut connection = self.store.connection().await.map_err(told)?;
        let mut session = connection.session();
        let event = match delivery.event {
            Some(id) => events::get(&mut session, id).await.map_err(told)?,
            None => None,
        };
        let Some(event) = event else {
            return Ok(Outcome::Skipped("what it was about has been cleared away".to_owned()));
        };
        let query = Query::of(&notification_rule::MODEL).ids(delivery.rule.into_iter().collect());
        let rule = query.list(&mut session).await.map_err(told)?.pop();
        drop(connection);
        let job = self.job(event.job).await?;
        let prefix = self.config.email_subject_prefix.as_deref();
        let rule = rule.as_ref().map(|rule| rule.text("name"));
        let text = message::of_event(&event, job.as_ref(), delivery, prefix, rule);
        self.mail(&delivery.recipient, text, &delivery.delivery_id).await
    }

    async fn job(&self, id: Option<i64>) -> Result<Option<jobs::Job>, String> {
        match id {
            Some(id) => jobs::get(&self.store, id).await.map_err(told),
            None => Ok(None),
        }
    }

    /// Sends an e-mail.
    pub(super) async fn mail(&self, to: &str, text: Text, id: &str) -> Result<Outcome, String> {
        let config = &self.config;
        let from = config.email_from_address.clone();
        let from = from.ok_or("there is no email.from_address in the settings, so no e-mail can be sent")?;
        let server = server(config).await?;
        let message = mail::Message {
            from,
            to: to.to_owned(),
            subject: text.subject,
            body: text.body,
            id: id.to_owned(),
            time: self.now,
        };
        Ok(match mail::send(&server, &message).await {
            Ok(answer) => Outcome::Sent { status: None, answer },
            Err(error) => Outcome::failed(error.to_string()),
        })
    }

    async fn by_webhook(&self, delivery: &Delivery) -> Result<Outcome, String> {
        let mut connection = self.store.connection().await.map_err(told)?;
        let mut session = connection.session();
        let query = Query::of(&described::MODEL).ids(delivery.webhook.into_iter().collect());
        let Some(webhook) = query.list(&mut session).await.map_err(told)?.pop() else {
            return Ok(Outcome::Skipped("the webhook is gone".to_owned()));
        };
        if !webhook.boolean("enabled") {
            return Ok(Outcome::Skipped("the webhook is disabled".to_owned()));
        }
        let context = if let Some(id) = delivery.change {
            let Some(change) = changes::get(&mut session, id).await.map_err(told)? else {
                return Ok(Outcome::Skipped("the change log does not have the change any more".to_owned()));
            };
            let context = context::of_change(&mut session, &change).await.map_err(told)?;
            if let Some(set) = webhook.json("conditions")
                && !conditions::parse(set)?.holds(&context["data"])
            {
                return Ok(Outcome::Skipped("the conditions of the webhook do not hold".to_owned()));
            }
            drop(connection);
            context
        } else {
            let event = match delivery.event {
                Some(id) => events::get(&mut session, id).await.map_err(told)?,
                None => None,
            };
            let Some(event) = event else {
                return Ok(Outcome::Skipped("what it was about has been cleared away".to_owned()));
            };
            // Whoever holds one connection and waits for another may wait for ever.
            drop(connection);
            let job = self.job(event.job).await?;
            context::of_event(&event, job.as_ref(), delivery)
        };
        self.webhook(&webhook, context, &delivery.delivery_id).await
    }

    /// Sends a request to a webhook.
    pub(super) async fn webhook(
        &self,
        webhook: &Record,
        context: Context,
        id: &str,
    ) -> Result<Outcome, String> {
        let secret = webhook.secret("secret", &self.keyring).map_err(told)?;
        let secret = secret.filter(|secret| !secret.reveal().is_empty());
        let parts = Parts::of(webhook, &self.keyring).map_err(told)?;
        let (config, now) = (Arc::clone(&self.config), self.now);
        // A template may take a while; others shall not wait for it.
        let rendered = tokio::task::spawn_blocking(move || parts.render(&config, &context, now));
        let (url, headers, body) = rendered.await.map_err(|_| "the template engine broke".to_owned())??;
        let request = Request {
            method: webhook.text("http_method").to_owned(),
            url: url.into(),
            content_type: webhook.text("http_content_type").to_owned(),
            headers,
            body: body.into_bytes(),
            secret: secret.map(|secret| SecretString::from(secret.reveal().to_owned())),
            delivery: id.to_owned(),
        };
        let options = self.options(webhook).await?;
        Ok(match webhook::send(&request, &options).await {
            Ok(answer) if answer.is_success() => {
                Outcome::Sent { status: Some(answer.status), answer: answer.start }
            }
            Ok(answer) => Outcome::Failed {
                status: Some(answer.status),
                error: format!("the receiver answered with HTTP {}", answer.status),
                answer: Some(answer.start),
            },
            Err(error) => Outcome::failed(error.to_string()),
        })
    }

    async fn options(&self, webhook: &Record) -> Result<Options, String> {
        let config = &self.config;
        let verify = webhook.boolean("ssl_verification");
        let mut authorities = Vec::new();
        if let Some(path) = config.ca_file.as_deref() {
            authorities.push(pem("ca_file", path).await?);
        }
        let own = webhook.text("ca_file_path");
        if verify && !own.is_empty() {
            authorities.push(pem("ca_file_path", Path::new(own)).await?);
        }
        let proxies = config.http_proxies.iter();
        Ok(Options {
            user_agent: config.requests_user_agent.clone(),
            proxies: proxies
                .map(|(scheme, url)| (scheme.clone(), url.expose_secret().to_owned().into()))
                .collect(),
            authorities,
            verify,
            targets: Targets { allowed: config.webhook_allowed_targets.clone() },
            timeout: Duration::from_secs(config.webhook_timeout.into()),
            answer_limit: ANSWER,
            names: Arc::clone(&self.names),
        })
    }
}

/// The templates of a webhook.
struct Parts {
    url: String,
    headers: String,
    body: String,
}

/// URL, headers, body.
type Rendered = (String, Vec<(String, SecretString)>, String);

impl Parts {
    fn of(webhook: &Record, keyring: &Keyring) -> Result<Self, SecretError> {
        let text = |field: &str| {
            webhook.opened(field, keyring).map(|data| match data {
                Data::Text(text) => text,
                _ => String::new(),
            })
        };
        let (url, headers) = (text("payload_url")?, text("additional_headers")?);
        Ok(Self { url, headers, body: text("body_template")? })
    }

    fn render(&self, config: &Config, context: &Context, now: DateTime<Utc>) -> Result<Rendered, String> {
        let one = |what: &str, text: &str| render(config, what, text, context, now);
        // What these two say in an error could be a secret.
        let hidden = |what: &str| format!("the template in {what} cannot be rendered");
        let url = one("payload_url", &self.url).map_err(|_| hidden("payload_url"))?;
        let headers = one("additional_headers", &self.headers).map_err(|_| hidden("additional_headers"))?;
        let body = if self.body.trim().is_empty() {
            serde_json::to_string(context).map_err(told)?
        } else {
            one("body_template", &self.body)?
        };
        Ok((url, header_lines(&headers)?, body))
    }
}

/// `Name: value`, a line each.
fn header_lines(text: &str) -> Result<Vec<(String, SecretString)>, String> {
    let mut headers = Vec::new();
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            format!("line {} of additional_headers is not of the form Name: value", place + 1)
        })?;
        headers.push((name.trim().to_owned(), value.trim().to_owned().into()));
    }
    Ok(headers)
}

/// The mail server of the settings.
async fn server(config: &Config) -> Result<Server, String> {
    let security = match (config.email_use_ssl, config.email_use_tls) {
        (true, true) => {
            return Err("email.use_ssl and email.use_tls are both on: keep one".to_owned());
        }
        (true, false) => Security::Tls,
        (false, true) => Security::StartTls,
        (false, false) => Security::Plain,
    };
    let mut authorities = Vec::new();
    if let Some(path) = config.ca_file.as_deref() {
        authorities.push(pem("ca_file", path).await?);
    }
    let identity = match (&config.email_ssl_certfile, &config.email_ssl_keyfile) {
        (Some(certificate), Some(key)) => {
            let certificate = pem("email.ssl_certfile", certificate).await?;
            let key = pem("email.ssl_keyfile", key).await?;
            Some((certificate, String::from_utf8_lossy(&key).into_owned().into()))
        }
        _ => None,
    };
    let password = config.email_password.clone().unwrap_or_default();
    Ok(Server {
        host: config.email_server.clone().unwrap_or_else(|| "localhost".to_owned()),
        port: config.email_port,
        security,
        login: config.email_username.clone().filter(|user| !user.is_empty()).map(|user| (user, password)),
        timeout: Duration::from_secs(config.email_timeout.into()),
        authorities,
        identity,
    })
}

/// A file with certificates or a key. The error tells nothing of what is in it.
async fn pem(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{setting} {}: {error}", path.display());
    let size = tokio::fs::metadata(path).await.map_err(failed)?;
    if !size.is_file() || size.len() > PEM {
        return Err(format!("{setting} {} is no file with certificates", path.display()));
    }
    tokio::fs::read(path).await.map_err(failed)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
