//! Fits one JSON value into the type of its field.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike, Utc};
use ipnet::IpNet;
use serde_json::Value as Json;

use crate::types::{Kind, Value};

/// A value that cannot stand for what was sent: the original must be kept beside it.
pub(crate) struct Misfit {
    /// As near as the kind allows, often [`Value::Null`].
    pub(crate) nearest: Value,
    /// What was sent.
    pub(crate) sent: Json,
    /// For people: why it does not fit.
    pub(crate) reason: &'static str,
}

/// The value for `sent`, or a [`Misfit`] if turning the value back into JSON would give anything but `sent`.
///
/// NUL characters must be gone already.
pub(crate) fn fit(kind: Kind, sent: Json) -> Result<Value, Misfit> {
    match (kind, sent) {
        (_, Json::Null) => Ok(Value::Null),
        (Kind::Integer, sent) => integer(sent),
        (Kind::Float, sent) => float(sent),
        (Kind::Boolean, Json::Bool(flag)) => Ok(Value::Boolean(flag)),
        (Kind::Text, Json::String(text)) => Ok(Value::Text(text)),
        (Kind::Json, sent @ (Json::Array(_) | Json::Object(_))) => Ok(Value::Json(sent)),
        (Kind::Mac, Json::String(text)) if is_mac(&text) => Ok(Value::Text(text)),
        (Kind::Time, Json::String(text)) => match time(&text) {
            Some((time, true)) => Ok(Value::Time(time)),
            Some((time, false)) => {
                misfit(Value::Time(time), text.into(), "a time in another shape than YYYY-MM-DDTHH:MM:SSZ")
            }
            None => misfit(Value::Null, text.into(), "no time"),
        },
        (Kind::Ipv4, Json::String(text)) => {
            address(text.parse::<Ipv4Addr>().ok().map(IpAddr::from), text, "no IPv4 address")
        }
        (Kind::Ipv6, Json::String(text)) => {
            address(text.parse::<Ipv6Addr>().ok().map(IpAddr::from), text, "no IPv6 address")
        }
        (Kind::Prefix, Json::String(text)) => prefix(text),
        (kind, sent) => misfit(Value::Null, sent, expectation(kind)),
    }
}

fn misfit(nearest: Value, sent: Json, reason: &'static str) -> Result<Value, Misfit> {
    Err(Misfit { nearest, sent, reason })
}

const fn expectation(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "no whole number of 64 bits",
        Kind::Boolean => "neither true nor false",
        Kind::Float => "no number",
        Kind::Text => "no text",
        Kind::Time => "no time",
        Kind::Json => "neither a list nor an object",
        Kind::Ipv4 => "no IPv4 address",
        Kind::Ipv6 => "no IPv6 address",
        Kind::Prefix => "no prefix",
        Kind::Mac => "no MAC address",
    }
}

fn integer(sent: Json) -> Result<Value, Misfit> {
    match sent.as_i64() {
        Some(number) => Ok(Value::Integer(number)),
        None => misfit(Value::Null, sent, expectation(Kind::Integer)),
    }
}

fn float(sent: Json) -> Result<Value, Misfit> {
    match sent.as_f64() {
        Some(number) if sent.is_f64() => Ok(Value::Float(number)),
        Some(number) => {
            misfit(Value::Float(number), sent, "a whole number where one with a fraction is usual")
        }
        None => misfit(Value::Null, sent, expectation(Kind::Float)),
    }
}

fn address(parsed: Option<IpAddr>, text: String, reason: &'static str) -> Result<Value, Misfit> {
    match parsed {
        Some(address) if address.to_string() == text => Ok(Value::Address(address)),
        Some(address) => misfit(Value::Address(address), text.into(), "an address in an unusual spelling"),
        None => misfit(Value::Null, text.into(), reason),
    }
}

fn prefix(text: String) -> Result<Value, Misfit> {
    match text.parse::<IpNet>() {
        Ok(sent) if sent.trunc() != sent => {
            misfit(Value::Prefix(sent.trunc()), text.into(), "a prefix with host bits")
        }
        Ok(prefix) if prefix.to_string() == text => Ok(Value::Prefix(prefix)),
        Ok(prefix) => misfit(Value::Prefix(prefix), text.into(), "a prefix in an unusual spelling"),
        Err(_) => misfit(Value::Null, text.into(), expectation(Kind::Prefix)),
    }
}

/// Six pairs of hexadecimal digits between colons or hyphens.
fn is_mac(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 17
        && (bytes[2] == b':' || bytes[2] == b'-')
        && bytes.iter().enumerate().all(|(at, byte)| match at % 3 {
            2 => *byte == bytes[2],
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The time that `text` names, and whether [`time_text`] gives `text` back.
///
/// The usual shape is taken apart by hand: a full answer holds close to a million times.
pub(crate) fn time(text: &str) -> Option<(DateTime<Utc>, bool)> {
    if let Some(time) = usual_time(text.as_bytes()) {
        return Some((time, true));
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    // A zone can move a time out of the years that can be written with four digits.
    (0..=9999).contains(&time.year()).then_some((time, false))
}

fn usual_time(text: &[u8]) -> Option<DateTime<Utc>> {
    const SHAPE: &[u8; 20] = b"0000-00-00T00:00:00Z";
    let usual = text.len() == SHAPE.len()
        && text.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
    if !usual {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let year = i32::try_from(number(0, 4)).ok()?;
    NaiveDate::from_ymd_opt(year, number(5, 7), number(8, 10))?
        .and_hms_opt(number(11, 13), number(14, 16), number(17, 19))
        .map(|time| time.and_utc())
}

/// A time as `PeeringDB` writes it. A fraction of a second is written too, if there is one.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    let format = if time.nanosecond() == 0 { SecondsFormat::Secs } else { SecondsFormat::AutoSi };
    time.to_rfc3339_opts(format, true)
}

impl Value {
    /// The JSON that stands for the value in the API's answers.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Integer(number) => Json::from(*number),
            Self::Boolean(flag) => Json::from(*flag),
            Self::Float(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Time(time) => Json::from(time_text(*time)),
            Self::Json(json) => json.clone(),
            Self::Address(address) => Json::from(address.to_string()),
            Self::Prefix(prefix) => Json::from(prefix.to_string()),
        }
    }
}
