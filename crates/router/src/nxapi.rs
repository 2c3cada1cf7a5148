//! Cisco NX-OS over NX-API: JSON-RPC over HTTPS, for reading.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::driver::{ConfigText, How, Loader, Pending, Platform, Router};
use crate::http::Http;
use crate::mask::{excerpt, json_error};
use crate::napalm::{NapalmDetail, NapalmNeighbors};
use crate::target::Target;
use crate::{Error, Facts, Limits, Neighbors, Step, nxos};

const SUMMARY: &str = "show bgp all summary vrf all";

struct NxApi {
    http: Http,
    limits: Limits,
}

/// A switch; that it answers is seen at once.
pub(crate) async fn connect(target: &Target) -> Result<Box<dyn Router>, Error> {
    let switch = NxApi { http: Http::new(target, "/ins")?, limits: target.limits };
    switch.ask(Step::Login, target.limits.login, "cli", "show hostname").await?;
    Ok(Box::new(switch))
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    result: Option<Answer>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    msg: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

/// The answer in a text: of a list of one question it is a list or not.
fn read(text: &str) -> serde_json::Result<Option<Reply>> {
    if text.trim_start().starts_with('[') {
        Ok(serde_json::from_str::<Vec<Reply>>(text)?.into_iter().next())
    } else {
        serde_json::from_str(text).map(Some)
    }
}

/// Reads an answer of NX-API.
pub(crate) fn reply(text: &str) -> Result<(), String> {
    read(text).map(drop).map_err(|error| json_error(&error))
}

impl NxApi {
    /// One command. The answer's JSON, or its text with the method `cli_ascii`; empty if there is none.
    async fn ask(&self, step: Step, limit: Duration, method: &str, command: &str) -> Result<String, Error> {
        let question = json!([{ "jsonrpc": "2.0", "method": method, "params": { "cmd": command, "version": 1 }, "id": 1 }]);
        let text = self.http.post(step, limit, "application/json-rpc", question.to_string()).await?;
        let reply = read(&text).map_err(|error| self.unreadable(step, json_error(&error)))?;
        let reply = reply.ok_or_else(|| self.unreadable(step, "an empty list".to_owned()))?;
        if let Some(refusal) = reply.error {
            let said = refusal.data.get("msg").and_then(Value::as_str).unwrap_or("");
            let message = excerpt(&format!("{command}: {}\n{said}", refusal.message));
            return Err(Error::Failed { host: self.http.host().to_owned(), step, message });
        }
        Ok(match reply.result {
            Some(Answer { body: Some(body), .. }) => body.get().to_owned(),
            Some(Answer { msg: Some(text), .. }) => text,
            _ => String::new(),
        })
    }

    /// The summary. Where BGP is not enabled, the command does not exist.
    async fn summary(&self) -> Result<String, Error> {
        match self.ask(Step::Neighbors, self.limits.read, "cli", SUMMARY).await {
            Err(Error::Failed { message, .. }) if message.contains("Invalid command") => Ok(String::new()),
            other => other,
        }
    }

    fn unreadable(&self, step: Step, message: String) -> Error {
        self.http.unreadable(step, message)
    }

    fn reads_only(&self, step: Step) -> Error {
        let message = "changes of this platform go through NAPALM".to_owned();
        Error::Failed { host: self.http.host().to_owned(), step, message }
    }
}

#[async_trait]
impl Router for NxApi {
    fn platform(&self) -> Platform {
        Platform::Nxos
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let text = self.ask(Step::Facts, self.limits.read, "cli", "show version").await?;
        let version: Value =
            serde_json::from_str(&text).map_err(|error| self.unreadable(Step::Facts, json_error(&error)))?;
        let word = |names: &[&str]| {
            names.iter().find_map(|name| version.get(name)?.as_str()).unwrap_or_default().to_owned()
        };
        let number = |name: &str| {
            let value = version.get(name)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        };
        let fields = [
            ("kern_uptm_days", 86_400),
            ("kern_uptm_hrs", 3600),
            ("kern_uptm_mins", 60),
            ("kern_uptm_secs", 1),
        ];
        let uptime = fields
            .iter()
            .try_fold(0_u64, |sum, (name, unit)| sum.checked_add(number(name)?.checked_mul(*unit)?));
        Ok(Facts {
            hostname: word(&["host_name"]),
            vendor: "Cisco".to_owned(),
            model: word(&["chassis_id"]),
            version: word(&["sys_ver_str", "nxos_ver_str", "kickstart_ver_str"]),
            router_id: None,
            uptime,
        })
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        nxos::neighbors(&self.summary().await?).map_err(|message| self.unreadable(Step::Neighbors, message))
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        nxos::napalm_neighbors(&self.summary().await?)
            .and_then(|shape| serde_json::from_value(shape).map_err(|error| json_error(&error)))
            .map_err(|message| self.unreadable(Step::Neighbors, message))
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        Ok(crate::napalm::detail(&self.neighbors().await?))
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        let text = self.ask(Step::Config, self.limits.read, "cli_ascii", "show running-config").await?;
        Ok(ConfigText::new(text))
    }

    fn loader(&self, _: How) -> Option<Loader<'_>> {
        None
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        Ok(None)
    }

    async fn confirm(&self, _: &Pending) -> Result<(), Error> {
        Err(self.reads_only(Step::Confirm))
    }

    async fn roll_back(&self, _: &Pending) -> Result<(), Error> {
        Err(self.reads_only(Step::RollBack))
    }

    async fn close(&self) {}
}
