//! From tokens to the tree: macros, calls with a body, and blocks.

use std::rc::Rc;

use crate::ast::{Block, Expr, MacroDef, StmtKind};
use crate::error::Res;
use crate::parser::Parser;

impl Parser {
    pub(crate) fn macro_rest(&mut self, name: Option<Rc<str>>, end: &'static str) -> Res<MacroDef> {
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
        self.macro_body(name, args, defaults, end)
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

    pub(crate) fn call_tag(&mut self) -> Res<StmtKind> {
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

    pub(crate) fn block_tag(&mut self, line: usize) -> Res<StmtKind> {
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
}
