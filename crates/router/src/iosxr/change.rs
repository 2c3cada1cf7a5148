//! Changing IOS-XR's configuration: a candidate as text, the router's own difference, a commit that is undone unless it is
//! confirmed by its id.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{CLI, IosXr};
use crate::driver::{Candidate, ConfigText, How, Pending, Platform};
use crate::netconf::candidate::{Changes, Loaded};
use crate::netconf::xml::{self, escape};
use crate::netconf::{Capability, Datastore, RpcError, Session, change_id};
use crate::{Diff, Error, Step};

const DIFF: &str = "<get-cli-config-diff xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-cli-diff-act\"/>";
const ROLL_BACK: &str = "<roll-back-configuration-last xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-cfgmgr-rollback-act\">\
    <count>1</count></roll-back-configuration-last>";

#[async_trait]
impl Changes for IosXr {
    async fn commit_loaded(&self, id: &str, timer: Duration) -> Result<Pending, Error> {
        let step = Step::Commit;
        let seconds = (timer.as_secs() + u64::from(timer.subsec_nanos() > 0)).max(1);
        let persist = self.session.can(Capability::PersistentCommit).then_some(id);
        self.session.commit_for(seconds, persist).await?;
        // An `ok` is not believed: what is committed differs no more.
        if !self.difference(step).await?.is_empty() {
            let message = "the router says that it committed, and the candidate still differs from what runs";
            return Err(self.failed(step, message));
        }
        // Without a name of the router's, only this session can confirm. What runs now tells later whether it still does.
        let id = format!("{}/{}", persist.unwrap_or_default(), self.digest(step).await?);
        let pending = Pending { platform: Platform::IosxrNetconf, id, seconds };
        *self.waiting.lock().await = Some(pending.clone());
        Ok(pending)
    }

    async fn take_away(&self) -> Result<(), Error> {
        let mut result = self.session.discard_changes().await;
        if !self.always_locked && !matches!(result, Err(Error::Timeout { .. })) {
            result = result.and(self.session.unlock(Datastore::Candidate).await);
        }
        if result.is_ok() {
            *self.dirty.lock().await = false;
        }
        result
    }

    fn dirty(&self) -> &Mutex<bool> {
        &self.dirty
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
        if let Some(change) = self.waiting.lock().await.as_ref() {
            let holder = format!("a commit of this connection, {}", change.id);
            return Err(Error::Busy { host: self.host().to_owned(), holder });
        }
        // Marked first: who is interrupted here may have the lock.
        *self.dirty.lock().await = true;
        if !self.always_locked
            && let Err(error) = self.session.lock(step, Datastore::Candidate).await
        {
            match &error {
                // It may have the lock all the same.
                Error::Timeout { .. } => self.tidy(Some(&error)).await,
                _ => *self.dirty.lock().await = false,
            }
            return Err(error);
        }
        let config = format!("<cli xmlns=\"{CLI}\">{}</cli>", escape(text.expose()));
        let loaded = match how {
            How::Merge => self.session.edit_candidate(&config).await,
            How::Replace => self.session.replace_candidate(&config).await,
        };
        let diff = match loaded {
            Ok(_) => self.difference(step).await,
            Err(error) => Err(error),
        };
        match diff {
            Ok(diff) => {
                let id = format!("peering-manager-{}", change_id(self.session.id(), text.expose()));
                Ok(Box::new(Loaded { driver: self, id, diff }))
            }
            Err(error) => {
                self.tidy(Some(&error)).await;
                Err(error)
            }
        }
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

    pub(super) async fn confirm_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::Confirm;
        self.clean_up().await;
        let (persist, digest) = names(&change.id);
        let own = self.waiting.lock().await.take().as_ref() == Some(change);
        if persist.is_none() && !own {
            // A plain commit would put somebody else's candidate into force.
            return Err(self.rolled_back());
        }
        let (_, errors) = self.session.confirm(persist).await?;
        let error = errors.iter().find(|error| !error.is_warning);
        let in_force = self.digest(step).await? == digest;
        match error {
            // Where the router does not know it, it was confirmed before, or undone.
            Some(error) if !is_unknown(error) && in_force => Err(self.failed(step, error.text())),
            None if !in_force && persist.is_some() => Err(self.failed(
                step,
                "the router confirmed it, and what runs is not what was committed; somebody changed it since: compare them",
            )),
            _ if in_force => Ok(()),
            _ => Err(self.rolled_back()),
        }
    }

    pub(super) async fn undo_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::RollBack;
        self.clean_up().await;
        let (persist, digest) = names(&change.id);
        let own = self.waiting.lock().await.take().as_ref() == Some(change);
        let mut errors = Vec::new();
        if persist.is_some() || own {
            (_, errors) = self.session.cancel_commit(persist).await?;
            errors.retain(|error| !error.is_warning);
            if errors.is_empty() {
                return Ok(());
            }
        }
        if self.digest(step).await? != digest {
            return Ok(());
        }
        // It is in force: confirmed, so that the last commit is this one; or it waits, and could not be undone.
        match errors.first() {
            Some(error) if !is_unknown(error) => Err(self.failed(step, error.text())),
            _ => self.session.rpc(step, ROLL_BACK).await.map(drop),
        }
    }
}

/// The name under which the router knows a change, and what ran after it.
pub(super) fn names(id: &str) -> (Option<&str>, &str) {
    let (persist, digest) = id.rsplit_once('/').unwrap_or((id, ""));
    (Some(persist).filter(|persist| !persist.is_empty()), digest)
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
