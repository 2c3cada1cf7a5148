//! Values of fields: what people may write, what is checked of one alone, and how each travels to and from the database
//! and JSON.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use ipnet::IpNet;
use serde_json::Value as Json;

use super::forms::{interface, is_email, is_falsy, mac, time};
use super::model::{Default, Field, Kind};
use super::secrets::{Clear, is_sealed};
use crate::schema::ColumnKind;
use crate::{Row, StoreError, Value, address};

/// What stands for a secret wherever one may not be shown.
pub const MASK: &str = "*************";

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Nothing.
    Null,
    /// Text, a choice, a MAC address, a model's label.
    Text(String),
    /// A number, or the id of another object.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// An instant.
    Time(DateTime<Utc>),
    /// A JSON document other than `null`.
    Json(Json),
    /// An address with its prefix length.
    Interface(IpNet),
    /// An address.
    Host(IpAddr),
    /// A secret that somebody gave.
    Secret(Clear),
    /// A secret, or another value of a field that is sealed, as the database has it.
    Sealed(String),
    /// Ids of other objects.
    Ids(Vec<i64>),
}

macro_rules! data_from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Data {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
        impl From<Option<$type>> for Data {
            fn from(value: Option<$type>) -> Self {
                value.map_or(Self::Null, |value| Self::$variant(value.into()))
            }
        }
    )*};
}
data_from! {
    &str => Text, String => Text, i64 => Integer, bool => Boolean, DateTime<Utc> => Time, IpNet => Interface,
    IpAddr => Host, Clear => Secret, Vec<i64> => Ids,
}

impl From<Json> for Data {
    /// By the JSON type alone; [`Field::accept`] makes of it what the field holds.
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Boolean(value),
            Json::String(text) => Self::Text(text),
            Json::Number(number) => number.as_i64().map_or(Self::Json(Json::Number(number)), Self::Integer),
            Json::Array(items) => match items.iter().map(Json::as_i64).collect() {
                Some(ids) => Self::Ids(ids),
                None => Self::Json(Json::Array(items)),
            },
            object @ Json::Object(_) => Self::Json(object),
        }
    }
}

impl Data {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Secret(clear) => clear.reveal().is_empty(),
            Self::Ids(ids) => ids.is_empty(),
            _ => false,
        }
    }

    /// As JSON, secrets replaced by [`MASK`]. Times have microseconds.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Boolean(value) => (*value).into(),
            Self::Time(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
            Self::Json(json) => json.clone(),
            Self::Interface(net) => net.to_string().into(),
            Self::Host(address) => address.to_string().into(),
            Self::Secret(clear) if clear.reveal().is_empty() => "".into(),
            Self::Secret(_) | Self::Sealed(_) => MASK.into(),
            Self::Ids(ids) => ids.clone().into(),
        }
    }

    /// For messages: the value as people wrote it, cut short.
    fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) => format!("{text:?}"),
            other => other.to_json().to_string(),
        };
        if text.chars().count() <= 60 { text } else { text.chars().take(59).chain(['…']).collect() }
    }
}

impl Field {
    /// The value that it has when nobody gives one.
    pub fn initial(&self) -> Data {
        match (self.default, self.kind) {
            (_, Kind::ManyToMany(_) | Kind::Tags) => Data::Ids(Vec::new()),
            (Default::None, _) => Data::Null,
            (Default::Text(text), Kind::Secret(_)) => Data::Secret(Clear::new(text)),
            (Default::Text(text), _) => text.into(),
            (Default::Integer(number), _) => number.into(),
            (Default::Boolean(value), _) => value.into(),
        }
    }

    /// Makes of what somebody gave what the field holds, without looking whether it is allowed.
    ///
    /// # Errors
    /// A sentence about a value that means nothing here.
    pub fn accept(&self, data: Data) -> Result<Data, String> {
        if data == Data::Null {
            let empty = self.kind.is_text() && !self.nullable && self.optional;
            return Ok(match self.kind {
                Kind::ManyToMany(_) | Kind::Tags => Data::Ids(Vec::new()),
                Kind::Secret(_) if empty => Data::Secret(Clear::new("")),
                _ if empty => Data::Text(String::new()),
                _ => Data::Null,
            });
        }
        let wrong = |data: &Data, what: &str| Err(format!("{} is not {what}", data.shown()));
        match (self.kind, data) {
            (Kind::Json | Kind::JsonObject, data) => Ok(Data::Json(data.to_json())),
            (
                Kind::Choice(_) | Kind::Mac | Kind::Interface(_) | Kind::Host | Kind::Time,
                Data::Text(text),
            ) if text.is_empty() && self.nullable => Ok(Data::Null),
            (Kind::Mac, Data::Text(text)) => mac(&text)
                .map(Data::Text)
                .ok_or_else(|| format!("{text:?} is not a MAC address such as 00:00:5e:00:53:01")),
            (Kind::Secret(_), Data::Text(text)) => Ok(Data::Secret(Clear(text))),
            (Kind::Secret(_), data @ (Data::Secret(_) | Data::Sealed(_)))
            | (Kind::Boolean, data @ Data::Boolean(_))
            | (Kind::Time, data @ Data::Time(_))
            | (Kind::Interface(_), data @ Data::Interface(_))
            | (Kind::Host, data @ Data::Host(_)) => Ok(data),
            (Kind::Secret(_), _) => Err("is not text".to_owned()),
            (kind, Data::Text(text)) if kind.column() == Some(ColumnKind::Text) => Ok(Data::Text(text)),
            (kind, data) if kind.column() == Some(ColumnKind::Text) => wrong(&data, "text"),
            (Kind::Boolean, data) => wrong(&data, "true or false"),
            (Kind::Time, Data::Text(text)) => time(&text),
            (Kind::Time, data) => wrong(&data, "a time such as 2030-01-31T12:00:00Z"),
            (Kind::Interface(_), Data::Host(host)) => Ok(IpNet::from(host).into()),
            (Kind::Host, Data::Interface(net)) => Ok(net.addr().into()),
            (Kind::Interface(_), Data::Text(text)) => interface(&text).map(Data::Interface),
            (Kind::Host, Data::Text(text)) => interface(&text).map(|net| Data::Host(net.addr())),
            (Kind::Interface(_) | Kind::Host, data) => wrong(&data, "an IP address"),
            (Kind::ManyToMany(_) | Kind::Tags, Data::Ids(mut ids)) => {
                let mut seen = std::collections::HashSet::new();
                ids.retain(|id| seen.insert(*id));
                Ok(Data::Ids(ids))
            }
            (Kind::ManyToMany(_) | Kind::Tags, data) => wrong(&data, "a list of ids"),
            (_, data @ Data::Integer(_)) => Ok(data),
            (_, data) => wrong(&data, "a whole number"),
        }
    }

    /// Looks whether the value is allowed in this field, as far as that can be told from the value alone.
    ///
    /// # Errors
    /// A sentence about the rule that it breaks.
    pub fn check(&self, data: &Data) -> Result<(), String> {
        match (self.kind, data) {
            (_, Data::Null) if self.optional && self.nullable => Ok(()),
            (_, Data::Null) => Err("is required".to_owned()),
            (Kind::Secret(max), Data::Secret(clear)) => self.check_text(clear.reveal(), max, false),
            (Kind::Text(max), Data::Text(text)) => self.check_text(text, max, true),
            (Kind::LongText | Kind::Mac, Data::Text(text)) => self.check_text(text, usize::MAX, false),
            (Kind::Slug(max), Data::Text(text)) => {
                self.check_text(text, max, true)?;
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if text.chars().all(fits) {
                    Ok(())
                } else {
                    Err(format!(
                        "{text:?} has other characters than letters, digits, hyphens and underscores"
                    ))
                }
            }
            (Kind::Email(max), Data::Text(text)) => {
                self.check_text(text, max, true)?;
                if text.is_empty() || is_email(text) {
                    Ok(())
                } else {
                    Err(format!("{text:?} is not an e-mail address"))
                }
            }
            (Kind::Color, Data::Text(text)) => {
                if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                    Ok(())
                } else {
                    Err(format!(
                        "{text:?} is not a colour: six lower-case hexadecimal digits, such as 9e9e9e"
                    ))
                }
            }
            (Kind::Integer(from, to), Data::Integer(number)) if !(from..=to).contains(number) => {
                Err(format!("{number} is not between {from} and {to}"))
            }
            (Kind::Choice(choices), Data::Text(text)) => {
                let known = choices.iter().any(|(value, _)| value == text);
                if known || (text.is_empty() && self.optional) {
                    Ok(())
                } else {
                    let values: Vec<&str> = choices.iter().map(|(value, _)| *value).collect();
                    Err(format!("{text:?} is none of {}", values.join(", ")))
                }
            }
            (Kind::Number(choices), Data::Integer(number)) => {
                if choices.iter().any(|(value, _)| value == number) {
                    Ok(())
                } else {
                    let values: Vec<String> = choices.iter().map(|(value, _)| value.to_string()).collect();
                    Err(format!("{number} is none of {}", values.join(", ")))
                }
            }
            (Kind::Interface(family @ (4 | 6)), Data::Interface(net))
                if net.addr().is_ipv4() != (family == 4) =>
            {
                Err(format!("{net} is not an IPv{family} address"))
            }
            (Kind::JsonObject, Data::Json(json)) if !json.is_object() && !is_falsy(json) => {
                Err("is not a JSON object".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str, max: usize, show: bool) -> Result<(), String> {
        let length = text.chars().count();
        if text.trim().is_empty() && !self.optional {
            Err("may not be empty".to_owned())
        } else if length > max {
            let shown = if show { format!("{} ", Data::from(text).shown()) } else { String::new() };
            Err(format!("{shown}has {length} characters, at most {max} are allowed"))
        } else if text.contains('\0') {
            Err("may not hold a NUL character".to_owned())
        } else {
            Ok(())
        }
    }

    /// What is sealed of a value that is in the clear; `None` if there is nothing to seal.
    pub(crate) fn clear(&self, data: &Data) -> Option<Clear> {
        match data {
            Data::Secret(clear) if !clear.reveal().is_empty() => Some(clear.clone()),
            Data::Text(text) if self.sealed && !text.is_empty() => Some(Clear::new(text)),
            Data::Json(json) if self.sealed && self.rule().finds(json) => Some(Clear::new(json.to_string())),
            _ => None,
        }
    }

    /// A value of a field that is no secret, out of what was sealed of it; `None` if it is none.
    pub(crate) fn unsealed(&self, clear: &Clear) -> Option<Data> {
        match self.kind.column() {
            Some(ColumnKind::Json) => serde_json::from_str(clear.reveal()).ok().map(Data::Json),
            _ => Some(clear.reveal().into()),
        }
    }

    /// Into a statement. A secret has to be sealed before.
    pub(crate) fn value(&self, data: &Data) -> Value {
        match (self.kind.column(), data) {
            (Some(ColumnKind::Integer), Data::Integer(number)) => (*number).into(),
            (Some(ColumnKind::Integer), _) => Value::Integer(None),
            (Some(ColumnKind::Boolean), Data::Boolean(value)) => (*value).into(),
            (Some(ColumnKind::Boolean), _) => Value::Boolean(None),
            (Some(ColumnKind::Time), Data::Time(time)) => (*time).into(),
            (Some(ColumnKind::Time), _) => Value::Time(None),
            (Some(ColumnKind::Address), Data::Interface(net)) => address::encode(*net).into(),
            (Some(ColumnKind::Address), Data::Host(host)) => address::encode_host(*host).into(),
            (Some(ColumnKind::Address), _) => Value::Bytes(None),
            (_, Data::Json(json)) => Value::json(json),
            (_, Data::Text(text) | Data::Sealed(text)) => text.as_str().into(),
            (_, Data::Secret(clear)) if clear.reveal().is_empty() => "".into(),
            _ => Value::Text(None),
        }
    }

    /// Out of a row, by the place of its column.
    pub(crate) fn read(&self, row: &Row, column: usize) -> Result<Data, StoreError> {
        Ok(match self.kind.column() {
            Some(ColumnKind::Integer) => row.get::<Option<i64>, _>(column)?.into(),
            Some(ColumnKind::Boolean) => row.get::<Option<bool>, _>(column)?.into(),
            Some(ColumnKind::Time) => row.get::<Option<DateTime<Utc>>, _>(column)?.into(),
            Some(ColumnKind::Json) => match row.get::<Option<String>, _>(column)? {
                None => Data::Null,
                Some(text) if self.sealed && is_sealed(&text) => Data::Sealed(text),
                Some(text) => Data::Json(serde_json::from_str(&text).map_err(|error| {
                    StoreError::Data(format!("column {} does not hold JSON: {error}", self.name))
                })?),
            },
            Some(ColumnKind::Address) => match row.get::<Option<Vec<u8>>, _>(column)? {
                None => Data::Null,
                Some(octets) => {
                    let net = address::decode(&octets).ok_or_else(|| {
                        StoreError::Data(format!("column {} does not hold an address", self.name))
                    })?;
                    if matches!(self.kind, Kind::Host) { net.addr().into() } else { net.into() }
                }
            },
            _ => match (row.get::<Option<String>, _>(column)?, self.kind) {
                (None, _) => Data::Null,
                (Some(text), Kind::Secret(_)) if text.is_empty() => Data::Secret(Clear(text)),
                (Some(text), Kind::Secret(_)) => Data::Sealed(text),
                (Some(text), _) if self.sealed && is_sealed(&text) => Data::Sealed(text),
                (Some(text), _) => Data::Text(text),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepted(kind: Kind, json: Json) -> Result<Json, String> {
        let field = Field::new("x", kind);
        let data = field.accept(json.into())?;
        field.check(&data)?;
        Ok(data.to_json())
    }

    #[test]
    fn values_take_the_form_that_is_kept() {
        for (kind, given, kept) in [
            (Kind::Mac, json!("AABB.CC00.1122"), json!("aa:bb:cc:00:11:22")),
            (Kind::Mac, json!("aa-bb-cc-00-11-22"), json!("aa:bb:cc:00:11:22")),
            (Kind::Host, json!("192.0.2.1/24"), json!("192.0.2.1")),
            (Kind::Interface(0), json!("192.0.2.1"), json!("192.0.2.1/32")),
            (Kind::Interface(6), json!("2001:DB8:0:0::1/64"), json!("2001:db8::1/64")),
            (Kind::Time, json!("2030-01-31T13:00:00+01:00"), json!("2030-01-31T12:00:00.000000Z")),
            (Kind::Integer(1, 9), json!(9), json!(9)),
            (Kind::JsonObject, json!([]), json!([])),
            (Kind::Json, json!(7), json!(7)),
        ] {
            assert_eq!(accepted(kind, given.clone()), Ok(kept), "{given}");
        }
    }

    #[test]
    fn refusals_name_the_value_and_the_rule() {
        const FAMILIES: &[(i64, &str)] = &[(0, "All"), (4, "IPv4"), (6, "IPv6")];
        for (kind, given, message) in [
            (Kind::Text(3), json!("four"), "\"four\" has 4 characters, at most 3 are allowed"),
            (Kind::Text(3), json!(" "), "may not be empty"),
            (Kind::Text(3), json!(null), "is required"),
            (Kind::Text(3), json!("a\0"), "may not hold a NUL character"),
            (Kind::Text(3), json!(7), "7 is not text"),
            (
                Kind::Slug(9),
                json!("a b"),
                "\"a b\" has other characters than letters, digits, hyphens and underscores",
            ),
            (Kind::Integer(1, 4094), json!(4095), "4095 is not between 1 and 4094"),
            (Kind::Integer(1, 4094), json!("4"), "\"4\" is not a whole number"),
            (Kind::Choice(&[("a", "A"), ("b", "B")]), json!("c"), "\"c\" is none of a, b"),
            (Kind::Number(FAMILIES), json!(5), "5 is none of 0, 4, 6"),
            (Kind::Interface(4), json!("2001:db8::1/64"), "2001:db8::1/64 is not an IPv4 address"),
            (Kind::Host, json!("192.0.2.256"), "\"192.0.2.256\" is not an IP address"),
            (
                Kind::Color,
                json!("9E9E9E"),
                "\"9E9E9E\" is not a colour: six lower-case hexadecimal digits, such as 9e9e9e",
            ),
            (Kind::Email(50), json!("a@b"), "\"a@b\" is not an e-mail address"),
            (Kind::JsonObject, json!([1]), "is not a JSON object"),
            (Kind::Boolean, json!(1), "1 is not true or false"),
            (Kind::Secret(3), json!("four"), "has 4 characters, at most 3 are allowed"),
            (Kind::Mac, json!("00:11"), "\"00:11\" is not a MAC address such as 00:00:5e:00:53:01"),
        ] {
            assert_eq!(accepted(kind, given.clone()), Err(message.to_owned()), "{given}");
        }
    }
}
