//! Changing IOS-XR's configuration: a candidate as text, the router's own difference, a commit that is undone unless it is
//! confirmed by its id.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{CLI, IosXr};
use crate::driver::{Candidate, ConfigText, How, Pending, Platform};
use crate::netconf::candidate::{Changes, Loaded, Made, Slot};
use crate::netconf::xml::{self, escape};
use crate::netconf::{Capability, Datastore, RpcError, Session, change_id};
use crate::{Diff, Error, Step};

const DIFF: &str = "<get-cli-config-diff xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-cli-diff-act\"/>";
const ROLL_BACK: &str = "<roll-back-configuration-last xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-cfgmgr-rollback-act\">\
    <count>1</count></roll-back-configuration-last>";

#[async_trait]
impl Changes for IosXr {
    async fn commit_loaded(&self, made: &Made, timer: Duration) -> Result<Pending, Error> {
        if self.digest(Step::Commit).await? != made.base {
            return Err(Error::Changed { host: self.host().to_owned() });
        }
        let mut change = self.named(made, timer);
        let persist = Names::of(&change.id).persist;
        self.session.commit_for(change.seconds, persist).await?;
        let until = Instant::now() + Duration::from_secs(change.seconds);
        *self.waiting.lock().await = Some((change.clone(), until));
        change.id = self.committed(&change.id).await.map_err(Error::unclear)?;
        *self.waiting.lock().await = Some((change.clone(), until));
        Ok(change)
    }

    fn named(&self, made: &Made, timer: Duration) -> Pending {
        let seconds = (timer.as_secs() + u64::from(timer.subsec_nanos() > 0)).max(1);
        // Without a name of the router's, only this session can confirm.
        let persist = if self.session.can(Capability::PersistentCommit) { made.id.as_str() } else { "" };
        let id = format!("{persist}//{}", made.base);
        Pending { platform: Platform::IosxrNetconf, id, seconds }
    }

    async fn take_away(&self) -> Result<(), Error> {
        let mut result = self.session.discard_changes().await;
        if !self.always_locked && !matches!(result, Err(Error::Timeout { .. })) {
            result = result.and(self.session.unlock(Datastore::Candidate).await);
        }
        if result.is_ok() {
            *self.slot.dirty.lock().await = false;
        }
        result
    }

    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn session(&self) -> &Session {
        &self.session
    }
}

impl IosXr {
    fn failed(&self, step: Step, message: impl Into<String>) -> Error {
        Error::Failed { host: self.host().to_owned(), step, message: message.into() }
    }

    fn rolled_back(&self) -> Error {
        Error::RolledBack { host: self.host().to_owned() }
    }

    pub(super) async fn load_candidate<'a>(
        &'a self,
        how: How,
        text: &ConfigText,
    ) -> Result<Box<dyn Candidate + 'a>, Error> {
        let step = Step::Load;
        if !self.session.can(Capability::ConfirmedCommit) {
            let message =
                "the router does not offer to undo a commit (confirmed-commit); nothing is changed on it";
            return Err(self.failed(step, message));
        }
        self.clean_up().await;
        if let Some(change) = self.own().await {
            let holder = format!("a commit of this connection, {}", change.id);
            return Err(Error::Busy { host: self.host().to_owned(), holder });
        }
        let turn = self.slot.turn();
        if let Some(refusal) = self.lock(step).await? {
            return Err(self.session.unlocked(step, refusal));
        }
        let config = format!("<cli xmlns=\"{CLI}\">{}</cli>", escape(text.expose()));
        let loaded = match how {
            How::Merge => self.session.edit_candidate(&config).await,
            How::Replace => self.session.replace_candidate(&config).await,
        };
        let compared = match loaded {
            Ok(_) => self.compared(step).await,
            Err(error) => Err(error),
        };
        match compared {
            Ok((base, diff)) => {
                let id = format!("peering-manager-{}", change_id(self.session.id(), text.expose()));
                Ok(Box::new(Loaded { driver: self, made: Made { id, base }, turn, diff }))
            }
            Err(error) => {
                self.tidy(Some(&error)).await;
                Err(error)
            }
        }
    }

    /// Takes the candidate for this connection, where it has not got it already; gives what the router says if it is not to be had.
    async fn lock(&self, step: Step) -> Result<Option<RpcError>, Error> {
        // Marked first: who is interrupted here may have the lock.
        *self.slot.dirty.lock().await = true;
        if self.always_locked {
            return Ok(None);
        }
        let locked = self.session.try_lock(step, Datastore::Candidate).await;
        match &locked {
            Ok(None) => {}
            // It may have the lock all the same.
            Err(error @ Error::Timeout { .. }) => self.tidy(Some(error)).await,
            Ok(Some(_)) | Err(_) => *self.slot.dirty.lock().await = false,
        }
        locked
    }

    /// What runs, by its short name, and what the candidate changes of it.
    async fn compared(&self, step: Step) -> Result<(String, Diff), Error> {
        // In this order: what is changed in between is seen before the commit.
        let base = self.digest(step).await?;
        Ok((base, self.difference(step).await?))
    }

    /// The name of a change that was just committed. It says what runs now, by which it is known later.
    async fn committed(&self, id: &str) -> Result<String, Error> {
        let step = Step::Commit;
        // An `ok` is not believed: what is committed differs no more.
        if !self.difference(step).await?.is_empty() {
            let message = "the router says that it committed, and the candidate still differs from what runs";
            return Err(self.failed(step, message));
        }
        let Names { persist, before, .. } = Names::of(id);
        let after = self.digest(step).await?;
        Ok(format!("{}/{after}/{}", persist.unwrap_or_default(), before.unwrap_or_default()))
    }

    /// What the candidate changes, as the router sees it.
    async fn difference(&self, step: Step) -> Result<Diff, Error> {
        let reply = self.session.rpc(step, DIFF).await?;
        let text = xml::text_at(&reply.text, &["rpc-reply", "*"])
            .map_err(|why| self.session.unreadable(step, why))?
            .unwrap_or_default();
        Ok(read_diff(&text))
    }

    /// A short name for what runs.
    async fn digest(&self, step: Step) -> Result<String, Error> {
        let text = self.config(step, Datastore::Running).await?;
        // The first lines say when it was last changed.
        let lines: Vec<&str> =
            text.lines().map(str::trim_end).filter(|line| !line.starts_with("!!")).collect();
        Ok(change_id(None, lines.join("\n").trim()))
    }

    /// This connection's own change, as long as it may wait.
    pub(super) async fn own(&self) -> Option<Pending> {
        let mut waiting = self.waiting.lock().await;
        if waiting.as_ref().is_some_and(|(_, until)| *until <= Instant::now()) {
            *waiting = None;
        }
        waiting.as_ref().map(|(change, _)| change.clone())
    }

    /// Whether this connection made it, and it may still wait.
    async fn is_own(&self, names: &Names<'_>) -> bool {
        self.own().await.is_some_and(|own| {
            let own = Names::of(&own.id);
            own.persist == names.persist && own.before == names.before
        })
    }

    /// Whether the router can be asked by this name; without one it knows the session alone.
    async fn can_be_named(&self, names: &Names<'_>) -> bool {
        names.persist.is_some() || self.is_own(names).await
    }

    /// It waits no more.
    async fn forget(&self, names: &Names<'_>) {
        if self.is_own(names).await {
            *self.waiting.lock().await = None;
        }
    }

    fn refused(&self, step: Step, error: &RpcError) -> Error {
        if error.is_lock() {
            return Error::Busy { host: self.host().to_owned(), holder: error.holder() };
        }
        self.failed(step, error.text())
    }

    /// Asks for the confirmation of a change, which is a commit like any other (RFC 6241, section 8.4.1): what somebody else has
    /// in the candidate would come into force with it. So nobody may have anything there meanwhile.
    async fn confirm_alone(&self, persist: Option<&str>) -> Result<Vec<RpcError>, Error> {
        let step = Step::Confirm;
        let is_locked = match self.lock(step).await? {
            None => true,
            // Some servers give no lock to anybody while a commit waits.
            Some(refusal) if refusal.tag == "in-use" && refusal.session.is_none() => false,
            Some(refusal) => return Err(self.session.unlocked(step, refusal)),
        };
        match self.difference(step).await {
            Ok(edits) if edits.is_empty() => {
                let confirmed = self.session.confirm(persist).await;
                self.tidy(confirmed.as_ref().err()).await;
                confirmed.map(|(_, errors)| errors)
            }
            Ok(_) => {
                // It was there before the lock, and is not to be taken away.
                *self.slot.dirty.lock().await = false;
                if is_locked && !self.always_locked {
                    self.session.unlock(Datastore::Candidate).await?;
                }
                let holder = "somebody who has edited the candidate and not committed".to_owned();
                Err(Error::Busy { host: self.host().to_owned(), holder })
            }
            Err(error) => {
                self.tidy(Some(&error)).await;
                Err(error)
            }
        }
    }

    pub(super) async fn confirm_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::Confirm;
        self.clean_up().await;
        let names = Names::of(&change.id);
        let (mut is_confirmed, mut refused) = (false, None);
        // Where it has no name, a commit would put somebody else's candidate into force.
        if self.can_be_named(&names).await {
            match self.confirm_alone(names.persist).await {
                Ok(errors) => match errors.iter().find(|error| !error.is_warning) {
                    None => is_confirmed = true,
                    // It was confirmed before, or undone.
                    Some(error) if is_unknown(error) => {}
                    Some(error) => refused = Some(self.refused(step, error)),
                },
                Err(error @ (Error::Busy { .. } | Error::Failed { .. })) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        let runs = self.digest(step).await?;
        let is_in_force = names.after.map_or(is_confirmed, |after| after == runs);
        let is_back = !is_in_force && names.before == Some(&*runs);
        if let Some(error) = refused.filter(|_| !is_back) {
            return Err(error);
        }
        self.forget(&names).await;
        if is_in_force {
            return Ok(());
        }
        if is_confirmed {
            let message = "the router confirmed it, and what runs is not what was committed; somebody changed it since: \
                           compare them";
            return Err(self.failed(step, message));
        }
        if names.before.is_none_or(|before| before == runs) {
            return Err(self.rolled_back());
        }
        let message = "it waits for no confirmation, and what runs is neither what was committed nor what was there before; \
                       somebody changed it since: compare them";
        Err(self.failed(step, message))
    }

    pub(super) async fn cancel_change(&self, change: &Pending) -> Result<bool, Error> {
        let step = Step::RollBack;
        self.clean_up().await;
        let names = Names::of(&change.id);
        if !self.can_be_named(&names).await {
            // It went with the session that made it.
            return Ok(false);
        }
        let (_, errors) = self.session.cancel_commit(names.persist).await?;
        let cancelled = match errors.iter().find(|error| !error.is_warning) {
            None => true,
            Some(error) if is_unknown(error) => false,
            // Not every server says that it knows no such change: then what runs tells whether there is something to undo.
            Some(error) if error.is_lock() || names.before != Some(&*self.digest(step).await?) => {
                return Err(self.refused(step, error));
            }
            Some(_) => false,
        };
        // An `ok` is not believed.
        if cancelled
            && names.after.is_some()
            && names.after != names.before
            && names.after == Some(&*self.digest(step).await?)
        {
            return Err(
                self.not_restored("the router says that it cancelled the commit, and it is in force still")
            );
        }
        self.forget(&names).await;
        Ok(cancelled)
    }

    fn not_restored(&self, message: &str) -> Error {
        Error::NotRestored {
            host: self.host().to_owned(),
            message: message.to_owned(),
            place: "`rollback configuration last 1`".to_owned(),
        }
    }

    pub(super) async fn undo_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::RollBack;
        if self.cancel_change(change).await? {
            return Ok(());
        }
        let names = Names::of(&change.id);
        let runs = self.digest(step).await?;
        if names.before.is_some_and(|before| before == runs) {
            return Ok(());
        }
        if names.after.is_none_or(|after| after != runs) {
            let message = "what runs is neither what was committed nor what was there before; somebody changed it since, and \
                           nothing is undone: compare them";
            return Err(self.failed(step, message));
        }
        // It is confirmed and in force, so that the last commit is this one.
        self.session.rpc(step, ROLL_BACK).await?;
        if names.before.is_some_and(|before| before == runs)
            || names.before == Some(&*self.digest(step).await?)
        {
            return Ok(());
        }
        Err(self.not_restored("the router says that it rolled back, and does not run what was there before"))
    }
}

/// What the id of a change is made of: `persist/after/before`, of which the first two may be empty.
pub(super) struct Names<'a> {
    /// The name under which the router knows it.
    pub(super) persist: Option<&'a str>,
    /// The short name of what ran after it, once that is known.
    after: Option<&'a str>,
    /// The short name of what ran before it.
    before: Option<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(id: &'a str) -> Self {
        let mut parts = id.split('/').map(|part| Some(part).filter(|part| !part.is_empty()));
        let mut next = || parts.next().flatten();
        Self { persist: next(), after: next(), before: next() }
    }
}

/// Whether the server knows no such change.
fn is_unknown(error: &RpcError) -> bool {
    let message = error.message.to_ascii_lowercase();
    matches!(
        error.tag.as_str(),
        "invalid-value" | "data-missing" | "operation-failed" | "operation-not-supported"
    ) && (error.tag == "invalid-value"
        || message.contains("no pending")
        || message.contains("not found")
        || message.contains("no confirmed")
        || message.contains("persist"))
}

/// The router's difference, without what stands above and below it.
pub(super) fn read_diff(text: &str) -> Diff {
    let lines = text.trim_matches('\n').lines().map(str::trim_end).filter(|line| {
        !line.is_empty()
            && !line.starts_with("!!")
            && *line != "end"
            && !line.starts_with("Building configuration")
    });
    Diff::from_lines(lines.map(|line| match line.chars().next() {
        Some(sign @ ('+' | '-')) => (sign, &line[1..]),
        Some('!' | '#') | None => (' ', line),
        Some(' ') => (' ', &line[1..]),
        // Without signs it is what is added.
        Some(_) => ('+', line),
    }))
}
