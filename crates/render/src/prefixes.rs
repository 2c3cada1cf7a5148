//! Prefix lists as templates see them: lists of dictionaries, made only when looked at.

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::{Dict, Key, Prefixes, Value};
use crate::world::PrefixList;

impl Cx {
    /// To be asked before a list is looked into: whether it is there, or may be missing.
    pub(crate) fn usable(&self, list: &Prefixes) -> Res<()> {
        let listing = list.listing();
        let PrefixList::Missing(why) = &listing.list else { return Ok(()) };
        let (of, family) = &listing.of;
        if !listing.may_be_missing {
            return Err(Fault::new(
                "MissingPrefixes",
                format!(
                    "{of} has no {family} prefix list: {why}; `get_irr_data` fetches it, and \
                     `prefix_list(…, missing=\"empty\")` or the setting `prefix_list_missing` takes it for empty"
                ),
            ));
        }
        self.warn(format!("{of} has no {family} prefix list and an empty one is used: {why}"));
        Ok(())
    }
}

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
    let entry = list.get(at)?;
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
