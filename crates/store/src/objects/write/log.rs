//! What the change log keeps of a change: the states before and after, in which no secret stands.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use crate::objects::data::{Data, MASK};
use crate::objects::model::Kind;
use crate::objects::record::{Graph, Record};
use crate::objects::telling::{Rule, without_credentials};

/// Stands for a secret that is another one than before.
const CHANGED: &str = "***CHANGED***";

/// The states before and after a change. `tags` holds the tags of both.
pub fn snapshots(
    before: Option<&Record>,
    after: Option<&Record>,
    tags: &Graph,
) -> (Option<Json>, Option<Json>) {
    let mut old = before.map(|record| record.snapshot(tags));
    let mut new = after.map(|record| record.snapshot(tags));
    let Some(record) = after.or(before) else { return (None, None) };
    for (field, _) in record.values() {
        let was = before.map_or(&Data::Null, |record| record.get(field.name));
        let is = after.map_or(&Data::Null, |record| record.get(field.name));
        match field.kind {
            Kind::Json | Kind::JsonObject => {
                let shown_was = old.as_mut().and_then(|old| old.get_mut(field.name));
                let shown_is = new.as_mut().and_then(|new| new.get_mut(field.name));
                mask(field.rule(), shown_was, shown_is);
                // One that does not open is hidden as a whole.
                mark(
                    before.is_some() && was != is && matches!(is, Data::Sealed(_)),
                    is,
                    field.name,
                    new.as_mut(),
                );
            }
            // Of a new object there is no other state to be told from.
            Kind::Secret(_) => mark(before.is_some() && was != is, is, field.name, new.as_mut()),
            _ if field.sensitive => mark(before.is_some() && was != is, is, field.name, new.as_mut()),
            _ => {}
        }
    }
    (old.map(Json::Object), new.map(Json::Object))
}

fn mark(changed: bool, is: &Data, name: &str, new: Option<&mut Map<String, Json>>) {
    if let (true, false, Some(new)) = (changed, is.is_empty(), new) {
        new.insert(name.to_owned(), CHANGED.into());
    }
}

/// Hides what is secret, in both states.
fn mask(rule: Rule, before: Option<&mut Json>, after: Option<&mut Json>) {
    match (before, after) {
        (Some(Json::Object(before)), Some(Json::Object(after))) => {
            for (name, value) in before.iter_mut() {
                match after.get_mut(name) {
                    Some(other) if rule.hides(name, value) || rule.hides(name, other) => {
                        let changed = value != other;
                        *value = MASK.into();
                        *other = if changed { CHANGED } else { MASK }.into();
                    }
                    None if rule.hides(name, value) => *value = MASK.into(),
                    other => mask(rule, Some(value), other),
                }
            }
            for (name, value) in after.iter_mut().filter(|(name, _)| !before.contains_key(*name)) {
                if rule.hides(name, value) {
                    *value = MASK.into();
                } else {
                    mask(rule, None, Some(value));
                }
            }
        }
        (Some(Json::Array(before)), Some(Json::Array(after))) => {
            let length = before.len().max(after.len());
            for index in 0..length {
                mask(rule, before.get_mut(index), after.get_mut(index));
            }
        }
        (before, after) => {
            before.into_iter().chain(after).for_each(|json| mask_one(rule, json));
        }
    }
}

/// Hides what is secret.
pub(crate) fn mask_one(rule: Rule, json: &mut Json) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                if rule.hides(name, value) {
                    *value = MASK.into();
                } else {
                    mask_one(rule, value);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| mask_one(rule, item)),
        Json::String(text) => {
            if let Cow::Owned(hidden) = without_credentials(text) {
                *text = hidden;
            }
        }
        _ => {}
    }
}

/// Puts back what [`mask_one`] hid, from the value that is there. False if there is nothing to put in some place.
pub(super) fn unmask(rule: Rule, json: &mut Json, held: Option<&Json>) -> bool {
    match json {
        Json::Object(members) => members.iter_mut().fold(true, |whole, (name, value)| {
            let held = held.and_then(|held| held.get(name));
            if rule.may_hide(name) && value == MASK {
                return match held {
                    Some(held) => {
                        *value = held.clone();
                        whole
                    }
                    None => false,
                };
            }
            unmask(rule, value, held) && whole
        }),
        Json::Array(items) => items.iter_mut().enumerate().fold(true, |whole, (place, value)| {
            unmask(rule, value, held.and_then(|held| held.get(place))) && whole
        }),
        Json::String(text) if text.contains(&format!("://{MASK}@")) => {
            match held.and_then(Json::as_str).filter(|held| without_credentials(held) == *text) {
                Some(held) => {
                    *text = held.to_owned();
                    true
                }
                None => false,
            }
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_hidden_is_put_back_and_nothing_else() {
        let held = json!({"optional_args": {"secret": "a", "port": 22}, "list": [{"token": "t"}]});
        let mut shown = held.clone();
        mask_one(Rule::Telling, &mut shown);
        shown["optional_args"]["port"] = 23.into();
        assert!(unmask(Rule::Telling, &mut shown, Some(&held)));
        let expected = json!({"optional_args": {"secret": "a", "port": 23}, "list": [{"token": "t"}]});
        assert_eq!(shown, expected);
        assert!(!unmask(Rule::Telling, &mut json!({"other": {"secret": MASK}}), Some(&held)));
        assert!(unmask(Rule::Telling, &mut json!({"text": MASK}), None), "not the name of a secret");
    }

    #[test]
    fn what_was_hidden_of_arguments_and_addresses_is_put_back() {
        let held = json!({
            "port": 22, "pin": 1234, "enable": "a", "quick": true,
            "file_target": {"directory": "/srv", "remote": "https://u:p@git.example/x"}
        });
        let mut shown = held.clone();
        mask_one(Rule::Arguments, &mut shown);
        let remote = format!("https://{MASK}@git.example/x");
        let expected = json!({
            "port": 22, "pin": MASK, "enable": MASK, "quick": true,
            "file_target": {"directory": "/srv", "remote": remote}
        });
        assert_eq!(shown, expected);
        assert!(unmask(Rule::Arguments, &mut shown, Some(&held)));
        assert_eq!(shown, held);
        let mut other = json!({"file_target": {"remote": format!("https://{MASK}@git.example/y")}});
        assert!(!unmask(Rule::Arguments, &mut other, Some(&held)), "not the address that is there");
    }

    #[test]
    fn members_with_telling_names_are_hidden_wherever_they_are() {
        let mut before =
            json!({"port": 22, "optional": {"secret": "a", "api-key": "k"}, "list": [{"password": "p"}]});
        let mut after = json!({"port": 23, "optional": {"secret": "b", "api-key": "k"}, "list": [{"password": "p"}, {"Token": 7}]});
        mask(Rule::Telling, Some(&mut before), Some(&mut after));
        assert_eq!(
            before,
            json!({"port": 22, "optional": {"secret": MASK, "api-key": MASK}, "list": [{"password": MASK}]})
        );
        assert_eq!(
            after,
            json!({"port": 23, "optional": {"secret": CHANGED, "api-key": MASK}, "list": [{"password": MASK}, {"Token": MASK}]})
        );
        let mut other = json!([{"password": "p"}]);
        mask(Rule::Telling, Some(&mut other), Some(&mut json!({"password": "q"})));
        assert_eq!(other, json!([{"password": MASK}]));
    }
}
