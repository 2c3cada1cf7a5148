//! The configuration of a simulated switch, and its sessions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

/// Words that a line of the configuration may begin with, at the top and in a section.
const TOP: &[&str] = &[
    "hostname",
    "router",
    "interface",
    "ip",
    "ipv6",
    "route-map",
    "banner",
    "logging",
    "ntp",
    "service",
    "username",
];
const INSIDE: &[&str] = &[
    "neighbor",
    "description",
    "set",
    "match",
    "network",
    "maximum-paths",
    "router-id",
    "shutdown",
    "mtu",
    "comment",
    "bgp",
    "timers",
    "redistribute",
    "rd",
    "route-target",
];
/// What opens a section within one.
const SUBSECTIONS: &[&str] = &["address-family ", "vrf "];
/// Settings of which there is one at a time.
const SINGLE: &[&str] = &["router-id", "description", "mtu", "rd"];
const SINGLE_OF_NEIGHBOR: &[&str] = &[
    "remote-as",
    "description",
    "password",
    "local-as",
    "maximum-routes",
    "update-source",
    "peer",
    "peer-group",
];
/// What opens a section.
const SECTIONS: &[&str] = &["router ", "interface ", "route-map "];

/// Lines by section; those at the top are in the section without a name. A section within another has the other's name and a
/// line break before its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config(BTreeMap<String, Vec<String>>);

impl Config {
    pub fn from_text(text: &str) -> Self {
        let mut config = Self::default();
        let mut section = String::new();
        for line in
            text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('!') && *line != "end")
        {
            let _ = config.apply(&mut section, line, None);
        }
        config
    }

    /// Runs a line of configuration.
    pub fn apply(&mut self, section: &mut String, line: &str, input: Option<&str>) -> Result<(), String> {
        let body = line.trim();
        let (no, words) = body.strip_prefix("no ").map_or((false, body), |rest| (true, rest));
        let first = words.split_whitespace().next().unwrap_or("");
        if body == "exit" {
            section.truncate(section.rfind('\n').unwrap_or_default());
            return Ok(());
        }
        if section.starts_with("router bgp ") && SUBSECTIONS.iter().any(|start| words.starts_with(start)) {
            let is_inside = section.contains("\nvrf ") && first == "address-family";
            let top = section.splitn(if is_inside { 3 } else { 2 }, '\n');
            let above: Vec<&str> = top.take(if is_inside { 2 } else { 1 }).collect();
            let name = format!("{}\n{words}", above.join("\n"));
            if no {
                self.remove(&name);
            } else {
                self.0.entry(name.clone()).or_default();
                *section = name;
            }
            return Ok(());
        }
        if !section.is_empty() && INSIDE.contains(&first) {
            self.change(section.clone(), no, words, input);
            return Ok(());
        }
        if !TOP.contains(&first) {
            return Err(format!("Invalid input (at token {}: '{first}')", usize::from(no)));
        }
        if first == "banner" && !no && input.is_none() {
            return Err("Incomplete command (at token 2: None)".to_owned());
        }
        section.clear();
        if SECTIONS.iter().any(|start| words.starts_with(start)) {
            if no {
                self.remove(words);
            } else {
                words.clone_into(section);
                self.0.entry(words.to_owned()).or_default();
            }
        } else {
            if first == "hostname" {
                self.0.entry(String::new()).or_default().retain(|line| !line.starts_with("hostname "));
            }
            self.change(String::new(), no, words, input);
        }
        Ok(())
    }

    fn change(&mut self, section: String, no: bool, words: &str, input: Option<&str>) {
        let lines = self.0.entry(section).or_default();
        let text = input.map_or_else(|| words.to_owned(), |input| format!("{words}\n{input}\nEOF"));
        if no {
            lines.retain(|line| line != words && !line.starts_with(&format!("{words} ")));
        } else if !lines.contains(&text) {
            let old = key(words).and_then(|key| lines.iter().position(|line| self::key(line) == Some(key)));
            match old {
                Some(at) => lines[at] = text,
                None => lines.push(text),
            }
        }
    }

    /// Takes away a section with all that is in it.
    fn remove(&mut self, section: &str) {
        let inside = format!("{section}\n");
        self.0.retain(|name, _| name != section && !name.starts_with(&inside));
    }

    /// The sections and their lines.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(section, lines)| (section.as_str(), lines.as_slice()))
    }

    pub fn text(&self) -> String {
        let mut text =
            "! Command: show running-config\n! device: switch (vEOS-lab, EOS-4.30.1F)\n!\n".to_owned();
        for (section, lines) in &self.0 {
            let depth = section.matches('\n').count();
            if let Some(name) = section.split('\n').next_back().filter(|name| !name.is_empty()) {
                let _ = writeln!(text, "{:indent$}{name}", "", indent = 3 * depth);
            }
            let indent = if section.is_empty() { 0 } else { 3 * (depth + 1) };
            for line in lines {
                let _ = writeln!(text, "{:indent$}{line}", "");
            }
            text.push_str("!\n");
        }
        text + "end\n"
    }

    pub fn hostname(&self) -> &str {
        let top = self.0.get("").into_iter().flatten();
        top.filter_map(|line| line.strip_prefix("hostname ")).next_back().unwrap_or("localhost")
    }

    /// What has to change for this to become the other one.
    fn difference(&self, other: &Self, name: &str) -> String {
        let mut body = String::new();
        let sections = self.0.keys().chain(other.0.keys().filter(|section| !self.0.contains_key(*section)));
        for section in sections {
            let none = Vec::new();
            let (old, new) = (self.0.get(section), other.0.get(section));
            if old == new {
                continue;
            }
            if !section.is_empty() {
                let sign = if old.is_none() {
                    '+'
                } else if new.is_none() {
                    '-'
                } else {
                    ' '
                };
                let mut depth = 0;
                let (above, name) = section.rsplit_once('\n').unwrap_or(("", section));
                for above in above.split('\n').filter(|above| !above.is_empty()) {
                    let _ = writeln!(body, " {:depth$}{above}", "");
                    depth += 3;
                }
                let _ = writeln!(body, "{sign}{:depth$}{name}", "");
            }
            let depth = 3 * (section.matches('\n').count() + 1);
            let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
            for (sign, from, without) in [('-', old, new), ('+', new, old)] {
                for line in from.iter().filter(|line| !without.contains(line)).flat_map(|line| line.lines()) {
                    let _ = writeln!(body, "{sign}{:depth$}{line}", "");
                }
            }
        }
        if body.is_empty() {
            return body;
        }
        format!("--- system:/running-config\n+++ session:/{name}-session-config\n@@ -1 +1 @@\n{body}")
    }
}

/// What a line sets, if there is but one of its kind.
fn key(line: &str) -> Option<&str> {
    let ends: Vec<usize> = line.match_indices(' ').map(|(at, _)| at).chain([line.len()]).collect();
    let word = |nth: usize| line.split(' ').nth(nth);
    if word(0) == Some("neighbor") {
        return SINGLE_OF_NEIGHBOR.contains(&word(2)?).then(|| &line[..ends[2]]);
    }
    SINGLE.contains(&word(0)?).then(|| &line[..ends[0]])
}

#[derive(Debug)]
struct Session {
    state: &'static str,
    config: Config,
    completed: Option<f64>,
}

#[derive(Debug)]
struct Timer {
    session: String,
    until: Instant,
    before: Config,
}

/// A switch as far as its configuration goes.
#[derive(Debug)]
pub(super) struct Switch {
    pub running: Config,
    pub startup: Config,
    files: BTreeMap<String, Config>,
    sessions: BTreeMap<String, Session>,
    timer: Option<Timer>,
    started: Instant,
    newer: bool,
}

impl Switch {
    pub fn new(text: &str, newer: bool) -> Self {
        let running = Config::from_text(text);
        Self {
            startup: running.clone(),
            running,
            files: BTreeMap::new(),
            sessions: BTreeMap::new(),
            timer: None,
            started: Instant::now(),
            newer,
        }
    }

    pub fn uptime(&self) -> f64 {
        1000.0 + self.started.elapsed().as_secs_f64()
    }

    /// Undoes what was not confirmed in time.
    pub fn tick(&mut self) {
        if self.timer.as_ref().is_some_and(|timer| timer.until <= Instant::now()) {
            self.roll_back();
        }
    }

    fn roll_back(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.running = timer.before;
            self.sessions.remove(&timer.session);
        }
    }

    pub fn sessions(&self) -> Value {
        let until = |until: Instant| 1000.0 + until.duration_since(self.started).as_secs_f64();
        let mut all: serde_json::Map<_, _> = self
            .sessions
            .iter()
            .map(|(name, one)| {
                let mut shape =
                    json!({ "state": one.state, "commitUser": "", "description": "", "instances": {} });
                if let Some(completed) = one.completed {
                    shape["completedTime"] = json!(completed);
                }
                (name.clone(), shape)
            })
            .collect();
        let mut shape = json!({ "maxSavedSessions": 1, "maxOpenSessions": 5 });
        if let Some(timer) = &self.timer {
            if self.newer {
                shape["commitTimerSessionName"] = json!(timer.session);
                shape["commitTimerExpireTime"] = json!(until(timer.until));
            } else if let Some(one) = all.get_mut(&timer.session) {
                one["state"] = json!("pendingCommitTimer");
                one["commitBy"] = json!(until(timer.until));
            }
        }
        shape["sessions"] = Value::Object(all);
        shape
    }

    /// Opens a session, or goes on with it.
    pub fn enter(&mut self, name: &str) -> Result<(), String> {
        if self.sessions.get(name).is_some_and(|one| one.state != "pending") {
            return Err(format!("Cannot enter session {name} (session has already been committed)"));
        }
        if self.sessions.values().filter(|one| one.state == "pending").count() >= 5 {
            return Err("Maximum number of pending sessions has been reached".to_owned());
        }
        let session = Session { state: "pending", config: self.running.clone(), completed: None };
        self.sessions.entry(name.to_owned()).or_insert(session);
        Ok(())
    }

    pub fn candidate(&mut self, name: &str) -> Result<&mut Config, String> {
        self.sessions.get_mut(name).map(|one| &mut one.config).ok_or_else(|| unknown(name))
    }

    pub fn diffs(&self, name: &str) -> Result<String, String> {
        let session = self.sessions.get(name).ok_or_else(|| unknown(name))?;
        Ok(self.running.difference(&session.config, name))
    }

    /// The whole candidate of a session.
    pub fn shown(&self, name: &str) -> Result<String, String> {
        self.sessions.get(name).map(|session| session.config.text()).ok_or_else(|| unknown(name))
    }

    pub fn commit(&mut self, name: &str, timer: Option<Duration>) -> Result<(), String> {
        let now = self.uptime();
        if self.timer.as_ref().is_some_and(|timer| timer.session == name) {
            self.timer = None;
        } else if self.timer.is_some() {
            return Err("Cannot commit: another session waits for its commit to be confirmed".to_owned());
        }
        let session = self.sessions.get_mut(name).ok_or_else(|| unknown(name))?;
        let before = std::mem::replace(&mut self.running, session.config.clone());
        session.state = "completed";
        session.completed = Some(now);
        // It remembers the last one (`maxSavedSessions`).
        self.sessions.retain(|other, one| other == name || one.state != "completed");
        if let Some(wait) = timer {
            self.timer = Some(Timer { session: name.to_owned(), until: Instant::now() + wait, before });
        }
        Ok(())
    }

    pub fn abort(&mut self, name: &str) -> Result<(), String> {
        if self.timer.as_ref().is_some_and(|timer| timer.session == name) {
            self.roll_back();
            return Ok(());
        }
        match self.sessions.get(name) {
            Some(one) if one.state == "pending" => {
                self.sessions.remove(name);
                Ok(())
            }
            Some(_) => Err(format!("Cannot abort session {name} (it is completed)")),
            None => Err(unknown(name)),
        }
    }

    /// Keeps the running or the startup configuration in a file.
    pub fn copy(&mut self, running: bool, file: &str) {
        let config = if running { &self.running } else { &self.startup };
        self.files.insert(file.to_owned(), config.clone());
    }

    /// What a file holds.
    pub fn more(&self, file: &str) -> Result<String, String> {
        self.files
            .get(file)
            .map(Config::text)
            .ok_or_else(|| format!("% Error displaying {file} (No such file or directory)"))
    }

    pub fn replace(&mut self, file: &str) -> Result<(), String> {
        self.running = self
            .files
            .get(file)
            .cloned()
            .ok_or_else(|| format!("Error loading {file} (No such file or directory)"))?;
        Ok(())
    }

    pub fn open_sessions(&self) -> usize {
        self.sessions.values().filter(|one| one.state == "pending").count()
    }
}

fn unknown(name: &str) -> String {
    format!("Session {name} does not exist")
}

/// `HH:MM:SS`
pub(super) fn clock(text: &str) -> Option<Duration> {
    let mut fields = text.split(':').map(str::parse::<u64>);
    let (hours, minutes, seconds) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
    let fine = fields.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    fine.then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}
