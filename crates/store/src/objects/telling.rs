//! What is a secret by its name: members of JSON, and user and password in addresses.
//!
//! The masks of configurations, in `pm-router`, go by words of configurations and take these names for secrets as well.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::data::MASK;

/// A name with one of these in it is a secret's.
pub const WORDS: [&str; 10] = [
    "password",
    "passphrase",
    "passwd",
    "secret",
    "token",
    "private_key",
    "api_key",
    "apikey",
    "auth_key",
    "credential",
];

/// And one that ends with one of these.
pub const ENDS: [&str; 6] = ["key", "md5", "psk", "pwd", "pass", "community"];

/// What may stand before `key` in the name of something that anybody may know.
const PUBLIC: [&str; 5] = ["public", "host", "sort", "primary", "foreign"];

/// Communities of BGP that are called by a name.
const WELL_KNOWN: [&str; 9] = [
    "no-export",
    "no-advertise",
    "no-export-subconfed",
    "local-as",
    "no-peer",
    "internet",
    "blackhole",
    "graceful-shutdown",
    "accept-own",
];

/// Arguments of the connection to a router that hold no secret. Under any other name one may stand: drivers have names of
/// their own.
const PLAIN_ARGUMENTS: [&str; 58] = [
    "driver",
    "port",
    "transport",
    "host_key",
    "key_file",
    "ssl_verify",
    "ca_file",
    "jump_host",
    "jump_host_key",
    "jump_key_file",
    "source_address",
    "legacy_algorithms",
    "load_mode",
    "config_file",
    "post_check",
    "without_timer",
    "deploy_window",
    "file_target",
    "directory",
    "git",
    "name",
    "remote",
    "branch",
    "lock_disable",
    "config_lock",
    "config_private",
    "config_format",
    "config_encoding",
    "optional_args",
    "ssh_config_file",
    "ssh_strict",
    "system_host_keys",
    "alt_host_keys",
    "alt_key_file",
    "use_keys",
    "allow_agent",
    "disabled_algorithms",
    "keepalive",
    "timeout",
    "conn_timeout",
    "auth_timeout",
    "banner_timeout",
    "blocking_timeout",
    "read_timeout_override",
    "session_timeout",
    "global_delay_factor",
    "fast_cli",
    "inline_transfer",
    "auto_file_prompt",
    "auto_rollback_on_error",
    "auto_probe",
    "canonical_int",
    "dest_file_system",
    "force_no_enable",
    "enable_mode",
    "eos_autoComplete",
    "session_log",
    "use_legacy_ssh",
];

/// Which members of a JSON document are secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Those with telling names.
    Telling,
    /// All but truth values and arguments that are known to be harmless.
    Arguments,
}

impl Rule {
    /// Whether a member is hidden as a whole.
    pub(crate) fn hides(self, name: &str, value: &Json) -> bool {
        let plain = name.to_lowercase();
        if plain.ends_with("community")
            || plain.ends_with("community-name")
            || plain.ends_with("community_name")
        {
            return self.hides_community(&plain, value);
        }
        is_telling(name) || (self == Self::Arguments && !is_plain_argument(name) && !is_truth(value))
    }

    /// Whether there is anything to hide.
    pub(crate) fn finds(self, json: &Json) -> bool {
        match json {
            Json::Object(members) => {
                members.iter().any(|(name, value)| self.hides(name, value) || self.finds(value))
            }
            Json::Array(items) => items.iter().any(|item| self.finds(item)),
            Json::String(text) => matches!(without_credentials(text), Cow::Owned(_)),
            _ => false,
        }
    }

    /// Whether a member of this name may have been hidden.
    pub(crate) fn may_hide(self, name: &str) -> bool {
        is_telling(name) || (self == Self::Arguments && !is_plain_argument(name))
    }

    /// A community of SNMP is a secret, one of BGP is none.
    fn hides_community(self, name: &str, value: &Json) -> bool {
        match value {
            Json::String(text) => name.contains("snmp") || !is_bgp_community(text),
            Json::Array(items) => items.iter().any(|item| self.hides_community(name, item)),
            Json::Number(_) => self == Self::Arguments,
            _ => false,
        }
    }
}

/// Whether what is called so is a secret. A community may be one.
pub fn is_telling(name: &str) -> bool {
    let name = name.to_lowercase().replace(['-', ' ', '.', '/'], "_");
    if WORDS.iter().any(|word| name.contains(word)) || name.ends_with("community_name") {
        return true;
    }
    let mut parts = name.rsplit('_');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    ENDS.contains(&last) && !(last == "key" && PUBLIC.contains(&before))
}

fn is_plain_argument(name: &str) -> bool {
    PLAIN_ARGUMENTS.contains(&name)
}

fn is_truth(value: &Json) -> bool {
    matches!(value, Json::Null | Json::Bool(_))
}

/// `64496:1`, `target:192.0.2.1:1`, `no-export`.
fn is_bgp_community(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let name = text.to_lowercase().replace('_', "-");
    text.is_empty()
        || WELL_KNOWN.contains(&name.as_str())
        || text.rsplit_once(':').is_some_and(|(before, last)| {
            number(last) && before.rsplit(':').next().is_some_and(|one| number(&one.replace('.', "")))
        })
}

/// A text with user and password of its addresses hidden: `https://user:password@host`.
///
/// A user alone is hidden where it may be a token, over HTTP; in `ssh://git@host` it is a name.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    // What comes before is in `out`; where to look on.
    let (mut from, mut at) = (0, 0);
    while let Some(sign) = text[at..].find("://") {
        at += sign + 3;
        let rest = &text[at..];
        let end = rest.find(|c: char| c.is_whitespace() || "/\"'<>`".contains(c)).unwrap_or(rest.len());
        let Some(length) = rest[..end].rfind('@') else { continue };
        let is = |scheme: &str| {
            at.checked_sub(scheme.len())
                .and_then(|from| text.get(from..at))
                .is_some_and(|it| it.eq_ignore_ascii_case(scheme))
        };
        let over_http = is("http://") || is("https://");
        if rest[..length].contains(':') || over_http {
            out.push_str(&text[from..at]);
            out.push_str(MASK);
            from = at + length;
        }
        at += length;
    }
    if from == 0 {
        return text.into();
    }
    out.push_str(&text[from..]);
    out.into()
}

/// Every text of a JSON document that is hidden.
pub fn secret_texts(json: &Json) -> Vec<&str> {
    fn collect<'a>(json: &'a Json, hidden: bool, found: &mut Vec<&'a str>) {
        match json {
            Json::String(text) if hidden => found.push(text),
            Json::Array(items) => items.iter().for_each(|item| collect(item, hidden, found)),
            Json::Object(members) => {
                for (name, value) in members {
                    collect(value, hidden || Rule::Telling.hides(name, value), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(json, false, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_tell_what_is_secret() {
        for name in [
            "password",
            "Password",
            "jump-password",
            "passphrase",
            "ldap_pass",
            "sudo_pwd",
            "psk",
            "md5",
            "tcp_md5",
            "key",
            "auth_key",
            "api-key",
            "apiKey",
            "access_token",
            "secret",
            "enable.secret",
            "snmp_community",
            "private_key",
        ] {
            assert!(is_telling(name), "{name}");
        }
        for name in [
            "port",
            "key_file",
            "host_key",
            "public_key",
            "keys",
            "bypass",
            "compass",
            "md5sum",
            "keyboard",
            "communities",
        ] {
            assert!(!is_telling(name), "{name}");
        }
    }

    #[test]
    fn communities_of_snmp_are_secret_and_those_of_bgp_are_not() {
        for (name, value, hidden) in [
            ("community", json!("hunter2"), true),
            ("community", json!("64500:1"), false),
            ("community", json!("target:192.0.2.1:100"), false),
            ("community", json!(["64500:1", "no-export"]), false),
            ("community", json!(["64500:1", "hunter2"]), true),
            ("snmp_community", json!("64500:1"), true),
            ("community_name", json!("hunter2"), true),
            ("community", json!({"rw": 1}), false),
        ] {
            assert_eq!(Rule::Telling.hides(name, &value), hidden, "{name} {value}");
        }
    }

    #[test]
    fn of_arguments_all_is_secret_but_what_is_known() {
        for (name, value, hidden) in [
            ("port", json!(22), false),
            ("file_target", json!({"directory": "/srv"}), false),
            ("enable", json!("hunter2"), true),
            ("enable", json!(true), false),
            ("pin", json!(1234), true),
            ("login", json!({"a": "hunter2"}), true),
        ] {
            assert_eq!(Rule::Arguments.hides(name, &value), hidden, "{name} {value}");
            assert_eq!(Rule::Arguments.finds(&json!({ name: value })), hidden, "{name}");
        }
    }

    #[test]
    fn credentials_are_found_deep_inside() {
        for (json, found) in [
            (json!({"file_target": {"directory": "/srv", "remote": "https://u:p@git.example/x"}}), true),
            (
                json!({"file_target": {"directory": "/srv", "remote": "ssh://git@git.example/x"}, "port": 22}),
                false,
            ),
            (json!([{"port": 22}, {"x": "y"}]), true),
            (json!("x"), false),
        ] {
            assert_eq!(Rule::Arguments.finds(&json), found, "{json}");
        }
    }

    #[test]
    fn user_and_password_of_addresses_are_hidden() {
        for (text, hidden) in [
            ("https://oauth2:glpat-x@git.example/a.git", format!("https://{MASK}@git.example/a.git")),
            ("https://ghp_x@git.example", format!("https://{MASK}@git.example")),
            (
                "see ftp://a:b@c and https://d:e@f@g/h@i, x",
                format!("see ftp://{MASK}@c and https://{MASK}@g/h@i, x"),
            ),
            ("ssh://git@git.example/a.git", "ssh://git@git.example/a.git".to_owned()),
            ("https://git.example/a@b", "https://git.example/a@b".to_owned()),
            ("git@git.example:a.git é", "git@git.example:a.git é".to_owned()),
        ] {
            assert_eq!(without_credentials(text), hidden);
            assert_eq!(matches!(without_credentials(text), Cow::Owned(_)), hidden != text);
        }
    }

    #[test]
    fn the_texts_that_are_secret_are_found() {
        let json = json!({"secret": "a", "port": "22", "list": [{"key": ["b", 1]}], "x": {"y": "z"}});
        assert_eq!(secret_texts(&json), ["b", "a"]);
    }
}
