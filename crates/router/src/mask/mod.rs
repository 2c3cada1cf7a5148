//! Passwords out of texts that people and logs see.

mod excerpt;
mod keywords;
mod line;
mod words;

pub(crate) use excerpt::{excerpt, json_error};
use line::mask_into;

/// What stands in place of a secret.
pub const MASK: &str = "******";

/// How deep texts in quotes are looked into, in texts in quotes.
const DEPTH: u8 = 3;

/// The line with every secret in it replaced.
///
/// It errs on the side of masking: whatever follows `password`, `secret` or `key` is taken for a secret.
pub fn mask_line(line: &str) -> String {
    Masker::default().line(line)
}

/// Masks line after line: what is a secret may depend on the lines before.
#[derive(Default)]
pub(crate) struct Masker {
    /// Below `[edit snmp]`, in a difference of Junos.
    edits_snmp: bool,
    /// Open braces since `snmp {`, and this one.
    in_snmp: usize,
    /// Behind the first line of a private key (RFC 7468).
    in_key: bool,
}

/// What the first and the last line of a private key in PEM have in them.
const KEY_BEGINS: (&str, &str) = ("-----BEGIN ", "PRIVATE KEY-----");
const KEY_ENDS: &str = "-----END ";

impl Masker {
    /// The line with every secret in it replaced.
    pub(crate) fn line(&mut self, line: &str) -> String {
        // Another part of a difference, which may lack the end of the key.
        if line.starts_with("@@ ") || line.starts_with("[edit") {
            self.in_key = false;
        }
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        if !self.in_key {
            let Some(at) = key_begins(line) else { return self.statement(line) };
            out.push_str(&self.statement(&line[..at]));
            rest = &line[at..];
        }
        self.in_key = !rest.contains(KEY_ENDS);
        let end = rest.find(KEY_ENDS).unwrap_or(rest.len());
        if !rest[..end].trim().is_empty() {
            out.push_str(MASK);
        }
        if !self.in_key {
            out.push_str(&self.line(&rest[end..]));
        }
        out
    }

    fn statement(&mut self, line: &str) -> String {
        let plain = line.trim_start_matches(|c: char| c.is_whitespace() || "+-!".contains(c)).trim_end();
        if plain.starts_with("[edit") {
            self.edits_snmp = plain.starts_with("[edit snmp");
            self.in_snmp = 0;
        }
        let snmp = self.edits_snmp
            || self.in_snmp > 0
            || line.contains("snmp")
            || line.contains("ipsec")
            // Of Junos, of which the line with `snmp {` may be further away.
            || (plain.ends_with('{') && plain.split_whitespace().rev().nth(2) == Some("community"));
        let mut out = String::with_capacity(line.len());
        mask_into(&mut out, line, snmp, DEPTH);
        self.follow(plain);
        out
    }

    fn follow(&mut self, plain: &str) {
        if self.in_snmp > 0 {
            let count = |brace| plain.bytes().filter(|&octet| octet == brace).count();
            self.in_snmp = (self.in_snmp + count(b'{')).saturating_sub(count(b'}'));
        } else if plain == "snmp {" {
            self.in_snmp = 1;
        }
    }
}

/// Where what is secret of a private key begins.
fn key_begins(line: &str) -> Option<usize> {
    let (front, back) = KEY_BEGINS;
    let at = line.find(front)?;
    Some(at + line[at..].find(back)? + back.len())
}

/// Every line of the text with its secrets replaced.
pub fn mask_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut masker = Masker::default();
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                out.push_str(&masker.line(line));
                out.push('\n');
            }
            None => out.push_str(&masker.line(line)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{MASK, mask_text};

    #[test]
    fn communities_of_snmp_are_known_by_the_lines_before() {
        let text = "snmp {\n    community hunter2;\n    v3 {\n        community-name hunter2;\n    }\n    community hunter2 {\n    }\n}\n\
            policy-options {\n    community one members 64500:1;\n}\n";
        let masked = mask_text(text);
        assert_eq!(masked.matches(MASK).count(), 3, "{masked}");
        assert!(!masked.contains("hunter2") && masked.contains("community one members 64500:1;"), "{masked}");
        let text = "[edit snmp]\n+  community hunter2;\n[edit policy-options policy-statement x from]\n+  community one;\n";
        let masked = mask_text(text);
        assert!(!masked.contains("hunter2") && masked.contains("+  community one;"), "{masked}");
        let diff = crate::Diff::between("a {\n}\n", text);
        assert!(!diff.text().contains("hunter2") && diff.text().contains("one;"), "{}", diff.text());
    }

    #[test]
    fn private_keys_are_hidden_between_their_first_and_last_line() {
        let (begin, end) = ("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----");
        for (text, masked) in [
            (
                format!("a\n{begin}\nMIIE+/x\n  Qw==\n{end}\nb\n"),
                format!("a\n{begin}\n{MASK}\n{MASK}\n{end}\nb\n"),
            ),
            (format!("x \"{begin}MIIE{end}\"; y"), format!("x \"{begin}{MASK}{end}\"; y")),
            (
                format!("x \"{begin}\nMIIE{end}\"; password z"),
                format!("x \"{begin}\n{MASK}{end}\"; password {MASK}"),
            ),
            (format!("{begin}\nMIIE\n@@ -1 +1 @@\nb"), format!("{begin}\n{MASK}\n@@ -1 +1 @@\nb")),
            ("-----BEGIN CERTIFICATE-----\nMIIE".to_owned(), "-----BEGIN CERTIFICATE-----\nMIIE".to_owned()),
        ] {
            assert_eq!(mask_text(&text), masked);
        }
    }
}
