//! NAPALM, in a Python process of the user's own.
//!
//! One process for one connection; `helper.py` is what it runs. Credentials go to it through a pipe, and keys lie on no disk.
//! What takes too long ends with the process, and with all that it has started.

mod beside;
mod faults;
mod lenient;
mod neighbors;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use crate::driver::{
    Candidate, Capabilities, ConfigText, How, Load, Loader, Pending, Platform, Router, Undo,
};
use crate::napalm::{self, NapalmDetail, NapalmNeighbors};
use crate::{Diff, Error, Facts, Limits, Neighbors, Step, Target};
use faults::Context;
pub(crate) use faults::Secrets;
use neighbors::Joined;
use process::{Answer, Broken, Process};

/// A router by way of NAPALM.
struct Bridge {
    host: String,
    user: String,
    platform: Platform,
    /// As NAPALM reads it.
    driver: String,
    secrets: Secrets,
    limits: Limits,
    /// The kinds of candidates that the driver takes.
    loads: &'static [How],
    /// Whether the device itself undoes what nobody confirms.
    timer: bool,
    /// Grows with each candidate that is loaded or taken away.
    turn: AtomicU64,
    process: Mutex<Process>,
}

/// Starts Python, has NAPALM load the driver, and connects.
pub(crate) async fn connect(target: &Target) -> Result<Box<dyn Router>, Error> {
    Bridge::connect(target).await.map(|bridge| Box::new(bridge) as _)
}

/// Lets NAPALM make the changes that a native driver, which only reads, cannot make.
pub(crate) fn beside(native: Box<dyn Router>, target: &Target) -> Box<dyn Router> {
    Box::new(beside::Beside::new(native, target.clone()))
}

/// What is there for the bridge.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NapalmVersions {
    /// Python's version.
    pub python: String,
    /// NAPALM's.
    pub napalm: String,
    /// Drivers that were asked for and are not there, each with the reason.
    #[serde(default)]
    pub missing: BTreeMap<String, String>,
}

/// Asks a Python for its NAPALM, and which of these drivers it lacks; nothing is connected to. One process answers for all.
/// The error says why there is no NAPALM.
pub async fn napalm_versions(
    python: &Path,
    drivers: &BTreeSet<String>,
    limit: Duration,
) -> Result<NapalmVersions, String> {
    let mut process = Process::start(python, 1 << 20).map_err(|error| no_python(python, &error))?;
    let asked = process.request("versions", json!({ "drivers": drivers }), limit).await;
    match asked {
        Ok(Ok(found)) => serde_json::from_str(found.text()).map_err(|error| crate::mask::json_error(&error)),
        Ok(Err(fault)) if fault.is("no_napalm") => {
            Err(format!("{} has no NAPALM; pip install napalm", python.display()))
        }
        Ok(Err(fault)) => Err(crate::mask::excerpt(&fault.message)),
        Err(Broken::Late) => Err(format!("{} did not answer within {} s", python.display(), limit.as_secs())),
        Err(Broken::Ended(said) | Broken::Unreadable(said)) => {
            Err(format!("{} is no Python that works: {}", python.display(), crate::mask::excerpt(&said)))
        }
    }
}

/// Neighbours out of what the two getters of a driver gave, as JSON.
pub(crate) fn recorded(parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let part = |name: &str| parts.get(name).map(String::as_str).filter(|text| !text.trim().is_empty());
    let json = serde_json::Deserializer::from_str;
    let mut joined = Joined::new("other");
    part("neighbors").map_or(Ok(()), |text| joined.short(&mut json(text)))?;
    part("detail").map_or(Ok(()), |text| joined.long(&mut json(text)))?;
    Ok(joined.neighbors())
}

fn no_python(python: &Path, error: &std::io::Error) -> String {
    format!(
        "{} cannot be started ({error}); install Python 3 with NAPALM (pip install napalm), or name the Python that has it",
        python.display()
    )
}

impl Bridge {
    async fn connect(target: &Target) -> Result<Self, Error> {
        let endpoint = &target.endpoint;
        let host = match endpoint.port {
            0 => endpoint.host.clone(),
            port => format!("{} port {port}", endpoint.host),
        };
        let limits = target.limits;
        if let Some(argument) = target.way.unheeded(true) {
            let message = format!(
                "NAPALM does not heed the argument {argument}; leave it out, and say it to NAPALM's driver, often with \
                 ssh_config_file"
            );
            return Err(Error::Connect { host, message });
        }
        let process = Process::start(&target.python, limits.answer).map_err(|error| Error::Failed {
            host: host.clone(),
            step: Step::Connect,
            message: no_python(&target.python, &error),
        })?;
        let plain = target.driver_name.to_lowercase().replace('-', "");
        let mut bridge = Self {
            host,
            user: target.credentials.user.clone(),
            platform: target.platform,
            driver: plain.rsplit('.').next().unwrap_or_default().to_owned(),
            secrets: Secrets::of(target),
            limits,
            loads: &[],
            timer: false,
            turn: AtomicU64::new(0),
            process: Mutex::new(process),
        };
        let driver = json!({ "driver": target.driver_name });
        bridge.ask(Step::Connect, limits.read, "versions", driver).await?;
        let opened =
            bridge.ask(Step::Connect, limits.connect + limits.login, "open", opening(target)).await?;
        bridge.timer = opened["timer"] == Json::Bool(true);
        bridge.loads = loads(&opened["loads"]);
        Ok(bridge)
    }

    fn context(&self, step: Step) -> Context<'_> {
        let Self { host, user, driver, secrets, .. } = self;
        Context { host, user, driver, step, secrets }
    }

    async fn ask(&self, step: Step, limit: Duration, what: &str, with: Json) -> Result<Json, Error> {
        let answer = self.process.lock().await.request(what, with, limit).await;
        let context = self.context(step);
        let said = answer.map_err(|broken| context.broken(broken, limit))?;
        let said = said.map_err(|fault| context.fault(&fault))?;
        serde_json::from_str(said.text())
            .map_err(|error| self.unreadable(step, &crate::mask::json_error(&error)))
    }

    async fn read(&self, step: Step, what: &str) -> Result<Json, Error> {
        self.ask(step, self.limits.read, what, json!({})).await
    }

    async fn change(&self, step: Step, what: &str, with: Json) -> Result<Json, Error> {
        self.ask(step, self.limits.change, what, with).await
    }

    /// What a getter gives, or `None` where the driver has it not.
    async fn get(&self, what: &str) -> Result<Option<Answer>, Error> {
        let limit = self.limits.read;
        let answer = self.process.lock().await.request(what, json!({}), limit).await;
        let context = self.context(Step::Neighbors);
        match answer.map_err(|broken| context.broken(broken, limit))? {
            Ok(said) => Ok(Some(said)),
            Err(fault) if fault.kinds.first().is_some_and(|kind| kind == "NotImplementedError") => Ok(None),
            Err(fault) => Err(context.fault(&fault)),
        }
    }

    /// Whatever was loaded is there no more.
    fn turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn unreadable(&self, step: Step, message: &str) -> Error {
        Error::Unreadable { host: self.host.clone(), step, message: self.secrets.hide(message) }
    }

    async fn short(&self) -> Result<Option<NapalmNeighbors>, Error> {
        let said = self.get("neighbors").await?;
        let read = said.as_ref().map(|said| neighbors::short(&mut said.json())).transpose();
        read.map_err(|why| self.unreadable(Step::Neighbors, &why))
    }

    async fn long(&self) -> Result<Option<NapalmDetail>, Error> {
        let said = self.get("detail").await?;
        let read = said.as_ref().map(|said| neighbors::long(&mut said.json())).transpose();
        read.map_err(|why| self.unreadable(Step::Neighbors, &why))
    }

    fn has_no_neighbors(&self) -> Error {
        self.context(Step::Neighbors).failed(format!("NAPALM's driver {} reads no neighbours", self.driver))
    }
}

/// The request that holds the credentials.
fn opening(target: &Target) -> Json {
    let credentials = &target.credentials;
    let key = credentials.keys.first();
    let known_hosts = target.host_keys.file(&target.endpoint);
    json!({
        "driver": target.driver_name,
        "hostname": target.endpoint.host,
        "port": target.endpoint.port,
        "username": credentials.user,
        "password": credentials.password.as_ref().map_or("", secrecy::ExposeSecret::expose_secret),
        "timeout": target.limits.read.as_secs().max(1),
        "optional_args": target.options,
        "key": key.map(|key| key.text.expose_secret()),
        "passphrase": key.and_then(|key| key.passphrase.as_ref()).map(secrecy::ExposeSecret::expose_secret),
        "pinned": known_hosts.is_none(),
        "known_hosts": known_hosts,
        "verify": target.tls.authorities.as_ref().filter(|_| target.tls.verify).map_or(json!(target.tls.verify), |path| json!(path)),
    })
}

/// The kinds of candidates that a driver takes, out of the answer to `open`.
fn loads(said: &Json) -> &'static [How] {
    let has = |name| said.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    match (has("merge"), has("replace")) {
        (true, true) => &[How::Merge, How::Replace],
        (true, false) => &[How::Merge],
        (false, true) => &[How::Replace],
        (false, false) => &[],
    }
}

fn text(said: &Json, field: &str) -> String {
    said[field].as_str().unwrap_or_default().to_owned()
}

#[async_trait]
impl Router for Bridge {
    fn platform(&self) -> Platform {
        self.platform
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            loads: self.loads,
            undo: self.timer.then_some(Undo::Router),
            timer_step: if self.driver == "eos" { 1 } else { 60 },
            ..Platform::Napalm.capabilities()
        }
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let said = self.read(Step::Facts, "facts").await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not negative")]
        let uptime = said["uptime"].as_f64().filter(|&seconds| seconds >= 0.0).map(|seconds| seconds as u64);
        Ok(Facts {
            hostname: text(&said, "hostname"),
            vendor: text(&said, "vendor"),
            model: text(&said, "model"),
            version: text(&said, "os_version"),
            router_id: None,
            uptime,
        })
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        let mut joined = Joined::new(&self.driver);
        let short = self.get("neighbors").await?;
        if let Some(said) = &short {
            joined.short(&mut said.json()).map_err(|why| self.unreadable(Step::Neighbors, &why))?;
        }
        let has_short = short.is_some();
        drop(short);
        let long = self.get("detail").await?;
        if let Some(said) = &long {
            joined.long(&mut said.json()).map_err(|why| self.unreadable(Step::Neighbors, &why))?;
        }
        if !has_short && long.is_none() {
            return Err(self.has_no_neighbors());
        }
        Ok(joined.neighbors())
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        self.short().await?.ok_or_else(|| self.has_no_neighbors())
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        match self.long().await? {
            Some(long) => Ok(long),
            None => Ok(napalm::detail(&self.neighbors().await?)),
        }
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        let said = self.read(Step::Config, "config").await?;
        match said {
            Json::String(text) => Ok(ConfigText::new(text)),
            _ => Err(self.unreadable(Step::Config, "the configuration is no text")),
        }
    }

    fn loader(&self, how: How) -> Option<Loader<'_>> {
        self.loads.contains(&how).then_some(Loader { driver: self, how })
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        let said = self.read(Step::Pending, "pending").await?;
        // NAPALM does not say how much time is left.
        let pending = || Pending { platform: self.platform, id: text(&said, "id"), seconds: 0 };
        Ok(said.is_object().then(pending))
    }

    async fn confirm(&self, change: &Pending) -> Result<(), Error> {
        self.turn();
        self.change(Step::Confirm, "confirm", json!({ "change": change.id })).await.map(drop)
    }

    async fn cancel(&self, change: &Pending) -> Result<bool, Error> {
        self.turn();
        let said = self.change(Step::RollBack, "cancel", json!({ "change": change.id })).await?;
        Ok(said == Json::Bool(true))
    }

    async fn roll_back(&self, change: &Pending) -> Result<(), Error> {
        self.turn();
        self.change(Step::RollBack, "rollback", json!({ "change": change.id })).await.map(drop)
    }

    async fn close(&self) {
        let _ = self.process.lock().await.request("close", json!({}), Duration::from_secs(5)).await;
    }
}

#[async_trait]
impl Load for Bridge {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        let turn = self.turn();
        let with = json!({ "replace": how == How::Replace, "config": text.expose() });
        let said = self.change(Step::Load, "load", with).await?;
        let diff = difference(said["diff"].as_str().unwrap_or_default());
        Ok(Box::new(Loaded { bridge: self, diff, turn, session: self::text(&said, "session") }))
    }
}

/// A candidate that the driver holds. It holds one: another load takes its place.
struct Loaded<'a> {
    bridge: &'a Bridge,
    diff: Diff,
    /// Its turn; at another one, something else is in its place.
    turn: u64,
    /// What the device will call its change, where it has a name by now.
    session: String,
}

impl Loaded<'_> {
    /// The seconds that are asked for; a driver without a timer commits only if none is asked for, with a duration of zero.
    fn seconds(&self, timer: Duration) -> Option<u64> {
        let seconds = timer.as_secs() + u64::from(timer.subsec_nanos() > 0);
        if self.bridge.timer { Some(seconds.max(1)) } else { (seconds > 0).then_some(seconds) }
    }

    fn is_there(&self) -> bool {
        self.bridge.turn.load(Ordering::SeqCst) == self.turn
    }
}

#[async_trait]
impl Candidate for Loaded<'_> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    fn change(&self, timer: Duration) -> Option<Pending> {
        let seconds = self.seconds(timer)?;
        let id = format!("{}//", self.session);
        (!self.session.is_empty()).then_some(Pending { platform: self.bridge.platform, id, seconds })
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        if !self.is_there() {
            return Err(Error::Changed { host: self.bridge.host.clone() });
        }
        let seconds = self.seconds(timer);
        let said = self.bridge.change(Step::Commit, "commit", json!({ "seconds": seconds })).await?;
        Ok(Pending {
            platform: self.bridge.platform,
            id: text(&said, "id"),
            seconds: said["seconds"].as_u64().unwrap_or_default(),
        })
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        if !self.is_there() {
            return Ok(());
        }
        self.bridge.change(Step::Discard, "discard", json!({})).await.map(drop)
    }
}

/// The driver's text, which has signs in most, but not all, of them.
pub(crate) fn difference(text: &str) -> Diff {
    let signed = text.lines().any(|line| line.starts_with(['+', '-']));
    Diff::from_lines(text.lines().map(|line| match line.chars().next() {
        _ if !signed => ('+', line),
        // The names of what is compared.
        _ if line.starts_with("+++ ") || line.starts_with("--- ") => (' ', line),
        Some(sign @ ('+' | '-')) => (sign, &line[1..]),
        Some(' ') => (' ', &line[1..]),
        _ => (' ', line),
    }))
}

#[cfg(test)]
mod tests;
