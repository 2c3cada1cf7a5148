//! Messages that only show whether messages arrive: sent at once, and recorded nowhere.

use std::sync::Arc;

use pm_config::Config;
use pm_notify::webhook::SystemNames;
use pm_store::Store;
use pm_store::objects::model::Model;
use pm_store::objects::models::{notification_rule, webhook as described};
use pm_store::objects::problems::ObjectError;
use pm_store::objects::query::Query;
use pm_store::objects::record::Record;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::message;
use super::sender::{Outcome, Sender};
use crate::{Clock, secret_key};

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// What was asked for is not there.
    #[error("{0}")]
    Question(String),
    /// The database said no.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// What came of a message to one receiver.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// The webhook's name or the e-mail address.
    pub recipient: String,
    /// Whether the receiver took it.
    pub arrived: bool,
    /// HTTP status, of a webhook that answered.
    pub status: Option<u16>,
    /// Start of the answer.
    pub answer: Option<String>,
    /// Why it did not arrive.
    pub error: Option<String>,
}

/// Sends a message to everybody whom this rule names, whatever its filters.
///
/// # Errors
/// [`TrialError`]; a message that does not arrive is none.
pub async fn rule(
    store: &Store,
    config: &Arc<Config>,
    clock: &dyn Clock,
    name: &str,
) -> Result<Vec<Tried>, TrialError> {
    let sender = sender(store, config, clock).await;
    let rule = named(store, &notification_rule::MODEL, name).await?;
    let mut tried = Vec::new();
    let addresses = rule.json("recipients").and_then(Json::as_array).into_iter().flatten();
    for address in addresses.filter_map(Json::as_str) {
        let text = message::trial(config.email_subject_prefix.as_deref(), name);
        let sent = sender.mail(address, text, &new_id()).await;
        tried.push(told(address, sent));
    }
    if let Some(id) = rule.integer("webhook") {
        let found = Query::of(&described::MODEL).ids(vec![id]);
        let mut connection = store.connection().await.map_err(ObjectError::from)?;
        let found = found.list(&mut connection.session()).await?;
        drop(connection);
        for webhook in found {
            tried.push(one(&sender, clock, &webhook).await);
        }
    }
    Ok(tried)
}

/// Sends a request to this webhook, whatever its conditions, and also if it is disabled.
///
/// # Errors
/// [`TrialError`]; a request that fails is none.
pub async fn webhook(
    store: &Store,
    config: &Arc<Config>,
    clock: &dyn Clock,
    name: &str,
) -> Result<Tried, TrialError> {
    let sender = sender(store, config, clock).await;
    let webhook = named(store, &described::MODEL, name).await?;
    Ok(one(&sender, clock, &webhook).await)
}

async fn sender(store: &Store, config: &Arc<Config>, clock: &dyn Clock) -> Sender {
    Sender {
        store: store.clone(),
        config: Arc::clone(config),
        keyring: Arc::new(secret_key::keyring(config, store).await),
        names: Arc::new(SystemNames),
        now: clock.now(),
    }
}

async fn named(store: &Store, model: &'static Model, name: &str) -> Result<Record, TrialError> {
    let mut connection = store.connection().await.map_err(ObjectError::from)?;
    let found = Query::of(model).filter("name", name).list(&mut connection.session()).await?.pop();
    found.ok_or_else(|| {
        TrialError::Question(format!(
            "there is no {} {name:?}; `peering-manager objects list {}` lists them",
            model.singular,
            model.section()
        ))
    })
}

async fn one(sender: &Sender, clock: &dyn Clock, webhook: &Record) -> Tried {
    let id = new_id();
    let context = json!({
        "event": "test",
        "timestamp": clock.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "model": "webhook",
        "username": "command line",
        "request_id": id,
        "data": { "id": webhook.id, "display": webhook.text("name") },
        "snapshots": { "prechange": null, "postchange": null },
    });
    let context = context.as_object().cloned().unwrap_or_default();
    told(webhook.text("name"), sender.webhook(webhook, context, &id).await)
}

fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn told(recipient: &str, sent: Result<Outcome, String>) -> Tried {
    let recipient = recipient.to_owned();
    match sent {
        Ok(Outcome::Sent { status, answer }) => {
            Tried { recipient, arrived: true, status, answer: Some(answer), error: None }
        }
        Ok(Outcome::Failed { status, answer, error }) => {
            Tried { recipient, arrived: false, status, answer, error: Some(error) }
        }
        Ok(Outcome::Skipped(error)) | Err(error) => {
            Tried { recipient, arrived: false, status: None, answer: None, error: Some(error) }
        }
    }
}
