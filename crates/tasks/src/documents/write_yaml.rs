//! YAML that people read: a member per line, text of several lines as a block, and quotes only where they are needed. What
//! it writes is read back as the same, by `read_yaml.rs` and by readers of YAML 1.1.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::read_yaml::core;

/// Names that are longer get a line of their own: a reader need not look further for the colon than 1,024 characters.
const LONG_NAME: usize = 500;
/// Lists of short values up to this width stay in one line.
const WIDTH: usize = 90;

pub(super) fn write(value: &Json) -> String {
    let mut text = String::new();
    match value {
        Json::Object(_) | Json::Array(_) if !is_empty(value) => block(&mut text, value, 0, true),
        _ => {
            inline(&mut text, value, 0);
            text.push('\n');
        }
    }
    text
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// A list or an object with something in it, from the beginning of a line, or after `- ` if `begun`.
fn block(text: &mut String, value: &Json, indent: usize, mut begun: bool) {
    let mut line = |text: &mut String| {
        if !std::mem::take(&mut begun) {
            let _ = write!(text, "{:indent$}", "");
        }
    };
    match value {
        Json::Array(items) => {
            for item in items {
                line(text);
                text.push('-');
                after(text, item, indent, true);
            }
        }
        Json::Object(members) => {
            for (name, value) in members {
                line(text);
                if name.chars().count() > LONG_NAME {
                    let _ = write!(text, "? {}\n{:indent$}:", quoted(name), "");
                } else {
                    let _ = write!(text, "{}:", one_line(name));
                }
                after(text, value, indent, false);
            }
        }
        _ => {}
    }
}

/// What comes behind `-` or `name:`, up to the end of the line.
fn after(text: &mut String, value: &Json, indent: usize, item: bool) {
    if let Some(list) = short_list(value) {
        let _ = writeln!(text, " {list}");
    } else if is_empty(value) {
        text.push(' ');
        inline(text, value, indent);
        text.push('\n');
    } else if item {
        text.push(' ');
        block(text, value, indent + 2, true);
    } else {
        text.push('\n');
        block(text, value, indent + 2, false);
    }
}

/// A list of short values as one line.
fn short_list(value: &Json) -> Option<String> {
    let Json::Array(items) = value else { return None };
    let mut list = String::from("[");
    for (place, item) in items.iter().enumerate() {
        let item = match item {
            Json::Array(_) | Json::Object(_) => return None,
            // A comma or bracket would end an unquoted one.
            Json::String(text) if text.contains([',', '[', ']', '{', '}', '\n']) => quoted(text),
            Json::String(text) => one_line(text),
            other => other.to_string(),
        };
        list.push_str(if place == 0 { "" } else { ", " });
        list.push_str(&item);
        if list.len() > WIDTH {
            return None;
        }
    }
    list.push(']');
    Some(list)
}

/// A value that has no lines of its own, or a block of text.
fn inline(text: &mut String, value: &Json, indent: usize) {
    match value {
        Json::String(string) => match literal(string, indent + 2) {
            Some(block) => text.push_str(&block),
            None => text.push_str(&one_line(string)),
        },
        Json::Array(_) => text.push_str("[]"),
        Json::Object(_) => text.push_str("{}"),
        Json::Null => text.push('~'),
        other => text.push_str(&other.to_string()),
    }
}

/// Text of several lines as it stands, without the last line break; `None` where that would not be read back the same.
fn literal(string: &str, indent: usize) -> Option<String> {
    let body = string.trim_end_matches('\n');
    let breaks = string.len() - body.len();
    let plain = |letter: char| letter == '\n' || !must_be_escaped(letter);
    let first = body.lines().next()?;
    if !string.contains('\n')
        || first.is_empty()
        || body.starts_with([' ', '\t'])
        || body.lines().any(|line| !line.is_empty() && line.trim().is_empty())
        || !string.chars().all(plain)
    {
        return None;
    }
    let mut block = String::from(match breaks {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            let _ = write!(block, "{:indent$}{line}", "");
        }
    }
    block.push_str(&"\n".repeat(breaks.saturating_sub(1)));
    Some(block)
}

fn one_line(text: &str) -> String {
    if can_be_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether the text is itself without quotes, to every reader.
fn can_be_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "_-./ @+()".contains(letter);
    // Dates, times and numbers of YAML 1.1 begin with a digit; addresses do too, and are not mistaken for them.
    let counts = first.is_ascii_digit() && !text.contains('/') && text.matches('.').count() < 3;
    let word = text.to_ascii_lowercase();
    (first.is_ascii_alphanumeric() || first == '/' || first == '_')
        && text.chars().all(letters)
        && !text.ends_with(' ')
        // In a list in one line, some readers take the dash of `x -` for the beginning of an item.
        && !text.contains(" -")
        && !counts
        && !["y", "n", "yes", "no", "on", "off"].contains(&word.as_str())
        && core(text).is_ok_and(|value| value.is_string())
}

fn must_be_escaped(letter: char) -> bool {
    letter.is_control() && letter != '\t'
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// In double quotes. What is escaped is written as JSON would write it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if must_be_escaped(letter) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::read_yaml::read;
    use super::*;

    #[test]
    fn it_looks_as_people_write_it() {
        let value = json!({
            "format": "x y",
            "list": [{"name": "edge1", "tags": ["a", "b"], "port": 22, "none": null},
                     {"template": "{% for x in y %}\n  {{ x }}\n\nend\n", "on": "yes", "v": "1.0"}],
            "empty": [[], {}, ""],
            "address": "192.0.2.1/24",
            "long": {"a": {"b": "2001:db8::1"}}
        });
        let text = "address: 192.0.2.1/24\nempty:\n  - []\n  - {}\n  - \"\"\nformat: x y\nlist:\n  - name: edge1\n    \
                    none: ~\n    port: 22\n    tags: [a, b]\n  - \"on\": \"yes\"\n    template: |\n      {% for x in y %}\n        \
                    {{ x }}\n\n      end\n    v: \"1.0\"\nlong:\n  a:\n    b: \"2001:db8::1\"\n";
        assert_eq!(write(&value), text);
        assert_eq!(write(&json!([["x -", "x - y", "x-y"]])), "- [\"x -\", \"x - y\", x-y]\n");
    }

    fn values() -> impl Strategy<Value = Json> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~\n\t]{0,40}",
            "[a-z0-9.:/ #'\"|>-]{0,12}",
            "( |\n|x|\t|#|-|: ){0,12}",
            Just("x".repeat(1500)),
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>()
                .prop_map(|number| serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)),
            text.clone().prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::btree_map(text.clone(), inner, 0..6)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_written_is_read_back_the_same(value in values()) {
            let text = write(&value);
            let (back, _) = read(&text).map_err(|error| TestCaseError::fail(format!("{error} in\n{text}")))?;
            prop_assert_eq!(back, value, "\n{}", text);
        }
    }
}
