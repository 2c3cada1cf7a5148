//! From the text of a template to tokens, by the rules of Jinja2 3.1.

use std::rc::Rc;

use crate::error::{Fault, Res};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tok {
    Data(Rc<str>),
    VarBegin,
    VarEnd,
    BlockBegin,
    BlockEnd,
    Name(Rc<str>),
    Str(Rc<str>),
    Int(i128),
    Float(f64),
    Op(&'static str),
    Eof,
}

impl Tok {
    /// The words Jinja2's messages use for a token.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Data(_) => "template data / text".into(),
            Self::VarBegin => "begin of print statement".into(),
            Self::VarEnd => "end of print statement".into(),
            Self::BlockBegin => "begin of statement block".into(),
            Self::BlockEnd => "end of statement block".into(),
            Self::Name(name) => name.to_string(),
            Self::Str(_) => "string".into(),
            Self::Int(_) => "integer".into(),
            Self::Float(_) => "float".into(),
            Self::Op(op) => (*op).into(),
            Self::Eof => "end of template".into(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) line: usize,
}

const OPERATORS: [&str; 27] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";", "!",
];

struct Lexer<'a> {
    src: &'a str,
    pos: usize,
    line: usize,
    name: &'a Rc<str>,
    trim: bool,
    lstrip: bool,
    line_starting: bool,
    out: Vec<Token>,
}

/// Line breaks made one kind, and one trailing line break removed.
pub(crate) fn normalise(source: &str) -> String {
    let mut text = source.replace("\r\n", "\n").replace('\r', "\n");
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// The tokens of a normalised source.
pub(crate) fn tokenize(src: &str, name: &Rc<str>, trim: bool, lstrip: bool) -> Res<Vec<Token>> {
    let mut lexer = Lexer { src, pos: 0, line: 1, name, trim, lstrip, line_starting: true, out: Vec::new() };
    lexer.run()?;
    let line = lexer.line;
    lexer.out.push(Token { tok: Tok::Eof, line });
    Ok(lexer.out)
}

impl Lexer<'_> {
    fn push(&mut self, tok: Tok) {
        self.out.push(Token { tok, line: self.line });
    }
    fn fail<T>(&self, line: usize, message: impl Into<String>) -> Res<T> {
        Err(Fault::syntax(self.name, line, message))
    }
    fn advance(&mut self, to: usize) {
        self.line += self.src[self.pos..to].matches('\n').count();
        self.line_starting = self.src[..to].ends_with('\n');
        self.pos = to;
    }
    fn rest(&self) -> &str {
        &self.src[self.pos..]
    }

    fn run(&mut self) -> Res<()> {
        while self.pos < self.src.len() {
            let Some((begin, kind)) = find_begin(self.src, self.pos) else {
                let text = self.rest().to_owned();
                self.push(Tok::Data(text.into()));
                self.advance(self.src.len());
                break;
            };
            let sign = self.src.as_bytes().get(begin + 2).copied();
            let raw = if kind == b'%' { raw_begin(&self.src[begin..]) } else { None };
            self.text_before(begin, sign, kind);
            self.advance(begin);
            if let Some(length) = raw {
                self.raw(length)?;
            } else if kind == b'#' {
                self.comment()?;
            } else {
                let signed = matches!(sign, Some(b'-' | b'+'));
                self.push(if kind == b'{' { Tok::VarBegin } else { Tok::BlockBegin });
                self.advance(begin + 2 + usize::from(signed));
                self.code(kind == b'{')?;
            }
        }
        Ok(())
    }

    fn text_before(&mut self, begin: usize, sign: Option<u8>, kind: u8) {
        let mut text = &self.src[self.pos..begin];
        if sign == Some(b'-') {
            text = text.trim_end_matches(is_space);
        } else if sign != Some(b'+') && self.lstrip && kind != b'{' {
            let line_begin = text.rfind('\n').map_or(0, |at| at + 1);
            if (line_begin > 0 || self.line_starting) && text[line_begin..].chars().all(is_space) {
                text = &text[..line_begin];
            }
        }
        if !text.is_empty() {
            let data: Rc<str> = text.into();
            self.push(Tok::Data(data));
        }
    }

    fn comment(&mut self) -> Res<()> {
        let Some(end) = self.rest().find("#}") else {
            return self.fail(self.line, "Missing end of comment tag");
        };
        let end = self.pos + end;
        let sign = self.src.as_bytes()[end - 1];
        self.close(end, if end > self.pos + 1 { sign } else { b' ' }, true);
        Ok(())
    }

    /// Moves behind an end mark at `end` whose preceding byte is `sign`.
    fn close(&mut self, end: usize, sign: u8, may_trim: bool) {
        let mut after = end + 2;
        if sign == b'-' {
            after += self.src[after..].len() - self.src[after..].trim_start_matches(is_space).len();
        } else if sign != b'+' && may_trim && self.trim && self.src[after..].starts_with('\n') {
            after += 1;
        }
        self.advance(after);
    }

    fn raw(&mut self, begin_length: usize) -> Res<()> {
        let line = self.line;
        self.advance(self.pos + begin_length);
        let mut at = self.pos;
        if at == self.src.len() {
            return Ok(());
        }
        loop {
            let Some(found) = self.src[at..].find("{%") else {
                return self.fail(line, "Missing end of raw directive");
            };
            let begin = at + found;
            if let Some((inner_end, sign)) = raw_end(&self.src[begin..]) {
                let before = self.src.as_bytes().get(begin + 2).copied();
                self.text_before(begin, before, b'%');
                self.advance(begin);
                self.close(begin + inner_end, sign, true);
                return Ok(());
            }
            at = begin + 2;
        }
    }

    fn code(&mut self, variable: bool) -> Res<()> {
        let mut stack: Vec<char> = Vec::new();
        loop {
            let rest = self.rest();
            let Some(ch) = rest.chars().next() else { return Ok(()) };
            if stack.is_empty()
                && let Some((offset, sign)) = end_mark(rest, variable)
            {
                self.push(if variable { Tok::VarEnd } else { Tok::BlockEnd });
                let end = self.pos + offset;
                self.close(end, sign, !variable);
                return Ok(());
            }
            if is_space(ch) {
                self.advance(self.pos + ch.len_utf8());
            } else if let Some((tok, length)) = number(rest) {
                self.push(tok);
                self.advance(self.pos + length);
            } else if ch == '_' || ch.is_alphanumeric() {
                let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                let name: Rc<str> = rest[..length].into();
                if ch.is_numeric() {
                    return self.fail(self.line, "Invalid character in identifier");
                }
                self.push(Tok::Name(name));
                self.advance(self.pos + length);
            } else if (ch == '\'' || ch == '"') && string_end(rest).is_some() {
                let length = string_end(rest).unwrap_or(1);
                let text = unescape(&rest[1..length - 1]);
                match text {
                    Ok(text) => self.push(Tok::Str(text.into())),
                    Err(message) => return self.fail(self.line, message),
                }
                self.advance(self.pos + length);
            } else if let Some(op) = OPERATORS.iter().find(|op| **op != "!" && rest.starts_with(**op)) {
                self.operator(op, &mut stack)?;
            } else {
                let at = self.src[..self.pos].chars().count();
                let shown = crate::repr::string(&ch.to_string());
                return self.fail(self.line, format!("unexpected char {shown} at {at}"));
            }
        }
    }

    fn operator(&mut self, op: &'static str, stack: &mut Vec<char>) -> Res<()> {
        match op {
            "(" => stack.push(')'),
            "[" => stack.push(']'),
            "{" => stack.push('}'),
            ")" | "]" | "}" => match stack.pop() {
                None => return self.fail(self.line, format!("unexpected '{op}'")),
                Some(expected) if !op.starts_with(expected) => {
                    return self.fail(self.line, format!("unexpected '{op}', expected '{expected}'"));
                }
                Some(_) => {}
            },
            _ => {}
        }
        self.push(Tok::Op(op));
        self.advance(self.pos + op.len());
        Ok(())
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn find_begin(src: &str, from: usize) -> Option<(usize, u8)> {
    let bytes = src.as_bytes();
    let mut at = from;
    while let Some(found) = src[at..].find('{') {
        let begin = at + found;
        if let Some(kind @ (b'{' | b'%' | b'#')) = bytes.get(begin + 1).copied() {
            return Some((begin, kind));
        }
        at = begin + 1;
    }
    None
}

/// Length of a `{% raw %}` mark at the start of `text`.
fn raw_begin(text: &str) -> Option<usize> {
    let (end, sign) = word_mark(text, "raw")?;
    let mut length = end + 2;
    if sign == b'-' {
        length += text[length..].len() - text[length..].trim_start_matches(is_space).len();
    } else if sign == b'+' {
        return None;
    }
    Some(length)
}

fn raw_end(text: &str) -> Option<(usize, u8)> {
    word_mark(text, "endraw")
}

/// Offset of `%}` and the sign before it, if `text` begins with `{% word %}`.
fn word_mark(text: &str, word: &str) -> Option<(usize, u8)> {
    let inner = text.strip_prefix("{%")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.trim_start_matches(is_space).strip_prefix(word)?;
    let inner = inner.trim_start_matches(is_space);
    let (sign, inner) = match inner.as_bytes().first()? {
        sign @ (b'-' | b'+') => (*sign, &inner[1..]),
        _ => (b' ', inner),
    };
    inner.starts_with("%}").then(|| (text.len() - inner.len(), sign))
}

fn end_mark(rest: &str, variable: bool) -> Option<(usize, u8)> {
    let mark = if variable { "}}" } else { "%}" };
    if rest.starts_with(mark) {
        return Some((0, b' '));
    }
    let sign = rest.as_bytes()[0];
    if (sign == b'-' || (sign == b'+' && !variable)) && rest[1..].starts_with(mark) {
        return Some((1, sign));
    }
    None
}

fn digits(text: &str, accept: fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let joint = bytes[at] == b'_' && at > 0 && bytes.get(at + 1).copied().is_some_and(accept);
        if accept(bytes[at]) || joint {
            at += 1;
        } else {
            break;
        }
    }
    at
}

fn number(rest: &str) -> Option<(Tok, usize)> {
    let bytes = rest.as_bytes();
    if !bytes[0].is_ascii_digit() {
        return None;
    }
    if bytes[0] == b'0' && bytes.len() > 2 {
        let (radix, accept): (u32, fn(u8) -> bool) = match bytes[1] {
            b'x' | b'X' => (16, |b| b.is_ascii_hexdigit()),
            b'o' | b'O' => (8, |b| (b'0'..=b'7').contains(&b)),
            b'b' | b'B' => (2, |b| b == b'0' || b == b'1'),
            _ => (10, |b| b.is_ascii_digit()),
        };
        if radix != 10 {
            let skip = 2 + usize::from(bytes[2] == b'_');
            let length = digits(&rest[skip..], accept);
            if length > 0 {
                let clean = rest[skip..skip + length].replace('_', "");
                return i128::from_str_radix(&clean, radix).ok().map(|n| (Tok::Int(n), skip + length));
            }
        }
    }
    let is_digit: fn(u8) -> bool = |b| b.is_ascii_digit();
    let whole = digits(rest, is_digit);
    let mut end = whole;
    let mut float = false;
    if rest[end..].starts_with('.') {
        let fraction = digits(&rest[end + 1..], is_digit);
        if fraction > 0 {
            end += 1 + fraction;
            float = true;
        }
    }
    if rest[end..].starts_with(['e', 'E']) {
        let signed = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&rest[end + 1 + signed..], is_digit);
        if exponent > 0 {
            end += 1 + signed + exponent;
            float = true;
        }
    }
    let clean = rest[..end].replace('_', "");
    if float {
        clean.parse().ok().map(|n| (Tok::Float(n), end))
    } else {
        clean.parse().ok().map(|n| (Tok::Int(n), end))
    }
}

/// Length of a string literal with its quotes, if it is closed.
fn string_end(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let quote = bytes[0];
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b if b == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

fn unescape(text: &str) -> Result<String, String> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(c) = chars.next() else { break };
        let width = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        if width > 0 {
            let hex: String = (0..width).filter_map(|_| chars.next_if(char::is_ascii_hexdigit)).collect();
            let decoded =
                u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == width).and_then(char::from_u32);
            out.push(decoded.ok_or_else(|| format!("truncated \\{c} escape"))?);
            continue;
        }
        match c {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            '\n' => {}
            '0'..='7' => {
                let mut value = c as u32 - '0' as u32;
                for _ in 0..2 {
                    if let Some(d) = chars.next_if(|d| ('0'..='7').contains(d)) {
                        value = value * 8 + (d as u32 - '0' as u32);
                    }
                }
                out.push(char::from_u32(value).unwrap_or('\u{fffd}'));
            }
            '\\' | '\'' | '"' => out.push(c),
            'N' => {
                let name: String =
                    chars.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                out.push(named(&name).ok_or("unknown Unicode character name")?);
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    Ok(out)
}

/// The few character names templates are known to use.
fn named(name: &str) -> Option<char> {
    const DIGITS: [&str; 10] =
        ["ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"];
    if let Some(digit) = name.strip_prefix("DIGIT ") {
        let at = DIGITS.iter().position(|d| *d == digit)?;
        return char::from_digit(u32::try_from(at).ok()?, 10);
    }
    match name {
        "SPACE" => Some(' '),
        "NO-BREAK SPACE" => Some('\u{a0}'),
        "EN DASH" => Some('–'),
        "EM DASH" => Some('—'),
        "EURO SIGN" => Some('€'),
        "BULLET" => Some('•'),
        _ => None,
    }
}
