//! Methods of text, as Python's `str` has them.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::Value;

pub(crate) const METHODS: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

fn chars(text: &str) -> i128 {
    text.chars().count() as i128
}

/// `text[start:end]` with Python's rules for the ends of a search.
fn part<'a>(text: &'a str, start: Option<&Value>, end: Option<&Value>) -> (&'a str, i128) {
    let length = chars(text);
    let bound = |value: Option<&Value>, default: i128| {
        let at = value.and_then(Value::as_int).unwrap_or(default);
        (if at < 0 { at + length } else { at }).clamp(0, length)
    };
    let (start, end) = (bound(start, 0), bound(end, length));
    let byte = |at: i128| {
        text.char_indices().nth(usize::try_from(at).unwrap_or(0)).map_or(text.len(), |(byte, _)| byte)
    };
    if start >= end { ("", start) } else { (&text[byte(start)..byte(end)], start) }
}

fn string<'a>(cx: &Cx, value: Option<&'a Value>) -> Res<&'a str> {
    match value {
        Some(Value::Str(text) | Value::Markup(text)) => Ok(text),
        Some(Value::Undefined(missing)) => Err(crate::ops::undefined(missing)),
        Some(other) => {
            Err(Fault::type_error(format!("must be str, not {}", crate::repr::type_name(cx, other))))
        }
        None => Err(Fault::type_error("expected at least 1 argument, got 0")),
    }
}

fn stripped<'a>(text: &'a str, set: Option<&Value>, name: &str) -> &'a str {
    let given: Option<Vec<char>> = set.and_then(Value::as_str).map(|set| set.chars().collect());
    let matches = |c: char| {
        given.as_ref().map_or(c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c), |set| set.contains(&c))
    };
    match name {
        "strip" => text.trim_matches(matches),
        "lstrip" => text.trim_start_matches(matches),
        _ => text.trim_end_matches(matches),
    }
}

/// Lines with their ends, by all the marks Python knows.
pub(crate) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut iter = text.char_indices().peekable();
    while let Some((at, c)) = iter.next() {
        if !matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c' | '\x1d' | '\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        ) {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && iter.peek().is_some_and(|(_, next)| *next == '\n') {
            iter.next();
            end += 1;
        }
        out.push(&text[start..if keep_ends { end } else { at }]);
        start = end;
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

/// `str.title()`.
pub(crate) fn title(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        if c.is_ascii() {
            out.push(if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() });
        } else if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

/// `str.capitalize()`.
pub(crate) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.as_str().to_lowercase().chars()).collect()
    })
}

fn padded(cx: &Cx, text: &str, name: &str, args: &Args) -> Res<String> {
    let width = args.pos.first().and_then(Value::as_int).unwrap_or(0);
    let fill = match args.pos.get(1) {
        Some(fill) => string(cx, Some(fill))?.chars().next().unwrap_or(' '),
        None => ' ',
    };
    let missing = usize::try_from(width - chars(text)).unwrap_or(0);
    cx.burn_length(missing.saturating_mul(4))?;
    let run = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(match name {
        "ljust" => format!("{text}{}", run(missing)),
        "rjust" => format!("{}{text}", run(missing)),
        _ => {
            let width = usize::try_from(width).unwrap_or(0);
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", run(left), run(missing - left))
        }
    })
}

/// `str.center` for the filter of that name.
pub(crate) fn center(cx: &Cx, text: &str, width: i128) -> Res<String> {
    padded(cx, text, "center", &Args::of(vec![Value::Int(width)]))
}

fn split(cx: &Cx, text: &str, name: &str, mut args: Args) -> Res<Value> {
    let sep = args.take("sep").or_else(|| args.pos.first().cloned()).unwrap_or(Value::None);
    let most = args
        .take("maxsplit")
        .or_else(|| args.pos.get(1).cloned())
        .and_then(|most| most.as_int())
        .unwrap_or(-1);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let limit = most.saturating_add(1);
    let from_right = name == "rsplit";
    let mut parts: Vec<&str> = if sep.is_none() {
        words(text, most, from_right)
    } else {
        let sep = string(cx, Some(&sep))?;
        if sep.is_empty() {
            return Err(Fault::value("empty separator"));
        }
        if from_right { text.rsplitn(limit, sep).collect() } else { text.splitn(limit, sep).collect() }
    };
    if from_right {
        parts.reverse();
    }
    cx.make(parts.len().saturating_mul(std::mem::size_of::<Value>()))?;
    Ok(Value::list(parts.into_iter().map(Value::str).collect()))
}

fn words(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = if from_right { text.trim_end() } else { text.trim_start() };
    while !rest.is_empty() {
        if out.len() == most {
            out.push(if from_right { rest.trim_end() } else { rest });
            break;
        }
        if from_right {
            let at = rest
                .rfind(char::is_whitespace)
                .map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
            out.push(&rest[at..]);
            rest = rest[..at].trim_end();
        } else {
            let at = rest.find(char::is_whitespace).unwrap_or(rest.len());
            out.push(&rest[..at]);
            rest = rest[at..].trim_start();
        }
    }
    out
}

#[expect(clippy::too_many_lines, reason = "one arm per method")]
pub(crate) fn call(cx: &Cx, text: &str, name: &str, mut args: Args) -> Res<Value> {
    cx.burn(text.len() as u64 / 16)?;
    let first = args.pos.first().cloned();
    let first = first.as_ref();
    let (start, end) = (args.pos.get(1).cloned(), args.pos.get(2).cloned());
    let made = |text: String| Ok(Value::Str(text.into()));
    let all = |test: fn(char) -> bool| Ok(Value::Bool(!text.is_empty() && text.chars().all(test)));
    match name {
        "upper" => made(text.to_uppercase()),
        "lower" => made(text.to_lowercase()),
        "casefold" => made(text.replace('ß', "ss").to_lowercase()),
        "title" => made(title(text)),
        "capitalize" => made(capitalize(text)),
        "swapcase" => made(
            text.chars()
                .flat_map(|c| {
                    if c.is_uppercase() {
                        c.to_lowercase().collect::<Vec<_>>()
                    } else {
                        c.to_uppercase().collect()
                    }
                })
                .collect(),
        ),
        "strip" | "lstrip" | "rstrip" => made(stripped(text, first, name).to_owned()),
        "ljust" | "rjust" | "center" => made(padded(cx, text, name, &args)?),
        "zfill" => {
            let missing =
                usize::try_from(first.and_then(Value::as_int).unwrap_or(0) - chars(text)).unwrap_or(0);
            cx.burn_length(missing)?;
            let (sign, digits) = if text.starts_with(['+', '-']) { text.split_at(1) } else { ("", text) };
            made(format!("{sign}{}{digits}", "0".repeat(missing)))
        }
        "split" | "rsplit" => split(cx, text, name, args),
        "splitlines" => {
            let keep = args.take("keepends").or_else(|| first.cloned());
            let keep = keep.map_or(Ok(false), |keep| cx.truth(&keep))?;
            let lines = lines(text, keep);
            cx.make(lines.len().saturating_mul(std::mem::size_of::<Value>()))?;
            Ok(Value::list(lines.into_iter().map(Value::str).collect()))
        }
        "partition" | "rpartition" => {
            let sep = string(cx, first)?;
            let found = if name == "partition" { text.split_once(sep) } else { text.rsplit_once(sep) };
            let parts = match found {
                Some((before, after)) => [before, sep, after],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Ok(Value::Tuple(parts.map(Value::str).into()))
        }
        "join" => {
            let items = cx.items(first.unwrap_or(&Value::None))?;
            let mut out = String::new();
            for (at, item) in items.iter().enumerate() {
                let Some(part) = item.as_str() else {
                    let name = crate::repr::type_name(cx, item);
                    return Err(Fault::type_error(format!(
                        "sequence item {at}: expected str instance, {name} found"
                    )));
                };
                if at > 0 {
                    out.push_str(text);
                }
                out.push_str(part);
                cx.guard_output(out.len())?;
            }
            made(out)
        }
        "replace" => {
            let (old, new) = (string(cx, first)?, string(cx, start.as_ref())?);
            let most = end.or_else(|| args.take("count")).and_then(|most| most.as_int()).unwrap_or(-1);
            replace(cx, text, old, new, most).map(|text| Value::Str(text.into()))
        }
        "startswith" | "endswith" => {
            let (inside, _) = part(text, start.as_ref(), end.as_ref());
            let wanted = match first {
                Some(Value::Tuple(several)) => several.to_vec(),
                Some(one) => vec![one.clone()],
                None => Vec::new(),
            };
            for one in &wanted {
                let one = string(cx, Some(one))?;
                if if name == "startswith" { inside.starts_with(one) } else { inside.ends_with(one) } {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        "find" | "index" | "rfind" | "rindex" => {
            let (inside, from) = part(text, start.as_ref(), end.as_ref());
            let wanted = string(cx, first)?;
            let found = if name.starts_with('r') { inside.rfind(wanted) } else { inside.find(wanted) };
            match found {
                Some(at) => Ok(Value::Int(from + chars(&inside[..at]))),
                None if name.ends_with("find") => Ok(Value::Int(-1)),
                None => Err(Fault::value("substring not found")),
            }
        }
        "count" => {
            let (inside, _) = part(text, start.as_ref(), end.as_ref());
            let wanted = string(cx, first)?;
            Ok(Value::int(if wanted.is_empty() {
                inside.chars().count() + 1
            } else {
                inside.matches(wanted).count()
            }))
        }
        "removeprefix" => made(text.strip_prefix(string(cx, first)?).unwrap_or(text).to_owned()),
        "removesuffix" => made(text.strip_suffix(string(cx, first)?).unwrap_or(text).to_owned()),
        "expandtabs" => {
            let size =
                args.take("tabsize").or_else(|| first.cloned()).and_then(|size| size.as_int()).unwrap_or(8);
            expandtabs(cx, text, usize::try_from(size).unwrap_or(0)).map(|text| Value::Str(text.into()))
        }
        "format" => crate::format::braces(cx, text, &args).map(|text| Value::Str(text.into())),
        "format_map" => {
            let pairs = crate::ops::as_dict(first.unwrap_or(&Value::None)).unwrap_or_default();
            let mut kw = Vec::new();
            for (key, value) in pairs {
                kw.push((cx.text(&key.0)?.into(), value));
            }
            crate::format::braces(cx, text, &Args { pos: Vec::new(), kw }).map(|text| Value::Str(text.into()))
        }
        "encode" => {
            made(format!("b{}", crate::repr::string(&text.bytes().map(char::from).collect::<String>())))
        }
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isdigit" | "isdecimal" => all(|c| c.is_ascii_digit() || (c.is_numeric() && c.is_ascii_digit())),
        "isnumeric" => all(char::is_numeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => Ok(Value::Bool(text.is_ascii())),
        "isprintable" => Ok(Value::Bool(!text.chars().any(char::is_control))),
        "isidentifier" => {
            let plain = text.chars().all(|c| c == '_' || c.is_alphanumeric());
            Ok(Value::Bool(plain && !text.starts_with(|c: char| c.is_numeric()) && !text.is_empty()))
        }
        "islower" => {
            Ok(Value::Bool(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)))
        }
        "isupper" => {
            Ok(Value::Bool(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)))
        }
        "istitle" => Ok(Value::Bool(text.chars().any(char::is_alphabetic) && title(text) == text)),
        _ => Err(Fault::runtime(format!("the text method `{name}` is not supported"))),
    }
}

/// `str.replace` with a limit on how many and how long.
pub(crate) fn replace(cx: &Cx, text: &str, old: &str, new: &str, most: i128) -> Res<String> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    cx.burn(found as u64)?;
    cx.burn_length(text.len().saturating_add(found.min(most).saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, most))
}

fn expandtabs(cx: &Cx, text: &str, size: usize) -> Res<String> {
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size == 0 => {}
            '\t' => {
                let count = size - column % size;
                cx.guard_output(out.len().saturating_add(count))?;
                cx.burn(count as u64 / 16)?;
                out.push_str(&" ".repeat(count));
                column += count;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    Ok(out)
}
