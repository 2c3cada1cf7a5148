//! Cisco IOS and NX-OS over SSH, asked as a person would ask them, for reading. Changes go through NAPALM.
//!
//! * `session.rs`: the terminal, its prompt and its privileged mode; `exchange.rs`: which line belongs to which command;
//!   `screen.rs`: what a terminal shows of what comes;
//! * `refusal.rs`: a command that the router does not take; `facts.rs`: `show version`;
//! * what the commands print is read in `ios/` and `nxos_ssh.rs`.
//!
//! Written after Cisco's manuals and what netmiko does; not yet seen with a real router.

mod exchange;
mod facts;
mod refusal;
mod screen;
mod session;

use std::collections::BTreeMap;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::bridge::Secrets;
use crate::driver::{ConfigText, How, Loader, Pending, Platform, Router};
use crate::{Error, Facts, NapalmDetail, NapalmNeighbors, Neighbors, Step, Target, ios, nxos_ssh};
use exchange::Exchange;
use refusal::Refusal;
use session::{Manner, Terminal};

/// Octets that may be typed ahead on IOS: the seven commands for all neighbours, with their marks.
const AHEAD: usize = 512;
const NXOS_SUMMARY: &str = "show bgp all summary vrf all";

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum System {
    Ios,
    Nxos,
}

/// A router or a switch.
pub(crate) struct CliRouter {
    terminal: Terminal,
    system: System,
    secrets: Secrets,
}

/// What commands said, by the names under which the parsers look for them.
type Answers = BTreeMap<String, String>;

impl CliRouter {
    /// Logs in. NAPALM's arguments `secret`, which opens the privileged mode, and `force_no_enable` are heeded.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let system = if target.platform == Platform::Ios { System::Ios } else { System::Nxos };
        let stays =
            target.options.get("force_no_enable").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let secret = target.text("secret").filter(|secret| !secret.is_empty() && !stays);
        let manner = Manner {
            first: "terminal length 0\nterminal width 511\n",
            ahead: if system == System::Ios { AHEAD } else { 0 },
            secret: secret.map(SecretString::from),
        };
        let ssh = target.ssh(22).await?;
        let terminal = Terminal::begin(ssh, &target.credentials.user, manner).await?;
        Ok(Self { terminal, system, secrets: Secrets::of(target) })
    }

    fn failed(&self, step: Step, message: &str) -> Error {
        Error::Failed { host: self.terminal.host().to_owned(), step, message: self.secrets.hide(message) }
    }

    fn unreadable(&self, message: &str) -> Error {
        let message = self.secrets.hide(message);
        Error::Unreadable { host: self.terminal.host().to_owned(), step: Step::Neighbors, message }
    }

    fn refused(&self, step: Step, command: &str, line: &str, privileged: bool) -> Error {
        let advice = if privileged {
            "the user may not run it, or the system does not know it"
        } else {
            "it may take the privileged mode: set the argument secret, or give the user the right"
        };
        self.failed(step, &format!("{command}: {line}; {advice}"))
    }

    /// What commands say; an error if one may not be run. One that is not known is told by its answer.
    async fn ask(&self, step: Step, commands: &[String]) -> Result<Answers, Error> {
        let answers = self.terminal.ask(step, commands).await?;
        let mut all = Answers::new();
        for (command, answer) in commands.iter().zip(answers) {
            if let Some(Refusal::Forbidden(line)) = Refusal::of(&answer) {
                return Err(self.refused(step, command, line, self.terminal.is_privileged().await));
            }
            all.insert(ios::file_name(command), answer);
        }
        Ok(all)
    }

    /// What one command says, which the system has to know.
    async fn ask_for(&self, step: Step, command: &str) -> Result<String, Error> {
        let mut answers = self.ask(step, &[command.to_owned()]).await?;
        let answer = answers.remove(&ios::file_name(command)).unwrap_or_default();
        match Refusal::of(&answer) {
            Some(refusal) => {
                Err(self.refused(step, command, refusal.line(), self.terminal.is_privileged().await))
            }
            None => Ok(answer),
        }
    }

    async fn ios_answers(&self) -> Result<Answers, Error> {
        let commands: Vec<String> = ios::commands().map(str::to_owned).collect();
        self.ask(Step::Neighbors, &commands).await
    }

    /// The switch's table. Where BGP is not enabled, the command does not exist.
    async fn nxos_summary(&self) -> Result<String, Error> {
        let mut answers = self.ask(Step::Neighbors, &[NXOS_SUMMARY.to_owned()]).await?;
        let answer = answers.remove(&ios::file_name(NXOS_SUMMARY)).unwrap_or_default();
        Ok(if Refusal::of(&answer).is_some() { String::new() } else { answer })
    }

    fn reads_only(&self, step: Step) -> Error {
        self.failed(step, "changes of this platform go through NAPALM")
    }
}

/// Reads a text as all that a router shows after two commands, as what it says of itself, and as a configuration.
pub(crate) fn shown(text: &str) {
    let commands = ["show version".to_owned(), "show running-config".to_owned()];
    let mut exchange = Exchange::new(b"r1#".to_vec(), &commands);
    let mut mark = 0;
    for line in text.lines() {
        while let Some(command) = exchange.next(40) {
            mark += 1;
            exchange.typed(command, format!("!{mark}"), mark % 2 == 1);
        }
        if exchange::is_prompt(line.as_bytes()) {
            exchange.late_mark();
        }
        if line.is_empty() {
            exchange.forget();
        }
        exchange.line(line.as_bytes());
    }
    for answer in exchange.answers() {
        let _ = Refusal::of(&answer).map(Refusal::line);
    }
    let _ = (facts::ios(text), facts::nxos(text), facts::configuration(text));
}

#[async_trait]
impl Router for CliRouter {
    fn platform(&self) -> Platform {
        match self.system {
            System::Ios => Platform::Ios,
            System::Nxos => Platform::NxosSsh,
        }
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let version = self.ask_for(Step::Facts, "show version").await?;
        let mut facts = match self.system {
            System::Ios => facts::ios(&version),
            System::Nxos => facts::nxos(&version),
        };
        if facts.hostname.is_empty() {
            facts.hostname = self.terminal.hostname().await;
        }
        Ok(facts)
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        if self.system == System::Nxos {
            return nxos_ssh::neighbors(&self.nxos_summary().await?).map_err(|why| self.unreadable(&why));
        }
        let answers = self.ios_answers().await?;
        let summary = answers.get(&ios::file_name(ios::SUMMARY)).map_or("", String::as_str);
        // Without BGP the system says so; a summary that it does not know tells nothing of the neighbours.
        if let Some(refusal) = Refusal::of(summary) {
            let privileged = self.terminal.is_privileged().await;
            return Err(self.refused(Step::Neighbors, ios::SUMMARY, refusal.line(), privileged));
        }
        ios::neighbors(&answers).map_err(|why| self.unreadable(&why))
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        let shape = match self.system {
            System::Ios => ios::napalm("get_bgp_neighbors", &self.ios_answers().await?),
            System::Nxos => nxos_ssh::napalm_neighbors(&self.nxos_summary().await?),
        };
        shape
            .and_then(|shape| serde_json::from_value(shape).map_err(|error| error.to_string()))
            .map_err(|why| self.unreadable(&why))
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        if self.system == System::Nxos {
            return Ok(crate::napalm::detail(&self.neighbors().await?));
        }
        let mut answers = self.ask(Step::Neighbors, &[ios::DETAIL_SUMMARY.to_owned()]).await?;
        let summary = answers.get(&ios::file_name(ios::DETAIL_SUMMARY)).map_or("", String::as_str);
        let commands = ios::detail_commands(summary);
        answers.extend(self.ask(Step::Neighbors, &commands).await?);
        ios::detail(&answers).map_err(|why| self.unreadable(&why))
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        let text = self.ask_for(Step::Config, "show running-config").await?;
        Ok(ConfigText::new(facts::configuration(&text)))
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

    async fn close(&self) {
        self.terminal.close().await;
    }
}
