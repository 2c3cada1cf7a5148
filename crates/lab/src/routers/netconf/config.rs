//! What a router keeps: configurations, commits, locks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use super::xml::escape;
use super::{Fault, Kind, Options, iosxr_bgp, junos_bgp};
use crate::routers::peering::{Others, Peering, Peers, Session};

/// Seconds since 1970 when every stand-in starts.
const EPOCH: u64 = 1_750_000_000;

/// A commit, newest first in the list.
pub(super) struct Commit {
    pub(super) config: String,
    pub(super) at: u64,
    pub(super) user: String,
    pub(super) comment: String,
    pub(super) log: String,
}

/// A commit that waits for its confirmation.
pub(super) struct Pending {
    deadline: Instant,
    /// What comes back.
    before: String,
    /// The name by which anybody may confirm it, else the session that must.
    pub(super) persist: Option<String>,
    pub(super) session: u64,
}

pub(super) struct State {
    pub(super) options: Options,
    begun: Instant,
    pub(super) candidate: String,
    /// Candidates of sessions that opened one of their own.
    pub(super) private: BTreeMap<u64, String>,
    pub(super) lock: Option<u64>,
    pub(super) commits: Vec<Commit>,
    pub(super) pending: Option<Pending>,
    pub(super) operations: Vec<String>,
    pub(super) killed: Vec<u64>,
    /// Where something goes wrong, how often it still goes well before that, and what it is.
    pub(super) fault: Option<(String, usize, Fault)>,
    sessions: u64,
    peering: Option<Peering>,
}

/// An error as RFC 6241 has it.
pub(super) struct Refusal {
    pub(super) tag: &'static str,
    pub(super) message: String,
    pub(super) info: String,
}

impl Refusal {
    pub(super) fn new(tag: &'static str, message: impl Into<String>) -> Self {
        Self { tag, message: message.into(), info: String::new() }
    }

    pub(super) fn unknown(element: &str) -> Self {
        let info = format!("<bad-element>{element}</bad-element>");
        Self { tag: "unknown-element", message: "syntax error".into(), info }
    }

    pub(super) fn xml(&self) -> String {
        let info = if self.info.is_empty() {
            String::new()
        } else {
            format!("<error-info>{}</error-info>", self.info)
        };
        format!(
            "<rpc-error><error-type>protocol</error-type><error-tag>{}</error-tag><error-severity>error</error-severity>\
             <error-message>\n{}\n</error-message>{info}</rpc-error>",
            self.tag,
            escape(&self.message)
        )
    }
}

impl State {
    pub(super) fn new(options: Options, others: Option<Others>) -> Self {
        let first = Commit {
            config: options.config.clone(),
            at: EPOCH,
            user: "root".into(),
            comment: String::new(),
            log: String::new(),
        };
        Self {
            peering: others.map(|others| Peering::new(others, &peers(options.kind, &options.config))),
            candidate: options.config.clone(),
            options,
            begun: Instant::now(),
            private: BTreeMap::new(),
            lock: None,
            commits: vec![first],
            pending: None,
            operations: Vec::new(),
            killed: Vec::new(),
            fault: None,
            sessions: 100,
        }
    }

    /// What goes wrong with what is asked for now.
    pub(super) fn strikes(&mut self, at: &str) -> Option<Fault> {
        match &mut self.fault {
            Some((place, 0, fault)) if place == at => {
                let fault = *fault;
                self.fault = None;
                Some(fault)
            }
            Some((place, before, _)) if place == at => {
                *before -= 1;
                None
            }
            _ => None,
        }
    }

    pub(super) fn running(&self) -> &str {
        self.commits.first().map_or("", |commit| &commit.config)
    }

    /// The router's clock.
    pub(super) fn now(&self) -> u64 {
        let minutes = self.begun.elapsed().as_secs_f64() / self.options.minute.as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test is short")]
        let seconds = (minutes * 60.0) as u64;
        EPOCH + seconds
    }

    pub(super) fn begin(&mut self) -> u64 {
        self.sessions += 1;
        self.sessions
    }

    /// A session ended: its lock is free, its candidate gone, and what only it could confirm is undone.
    pub(super) fn end(&mut self, session: u64) {
        self.private.remove(&session);
        if self.lock == Some(session) {
            self.lock = None;
            self.candidate = self.running().to_owned();
        }
        if self.options.kind == Kind::IosXr
            && self.pending.as_ref().is_some_and(|one| one.persist.is_none() && one.session == session)
        {
            self.undo();
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if self.pending.as_ref().is_some_and(|one| one.deadline <= now) {
            self.undo();
        }
    }

    /// Goes back to what was before the commit that waits.
    pub(super) fn undo(&mut self) {
        if let Some(pending) = self.pending.take() {
            let is_same = self.candidate == self.running();
            self.commit(pending.before, "root", "", "");
            if is_same {
                self.candidate = self.running().to_owned();
            }
        }
    }

    pub(super) fn commit(&mut self, config: String, user: &str, comment: &str, log: &str) {
        let commit =
            Commit { config, at: self.now(), user: user.into(), comment: comment.into(), log: log.into() };
        self.commits.insert(0, commit);
        // What comes of it begins now, whether or not somebody asks.
        self.bgp();
    }

    /// The sessions that there are now; `None` where answers are given.
    pub(super) fn bgp(&mut self) -> Option<Vec<Session>> {
        let peering = self.peering.as_mut()?;
        let config = self.commits.first().map_or("", |commit| &commit.config);
        Some(peering.sessions(&peers(self.options.kind, config)))
    }

    /// Commits for some seconds of the router's; `before` is what comes back.
    pub(super) fn wait(&mut self, seconds: u64, before: String, persist: Option<String>, session: u64) {
        let deadline = Instant::now()
            + self.options.minute.mul_f64(f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) / 60.0);
        // A second one has the first one's past.
        let before = self.pending.take().map_or(before, |one| one.before);
        self.pending = Some(Pending { deadline, before, persist, session });
    }
}

fn peers(kind: Kind, config: &str) -> Peers {
    match kind {
        Kind::Junos => junos_bgp::peers(config),
        Kind::IosXr => iosxr_bgp::peers(config),
    }
}

/// What is different, line by line.
pub(super) fn difference(old: &str, new: &str) -> String {
    let mut out = String::new();
    for line in old.lines().filter(|line| !new.lines().any(|other| other == *line)) {
        let _ = writeln!(out, "-  {line}");
    }
    for line in new.lines().filter(|line| !old.lines().any(|other| other == *line)) {
        let _ = writeln!(out, "+  {line}");
    }
    out
}
