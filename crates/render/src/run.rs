//! Running a template: statements.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::args::Args;
use crate::ast::{Block, FilterCall, ForLoop, MacroDef, Stmt, StmtKind, Target, Template};
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::repr::type_name;
use crate::scope::{Module, Scope};
use crate::value::{Loop, Macro, Recursion, Value};

/// Where to go on after a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

impl Cx {
    /// Runs a template with its line of parents; `root` becomes its outermost scope.
    pub(crate) fn run_template(
        &self,
        template: &Rc<Template>,
        root: &Rc<Scope>,
        out: &mut String,
    ) -> Res<()> {
        let blocks = self.blocks.replace(HashMap::new());
        let outer_root = self.root.replace(root.clone());
        let parent = self.parent.replace(None);
        root.set(&"self".into(), Value::Blocks);
        let result = self.deeper(|| self.run_line(template, root, out));
        self.blocks.replace(blocks);
        self.root.replace(outer_root);
        self.parent.replace(parent);
        result.map_err(Fault::leave)
    }

    fn run_line(&self, template: &Rc<Template>, root: &Rc<Scope>, out: &mut String) -> Res<()> {
        let mut template = template.clone();
        let mut length = 0;
        loop {
            for block in &template.blocks {
                self.blocks.borrow_mut().entry(block.name.clone()).or_default().push(block.clone());
            }
            self.run_root(&template, root, out)?;
            let Some(parent) = self.parent.take() else { return Ok(()) };
            template = parent;
            length += 1;
            if length > self.limits.recursion {
                let endless = "templates extend one another without end";
                return Err(Fault::limit(endless).at(&template.name, 1));
            }
        }
    }

    fn run_root(&self, template: &Rc<Template>, root: &Rc<Scope>, out: &mut String) -> Res<()> {
        for stmt in &template.body {
            if self.parent.borrow().is_none() {
                self.statement(&template.name, stmt, root, out)?;
            } else if !matches!(stmt.kind, StmtKind::Block(_) | StmtKind::Text(_)) {
                // What follows `extends` prints nothing, but what it sets is seen by the blocks.
                self.statement(&template.name, stmt, root, &mut String::new())?;
            }
        }
        Ok(())
    }

    pub(crate) fn body(
        &self,
        name: &Rc<str>,
        body: &[Stmt],
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Res<Flow> {
        for stmt in body {
            let flow = self.statement(name, stmt, scope, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Runs a body into a text of its own.
    fn captured(&self, name: &Rc<str>, body: &[Stmt], scope: &Rc<Scope>) -> Res<Value> {
        let mut out = String::new();
        self.body(name, body, scope, &mut out)?;
        self.made_text(out)
    }

    /// What a template made: already escaped, if escaping is on.
    fn made_text(&self, text: String) -> Res<Value> {
        self.make(text.len())?;
        Ok(if self.autoescape.get() { Value::Markup(text.into()) } else { Value::Str(text.into()) })
    }

    fn statement(&self, name: &Rc<str>, stmt: &Stmt, scope: &Rc<Scope>, out: &mut String) -> Res<Flow> {
        self.burn(1)?;
        let _level = self.level().map_err(|fault| fault.at(name, stmt.line))?;
        self.kind(name, stmt, scope, out).map_err(|fault| fault.at(name, stmt.line))
    }

    #[expect(clippy::too_many_lines, reason = "one arm per statement")]
    fn kind(&self, name: &Rc<str>, stmt: &Stmt, scope: &Rc<Scope>, out: &mut String) -> Res<Flow> {
        match &stmt.kind {
            StmtKind::Text(text) => {
                out.push_str(text);
                self.guard_output(out.len())?;
            }
            StmtKind::Print(expr) => {
                let value = self.eval(expr, scope)?;
                self.print(&value, out)?;
                self.guard_output(out.len())?;
            }
            StmtKind::PrintAll(parts) => {
                for part in parts {
                    let value = self.eval(part, scope)?;
                    self.print(&value, out)?;
                    self.guard_output(out.len())?;
                }
            }
            StmtKind::For(for_loop) => return self.for_loop(name, for_loop, scope, out),
            StmtKind::If(arms, otherwise) => {
                for (test, body) in arms {
                    if self.truth(&self.eval(test, scope)?)? {
                        return self.body(name, body, scope, out);
                    }
                }
                return self.body(name, otherwise, scope, out);
            }
            StmtKind::Set(target, expr) => {
                let value = self.eval(expr, scope)?;
                self.assign(target, value, scope)?;
            }
            StmtKind::SetBlock(target, filters, body) => {
                let text = self.captured(name, body, &Scope::inner(scope))?;
                let value = self.chain(filters, text, scope)?;
                self.assign(target, value, scope)?;
            }
            StmtKind::With(values, body) => {
                let inner = Scope::inner(scope);
                for (target, expr) in values {
                    let value = self.eval(expr, scope)?;
                    self.assign(target, value, &inner)?;
                }
                return self.body(name, body, &inner, out);
            }
            StmtKind::FilterBlock(filters, body) => {
                let text = self.captured(name, body, &Scope::inner(scope))?;
                let value = self.chain(filters, text, scope)?;
                self.print(&value, out)?;
            }
            StmtKind::Macro(def) => {
                let value = Value::Macro(Rc::new(Macro { def: def.clone(), scope: scope.clone() }));
                if let Some(name) = &def.name {
                    scope.set(name, value);
                }
            }
            StmtKind::Call(call, def) => {
                let caller = Value::Macro(Rc::new(Macro { def: def.clone(), scope: scope.clone() }));
                let value = self.eval_call_with(call, scope, Some(&caller))?;
                self.print(&value, out)?;
            }
            StmtKind::Do(expr) => {
                self.eval(expr, scope)?;
            }
            StmtKind::Include { template, ignore_missing, with_context } => {
                let wanted = self.eval(template, scope)?;
                if let Some(found) = self.load(&wanted, *ignore_missing)? {
                    let root = if *with_context { Scope::included(scope) } else { Self::globals() };
                    self.run_template(&found, &root, out)?;
                }
            }
            StmtKind::Import { template, target, with_context } => {
                let module = self.import(template, *with_context, scope)?;
                scope.set(target, Value::Module(module));
            }
            StmtKind::FromImport { template, names, with_context } => {
                let module = self.import(template, *with_context, scope)?;
                for (wanted, alias) in names {
                    let value = module.scope.own(wanted).filter(|_| !wanted.starts_with('_'));
                    let value = value.unwrap_or_else(|| {
                        Value::undefined(format!(
                            "the template '{}' (imported on line {}) does not export the requested name '{wanted}'",
                            module.name, stmt.line
                        ))
                    });
                    scope.set(alias, value);
                }
            }
            StmtKind::Extends(expr) => {
                let wanted = self.eval(expr, scope)?;
                if self.parent.borrow().is_some() {
                    return Err(Fault::runtime("extended multiple times"));
                }
                let parent = self.load(&wanted, false)?;
                self.parent.replace(parent);
            }
            StmtKind::Block(block) => self.block(block, scope, out)?,
            StmtKind::Autoescape(expr, body) => {
                let on = self.truth(&self.eval(expr, scope)?)?;
                let before = self.autoescape.replace(on);
                let result = self.body(name, body, &Scope::inner(scope), out);
                self.autoescape.set(before);
                return result;
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// Prints a value, escaped where escaping is on.
    pub(crate) fn print(&self, value: &Value, out: &mut String) -> Res<()> {
        if self.autoescape.get() && !matches!(value, Value::Markup(_)) {
            out.push_str(&self.escaped(value)?);
            return Ok(());
        }
        let before = out.len();
        self.write_text(value, out)?;
        self.burn((out.len() - before) as u64 / 64)
    }

    fn chain(&self, filters: &[FilterCall], mut value: Value, scope: &Rc<Scope>) -> Res<Value> {
        for filter in filters {
            let args = self.args(&filter.args, scope)?;
            value = self.filter(&filter.name, &value, args)?;
        }
        Ok(value)
    }

    fn import(&self, template: &crate::ast::Expr, with_context: bool, scope: &Rc<Scope>) -> Res<Rc<Module>> {
        let wanted = self.eval(template, scope)?;
        let Some(found) = self.load(&wanted, false)? else { return Err(Fault::runtime("nothing to import")) };
        let root = if with_context { Scope::included(scope) } else { Self::globals() };
        let mut text = String::new();
        self.run_template(&found, &root, &mut text)?;
        Ok(Rc::new(Module { name: found.name.clone(), scope: root, text }))
    }

    /// A scope with nothing of the template's own.
    fn globals() -> Rc<Scope> {
        Scope::root()
    }

    fn block(&self, block: &Rc<Block>, scope: &Rc<Scope>, out: &mut String) -> Res<()> {
        let found = self.blocks.borrow().get(&block.name).and_then(|line| line.first().cloned());
        let found = found.unwrap_or_else(|| block.clone());
        if found.required {
            return Err(Fault::runtime(format!("Required block '{}' not found", block.name))
                .at(&block.template, block.line));
        }
        let scope = if block.scoped { scope.clone() } else { self.root.borrow().clone() };
        self.run_block(&found, 0, &scope, out)
    }

    /// Runs a block at a place in its line, with `super` bound to the next.
    fn run_block(&self, block: &Rc<Block>, level: usize, scope: &Rc<Scope>, out: &mut String) -> Res<()> {
        let scope = Scope::inner(scope);
        scope.set(&"super".into(), Value::Block(block.name.clone(), level + 1));
        self.deeper(|| self.body(&block.template, &block.body, &scope, out)).map_err(Fault::leave)?;
        Ok(())
    }

    /// A block called as a function: `self.title()`, `super()`.
    pub(crate) fn call_block(&self, name: &Rc<str>, level: usize) -> Res<Value> {
        let found = self.blocks.borrow().get(name).and_then(|line| line.get(level).cloned());
        let Some(block) = found else {
            return Err(Fault::undefined(format!("there is no parent block called '{name}'.")));
        };
        let root = self.root.borrow().clone();
        let mut out = String::new();
        self.run_block(&block, level, &root, &mut out)?;
        self.made_text(out)
    }

    fn for_loop(&self, name: &Rc<str>, def: &ForLoop, scope: &Rc<Scope>, out: &mut String) -> Res<Flow> {
        let items = self.eval(&def.iter, scope)?;
        let items = self.items(&items)?;
        let recursive = || Recursion {
            target: def.target.clone(),
            test: def.test.clone(),
            body: def.body.clone(),
            scope: scope.clone(),
        };
        let recursion = if def.recursive { Some(recursive()) } else { None };
        let ran =
            self.rounds(name, items, &def.target, def.test.as_ref(), &def.body, scope, 0, recursion, out)?;
        if !ran {
            return self.body(name, &def.otherwise, &Scope::inner(scope), out);
        }
        Ok(Flow::Next)
    }

    #[expect(clippy::too_many_arguments, reason = "a loop and what it runs in")]
    fn rounds(
        &self,
        name: &Rc<str>,
        items: Vec<Value>,
        target: &Target,
        test: Option<&crate::ast::Expr>,
        body: &[Stmt],
        scope: &Rc<Scope>,
        depth: usize,
        recursive: Option<Recursion>,
        out: &mut String,
    ) -> Res<bool> {
        let items = match test {
            None => items,
            Some(test) => {
                let mut kept = Vec::new();
                for item in items {
                    self.burn(1)?;
                    let inner = Scope::inner(scope);
                    inner.set(&"loop".into(), Value::missing("loop"));
                    self.assign(target, item.clone(), &inner)?;
                    if self.truth(&self.eval(test, &inner)?)? {
                        kept.push(item);
                    }
                }
                kept
            }
        };
        if items.is_empty() {
            return Ok(false);
        }
        let state = Rc::new(Loop { items, at: Cell::new(0), depth, changed: RefCell::default(), recursive });
        let loop_name: Rc<str> = "loop".into();
        for at in 0..state.items.len() {
            self.burn(1)?;
            state.at.set(at);
            let inner = Scope::inner(scope);
            inner.set(&loop_name, Value::Loop(state.clone()));
            self.assign(target, state.items[at].clone(), &inner)?;
            if self.body(name, body, &inner, out)? == Flow::Break {
                break;
            }
        }
        Ok(true)
    }

    /// `loop(items)` in a recursive loop.
    pub(crate) fn recurse(&self, state: &Rc<Loop>, args: &Args) -> Res<Value> {
        let Some(recursion) = &state.recursive else {
            return Err(Fault::type_error(
                "The loop must have the 'recursive' marker to be called recursively.",
            ));
        };
        let items = self.items(args.pos.first().unwrap_or(&Value::None))?;
        let again = Recursion {
            target: recursion.target.clone(),
            test: recursion.test.clone(),
            body: recursion.body.clone(),
            scope: recursion.scope.clone(),
        };
        let mut out = String::new();
        let name: Rc<str> = "<template>".into();
        self.deeper(|| {
            let (target, test) = (&recursion.target, recursion.test.as_ref());
            self.rounds(
                &name,
                items,
                target,
                test,
                &recursion.body,
                &recursion.scope,
                state.depth + 1,
                Some(again),
                &mut out,
            )
        })?;
        self.made_text(out)
    }

    pub(crate) fn assign(&self, target: &Target, value: Value, scope: &Rc<Scope>) -> Res<()> {
        match target {
            Target::Name(name) => scope.set(name, value),
            Target::Attr(name, attr) => match &scope.get(name) {
                Some(Value::Namespace(items)) => {
                    items.borrow_mut().insert((&**attr).into(), value);
                }
                _ => return Err(Fault::runtime("cannot assign attribute on non-namespace object")),
            },
            Target::Tuple(parts) => {
                let items = self.items(&value).map_err(|fault| {
                    if value.is_undefined() {
                        return fault;
                    }
                    Fault::type_error(format!(
                        "cannot unpack non-iterable {} object",
                        type_name(self, &value)
                    ))
                })?;
                if items.len() < parts.len() {
                    let (wanted, got) = (parts.len(), items.len());
                    return Err(Fault::value(format!(
                        "not enough values to unpack (expected {wanted}, got {got})"
                    )));
                }
                if items.len() > parts.len() {
                    return Err(Fault::value(format!(
                        "too many values to unpack (expected {})",
                        parts.len()
                    )));
                }
                for (part, item) in parts.iter().zip(items) {
                    self.assign(part, item, scope)?;
                }
            }
        }
        Ok(())
    }

    /// Calls a macro, or what a `call` block hands to one.
    pub(crate) fn call_macro(&self, found: &Rc<Macro>, mut args: Args) -> Res<Value> {
        let def: &Rc<MacroDef> = &found.def;
        let scope = Scope::inner(&found.scope);
        let shown = def.name.as_deref().map_or("None".to_owned(), crate::repr::string);
        let missing = def.args.len() - def.defaults.len();
        let given = args.pos.len().min(def.args.len());
        let mut values: Vec<Option<Value>> = args.pos.drain(..given).map(Some).collect();
        let extra: Vec<Value> = std::mem::take(&mut args.pos);
        for (at, name) in def.args.iter().enumerate() {
            if at < values.len() {
                continue;
            }
            values.push(args.take(name));
        }
        let caller = args.take("caller");
        let has_caller = caller.is_some();
        if def.uses_caller {
            scope.set(&"caller".into(), caller.unwrap_or_else(|| Value::undefined("No caller defined")));
        }
        if def.uses_kwargs {
            let pairs =
                args.kw.drain(..).map(|(name, value)| (crate::value::Key::str(&name), value)).collect();
            scope.set(&"kwargs".into(), Value::dict(pairs));
        } else if has_caller && !def.uses_caller {
            return Err(Fault::type_error(format!(
                "macro {shown} was invoked with two values for the special caller argument. This is most likely a bug."
            )));
        } else if let Some((name, _)) = args.kw.first() {
            return Err(Fault::type_error(format!("macro {shown} takes no keyword argument '{name}'")));
        }
        if def.uses_varargs {
            scope.set(&"varargs".into(), Value::Tuple(extra.into()));
        } else if !extra.is_empty() {
            let count = def.args.len();
            return Err(Fault::type_error(format!("macro {shown} takes not more than {count} argument(s)")));
        }
        for (at, (name, value)) in def.args.iter().zip(values).enumerate() {
            let value = match value {
                Some(value) => value,
                None if at >= missing => self.eval(&def.defaults[at - missing], &scope)?,
                None => Value::undefined(format!("parameter '{name}' was not provided")),
            };
            scope.set(name, value);
        }
        let mut out = String::new();
        self.deeper(|| self.body(&def.template, &def.body, &scope, &mut out)).map_err(Fault::leave)?;
        self.made_text(out)
    }
}
