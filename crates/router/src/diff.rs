//! What a candidate would change.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::known::mask_values;
use crate::mask::{MASK, Masker};

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
        let mut masked = None;
        for hunk in changes.unified_diff().context_radius(3).iter_hunks() {
            // What is secret in a line may depend on lines far above the hunk.
            let (old, new) = masked.get_or_insert_with(|| {
                (each_masked(changes.iter_old_slices()), each_masked(changes.iter_new_slices()))
            });
            let _ = writeln!(diff.text, "{}", hunk.header());
            for change in hunk.iter_changes() {
                let (sign, side, index) = match change.tag() {
                    similar::ChangeTag::Equal => (' ', &*new, change.new_index()),
                    similar::ChangeTag::Delete => ('-', &*old, change.old_index()),
                    similar::ChangeTag::Insert => ('+', &*new, change.new_index()),
                };
                diff.count(sign);
                diff.push(sign, index.and_then(|index| side.get(index)).map_or(MASK, String::as_str));
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

    /// The same, with these values hidden wherever they stand.
    #[must_use]
    pub fn without<S: AsRef<str>>(&self, values: &[S]) -> Self {
        Self { text: mask_values(&self.text, values), ..self.clone() }
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

/// Lines of one text, each with its secrets replaced.
fn each_masked<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut masker = Masker::default();
    lines.map(|line| masker.line(line.trim_end_matches(['\n', '\r']))).collect()
}

#[cfg(test)]
mod tests {
    use super::Diff;

    #[test]
    fn what_is_secret_by_lines_far_above_the_change_is_hidden() {
        let snmp = |community: &str| {
            format!(
                "snmp {{\n    name a;\n    location b;\n    contact c;\n    description d;\n    community {community};\n}}\n\
                 policy-options {{\n    x one;\n    y two;\n    z three;\n    community one members 64500:1;\n}}\n"
            )
        };
        let diff = Diff::between(&snmp("hunter1"), &snmp("hunter2"));
        assert!(!diff.text().contains("hunter"), "{}", diff.text());
        assert!(diff.text().contains("-    community ******;\n+    community ******;\n"), "{}", diff.text());
        let key = |middle: &str| {
            format!(
                "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nq1\nq2\nq3\nq4\n{middle}\nq5\n-----END OPENSSH PRIVATE KEY-----\nb\n"
            )
        };
        let diff = Diff::between(&key("hunter1"), &key("hunter2"));
        assert!(!diff.text().contains("hunter") && !diff.text().contains("q5"), "{}", diff.text());
        assert!(diff.text().contains("END OPENSSH PRIVATE KEY-----\n b\n"), "{}", diff.text());
        let text = |last: &str| format!("{}community one members 64500:1;\n{last}\n", "snmp {\n}\n");
        assert!(Diff::between(&text("a"), &text("b")).text().contains("community one members 64500:1;"));
    }

    #[test]
    fn a_changed_password_shows_and_is_hidden() {
        let diff = Diff::between("a\npassword one\nb\n", "a\npassword two\nb\n");
        assert_eq!(diff.text(), "@@ -1,3 +1,3 @@\n a\n-password ******\n+password ******\n b\n");
        assert_eq!(diff.counts(), (1, 1));
        assert!(Diff::between("a\n", "a\n").is_empty());
    }
}
