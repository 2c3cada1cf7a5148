//! From tokens to the tree: the tokens, one by one. What they make is in `statement.rs`, `definition.rs`, `inclusion.rs` and
//! `expression.rs`.

use std::rc::Rc;

use crate::ast::{Block, CallArgs, Template};
use crate::error::{Fault, Res};
use crate::lexer::{Tok, Token, normalise, tokenize};
use crate::names;

/// Which optional tags are switched on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extensions {
    pub(crate) do_tag: bool,
    pub(crate) loop_controls: bool,
}

/// How a source is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    pub(crate) trim: bool,
    pub(crate) lstrip: bool,
    pub(crate) extensions: Extensions,
}

pub(crate) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    pub(crate) name: Rc<str>,
    pub(crate) extensions: Extensions,
    pub(crate) tags: Vec<String>,
    pub(crate) ends: Vec<Vec<&'static str>>,
    pub(crate) blocks: Vec<Rc<Block>>,
    /// Inside an `if`, where an unknown filter is an error only when it is reached.
    pub(crate) soft: bool,
    /// Filters and tests may have any name: somebody else looks at them.
    lax: bool,
    /// Names of the three that a macro may ask for, seen in its body.
    pub(crate) special: [bool; 3],
    depth: usize,
}

const MAX_DEPTH: usize = 60;

/// Parses a template.
pub(crate) fn parse(name: &Rc<str>, source: &str, flags: Flags) -> Res<Template> {
    parsed(name, source, flags, false)
}

/// Parses a template, whatever its filters and tests are called.
pub(crate) fn parse_lax(name: &Rc<str>, source: &str, flags: Flags) -> Res<Template> {
    parsed(name, source, flags, true)
}

fn parsed(name: &Rc<str>, source: &str, flags: Flags, lax: bool) -> Res<Template> {
    let source = normalise(source);
    let tokens = tokenize(&source, name, flags.trim, flags.lstrip)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        name: name.clone(),
        extensions: flags.extensions,
        tags: Vec::new(),
        ends: Vec::new(),
        blocks: Vec::new(),
        soft: false,
        lax,
        special: [false; 3],
        depth: 0,
    };
    let body = parser.statements(&[])?;
    Ok(Template { name: name.clone(), source: source.into(), body, blocks: parser.blocks })
}

impl Parser {
    pub(crate) fn peek(&self) -> &Tok {
        &self.tokens[self.at].tok
    }
    pub(crate) fn peek_second(&self) -> &Tok {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].tok
    }
    pub(crate) fn line(&self) -> usize {
        self.tokens[self.at].line
    }
    pub(crate) fn next(&mut self) -> Tok {
        let tok = self.tokens[self.at].tok.clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        tok
    }
    pub(crate) fn fail<T>(&self, message: impl Into<String>) -> Res<T> {
        self.fail_at(self.line(), message)
    }
    pub(crate) fn fail_at<T>(&self, line: usize, message: impl Into<String>) -> Res<T> {
        Err(Fault::syntax(&self.name, line, message))
    }
    /// What is written well, but cannot be meant.
    pub(crate) fn wrong<T>(&self, line: usize, message: impl Into<String>) -> Res<T> {
        let mut fault = Fault::syntax(&self.name, line, message);
        fault.0.class = "jinja2.exceptions.TemplateAssertionError".into();
        Err(fault)
    }
    pub(crate) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Tok::Op(found) if *found == op)
    }
    pub(crate) fn skip_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        if found {
            self.next();
        }
        found
    }
    pub(crate) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Tok::Name(found) if &**found == name)
    }
    pub(crate) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        if found {
            self.next();
        }
        found
    }
    pub(crate) fn expected<T>(&self, what: &str) -> Res<T> {
        if *self.peek() == Tok::Eof {
            return self.fail(format!("unexpected end of template, expected '{what}'."));
        }
        self.fail(format!("expected token '{what}', got {}", crate::repr::string(&self.peek().describe())))
    }
    pub(crate) fn expect_op(&mut self, op: &'static str) -> Res<()> {
        if self.skip_op(op) { Ok(()) } else { self.expected(op) }
    }
    pub(crate) fn expect_word(&mut self, word: &str) -> Res<()> {
        if self.skip_name(word) { Ok(()) } else { self.expected(word) }
    }
    pub(crate) fn expect_name(&mut self) -> Res<Rc<str>> {
        let Tok::Name(name) = self.peek().clone() else { return self.expected("name") };
        self.next();
        Ok(name)
    }
    pub(crate) fn expect_block_end(&mut self) -> Res<()> {
        if *self.peek() != Tok::BlockEnd {
            return self.expected("end of statement block");
        }
        self.next();
        Ok(())
    }
    pub(crate) fn deeper(&mut self) -> Res<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fail("the template is nested too deeply") } else { Ok(()) }
    }
    pub(crate) fn shallower(&mut self) {
        self.depth -= 1;
    }

    pub(crate) fn check_name(&self, kind: names::Kind, name: &str, line: usize) -> Res<()> {
        if self.soft || self.lax || names::exists(kind, name) {
            return Ok(());
        }
        let word = if kind == names::Kind::Filter { "filter" } else { "test" };
        self.wrong(line, format!("No {word} named '{name}'."))
    }

    pub(crate) fn empty_args() -> CallArgs {
        CallArgs::default()
    }
}
