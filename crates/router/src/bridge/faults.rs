//! NAPALM's exceptions as errors, without secrets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;

use super::process::{Broken, Fault};
use crate::mask::{MASK, excerpt};
use crate::{Error, Step, Target};

/// What no text may hold.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub fn of(target: &Target) -> Self {
        let mut plain: Vec<String> = Vec::new();
        let credentials = &target.credentials;
        plain.extend(credentials.password.iter().map(|one| one.expose_secret().to_owned()));
        for key in &credentials.keys {
            plain.extend(key.text.expose_secret().lines().map(str::to_owned).filter(|line| line.len() > 20));
            plain.extend(key.passphrase.iter().map(|one| one.expose_secret().to_owned()));
        }
        for (name, value) in &target.options {
            let is_secret =
                ["secret", "password", "passphrase", "token"].iter().any(|word| name.contains(word));
            if let (true, Json::String(value)) = (is_secret, value) {
                plain.push(value.clone());
            }
        }
        let mut all = Vec::new();
        for one in plain.into_iter().filter(|one| !one.is_empty()) {
            all.push(STANDARD.encode(format!("{}:{one}", credentials.user)));
            // As Python and JSON write it.
            all.push(one.replace('\\', "\\\\").replace('\'', "\\'"));
            all.push(one.replace('\\', "\\\\").replace('"', "\\\""));
            all.push(one);
        }
        all.sort_by_key(|one| std::cmp::Reverse(one.len()));
        all.dedup();
        Self(all)
    }

    /// The text without them, short and on one line.
    pub fn hide(&self, text: &str) -> String {
        excerpt(&self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK)))
    }
}

/// Who answers, and what is being done there.
pub(super) struct Context<'a> {
    pub host: &'a str,
    pub user: &'a str,
    pub driver: &'a str,
    pub step: Step,
    pub secrets: &'a Secrets,
}

impl Context<'_> {
    pub fn failed(&self, message: impl Into<String>) -> Error {
        Error::Failed { host: self.host.to_owned(), step: self.step, message: message.into() }
    }

    pub fn broken(&self, broken: Broken, limit: Duration) -> Error {
        let (host, step) = (self.host.to_owned(), self.step);
        match broken {
            Broken::Late => Error::Timeout { host, step, limit },
            Broken::Ended(said) => {
                let message = format!("the NAPALM process has ended: {}", self.secrets.hide(&said));
                Error::Lost { host, step, message }
            }
            Broken::Unreadable(what) => Error::Unreadable { host, step, message: self.secrets.hide(&what) },
        }
    }

    /// The kinds of the helper's own first, then NAPALM's, then those of what NAPALM is made of.
    pub fn fault(&self, fault: &Fault) -> Error {
        let (host, step) = (self.host.to_owned(), self.step);
        let message = self.secrets.hide(&fault.message);
        let is = |kinds: &[&str]| kinds.iter().any(|kind| fault.is(kind));
        if let Some(error) = self.own(fault, &message) {
            return error;
        }
        if is(&["BadHostKeyException"]) || fault.message.contains("not found in known_hosts") {
            return Error::HostKey { host, message };
        }
        if self.is_login(fault) {
            let tried = format!("NAPALM says: {message}");
            return Error::Login { host, user: self.user.to_owned(), tried };
        }
        if is(&["LockError", "SessionLockedException"]) {
            return Error::Busy { host, holder: message };
        }
        if is(&["MergeConfigException", "ReplaceConfigException"]) {
            return Error::Rejected { host, step, message };
        }
        if is(&["ConnectionException", "ConnectionError", "EOFError", "SSHException", "gaierror"]) {
            return match step {
                Step::Connect | Step::Login => Error::Connect { host, message },
                _ => Error::Lost { host, step, message },
            };
        }
        if is(&["NotImplementedError"]) {
            return self.failed(format!("NAPALM's driver {} does not offer this", self.driver));
        }
        if is(&["NapalmException"]) {
            return self.failed(message);
        }
        let class = fault.kinds.first().map_or("an exception", String::as_str);
        self.failed(format!("NAPALM's driver {} failed with {class}: {message}", self.driver))
    }

    fn is_login(&self, fault: &Fault) -> bool {
        let by_class =
            fault.kinds.iter().any(|kind| kind == "ConnectAuthError" || kind.contains("Authentication"));
        let words = fault.message.to_lowercase();
        let by_words = ["authentication failed", "unauthorized", "bad username", "permission denied"]
            .iter()
            .any(|word| words.contains(word));
        by_class || (matches!(self.step, Step::Connect | Step::Login) && by_words)
    }

    /// What the helper itself said no to.
    fn own(&self, fault: &Fault, message: &str) -> Option<Error> {
        let host = self.host.to_owned();
        let driver = self.driver;
        Some(match fault.kinds.as_slice() {
            [kind] => match kind.as_str() {
                "no_napalm" => self.failed(format!(
                    "this Python has no NAPALM ({message}); install it (pip install napalm), or name the Python that has it"
                )),
                "no_driver" => self.failed(format!(
                    "NAPALM has no driver {driver} ({message}); install its package (often pip install napalm-{driver}), or \
                     correct the name"
                )),
                "host_key" => Error::HostKey { host, message: message.to_owned() },
                "busy" => Error::Busy { host, holder: message.to_owned() },
                "no_timer" => self.failed(format!(
                    "NAPALM's driver {driver} has no timer of this kind on the device that would undo the change; nothing \
                     was committed"
                )),
                "timer_lost" => self.failed(format!(
                    "the change was committed, but the device knows of no timer that would undo it; {message}"
                )),
                "rolled_back" => Error::RolledBack { host },
                "failed" => self.failed(message),
                _ => return None,
            },
            _ => return None,
        })
    }
}
