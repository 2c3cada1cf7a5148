//! What one rendering carries along: the world, the settings, what is left of its limits, and what it has made so far.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::ast::{Block, Template};
use crate::environment::{Limits, Settings, Templates};
use crate::error::{Fault, Res};
use crate::parser::Flags;
use crate::scope::Scope;
use crate::value::{MacForm, Value};
use crate::world::{Row, World};

pub(crate) struct Cx {
    pub(crate) world: Arc<World>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) limits: Limits,
    pub(crate) now: DateTime<Utc>,
    pub(crate) flags: Flags,
    pub(crate) strict: bool,
    fuel: Cell<u64>,
    depth: Cell<usize>,
    levels: Cell<usize>,
    pub(crate) autoescape: Cell<bool>,
    pub(crate) parsed: RefCell<HashMap<String, Rc<Template>>>,
    /// JSON columns that a template has seen, so that what it changes stays changed while it runs.
    pub(crate) documents: RefCell<HashMap<(Row, usize), Value>>,
    pub(crate) mac_forms: RefCell<HashMap<(Row, usize), SharedForm>>,
    /// Blocks of the template being run, by name, the most derived first.
    pub(crate) blocks: RefCell<HashMap<Rc<str>, Vec<Rc<Block>>>>,
    /// The outermost scope of the template being run.
    pub(crate) root: RefCell<Rc<Scope>>,
    /// The template that the one being run extends.
    pub(crate) parent: RefCell<Option<Rc<Template>>>,
    pub(crate) warnings: RefCell<Vec<String>>,
    /// Secrets that the template has seen, which no message may show.
    pub(crate) secrets: RefCell<HashSet<Arc<str>>>,
}

/// The notation a MAC address is printed in, shared by all that hold the address.
pub(crate) type SharedForm = Rc<Cell<MacForm>>;

const MAX_LEVELS: usize = 500;

/// Held while a statement or expression is worked on.
pub(crate) struct Level<'a>(&'a Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Cx {
    pub(crate) fn new(
        world: Arc<World>,
        settings: Arc<Settings>,
        templates: Arc<Templates>,
        limits: Limits,
        now: DateTime<Utc>,
        flags: Flags,
        strict: bool,
    ) -> Self {
        Self {
            world,
            settings,
            templates,
            limits,
            now,
            flags,
            strict,
            fuel: Cell::new(limits.fuel),
            depth: Cell::new(0),
            levels: Cell::new(0),
            autoescape: Cell::new(false),
            parsed: RefCell::default(),
            documents: RefCell::default(),
            mac_forms: RefCell::default(),
            blocks: RefCell::default(),
            root: RefCell::new(Scope::root()),
            parent: RefCell::default(),
            warnings: RefCell::default(),
            secrets: RefCell::default(),
        }
    }
    pub(crate) fn strict(&self) -> bool {
        self.strict
    }
    /// Notes something an operator should know, once.
    pub(crate) fn warn(&self, text: String) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < 100 && !warnings.contains(&text) {
            warnings.push(text);
        }
    }
    /// A message in which no secret is left that the template has seen.
    pub(crate) fn without_secrets(&self, text: String) -> String {
        let secrets = self.secrets.borrow();
        secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(text, |text, secret| text.replace(&**secret, "***"))
    }
    /// Pays for `steps` of work.
    pub(crate) fn burn(&self, steps: u64) -> Res<()> {
        match self.fuel.get().checked_sub(steps) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => Err(Fault::limit(format!("the template took more than {} steps", self.limits.fuel))),
        }
    }
    /// Pays for a text or list of that length before it is made.
    pub(crate) fn burn_length(&self, length: usize) -> Res<()> {
        self.guard_output(length)?;
        self.burn(length as u64 / 16)
    }
    pub(crate) fn guard_output(&self, length: usize) -> Res<()> {
        if length > self.limits.output {
            return Err(Fault::limit(format!("the template makes more than {} bytes", self.limits.output)));
        }
        Ok(())
    }
    /// One more statement or expression inside another, until the guard is dropped. This is what takes of the thread's
    /// stack, so it is bounded whatever the limits say.
    pub(crate) fn level(&self) -> Res<Level<'_>> {
        let levels = self.levels.get() + 1;
        if levels > MAX_LEVELS {
            return Err(Fault::limit("statements and expressions are nested too deeply"));
        }
        self.levels.set(levels);
        Ok(Level(&self.levels))
    }
    /// Runs something one level deeper.
    pub(crate) fn deeper<T>(&self, run: impl FnOnce() -> Res<T>) -> Res<T> {
        let depth = self.depth.get() + 1;
        if depth > self.limits.recursion {
            return Err(Fault::limit(format!(
                "the template calls itself more than {} times",
                self.limits.recursion
            )));
        }
        self.depth.set(depth);
        let result = run();
        self.depth.set(depth - 1);
        result
    }
}
