//! Python's literals and operators on them, after the language reference, "Lexical analysis" and "Expressions".

use tree_sitter::Node;

use super::value::PyValue;

/// The text of a string literal; the error says why it has none.
pub(super) fn string(node: Node<'_>, source: &str) -> Result<String, &'static str> {
    let mut prefix = String::new();
    let mut text = String::new();
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        let piece = source.get(child.byte_range()).unwrap_or_default();
        match child.kind() {
            "string_start" => prefix = piece.to_lowercase(),
            "interpolation" => return Err("a formatted string"),
            "string_content" if prefix.starts_with('r') || prefix.starts_with("fr") => text.push_str(piece),
            "string_content" => text.push_str(&unescape(piece).ok_or("a string with an unusual escape")?),
            _ => {}
        }
    }
    let prefix = prefix.trim_end_matches(['"', '\'']);
    if prefix.contains('b') {
        return Err("a bytes literal");
    }
    Ok(if prefix.contains('f') { text.replace("{{", "{").replace("}}", "}") } else { text })
}

/// Resolves escape sequences; one that Python does not know stays as it is, as Python leaves it.
fn unescape(text: &str) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        match rest.next()? {
            '\n' => {}
            '\\' => result.push('\\'),
            '\'' => result.push('\''),
            '"' => result.push('"'),
            'a' => result.push('\u{7}'),
            'b' => result.push('\u{8}'),
            'f' => result.push('\u{c}'),
            'n' => result.push('\n'),
            'r' => result.push('\r'),
            't' => result.push('\t'),
            'v' => result.push('\u{b}'),
            'x' => result.push(code_point(&mut rest, 2)?),
            'u' => result.push(code_point(&mut rest, 4)?),
            'U' => result.push(code_point(&mut rest, 8)?),
            // A character by its Unicode name would need the table of all names.
            'N' => return None,
            first @ '0'..='7' => {
                let mut number = first.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = rest.clone().next().and_then(|next| next.to_digit(8)) else { break };
                    number = number * 8 + digit;
                    rest.next();
                }
                result.push(char::from_u32(number)?);
            }
            other => {
                result.push('\\');
                result.push(other);
            }
        }
    }
    Some(result)
}

/// The character whose number follows in exactly so many hexadecimal digits.
fn code_point(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let number = (0..digits).try_fold(0, |number, _| Some(number * 16 + rest.next()?.to_digit(16)?))?;
    char::from_u32(number)
}

/// A whole number in any of Python's notations; `None` if it does not fit.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "").to_lowercase();
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        Some("0b") => (&text[2..], 2),
        _ => (text.as_str(), 10),
    };
    i64::from_str_radix(digits, radix).ok()
}

/// `left operator right` for numbers, and `+` for texts and lists; `None` for whatever else.
pub(super) fn binary(left: PyValue, operator: &str, right: PyValue) -> Option<PyValue> {
    match (left, right) {
        (PyValue::Integer(left), PyValue::Integer(right)) => integers(left, operator, right),
        (PyValue::Integer(left), PyValue::Float(right)) => floats(to_float(left)?, operator, right),
        (PyValue::Float(left), PyValue::Integer(right)) => floats(left, operator, to_float(right)?),
        (PyValue::Float(left), PyValue::Float(right)) => floats(left, operator, right),
        (PyValue::Text(left), PyValue::Text(right)) if operator == "+" => Some(PyValue::Text(left + &right)),
        (PyValue::List(mut left), PyValue::List(right)) if operator == "+" => {
            left.extend(right);
            Some(PyValue::List(left))
        }
        _ => None,
    }
}

fn integers(left: i64, operator: &str, right: i64) -> Option<PyValue> {
    // Python rounds towards minus infinity; settings are counts, so only that quadrant is taken on.
    let positive = left >= 0 && right > 0;
    match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "//" if positive => left.checked_div(right),
        "%" if positive => left.checked_rem(right),
        "**" => left.checked_pow(u32::try_from(right).ok()?),
        "/" => return floats(to_float(left)?, operator, to_float(right)?),
        _ => None,
    }
    .map(PyValue::Integer)
}

fn floats(left: f64, operator: &str, right: f64) -> Option<PyValue> {
    let result = match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        _ => return None,
    };
    result.is_finite().then_some(PyValue::Float(result))
}

/// Whole numbers beyond 32 bits would lose digits, and no setting has them.
fn to_float(number: i64) -> Option<f64> {
    i32::try_from(number).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_pythons() {
        for (written, meant) in [
            (r"a\nb\t\\\'", "a\nb\t\\'"),
            (r"\x41\u00e9\U0001F600", "Aé😀"),
            (r"\101\0", "A\0"),
            (r"\d", r"\d"),
            ("one\\\ntwo", "onetwo"),
        ] {
            assert_eq!(unescape(written).as_deref(), Some(meant), "{written}");
        }
        for wrong in [r"\N{BULLET}", r"\x4", r"\x+4", r"\UFFFFFFFF", "\\"] {
            assert_eq!(unescape(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn integers_are_read_in_every_notation() {
        assert_eq!(integer("1_209_600"), Some(1_209_600));
        assert_eq!(integer("0x1F"), Some(31));
        assert_eq!(integer("99999999999999999999"), None);
    }
}
