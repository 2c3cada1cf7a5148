//! Filters that escape, or take out, what means something in HTML, URLs and JSON.

use std::fmt::Write as _;

use crate::args::Args;
use crate::context::Cx;
use crate::error::Res;
use crate::value::{Dict, Key, Value};

use super::flag;

impl Cx {
    /// `str(value)` escaped for HTML, unless it already is.
    pub(crate) fn escaped(&self, value: &Value) -> Res<String> {
        let text = self.text(value)?;
        if matches!(value, Value::Markup(_)) {
            return Ok(text);
        }
        Ok(escape(&text))
    }

    pub(super) fn urlencode(&self, value: &Value) -> Res<String> {
        let pairs = match value {
            Value::Dict(_) | Value::Prefix(..) => crate::ops::as_dict(value).unwrap_or_default(),
            Value::List(_) | Value::Tuple(_) => {
                let mut pairs = Dict::new();
                for pair in self.items(value)? {
                    if let [key, value] = &*self.items(&pair)? {
                        self.hashable(key)?;
                        pairs.insert(Key(key.clone()), value.clone());
                    }
                }
                pairs
            }
            _ => return Ok(quoted(&self.text(value)?, true)),
        };
        let mut parts = Vec::new();
        for (key, value) in &pairs {
            let value = quoted(&self.text(value)?, false).replace("%20", "+");
            parts.push(format!("{}={value}", quoted(&self.text(&key.0)?, false).replace("%20", "+")));
        }
        Ok(parts.join("&"))
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

pub(super) fn striptags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    let plain = out.split_whitespace().collect::<Vec<_>>().join(" ");
    plain
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn quoted(text: &str, slash: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || (slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

pub(super) fn xmlattr(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [space] = args.bind("do_xmlattr", ["autospace"], 0, 2)?;
    let mut parts = Vec::new();
    for (key, value) in crate::ops::as_dict(value).unwrap_or_default() {
        if !value.is_none() && !value.is_undefined() {
            parts.push(format!("{}=\"{}\"", cx.escaped(&key.0)?, cx.escaped(&value)?));
        }
    }
    let joined = parts.join(" ");
    let space = flag(cx, space.as_ref(), true)? && !joined.is_empty();
    Ok(Value::Str(if space { format!(" {joined}") } else { joined }.into()))
}

pub(super) fn tojson(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [indent] = args.bind("do_tojson", ["indent"], 0, 2)?;
    let indent = indent.and_then(|indent| indent.as_int());
    let style = crate::serialise::JsonStyle { indent, sort: true };
    let json = crate::serialise::json(cx, value, &style)?;
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e");
    Ok(Value::Markup(json.replace('&', "\\u0026").replace('\'', "\\u0027").into()))
}
