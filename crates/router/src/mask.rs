//! Passwords out of texts that people and logs see.

/// What stands in place of a secret.
pub const MASK: &str = "******";

/// Words after which a secret follows, in the configurations of FRR, BIRD, `OpenBGPD`, `GoBGP` and the large vendors; alone or
/// behind a hyphen (`encrypted-password`).
const KEYWORDS: &[&str] =
    &["password", "secret", "key", "key-string", "passphrase", "passwd", "md5", "ascii-text", "hexadecimal"];

/// In lines about SNMP, and in those about `IPsec`, there are more.
const OF_SNMP: &[&str] = &[
    "community",
    "community-name",
    "2c",
    "sha",
    "sha1",
    "sha-1",
    "sha-256",
    "des",
    "3des",
    "aes",
    "aes-128",
    "aes128",
    "aes256",
    "priv",
];

/// Kinds of a secret that may stand between the keyword and the secret itself.
const KINDS: &[&str] =
    &["8a", "sha512", "sha256", "encrypted", "clear", "plaintext", "=", "{", "128", "192", "256"];

fn is_keyword(name: &str, snmp: bool) -> bool {
    let name = name.to_ascii_lowercase();
    KEYWORDS.iter().any(|word| {
        name.strip_suffix(word).is_some_and(|front| front.is_empty() || front.ends_with(['-', '_', '/']))
    }) || (snmp && OF_SNMP.contains(&name.as_str()))
}

/// `7`, `10`, `encrypted`, or another keyword, as in `key-string password 7 x`, if anything follows.
fn is_between(word: &str, after: &str, snmp: bool) -> bool {
    if word == "{" {
        return true;
    }
    let number = word.len() <= 2 && word.bytes().all(|octet| octet.is_ascii_digit());
    let follows = !after.trim_matches(|c: char| c.is_whitespace() || ";},".contains(c)).is_empty();
    // A secret may end with a keyword, `my-key`; so no more than the plain word is taken for one here.
    let keyword = KEYWORDS.contains(&word) || (snmp && OF_SNMP.contains(&word));
    follows && (number || keyword || KINDS.contains(&word))
}

/// What is encrypted or hashed says so by itself: `$9$…`, `$6$…`, `$sha512$…`.
fn is_crypt(word: &str) -> bool {
    let word = word.trim_start_matches(['"', '\'']);
    word.strip_prefix('$').and_then(|rest| rest.split_once('$')).is_some_and(|(kind, rest)| {
        (1..=8).contains(&kind.len()) && kind.bytes().all(|c| c.is_ascii_alphanumeric()) && !rest.is_empty()
    })
}

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
}

impl Masker {
    /// The line with every secret in it replaced.
    pub(crate) fn line(&mut self, line: &str) -> String {
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
        mask_into(&mut out, line, snmp, true);
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

/// `quotes`: what stands in quotes may be a text with a secret in it, as in what a router says of a line.
fn mask_into(out: &mut String, text: &str, snmp: bool, quotes: bool) {
    let mut rest = text;
    let mut hide = false;
    while let Some((gap, token, after)) = next_token(rest) {
        out.push_str(gap);
        let (word, end) = split_end(token);
        let between = hide && end.is_empty() && is_between(word, after, snmp);
        let inside = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        let inside = inside.filter(|inside| quotes && inside.contains(char::is_whitespace));
        if (hide && !between) || is_crypt(word) {
            out.push_str(MASK);
            hide = false;
        } else if let Some(inside) = inside {
            out.push('"');
            mask_into(out, inside, snmp, false);
            out.push('"');
            hide = false;
        } else {
            // `password: x`, `password = "x"`
            let keyword = is_keyword(word.trim_end_matches([':', '=']).trim_matches('"'), snmp);
            hide = mask_pairs(out, word, snmp) || between || keyword;
        }
        out.push_str(end);
        rest = after;
    }
    out.push_str(rest);
}

/// `password="x"`, `{"a":1,"password":"x"}`, `?password=x`, `<password>x</password>`: a word with the secret in it. Whether
/// the secret goes on in the next word.
fn mask_pairs(out: &mut String, word: &str, snmp: bool) -> bool {
    let mut from = 0;
    let mut at = 0;
    let mut open = false;
    while let Some(sign) = word[at..].find([':', '=', '>']).map(|sign| at + sign) {
        at = sign + 1;
        let before = word[from..sign].trim_end_matches('"');
        let name = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).next();
        let value = &word[at..];
        if value.is_empty() || value.starts_with('<') || !name.is_some_and(|name| is_keyword(name, snmp)) {
            continue;
        }
        // Without quotes nothing tells where it ends, but in XML.
        let tag = value.find('<').filter(|_| word.as_bytes()[sign] == b'>');
        open = word.as_bytes()[sign] == b'>' && tag.is_none();
        let quoted = value.strip_prefix('"').and_then(|value| Some(value.find('"')? + 2));
        let length = tag.or(quoted).unwrap_or(value.len());
        out.push_str(&word[from..at]);
        out.push_str(MASK);
        from = at + length;
        at = from;
    }
    out.push_str(&word[from..]);
    open
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
    use super::{MASK, excerpt, json_error, mask_line, mask_text};

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
                "snmp-server user u g v3 auth md5 ****** priv aes 128 ******",
            ),
            // One keyword after another.
            ("  key-string password hunter2", "  key-string password "),
            ("  key-string password 7 hunter2", "  key-string password 7 "),
            ("authentication md5 1 key \"hunter2\"; ## SECRET-DATA", "authentication md5 1 key ******; ##"),
            (
                "set protocols ospf area 0 interface x authentication md5 1 key \"hunter2\"",
                "set protocols ospf area 0 interface x authentication md5 1 key ",
            ),
            (" ip ospf message-digest-key 1 md5 7 hunter2", " ip ospf message-digest-key 1 md5 7 "),
            (" ip ospf message-digest-key 200 md5 hunter2", " ip ospf message-digest-key ****** md5 "),
            ("ntp authentication-key 1 md5 hunter2", "ntp authentication-key 1 md5 "),
            ("ntp authentication-key 1 md5 hunter2 7", "ntp authentication-key 1 md5 ****** 7"),
            (
                " standby 1 authentication md5 key-string 7 hunter2",
                " standby 1 authentication md5 key-string 7 ",
            ),
            ("x password hunter2-key md5 y", "x password "),
            ("keys { key { id 1; secret \"hunter2\"; } }", "keys { key { "),
            ("    community hunter2 {", "    community "),
            ("+    inactive: community hunter2 {", "+    inactive: community "),
            ("snmp-server host 192.0.2.1 version 2c hunter2", "snmp-server host 192.0.2.1 version 2c "),
            (
                "snmp-server user u g auth md5 0xhunter2 priv 0xhunter2 localizedkey",
                "snmp-server user u g auth md5 ",
            ),
            (
                "snmp-server user u g v3 auth sha hunter2-key priv des hunter2",
                "snmp-server user u g v3 auth sha ",
            ),
            (
                "set snmp v3 snmp-community one community-name hunter2",
                "set snmp v3 snmp-community one community-name ",
            ),
            ("ipsec esp in spi 1000 sha1 hunter2 aes hunter2", "ipsec esp in spi 1000 sha1 ****** aes "),
            ("md5 \"$9$hunter2\"; other \"$9$hunter2\";", "md5 ******; other ******;"),
            ("authentication-order $6$hunter2$x", "authentication-order "),
            (
                "<a><auth-password>hunter2</auth-password><b>c</b></a>",
                "<a><auth-password>******</auth-password><b>c<",
            ),
            ("<secret>x hunter2</secret>", "<secret>****** ******"),
        ] {
            let masked = mask_line(line);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert!(masked.starts_with(kept), "{masked}");
            assert!(masked.contains(MASK), "{masked}");
        }
    }

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
    fn other_lines_stay_as_they_are() {
        for line in [
            "",
            " set community 64500:1",
            "  neighbor 192.0.2.1 as 64500;",
            "descr \"Good, IPv4\" ",
            "a\tb  c",
            "    community one members 64500:1;",
            "authentication {",
            "cost $5 $ $x",
            "a->b a>b <a>b</a>",
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
