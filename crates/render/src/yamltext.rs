//! How `PyYAML` writes text: plain, in single quotes, or in double quotes.

use std::fmt::Write as _;

/// The column at which `PyYAML` begins to fold lines.
const WIDTH: usize = 80;

/// Text at a column, and whether it is plain.
pub(crate) fn text(text: &str, column: usize, key: bool) -> (String, bool) {
    if text.is_empty() {
        return ("''".into(), false);
    }
    let special = text.chars().any(|c| c != '\n' && !(' '..='~').contains(&c));
    let breaks = text.contains('\n');
    let space_break = breaks && text.split('\n').any(|line| line.ends_with(' ')) && text.contains(" \n");
    if special || space_break || (breaks && key) {
        return (double(text, column, key), false);
    }
    if !breaks && plain(text) && !resolves(text) {
        return (folded_plain(text, column, key), true);
    }
    (single(text, column, key), false)
}

/// Whether the text can stand without quotes.
fn plain(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let second = text.chars().nth(1);
    if text.starts_with(' ') || text.ends_with(' ') || text.starts_with("---") || text.starts_with("...") {
        return false;
    }
    if "#,[]{}&*!|>'\"%@`".contains(first) {
        return false;
    }
    if "-?:".contains(first) && second.is_none_or(|c| c == ' ') {
        return false;
    }
    if text.contains(": ") || text.ends_with(':') || text.contains(" #") {
        return false;
    }
    true
}

/// Whether YAML 1.1 would read the plain text as something else than text.
fn resolves(text: &str) -> bool {
    const WORDS: &[&str] = &["yes", "no", "true", "false", "on", "off", "null"];
    let cased = |word: &str| {
        let capital = format!("{}{}", word[..1].to_uppercase(), &word[1..]);
        text == word || text == word.to_uppercase() || text == capital
    };
    if WORDS.iter().any(|word| cased(word)) || matches!(text, "~" | "=" | "<<" | "") {
        return true;
    }
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    number(body) || timestamp(text)
}

fn number(body: &str) -> bool {
    let all =
        |text: &str, accept: fn(u8) -> bool| !text.is_empty() && text.bytes().all(|b| b == b'_' || accept(b));
    if let Some(hex) = body.strip_prefix("0x") {
        return all(hex, |b| b.is_ascii_hexdigit());
    }
    if let Some(binary) = body.strip_prefix("0b") {
        return all(binary, |b| b == b'0' || b == b'1');
    }
    let digit: fn(u8) -> bool = |b| b.is_ascii_digit();
    if !body.starts_with('_') && all(body, digit) {
        // A leading zero makes it octal, which has no 8 and 9.
        return !body.starts_with('0') || body.bytes().all(|b| b == b'_' || (b'0'..=b'7').contains(&b));
    }
    if sexagesimal(body) {
        return true;
    }
    let Some((whole, fraction)) = body.split_once('.') else { return false };
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (fraction, None),
    };
    let exponent_fits =
        exponent.is_none_or(|exponent| exponent.starts_with(['+', '-']) && all(&exponent[1..], digit));
    let whole_fits = whole.starts_with(|c: char| c.is_ascii_digit()) && all(whole, digit);
    let fraction_fits = fraction.is_empty() || all(fraction, digit);
    exponent_fits
        && fraction_fits
        && (whole_fits || (whole.is_empty() && !fraction.is_empty() && !fraction.starts_with('_')))
}

/// `1:30:00`, which YAML 1.1 reads as a number to the base 60.
fn sexagesimal(body: &str) -> bool {
    let body = body.split_once('.').map_or(body, |(whole, rest)| {
        if rest.bytes().all(|b| b.is_ascii_digit() || b == b'_') { whole } else { body }
    });
    let mut parts = body.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let begins = first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && first.starts_with(|c: char| ('1'..='9').contains(&c));
    let zero_float = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    !rest.is_empty()
        && (begins || (zero_float && body.contains('.')))
        && rest.iter().all(|part| digits(part) && part.len() <= 2 && part.parse::<u8>().is_ok_and(|n| n < 60))
}

fn timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    if bytes.len() == 10
        && digits(0..4)
        && bytes[4] == b'-'
        && digits(5..7)
        && bytes[7] == b'-'
        && digits(8..10)
    {
        return true;
    }
    if bytes.len() < 16 || !digits(0..4) || bytes[4] != b'-' {
        return false;
    }
    let Some(rest) = text[5..].find(['T', 't', ' ']).map(|at| &text[5 + at + 1..]) else { return false };
    let date = text[..text.len() - rest.len() - 1]
        .split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    date && rest.contains(':') && rest.bytes().all(|b| b.is_ascii_digit() || b":.+-Zz \t".contains(&b))
}

/// Words of a line put on lines of their own where they pass the width.
fn fold(text: &str, column: usize, key: bool, escape: fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut at = column;
    let words: Vec<&str> = text.split(' ').collect();
    let mut index = 0;
    while index < words.len() {
        if index > 0 {
            let single = !words[index].is_empty() && !words[index - 1].is_empty();
            if single && !key && at > WIDTH {
                out.push('\n');
                out.push_str(&" ".repeat(column.max(2)));
                at = column.max(2);
            } else {
                out.push(' ');
                at += 1;
            }
        }
        let word = escape(words[index]);
        at += word.chars().count();
        out.push_str(&word);
        index += 1;
    }
    out
}

fn folded_plain(text: &str, column: usize, key: bool) -> String {
    fold(text, column, key, str::to_owned)
}

fn single(text: &str, column: usize, key: bool) -> String {
    let escape: fn(&str) -> String = |word| word.replace('\'', "''");
    let pad = " ".repeat(column.max(2));
    let lines: Vec<String> = text.split('\n').map(|line| fold(line, column, key, escape)).collect();
    let mut out = lines[0].clone();
    let mut blank = false;
    for (at, line) in lines.iter().enumerate().skip(1) {
        // A line break is written as an empty line; further ones add one line each.
        if !blank {
            out.push('\n');
        }
        out.push('\n');
        blank = line.is_empty() && at + 1 < lines.len();
        if !line.is_empty() || at + 1 == lines.len() {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    format!("'{out}'")
}

fn double(text: &str, column: usize, key: bool) -> String {
    let mut out = String::from("\"");
    let mut at = column + 1;
    let chars: Vec<char> = text.chars().collect();
    for (index, c) in chars.iter().enumerate() {
        let written = match c {
            '\0' => "\\0".into(),
            '\x07' => "\\a".into(),
            '\x08' => "\\b".into(),
            '\t' => "\\t".into(),
            '\n' => "\\n".into(),
            '\x0b' => "\\v".into(),
            '\x0c' => "\\f".into(),
            '\r' => "\\r".into(),
            '\x1b' => "\\e".into(),
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\u{85}' => "\\N".into(),
            '\u{a0}' => "\\_".into(),
            '\u{2028}' => "\\L".into(),
            '\u{2029}' => "\\P".into(),
            ' '..='~' => c.to_string(),
            c => {
                let code = *c as u32;
                let mut text = String::new();
                let _ = match code {
                    0..=0xff => write!(text, "\\x{code:02X}"),
                    0x100..=0xffff => write!(text, "\\u{code:04X}"),
                    _ => write!(text, "\\U{code:08X}"),
                };
                text
            }
        };
        if *c == ' ' && !key && index > 0 && index + 1 < chars.len() && at > WIDTH {
            out.push_str("\\\n");
            out.push_str(&" ".repeat(column.max(2)));
            at = column.max(2);
            out.push_str("\\ ");
            at += 2;
            continue;
        }
        at += written.chars().count();
        out.push_str(&written);
    }
    out.push('"');
    out
}
