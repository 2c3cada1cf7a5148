//! Prefix lists as templates see them: lists of dictionaries, made only when looked at.

use crate::value::{Dict, Key, Prefixes, Value};

/// The dictionary of one entry. Shorter keys come first, as they are stored.
pub(crate) fn entry(list: &Prefixes, at: usize) -> Dict {
    let mut dict = Dict::new();
    for key in ["exact", "prefix", "less-equal", "greater-equal"] {
        if let Some(value) = member(list, at, key) {
            dict.insert(Key::str(key), value);
        }
    }
    dict
}

/// One member of an entry.
pub(crate) fn member(list: &Prefixes, at: usize, key: &str) -> Option<Value> {
    let entry = list.0.get(at)?;
    match key {
        "exact" => Some(Value::Bool(entry.exact)),
        "prefix" => Some(match &entry.written {
            Some(text) => Value::Str(text.clone()),
            None => Value::str(&entry.prefix.to_string()),
        }),
        "less-equal" => entry.less_equal.map(|length| Value::Int(length.into())),
        "greater-equal" => entry.greater_equal.map(|length| Value::Int(length.into())),
        _ => None,
    }
}
