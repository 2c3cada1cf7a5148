//! Changing the configuration: load, commit with a timer, confirm, undo.
//!
//! `change.sh` is the part that runs on the router, with what differs between the daemons in a file for each. Every step is
//! one request, so that it runs to its end on the router even when the connection does not.

use std::time::Duration;

use async_trait::async_trait;

use super::frr_texts::{complaints, difference, merge_difference};
use super::gobgp_wanted::Wanted;
use super::poll::gobgp_error;
use super::shell::{self, Answer, quote};
use super::{Daemon, DaemonKind};
use crate::driver::{Candidate, ConfigText, How, Pending};
use crate::mask::excerpt;
use crate::{Diff, Error, Step};

const CHANGE: &str = include_str!("change.sh");

/// How long `GoBGP` may take to show a new configuration; it does not say when it has read it.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

const STILL_UNDONE: &str = "the change is still being undone on the router; look again a little later";

struct Loaded<'a> {
    daemon: &'a Daemon,
    how: How,
    id: String,
    diff: Diff,
    /// With `GoBGP`: what must be seen after the commit.
    wanted: Option<Wanted>,
}

#[async_trait]
impl Candidate for Loaded<'_> {
    fn diff(&self) -> &Diff {
        &self.diff
    }

    fn change(&self, timer: Duration) -> Option<Pending> {
        Some(self.named(timer))
    }

    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error> {
        let pending = self.named(timer);
        self.daemon.commit_change(&self, &pending).await?;
        Ok(pending)
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        let daemon = self.daemon;
        let script = daemon.script(self.how, &self.id, 0, "discard");
        shell::run(&daemon.ssh, daemon.changing(Step::Discard), &script, b"").await.map(drop)
    }
}

impl Loaded<'_> {
    /// The change that a commit makes of it. Its name is that of its directory on the router.
    fn named(&self, timer: Duration) -> Pending {
        // BIRD takes no time at all for no timer at all.
        let seconds = (timer.as_secs() + u64::from(timer.subsec_nanos() > 0)).max(1);
        Pending { platform: self.daemon.kind.platform(), id: self.id.clone(), seconds }
    }
}

impl Daemon {
    /// The functions of this platform, and the call of one.
    fn script(&self, how: How, id: &str, seconds: u64, call: &str) -> String {
        let own = match self.kind {
            DaemonKind::Frr => include_str!("frr.sh"),
            DaemonKind::Bird => include_str!("bird.sh"),
            DaemonKind::Openbgpd => include_str!("openbgpd.sh"),
            DaemonKind::Gobgp => include_str!("gobgp.sh"),
        };
        let directory = match (&self.options.state_directory, self.kind) {
            (Some(directory), _) => quote(directory),
            (None, DaemonKind::Bird) => "\"${FILE%/*}/.peering-manager\"".to_owned(),
            (None, _) => "\"$HOME/.peering-manager\"".to_owned(),
        };
        let how = if how == How::Merge { "merge" } else { "replace" };
        let file = quote(self.config_file());
        let id = quote(id);
        format!(
            "FILE={file} HOW={how} C={id} T={seconds}\ncase $FILE in */*) ;; *) FILE=./$FILE ;; esac\nD={directory}\n\
             {CHANGE}\n{own}\n{call}"
        )
    }

    fn failed(&self, step: Step, message: impl Into<String>) -> Error {
        Error::Failed { host: self.host().to_owned(), step, message: message.into() }
    }

    /// Somebody is still at it, or tried in vain and left it to the timer.
    fn still_undone(&self, step: Step, answer: &Answer) -> Error {
        let refused = answer.get("apply").filter(|apply| apply.status != 0);
        let refused = refused.map_or("", |apply| &apply.text);
        let why = format!("{refused}\n{}", answer.text("undoing"));
        let message = match why.trim() {
            "" => STILL_UNDONE.to_owned(),
            why => format!("{STILL_UNDONE}: {}", self.complaints(why)),
        };
        self.failed(step, message)
    }

    fn rejected(&self, step: Step, said: &str) -> Error {
        Error::Rejected { host: self.host().to_owned(), step, message: self.complaints(said) }
    }

    /// That the daemon is there, and that no change of somebody else waits.
    fn check_alive(&self, step: Step, answer: &Answer) -> Result<(), Error> {
        match answer.get("alive") {
            Some(alive) if alive.status == 3 => Err(Error::Busy {
                host: self.host().to_owned(),
                holder: "made by other means than this program".to_owned(),
            }),
            _ => {
                let text = answer.good(self.host(), step, "alive")?;
                gobgp_error(text).map_or(Ok(()), |reason| Err(self.failed(step, reason)))
            }
        }
    }

    pub(super) async fn load_candidate<'a>(
        &'a self,
        how: How,
        text: &ConfigText,
    ) -> Result<Box<dyn Candidate + 'a>, Error> {
        let step = Step::Load;
        let script = self.script(how, "", 0, "load");
        let answer = shell::run(&self.ssh, self.changing(step), &script, text.expose().as_bytes()).await?;
        if !answer.has("change") {
            let said = excerpt(answer.stderr());
            return Err(
                self.failed(step, format!("there is no place for the candidate on the router: {said}"))
            );
        }
        let id = answer.text("change").trim().to_owned();
        if answer.text("received").trim() != text.expose().len().to_string() {
            return Err(self.failed(step, "the candidate did not arrive whole; is the disk full?"));
        }
        self.check_alive(step, &answer)?;
        if !answer.has("current") {
            let said = excerpt(answer.stderr());
            return Err(self.failed(step, format!("the configuration there is cannot be read: {said}")));
        }
        if !answer.has("old") {
            let said = format!("{}\n{}", answer.text("check"), answer.text("difference"));
            let said = if answer.has("check") { said } else { answer.stderr().to_owned() };
            return Err(self.rejected(step, &said));
        }
        let diff = match (self.kind, how) {
            (DaemonKind::Frr, How::Replace) => difference(answer.text("difference")),
            (DaemonKind::Frr, How::Merge) => merge_difference(answer.text("old"), text.expose()),
            _ => Diff::between(answer.text("old"), text.expose()),
        };
        let wanted = (self.kind == DaemonKind::Gobgp)
            .then(|| Wanted::read(text.expose()).map_err(|reason| self.rejected(step, &reason)))
            .transpose()?;
        Ok(Box::new(Loaded { daemon: self, how, id, diff, wanted }))
    }

    async fn commit_change(&self, loaded: &Loaded<'_>, pending: &Pending) -> Result<(), Error> {
        let step = Step::Commit;
        let script = self.script(loaded.how, &loaded.id, pending.seconds, "commit");
        // What waits on the router is the same script, with another end.
        let watch = self.script(loaded.how, &loaded.id, pending.seconds, "watch");
        let watch = format!("{}\n{watch}\n", include_str!("prelude.sh"));
        let answer = shell::run(&self.ssh, self.changing(step), &script, watch.as_bytes()).await?;
        if answer.has("cut") {
            return Err(self
                .failed(step, "the script that undoes the change did not arrive whole; is the disk full?"));
        }
        if answer.has("gone") {
            return Err(self.failed(step, "the candidate is no longer on the router, or was called off"));
        }
        self.check_alive(step, &answer)?;
        let host = self.host().to_owned();
        if answer.has("changed") {
            return Err(Error::Changed { host });
        }
        if answer.has("busy") {
            return Err(Error::Busy { host, holder: excerpt(answer.text("busy")) });
        }
        if answer.has("failed") {
            return Err(Error::NotRestored {
                host,
                message: self.complaints(answer.text("failed")),
                place: loaded.id.clone(),
            });
        }
        if answer.has("refused") {
            return Err(self.rejected(step, &format!("{}\n{}", answer.text("apply"), answer.stderr())));
        }
        if answer.has("undone") {
            return Err(Error::RolledBack { host });
        }
        if answer.has("undoing") {
            return Err(self.still_undone(step, &answer));
        }
        if !answer.has("committed") {
            return Err(self.failed(step, excerpt(answer.stderr())));
        }
        let ineffective = self.kind == DaemonKind::Frr
            && loaded.how == How::Replace
            && !loaded.diff.is_empty()
            && difference(answer.text("remaining")) == loaded.diff;
        let missing = match &loaded.wanted {
            Some(wanted) => self.missing(wanted).await?,
            None => ineffective.then(String::new),
        };
        let Some(missing) = missing else { return Ok(()) };
        self.undo_change(pending).await?;
        let message = "the daemon took the configuration and did not act on it";
        let colon = if missing.is_empty() { "" } else { ": " };
        Err(Error::Rejected {
            host: self.host().to_owned(),
            step,
            message: format!("{message}{colon}{missing}"),
        })
    }

    fn complaints(&self, said: &str) -> String {
        if self.kind == DaemonKind::Frr { complaints(said) } else { excerpt(said) }
    }

    /// What `GoBGP` does not have soon of what it should have.
    async fn missing(&self, wanted: &Wanted) -> Result<Option<String>, Error> {
        let script = "ask neighbors lim 10 gobgp -j neighbor; ask global lim 10 gobgp -j global";
        let begun = tokio::time::Instant::now();
        loop {
            let answer = shell::run(&self.ssh, self.reading(Step::Commit), script, b"").await?;
            let missing = wanted.missing(answer.text("neighbors"), answer.text("global"));
            let missing = missing.unwrap_or_else(|_| Some("it does not tell its neighbours".to_owned()));
            if missing.is_none() || begun.elapsed() > SHOWN_WITHIN {
                return Ok(missing);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) async fn confirm_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::Confirm;
        let script = self.script(How::Replace, &change.id, change.seconds, "confirm");
        let answer = shell::run(&self.ssh, self.changing(step), &script, b"").await?;
        let host = self.host().to_owned();
        if answer.has("unsaved") {
            let said = format!("{}\n{}", answer.text("saving"), answer.stderr());
            return Err(Error::NotSaved { host, message: excerpt(&said) });
        }
        if answer.has("undone") {
            return Err(Error::RolledBack { host });
        }
        if answer.has("failed") {
            let message = self.complaints(answer.text("failed"));
            return Err(Error::NotRestored { host, message, place: change.id.clone() });
        }
        if answer.has("undoing") {
            return Err(self.still_undone(step, &answer));
        }
        if answer.has("applying") {
            return Err(self.failed(step, "its commit still runs on the router; try again when it has ended"));
        }
        if answer.has("unknown") {
            return Err(self.failed(step, "the daemon does not answer; the change goes on waiting"));
        }
        answer.good(&host, step, "confirmed").map(drop)
    }

    pub(super) async fn undo_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::RollBack;
        let script = self.script(How::Replace, &change.id, change.seconds, "roll_back");
        let answer = shell::run(&self.ssh, self.changing(step), &script, b"").await?;
        self.undone(change, &answer)
    }

    pub(super) async fn cancel_change(&self, change: &Pending) -> Result<bool, Error> {
        let script = self.script(How::Replace, &change.id, change.seconds, "cancel");
        let answer = shell::run(&self.ssh, self.changing(Step::RollBack), &script, b"").await?;
        if answer.has("settled") {
            return Ok(false);
        }
        self.undone(change, &answer).map(|()| true)
    }

    /// What an undo answered.
    fn undone(&self, change: &Pending, answer: &Answer) -> Result<(), Error> {
        let step = Step::RollBack;
        let host = self.host().to_owned();
        if answer.has("unsaved") {
            return Err(Error::NotSaved { host, message: excerpt(answer.stderr()) });
        }
        if answer.has("undone") {
            return Ok(());
        }
        if answer.has("undoing") {
            return Err(self.still_undone(step, answer));
        }
        if answer.has("followed") {
            return Err(self.failed(step, "another change came after it, or waits; nothing was undone"));
        }
        if answer.has("unreadable") {
            let said = excerpt(answer.stderr());
            return Err(self.failed(step, format!("the configuration there is cannot be read: {said}")));
        }
        if answer.has("alive") {
            self.check_alive(step, answer)?;
        }
        let message = self.complaints(&format!("{}\n{}", answer.text("failed"), answer.stderr()));
        Err(Error::NotRestored { host, message, place: change.id.clone() })
    }

    pub(super) async fn find_pending(&self) -> Result<Option<Pending>, Error> {
        let step = Step::Pending;
        let script = self.script(How::Replace, "", 0, "pending");
        let answer = shell::run(&self.ssh, self.reading(step), &script, b"").await?;
        if answer.has("foreign") {
            let holder = "made by other means than this program".to_owned();
            return Err(Error::Busy { host: self.host().to_owned(), holder });
        }
        if !answer.has("pending") {
            return Ok(None);
        }
        let found = answer.text("pending").trim().rsplit_once(' ').and_then(|(id, seconds)| {
            Some(Pending {
                platform: self.kind.platform(),
                id: id.to_owned(),
                seconds: seconds.parse().ok()?,
            })
        });
        found.map(Some).ok_or_else(|| self.unreadable(step, excerpt(answer.text("pending"))))
    }
}

#[cfg(test)]
mod tests;
