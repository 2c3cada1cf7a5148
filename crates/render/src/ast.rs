//! The tree of a parsed template.

use std::rc::Rc;

use crate::value::Value;

/// A parsed template.
pub(crate) struct Template {
    /// Loader name; `<template>` for the outermost.
    pub(crate) name: Rc<str>,
    pub(crate) source: Rc<str>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) blocks: Vec<Rc<Block>>,
}

pub(crate) struct Block {
    pub(crate) name: Rc<str>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) scoped: bool,
    pub(crate) required: bool,
    pub(crate) line: usize,
    pub(crate) template: Rc<str>,
}

pub(crate) struct Stmt {
    pub(crate) line: usize,
    pub(crate) kind: StmtKind,
}

pub(crate) enum StmtKind {
    Text(Rc<str>),
    Print(Expr),
    PrintAll(Vec<Expr>),
    For(Box<ForLoop>),
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    Set(Target, Expr),
    SetBlock(Target, Vec<FilterCall>, Vec<Stmt>),
    With(Vec<(Target, Expr)>, Vec<Stmt>),
    FilterBlock(Vec<FilterCall>, Vec<Stmt>),
    Macro(Rc<MacroDef>),
    Call(Box<Expr>, Rc<MacroDef>),
    Do(Expr),
    Include { template: Expr, ignore_missing: bool, with_context: bool },
    Import { template: Expr, target: Rc<str>, with_context: bool },
    FromImport { template: Expr, names: Vec<(Rc<str>, Rc<str>)>, with_context: bool },
    Extends(Expr),
    Block(Rc<Block>),
    Autoescape(Expr, Vec<Stmt>),
    Break,
    Continue,
}

pub(crate) struct ForLoop {
    pub(crate) target: Target,
    pub(crate) iter: Expr,
    pub(crate) test: Option<Expr>,
    pub(crate) body: Rc<[Stmt]>,
    pub(crate) otherwise: Vec<Stmt>,
    pub(crate) recursive: bool,
}

pub(crate) struct MacroDef {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) args: Vec<Rc<str>>,
    /// Defaults of the last arguments.
    pub(crate) defaults: Vec<Expr>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) uses_caller: bool,
    pub(crate) uses_varargs: bool,
    pub(crate) uses_kwargs: bool,
    pub(crate) template: Rc<str>,
}

#[derive(Clone)]
pub(crate) enum Target {
    Name(Rc<str>),
    Attr(Rc<str>, Rc<str>),
    Tuple(Vec<Target>),
}

#[derive(Clone)]
pub(crate) struct FilterCall {
    pub(crate) name: Rc<str>,
    pub(crate) args: CallArgs,
}

#[derive(Clone, Default)]
pub(crate) struct CallArgs {
    pub(crate) pos: Vec<Expr>,
    pub(crate) kw: Vec<(Rc<str>, Expr)>,
    pub(crate) star: Option<Box<Expr>>,
    pub(crate) star_star: Option<Box<Expr>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CmpOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

#[derive(Clone)]
pub(crate) enum Expr {
    Const(Value),
    Name(Rc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Bin(BinOp, Box<Expr>, Box<Expr>),
    Neg(Box<Expr>),
    Pos(Box<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(CmpOp, Expr)>),
    Concat(Vec<Expr>),
    Cond(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Attr(Box<Expr>, Rc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Option<Box<Expr>>, Option<Box<Expr>>, Option<Box<Expr>>),
    Call(Box<Expr>, Box<CallArgs>),
    Filter(Box<Expr>, Box<FilterCall>),
    Test(Box<Expr>, Box<FilterCall>),
}
