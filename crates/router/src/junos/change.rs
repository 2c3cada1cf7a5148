//! Changing Junos's configuration.
//!
//! On every way out the candidate is taken away and the lock given back: a refused commit leaves both behind. A second
//! commit makes an unconfirmed one permanent, whoever made it, so nothing is committed while one waits.

use std::time::Duration;

use async_trait::async_trait;

use super::history::{self, Entry, MARK};
use super::{Junos, Sharing};
use crate::driver::{Candidate, ConfigText, How, Pending, Platform};
use crate::mask::excerpt;
use crate::netconf::candidate::{Changes, Loaded, Made, Slot};
use crate::netconf::xml::{self, escape};
use crate::netconf::{Session, change_id};
use crate::{Diff, Error, Step};

/// Minutes that `commit confirmed` takes at most.
const LONGEST: u64 = 65_535;

/// The words with which lines of `set` commands begin.
const COMMANDS: &[&str] = &[
    "set",
    "delete",
    "activate",
    "deactivate",
    "annotate",
    "copy",
    "insert",
    "protect",
    "unprotect",
    "rename",
    "edit",
    "top",
    "up",
    "exit",
    "wildcard",
    "replace",
];

/// The forms that `load-configuration` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Set,
    Xml,
    Json,
}

/// The form of a configuration, by its beginning.
pub(super) fn format_of(text: &str) -> Format {
    let start = text.trim_start();
    if start.starts_with('<') {
        return Format::Xml;
    }
    // A line that begins with # is a comment in both of the forms for people.
    let first = start.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with('#'));
    if first.is_some_and(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().is_some_and(|word| COMMANDS.contains(&word.trim_end_matches(';')))
            && !line.trim_end().ends_with(['{', ';'])
    }) {
        return Format::Set;
    }
    if start.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Format::Json;
    }
    Format::Text
}

/// The operation that loads it, or why there is none.
pub(super) fn load_operation(how: How, text: &str) -> Result<String, String> {
    let format = format_of(text);
    // `replace` merges, and heeds the tag `replace:`.
    let action = match (how, format) {
        (How::Replace, Format::Set) => {
            return Err("set commands change a configuration and are none; load them as a merge".into());
        }
        (How::Replace, _) => "override",
        (How::Merge, Format::Set) => "set",
        (How::Merge, _) => "replace",
    };
    let (name, body) = match format {
        Format::Text => ("text", format!("<configuration-text>{}</configuration-text>", escape(text))),
        Format::Set => ("text", format!("<configuration-set>{}</configuration-set>", escape(text))),
        Format::Json => ("json", format!("<configuration-json>{}</configuration-json>", escape(text))),
        Format::Xml => {
            let root = xml::head(text)?;
            xml::walk(text, xml::Foreign::Shown, |_| false, |_, _| Ok(()))?;
            let begin = text.find(&format!("<{}", root.name)).unwrap_or_default();
            let body = &text[begin..];
            let body = if root.name == "configuration" {
                body.to_owned()
            } else {
                format!("<configuration>{body}</configuration>")
            };
            ("xml", body)
        }
    };
    Ok(format!("<load-configuration action=\"{action}\" format=\"{name}\">{body}</load-configuration>"))
}

/// A difference as Junos prints it.
pub(super) fn read_diff(text: &str) -> Diff {
    let lines = text.trim_matches('\n').lines().filter(|line| !line.trim().is_empty());
    Diff::from_lines(lines.map(|line| match line.chars().next() {
        Some(sign @ ('+' | '-')) => (sign, &line[1..]),
        _ => (' ', line.strip_prefix(' ').unwrap_or(line)),
    }))
}

#[async_trait]
impl Changes for Junos {
    async fn commit_loaded(&self, made: &Made, timer: Duration) -> Result<Pending, Error> {
        let step = Step::Commit;
        let newest = self.settled(step).await?;
        let difference =
            if self.sharing == Sharing::Open { self.compare(step, 0).await? } else { String::new() };
        if self.base(newest, &difference) != made.base {
            return Err(Error::Changed { host: self.host().to_owned() });
        }
        let Pending { id, seconds, .. } = self.named(made, timer);
        let body = format!(
            "<commit-configuration><confirmed/><confirm-timeout>{}</confirm-timeout><log>{MARK}{id}</log>\
             </commit-configuration>",
            seconds / 60
        );
        self.session.rpc(step, &body).await?;
        // An `ok` is not believed.
        match self.find_pending(step).await.map_err(Error::unclear)? {
            Some(pending) if pending.id == id => Ok(pending),
            _ => Err(Error::Unclear {
                host: self.host().to_owned(),
                message: "the router says that it committed, and its list of commits does not show it".into(),
            }),
        }
    }

    fn named(&self, made: &Made, timer: Duration) -> Pending {
        let seconds = timer.as_secs() + u64::from(timer.subsec_nanos() > 0);
        let minutes = seconds.div_ceil(60).clamp(1, LONGEST);
        Pending { platform: Platform::Junos, id: made.id.clone(), seconds: minutes * 60 }
    }

    async fn take_away(&self) -> Result<(), Error> {
        let step = Step::Discard;
        let mut result = Ok(());
        if self.sharing != Sharing::Private {
            let forget = "<load-configuration rollback=\"0\"/>";
            result = self.session.rpc(step, forget).await.map(drop);
        }
        if matches!(result, Err(Error::Timeout { .. })) {
            return result;
        }
        let back = match self.sharing {
            Sharing::Private => self.session.rpc(step, "<close-configuration/>").await.map(drop),
            Sharing::Locked => self.session.rpc(step, "<unlock-configuration/>").await.map(drop),
            Sharing::LockedAlways | Sharing::Open => Ok(()),
        };
        let result = result.and(back);
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

impl Junos {
    async fn open(&self, step: Step) -> Result<(), Error> {
        // Nothing is taken: what lies in the candidate may be somebody else's, and is not taken away either.
        if self.sharing == Sharing::Open {
            return Ok(());
        }
        // Marked first: who is interrupted here may have the lock.
        *self.slot.dirty.lock().await = true;
        let opened = match self.sharing {
            Sharing::Private => {
                self.session.rpc(step, "<open-configuration><private/></open-configuration>").await.map(drop)
            }
            Sharing::Locked => self.session.rpc(step, "<lock-configuration/>").await.map(drop),
            Sharing::LockedAlways | Sharing::Open => Ok(()),
        };
        match &opened {
            Ok(()) => {}
            // It may have the lock all the same.
            Err(error @ Error::Timeout { .. }) => self.tidy(Some(error)).await,
            Err(_) => *self.slot.dirty.lock().await = false,
        }
        opened
    }

    pub(super) async fn load_candidate<'a>(
        &'a self,
        how: How,
        text: &ConfigText,
    ) -> Result<Box<dyn Candidate + 'a>, Error> {
        let host = self.host().to_owned();
        let operation = load_operation(how, text.expose()).map_err(|message| Error::Rejected {
            host,
            step: Step::Load,
            message,
        })?;
        self.clean_up().await;
        let turn = self.slot.turn();
        self.open(Step::Load).await?;
        match self.load_and_compare(&operation).await {
            Ok((base, diff)) => {
                let id = change_id(self.session.id(), text.expose());
                Ok(Box::new(Loaded { driver: self, made: Made { id, base }, turn, diff }))
            }
            Err(error) => {
                self.tidy(Some(&error)).await;
                Err(error)
            }
        }
    }

    async fn load_and_compare(&self, operation: &str) -> Result<(String, Diff), Error> {
        let step = Step::Load;
        let newest = self.settled(step).await?;
        *self.slot.dirty.lock().await = true;
        self.session.rpc(step, operation).await?;
        let text = self.compare(step, 0).await?;
        Ok((self.base(newest, &text), read_diff(&text)))
    }

    /// What a candidate is compared with: the newest commit; where others may edit the same candidate, the difference as well.
    fn base(&self, newest: String, difference: &str) -> String {
        if self.sharing == Sharing::Open { change_id(None, &(newest + difference)) } else { newest }
    }

    /// What the candidate changes against an earlier commit.
    async fn compare(&self, step: Step, with: usize) -> Result<String, Error> {
        let body = format!("<get-configuration compare=\"rollback\" rollback=\"{with}\" format=\"text\"/>");
        let reply = self.session.rpc(step, &body).await?;
        let text =
            xml::text_at(&reply.text, &["rpc-reply", "configuration-information", "configuration-output"])
                .map_err(|why| self.session.unreadable(step, why))?;
        Ok(text.unwrap_or_default())
    }

    async fn history(&self, step: Step) -> Result<Vec<Entry>, Error> {
        let reply = self.session.rpc(step, "<get-commit-information/>").await?;
        history::read(&reply.text).map_err(|why| self.session.unreadable(step, why))
    }

    /// The newest commit with the seconds it has left, if it waits for its confirmation.
    async fn waiting(&self, step: Step) -> Result<Option<(Entry, u64)>, Error> {
        let all = self.history(step).await?;
        self.newest_waits(step, all).await
    }

    async fn newest_waits(&self, step: Step, mut all: Vec<Entry>) -> Result<Option<(Entry, u64)>, Error> {
        if all.first().is_none_or(|entry| entry.minutes().is_none()) {
            return Ok(None);
        }
        let entry = all.swap_remove(0);
        let clock = self.session.rpc(step, "<get-system-uptime-information/>").await?;
        let now = history::now(&clock.text).map_err(|why| self.session.unreadable(step, why))?;
        Ok(entry.left(now).map(|left| (entry, left)))
    }

    /// The newest commit, in short; [`Error::Busy`] if it waits for its confirmation.
    async fn settled(&self, step: Step) -> Result<String, Error> {
        let all = self.history(step).await?;
        let newest = format!("{} {:?}", all.len(), all.first());
        match self.newest_waits(step, all).await? {
            None => Ok(newest),
            Some((entry, left)) => Err(Error::Busy {
                host: self.host().to_owned(),
                holder: format!("a commit of {}, for another {left} s", excerpt(&entry.user)),
            }),
        }
    }

    pub(super) async fn find_pending(&self, step: Step) -> Result<Option<Pending>, Error> {
        Ok(self.waiting(step).await?.map(|(entry, _)| Pending {
            platform: Platform::Junos,
            id: entry.id().unwrap_or_default().to_owned(),
            seconds: entry.minutes().unwrap_or_default().saturating_mul(60),
        }))
    }

    /// Where a change of ours stands.
    async fn place(&self, step: Step, id: &str) -> Result<Place, Error> {
        let all = self.history(step).await?;
        let Some(at) = all.iter().position(|entry| entry.id() == Some(id) && entry.minutes().is_some())
        else {
            return Ok(Place::Nowhere);
        };
        if at == 0 {
            return Ok(Place::Newest);
        }
        if self.compare(step, at).await?.trim().is_empty() {
            return Ok(Place::Kept(at));
        }
        let before = at + 1;
        if before < all.len() && self.compare(step, before).await?.trim().is_empty() {
            return Ok(Place::Undone);
        }
        let by = all.first().map(|entry| excerpt(&entry.user)).unwrap_or_default();
        Ok(Place::Overtaken { by })
    }

    fn rolled_back(&self) -> Error {
        Error::RolledBack { host: self.host().to_owned() }
    }

    fn overtaken(&self, step: Step, by: &str) -> Error {
        let message = format!(
            "what runs is neither what was committed nor what was there before; another commit, of {by}, came after it: \
             compare them (`show system commit`)"
        );
        self.failed(step, message)
    }

    pub(super) async fn confirm_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::Confirm;
        self.clean_up().await;
        self.open(step).await?;
        let result = self.confirm_locked(step, &change.id).await;
        self.tidy(result.as_ref().err()).await;
        result
    }

    async fn confirm_locked(&self, step: Step, id: &str) -> Result<(), Error> {
        match self.place(step, id).await? {
            Place::Nowhere | Place::Undone => return Err(self.rolled_back()),
            Place::Overtaken { by } => return Err(self.overtaken(step, &by)),
            // Somebody confirmed it: it stays, unless what came after it goes away.
            Place::Kept(_) => return self.settled(step).await.map(drop),
            // Be it that its time seems to be over: as long as nothing came after it, it is in force.
            Place::Newest => {}
        }
        self.untouched(step).await?;
        let body = format!("<commit-configuration><log>{MARK}{id} confirmed</log></commit-configuration>");
        self.session.rpc(step, &body).await?;
        match self.place(step, id).await? {
            Place::Kept(_) => Ok(()),
            Place::Newest => {
                Err(self.failed(step, "the router says that it confirmed, and still waits for it"))
            }
            Place::Overtaken { by } => Err(self.overtaken(step, &by)),
            Place::Nowhere | Place::Undone => Err(self.rolled_back()),
        }
    }

    pub(super) async fn cancel_change(&self, change: &Pending) -> Result<bool, Error> {
        let step = Step::RollBack;
        self.clean_up().await;
        self.open(step).await?;
        let result = self.cancel_locked(step, &change.id).await;
        self.tidy(result.as_ref().err()).await;
        result
    }

    async fn cancel_locked(&self, step: Step, id: &str) -> Result<bool, Error> {
        // A commit that is the newest after its time was confirmed without another one (`commit check`).
        let waits = self.waiting(step).await?.is_some_and(|(entry, _)| entry.id() == Some(id));
        if waits {
            self.restore(step, id, 1).await?;
        }
        Ok(waits)
    }

    pub(super) async fn undo_change(&self, change: &Pending) -> Result<(), Error> {
        let step = Step::RollBack;
        self.clean_up().await;
        self.open(step).await?;
        let result = self.undo_locked(step, &change.id).await;
        self.tidy(result.as_ref().err()).await;
        result
    }

    async fn undo_locked(&self, step: Step, id: &str) -> Result<(), Error> {
        match self.place(step, id).await? {
            Place::Nowhere | Place::Undone => Ok(()),
            Place::Overtaken { by } => Err(self.overtaken(step, &by)),
            Place::Newest => self.restore(step, id, 1).await,
            Place::Kept(at) => self.restore(step, id, at + 1).await,
        }
    }

    /// Without a lock, a commit takes along what others are typing: [`Error::Busy`] if they are.
    async fn untouched(&self, step: Step) -> Result<(), Error> {
        if self.sharing != Sharing::Open || self.compare(step, 0).await?.trim().is_empty() {
            return Ok(());
        }
        let holder =
            "somebody who has edited the shared candidate and not committed (lock_disable)".to_owned();
        Err(Error::Busy { host: self.host().to_owned(), holder })
    }

    /// Commits what an earlier commit had.
    async fn restore(&self, step: Step, id: &str, before: usize) -> Result<(), Error> {
        self.untouched(step).await?;
        *self.slot.dirty.lock().await = true;
        self.session.rpc(step, &format!("<load-configuration rollback=\"{before}\"/>")).await?;
        let body = format!("<commit-configuration><log>{MARK}{id} rolled back</log></commit-configuration>");
        self.session.rpc(step, &body).await?;
        match self.history(step).await?.first() {
            Some(entry) if entry.id() == Some(id) && entry.minutes().is_none() => Ok(()),
            _ => Err(Error::NotRestored {
                host: self.host().to_owned(),
                message: "the router says that it rolled back, and its list of commits does not show it"
                    .into(),
                place: format!("`rollback {before}`"),
            }),
        }
    }
}

/// Where a change of ours stands, by the router's list of commits.
enum Place {
    /// It is not there.
    Nowhere,
    /// Nothing came after it, so that it is in force.
    Newest,
    /// It was confirmed, and what runs is what it committed; so many commits came after it.
    Kept(usize),
    /// What runs is what was there before it.
    Undone,
    /// Another commit came after it, or confirmed it, and something else runs.
    Overtaken {
        /// Whose.
        by: String,
    },
}

#[cfg(test)]
mod tests {
    use super::{Format, format_of, load_operation, read_diff};
    use crate::How;

    #[test]
    fn the_form_shows_in_the_first_words() {
        for (text, format) in [
            ("protocols {\n bgp;\n}", Format::Text),
            ("replace: protocols {}", Format::Text),
            ("\n# x\nset system host-name a", Format::Set),
            ("delete protocols bgp", Format::Set),
            ("<configuration/>", Format::Xml),
            ("{\"configuration\": {}}", Format::Json),
            ("{ not json", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(format_of(text), format, "{text}");
        }
    }

    #[test]
    fn how_it_is_loaded() {
        let text = load_operation(How::Merge, "system { host-name \"a<b\"; }").unwrap();
        assert!(
            text.contains("action=\"replace\" format=\"text\"") && text.contains("&quot;a&lt;b&quot;"),
            "{text}"
        );
        assert!(load_operation(How::Replace, "system;").unwrap().contains("action=\"override\""));
        assert!(load_operation(How::Merge, "set a b").unwrap().contains("action=\"set\""));
        assert!(load_operation(How::Replace, "set a b").is_err());
        let xml = load_operation(How::Replace, "<?xml version='1.0'?>\n<system><a/></system>").unwrap();
        assert!(xml.contains("<configuration><system><a/></system></configuration>"), "{xml}");
        assert!(load_operation(How::Merge, "<configuration>").is_err());
        assert!(load_operation(How::Merge, "<a/></rpc>").is_err());
    }

    #[test]
    fn a_difference_without_secrets() {
        let diff = read_diff("\n[edit protocols]\n+  authentication-key hunter2;\n-  b;\n   c;\n");
        assert_eq!(diff.counts(), (1, 1));
        assert!(!diff.text().contains("hunter2") && diff.text().contains("-  b;"), "{}", diff.text());
        assert!(read_diff("\n").is_empty());
    }
}
