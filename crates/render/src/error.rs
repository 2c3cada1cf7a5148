//! What can go wrong with a template, with the place where it went wrong.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// The kind of an error, so that a caller can tell a mistake in the text of a template from one in what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The template cannot be parsed, or names a filter or test that does not exist.
    Syntax,
    /// The template was running when it failed.
    Runtime,
    /// The template used more steps, output or depth than the limits allow.
    Limit,
}

/// A place in a template: its loader name (`<template>` for the outermost) and a line, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Loader name, such as `configuration::footer`.
    pub template: String,
    /// Line from 1; 0 if unknown.
    pub line: usize,
    /// What stands in tags on that line: text and literals, which may be passwords, are left out.
    pub text: String,
}

/// A line of a template with `…` for what stands outside of tags, in comments and in quotes.
pub(crate) fn without_literals(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.trim();
    while let Some(at) = rest.find('{') {
        let (before, tag) = rest.split_at(at);
        let end = match tag.as_bytes().get(1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                // A brace of the text: what stands before it is left out together with it.
                leave_out(&mut out, &rest[..=at]);
                rest = &tag[1..];
                continue;
            }
        };
        leave_out(&mut out, before);
        if end == "#}" {
            let length = tag.find(end).map_or(tag.len(), |at| at + end.len());
            leave_out(&mut out, &tag[..length]);
            rest = &tag[length..];
        } else {
            rest = tag_into(&mut out, tag, end);
        }
    }
    leave_out(&mut out, rest);
    out
}

/// `…` for a text, with the blanks at its ends.
fn leave_out(out: &mut String, text: &str) {
    let inner = text.trim();
    if inner.is_empty() {
        out.push_str(text);
        return;
    }
    let start = text.len() - text.trim_start().len();
    if !out.ends_with('…') {
        out.push_str(&text[..start]);
        out.push('…');
    }
    out.push_str(&text[start + inner.len()..]);
}

/// The tag that a text begins with, and what comes after it.
fn tag_into<'a>(out: &mut String, text: &'a str, end: &str) -> &'a str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) => {
                if c == open && !escaped {
                    out.push(c);
                    quote = None;
                }
                escaped = c == '\\' && !escaped;
            }
            None if at > 1 && text[at..].starts_with(end) => {
                out.push_str(end);
                return &text[at + end.len()..];
            }
            None => {
                out.push(c);
                if matches!(c, '"' | '\'') {
                    out.push('…');
                    quote = Some(c);
                }
            }
        }
    }
    ""
}

/// Why a template gave no result. It is never mixed with rendered text.
#[derive(Debug, Clone)]
pub struct TemplateError {
    /// Parsing, running, or a limit.
    pub kind: ErrorKind,
    /// The class Jinja2 or Python gives such an error, such as `TypeError`.
    pub class: String,
    /// What is wrong, in Jinja2's words where it has some.
    pub message: String,
    /// Where: outermost template first, the place of the error last.
    pub frames: Vec<Frame>,
}

impl TemplateError {
    /// The innermost place, where the error arose.
    pub fn place(&self) -> Option<&Frame> {
        self.frames.last()
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "template {}, line {}", place.template, place.line)?;
            if !place.text.is_empty() {
                write!(f, " (`{}`)", place.text)?;
            }
            f.write_str(": ")?;
        }
        match (self.message.as_str(), self.class.rsplit('.').next()) {
            ("", _) => f.write_str(&self.class),
            // Jinja2 says no more than the name.
            (name, Some("TemplateNotFound")) => {
                write!(f, "there is no stored template {name:?} of this kind")
            }
            (message, _) => f.write_str(message),
        }
    }
}

impl std::error::Error for TemplateError {}

/// An error on its way up, without its place.
#[derive(Debug, Clone)]
pub(crate) struct Fault(pub(crate) Box<FaultInner>);

#[derive(Debug, Clone)]
pub(crate) struct FaultInner {
    pub(crate) kind: ErrorKind,
    pub(crate) class: Arc<str>,
    pub(crate) message: String,
    /// Template and line, innermost first.
    pub(crate) frames: Vec<(Rc<str>, usize)>,
    /// The template or macro now being left has its frame.
    pub(crate) placed: bool,
}

/// Result of everything inside the engine.
pub(crate) type Res<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(class: &str, message: impl Into<String>) -> Self {
        Self(Box::new(FaultInner {
            kind: ErrorKind::Runtime,
            class: class.into(),
            message: message.into(),
            frames: Vec::new(),
            placed: false,
        }))
    }
    pub(crate) fn syntax(template: &Rc<str>, line: usize, message: impl Into<String>) -> Self {
        let mut fault = Self::new("jinja2.exceptions.TemplateSyntaxError", message);
        fault.0.kind = ErrorKind::Syntax;
        fault.0.frames.push((template.clone(), line));
        fault
    }
    /// Notes the line of a statement, unless one inside it was noted.
    pub(crate) fn at(mut self, template: &Rc<str>, line: usize) -> Self {
        if !self.0.placed {
            self.0.placed = true;
            self.0.frames.push((template.clone(), line));
        }
        self
    }
    /// Leaves a template, macro or block: what called it gets a frame of its own.
    pub(crate) fn leave(mut self) -> Self {
        self.0.placed = false;
        self
    }
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        let mut fault = Self::new("LimitExceeded", message);
        fault.0.kind = ErrorKind::Limit;
        fault
    }
    pub(crate) fn type_error(message: impl Into<String>) -> Self {
        Self::new("TypeError", message)
    }
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new("ValueError", message)
    }
    pub(crate) fn attribute(message: impl Into<String>) -> Self {
        Self::new("AttributeError", message)
    }
    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::new("jinja2.exceptions.UndefinedError", message)
    }
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self::new("jinja2.exceptions.TemplateRuntimeError", message)
    }
    pub(crate) fn security(message: impl Into<String>) -> Self {
        Self::new("jinja2.exceptions.SecurityError", message)
    }
}

#[cfg(test)]
mod tests {
    use super::without_literals;

    #[test]
    fn of_a_line_only_what_its_tags_say_is_shown() {
        for (line, shown) in [
            ("  snmp-server community S3cret {{ local_as.nmae }}", "… {{ local_as.nmae }}"),
            ("{{ router.name }} password S3cret;", "{{ router.name }} …"),
            ("{% set word = 'S3cr\\'et' + \"S3\" -%} x", "{% set word = '…' + \"…\" -%} …"),
            ("{# S3cret #}{% if a %}b{% endif %}", "…{% if a %}…{% endif %}"),
            ("a { password S3cret; } {{ x }}", "… {{ x }}"),
            ("{\"routing_key\": \"S3cret\", \"x\": {{ y }}}", "… {{ y }}…"),
            ("{% set word = 'S3cret", "{% set word = '…"),
            ("S3cret' %}", "…"),
            ("{", "…"),
            ("{{ é }}", "{{ é }}"),
            ("", ""),
        ] {
            assert_eq!(without_literals(line), shown);
        }
    }
}
