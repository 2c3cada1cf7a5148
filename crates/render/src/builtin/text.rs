//! Filters of text.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::strings;
use crate::value::{Key, Value};

use super::{flag, int, like};

pub(super) fn trim(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [chars] = args.bind("do_trim", ["chars"], 0, 1)?;
    let pos = chars.filter(|chars| !chars.is_none()).into_iter().collect();
    strings::call(cx, &cx.text(value)?, "strip", Args::of(pos))
}

pub(super) fn center(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [width] = args.bind("do_center", ["width"], 0, 1)?;
    Ok(Value::Str(strings::center(cx, &cx.text(value)?, int(width.as_ref(), 80))?.into()))
}

pub(super) fn replace(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [old, new, count] = args.bind("do_replace", ["old", "new", "count"], 2, 2)?;
    let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
    let count = int(count.as_ref(), -1);
    Ok(like(value, strings::replace(cx, &cx.text(value)?, &cx.text(&old)?, &cx.text(&new)?, count)?))
}

pub(super) fn format(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    if !args.kw.is_empty() && !args.pos.is_empty() {
        return Err(Fault::new(
            "jinja2.exceptions.FilterArgumentError",
            "can't handle positional and keyword arguments at the same time",
        ));
    }
    let values = if args.kw.is_empty() {
        Value::Tuple(args.pos.into())
    } else {
        Value::dict(args.kw.into_iter().map(|(name, value)| (Key::str(&name), value)).collect())
    };
    Ok(Value::Str(crate::format::percent(cx, &cx.text(value)?, &values)?.into()))
}

pub(super) fn wordwrap(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [width, long, mark, hyphens] =
        args.bind("do_wordwrap", ["width", "break_long_words", "wrapstring", "break_on_hyphens"], 0, 2)?;
    let width = usize::try_from(int(width.as_ref(), 79)).unwrap_or(1).max(1);
    let mark = mark.filter(|mark| !mark.is_none()).map_or(Ok("\n".to_owned()), |mark| cx.text(&mark))?;
    let (long, hyphens) = (flag(cx, long.as_ref(), true)?, flag(cx, hyphens.as_ref(), true)?);
    let text = cx.text(value)?;
    // A word that is longer than a line is cut again and again.
    for line in text.lines() {
        cx.burn((line.len() as u64).saturating_pow(2) / width as u64 / 64)?;
    }
    Ok(Value::Str(crate::wrap::wordwrap(&text, width, long, hyphens, &mark).into()))
}

pub(super) fn truncate(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [length, kill, end, leeway] =
        args.bind("do_truncate", ["length", "killwords", "end", "leeway"], 0, 2)?;
    let end = end.map_or(Ok("...".to_owned()), |end| cx.text(&end))?;
    let leeway = int(leeway.as_ref(), 5);
    cut_off(value, &cx.text(value)?, int(length.as_ref(), 255), flag(cx, kill.as_ref(), false)?, &end, leeway)
}

fn cut_off(value: &Value, text: &str, length: i128, kill: bool, end: &str, leeway: i128) -> Res<Value> {
    let size = end.chars().count() as i128;
    if length < size {
        return Err(Fault::new("AssertionError", format!("expected length >= {size}, got {length}")));
    }
    if text.chars().count() as i128 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let keep = usize::try_from(length - size).unwrap_or(0);
    let cut: String = text.chars().take(keep).collect();
    if kill {
        return Ok(like(value, format!("{cut}{end}")));
    }
    let cut = cut.rsplit_once(' ').map_or(cut.as_str(), |(before, _)| before);
    Ok(like(value, format!("{cut}{end}")))
}

/// Jinja2's `title`: words begin after blanks, hyphens and brackets.
pub(super) fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begin = true;
    for c in text.chars() {
        if c.is_ascii() {
            out.push(if begin { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
        } else if begin {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        begin = c == '-' || c.is_whitespace() || "({[<".contains(c);
    }
    out
}

pub(super) fn words(text: &str) -> usize {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
}
