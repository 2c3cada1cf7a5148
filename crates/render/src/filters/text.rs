//! Filters that make text: of text, of anything as JSON or YAML, and of passwords.

use icu_normalizer::DecomposingNormalizerBorrowed;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::ops::undefined;
use crate::repr::type_name;
use crate::serialise;
use crate::value::Value;

use super::{ROUTER, call, class, or_none};

pub(super) fn safe_string(cx: &Cx, value: &Value) -> Res<Value> {
    match value {
        Value::Str(text) | Value::Markup(text) => Ok(Value::str(&ascii(text))),
        _ => {
            let name = type_name(cx, value);
            Err(Fault::type_error(format!("normalize() argument 2 must be str, not {name}")))
        }
    }
}

/// Compatibility-decomposed, and what is not ASCII left out.
fn ascii(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfkd().normalize(text).chars().filter(char::is_ascii).collect()
}

pub(super) fn quote(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [char] = args.bind("quote", ["char"], 0, 1)?;
    if !cx.truth(value)? {
        return Ok(Value::str(""));
    }
    let char = char.map_or(Ok("\"".to_owned()), |char| cx.text(&char))?;
    Ok(Value::str(&format!("{char}{}{char}", cx.text(value)?)))
}

pub(super) fn indent(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [n, chars, reset] = args.bind("indent", ["n", "chars", "reset"], 1, 1)?;
    indented(cx, value, &or_none(n), chars.as_ref(), reset.as_ref())
}

fn indented(cx: &Cx, value: &Value, n: &Value, chars: Option<&Value>, reset: Option<&Value>) -> Res<Value> {
    let chars = chars.map_or(Ok(" ".to_owned()), |chars| cx.text(chars))?;
    let reset = reset.map_or(Ok(false), |reset| cx.truth(reset))?;
    let Some(n) = n.as_int() else {
        let name = type_name(cx, n);
        return Err(Fault::type_error(format!("can't multiply sequence by non-int of type '{name}'")));
    };
    let text = cx.text(value)?;
    let n = usize::try_from(n).unwrap_or(0);
    let lines = crate::strings::lines(&text, true);
    cx.burn_length(text.len().saturating_add(n.saturating_mul(chars.len()).saturating_mul(lines.len())))?;
    let lead = chars.repeat(n);
    let mut out = String::new();
    for line in lines {
        out.push_str(&lead);
        out.push_str(if reset { line.trim_start_matches(|c| chars.contains(c)) } else { line });
    }
    Ok(Value::Str(out.into()))
}

pub(super) fn as_json(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [indent, sort] = args.bind("as_json", ["indent", "sort_keys"], 0, 1)?;
    let indent = indent.map_or(Some(4), |indent| indent.as_int());
    let sort = sort.map_or(Ok(true), |sort| cx.truth(&sort))?;
    let style = serialise::JsonStyle { indent, sort };
    Ok(Value::Str(serialise::json(cx, &serialise::plain(cx, value)?, &style)?.into()))
}

pub(super) fn as_yaml(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [indent, sort] = args.bind("as_yaml", ["indent", "sort_keys"], 0, 1)?;
    let indent = usize::try_from(indent.and_then(|indent| indent.as_int()).unwrap_or(2)).unwrap_or(2);
    let indent = if (2..10).contains(&indent) { indent } else { 2 };
    let sort = sort.map_or(Ok(true), |sort| cx.truth(&sort))?;
    Ok(Value::Str(serialise::yaml(cx, &serialise::plain(cx, value)?, indent, sort)?.into()))
}

/// A password without the mark of its kind.
pub(super) fn unmarked_password(cx: &Cx, value: &Value) -> Res<Value> {
    match value {
        Value::Str(text) | Value::Markup(text) => Ok(Value::str(text.strip_prefix("7 ").unwrap_or(text))),
        Value::Undefined(missing) => Err(undefined(missing)),
        _ => {
            let name = type_name(cx, value);
            Err(Fault::attribute(format!("'{name}' object has no attribute 'startswith'")))
        }
    }
}

pub(super) fn encrypt_password(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let [router, key] = args.bind(name, ["router", "key"], 1, 1)?;
    encrypted(cx, value, &or_none(router), key)
}

/// A password in the notation of the router's platform. One without a notation leaves it as it is.
fn encrypted(cx: &Cx, value: &Value, router: &Value, key: Option<Value>) -> Res<Value> {
    let (ROUTER, Value::Record(row)) = (class(cx, router), router) else {
        return Err(Fault::value("value is not a router"));
    };
    match cx.world.target(*row, "platform") {
        Some(platform) => {
            let given = std::iter::once(value.clone()).chain(key).collect();
            call(cx, &Value::Record(platform), "encrypt_password", given)
        }
        None => Ok(value.clone()),
    }
}
