//! JSON as Python's `json.dumps` writes it, YAML as `PyYAML`'s `dump` does.

use std::fmt::Write as _;

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::model::Kind;
use crate::repr::type_name;
use crate::value::{Dict, Key, Value};
use crate::world::{Data, Row};

pub(crate) struct JsonStyle {
    /// Blanks per level; `None` for one line.
    pub(crate) indent: Option<i128>,
    pub(crate) sort: bool,
}

/// Query sets and objects as plain data; anything else as it is.
pub(crate) fn plain(cx: &Cx, value: &Value) -> Res<Value> {
    match value {
        Value::Record(row) => object(cx, *row),
        Value::Query(query) if query.plain() => {
            let rows: Res<Vec<Value>> =
                query.rows.iter().map(|index| object(cx, query.row(*index))).collect();
            Ok(Value::list(rows?))
        }
        other => Ok(other.clone()),
    }
}

/// The columns of an object, the ids of its relations to many, the names of its tags.
fn object(cx: &Cx, row: Row) -> Res<Value> {
    let model = cx.world.model(row.model);
    let mut out = Dict::new();
    for (at, field) in model.fields.iter().enumerate() {
        if &*field.name == "tags" || field.later {
            continue;
        }
        cx.burn(1)?;
        let value = match (field.kind, cx.world.value(row, at)) {
            (_, Data::Null) => Value::None,
            (Kind::ManyToMany, _) => {
                let target = field.target.unwrap_or_default();
                let ids = cx.world.many(row, at);
                Value::list(
                    ids.iter()
                        .map(|index| Value::Int(cx.world.id(Row { model: target, index: *index }).into()))
                        .collect(),
                )
            }
            (Kind::ForeignKey, Data::Reference(id)) => Value::Int((*id).into()),
            (Kind::Time, Data::Time(time)) => {
                let base = time.format("%Y-%m-%dT%H:%M:%S");
                let millis = time.timestamp_subsec_millis();
                let micros = time.timestamp_subsec_micros();
                Value::str(&if micros == 0 { format!("{base}Z") } else { format!("{base}.{millis:03}Z") })
            }
            (Kind::List, _) => {
                // Array columns are written as JSON within JSON.
                let items = cx.items(&cx.stored(row, at)?)?;
                let texts: Res<Vec<Value>> =
                    items.iter().map(|item| Ok(Value::str(&cx.text(item)?))).collect();
                if &*field.name == "as_list" {
                    Value::str(&json(cx, &Value::list(texts?), &JsonStyle { indent: None, sort: false })?)
                } else {
                    Value::list(items)
                }
            }
            (Kind::Json | Kind::Prefixes | Kind::Bool | Kind::Int | Kind::Float | Kind::Text, _) => {
                cx.stored(row, at)?
            }
            _ => Value::str(&cx.text(&cx.stored(row, at)?)?),
        };
        out.insert(Key::str(&field.name), value);
    }
    if model.tagged {
        let at = model.field("tags").unwrap_or_default();
        let tag = cx.world.index("extras.tag");
        let names = cx
            .world
            .many(row, at)
            .into_iter()
            .map(|index| Value::str(cx.world.text(Row { model: tag, index }, "name")));
        out.insert(Key::str("tags"), Value::list(names.collect()));
    }
    Ok(Value::dict(out))
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// JSON text.
pub(crate) fn json(cx: &Cx, value: &Value, style: &JsonStyle) -> Res<String> {
    let mut out = String::new();
    write_json(cx, value, style, 0, &mut out)?;
    Ok(out)
}

fn json_key(cx: &Cx, key: &Value) -> Res<String> {
    Ok(match key {
        Value::Str(text) | Value::Markup(text) => text.to_string(),
        Value::None => "null".into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Int(_) | Value::Float(_) => cx.text(key)?,
        other => {
            let name = type_name(cx, other);
            return Err(Fault::type_error(format!("keys must be str, int, float, bool or None, not {name}")));
        }
    })
}

fn sorted_pairs(cx: &Cx, value: &Value, sort: bool) -> Res<Vec<(Value, Value)>> {
    let pairs = crate::ops::as_dict(value).unwrap_or_default();
    let mut keys: Vec<Value> = pairs.keys().map(|key| key.0.clone()).collect();
    if sort {
        cx.sort(&mut keys, false)?;
    }
    Ok(keys
        .into_iter()
        .map(|key| (key.clone(), pairs.get(&Key(key)).cloned().unwrap_or(Value::None)))
        .collect())
}

fn write_json(cx: &Cx, value: &Value, style: &JsonStyle, depth: usize, out: &mut String) -> Res<()> {
    cx.burn(1)?;
    cx.guard_output(out.len())?;
    if depth > 100 {
        return Err(Fault::value("Circular reference detected"));
    }
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = style.indent {
            out.push('\n');
            out.push_str(&" ".repeat(usize::try_from(indent).unwrap_or(0).min(100) * depth));
        }
    };
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Str(text) | Value::Markup(text) => quote(text, out),
        Value::Float(number) if number.is_nan() => out.push_str("NaN"),
        Value::Float(number) if number.is_infinite() => {
            out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Int(_) | Value::Float(_) => cx.write_text(value, out)?,
        Value::List(_) | Value::Tuple(_) | Value::Prefixes(_) => {
            let items = cx.items(value)?;
            if items.is_empty() {
                out.push_str("[]");
                return Ok(());
            }
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(if style.indent.is_some() { "," } else { ", " });
                }
                line(depth + 1, out);
                write_json(cx, item, style, depth + 1, out)?;
            }
            line(depth, out);
            out.push(']');
        }
        Value::Dict(_) | Value::Prefix(..) => {
            let pairs = sorted_pairs(cx, value, style.sort)?;
            if pairs.is_empty() {
                out.push_str("{}");
                return Ok(());
            }
            out.push('{');
            for (at, (key, item)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push_str(if style.indent.is_some() { "," } else { ", " });
                }
                line(depth + 1, out);
                quote(&json_key(cx, key)?, out);
                out.push_str(": ");
                write_json(cx, item, style, depth + 1, out)?;
            }
            line(depth, out);
            out.push('}');
        }
        other => {
            let name = type_name(cx, other);
            return Err(Fault::type_error(format!("Object of type {name} is not JSON serializable")));
        }
    }
    Ok(())
}

/// YAML text in block style, with a line break at its end.
pub(crate) fn yaml(cx: &Cx, value: &Value, indent: usize, sort: bool) -> Res<String> {
    let mut out = String::new();
    match value {
        Value::List(_) | Value::Dict(_) | Value::Tuple(_) | Value::Prefix(..) | Value::Prefixes(_)
            if cx.length(value)? > 0 =>
        {
            block(cx, value, indent, sort, 0, false, &mut out)?;
        }
        _ => {
            let (text, plain) = scalar(cx, value, 0, false)?;
            out.push_str(&text);
            out.push('\n');
            if plain {
                out.push_str("...\n");
            }
        }
    }
    Ok(out)
}

fn empty(cx: &Cx, value: &Value) -> Res<Option<&'static str>> {
    Ok(match value {
        Value::List(_) | Value::Tuple(_) | Value::Prefixes(_) if cx.length(value)? == 0 => Some("[]"),
        Value::Dict(_) | Value::Prefix(..) if cx.length(value)? == 0 => Some("{}"),
        _ => None,
    })
}

fn is_block(cx: &Cx, value: &Value) -> Res<bool> {
    let collection = matches!(
        value,
        Value::List(_) | Value::Tuple(_) | Value::Prefixes(_) | Value::Dict(_) | Value::Prefix(..)
    );
    Ok(collection && empty(cx, value)?.is_none())
}

/// A collection at a column; `inline` if its first line goes on where the cursor is.
fn block(
    cx: &Cx,
    value: &Value,
    indent: usize,
    sort: bool,
    column: usize,
    inline: bool,
    out: &mut String,
) -> Res<()> {
    cx.burn(1)?;
    cx.guard_output(out.len())?;
    let _level = cx.level()?;
    if column > 2000 {
        return Err(Fault::value("the data is nested too deeply"));
    }
    let pad = " ".repeat(column);
    let mut first = inline;
    if matches!(value, Value::Dict(_) | Value::Prefix(..)) {
        for (key, item) in sorted_pairs(cx, value, sort)? {
            if !std::mem::take(&mut first) {
                out.push_str(&pad);
            }
            out.push_str(&scalar(cx, &key, column, true)?.0);
            out.push(':');
            if is_block(cx, &item)? {
                out.push('\n');
                // PyYAML does not indent a list inside a mapping.
                let inner =
                    if matches!(item, Value::Dict(_) | Value::Prefix(..)) { column + indent } else { column };
                block(cx, &item, indent, sort, inner, false, out)?;
            } else {
                out.push(' ');
                out.push_str(&scalar(cx, &item, column + indent, false)?.0);
                out.push('\n');
            }
        }
        return Ok(());
    }
    for item in cx.items(value)? {
        if !std::mem::take(&mut first) {
            out.push_str(&pad);
        }
        out.push('-');
        if is_block(cx, &item)? {
            out.push_str(&" ".repeat(indent.max(2) - 1));
            block(cx, &item, indent, sort, column + indent, true, out)?;
        } else {
            out.push(' ');
            out.push_str(&scalar(cx, &item, column + indent, false)?.0);
            out.push('\n');
        }
    }
    Ok(())
}

/// A scalar's text, and whether it is written without quotes.
fn scalar(cx: &Cx, value: &Value, column: usize, key: bool) -> Res<(String, bool)> {
    if let Some(text) = empty(cx, value)? {
        return Ok((text.into(), false));
    }
    Ok(match value {
        Value::None => ("null".into(), true),
        Value::Bool(true) => ("true".into(), true),
        Value::Bool(false) => ("false".into(), true),
        Value::Int(_) => (cx.text(value)?, true),
        Value::Float(number) if number.is_nan() => (".nan".into(), true),
        Value::Float(number) if number.is_infinite() => {
            (if *number > 0.0 { ".inf" } else { "-.inf" }.into(), true)
        }
        Value::Float(_) => {
            let text = cx.text(value)?;
            (
                if !text.contains('.') && text.contains('e') { text.replacen('e', ".0e", 1) } else { text },
                true,
            )
        }
        Value::Str(text) => crate::yamltext::text(text, column, key),
        other => {
            let name = type_name(cx, other);
            return Err(Fault::new(
                "yaml.representer.RepresenterError",
                format!("('cannot represent an object', <{name}>)"),
            ));
        }
    })
}
