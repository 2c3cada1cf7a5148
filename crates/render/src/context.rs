//! What one rendering carries along: the world, the settings, what is left of its limits, and what it has made so far.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Bytes of texts and lists made so far.
    made: Cell<usize>,
    /// Set from outside when nobody waits for the text any more.
    stop: Arc<AtomicBool>,
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
    /// The router whose configuration is rendered.
    pub(crate) router: Cell<Option<Row>>,
    /// Secrets that the template has seen, which no message may show.
    pub(crate) secrets: RefCell<HashSet<Arc<str>>>,
}

/// The notation a MAC address is printed in, shared by all that hold the address.
pub(crate) type SharedForm = Rc<Cell<MacForm>>;

const MAX_LEVELS: usize = 500;

/// After how many steps it is looked whether to stop; a power of two.
const LOOK_EVERY: u64 = 4096;

/// Bytes of texts and lists that every template may make in all.
const MADE_AT_LEAST: usize = 512 << 20;

/// What an item of a list counts for, in bytes.
const ITEM: usize = 16;

/// Held while a statement or expression is worked on.
pub(crate) struct Level<'a>(&'a Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The message with `***` for the value it quotes, if it is one of those that quote what a template looked for.
fn without_value(class: &str, text: String) -> String {
    let class = class.rsplit('.').next().unwrap_or(class);
    if matches!(class, "KeyError" | "TemplateNotFound" | "TemplatesNotFound") {
        return "'***'".to_owned();
    }
    if text.starts_with('`') && text.contains("is no loader name") {
        return "`***` is no loader name: it has no `::`".to_owned();
    }
    for before in ["has no attribute ", "has no element ", "access to attribute "] {
        if let Some((start, _)) = text.split_once(before) {
            return format!("{start}{before}'***'");
        }
    }
    match text.strip_suffix(" is not in list") {
        Some(_) => "'***' is not in list".to_owned(),
        None => text,
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
            made: Cell::new(0),
            stop: Arc::default(),
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
            router: Cell::default(),
            secrets: RefCell::default(),
        }
    }
    /// The same, ending with an error soon after the flag is set.
    pub(crate) fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
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
    /// A message in which no secret is left that the template has seen, neither as it is nor as Python would print it in
    /// quotes. What was made of a secret is not known, so messages that quote a value do not show it once there is a secret.
    pub(crate) fn without_secrets(&self, class: &str, text: String) -> String {
        let secrets = self.secrets.borrow();
        if secrets.is_empty() {
            return text;
        }
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let quoted = crate::repr::string(secret);
            forms.push(quoted[1..quoted.len() - 1].to_owned());
            forms.push(secret.to_string());
        }
        // One secret may be a part of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let text = forms.iter().fold(text, |text, form| text.replace(&**form, "***"));
        without_value(class, text)
    }
    /// Pays for `steps` of work.
    pub(crate) fn burn(&self, steps: u64) -> Res<()> {
        let before = self.fuel.get();
        match before.checked_sub(steps) {
            Some(left) => {
                self.fuel.set(left);
                let time_to_look = (before ^ left) >= LOOK_EVERY;
                if time_to_look && self.stop.load(Ordering::Relaxed) {
                    return Err(Fault::limit("the rendering was stopped"));
                }
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
    /// Pays for a text or list of that many bytes, of which there may be so many in all.
    pub(crate) fn make(&self, bytes: usize) -> Res<()> {
        let most = MADE_AT_LEAST.max(self.limits.output.saturating_mul(2));
        let made = self.made.get().saturating_add(bytes);
        if made > most {
            let megabytes = most >> 20;
            return Err(Fault::limit(format!(
                "the template makes more than {megabytes} MB of texts and lists"
            )));
        }
        self.made.set(made);
        self.burn(bytes as u64 / 16)
    }
    /// Pays for a value that was made just now, not for one that somebody else holds too.
    pub(crate) fn paid(&self, value: Value) -> Res<Value> {
        match &value {
            Value::Str(text) | Value::Markup(text) if Arc::strong_count(text) == 1 => {
                self.make(text.len())?;
            }
            Value::List(items) if Rc::strong_count(items) == 1 => {
                self.make(items.borrow().len().saturating_mul(ITEM))?;
            }
            Value::Tuple(items) if Rc::strong_count(items) == 1 => {
                self.make(items.len().saturating_mul(ITEM))?;
            }
            Value::Iter(items, _) if Rc::strong_count(items) == 1 => {
                self.make(items.borrow().len().saturating_mul(ITEM))?;
            }
            _ => {}
        }
        Ok(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cx(secret: Option<&str>) -> Cx {
        let world = Arc::new(World::new(HashMap::new()));
        let now = DateTime::UNIX_EPOCH;
        let cx =
            Cx::new(world, Arc::default(), Arc::default(), Limits::default(), now, Flags::default(), true);
        cx.secrets.borrow_mut().extend(secret.map(Arc::from));
        cx
    }

    #[test]
    fn no_form_of_a_secret_is_shown() {
        let cx = cx(Some("it's\\\"é\n"));
        let shown = crate::repr::string("it's\\\"é\n");
        for text in ["it's\\\"é\n", shown.as_str()] {
            let message = cx.without_secrets("ValueError", format!("not a number: {text}"));
            assert!(!message.contains("it") && message.contains("***"), "{message}");
        }
    }

    #[test]
    fn values_are_left_out_once_there_is_a_secret() {
        let messages = [
            ("KeyError", "'TERCES'", "'***'"),
            ("jinja2.exceptions.TemplateNotFound", "TERCES", "'***'"),
            (
                "jinja2.exceptions.UndefinedError",
                "'dict object' has no attribute 'TERCES'",
                "'dict object' has no attribute '***'",
            ),
            (
                "jinja2.exceptions.UndefinedError",
                "dict object has no element ('TERCES',)",
                "dict object has no element '***'",
            ),
            (
                "TypeError",
                "`TERCES` is no loader name: it has no `::`",
                "`***` is no loader name: it has no `::`",
            ),
            ("ValueError", "'TERCES' is not in list", "'***' is not in list"),
            ("TypeError", "unhashable type: 'list'", "unhashable type: 'list'"),
        ];
        for (class, message, masked) in messages {
            assert_eq!(cx(Some("SECRET")).without_secrets(class, message.to_owned()), masked);
            assert_eq!(cx(None).without_secrets(class, message.to_owned()), message);
        }
    }
}
