//! eAPI: commands in a JSON-RPC request, answers in the order of the commands.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::http::Http;
use crate::mask::{excerpt, json_error};
use crate::target::Target;
use crate::{Error, Step};

/// In which form answers are wanted.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Json,
    Text,
}

/// Why there is no answer.
pub(super) enum Trouble {
    /// The switch refused a command; nothing after it was run.
    Refused(String),
    Error(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

pub(super) struct Api {
    pub http: Http,
    enable: Value,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    result: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Vec<Value>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    output: String,
}

/// The answers in a text, or what the switch refused, in words.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<Box<RawValue>>> {
    let reply: Reply = serde_json::from_str(text)?;
    let _ = reply.error.map(|refusal| refusal.text());
    Ok(reply.result.unwrap_or_default())
}

impl Api {
    pub fn new(target: &Target) -> Result<Self, Error> {
        let secret = target.text("enable_password").or_else(|| target.text("secret"));
        let enable = match secret.filter(|text| !text.is_empty()) {
            Some(secret) => {
                json!({ "cmd": "enable", "input": secrecy::SecretString::from(secret).expose_secret() })
            }
            None => json!("enable"),
        };
        Ok(Self { http: Http::new(target, "/command-api")?, enable })
    }

    /// Runs commands one after the other, after `enable`. The answers are those of the commands.
    pub async fn run(
        &self,
        step: Step,
        limit: Duration,
        commands: impl IntoIterator<Item = Value>,
        format: Format,
    ) -> Result<Vec<Box<RawValue>>, Trouble> {
        let mut all = vec![self.enable.clone()];
        all.extend(commands);
        let count = all.len();
        let question = json!({
            "jsonrpc": "2.0",
            "method": "runCmds",
            "params": { "version": 1, "cmds": all, "format": format },
            "id": "peering-manager",
        });
        let text = self.http.post(step, limit, "application/json", question.to_string()).await?;
        let reply: Reply = serde_json::from_str(&text).map_err(|error| {
            self.http.unreadable(step, format!("{} in {} octets", json_error(&error), text.len()))
        })?;
        drop(text);
        if let Some(refusal) = reply.error {
            return Err(Trouble::Refused(refusal.text()));
        }
        let mut answers =
            reply.result.ok_or_else(|| self.http.unreadable(step, "there is no result in it"))?;
        if answers.len() != count {
            let message = format!("{} answers to {count} commands", answers.len());
            return Err(self.http.unreadable(step, message).into());
        }
        answers.remove(0);
        Ok(answers)
    }

    /// As [`Api::run`], for commands whose refusal is a failure.
    pub async fn ask(
        &self,
        step: Step,
        limit: Duration,
        commands: &[&str],
        format: Format,
    ) -> Result<Vec<Box<RawValue>>, Error> {
        let commands = commands.iter().map(|command| json!(command));
        self.run(step, limit, commands, format).await.map_err(|trouble| self.failed(step, trouble))
    }

    /// The texts that commands print.
    pub async fn texts(&self, step: Step, limit: Duration, commands: &[&str]) -> Result<Vec<String>, Error> {
        let answers = self.ask(step, limit, commands, Format::Text).await?;
        answers
            .into_iter()
            .map(|answer| {
                serde_json::from_str::<Text>(answer.get())
                    .map(|text| text.output)
                    .map_err(|error| self.http.unreadable(step, json_error(&error)))
            })
            .collect()
    }

    pub fn failed(&self, step: Step, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Refused(message) => Error::Failed { host: self.http.host().to_owned(), step, message },
            Trouble::Error(error) => error,
        }
    }
}

impl Refusal {
    /// The message, and what the command itself said.
    fn text(&self) -> String {
        let mut text = self.message.clone();
        for errors in self.data.iter().filter_map(|one| one.get("errors")?.as_array()) {
            for error in errors.iter().filter_map(Value::as_str) {
                text.push('\n');
                text.push_str(error);
            }
        }
        excerpt(&text)
    }
}
