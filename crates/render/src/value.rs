//! The values a template works with. They behave as Python's do.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use indexmap::IndexMap;

use crate::address::{Interface, Network};
use crate::ast::{MacroDef, Stmt, Target};
use crate::queryset::{Manager, QuerySet};
use crate::scope::{Module, Release as _, Scope};
use crate::world::{PrefixEntry, PrefixList, PrefixSource, Row};

pub(crate) type Dict = IndexMap<Key, Value>;

/// Anything a name, attribute or expression can be.
#[derive(Clone)]
pub(crate) enum Value {
    /// Nothing of that name; the message says so when it is used all the same.
    Undefined(Rc<Missing>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
    /// Text that is already escaped for HTML.
    Markup(Arc<str>),
    List(Rc<RefCell<Vec<Value>>>),
    Tuple(Rc<[Value]>),
    Dict(Rc<RefCell<Dict>>),
    Range(i128, i128, i128),
    /// An object of the world.
    Record(Row),
    Query(Rc<QuerySet>),
    Manager(Rc<Manager>),
    /// A stored prefix list, not yet turned into dictionaries.
    Prefixes(Prefixes),
    /// One of its entries.
    Prefix(Prefixes, usize),
    Address(IpAddr),
    Interface(Interface),
    Network(Network),
    /// A MAC address and the notation it is printed in.
    Mac([u8; 6], Rc<Cell<MacForm>>),
    Time(DateTime<FixedOffset>),
    /// Goes through its items once.
    Iter(Rc<RefCell<std::vec::IntoIter<Value>>>, &'static str),
    Namespace(Rc<RefCell<IndexMap<Arc<str>, Value>>>),
    Macro(Rc<Macro>),
    Module(Rc<Module>),
    /// A global function.
    Function(&'static str),
    /// A method bound to its object.
    Method(Rc<(Value, Arc<str>)>),
    Loop(Rc<Loop>),
    /// `self` of a template with blocks.
    Blocks,
    /// A block as a function: its name and how far up the line of templates.
    Block(Rc<str>, usize),
    Cycler(Rc<(Vec<Value>, Cell<usize>)>),
    Joiner(Rc<(Value, Cell<bool>)>),
    Slice(Rc<[Value; 3]>),
}

/// What values hold is let go of one after the other: each within the other's drop would use up the stack for what a
/// template has nested a hundred thousand times.
impl Drop for Value {
    fn drop(&mut self) {
        if !self.holds() {
            return;
        }
        let mut held = Vec::new();
        self.release(&mut held);
        while let Some(mut value) = held.pop() {
            value.release(&mut held);
        }
    }
}

impl Value {
    /// Whether it may hold other values.
    fn holds(&self) -> bool {
        matches!(
            self,
            Self::List(_)
                | Self::Tuple(_)
                | Self::Dict(_)
                | Self::Iter(..)
                | Self::Namespace(_)
                | Self::Macro(_)
                | Self::Module(_)
                | Self::Method(_)
                | Self::Loop(_)
                | Self::Cycler(_)
                | Self::Joiner(_)
                | Self::Slice(_)
        )
    }
    /// Takes out what nobody but this value holds, if it may hold others in turn.
    fn release(&mut self, held: &mut Vec<Self>) {
        let mut take = |value: &mut Self| {
            if value.holds() {
                held.push(std::mem::replace(value, Self::None));
            }
        };
        match self {
            Self::List(items) => {
                Rc::get_mut(items).into_iter().flat_map(RefCell::get_mut).for_each(take);
            }
            Self::Tuple(items) => Rc::get_mut(items).into_iter().flatten().for_each(take),
            Self::Dict(items) => {
                Rc::get_mut(items).into_iter().flat_map(|items| items.get_mut().values_mut()).for_each(take);
            }
            Self::Iter(items, _) => {
                let items = Rc::get_mut(items).map(|items| items.get_mut().as_mut_slice());
                items.into_iter().flatten().for_each(take);
            }
            Self::Namespace(items) => {
                Rc::get_mut(items).into_iter().flat_map(|items| items.get_mut().values_mut()).for_each(take);
            }
            Self::Macro(found) => {
                if let Some(found) = Rc::get_mut(found) {
                    found.scope.release(take);
                }
            }
            Self::Module(found) => {
                if let Some(found) = Rc::get_mut(found) {
                    found.scope.release(take);
                }
            }
            Self::Method(method) => {
                if let Some((of, _)) = Rc::get_mut(method) {
                    take(of);
                }
            }
            Self::Loop(found) => {
                let Some(found) = Rc::get_mut(found) else { return };
                found
                    .items
                    .iter_mut()
                    .chain(found.changed.get_mut().iter_mut().flatten())
                    .for_each(&mut take);
                if let Some(recursion) = &mut found.recursive {
                    recursion.scope.release(take);
                }
            }
            Self::Cycler(cycler) => {
                Rc::get_mut(cycler).into_iter().flat_map(|cycler| &mut cycler.0).for_each(take);
            }
            Self::Joiner(joiner) => {
                if let Some((text, _)) = Rc::get_mut(joiner) {
                    take(text);
                }
            }
            Self::Slice(parts) => Rc::get_mut(parts).into_iter().flatten().for_each(take),
            _ => {}
        }
    }
}

/// Why a value is undefined.
pub(crate) struct Missing {
    pub(crate) message: String,
    pub(crate) reason: Reason,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nothing of that name. Strict templates refuse it.
    Name,
    /// A name the sandbox hides.
    Hidden,
    /// `x if y` with a false `y`: meant to be empty.
    NoElse,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MacForm {
    Unix,
    Cisco,
    Bare,
    /// The database driver's own, before any filter has seen it.
    Stored,
}

/// A stored prefix list of one address family.
#[derive(Clone)]
pub(crate) struct Prefixes(Rc<Listing>);

pub(crate) struct Listing {
    /// Whose list it is, for messages: `AS64500`, `IPv6`.
    pub(crate) of: (Arc<str>, &'static str),
    pub(crate) list: PrefixList,
    /// Whether a missing list is an empty one.
    pub(crate) may_be_missing: bool,
}

impl Prefixes {
    pub(crate) fn new(of: (Arc<str>, &'static str), list: PrefixList, may_be_missing: bool) -> Self {
        Self(Rc::new(Listing { of, list, may_be_missing }))
    }
    /// The same list, with another say about whether it may be missing.
    pub(crate) fn allowing(&self, may_be_missing: bool) -> Self {
        Self::new(self.0.of.clone(), self.0.list.clone(), may_be_missing)
    }
    pub(crate) fn listing(&self) -> &Listing {
        &self.0
    }
    /// Entries of a list that is there.
    fn source(&self) -> Option<&dyn PrefixSource> {
        match &self.0.list {
            PrefixList::Known(source) => Some(&**source),
            PrefixList::Missing(_) => None,
        }
    }
    pub(crate) fn len(&self) -> usize {
        self.source().map_or(0, PrefixSource::len)
    }
    pub(crate) fn get(&self, at: usize) -> Option<PrefixEntry> {
        self.source()?.get(at)
    }
    /// Whether both have the same entries.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || (self.len() == other.len() && (0..self.len()).all(|at| self.get(at) == other.get(at)))
    }
}

pub(crate) struct Macro {
    pub(crate) def: Rc<MacroDef>,
    pub(crate) scope: Rc<Scope>,
}

/// The `loop` variable.
pub(crate) struct Loop {
    pub(crate) items: Vec<Value>,
    pub(crate) at: Cell<usize>,
    pub(crate) depth: usize,
    pub(crate) changed: RefCell<Option<Vec<Value>>>,
    pub(crate) recursive: Option<Recursion>,
}

/// What `loop(…)` of a recursive loop runs again.
pub(crate) struct Recursion {
    pub(crate) target: Target,
    pub(crate) test: Option<crate::ast::Expr>,
    pub(crate) body: Rc<[Stmt]>,
    pub(crate) scope: Rc<Scope>,
}

impl Value {
    pub(crate) fn str(text: &str) -> Self {
        Self::Str(text.into())
    }
    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }
    pub(crate) fn dict(items: Dict) -> Self {
        Self::Dict(Rc::new(RefCell::new(items)))
    }
    pub(crate) fn int(number: usize) -> Self {
        Self::Int(number as i128)
    }
    pub(crate) fn iter(items: Vec<Value>) -> Self {
        Self::Iter(Rc::new(RefCell::new(items.into_iter())), "generator")
    }
    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Missing { message: message.into(), reason: Reason::Name }))
    }
    pub(crate) fn missing(name: &str) -> Self {
        Self::undefined(format!("'{name}' is undefined"))
    }
    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) | Self::Markup(text) => Some(text),
            _ => None,
        }
    }
    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(flag) => Some(i128::from(*flag)),
            _ => None,
        }
    }
    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "as Python converts")]
            other => other.as_int().map(|number| number as f64),
        }
    }
}

/// A value used as a key: equal and hashed as in Python, where `1`, `1.0` and `True` are the same key.
#[derive(Clone)]
pub(crate) struct Key(pub(crate) Value);

impl Key {
    pub(crate) fn str(text: &str) -> Self {
        Self(Value::str(text))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        crate::ops::same_key(&self.0, &other.0)
    }
}
impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Value::Str(text) | Value::Markup(text) => text.hash(state),
            Value::Int(number) => number.hash(state),
            Value::Bool(flag) => i128::from(*flag).hash(state),
            Value::Float(number) =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "only for numbers that are whole")]
                if number.fract() == 0.0 && number.abs() < 1e30 {
                    (*number as i128).hash(state);
                } else {
                    number.to_bits().hash(state);
                }
            }
            Value::Tuple(items) => items.iter().for_each(|item| Key(item.clone()).hash(state)),
            Value::Record(row) => row.hash(state),
            Value::Address(address) => address.hash(state),
            // The rest is told apart by equality alone.
            _ => 0_u8.hash(state),
        }
    }
}
