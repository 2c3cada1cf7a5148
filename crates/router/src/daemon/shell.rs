//! Scripts for the router's shell, and their answers.
//!
//! A script is one request, however many commands it has: over a long way, each request costs two round trips. Its answer
//! has sections: `@@ NAME STATUS`, then lines that begin with a space, so that no text can pass for a section.

use std::collections::BTreeMap;

use crate::mask::excerpt;
use crate::ssh::{Bounds, Ssh};
use crate::{Error, Step};

/// How an answer ends in which nothing went wrong.
const END: &[u8] = b"\n@@ end 0\n";
const PRELUDE: &str = include_str!("prelude.sh");

/// A section of an answer.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The exit status of what it shows.
    pub status: i32,
    /// The text, each line with its end.
    pub text: String,
}

/// What a script answered.
#[derive(Default)]
pub(super) struct Answer {
    sections: BTreeMap<String, Section>,
    stderr: String,
}

impl Answer {
    pub(super) fn get(&self, name: &str) -> Option<&Section> {
        self.sections.get(name)
    }

    /// Appends another answer's section to that of the same name. Of the two statuses the first counts that is none of success.
    pub(super) fn join(&mut self, mut other: Self, name: &str) {
        let Some(more) = other.sections.remove(name) else { return };
        let section = self.sections.entry(name.to_owned()).or_default();
        section.text.push_str(&more.text);
        if section.status == 0 {
            section.status = more.status;
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.sections.contains_key(name)
    }

    /// The section's text; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).map_or("", |section| &section.text)
    }

    /// The text of the section if its command ended well.
    pub(super) fn good(&self, host: &str, step: Step, name: &str) -> Result<&str, Error> {
        match self.get(name) {
            Some(section) if section.status == 0 => Ok(&section.text),
            Some(section) if section.status == 124 => Err(Error::Failed {
                host: host.to_owned(),
                step,
                message: "the daemon does not answer; it is busy, or it was stopped".to_owned(),
            }),
            _ => Err(self.failed(host, step, name)),
        }
    }

    pub(super) fn failed(&self, host: &str, step: Step, name: &str) -> Error {
        let text = format!("{}\n{}", self.text(name), self.stderr);
        // vtysh says so to everyone but root, whatever else there is to say.
        let text: Vec<&str> = text.lines().filter(|line| !line.contains("vtysh.conf")).collect();
        let text = text.join("\n");
        Error::Failed { host: host.to_owned(), step, message: excerpt(&text) }
    }

    pub(super) fn stderr(&self) -> &str {
        &self.stderr
    }
}

/// Runs a script: the prelude, what is given, and `end`. The input is what the script reads from its standard input.
pub(super) async fn run(ssh: &Ssh, bounds: Bounds, script: &str, input: &[u8]) -> Result<Answer, Error> {
    let whole = format!("{PRELUDE}\n{script}\nend\n");
    let output = ssh.run(bounds, &format!("exec sh -c {}", quote(&whole)), input, END).await?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let sections = sections(&String::from_utf8_lossy(&output.stdout));
    if !sections.contains_key("end") {
        // Not a POSIX shell, or the connection ended before the script did.
        let host = ssh.host().to_owned();
        let status = output
            .status
            .map_or_else(|| "no exit status".to_owned(), |status| format!("exit status {status}"));
        let text =
            if stderr.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { stderr.into() };
        let message = format!("{status}: {}", excerpt(&text));
        return Err(if output.status.is_some() {
            Error::Failed { host, step: bounds.step, message }
        } else {
            Error::Lost { host, step: bounds.step, message }
        });
    }
    Ok(Answer { sections, stderr })
}

pub(super) fn sections(text: &str) -> BTreeMap<String, Section> {
    let mut all = BTreeMap::new();
    let mut current: Option<(String, Section)> = None;
    for line in text.split_inclusive('\n') {
        if let Some(header) = line.strip_prefix("@@ ") {
            all.extend(current.take());
            let (name, status) = header.trim_end().rsplit_once(' ').unwrap_or((header.trim_end(), "0"));
            let status = status.parse().unwrap_or(-1);
            current = Some((name.to_owned(), Section { status, text: String::new() }));
        } else if let (Some((_, section)), Some(content)) = (&mut current, line.strip_prefix(' ')) {
            section.text.push_str(content);
        }
    }
    all.extend(current);
    all
}

/// A word for the shell, whatever is in it.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{Answer, quote, sections};

    #[test]
    fn answers_are_joined() {
        let mut all = Answer::default();
        for text in ["@@ a 0\n one\n@@ end 0\n", "@@ a 124\n two\n", "@@ b 0\n x\n", "@@ a 0\n three\n"] {
            all.join(Answer { sections: sections(text), stderr: String::new() }, "a");
        }
        assert_eq!((all.text("a"), all.get("a").unwrap().status), ("one\ntwo\nthree\n", 124));
        assert!(!all.has("b"));
    }

    #[test]
    fn text_cannot_pass_for_a_section() {
        let all = sections("noise\n@@ a 0\n one\n @@ b 1\n\n@@ c 3\n@@ end 0\n");
        assert_eq!(all["a"].text, "one\n@@ b 1\n");
        assert_eq!(all["c"].status, 3);
        assert!(all.contains_key("end") && !all.contains_key("b"));
    }

    #[test]
    fn words_are_quoted() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}
