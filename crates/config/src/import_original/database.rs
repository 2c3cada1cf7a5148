//! The original's `DATABASE` dictionary as one URL.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::value::PyValue;

/// What may stand unencoded in every part of a URL (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the server listens when no host is given.
const SOCKET_DIRECTORY: &str = "/var/run/postgresql";

/// The URL with what is known, and what has no place in it.
pub(super) struct DatabaseUrl {
    pub(super) url: String,
    pub(super) notes: Vec<String>,
}

/// Writes the dictionary as `postgres://user:password@host:port/name`.
pub(super) fn url(pairs: &[(String, PyValue)]) -> DatabaseUrl {
    let entry = |name: &str| pairs.iter().find_map(|(key, value)| (key == name).then_some(value));
    let text = |name: &str| entry(name).and_then(PyValue::to_text).unwrap_or_default();
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut notes = Vec::new();
    let mut parameters = Vec::new();

    let mut url = String::from("postgres://");
    let (user, password, port) = (text("USER"), text("PASSWORD"), text("PORT"));
    if !user.is_empty() {
        url.push_str(&encoded(&user));
        if !password.is_empty() {
            url.push(':');
            url.push_str(&encoded(&password));
        }
        url.push('@');
    }
    let host = text("HOST");
    if host.is_empty() && matches!(entry("HOST"), Some(PyValue::Hole(_))) {
        // Only a stand-in: the line is commented out, with a note that the host is missing.
        url.push_str("localhost");
    } else if host.is_empty() || host.starts_with('/') {
        let directory = if host.is_empty() { SOCKET_DIRECTORY } else { &host };
        parameters.push(format!("host={}", encoded(directory)));
        url.push_str("localhost");
        notes.push(format!("DATABASE names no host: the socket in {directory} is used"));
    } else if host.parse::<Ipv6Addr>().is_ok() {
        // Writing to a `String` cannot fail.
        let _ = write!(url, "[{host}]");
    } else {
        url.push_str(&encoded(&host));
    }
    if port.parse::<u16>().is_ok() {
        url.push(':');
        url.push_str(&port);
    } else if !port.is_empty() {
        notes.push("DATABASE.PORT is left out: it is no port number".to_owned());
    }
    url.push('/');
    url.push_str(&encoded(&text("NAME")));

    for (key, value) in pairs {
        match (key.as_str(), value) {
            // The engine is always PostgreSQL in the original, whatever stands here.
            ("NAME" | "USER" | "PASSWORD" | "HOST" | "PORT" | "ENGINE", _) => {}
            ("CONN_MAX_AGE", _) => {
                notes.push("DATABASE.CONN_MAX_AGE is left out: connections are pooled here".to_owned());
            }
            ("OPTIONS", PyValue::Dict(options)) => {
                for (option, value) in options {
                    match (option.as_str(), value.to_text()) {
                        ("sslmode" | "sslrootcert" | "sslcert" | "sslkey", Some(value)) => {
                            parameters.push(format!("{option}={}", encoded(&value)));
                        }
                        _ => notes.push(format!("DATABASE.OPTIONS.{option} is left out: see `database_url`")),
                    }
                }
            }
            _ => notes.push(format!("DATABASE.{key} is left out: it has no counterpart in `database_url`")),
        }
    }
    if !parameters.is_empty() {
        url.push('?');
        url.push_str(&parameters.join("&"));
    }
    DatabaseUrl { url, notes }
}
