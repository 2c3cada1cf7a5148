//! Names and what they stand for while a template runs.

use std::cell::RefCell;
use std::rc::Rc;

use crate::value::Value;

/// One level of names. Looking up goes outwards.
pub(crate) struct Scope {
    vars: RefCell<Vec<(Rc<str>, Value)>>,
    parent: Option<Rc<Scope>>,
    /// The outermost level of an included template: `loop` and `self` do not show through.
    border: bool,
}

/// What `import` gives: the names a template set, and the text it printed.
pub(crate) struct Module {
    pub(crate) name: Rc<str>,
    pub(crate) scope: Rc<Scope>,
    pub(crate) text: String,
}

impl Scope {
    pub(crate) fn root() -> Rc<Self> {
        Rc::new(Self { vars: RefCell::default(), parent: None, border: true })
    }
    pub(crate) fn inner(parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { vars: RefCell::default(), parent: Some(parent.clone()), border: false })
    }
    pub(crate) fn included(parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { vars: RefCell::default(), parent: Some(parent.clone()), border: true })
    }
    pub(crate) fn set(&self, name: &Rc<str>, value: Value) {
        let mut vars = self.vars.borrow_mut();
        match vars.iter_mut().find(|(known, _)| known == name) {
            Some(slot) => slot.1 = value,
            None => vars.push((name.clone(), value)),
        }
    }
    pub(crate) fn own(&self, name: &str) -> Option<Value> {
        self.vars.borrow().iter().find(|(known, _)| **known == *name).map(|(_, value)| value.clone())
    }
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let local = matches!(name, "loop" | "self" | "super" | "caller" | "varargs" | "kwargs");
        let mut scope = self;
        loop {
            if let Some(value) = scope.own(name) {
                return Some(value);
            }
            if local && scope.border {
                return None;
            }
            scope = scope.parent.as_deref()?;
        }
    }
}

/// Letting go of what a scope holds.
pub(crate) trait Release {
    /// Hands over the values that nobody else can reach through these scopes.
    fn release(&mut self, take: impl FnMut(&mut Value));
}

impl Release for Rc<Scope> {
    fn release(&mut self, mut take: impl FnMut(&mut Value)) {
        let mut scope = Rc::get_mut(self);
        while let Some(found) = scope {
            found.vars.get_mut().iter_mut().for_each(|(_, value)| take(value));
            scope = found.parent.as_mut().and_then(Rc::get_mut);
        }
    }
}
