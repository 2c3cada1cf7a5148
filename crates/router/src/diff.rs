//! What a candidate would change.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::mask::Masker;

/// What a candidate would change, for people: passwords are hidden, so a changed one shows as two equal lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    text: String,
    added: usize,
    removed: usize,
}

impl Diff {
    /// A unified difference, in the form of `diff -u` with three lines around each change.
    pub fn between(old: &str, new: &str) -> Self {
        let changes = similar::TextDiff::from_lines(old, new);
        let mut diff = Self::default();
        for hunk in changes.unified_diff().context_radius(3).iter_hunks() {
            let _ = writeln!(diff.text, "{}", hunk.header());
            let mut masker = Masker::default();
            for change in hunk.iter_changes() {
                let sign = match change.tag() {
                    similar::ChangeTag::Equal => ' ',
                    similar::ChangeTag::Delete => '-',
                    similar::ChangeTag::Insert => '+',
                };
                diff.count(sign);
                diff.push(sign, &masker.line(change.value().trim_end_matches(['\n', '\r'])));
            }
        }
        diff
    }

    /// From lines that are taken away and lines that are added.
    pub(crate) fn from_lines<'a>(lines: impl Iterator<Item = (char, &'a str)>) -> Self {
        let mut diff = Self::default();
        let mut masker = Masker::default();
        for (sign, line) in lines {
            diff.count(sign);
            diff.push(sign, &masker.line(line));
        }
        diff
    }

    fn count(&mut self, sign: char) {
        match sign {
            '+' => self.added += 1,
            '-' => self.removed += 1,
            _ => {}
        }
    }

    fn push(&mut self, sign: char, masked: &str) {
        self.text.push(sign);
        self.text.push_str(masked);
        self.text.push('\n');
    }

    /// The text, a sign before each line; empty if nothing would change.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0
    }

    /// Lines that are added and lines that are taken away.
    pub fn counts(&self) -> (usize, usize) {
        (self.added, self.removed)
    }
}

#[cfg(test)]
mod tests {
    use super::Diff;

    #[test]
    fn a_changed_password_shows_and_is_hidden() {
        let diff = Diff::between("a\npassword one\nb\n", "a\npassword two\nb\n");
        assert_eq!(diff.text(), "@@ -1,3 +1,3 @@\n a\n-password ******\n+password ******\n b\n");
        assert_eq!(diff.counts(), (1, 1));
        assert!(Diff::between("a\n", "a\n").is_empty());
    }
}
