//! A change of the configuration: a session that is loaded, committed with a timer, confirmed or aborted.
//!
//! A session is a copy of the whole configuration: what others changed since it was begun is undone by its commit. So the
//! configuration is compared again before that.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::SecureRandom;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Format, Trouble};
use super::{Eos, lines};
use crate::driver::{Candidate, ConfigText, How, Pending, Platform};
use crate::mask::json_error;
use crate::netconf::change_id;
use crate::{Diff, Error, Step};

/// Where the configuration from before the last commit lies; it may be that of another change by now.
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

/// A short name for a configuration. The lines that begin with `!` say when and how it was shown.
fn digest(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.starts_with('!')).collect();
    change_id(None, lines.join("\n").trim())
}

/// What the id of a change is made of: `session/after/before`, of which the second may be empty, and both are missing where
/// the switch itself was asked what waits.
struct Names<'a> {
    session: &'a str,
    /// The short name of what ran after the commit, once that is known.
    after: Option<&'a str>,
    /// The short name of what ran before it.
    before: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(id: &'a str) -> Self {
        let mut parts = id.split('/');
        let session = parts.next().unwrap_or_default();
        let mut next = || parts.next().filter(|part| !part.is_empty());
        Self { session, after: next(), before: next() }
    }
}

/// Where a change stands for which no timer runs.
enum Place {
    /// It is in force.
    Kept,
    /// What runs is what was there before it.
    Undone,
    /// Something else runs.
    Overtaken,
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
        let before = self.runs(Step::Load).await?;
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

    /// A short name for what runs.
    async fn runs(&self, step: Step) -> Result<String, Error> {
        Ok(digest(&self.config_text(step).await?))
    }

    async fn commit_session(&self, name: &str, before: &str, timer: Duration) -> Result<Pending, Error> {
        let mut change = named(name, before, timer);
        let seconds = change.seconds;
        if seconds > LONGEST {
            return Err(Error::Rejected {
                host: self.host().to_owned(),
                step: Step::Commit,
                message: format!("a commit timer of {seconds} s; EOS takes less than 24 hours"),
            });
        }
        self.free(&self.sessions(Step::Commit).await?, name)?;
        if self.runs(Step::Commit).await? != before {
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
        let after = self.runs(Step::Commit).await.map_err(Error::unclear)?;
        change.id = format!("{name}/{after}/{before}");
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
        let names = self.checked(&change.id, Step::Confirm)?;
        let name = names.session;
        if self.sessions(Step::Confirm).await?.is_waiting(name) {
            let commands =
                ["show configuration sessions detail", &format!("configure session {name} commit")];
            let answers = self.api.ask(Step::Confirm, self.limit(), &commands, Format::Json).await?;
            // The timer may have run out between the two questions; then the commit did what it found.
            let sessions: Sessions = serde_json::from_str(answers[0].get())
                .map_err(|error| self.unreadable(Step::Confirm, json_error(&error)))?;
            if !sessions.is_waiting(name) {
                self.kept(&names).await?;
            }
            let after = self.sessions(Step::Confirm).await?;
            if after.is_waiting(name) {
                return Err(Error::Failed {
                    host: self.host().to_owned(),
                    step: Step::Confirm,
                    message: format!("the timer of session {name} still runs"),
                });
            }
        } else {
            self.kept(&names).await?;
        }
        match self.api.ask(Step::Confirm, self.limit(), &["write memory"], Format::Json).await {
            Ok(_) => Ok(()),
            Err(Error::Failed { host, message, .. }) => Err(Error::NotSaved { host, message }),
            Err(error) => Err(Error::NotSaved { host: self.host().to_owned(), message: error.to_string() }),
        }
    }

    /// A change for which no timer runs was confirmed, perhaps by a call whose answer was lost.
    async fn kept(&self, names: &Names<'_>) -> Result<(), Error> {
        match self.place(names, Step::Confirm).await? {
            Place::Kept => Ok(()),
            Place::Undone => Err(Error::RolledBack { host: self.host().to_owned() }),
            Place::Overtaken => Err(self.overtaken(Step::Confirm)),
        }
    }

    /// Where a change stands for which no timer runs. The switch remembers few sessions, so what runs tells.
    async fn place(&self, names: &Names<'_>, step: Step) -> Result<Place, Error> {
        let runs = self.runs(step).await?;
        if names.after == Some(&*runs) {
            return Ok(Place::Kept);
        }
        if names.before == Some(&*runs) {
            return Ok(Place::Undone);
        }
        // The answer to its commit was lost, so that nobody knows what ran then.
        let is_kept = names.after.is_none()
            && self.sessions(step).await?.is_last_completed(names.session)
            && match self.session_diff(step, names.session).await {
                Ok(text) => signs(&text).next().is_none(),
                // It is forgotten.
                Err(Error::Failed { .. }) => false,
                Err(error) => return Err(error),
            };
        Ok(if is_kept { Place::Kept } else { Place::Overtaken })
    }

    fn overtaken(&self, step: Step) -> Error {
        let message = "no timer runs for it, and what runs is neither what was committed nor what was there before; somebody \
                       changed it since: compare them"
            .to_owned();
        Error::Failed { host: self.host().to_owned(), step, message }
    }

    /// The switch itself refuses to abort a session that was confirmed meanwhile.
    pub(super) async fn cancel_change(&self, change: &Pending) -> Result<bool, Error> {
        // One that was made by other means may have a name that no session has.
        let Ok(Names { session: name, .. }) = self.checked(&change.id, Step::RollBack) else {
            return Ok(false);
        };
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
        let step = Step::RollBack;
        let cancelled = self.cancel_change(change).await?;
        let names = self.checked(&change.id, step)?;
        match self.place(&names, step).await? {
            Place::Undone => return Ok(()),
            // Who does not know what ran before the commit has the switch's word that no timer runs any more.
            _ if cancelled && names.before.is_none() => return Ok(()),
            _ if cancelled => {
                let message =
                    "the switch says that it aborted the session, and does not run what was there before";
                return Err(self.not_restored(message.to_owned()));
            }
            Place::Overtaken => return Err(self.overtaken(step)),
            Place::Kept => {}
        }
        self.free(&self.sessions(step).await?, names.session)?;
        self.replace(&names).await?;
        match self.api.ask(step, self.limit(), &["write memory"], Format::Json).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::NotSaved { host: self.host().to_owned(), message: error.to_string() }),
        }
    }

    /// Puts into force what was there before a change, if the switch still has that.
    async fn replace(&self, names: &Names<'_>) -> Result<(), Error> {
        let step = Step::RollBack;
        let show = format!("more {BEFORE}");
        let kept = match self.api.texts(step, self.limits.read, &[&show]).await {
            Ok(mut texts) => texts.pop().unwrap_or_default(),
            Err(Error::Failed { message, .. }) => return Err(self.not_restored(message)),
            Err(error) => return Err(error),
        };
        if names.before.is_none_or(|before| before != digest(&kept)) {
            let message =
                format!("{BEFORE} holds something else than what was there before; nothing was changed");
            return Err(Error::Failed { host: self.host().to_owned(), step, message });
        }
        let command = format!("configure replace {BEFORE}");
        match self.api.ask(step, self.limit(), &[&command], Format::Json).await {
            Ok(_) => {}
            Err(Error::Failed { message, .. }) => return Err(self.not_restored(message)),
            Err(error) => return Err(error),
        }
        if names.before == Some(&*self.runs(step).await?) {
            return Ok(());
        }
        let message = "the switch says that it put back what was there before, and runs something else";
        Err(self.not_restored(message.to_owned()))
    }

    fn not_restored(&self, message: String) -> Error {
        Error::NotRestored { host: self.host().to_owned(), message, place: BEFORE.to_owned() }
    }

    /// The name of a change, of which that of its session becomes part of a command.
    fn checked<'a>(&self, id: &'a str, step: Step) -> Result<Names<'a>, Error> {
        let names = Names::of(id);
        let name = names.session;
        let fine = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if fine {
            return Ok(names);
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

/// The change that a session makes of a configuration with this short name.
fn named(name: &str, before: &str, timer: Duration) -> Pending {
    let seconds = (timer.as_secs() + u64::from(timer.subsec_nanos() > 0)).max(1);
    Pending { platform: Platform::Eos, id: format!("{name}//{before}"), seconds }
}

struct EosCandidate<'a> {
    eos: &'a Eos,
    name: String,
    diff: Diff,
    before: String,
}

#[async_trait]
impl Candidate for EosCandidate<'_> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    fn change(&self, timer: Duration) -> Option<Pending> {
        Some(named(&self.name, &self.before, timer))
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        let committed = self.eos.commit_session(&self.name, &self.before, timer).await;
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
