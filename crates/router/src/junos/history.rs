//! The list of commits that Junos keeps, newest first, and its clock.

use crate::netconf::xml::{self, Foreign};

/// What our commits have in their log, before their id.
pub(super) const MARK: &str = "peering-manager ";

/// The router takes a moment to undo a commit, and until then it is in force. In seconds.
const MOMENT: u64 = 120;

/// A commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) user: String,
    /// When, in seconds since 1970.
    at: Option<u64>,
    /// What people and the router wrote to it.
    words: String,
}

impl Entry {
    /// After how many minutes it goes away, if it is one of those.
    pub(super) fn minutes(&self) -> Option<u64> {
        let (_, rest) = self.words.split_once("commit confirmed, rollback in ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The id, if it is a change of ours.
    pub(super) fn id(&self) -> Option<&str> {
        let (_, rest) = self.words.split_once(MARK)?;
        rest.split_ascii_whitespace().next()
    }

    /// Seconds until it goes away, by the router's clock; `None` if it should be gone.
    pub(super) fn left(&self, now: Option<u64>) -> Option<u64> {
        let whole = self.minutes()?.saturating_mul(60);
        let Some((at, now)) = self.at.zip(now) else { return Some(whole) };
        let gone = now.saturating_sub(at);
        (gone < whole.saturating_add(MOMENT)).then(|| whole.saturating_sub(gone))
    }
}

/// The answer to `get-commit-information`.
pub(super) fn read(document: &str) -> Result<Vec<Entry>, String> {
    let mut all = Vec::new();
    xml::walk(
        document,
        Foreign::Shown,
        |path| path.last() == Some(&"commit-history"),
        |_, element| {
            let at = element.find(&["date-time"]).and_then(|time| time.attribute("seconds")?.parse().ok());
            let words: Vec<&str> =
                ["comment", "log"].into_iter().filter_map(|name| element.text_of(&[name])).collect();
            let user = element.text_of(&["user"]).unwrap_or_default().to_owned();
            all.push(Entry { user, at, words: words.join("\n") });
            Ok(())
        },
    )?;
    Ok(all)
}

/// Seconds since 1970 by the router's clock.
pub(super) fn now(document: &str) -> Result<Option<u64>, String> {
    seconds(document, &["current-time", "date-time"])
}

/// Seconds since the router started.
pub(super) fn up_for(document: &str) -> Result<Option<u64>, String> {
    seconds(document, &["system-booted-time", "time-length"])
}

fn seconds(document: &str, path: &[&str]) -> Result<Option<u64>, String> {
    let mut found = None;
    xml::walk(
        document,
        Foreign::Shown,
        |here| here.ends_with(path),
        |_, element| {
            found = found.or(element.attribute("seconds").and_then(|text| text.parse().ok()));
            Ok(())
        },
    )?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn commits_and_what_is_written_to_them() {
        let all = read(
            "<rpc-reply xmlns:junos='j'><commit-information><commit-history><sequence-number>0</sequence-number>\
             <user>netops</user><date-time junos:seconds='1000'>then</date-time>\
             <comment>commit confirmed, rollback in 2mins</comment><log>peering-manager 7-ab</log></commit-history>\
             <commit-history><user>root</user><date-time junos:seconds='900'/></commit-history></commit-information></rpc-reply>",
        )
        .unwrap();
        assert_eq!((all[0].minutes(), all[0].id()), (Some(2), Some("7-ab")));
        assert_eq!(all[0].left(Some(1030)), Some(90));
        assert_eq!(all[0].left(Some(1150)), Some(0));
        assert_eq!(all[0].left(Some(1300)), None);
        assert_eq!((all[1].minutes(), all[1].id(), all[1].user.as_str()), (None, None, "root"));
    }
}
