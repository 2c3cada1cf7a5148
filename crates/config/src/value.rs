//! The types a setting can have: how each is read from TOML or from text, and how it is shown.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use toml::Value;

use crate::MASK;
use crate::address::SecretUrl;

/// What a value should have been, for `… is not <expected>`. Never holds what was found, which may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected(pub(crate) Cow<'static, str>);

/// How a value is written, and so how the text of an environment variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Boolean,
    List,
    Table,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Table => "table",
        }
    }

    pub(crate) fn expected(self) -> Expected {
        Expected(Cow::Borrowed(match self {
            Self::Text => "a string",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::List => "a list of strings",
            Self::Table => "a table",
        }))
    }

    /// Reads the text of an environment variable into the form the file would have had.
    ///
    /// Lists are JSON, TOML or comma separated; tables are JSON or TOML (inline, or `key = value` lines).
    pub(crate) fn parse(self, text: &str) -> Result<Value, Expected> {
        let trimmed = text.trim();
        match self {
            Self::Text => Ok(Value::String(text.to_owned())),
            Self::Integer => trimmed.parse().map(Value::Integer).map_err(|_| self.expected()),
            Self::Boolean => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Value::Boolean(true)),
                "false" | "no" | "off" | "0" => Ok(Value::Boolean(false)),
                _ => Err(self.expected()),
            },
            Self::List if trimmed.starts_with('[') => json_or_toml(trimmed)
                .ok_or(Expected(Cow::Borrowed("a list in JSON or TOML, or values separated by commas"))),
            Self::List => Ok(trimmed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect::<Vec<_>>()
                .into()),
            Self::Table => match trimmed.strip_prefix('{') {
                Some(_) => json_or_toml(trimmed),
                None => toml::from_str(trimmed).ok().map(Value::Table),
            }
            .ok_or(Expected(Cow::Borrowed("a table in JSON or TOML"))),
        }
    }
}

fn json_or_toml(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| {
        let mut table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
        table.remove("value")
    })
}

/// A type that a field of `Config` can have.
pub(crate) trait Setting: Sized {
    const KIND: Kind;
    const SENSITIVE: bool = false;

    fn from_toml(value: &Value) -> Result<Self, Expected>;

    /// The value as TOML with credentials masked.
    fn shown(&self) -> Value;
}

fn text(value: &Value) -> Result<&str, Expected> {
    value.as_str().ok_or(Kind::Text.expected())
}

impl Setting for String {
    const KIND: Kind = Kind::Text;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        text(value).map(str::to_owned)
    }

    fn shown(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Setting for bool {
    const KIND: Kind = Kind::Boolean;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        value.as_bool().ok_or(Self::KIND.expected())
    }

    fn shown(&self) -> Value {
        Value::Boolean(*self)
    }
}

macro_rules! integer {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            const KIND: Kind = Kind::Integer;

            fn from_toml(value: &Value) -> Result<Self, Expected> {
                value.as_integer().and_then(|number| number.try_into().ok()).ok_or(Self::KIND.expected())
            }

            fn shown(&self) -> Value {
                Value::Integer(i64::from(*self))
            }
        }
    )+};
}
integer!(u8, u16, u32);

impl Setting for PathBuf {
    const KIND: Kind = Kind::Text;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        text(value).map(Self::from)
    }

    fn shown(&self) -> Value {
        Value::String(self.display().to_string())
    }
}

impl Setting for SecretString {
    const KIND: Kind = Kind::Text;
    const SENSITIVE: bool = true;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        text(value).map(Self::from)
    }

    fn shown(&self) -> Value {
        Value::String(if self.expose_secret().is_empty() { "" } else { MASK }.to_owned())
    }
}

/// The empty string stands for "none": TOML and the environment have no other way to say it.
impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;
    const SENSITIVE: bool = T::SENSITIVE;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        match value {
            Value::String(text) if text.is_empty() => Ok(None),
            value => T::from_toml(value).map(Some),
        }
    }

    fn shown(&self) -> Value {
        self.as_ref().map_or(Value::String(String::new()), T::shown)
    }
}

impl Setting for Vec<String> {
    const KIND: Kind = Kind::List;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let items = value.as_array().ok_or(Kind::List.expected())?;
        items.iter().map(|item| item.as_str().map(str::to_owned).ok_or(Kind::List.expected())).collect()
    }

    fn shown(&self) -> Value {
        self.clone().into()
    }
}

impl Setting for Vec<IpNet> {
    const KIND: Kind = Kind::List;

    /// Networks; an address is the network that holds it alone.
    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let expected = || Expected(Cow::Borrowed("a list of networks such as 192.0.2.0/24 or ::1"));
        let net = |text: &str| text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)));
        let items = value.as_array().ok_or_else(expected)?;
        items.iter().map(|item| item.as_str().and_then(net).ok_or_else(expected)).collect()
    }

    fn shown(&self) -> Value {
        let is_one = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let text = |net: &IpNet| if is_one(net) { net.addr().to_string() } else { net.to_string() };
        self.iter().map(text).collect::<Vec<_>>().into()
    }
}

impl Setting for BTreeMap<String, SecretUrl> {
    const KIND: Kind = Kind::Table;
    const SENSITIVE: bool = true;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let expected = || Expected(Cow::Borrowed("a table from scheme to proxy URL"));
        let table = value.as_table().ok_or_else(expected)?;
        table
            .iter()
            .map(|(scheme, url)| Ok((scheme.clone(), SecretUrl::new(url.as_str().ok_or_else(expected)?))))
            .collect()
    }

    fn shown(&self) -> Value {
        Value::Table(self.iter().map(|(scheme, url)| (scheme.clone(), url.shown())).collect())
    }
}

impl Setting for BTreeMap<String, Vec<String>> {
    const KIND: Kind = Kind::Table;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let table = value.as_table().ok_or(Expected(Cow::Borrowed("a table of lists of strings")))?;
        table.iter().map(|(name, list)| Ok((name.clone(), Vec::from_toml(list)?))).collect()
    }

    fn shown(&self) -> Value {
        Value::Table(self.iter().map(|(name, list)| (name.clone(), list.clone().into())).collect())
    }
}

impl Setting for toml::Table {
    const KIND: Kind = Kind::Table;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        value.as_table().cloned().ok_or(Kind::Table.expected())
    }

    fn shown(&self) -> Value {
        Value::Table(self.clone())
    }
}

/// Optional arguments of the connection to a router, by name.
///
/// They may hold an enable password or a key under any name, so no value is ever shown.
#[derive(Clone, Default, PartialEq)]
pub struct DeviceArguments(toml::Table);

impl DeviceArguments {
    /// The arguments by name.
    pub fn expose(&self) -> &toml::Table {
        &self.0
    }
}

impl fmt::Debug for DeviceArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, MASK))).finish()
    }
}

impl Setting for DeviceArguments {
    const KIND: Kind = Kind::Table;
    const SENSITIVE: bool = true;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        toml::Table::from_toml(value).map(Self)
    }

    fn shown(&self) -> Value {
        Value::Table(self.0.keys().map(|name| (name.clone(), Value::String(MASK.to_owned()))).collect())
    }
}

/// An address that can be put in copy of a message to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CcContact {
    /// The e-mail address.
    pub address: String,
    /// The name shown beside it.
    pub name: Option<String>,
}

/// Written as an address, or as a list of address and name.
impl Setting for Vec<CcContact> {
    const KIND: Kind = Kind::List;

    fn from_toml(value: &Value) -> Result<Self, Expected> {
        let expected = || Expected(Cow::Borrowed("a list of addresses, or of lists of address and name"));
        let contact = |item: &Value| match item {
            Value::String(address) => Some(CcContact { address: address.clone(), name: None }),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(address), Value::String(name)] => {
                    Some(CcContact { address: address.clone(), name: Some(name.clone()) })
                }
                _ => None,
            },
            _ => None,
        };
        let items = value.as_array().ok_or_else(expected)?;
        items.iter().map(|item| contact(item).ok_or_else(expected)).collect()
    }

    fn shown(&self) -> Value {
        let item = |contact: &CcContact| match &contact.name {
            Some(name) => Value::Array(vec![contact.address.clone().into(), name.clone().into()]),
            None => Value::String(contact.address.clone()),
        };
        Value::Array(self.iter().map(item).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json_toml_or_comma_separated() {
        let expected = Ok(Value::from(vec!["a".to_owned(), "b".to_owned()]));
        for written in [r#"["a", "b"]"#, "['a', 'b',]", "a, b", " a,b, "] {
            assert_eq!(Kind::List.parse(written), expected, "{written}");
        }
        assert!(Kind::List.parse("[a, b").is_err());
    }

    #[test]
    fn tables_are_json_or_toml() {
        let expected: toml::Table = toml::from_str("https = 'http://proxy:3128'").unwrap();
        for written in [
            r#"{"https": "http://proxy:3128"}"#,
            "{ https = 'http://proxy:3128' }",
            "https = 'http://proxy:3128'",
        ] {
            assert_eq!(Kind::Table.parse(written), Ok(Value::Table(expected.clone())), "{written}");
        }
        assert!(Kind::Table.parse("http://proxy:3128").is_err());
    }

    #[test]
    fn booleans_come_in_the_usual_spellings() {
        assert_eq!(Kind::Boolean.parse("Yes"), Ok(Value::Boolean(true)));
        assert_eq!(Kind::Boolean.parse("0"), Ok(Value::Boolean(false)));
        assert!(Kind::Boolean.parse("perhaps").is_err());
    }
}
