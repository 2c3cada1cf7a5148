//! YAML 1.2 with the line of each member and item. Scalars are what the core schema says (chapter 10.3 of the
//! specification), so that `no`, `on` and `12:30` are text. Only what JSON can hold is taken.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value as Json};

use super::{Misplaced, member_path};

/// Levels of lists and objects in each other.
const DEPTH: usize = 100;
/// What a document may come to, in values and octets of text, those behind aliases counted each time: a short text can
/// stand for a very long one.
const SIZE: usize = 200_000_000;

type Lines = HashMap<String, usize>;

pub(super) fn read(text: &str) -> Result<(Json, Lines), Misplaced> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        lines: HashMap::new(),
        size: 0,
    };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            (Event::DocumentStart(_), span) if document.is_some() => {
                return Err(fault("", span, "a second document begins; only one is read"));
            }
            (Event::DocumentStart(_), _) => {
                let (event, span) = reader.next()?;
                document = Some(reader.value(event, span, "", 0)?);
            }
            _ => {}
        }
    }
    Ok((document.unwrap_or_default(), reader.lines))
}

fn fault(path: &str, span: Span, message: impl Into<String>) -> Misplaced {
    Misplaced { path: path.to_owned(), line: Some(span.start.line()), message: message.into() }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    lines: Lines,
    /// Values and octets so far.
    size: usize,
}

/// A value that can be named again.
struct Anchored {
    value: Json,
    /// Values and octets of it.
    size: usize,
    /// Levels of lists and objects in it.
    levels: usize,
}

/// Levels of lists and objects in a value.
fn levels(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(levels).max().unwrap_or_default(),
        Json::Object(members) => 1 + members.values().map(levels).max().unwrap_or_default(),
        _ => 0,
    }
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Misplaced> {
        let event = self.events.next_event().unwrap_or_else(|| Ok((Event::StreamEnd, Span::default())));
        event.map_err(|error| Misplaced {
            path: String::new(),
            line: Some(error.marker().line()),
            message: format!("{} (column {})", error.info(), error.marker().col() + 1),
        })
    }

    fn value(&mut self, event: Event<'a>, span: Span, path: &str, depth: usize) -> Result<Json, Misplaced> {
        if depth > DEPTH {
            return Err(fault(path, span, format!("is more than {DEPTH} levels deep")));
        }
        let before = self.size;
        let octets = if let Event::Scalar(text, ..) = &event { text.len() } else { 0 };
        self.count(1 + octets, path, span)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref()).map_err(|message| fault(path, span, message))?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                collection(tag.as_deref(), "seq").map_err(|message| fault(path, span, message))?;
                (self.items(path, depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                collection(tag.as_deref(), "map").map_err(|message| fault(path, span, message))?;
                (self.members(path, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let incomplete = || fault(path, span, "names an anchor that is not complete yet");
                let Anchored { size, levels, .. } = *self.anchors.get(&anchor).ok_or_else(incomplete)?;
                if depth + levels > DEPTH {
                    return Err(fault(path, span, format!("is more than {DEPTH} levels deep")));
                }
                self.count(size, path, span)?;
                (self.anchors.get(&anchor).ok_or_else(incomplete)?.value.clone(), 0)
            }
            _ => (Json::Null, 0),
        };
        if anchor > 0 {
            let anchored =
                Anchored { value: value.clone(), size: self.size - before, levels: levels(&value) };
            self.anchors.insert(anchor, anchored);
        }
        Ok(value)
    }

    fn count(&mut self, size: usize, path: &str, span: Span) -> Result<(), Misplaced> {
        self.size = self.size.saturating_add(size);
        if self.size > SIZE {
            return Err(fault(
                path,
                span,
                format!("the document comes to more than {} MB", SIZE / 1_000_000),
            ));
        }
        Ok(())
    }

    fn items(&mut self, path: &str, depth: usize) -> Result<Json, Misplaced> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items.into());
            }
            let path = format!("{path}[{}]", items.len());
            self.lines.insert(path.clone(), span.start.line());
            items.push(self.value(event, span, &path, depth + 1)?);
        }
    }

    fn members(&mut self, path: &str, depth: usize) -> Result<Json, Misplaced> {
        let mut members = Map::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(members.into()),
                Event::Scalar(name, ScalarStyle::Plain, ..) if name == "<<" => {
                    let message = "merging is no part of YAML 1.2; write the members out";
                    return Err(fault(&member_path(path, "<<"), span, message));
                }
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(fault(path, span, "a name in an object has to be text")),
            };
            let path = member_path(path, &name);
            self.lines.insert(path.clone(), span.start.line());
            let (event, span) = self.next()?;
            let value = self.value(event, span, &path, depth + 1)?;
            if members.insert(name, value).is_some() {
                return Err(Misplaced {
                    line: self.lines.get(&path).copied(),
                    path,
                    message: "stands twice in the same object".to_owned(),
                });
            }
        }
    }
}

fn collection(tag: Option<&Tag>, kind: &str) -> Result<(), String> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == kind) => Err(unknown(tag)),
        _ => Ok(()),
    }
}

fn unknown(tag: &Tag) -> String {
    format!("the tag {tag} means nothing here")
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Json, String> {
    let plain = style == ScalarStyle::Plain;
    match tag {
        None if plain => core(text),
        None => Ok(text.into()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" || tag.handle.is_empty() => {
            Ok(text.into())
        }
        Some(tag) if tag.is_yaml_core_schema() => match (tag.suffix.as_str(), core(text)?) {
            ("null", value @ Json::Null)
            | ("bool", value @ Json::Bool(_))
            | ("float", value @ Json::Number(_)) => Ok(value),
            ("int", value @ Json::Number(_))
                if value.as_f64().is_some_and(|number| number.fract() == 0.0) =>
            {
                Ok(value)
            }
            _ => Err(format!("what stands there is not of the type {tag}")),
        },
        Some(tag) => Err(unknown(tag)),
    }
}

/// What an unquoted text is.
pub(super) fn core(text: &str) -> Result<Json, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => match number(text) {
            Some(number) => {
                Json::Number(number.ok_or("the number is larger than can be kept; text stands in quotes")?)
            }
            None => text.into(),
        },
    })
}

/// The number that a text is; the inner `None` stands for one that JSON here cannot hold.
#[expect(clippy::option_option, reason = "no number, and one that cannot be held, are two things")]
fn number(text: &str) -> Option<Option<Number>> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|digit| digit.is_digit(radix))
        {
            return Some(u64::from_str_radix(digits, radix).ok().map(Number::from));
        }
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' | b'+' => text.split_at(1),
        _ => ("", text),
    };
    if matches!(rest, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits(rest) {
        let number = rest.parse::<u64>().ok();
        return Some(if sign == "-" {
            format!("-{rest}").parse::<i64>().ok().map(Number::from)
        } else {
            number.map(Number::from)
        });
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let exponent_is_one =
        exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    let mantissa_is_one = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    let is_float = exponent_is_one && mantissa_is_one;
    is_float.then(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn unquoted_text_is_what_the_core_schema_says() {
        for (text, value) in [
            ("~", json!(null)),
            ("True", json!(true)),
            ("no", json!("no")),
            ("12", json!(12)),
            ("-0x1", json!("-0x1")),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("017", json!(17)),
            ("1e3", json!(1000.0)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            (".", json!(".")),
            ("-", json!("-")),
            ("12:30", json!("12:30")),
            ("2026-01-01", json!("2026-01-01")),
            ("192.0.2.1", json!("192.0.2.1")),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(core(text), Ok(value), "{text}");
        }
        for text in ["18446744073709551616", "-9223372036854775809", ".inf", "-.INF", ".nan", "1e999"] {
            assert!(core(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_place_has_its_line() {
        let text = "# a comment\na: 1\nb:\n  - c: &x [1, 2]\n    d: *x\n\n  -\n    e: |\n      text\n";
        let (value, lines) = read(text).unwrap();
        assert_eq!(value, json!({"a": 1, "b": [{"c": [1, 2], "d": [1, 2]}, {"e": "text\n"}]}));
        for (path, line) in [("a", 2), ("b", 3), ("b[0]", 4), ("b[0].c", 4), ("b[0].d", 5), ("b[1].e", 8)] {
            assert_eq!(lines.get(path), Some(&line), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_taken_is_named_with_its_line() {
        for (text, message) in [
            ("a: 1\na: 2", "a, line 2: stands twice in the same object"),
            ("a: !ruby/object x", "a, line 1: the tag !ruby/object means nothing here"),
            ("a: 1\n---\nb: 2", "line 2: a second document begins; only one is read"),
            ("a:\n  <<: {b: 1}", "a.<<, line 2: merging is no part of YAML 1.2; write the members out"),
            ("a: .nan", "a, line 1: the number is larger than can be kept; text stands in quotes"),
            ("[1]: 2", "line 1: a name in an object has to be text"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), message, "{text}");
        }
        assert_eq!(read("a:\n - b\n c: d").unwrap_err().line, Some(3));
    }

    #[test]
    fn short_texts_that_stand_for_long_ones_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            writeln!(text, "a{level}: &a{level} [{before}]").unwrap();
        }
        assert!(read(&text).unwrap_err().message.contains("more than"), "taken");
        assert!(read(&"[".repeat(5000)).is_err());
    }
}
