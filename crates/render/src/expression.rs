//! From tokens to the tree: expressions.

use std::rc::Rc;

use crate::ast::{BinOp, CallArgs, CmpOp, Expr, FilterCall};
use crate::error::Res;
use crate::lexer::Tok;
use crate::names;
use crate::parser::Parser;
use crate::value::Value;

impl Parser {
    pub(crate) fn expression(&mut self, with_condition: bool) -> Res<Expr> {
        self.deeper()?;
        let expr = if with_condition { self.condition() } else { self.or() };
        self.shallower();
        expr
    }

    fn condition(&mut self) -> Res<Expr> {
        let mut expr = self.or()?;
        while self.skip_name("if") {
            let soft = std::mem::replace(&mut self.soft, true);
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(Box::new(self.condition()?)) } else { None };
            self.soft = soft;
            expr = Expr::Cond(Box::new(test), Box::new(expr), otherwise);
        }
        Ok(expr)
    }

    fn or(&mut self) -> Res<Expr> {
        let mut left = self.and()?;
        while self.skip_name("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Res<Expr> {
        let mut left = self.not()?;
        while self.skip_name("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Res<Expr> {
        if self.is_name("not") {
            self.next();
            self.deeper()?;
            let inner = self.not()?;
            self.shallower();
            return Ok(Expr::Not(Box::new(inner)));
        }
        self.compare()
    }

    fn compare(&mut self) -> Res<Expr> {
        let left = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let op = match self.peek() {
                Tok::Op("==") => CmpOp::Eq,
                Tok::Op("!=") => CmpOp::Ne,
                Tok::Op("<") => CmpOp::Lt,
                Tok::Op("<=") => CmpOp::Le,
                Tok::Op(">") => CmpOp::Gt,
                Tok::Op(">=") => CmpOp::Ge,
                Tok::Name(name) if &**name == "in" => CmpOp::In,
                Tok::Name(name)
                    if &**name == "not" && matches!(self.peek_second(), Tok::Name(n) if &**n == "in") =>
                {
                    self.next();
                    CmpOp::NotIn
                }
                _ => break,
            };
            self.next();
            rest.push((op, self.sum()?));
        }
        Ok(if rest.is_empty() { left } else { Expr::Compare(Box::new(left), rest) })
    }

    fn sum(&mut self) -> Res<Expr> {
        let mut left = self.concat()?;
        loop {
            let op = match self.peek() {
                Tok::Op("+") => BinOp::Add,
                Tok::Op("-") => BinOp::Sub,
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Bin(op, Box::new(left), Box::new(self.concat()?));
        }
    }

    fn concat(&mut self) -> Res<Expr> {
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        Ok(Expr::Concat(parts))
    }

    fn product(&mut self) -> Res<Expr> {
        let mut left = self.power()?;
        loop {
            let op = match self.peek() {
                Tok::Op("*") => BinOp::Mul,
                Tok::Op("/") => BinOp::Div,
                Tok::Op("//") => BinOp::FloorDiv,
                Tok::Op("%") => BinOp::Mod,
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Bin(op, Box::new(left), Box::new(self.power()?));
        }
    }

    fn power(&mut self) -> Res<Expr> {
        let mut left = self.unary(true)?;
        while self.skip_op("**") {
            left = Expr::Bin(BinOp::Pow, Box::new(left), Box::new(self.unary(true)?));
        }
        Ok(left)
    }

    fn unary(&mut self, with_filter: bool) -> Res<Expr> {
        self.deeper()?;
        let mut node = if self.skip_op("-") {
            Expr::Neg(Box::new(self.unary(false)?))
        } else if self.skip_op("+") {
            Expr::Pos(Box::new(self.unary(false)?))
        } else {
            self.primary()?
        };
        node = self.postfix(node)?;
        if with_filter {
            node = self.filters(node)?;
        }
        self.shallower();
        Ok(node)
    }

    fn primary(&mut self) -> Res<Expr> {
        match self.peek().clone() {
            Tok::Name(name) => {
                self.next();
                Ok(match &*name {
                    "true" | "True" => Expr::Const(Value::Bool(true)),
                    "false" | "False" => Expr::Const(Value::Bool(false)),
                    "none" | "None" => Expr::Const(Value::None),
                    _ => {
                        for (at, word) in ["caller", "kwargs", "varargs"].iter().enumerate() {
                            self.special[at] |= **word == *name;
                        }
                        Expr::Name(name)
                    }
                })
            }
            Tok::Str(text) => {
                self.next();
                let mut joined = text.to_string();
                while let Tok::Str(more) = self.peek().clone() {
                    joined.push_str(&more);
                    self.next();
                }
                Ok(Expr::Const(Value::str(&joined)))
            }
            Tok::Int(number) => {
                self.next();
                Ok(Expr::Const(Value::Int(number)))
            }
            Tok::Float(number) => {
                self.next();
                Ok(Expr::Const(Value::Float(number)))
            }
            Tok::Op("(") => {
                self.next();
                let inner = self.tuple_in_parens()?;
                self.expect_op(")")?;
                Ok(inner)
            }
            Tok::Op("[") => {
                self.next();
                let mut items = Vec::new();
                while !self.is_op("]") {
                    if !items.is_empty() {
                        self.expect_op(",")?;
                    }
                    if self.is_op("]") {
                        break;
                    }
                    items.push(self.expression(true)?);
                }
                self.expect_op("]")?;
                Ok(Expr::List(items))
            }
            Tok::Op("{") => self.dict(),
            other => self.fail(format!("unexpected {}", crate::repr::string(&other.describe()))),
        }
    }

    fn dict(&mut self) -> Res<Expr> {
        self.next();
        let mut items = Vec::new();
        while !self.is_op("}") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("}") {
                break;
            }
            let key = self.expression(true)?;
            self.expect_op(":")?;
            items.push((key, self.expression(true)?));
        }
        self.expect_op("}")?;
        Ok(Expr::Dict(items))
    }

    fn tuple_in_parens(&mut self) -> Res<Expr> {
        self.tuple_parts(true, true, &[])
    }

    /// `a, b` as a tuple, `a` as itself.
    pub(crate) fn tuple(&mut self, with_condition: bool) -> Res<Expr> {
        self.tuple_parts(with_condition, false, &[])
    }

    pub(crate) fn tuple_until_recursive(&mut self) -> Res<Expr> {
        self.tuple_parts(false, false, &["recursive"])
    }

    fn tuple_parts(&mut self, with_condition: bool, parens: bool, ends: &[&str]) -> Res<Expr> {
        let mut parts = Vec::new();
        let mut is_tuple = false;
        loop {
            if !parts.is_empty() {
                self.expect_op(",")?;
            }
            if self.tuple_end(ends) {
                break;
            }
            parts.push(self.expression(with_condition)?);
            if !self.is_op(",") {
                break;
            }
            is_tuple = true;
        }
        if is_tuple {
            return Ok(Expr::Tuple(parts));
        }
        match parts.pop() {
            Some(only) => Ok(only),
            None if parens => Ok(Expr::Tuple(Vec::new())),
            None => self.fail(format!(
                "Expected an expression, got {}",
                crate::repr::string(&self.peek().describe())
            )),
        }
    }

    fn tuple_end(&self, ends: &[&str]) -> bool {
        match self.peek() {
            Tok::VarEnd | Tok::BlockEnd | Tok::Op(")") => true,
            Tok::Name(name) => ends.contains(&&**name),
            _ => false,
        }
    }

    fn postfix(&mut self, mut node: Expr) -> Res<Expr> {
        loop {
            if self.is_op(".") || self.is_op("[") {
                node = self.subscript(node)?;
            } else if self.is_op("(") {
                node = Expr::Call(Box::new(node), Box::new(self.call_args()?));
            } else {
                return Ok(node);
            }
        }
    }

    fn subscript(&mut self, node: Expr) -> Res<Expr> {
        if self.skip_op(".") {
            return match self.next() {
                Tok::Name(name) => Ok(Expr::Attr(Box::new(node), name)),
                Tok::Int(number) => Ok(Expr::Item(Box::new(node), Box::new(Expr::Const(Value::Int(number))))),
                _ => self.fail("expected name or number"),
            };
        }
        self.expect_op("[")?;
        let mut parts = Vec::new();
        while !self.is_op("]") {
            if !parts.is_empty() {
                self.expect_op(",")?;
            }
            parts.push(self.slice_or_expression()?);
        }
        self.expect_op("]")?;
        let index = if parts.len() == 1 { parts.remove(0) } else { Expr::Tuple(parts) };
        Ok(Expr::Item(Box::new(node), Box::new(index)))
    }

    fn slice_or_expression(&mut self) -> Res<Expr> {
        let mut parts: [Option<Box<Expr>>; 3] = [None, None, None];
        let mut at = 0;
        if !self.is_op(":") {
            let first = self.expression(true)?;
            if !self.is_op(":") {
                return Ok(first);
            }
            parts[0] = Some(Box::new(first));
        }
        while at < 2 && self.skip_op(":") {
            at += 1;
            if !self.is_op(":") && !self.is_op("]") && !self.is_op(",") {
                parts[at] = Some(Box::new(self.expression(true)?));
            }
        }
        let [start, end, step] = parts;
        Ok(Expr::Slice(start, end, step))
    }

    fn call_args(&mut self) -> Res<CallArgs> {
        let line = self.line();
        self.expect_op("(")?;
        let mut args = Self::empty_args();
        let mut first = true;
        while !self.is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            first = false;
            if self.skip_op("*") {
                args.star = Some(Box::new(self.expression(true)?));
            } else if self.skip_op("**") {
                args.star_star = Some(Box::new(self.expression(true)?));
            } else if let (Tok::Name(name), Tok::Op("=")) = (self.peek().clone(), self.peek_second()) {
                self.next();
                self.next();
                args.kw.push((name, self.expression(true)?));
            } else {
                if !args.kw.is_empty() || args.star.is_some() || args.star_star.is_some() {
                    return self.fail_at(line, "invalid syntax for function call expression");
                }
                args.pos.push(self.expression(true)?);
            }
        }
        self.expect_op(")")?;
        Ok(args)
    }

    fn filters(&mut self, mut node: Expr) -> Res<Expr> {
        loop {
            if self.skip_op("|") {
                let call = self.filter_call()?;
                node = Expr::Filter(Box::new(node), Box::new(call));
            } else if self.is_name("is") {
                node = self.test(node)?;
            } else if self.is_op("(") {
                node = Expr::Call(Box::new(node), Box::new(self.call_args()?));
            } else {
                return Ok(node);
            }
        }
    }

    fn dotted_name(&mut self) -> Res<Rc<str>> {
        let mut name = self.expect_name()?.to_string();
        while self.skip_op(".") {
            name.push('.');
            name.push_str(&self.expect_name()?);
        }
        Ok(name.into())
    }

    pub(crate) fn filter_call(&mut self) -> Res<FilterCall> {
        let line = self.line();
        let name = self.dotted_name()?;
        let args = if self.is_op("(") { self.call_args()? } else { CallArgs::default() };
        self.check_name(names::Kind::Filter, &name, line)?;
        Ok(FilterCall { name, args })
    }

    fn test(&mut self, node: Expr) -> Res<Expr> {
        self.next();
        let negated = self.skip_name("not");
        let line = self.line();
        let name = self.dotted_name()?;
        let mut args = CallArgs::default();
        let operand = match self.peek() {
            Tok::Str(_) | Tok::Int(_) | Tok::Float(_) | Tok::Op("[" | "{") => true,
            Tok::Name(word) => !matches!(&**word, "else" | "or" | "and" | "is"),
            _ => false,
        };
        if self.is_op("(") {
            args = self.call_args()?;
        } else if operand {
            let inner = self.primary()?;
            args.pos.push(self.postfix(inner)?);
        }
        self.check_name(names::Kind::Test, &name, line)?;
        let test = Expr::Test(Box::new(node), Box::new(FilterCall { name, args }));
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }
}
