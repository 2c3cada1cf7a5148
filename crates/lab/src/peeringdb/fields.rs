//! One object: names and values in the API's order, and its text exactly as the API prints it.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::ser::Formatter;

/// The fields of one object in the API's order, which a map of `serde_json` would not keep.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields(Vec<(Cow<'static, str>, Value)>);

/// Builds [`Fields`] from `"name": value` pairs, in the order written.
macro_rules! fields {
    ($($name:literal: $value:expr),* $(,)?) => {
        $crate::peeringdb::fields::Fields::from_pairs(vec![$(($name, ::serde_json::json!($value))),*])
    };
}
pub(crate) use fields;

impl Fields {
    pub(crate) fn from_pairs(pairs: Vec<(&'static str, Value)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number in this field; 0, which no object has as its id, if there is none.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Replaces the value in its place, or appends a field that was not there.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((Cow::Owned(name.to_owned()), value)),
        }
    }

    /// Sets every field of a JSON object; any other JSON value changes nothing.
    pub(crate) fn patch(&mut self, patch: &Value) {
        for (name, value) in patch.as_object().into_iter().flatten() {
            self.set(name, value.clone());
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Inserts a field behind `before`, or at the end.
    pub(crate) fn insert_after(&mut self, before: &str, name: &'static str, value: Value) {
        let at = self.0.iter().position(|(known, _)| known == before).map_or(self.0.len(), |at| at + 1);
        self.0.insert(at, (Cow::Borrowed(name), value));
    }

    /// Inserts a field in front of `after`, or at the end.
    pub(crate) fn insert_before(&mut self, after: &str, name: &'static str, value: Value) {
        let at = self.0.iter().position(|(known, _)| known == after).unwrap_or(self.0.len());
        self.0.insert(at, (Cow::Borrowed(name), value));
    }

    pub(crate) fn keep(&mut self, names: &[String]) {
        self.0.retain(|(known, _)| names.iter().any(|name| name == known));
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0.into_iter().map(|(name, value)| (name.into_owned(), value)).collect())
    }

    pub(crate) fn to_json(&self) -> String {
        to_json(self)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(32));
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    fields.push((Cow::Owned(name), value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The text of a value as PeeringDB prints it.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    let mut text = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PythonFormatter);
    // Writing to a vector does not fail, and neither does a value made of strings, numbers, lists and maps.
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8(text).unwrap_or_default()
}

/// The style of Python's `json.dumps`, which renders PeeringDB's answers: a space behind `,` and `:`, and everything
/// beyond ASCII escaped, with a surrogate pair where UTF-16 has one.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        for character in fragment.chars() {
            if character.is_ascii() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_python() {
        let fields = fields! { "b": 1, "a": ["é", "🚀"], "n": Value::Null, "x": 39.5, "t": "a\u{0}\"" };
        let text = fields.to_json();
        assert_eq!(
            text,
            r#"{"b": 1, "a": ["\u00e9", "\ud83d\ude80"], "n": null, "x": 39.5, "t": "a\u0000\""}"#
        );
        assert_eq!(serde_json::from_str::<Fields>(&text).unwrap(), fields);
    }
}
