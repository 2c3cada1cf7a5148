//! Where in a line secrets are.

use super::MASK;
use super::keywords::{is_between, is_crypt, is_keyword, name_at_end, name_before};
use super::words::{Words, is_quote, quoted, split_end};

/// What of what follows is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hide {
    Nothing,
    /// The next word.
    Word,
    /// All up to the next tag.
    Element,
    /// The next word if it is in quotes, else all that is left of the text.
    Plain,
    /// All that is left of the text.
    Rest,
}

/// Masks a text, and says what is secret of what comes after it. What stands in quotes may be a text with a secret in it, as in
/// what a router says of a line; `depth` is how deep such texts are looked into.
pub(super) fn mask_into(out: &mut String, text: &str, snmp: bool, depth: u8) -> Hide {
    let mut words = Words::of(text);
    let mut hide = Hide::Nothing;
    let mut before = ["", ""];
    while let Some((gap, token, after)) = words.next(hide != Hide::Nothing) {
        out.push_str(gap);
        let (word, end) = split_end(token);
        let between = hide != Hide::Nothing && end.is_empty() && is_between(word, after, snmp);
        let hidden = hide != Hide::Nothing && !between;
        if hidden && (hide == Hide::Rest || (hide == Hide::Plain && !word.starts_with(is_quote))) {
            let last = text.trim_end();
            out.push_str(MASK);
            out.push_str(&text[last.len()..]);
            return Hide::Nothing;
        }
        if hidden || is_crypt(word) {
            out.push_str(MASK);
            let goes_on = hide == Hide::Element && !word.contains('<');
            hide = if goes_on { Hide::Element } else { Hide::Nothing };
        } else {
            let inner = mask_word(out, word, snmp, depth);
            hide = match hide {
                _ if between => hide,
                _ if inner != Hide::Nothing => inner,
                _ => after_word(before, word, snmp),
            };
        }
        out.push_str(end);
        before = [before[1], word];
    }
    out.push_str(words.rest);
    hide
}

/// What is secret after a word, by the word and the two before it.
///
/// Where quotes mean nothing, as in FRR's `neighbor 192.0.2.1 password LINE` and `key-string LINE`, and in YAML's
/// `auth-password: x y`, the secret goes on to the end.
fn after_word(before: [&str; 2], word: &str, snmp: bool) -> Hide {
    // `password: x`, `password = "x"`
    if !is_keyword(name_before(word), snmp) {
        return Hide::Nothing;
    }
    let first = before[1].is_empty();
    let of_neighbor = before[0].ends_with("neighbor") && word == "password";
    let whole = of_neighbor || (first && word == "key-string");
    let yaml = (first || (before[0].is_empty() && before[1] == "-"))
        && word.ends_with(':')
        && !word.starts_with(['"', '\'', '{', '[']);
    if whole {
        Hide::Rest
    } else if yaml {
        // Quoted it is a word like others.
        Hide::Plain
    } else {
        Hide::Word
    }
}

/// A word, in which there may be texts in quotes.
fn mask_word(out: &mut String, word: &str, snmp: bool, depth: u8) -> Hide {
    if depth == 0 || !word.contains(char::is_whitespace) {
        return mask_pairs(out, word, snmp);
    }
    let mut at = 0;
    while let Some((from, to)) = quoted(&word[at..]).map(|(from, to)| (at + from, at + to)) {
        let (front, inside) = (&word[at..from], &word[from + 1..to]);
        if front.ends_with([':', '=']) && is_keyword(name_before(&word[..from]), snmp) {
            out.push_str(front);
            out.push_str(MASK);
        } else {
            mask_between(out, &word[..at], front, snmp);
            out.push_str(&word[from..=from]);
            let hide = mask_inside(out, inside, snmp, depth);
            if hide != Hide::Nothing {
                // A secret that begins in quotes and ends elsewhere: nobody knows where.
                out.push_str(if to + 1 < word.len() { MASK } else { &word[to..] });
                return Hide::Rest;
            }
            out.push_str(&word[to..=to]);
        }
        at = to + 1;
    }
    mask_between(out, &word[..at], &word[at..], snmp)
}

/// What stands in quotes: a single word may be a name as in JSON, whose value comes after the quotes.
fn mask_inside(out: &mut String, inside: &str, snmp: bool, depth: u8) -> Hide {
    if inside.contains(char::is_whitespace) {
        return mask_into(out, inside, snmp, depth - 1);
    }
    if is_crypt(inside) {
        out.push_str(MASK);
        return Hide::Nothing;
    }
    mask_pairs(out, inside, snmp)
}

/// What stands between texts in quotes, which may be a number, as in `"password":1234,`.
fn mask_between(out: &mut String, before: &str, text: &str, snmp: bool) -> Hide {
    let value = text.trim_start_matches([':', '=']);
    let ends = value.trim_end_matches([';', '}', ',', ':', '=']).len();
    if value.len() < text.len() && ends > 0 && is_keyword(name_at_end(before), snmp) {
        out.push_str(&text[..text.len() - value.len()]);
        out.push_str(MASK);
        out.push_str(&value[ends..]);
        return Hide::Nothing;
    }
    mask_pairs(out, text, snmp)
}

/// `password="x"`, `{"a":1,"password":"x"}`, `?password=x`, `<password>x</password>`: a word with the secret in it. Whether
/// the secret goes on in what follows.
fn mask_pairs(out: &mut String, word: &str, snmp: bool) -> Hide {
    let mut from = 0;
    let mut at = 0;
    let mut hide = Hide::Nothing;
    while let Some(sign) = word[at..].find([':', '=', '>']).map(|sign| at + sign) {
        at = sign + 1;
        let value = &word[at..];
        if value.is_empty() || value.starts_with('<') || !is_keyword(name_at_end(&word[from..sign]), snmp) {
            continue;
        }
        // Without quotes nothing tells where it ends, but in XML.
        let in_tag = word.as_bytes()[sign] == b'>';
        let tag = value.find('<').filter(|_| in_tag);
        let length = tag.or_else(|| quoted_value(value));
        let opens = value.trim_start_matches('\\').starts_with(['"', '\'']);
        hide = match length {
            None if in_tag => Hide::Element,
            None if opens => Hide::Rest,
            _ => Hide::Nothing,
        };
        out.push_str(&word[from..at]);
        out.push_str(MASK);
        from = at + length.unwrap_or(value.len());
        at = from;
    }
    out.push_str(&word[from..]);
    hide
}

/// How long a value in quotes is that a text begins with, as `"x"`, or `\"x\"` in a text in quotes.
fn quoted_value(text: &str) -> Option<usize> {
    if text.starts_with('\\') {
        let quote = text.trim_start_matches('\\').chars().next().filter(|&c| is_quote(c))?;
        let first = text.find(quote)? + 1;
        return text[first..].find(quote).map(|end| first + end + 1);
    }
    quoted(text).filter(|(from, _)| *from == 0).map(|(_, to)| to + 1)
}

#[cfg(test)]
mod tests {
    use crate::mask::{MASK, mask_line};

    /// The secret is not there, and what stands before it is.
    fn hides(line: &str, kept: &str) {
        let masked = mask_line(line);
        assert!(!masked.contains("hunter2"), "{masked}");
        assert!(masked.starts_with(kept), "{masked}");
        assert!(masked.contains(MASK), "{masked}");
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
            hides(line, kept);
        }
    }

    #[test]
    fn secrets_of_several_words_and_in_any_quotes_are_hidden() {
        for (line, kept) in [
            ("<secret>x y hunter2</secret>", "<secret>****** ****** ******"),
            // To the end of the line, whatever quotes say.
            (" neighbor 192.0.2.1 password alpha bravo hunter2", " neighbor 192.0.2.1 password ******"),
            ("+ neighbor X password \"alpha bravo\" hunter2 ", "+ neighbor X password ****** "),
            (" no neighbor X password 'alpha hunter2", " no neighbor X password ******"),
            (" neighbor X password 0 alpha hunter2", " neighbor X password 0 ******"),
            (" neighbor X password encrypted hunter2", " neighbor X password encrypted ******"),
            ("  key-string alpha hunter2", "  key-string ******"),
            (
                "% \"neighbor X password alpha hunter2\" is too long",
                "% \"neighbor X password ******\" is too long",
            ),
            ("auth-password: delta echo hunter2", "auth-password: ******"),
            ("  - auth-password: 'delta hunter2' # x", "  - auth-password: ****** # x"),
            // Single quotes are quotes.
            ("auth-password = 'delta echo hunter2'", "auth-password = ******"),
            ("auth-password='delta echo hunter2' x", "auth-password=****** x"),
            ("auth-password = 'don't hunter2'", "auth-password = ******"),
            ("{'password': 'delta hunter2', 'b': 1}", "{'password': ******, 'b': 1}"),
            ("{\"password\": \"delta hunter2\", \"b\": 1}", "{\"password\": ******, \"b\": 1}"),
            (
                "{\"a\":\"b c\",\"password\":\"delta hunter2\",\"b\":1}",
                "{\"a\":\"b c\",\"password\":******,\"b\":1}",
            ),
            (
                "{\"a\":\"b c\",\"password\":\"hunter2\",\"b\":1}",
                "{\"a\":\"b c\",\"password\":******,\"b\":1}",
            ),
            ("{\"a\":\"b c\",\"password\":0hunter2,\"b\":1}", "{\"a\":\"b c\",\"password\":******"),
            ("password=\"a\\\"b hunter2\" x", "password=****** x"),
            ("{\\\"password\\\":\\\"delta hunter2\\\"}", "{\\\"password\\\":******"),
            ("error='wrong: password hunter2' x", "error='wrong: password ******' x"),
            // A quote that nothing closes is none.
            ("description Bob's 5\" pipe, password hunter2", "description Bob's 5\" pipe, password ******"),
            ("description 'tis \"so password \"alpha hunter2", "description 'tis \"so password ******"),
            ("password \"alpha hunter2", "password ******"),
        ] {
            hides(line, kept);
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
            "    community one members 64500:1;",
            "authentication {",
            "cost $5 $ $x",
            "a->b a>b <a>b</a>",
            "description Bob's and Ann's 5\" pipe",
            " neighbor 192.0.2.1 description 'a  b' \"c",
            "x='a  b' y={'c': \"d  e\"}",
        ] {
            assert_eq!(mask_line(line), line);
        }
    }
}
