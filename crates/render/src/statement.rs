//! From tokens to the tree: statements, and the tags by which a template branches, repeats and assigns.

use std::rc::Rc;

use crate::ast::{FilterCall, ForLoop, Stmt, StmtKind, Target};
use crate::error::Res;
use crate::inclusion::store_kind;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser {
    /// Statements up to one of `ends`; the end tag's name is left as the next token.
    pub(crate) fn statements(&mut self, ends: &[&'static str]) -> Res<Vec<Stmt>> {
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
    pub(crate) fn body(&mut self, end: &'static str) -> Res<Vec<Stmt>> {
        self.expect_block_end_after_head()?;
        let body = self.statements(&[end])?;
        self.next();
        Ok(body)
    }

    pub(crate) fn expect_block_end_after_head(&mut self) -> Res<()> {
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
}
