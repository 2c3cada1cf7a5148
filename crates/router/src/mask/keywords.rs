//! Words before a secret, and what may stand between the two.

/// Words after which a secret follows, in the configurations of FRR, BIRD, `OpenBGPD`, `GoBGP` and the large vendors; alone or
/// behind a hyphen (`encrypted-password`).
const KEYWORDS: &[&str] = &[
    "password",
    "secret",
    "key",
    "key-string",
    "passphrase",
    "passwd",
    "pwd",
    "psk",
    "token",
    "apikey",
    "credential",
    "md5",
    "ascii-text",
    "hexadecimal",
];

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

pub(super) fn is_keyword(name: &str, snmp: bool) -> bool {
    let name = name.to_ascii_lowercase();
    KEYWORDS.iter().any(|word| {
        name.strip_suffix(word).is_some_and(|front| front.is_empty() || front.ends_with(['-', '_', '/']))
    }) || (snmp && OF_SNMP.contains(&name.as_str()))
}

/// `7`, `10`, `encrypted`, or another keyword, as in `key-string password 7 x`, if anything follows.
pub(super) fn is_between(word: &str, after: &str, snmp: bool) -> bool {
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
pub(super) fn is_crypt(word: &str) -> bool {
    let word = word.trim_start_matches(['"', '\'']);
    word.strip_prefix('$').and_then(|rest| rest.split_once('$')).is_some_and(|(kind, rest)| {
        (1..=8).contains(&kind.len()) && kind.bytes().all(|c| c.is_ascii_alphanumeric()) && !rest.is_empty()
    })
}

/// The name that a text ends with, before `:` or `=`, with or without quotes.
pub(super) fn name_before(text: &str) -> &str {
    name_at_end(text.trim_end_matches([':', '=']))
}

/// The same, without the sign. It does not look far back: lines may be long.
pub(super) fn name_at_end(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'', '\\']);
    text.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "-_/".contains(c))).next().unwrap_or_default()
}
