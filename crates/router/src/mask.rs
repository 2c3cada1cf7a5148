//! Passwords out of texts that people and logs see.

/// What stands in place of a secret.
pub const MASK: &str = "******";

/// Words after which a secret follows, in the configurations of FRR, BIRD, `OpenBGPD`, `GoBGP` and the large vendors.
const KEYWORDS: &[&str] = &[
    "password",
    "auth-password",
    "auth_password",
    "secret",
    "authentication-key",
    "key-string",
    "key",
    "passphrase",
    "md5",
];

/// Kinds of a secret that may stand between the keyword and the secret itself.
const KINDS: &[&str] = &["0", "5", "7", "8", "9", "sha512", "encrypted", "clear", "="];

/// The line with every secret in it replaced.
///
/// It errs on the side of masking: whatever follows `password`, `secret` or `key` is taken for a secret.
pub fn mask_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut hide = false;
    while let Some((gap, token, after)) = next_token(rest) {
        out.push_str(gap);
        let (word, end) = split_end(token);
        if hide && !KINDS.contains(&word) {
            out.push_str(MASK);
            out.push_str(end);
            hide = false;
        } else {
            out.push_str(token);
            // `password="x"` and `password: x` in one token and in two.
            let name = word.trim_end_matches([':', '=']).trim_matches('"').to_ascii_lowercase();
            let named = KEYWORDS.contains(&name.as_str())
                || (name == "community" && line.trim_start().starts_with("snmp"));
            if let Some((before, _)) = word.split_once(['=', ':']).filter(|(_, value)| !value.is_empty())
                && KEYWORDS.contains(&before.trim_matches('"').to_ascii_lowercase().as_str())
            {
                out.truncate(out.len() - token.len());
                out.push_str(before);
                out.push('=');
                out.push_str(MASK);
                out.push_str(end);
            }
            hide = named || (hide && KINDS.contains(&word));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Every line of the text with its secrets replaced.
pub fn mask_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                out.push_str(&mask_line(line));
                out.push('\n');
            }
            None => out.push_str(&mask_line(line)),
        }
    }
    out
}

/// The white space before the next word, the word (text in quotes is one), and what follows.
fn next_token(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(|c: char| !c.is_whitespace())?;
    let (gap, text) = text.split_at(start);
    let mut quoted = false;
    let mut escaped = false;
    let end = text
        .char_indices()
        .find(|&(_, c)| {
            let ends = c.is_whitespace() && !quoted;
            if c == '"' && !escaped {
                quoted = !quoted;
            }
            escaped = c == '\\' && !escaped;
            ends
        })
        .map_or(text.len(), |(at, _)| at);
    let (token, after) = text.split_at(end);
    Some((gap, token, after))
}

/// A word and the punctuation that ends a statement after it.
fn split_end(token: &str) -> (&str, &str) {
    let word = token.trim_end_matches([';', '}', ',']);
    if word.is_empty() { (token, "") } else { (word, &token[word.len()..]) }
}

/// What a router said: without secrets and control characters, and cut short.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 600;
    let masked = mask_text(text.trim());
    let mut out = String::new();
    for (at, line) in masked.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        if at > 0 {
            out.push_str("; ");
        }
        out.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
        if out.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|&at| out.is_char_boundary(at)).unwrap_or(0);
            out.truncate(end);
            out.push('…');
            break;
        }
    }
    if out.is_empty() { "it says nothing".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::{MASK, excerpt, mask_line};

    #[test]
    fn secrets_of_every_daemon_are_hidden() {
        for (line, kept) in [
            (" neighbor 192.0.2.1 password hunter2", " neighbor 192.0.2.1 password "),
            ("  password \"hunter2 and more\"; # x", "  password "),
            ("protocol bgp a { password \"hunter2\"; }", "protocol bgp a { password "),
            ("\ttcp md5sig password hunter2", "\ttcp md5sig password "),
            ("\ttcp md5sig key hunter2", "\ttcp md5sig key "),
            ("    auth-password = \"hunter2\"", "    auth-password = "),
            ("auth-password=\"hunter2\"", "auth-password="),
            (" \"auth_password\": \"hunter2\",", " \"auth_password\": "),
            ("enable secret 5 hunter2", "enable secret 5 "),
            ("neighbor X password 7 hunter2", "neighbor X password 7 "),
        ] {
            let masked = mask_line(line);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert!(masked.starts_with(kept), "{masked}");
            assert!(masked.contains(MASK), "{masked}");
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        for line in [
            "",
            " set community 64500:1",
            "  neighbor 192.0.2.1 as 64500;",
            "descr \"Good, IPv4\" ",
            "a\tb  c",
        ] {
            assert_eq!(mask_line(line), line);
        }
    }

    #[test]
    fn excerpts_are_short_and_plain() {
        let text = excerpt(&format!("a\u{1b}[31m\n\npassword x\n{}", "é".repeat(5000)));
        assert!(text.len() < 700 && !text.contains('\u{1b}'));
        assert!(text.starts_with("a [31m; password ******; é"));
    }
}
