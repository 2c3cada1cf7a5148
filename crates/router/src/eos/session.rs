//! A change of the configuration: a session that is loaded, committed with a timer, confirmed or aborted.
//!
//! A session is a copy of the whole configuration: what others changed since it was begun is undone by its commit. So the
//! configuration is compared again before that.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::SecureRandom;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Format, Trouble};
use super::{Eos, lines};
use crate::driver::{Candidate, ConfigText, How, Pending, Platform};
use crate::mask::json_error;
use crate::{Diff, Error, Step};

/// Where the configuration from before the last commit lies.
const BEFORE: &str = "flash:pm-rollback";
/// How long the session of a switch that has stopped answering may take to be aborted.
const FAREWELL: Duration = Duration::from_secs(2);
/// What the names of our sessions begin with; the switch's uptime in seconds at their beginning and a random number follow.
const OURS: &str = "pm-";
/// After so many seconds nobody commits a session of ours any more: it is from a process that died.
const ABANDONED: u64 = 15 * 60;
/// The longest timer: it is given as `HH:MM:SS`.
const LONGEST: u64 = 24 * 3600 - 1;

/// `show configuration sessions detail`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sessions {
    #[serde(default, rename = "sessions")]
    all: BTreeMap<String, Session>,
    /// Since EOS 4.32; before it, the session's own `state` and `commitBy` tell.
    #[serde(default)]
    commit_timer_session_name: Option<String>,
    #[serde(default)]
    commit_timer_expire_time: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Session {
    #[serde(default)]
    state: String,
    #[serde(default)]
    commit_by: Option<f64>,
    #[serde(default)]
    completed_time: Option<f64>,
}

impl Sessions {
    /// The one whose timer runs, and when it ends, in seconds since the switch started.
    fn waiting(&self) -> Option<(&str, Option<f64>)> {
        if let Some(name) = self.commit_timer_session_name.as_deref().filter(|name| !name.is_empty()) {
            return Some((name, self.commit_timer_expire_time));
        }
        let waits = |one: &&Session| one.state.contains("pendingCommitTimer");
        self.all.iter().find(|(_, one)| waits(one)).map(|(name, one)| (name.as_str(), one.commit_by))
    }

    fn is_waiting(&self, name: &str) -> bool {
        self.waiting().is_some_and(|(waiting, _)| waiting == name)
    }

    /// Names of the other sessions that someone has open.
    fn open(&self, except: &str) -> Vec<&str> {
        let waiting = self.waiting().map_or("", |(name, _)| name);
        let open = self.all.iter().filter(|(name, one)| *name == waiting || one.state == "pending");
        let mut names: Vec<&str> =
            open.map(|(name, _)| name.as_str()).filter(|name| *name != except).collect();
        if !waiting.is_empty() && waiting != except && !names.contains(&waiting) {
            names.push(waiting);
        }
        names
    }

    /// Names of our sessions that were begun so long ago that nobody commits them any more.
    fn abandoned(&self, uptime: u64) -> Vec<String> {
        let old = |name: &str| {
            let begun = name.strip_prefix(OURS).and_then(|rest| rest.split('-').next());
            let begun: Option<u64> = begun.and_then(|begun| begun.parse().ok());
            begun.is_some_and(|begun| uptime.saturating_sub(begun) > ABANDONED)
        };
        let open = self.all.iter().filter(|(name, one)| one.state == "pending" && !self.is_waiting(name));
        open.map(|(name, _)| name.clone()).filter(|name| old(name)).collect()
    }

    /// Whether it was completed, and none after it.
    fn is_last_completed(&self, name: &str) -> bool {
        let completed = |one: &Session| one.completed_time.filter(|_| one.state == "completed");
        let Some(ours) = self.all.get(name).and_then(completed) else { return false };
        self.all.values().filter_map(completed).all(|other| other <= ours)
    }
}

/// Reads a list of sessions, whatever it is.
pub(super) fn look(text: &str) {
    if let Ok(sessions) = serde_json::from_str::<Sessions>(text) {
        let _ = (sessions.waiting(), sessions.open(""), sessions.is_last_completed("x"));
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Eos {
    fn refused(&self, step: Step, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Refused(message) => Error::Rejected { host: self.host().to_owned(), step, message },
            Trouble::Error(error) => error,
        }
    }

    fn limit(&self) -> Duration {
        self.limits.change
    }

    async fn sessions(&self, step: Step) -> Result<Sessions, Error> {
        let answers = self
            .api
            .ask(step, self.limits.read, &["show configuration sessions detail"], Format::Json)
            .await?;
        let text = answers.first().map_or("{}", |answer| answer.get());
        serde_json::from_str(text).map_err(|error| self.api.http.unreadable(step, json_error(&error)))
    }

    fn free(&self, sessions: &Sessions, except: &str) -> Result<(), Error> {
        let open = if self.without_lock {
            sessions.waiting().map(|(name, _)| name).filter(|name| *name != except).into_iter().collect()
        } else {
            sessions.open(except)
        };
        if open.is_empty() {
            return Ok(());
        }
        Err(Error::Busy { host: self.host().to_owned(), holder: format!("session {}", open.join(", ")) })
    }

    pub(super) async fn load_candidate(
        &self,
        how: How,
        text: &ConfigText,
    ) -> Result<Box<dyn Candidate + '_>, Error> {
        let mut octets = [0_u8; 6];
        ring::rand::SystemRandom::new().fill(&mut octets).map_err(|_| Error::Failed {
            host: self.host().to_owned(),
            step: Step::Load,
            message: "there is no randomness here to name the session with".to_owned(),
        })?;
        let number = octets.iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
        let (mut sessions, uptime) = self.sessions_and_uptime(Step::Load).await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below zero")]
        let uptime = uptime.unwrap_or_default().max(0.0) as u64;
        let name = format!("{OURS}{uptime}-{number:012x}");
        for old in sessions.abandoned(uptime) {
            tracing::info!(session = old, "aborting a session that nobody will commit");
            self.abort(Step::Load, self.limit(), &old).await?;
            sessions.all.remove(&old);
        }
        self.free(&sessions, &name)?;
        let before = hash(&self.config_text(Step::Load).await?);
        let mut commands = vec![json!(format!("configure session {name}"))];
        if how == How::Replace {
            commands.push(json!("rollback clean-config"));
        }
        commands.extend(lines::commands(text.expose()));
        commands.push(json!("end"));
        if let Err(trouble) = self.api.run(Step::Load, self.limit(), commands, Format::Json).await {
            let error = self.refused(Step::Load, trouble);
            self.abort_quietly(&name, &error).await;
            return Err(error);
        }
        match self.session_diff(Step::Load, &name).await {
            Ok(text) => {
                let diff = Diff::from_lines(signs(&text));
                Ok(Box::new(EosCandidate { eos: self, name, diff, before }))
            }
            Err(error) => {
                self.abort_quietly(&name, &error).await;
                Err(error)
            }
        }
    }

    async fn session_diff(&self, step: Step, name: &str) -> Result<String, Error> {
        let command = format!("show session-config named {name} diffs");
        Ok(self.api.texts(step, self.limits.read, &[&command]).await?.pop().unwrap_or_default())
    }

    async fn abort(&self, step: Step, limit: Duration, name: &str) -> Result<(), Error> {
        let command = format!("configure session {name} abort");
        self.api.ask(step, limit, &[&command], Format::Json).await.map(drop)
    }

    /// After a failure, which is told next.
    async fn abort_quietly(&self, name: &str, failed: &Error) {
        let silent = matches!(failed, Error::Timeout { .. });
        let limit = if silent { self.limit().min(FAREWELL) } else { self.limit() };
        if let Err(error) = self.abort(Step::Discard, limit, name).await {
            tracing::debug!(session = name, %error, "the session could not be aborted");
        }
    }

    async fn commit_session(&self, name: &str, before: u64, timer: Duration) -> Result<Pending, Error> {
        let change = named(name, timer);
        let seconds = change.seconds;
        if seconds > LONGEST {
            return Err(Error::Rejected {
                host: self.host().to_owned(),
                step: Step::Commit,
                message: format!("a commit timer of {seconds} s; EOS takes less than 24 hours"),
            });
        }
        self.free(&self.sessions(Step::Commit).await?, name)?;
        if hash(&self.config_text(Step::Commit).await?) != before {
            return Err(Error::Changed { host: self.host().to_owned() });
        }
        let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let commands = [
            json!(format!("copy running-config {BEFORE}")),
            json!(format!("configure session {name} commit timer {clock}")),
        ];
        let committed = self.api.run(Step::Commit, self.limit(), commands, Format::Json).await;
        committed.map_err(|trouble| self.refused(Step::Commit, trouble))?;
        if !self.sessions(Step::Commit).await.map_err(Error::unclear)?.is_waiting(name) {
            return Err(Error::Unclear {
                host: self.host().to_owned(),
                message: format!(
                    "the switch says that it committed session {name}, and its timer does not run"
                ),
            });
        }
        Ok(change)
    }

    /// The sessions, and for how many seconds the switch has run.
    async fn sessions_and_uptime(&self, step: Step) -> Result<(Sessions, Option<f64>), Error> {
        let commands = ["show configuration sessions detail", "show version"];
        let answers = self.api.ask(step, self.limits.read, &commands, Format::Json).await?;
        let unreadable = |error: serde_json::Error| self.api.http.unreadable(step, json_error(&error));
        let sessions: Sessions = serde_json::from_str(answers[0].get()).map_err(unreadable)?;
        let version: Value = serde_json::from_str(answers[1].get()).map_err(unreadable)?;
        Ok((sessions, version.get("uptime").and_then(Value::as_f64)))
    }

    pub(super) async fn find_pending(&self) -> Result<Option<Pending>, Error> {
        let (sessions, uptime) = self.sessions_and_uptime(Step::Pending).await?;
        let Some((name, until)) = sessions.waiting() else { return Ok(None) };
        let left = until.unwrap_or(0.0) - uptime.unwrap_or(f64::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not below zero, and a day at most"
        )]
        let seconds = left.clamp(0.0, 86_400.0).ceil() as u64;
        Ok(Some(Pending { platform: Platform::Eos, id: name.to_owned(), seconds }))
    }

    pub(super) async fn confirm_change(&self, change: &Pending) -> Result<(), Error> {
        let name = self.checked(&change.id, Step::Confirm)?;
        if self.sessions(Step::Confirm).await?.is_waiting(name) {
            let commands =
                ["show configuration sessions detail", &format!("configure session {name} commit")];
            let answers = self.api.ask(Step::Confirm, self.limit(), &commands, Format::Json).await?;
            // The timer may have run out between the two questions; then the commit did what it found.
            let sessions: Sessions = serde_json::from_str(answers[0].get())
                .map_err(|error| self.unreadable(Step::Confirm, json_error(&error)))?;
            if !sessions.is_waiting(name) && !self.is_in_force(name).await? {
                return Err(Error::RolledBack { host: self.host().to_owned() });
            }
            let after = self.sessions(Step::Confirm).await?;
            if after.is_waiting(name) {
                return Err(Error::Failed {
                    host: self.host().to_owned(),
                    step: Step::Confirm,
                    message: format!("the timer of session {name} still runs"),
                });
            }
        } else if !self.is_in_force(name).await? {
            return Err(Error::RolledBack { host: self.host().to_owned() });
        }
        match self.api.ask(Step::Confirm, self.limit(), &["write memory"], Format::Json).await {
            Ok(_) => Ok(()),
            Err(Error::Failed { host, message, .. }) => Err(Error::NotSaved { host, message }),
            Err(error) => Err(Error::NotSaved { host: self.host().to_owned(), message: error.to_string() }),
        }
    }

    /// Whether a session that no timer waits for was confirmed, perhaps by a call whose answer was lost.
    async fn is_in_force(&self, name: &str) -> Result<bool, Error> {
        if !self.sessions(Step::Confirm).await?.is_last_completed(name) {
            return Ok(false);
        }
        match self.session_diff(Step::Confirm, name).await {
            Ok(text) => Ok(signs(&text).next().is_none()),
            // It is forgotten: nothing says that it is in force.
            Err(Error::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The switch itself refuses to abort a session that was confirmed meanwhile.
    pub(super) async fn cancel_change(&self, change: &Pending) -> Result<bool, Error> {
        // One that was made by other means may have a name that no session has.
        let Ok(name) = self.checked(&change.id, Step::RollBack) else { return Ok(false) };
        if !self.sessions(Step::RollBack).await?.is_waiting(name) {
            return Ok(false);
        }
        self.abort(Step::RollBack, self.limit(), name).await?;
        if self.sessions(Step::RollBack).await?.is_waiting(name) {
            return Err(self.not_restored(format!("the timer of session {name} still runs")));
        }
        Ok(true)
    }

    pub(super) async fn undo_change(&self, change: &Pending) -> Result<(), Error> {
        if self.cancel_change(change).await? {
            return Ok(());
        }
        let name = self.checked(&change.id, Step::RollBack)?;
        let sessions = self.sessions(Step::RollBack).await?;
        if !sessions.is_last_completed(name) {
            return Ok(());
        }
        self.free(&sessions, name)?;
        let commands = [format!("configure replace {BEFORE}"), "write memory".to_owned()];
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        match self.api.ask(Step::RollBack, self.limit(), &commands, Format::Json).await {
            Ok(_) => Ok(()),
            Err(Error::Failed { message, .. }) => Err(self.not_restored(message)),
            Err(error) => Err(error),
        }
    }

    fn not_restored(&self, message: String) -> Error {
        Error::NotRestored { host: self.host().to_owned(), message, place: BEFORE.to_owned() }
    }

    /// The name of a session, which becomes part of a command.
    fn checked<'a>(&self, name: &'a str, step: Step) -> Result<&'a str, Error> {
        let fine = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if fine {
            return Ok(name);
        }
        let message = "the change has no name that a session may have".to_owned();
        Err(Error::Failed { host: self.host().to_owned(), step, message })
    }
}

/// The lines of a difference with their signs, without the two that name what is compared.
pub(super) fn signs(text: &str) -> impl Iterator<Item = (char, &str)> {
    text.lines().filter(|line| !(line.starts_with("--- ") || line.starts_with("+++ "))).filter_map(|line| {
        let sign = line.chars().next()?;
        Some((sign, &line[sign.len_utf8()..]))
    })
}

/// The change that a session makes.
fn named(name: &str, timer: Duration) -> Pending {
    let seconds = (timer.as_secs() + u64::from(timer.subsec_nanos() > 0)).max(1);
    Pending { platform: Platform::Eos, id: name.to_owned(), seconds }
}

struct EosCandidate<'a> {
    eos: &'a Eos,
    name: String,
    diff: Diff,
    before: u64,
}

#[async_trait]
impl Candidate for EosCandidate<'_> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    fn change(&self, timer: Duration) -> Option<Pending> {
        Some(named(&self.name, timer))
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        let committed = self.eos.commit_session(&self.name, self.before, timer).await;
        if let Err(error) = &committed {
            // Without a connection, the timer does it.
            tracing::debug!(session = self.name, %error, "the commit failed; the session is aborted");
            self.eos.abort_quietly(&self.name, error).await;
        }
        committed
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        self.eos.abort(Step::Discard, self.eos.limit(), &self.name).await
    }
}

#[cfg(test)]
mod tests {
    use super::Sessions;

    #[test]
    fn the_waiting_session_in_both_forms() {
        let old: Sessions = serde_json::from_str(
            r#"{"sessions": {"pm-1": {"state": "pendingCommitTimer", "commitBy": 120.5, "instances": {}},
                "x": {"state": "pending"}, "y": {"state": "completed", "completedTime": 4.0}}}"#,
        )
        .unwrap();
        assert_eq!(old.waiting(), Some(("pm-1", Some(120.5))));
        assert_eq!(old.open("x"), ["pm-1"]);
        assert_eq!(old.open("z"), ["pm-1", "x"]);
        assert!(old.is_last_completed("y") && !old.is_last_completed("x"));
        let new: Sessions = serde_json::from_str(
            r#"{"sessions": {"pm-1": {"state": "completed"}}, "commitTimerSessionName": "pm-1", "commitTimerExpireTime": 7.0}"#,
        )
        .unwrap();
        assert_eq!(new.waiting(), Some(("pm-1", Some(7.0))));
        assert_eq!(new.open(""), ["pm-1"]);
        assert!(serde_json::from_str::<Sessions>("{}").unwrap().waiting().is_none());
    }
}
