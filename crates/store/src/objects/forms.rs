//! How addresses, times and their like are written.

use std::net::IpAddr;

use chrono::DateTime;
use ipnet::IpNet;
use serde_json::Value as Json;

use super::data::Data;

pub(super) fn time(text: &str) -> Result<Data, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| Data::Time(time.to_utc()))
        .map_err(|_| format!("{text:?} is not a time such as 2030-01-31T12:00:00Z"))
}

/// An address with or without its length; without, the longest.
pub(super) fn interface(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text:?} is not an IP address"))
}

/// Any common notation of an EUI-48 address, as lower-case pairs with colons.
pub(super) fn mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    let pairs: Vec<&str> = (0..6).map(|pair| &digits[pair * 2..pair * 2 + 2]).collect();
    Some(pairs.join(":"))
}

pub(crate) fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.rsplit_once('@') else { return false };
    let spaces = text.chars().any(|c| c.is_whitespace() || c.is_control());
    let labels = host.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    });
    !user.is_empty()
        && !user.contains('@')
        && !spaces
        && labels
        && (host.contains('.') || host == "localhost")
}

/// What the original takes for nothing: it lets these pass where an object is asked for.
pub(super) fn is_falsy(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(items) => items.is_empty(),
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}
