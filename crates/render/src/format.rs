//! `'%s' % x` and `'{}'.format(x)`.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::repr::type_name;
use crate::value::{Key, Value};

/// What stands between `%` or `:` and the letter.
#[derive(Default, Clone)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

fn grouped(digits: &str, with: char, every: usize) -> String {
    let mut out = String::new();
    let length = digits.chars().count();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (length - at).is_multiple_of(every) {
            out.push(with);
        }
        out.push(c);
    }
    out
}

/// The general notation: as short as it may be.
fn general(number: f64, precision: usize, alternate: bool, upper: bool) -> String {
    let precision = precision.max(1);
    if number == 0.0 {
        return "0".into();
    }
    let scientific = format!("{number:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if alternate || !text.contains('.') {
            text.to_owned()
        } else {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    let text = if exponent < -4 || exponent >= i32::try_from(precision).unwrap_or(i32::MAX) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    } else {
        let decimals = usize::try_from(i32::try_from(precision).unwrap_or(0) - 1 - exponent).unwrap_or(0);
        trim(&format!("{number:.decimals$}"))
    };
    if upper { text.to_uppercase() } else { text }
}

fn exponent(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn float_text(number: f64, spec: &Spec, kind: char) -> String {
    let precision = spec.precision.unwrap_or(6);
    let number = number.abs();
    match kind {
        'f' | 'F' => format!("{number:.precision$}"),
        'e' => exponent(number, precision),
        'E' => exponent(number, precision).to_uppercase(),
        '%' => format!("{:.precision$}%", number * 100.0),
        _ => general(number, precision, spec.alternate, kind == 'G'),
    }
}

fn int_text(number: i128, spec: &Spec, kind: char) -> String {
    let size = number.unsigned_abs();
    let (prefix, digits) = match kind {
        'x' => ("0x", format!("{size:x}")),
        'X' => ("0X", format!("{size:X}")),
        'o' => ("0o", format!("{size:o}")),
        'b' => ("0b", format!("{size:b}")),
        _ => ("", size.to_string()),
    };
    let digits = match spec.grouping {
        Some(with) => grouped(&digits, with, if matches!(kind, 'x' | 'X' | 'o' | 'b') { 4 } else { 3 }),
        None => digits,
    };
    let digits = match spec.precision {
        Some(precision) if digits.len() < precision => {
            format!("{}{digits}", "0".repeat(precision - digits.len()))
        }
        _ => digits,
    };
    if spec.alternate { format!("{prefix}{digits}") } else { digits }
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    }
}

fn aligned(sign: &str, body: &str, spec: &Spec, default: char) -> String {
    let length = sign.chars().count() + body.chars().count();
    let missing = spec.width.saturating_sub(length);
    let align = spec.align.unwrap_or(if spec.zero { '=' } else { default });
    let fill = spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' });
    let run = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    match align {
        '<' => format!("{sign}{body}{}", run(missing)),
        '^' => format!("{}{sign}{body}{}", run(missing / 2), run(missing - missing / 2)),
        '=' => format!("{sign}{}{body}", run(missing)),
        _ => format!("{}{sign}{body}", run(missing)),
    }
}

fn width(cx: &Cx, spec: &Spec) -> Res<()> {
    cx.burn_length(spec.width.max(spec.precision.unwrap_or(0)).saturating_mul(4))?;
    if spec.precision.unwrap_or(0) > 10_000 {
        return Err(Fault::value("Too many decimal digits in format string"));
    }
    Ok(())
}

/// `format % value`.
pub(crate) fn percent(cx: &Cx, format: &str, value: &Value) -> Res<String> {
    let values: Vec<Value> = match value {
        Value::Tuple(items) => items.to_vec(),
        other => vec![other.clone()],
    };
    let mut used = 0;
    let mut named = false;
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut key = None;
        if chars.next_if_eq(&'(').is_some() {
            let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
            key = Some(name);
        }
        while let Some(flag) = chars.next_if(|c| "-+ 0#".contains(*c)) {
            match flag {
                '-' => spec.align = Some('<'),
                '0' => spec.zero = true,
                '#' => spec.alternate = true,
                '+' => spec.sign = Some('+'),
                _ => spec.sign = spec.sign.or(Some(' ')),
            }
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, used: &mut usize| -> Res<usize> {
            if chars.next_if_eq(&'*').is_some() {
                *used += 1;
                let value = values.get(*used - 1).and_then(Value::as_int);
                return value
                    .and_then(|v| usize::try_from(v).ok())
                    .ok_or_else(|| Fault::type_error("* wants int"));
            }
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            Ok(digits.parse().unwrap_or(0))
        };
        spec.width = number(&mut chars, &mut used)?;
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(number(&mut chars, &mut used)?);
        }
        while chars.next_if(|c| "hlL".contains(*c)).is_some() {}
        let Some(kind) = chars.next() else { return Err(Fault::value("incomplete format")) };
        if kind == '%' {
            out.push('%');
            continue;
        }
        width(cx, &spec)?;
        let item = if let Some(key) = key {
            named = true;
            let pairs =
                crate::ops::as_dict(value).ok_or_else(|| Fault::type_error("format requires a mapping"))?;
            match pairs.get(&Key::str(&key)) {
                Some(found) => found.clone(),
                None => return Err(Fault::new("KeyError", crate::repr::string(&key))),
            }
        } else {
            used += 1;
            let found = values.get(used - 1).cloned();
            found.ok_or_else(|| Fault::type_error("not enough arguments for format string"))?
        };
        out.push_str(&percent_item(cx, &item, &spec, kind)?);
        cx.guard_output(out.len())?;
    }
    let mapping = matches!(value, Value::Dict(_) | Value::List(_) | Value::Prefix(..));
    if used < values.len() && !named && !mapping {
        return Err(Fault::type_error("not all arguments converted during string formatting"));
    }
    Ok(out)
}

fn percent_item(cx: &Cx, item: &Value, spec: &Spec, kind: char) -> Res<String> {
    let mut spec = spec.clone();
    let wrong = |what: &str| {
        Fault::type_error(format!("%{kind} format: {what} is required, not {}", type_name(cx, item)))
    };
    match kind {
        's' | 'r' | 'a' => {
            let text = if kind == 's' { cx.text(item)? } else { cx.repr(item)? };
            let text = match spec.precision {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            };
            spec.zero = false;
            Ok(aligned("", &text, &spec, '>'))
        }
        'c' => match item.as_int() {
            Some(code) => {
                Ok(u32::try_from(code).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string())
            }
            None => cx.text(item),
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            #[expect(clippy::cast_possible_truncation, reason = "as Python cuts")]
            let number = match item {
                Value::Float(number) if !"xXo".contains(kind) => number.trunc() as i128,
                other => other.as_int().ok_or_else(|| {
                    wrong(if "xXo".contains(kind) { "an integer" } else { "a real number" })
                })?,
            };
            let body = int_text(number, &spec, kind);
            Ok(aligned(sign(number < 0, &spec), &body, &spec, '>'))
        }
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
            let number = match item.as_float() {
                Some(number) => number,
                None if item.is_undefined() => {
                    return Err(crate::ops::undefined(match item {
                        Value::Undefined(missing) => missing,
                        _ => return Err(wrong("a number")),
                    }));
                }
                None => {
                    return Err(Fault::type_error(format!(
                        "must be real number, not {}",
                        type_name(cx, item)
                    )));
                }
            };
            let body = float_text(number, &spec, kind);
            Ok(aligned(sign(number.is_sign_negative(), &spec), &body, &spec, '>'))
        }
        other => Err(Fault::value(format!("unsupported format character '{other}' (0x{:x})", other as u32))),
    }
}

/// `text.format(…)`, without access to private names.
pub(crate) fn braces(cx: &Cx, text: &str, args: &Args) -> Res<String> {
    let mut next = 0;
    braces_inner(cx, text, args, &mut next, 0)
}

fn braces_inner(cx: &Cx, text: &str, args: &Args, next: &mut usize, depth: usize) -> Res<String> {
    if depth > 2 {
        return Err(Fault::value("Max string recursion exceeded"));
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let mark = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(mark) {
            out.push_str(mark);
            rest = &rest[1..];
            continue;
        }
        if mark == "}" {
            return Err(Fault::value("Single '}' encountered in format string"));
        }
        let Some(end) = closing(rest) else { return Err(Fault::value("expected '}' before end of string")) };
        let field = &rest[..end];
        rest = &rest[end + 1..];
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
        let mut value = field_value(cx, name, args, next)?;
        if conversion == "r" {
            value = Value::str(&cx.repr(&value)?);
        } else if conversion == "s" {
            value = Value::str(&cx.text(&value)?);
        }
        let spec = braces_inner(cx, spec, args, next, depth + 1)?;
        out.push_str(&formatted(cx, &value, &spec)?);
        cx.guard_output(out.len())?;
    }
    out.push_str(rest);
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn field_value(cx: &Cx, name: &str, args: &Args, next: &mut usize) -> Res<Value> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut rest) = name.split_at(end);
    let position = if first.is_empty() {
        *next += 1;
        Some(*next - 1)
    } else {
        first.parse().ok()
    };
    let mut value = match position {
        Some(at) => match args.pos.get(at) {
            Some(value) => value.clone(),
            None => {
                return Err(Fault::new("IndexError", "tuple index out of range"));
            }
        },
        None => match args.kw(first) {
            Some(value) => value.clone(),
            None => return Err(Fault::new("KeyError", crate::repr::string(first))),
        },
    };
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return Err(Fault::value("Empty attribute in format string"));
            }
            value = cx.get_attr(&value, &after[..end])?;
            rest = &after[end..];
        } else {
            let Some((key, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
                return Err(Fault::value(if rest.starts_with('[') {
                    "expected '}' before end of string"
                } else {
                    "Only '.' or '[' may follow ']' in format field specifier"
                }));
            };
            if key.is_empty() {
                return Err(Fault::value("Empty attribute in format string"));
            }
            let key = key.parse().map_or_else(|_| Value::str(key), Value::Int);
            value = cx.get_item(&value, &key)?;
            rest = after;
        }
        if let Value::Undefined(missing) = &value {
            return Err(crate::ops::undefined(missing));
        }
    }
    Ok(value)
}

fn parse_spec(text: &str) -> Spec {
    let mut spec = Spec::default();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>=^".contains(*c));
    if is_align(chars.get(1)) {
        (spec.fill, spec.align) = (Some(chars[0]), Some(chars[1]));
        at = 2;
    } else if is_align(chars.first()) {
        spec.align = Some(chars[0]);
        at = 1;
    }
    let mut take = |set: &str| {
        let found = chars.get(at).copied().filter(|c| set.contains(*c));
        at += usize::from(found.is_some());
        found
    };
    spec.sign = take("+- ");
    spec.alternate = take("#").is_some();
    spec.zero = take("0").is_some();
    let number = |take: &mut dyn FnMut(&str) -> Option<char>| {
        let mut digits = String::new();
        while let Some(digit) = take("0123456789") {
            digits.push(digit);
        }
        digits.parse().ok()
    };
    spec.width = number(&mut take).unwrap_or(0);
    spec.grouping = take(",_");
    if take(".").is_some() {
        spec.precision = Some(number(&mut take).unwrap_or(0));
    }
    spec.kind = take("bcdeEfFgGnosxX%");
    spec
}

fn formatted(cx: &Cx, value: &Value, text: &str) -> Res<String> {
    if text.is_empty() {
        return cx.text(value);
    }
    if let Value::Time(at) = value {
        return Ok(crate::datetime::strftime(at, text, "UTC"));
    }
    let spec = parse_spec(text);
    width(cx, &spec)?;
    match value {
        Value::Int(_) | Value::Bool(_) if !spec.kind.is_some_and(|kind| "eEfFgG%".contains(kind)) => {
            let number = value.as_int().unwrap_or(0);
            if spec.kind == Some('c') {
                return Ok(u32::try_from(number)
                    .ok()
                    .and_then(char::from_u32)
                    .unwrap_or('\u{fffd}')
                    .to_string());
            }
            let body = int_text(number, &spec, spec.kind.unwrap_or('d'));
            Ok(aligned(sign(number < 0, &spec), &body, &spec, '>'))
        }
        Value::Int(_) | Value::Bool(_) | Value::Float(_) => {
            let number = value.as_float().unwrap_or(0.0);
            let body = match (spec.kind, spec.precision) {
                (None, None) => crate::repr::float(number.abs()),
                (kind, _) => float_text(number, &spec, kind.unwrap_or('g')),
            };
            let body = match (spec.grouping, body.split_once('.')) {
                (Some(with), Some((whole, rest))) => format!("{}.{rest}", grouped(whole, with, 3)),
                (Some(with), None) => grouped(&body, with, 3),
                _ => body,
            };
            Ok(aligned(sign(number.is_sign_negative(), &spec), &body, &spec, '>'))
        }
        Value::Undefined(missing) => Err(crate::ops::undefined(missing)),
        Value::Str(_) | Value::Markup(_) => {
            let text = cx.text(value)?;
            let text = match spec.precision {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            };
            let spec =
                Spec { zero: false, fill: spec.fill.or(if spec.zero { Some('0') } else { None }), ..spec };
            Ok(aligned("", &text, &spec, '<'))
        }
        other => {
            let name = type_name(cx, other);
            Err(Fault::type_error(format!("unsupported format string passed to {name}.__format__")))
        }
    }
}
