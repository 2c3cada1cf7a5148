//! Passwords out of texts that people and logs see.

/// What stands in place of a secret.
pub const MASK: &str = "******";

/// Words after which a secret follows, in the configurations of FRR, BIRD, `OpenBGPD`, `GoBGP` and the large vendors; alone or
/// behind a hyphen (`encrypted-password`).
const KEYWORDS: &[&str] =
    &["password", "secret", "key", "key-string", "passphrase", "passwd", "md5", "ascii-text", "hexadecimal"];

/// In lines about SNMP there are more.
const OF_SNMP: &[&str] =
    &["community", "sha", "sha-1", "sha-256", "des", "3des", "aes", "aes-128", "aes128", "aes256"];

/// Kinds of a secret that may stand between the keyword and the secret itself.
const KINDS: &[&str] = &[
    "8a",
    "sha512",
    "sha256",
    "encrypted",
    "clear",
    "plaintext",
    "=",
    "ascii-text",
    "hexadecimal",
    "128",
    "192",
    "256",
];

fn is_keyword(name: &str, snmp: bool) -> bool {
    let name = name.to_ascii_lowercase();
    KEYWORDS.iter().any(|word| {
        name.strip_suffix(word).is_some_and(|front| front.is_empty() || front.ends_with(['-', '_', '/']))
    }) || (snmp && OF_SNMP.contains(&name.as_str()))
}

/// `7`, `10`, `encrypted`, if anything follows.
fn is_kind(word: &str, after: &str) -> bool {
    let number = word.len() <= 2 && word.bytes().all(|octet| octet.is_ascii_digit());
    let follows = !after.trim_matches(|c: char| c.is_whitespace() || ";},".contains(c)).is_empty();
    (number || KINDS.contains(&word)) && follows
}

/// The line with every secret in it replaced.
///
/// It errs on the side of masking: whatever follows `password`, `secret` or `key` is taken for a secret.
pub fn mask_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    mask_into(&mut out, line, line.contains("snmp"), true);
    out
}

/// `quotes`: what stands in quotes may be a text with a secret in it, as in what a router says of a line.
fn mask_into(out: &mut String, text: &str, snmp: bool, quotes: bool) {
    let mut rest = text;
    let mut hide = false;
    while let Some((gap, token, after)) = next_token(rest) {
        out.push_str(gap);
        let (word, end) = split_end(token);
        let kind = hide && end.is_empty() && is_kind(word, after);
        let inside = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        let inside = inside.filter(|inside| quotes && inside.contains(char::is_whitespace));
        if hide && !kind {
            out.push_str(MASK);
            hide = false;
        } else if let Some(inside) = inside {
            out.push('"');
            mask_into(out, inside, snmp, false);
            out.push('"');
            hide = false;
        } else {
            // `password: x`, `password = "x"`
            hide = kind || is_keyword(word.trim_end_matches([':', '=']).trim_matches('"'), snmp);
            mask_pairs(out, word, snmp);
        }
        out.push_str(end);
        rest = after;
    }
    out.push_str(rest);
}

/// `password="x"`, `{"a":1,"password":"x"}`, `?password=x`: a word with the secret in it.
fn mask_pairs(out: &mut String, word: &str, snmp: bool) {
    let mut from = 0;
    let mut at = 0;
    while let Some(sign) = word[at..].find([':', '=']).map(|sign| at + sign) {
        at = sign + 1;
        let before = word[from..sign].trim_end_matches('"');
        let name = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).next();
        let value = &word[at..];
        if value.is_empty() || !name.is_some_and(|name| is_keyword(name, snmp)) {
            continue;
        }
        // Without quotes nothing tells where it ends.
        let length =
            value.strip_prefix('"').and_then(|value| Some(value.find('"')? + 2)).unwrap_or(value.len());
        out.push_str(&word[from..at]);
        out.push_str(MASK);
        from = at + length;
        at = from;
    }
    out.push_str(&word[from..]);
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

/// What is wrong with JSON, and where. A text that stands where none should is in serde's own words as a whole, and may be a
/// configuration; here it is not.
pub(crate) fn json_error(error: &serde_json::Error) -> String {
    let mut said = error.to_string();
    if let Some(at) = said.find('"') {
        said.truncate(at);
        let place = format!("at line {} column {}", error.line(), error.column());
        said.push_str(&place);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::{MASK, excerpt, json_error, mask_line};

    #[test]
    fn wrong_json_does_not_show_what_is_in_it() {
        let error = serde_json::from_str::<Vec<u8>>(r#" "password hunter2 \" x""#).unwrap_err();
        assert_eq!(json_error(&error), "invalid type: string at line 1 column 24");
        let error = serde_json::from_str::<Vec<u8>>("[1, 2").unwrap_err();
        assert!(json_error(&error).starts_with("EOF while parsing"), "{error}");
    }

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
            ("{\"a\":1,\"auth_password\":\"hunter2\",\"b\":2}", "{\"a\":1,\"auth_password\":"),
            ("GET /x?user=a&password=hunter2;x", "GET /x?user=a&password="),
            (
                "refused: \"  neighbor 192.0.2.1 pasword x key hunter2\"",
                "refused: \"  neighbor 192.0.2.1 pasword x key ",
            ),
            ("neighbor X password 7 hunter2", "neighbor X password 7 "),
            ("    password 3 hunter2", "    password 3 "),
            (" password encrypted hunter2", " password encrypted "),
            (" secret 10 hunter2", " secret 10 "),
            ("   neighbor X password 8a hunter2", "   neighbor X password 8a "),
            ("encrypted-password \"hunter2\"; ## SECRET-DATA", "encrypted-password "),
            ("pre-shared-key ascii-text \"hunter2\";", "pre-shared-key ascii-text "),
            ("set snmp community hunter2 authorization read-only", "set snmp community "),
            (
                "snmp-server user u g v3 auth md5 hunter2 priv aes 128 hunter2",
                "snmp-server user u g v3 auth md5 ",
            ),
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
