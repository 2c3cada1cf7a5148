//! Filters that choose among items, or take something of each; also by tag and by what a configuration context holds.

use std::rc::Rc;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::queryset::QuerySet;
use crate::repr::type_name;
use crate::value::{Key, Value};

use super::or_none;

pub(super) fn filter(cx: &Cx, value: &Value, args: &Args) -> Res<Value> {
    if args.kw("value").is_some() || !args.pos.is_empty() {
        return Err(clash("filter", args, "value"));
    }
    filtered(cx, value, &args.kw)
}

pub(super) fn get(cx: &Cx, value: &Value, args: &Args) -> Res<Value> {
    if args.kw("queryset").is_some() || args.kw("value").is_some() || !args.pos.is_empty() {
        let first = if args.kw("value").is_some() { ("filter", "value") } else { ("get", "queryset") };
        return Err(clash(first.0, args, first.1));
    }
    let found = filtered(cx, value, &args.kw)?;
    match &found {
        Value::Query(set) if set.rows.len() == 1 => Ok(cx.items(&found)?.remove(0)),
        Value::List(_) => Err(Fault::type_error("list.count() takes exactly one argument (0 given)")),
        _ => Ok(found),
    }
}

fn clash(function: &str, args: &Args, name: &str) -> Fault {
    if args.kw(name).is_some() {
        return Fault::type_error(format!("{function}() got multiple values for argument '{name}'"));
    }
    let given = args.pos.len() + 1;
    Fault::type_error(format!("{function}() takes 1 positional argument but {given} were given"))
}

pub(super) fn filtered(cx: &Cx, value: &Value, kw: &[(Rc<str>, Value)]) -> Res<Value> {
    if let Value::Query(set) = value {
        return Ok(set.filter(cx, kw, true)?.value());
    }
    let items = cx.items(value).map_err(|_| Fault::value("value cannot be filtered (not iterable)"))?;
    let mut kept = Vec::new();
    for item in items {
        cx.burn(1)?;
        let mut valid = true;
        for (name, wanted) in kw {
            valid = match python_attribute(cx, &item, name)? {
                Some(found) => cx.equal(&found, wanted)?,
                None => false,
            };
            if !valid {
                break;
            }
        }
        if valid {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

pub(super) fn unique_items(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [field] = args.bind("unique_items", ["field"], 1, 1)?;
    let field = cx.text(&or_none(field))?;
    if let Value::Query(set) = value {
        return Ok(set.unique(cx, &field)?.value());
    }
    let items = cx.items(value).map_err(|_| Fault::value("value cannot be filtered (not iterable)"))?;
    let mut seen: Vec<Value> = Vec::new();
    let mut kept = Vec::new();
    for item in items {
        if let Some(found) = python_attribute(cx, &item, &field)?
            && cx.position(&seen, &found)?.is_none()
        {
            seen.push(found);
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

pub(super) fn iterate(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [field] = args.bind("iterate", ["field"], 1, 1)?;
    let field = cx.text(&or_none(field))?;
    let mut out = Vec::new();
    for item in cx.items(value)? {
        out.push(or_none(python_attribute(cx, &item, &field)?));
    }
    Ok(Value::iter(out))
}

/// `getattr(item, name)`: attributes only, not members of dictionaries.
fn python_attribute(cx: &Cx, item: &Value, name: &str) -> Res<Option<Value>> {
    if name.starts_with('_') || item.is_undefined() {
        return Ok(None);
    }
    cx.attribute(item, name)
}

/// `getattr` that must find something.
pub(super) fn needed(cx: &Cx, item: &Value, name: &str) -> Res<Value> {
    match python_attribute(cx, item, name)? {
        Some(found) => Ok(found),
        None => Err(Fault::attribute(format!("'{}' object has no attribute '{name}'", type_name(cx, item)))),
    }
}

pub(super) fn tags(cx: &Cx, value: &Value) -> Res<QuerySet> {
    if let Value::Record(row) = value
        && cx.world.model(row.model).tagged
    {
        let field = cx.world.model(row.model).field("tags").unwrap_or_default();
        return Ok(QuerySet::new(cx.world.index("extras.tag"), cx.world.many(*row, field)));
    }
    Err(Fault::attribute("object has no tags"))
}

/// `has_tag` or `has_not_tag`.
pub(super) fn has_tag(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let [tag] = args.bind(name, ["tag"], 1, 1)?;
    let set = tags(cx, value)?;
    let tag = cx.text(&or_none(tag))?;
    let found = set.rows.iter().any(|index| {
        let row = set.row(*index);
        cx.world.text(row, "name") == tag || cx.world.text(row, "slug") == tag
    });
    Ok(Value::Bool(found == (name == "has_tag")))
}

/// `context_has_key`, `context_has_not_key` or `context_get_key`.
pub(super) fn context(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let [key, default, recursive] = if name == "context_get_key" {
        args.bind(name, ["key", "default", "recursive"], 1, 1)?
    } else {
        let [key, recursive] = args.bind(name, ["key", "recursive"], 1, 1)?;
        [key, None, recursive]
    };
    let Value::Record(row) = value else {
        return Err(Fault::attribute("object has no config context"));
    };
    if !cx.world.model(row.model).contextual {
        return Err(Fault::attribute("object has no config context"));
    }
    let recursive = recursive.map_or(Ok(true), |recursive| cx.truth(&recursive))?;
    let key = or_none(key);
    cx.hashable(&key)?;
    let found = in_context(&cx.config_context(*row)?, &Key(key), recursive);
    Ok(match name {
        "context_has_key" => Value::Bool(found.is_some()),
        "context_has_not_key" => Value::Bool(found.is_none()),
        _ => or_none(found.or(default)),
    })
}

fn in_context(context: &Value, key: &Key, recursive: bool) -> Option<Value> {
    let Value::Dict(items) = context else { return None };
    for (name, value) in items.borrow().iter() {
        if name == key {
            return Some(value.clone());
        }
        if recursive && let Some(found) = in_context(value, key, recursive) {
            return Some(found);
        }
    }
    None
}
