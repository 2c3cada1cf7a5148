//! From tokens to the tree: statements. Expressions are in `expression.rs`.

use std::rc::Rc;

use crate::ast::{Block, CallArgs, Expr, FilterCall, ForLoop, MacroDef, Stmt, StmtKind, Target, Template};
use crate::error::{Fault, Res};
use crate::lexer::{Tok, Token, normalise, tokenize};
use crate::names;
use crate::value::Value;

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
    extensions: Extensions,
    tags: Vec<String>,
    ends: Vec<Vec<&'static str>>,
    blocks: Vec<Rc<Block>>,
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
    fn wrong<T>(&self, line: usize, message: impl Into<String>) -> Res<T> {
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
    fn expected<T>(&self, what: &str) -> Res<T> {
        if *self.peek() == Tok::Eof {
            return self.fail(format!("unexpected end of template, expected '{what}'."));
        }
        self.fail(format!("expected token '{what}', got {}", crate::repr::string(&self.peek().describe())))
    }
    pub(crate) fn expect_op(&mut self, op: &'static str) -> Res<()> {
        if self.skip_op(op) { Ok(()) } else { self.expected(op) }
    }
    fn expect_word(&mut self, word: &str) -> Res<()> {
        if self.skip_name(word) { Ok(()) } else { self.expected(word) }
    }
    pub(crate) fn expect_name(&mut self) -> Res<Rc<str>> {
        let Tok::Name(name) = self.peek().clone() else { return self.expected("name") };
        self.next();
        Ok(name)
    }
    fn expect_block_end(&mut self) -> Res<()> {
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

    /// Statements up to one of `ends`; the end tag's name is left as the next token.
    fn statements(&mut self, ends: &[&'static str]) -> Res<Vec<Stmt>> {
        self.deeper()?;
        if !ends.is_empty() {
            self.ends.push(ends.to_vec());
        }
        let mut body = Vec::new();
        loop {
            let line = self.line();
            match self.peek().clone() {
                Tok::Data(text) => {
                    self.next();
                    body.push(Stmt { line, kind: StmtKind::Text(text) });
                }
                Tok::VarBegin => {
                    self.next();
                    let line = self.line();
                    let expr = self.tuple(true)?;
                    if *self.peek() != Tok::VarEnd {
                        return self.expected("end of print statement");
                    }
                    self.next();
                    body.push(Stmt { line, kind: StmtKind::Print(expr) });
                }
                Tok::BlockBegin => {
                    self.next();
                    if let Tok::Name(name) = self.peek()
                        && ends.contains(&&**name)
                    {
                        break;
                    }
                    if let Some(stmt) = self.statement()? {
                        body.push(stmt);
                    }
                }
                _ => {
                    if !ends.is_empty() {
                        return self.unknown_tag(None, self.line());
                    }
                    break;
                }
            }
        }
        if !ends.is_empty() {
            self.ends.pop();
        }
        self.shallower();
        Ok(body)
    }

    /// A body that ends with `{% end %}`, end tag included.
    fn body(&mut self, end: &'static str) -> Res<Vec<Stmt>> {
        self.expect_block_end_after_head()?;
        let body = self.statements(&[end])?;
        self.next();
        Ok(body)
    }

    fn expect_block_end_after_head(&mut self) -> Res<()> {
        self.skip_op(":");
        self.expect_block_end()
    }

    fn unknown_tag<T>(&self, name: Option<&str>, line: usize) -> Res<T> {
        let mut parts = vec![match name {
            None => "Unexpected end of template.".to_owned(),
            Some(name) => format!("Encountered unknown tag '{name}'."),
        }];
        let all: Vec<&str> = self.ends.iter().flatten().copied().collect();
        if let Some(current) = self.ends.last() {
            let looking: Vec<String> = current.iter().map(|end| format!("'{end}'")).collect();
            let looking = looking.join(" or ");
            parts.push(if name.is_some_and(|name| all.contains(&name)) {
                format!("You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}.")
            } else {
                format!("Jinja was looking for the following tags: {looking}.")
            });
        }
        if let Some(tag) = self.tags.last() {
            parts.push(format!("The innermost block that needs to be closed is '{tag}'."));
        }
        self.fail_at(line, parts.join(" "))
    }

    fn statement(&mut self) -> Res<Option<Stmt>> {
        let line = self.line();
        let Tok::Name(tag) = self.peek().clone() else {
            return self.fail("tag name expected");
        };
        self.tags.push(tag.to_string());
        let stmt = self.tag(&tag, line);
        let stmt = stmt?;
        self.tags.pop();
        // The tags with a body have read their end tag's name; what is left is its end mark.
        self.expect_block_end()?;
        Ok(stmt.map(|kind| Stmt { line, kind }))
    }

    fn tag(&mut self, tag: &str, line: usize) -> Res<Option<StmtKind>> {
        if self.plain_tag(tag) {
            self.next();
        }
        let kind = match tag {
            "for" => self.for_tag()?,
            "if" => self.if_tag()?,
            "set" => self.set_tag()?,
            "with" => self.with_tag()?,
            "filter" => {
                let filters = self.filter_chain()?;
                StmtKind::FilterBlock(filters, self.body("endfilter")?)
            }
            "autoescape" => {
                let value = self.expression(true)?;
                StmtKind::Autoescape(value, self.body("endautoescape")?)
            }
            "macro" => {
                let name = self.expect_name()?;
                StmtKind::Macro(Rc::new(self.macro_rest(Some(name), "endmacro")?))
            }
            "call" => self.call_tag()?,
            "block" => self.block_tag(line)?,
            "extends" => StmtKind::Extends(self.expression(true)?),
            "include" => self.include_tag()?,
            "import" => self.import_tag()?,
            "from" => self.import_names_tag(None)?,
            "print" => {
                let mut parts = vec![self.expression(true)?];
                while self.skip_op(",") {
                    parts.push(self.expression(true)?);
                }
                StmtKind::PrintAll(parts)
            }
            "do" if self.extensions.do_tag => StmtKind::Do(self.tuple(true)?),
            "break" if self.extensions.loop_controls => StmtKind::Break,
            "continue" if self.extensions.loop_controls => StmtKind::Continue,
            _ => {
                if let Some(kind) = self.store_tag(tag)? {
                    kind
                } else {
                    self.tags.pop();
                    return self.unknown_tag(Some(tag), line);
                }
            }
        };
        Ok(Some(kind))
    }

    fn plain_tag(&self, tag: &str) -> bool {
        matches!(
            tag,
            "for"
                | "if"
                | "set"
                | "with"
                | "filter"
                | "autoescape"
                | "macro"
                | "call"
                | "block"
                | "extends"
                | "include"
                | "import"
                | "from"
                | "print"
        ) || (tag == "do" && self.extensions.do_tag)
            || (matches!(tag, "break" | "continue") && self.extensions.loop_controls)
            || store_kind(tag).is_some()
    }

    /// `include_configuration` and its kin: the kind is part of the tag, the rest is a literal name.
    fn store_tag(&mut self, tag: &str) -> Res<Option<StmtKind>> {
        let Some((verb, kind)) = store_kind(tag) else { return Ok(None) };
        if verb == "from" {
            return self.import_names_tag(Some(kind)).map(Some);
        }
        let template = self.store_name(kind, verb == "import")?;
        if verb == "import" {
            self.expect_word("as")?;
            let target = self.expect_name()?;
            let with_context = self.with_context(false);
            return Ok(Some(StmtKind::Import { template, target, with_context }));
        }
        Ok(Some(StmtKind::Include { template, ignore_missing: false, with_context: true }))
    }

    /// The loader's name of what the tag names; `import` takes a template as it is written.
    fn store_name(&mut self, kind: &str, import: bool) -> Res<Expr> {
        let identifier = match self.expression(true)? {
            Expr::Name(name) => name.to_string(),
            Expr::Const(value) => crate::repr::display_plain(&value),
            Expr::Filter(_, call) | Expr::Test(_, call) => call.name.to_string(),
            _ => String::new(),
        };
        let written = if import && kind == "exporttemplate" { ".raw" } else { "" };
        Ok(Expr::Const(Value::str(&format!("{kind}{written}::{identifier}"))))
    }

    fn for_tag(&mut self) -> Res<StmtKind> {
        let target = self.target(&["in"])?;
        self.expect_word("in")?;
        let iter = self.tuple_until_recursive()?;
        let test = if self.skip_name("if") { Some(self.expression(true)?) } else { None };
        let recursive = self.skip_name("recursive");
        self.expect_block_end_after_head()?;
        let soft = std::mem::replace(&mut self.soft, false);
        let body = self.statements(&["endfor", "else"])?;
        let mut otherwise = Vec::new();
        if self.skip_name("else") {
            self.expect_block_end_after_head()?;
            otherwise = self.statements(&["endfor"])?;
        }
        self.soft = soft;
        self.next();
        Ok(StmtKind::For(Box::new(ForLoop { target, iter, test, body: body.into(), otherwise, recursive })))
    }

    fn if_tag(&mut self) -> Res<StmtKind> {
        let soft = std::mem::replace(&mut self.soft, true);
        let mut arms = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let test = self.tuple(false)?;
            self.expect_block_end_after_head()?;
            let body = self.statements(&["elif", "else", "endif"])?;
            arms.push((test, body));
            if self.skip_name("elif") {
                continue;
            }
            if self.skip_name("else") {
                self.expect_block_end_after_head()?;
                otherwise = self.statements(&["endif"])?;
            }
            self.next();
            break;
        }
        self.soft = soft;
        Ok(StmtKind::If(arms, otherwise))
    }

    fn set_tag(&mut self) -> Res<StmtKind> {
        let target = self.target(&[])?;
        if self.skip_op("=") {
            return Ok(StmtKind::Set(target, self.tuple(true)?));
        }
        let filters = if self.skip_op("|") { self.filter_chain()? } else { Vec::new() };
        Ok(StmtKind::SetBlock(target, filters, self.body("endset")?))
    }

    fn with_tag(&mut self) -> Res<StmtKind> {
        let mut values = Vec::new();
        while *self.peek() != Tok::BlockEnd {
            if !values.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.target(&[])?;
            self.expect_op("=")?;
            values.push((target, self.expression(true)?));
        }
        Ok(StmtKind::With(values, self.body("endwith")?))
    }

    fn filter_chain(&mut self) -> Res<Vec<FilterCall>> {
        let mut chain = vec![self.filter_call()?];
        while self.skip_op("|") {
            chain.push(self.filter_call()?);
        }
        Ok(chain)
    }

    fn macro_rest(&mut self, name: Option<Rc<str>>, end: &'static str) -> Res<MacroDef> {
        let mut args = Vec::new();
        let mut defaults = Vec::new();
        if name.is_some() || self.is_op("(") {
            self.expect_op("(")?;
            while !self.skip_op(")") {
                if !args.is_empty() {
                    self.expect_op(",")?;
                }
                let arg = self.expect_name()?;
                if self.skip_op("=") {
                    defaults.push(self.expression(true)?);
                } else if !defaults.is_empty() {
                    return self.fail("non-default argument follows default argument");
                }
                args.push(arg);
            }
        }
        self.finish_macro(name, args, defaults, end)
    }

    fn finish_macro(
        &mut self,
        name: Option<Rc<str>>,
        args: Vec<Rc<str>>,
        defaults: Vec<Expr>,
        end: &'static str,
    ) -> Res<MacroDef> {
        if name.is_some() {
            return self.macro_body(name, args, defaults, end);
        }
        // `call(args) target(…)`: the call stands between the arguments and the body.
        self.macro_body(None, args, defaults, end)
    }

    fn macro_body(
        &mut self,
        name: Option<Rc<str>>,
        args: Vec<Rc<str>>,
        defaults: Vec<Expr>,
        end: &'static str,
    ) -> Res<MacroDef> {
        let outer = std::mem::take(&mut self.special);
        let soft = std::mem::replace(&mut self.soft, false);
        let body = self.body(end)?;
        self.soft = soft;
        let [uses_caller, uses_kwargs, uses_varargs] = std::mem::replace(&mut self.special, outer);
        Ok(MacroDef {
            name,
            args,
            defaults,
            body,
            uses_caller,
            uses_varargs,
            uses_kwargs,
            template: self.name.clone(),
        })
    }

    fn call_tag(&mut self) -> Res<StmtKind> {
        let mut args = Vec::new();
        let mut defaults = Vec::new();
        if self.skip_op("(") {
            while !self.skip_op(")") {
                if !args.is_empty() {
                    self.expect_op(",")?;
                }
                args.push(self.expect_name()?);
                if self.skip_op("=") {
                    defaults.push(self.expression(true)?);
                }
            }
        }
        let line = self.line();
        let call = self.expression(true)?;
        if !matches!(call, Expr::Call(..)) {
            return self.fail_at(line, "expected call");
        }
        let body = self.macro_body(None, args, defaults, "endcall")?;
        Ok(StmtKind::Call(Box::new(call), Rc::new(body)))
    }

    fn block_tag(&mut self, line: usize) -> Res<StmtKind> {
        let name = self.expect_name()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if self.is_op("-") {
            return self.fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
        }
        let soft = std::mem::replace(&mut self.soft, false);
        let body = self.body("endblock")?;
        self.soft = soft;
        self.skip_name(&name);
        if self.blocks.iter().any(|block| block.name == name) {
            return self.wrong(line, format!("block '{name}' defined twice"));
        }
        let block = Rc::new(Block { name, body, scoped, required, line, template: self.name.clone() });
        self.blocks.push(block.clone());
        Ok(StmtKind::Block(block))
    }

    fn with_context(&mut self, default: bool) -> bool {
        let with = self.is_name("with");
        if (with || self.is_name("without"))
            && matches!(self.peek_second(), Tok::Name(word) if &**word == "context")
        {
            self.next();
            self.next();
            return with;
        }
        default
    }

    fn include_tag(&mut self) -> Res<StmtKind> {
        let template = self.expression(true)?;
        let ignore_missing =
            self.is_name("ignore") && matches!(self.peek_second(), Tok::Name(word) if &**word == "missing");
        if ignore_missing {
            self.next();
            self.next();
        }
        let with_context = self.with_context(true);
        Ok(StmtKind::Include { template, ignore_missing, with_context })
    }

    fn import_tag(&mut self) -> Res<StmtKind> {
        let template = self.expression(true)?;
        self.expect_word("as")?;
        let target = self.expect_name()?;
        let with_context = self.with_context(false);
        Ok(StmtKind::Import { template, target, with_context })
    }

    fn import_names_tag(&mut self, kind: Option<&str>) -> Res<StmtKind> {
        let template = match kind {
            None => self.expression(true)?,
            Some(kind) => self.store_name(kind, true)?,
        };
        self.expect_word("import")?;
        let mut names = Vec::new();
        let mut with_context = false;
        loop {
            if !names.is_empty() && !self.skip_op(",") {
                with_context = self.with_context(false);
                break;
            }
            if self.is_name("with") || self.is_name("without") {
                let default = self.with_context(false);
                with_context = default;
                break;
            }
            if *self.peek() == Tok::BlockEnd && !names.is_empty() {
                break;
            }
            let name = self.expect_name()?;
            if name.starts_with('_') {
                return self.wrong(self.line(), "names starting with an underline can not be imported");
            }
            let alias = if self.skip_name("as") { self.expect_name()? } else { name.clone() };
            names.push((name, alias));
        }
        Ok(StmtKind::FromImport { template, names, with_context })
    }

    /// What stands on the left of an assignment.
    fn target(&mut self, ends: &[&str]) -> Res<Target> {
        if *self.peek() == Tok::BlockEnd {
            return self.fail("Expected an expression, got 'end of statement block'");
        }
        let mut parts = Vec::new();
        let mut comma = false;
        loop {
            if !parts.is_empty()
                && (matches!(self.peek(), Tok::Name(n) if ends.contains(&&**n)) || self.is_op("="))
            {
                break;
            }
            parts.push(self.target_part()?);
            if !self.skip_op(",") {
                break;
            }
            comma = true;
        }
        match parts.len() {
            1 if !comma => Ok(parts.remove(0)),
            _ => Ok(Target::Tuple(parts)),
        }
    }

    fn target_part(&mut self) -> Res<Target> {
        if self.skip_op("(") {
            let inner = self.target(&[])?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        let line = self.line();
        let name = match self.peek().clone() {
            Tok::Name(name) => name,
            Tok::Str(_) | Tok::Int(_) | Tok::Float(_) => return self.fail("can't assign to 'const'"),
            other => return self.fail(format!("unexpected {}", crate::repr::string(&other.describe()))),
        };
        self.next();
        if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
            return self.fail_at(line, "can't assign to 'const'");
        }
        if self.skip_op(".") {
            let attr = self.expect_name()?;
            return Ok(Target::Attr(name, attr));
        }
        Ok(Target::Name(name))
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

/// `include_configuration` → (`include`, `configuration`).
fn store_kind(tag: &str) -> Option<(&str, &str)> {
    let (verb, kind) = tag.split_once('_')?;
    (matches!(verb, "include" | "import" | "from")
        && matches!(kind, "configuration" | "email" | "exporttemplate"))
    .then_some((verb, kind))
}
