//! Working out expressions.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::args::Args;
use crate::ast::{CallArgs, Expr, Template};
use crate::context::Cx;
use crate::environment::Found;
use crate::error::{Fault, Res};
use crate::names::{DELETED_SESSION, DELETED_SESSIONS};
use crate::ops::undefined;
use crate::queryset::QuerySet;
use crate::repr::{object_name, type_name};
use crate::scope::Scope;
use crate::value::{Dict, Key, Missing, Reason, Value};
use crate::world::Row;

/// From how many bytes on the letters of a text count as a list that is made.
const LONG_TEXT: usize = 4096;

impl Cx {
    pub(crate) fn eval(&self, expr: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        self.burn(1)?;
        match expr {
            Expr::Const(value) => return Ok(value.clone()),
            Expr::Name(name) => return Ok(self.name(name, scope)),
            _ => {}
        }
        let _level = self.level()?;
        Ok(match expr {
            Expr::Const(_) | Expr::Name(_) => Value::None,
            Expr::List(items) => Value::list(self.eval_all(items, scope)?),
            Expr::Tuple(items) => Value::Tuple(self.eval_all(items, scope)?.into()),
            Expr::Dict(pairs) => {
                let mut dict = Dict::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let key = self.eval(key, scope)?;
                    self.hashable(&key)?;
                    dict.insert(Key(key), self.eval(value, scope)?);
                }
                Value::dict(dict)
            }
            Expr::Bin(op, a, b) => {
                let a = self.eval(a, scope)?;
                let b = self.eval(b, scope)?;
                self.binary(*op, &a, &b)?
            }
            Expr::Neg(inner) => self.negate(&self.eval(inner, scope)?)?,
            Expr::Pos(inner) => {
                let value = self.eval(inner, scope)?;
                match &value {
                    Value::Bool(flag) => Value::Int(i128::from(*flag)),
                    Value::Int(_) | Value::Float(_) => value,
                    Value::Undefined(missing) => return Err(undefined(missing)),
                    _ => {
                        let name = type_name(self, &value);
                        return Err(Fault::type_error(format!("bad operand type for unary +: '{name}'")));
                    }
                }
            }
            Expr::Not(inner) => Value::Bool(!self.truth(&self.eval(inner, scope)?)?),
            Expr::And(a, b) => {
                let a = self.eval(a, scope)?;
                if self.truth(&a)? { self.eval(b, scope)? } else { a }
            }
            Expr::Or(a, b) => {
                let a = self.eval(a, scope)?;
                if self.truth(&a)? { a } else { self.eval(b, scope)? }
            }
            Expr::Compare(first, rest) => {
                let mut left = self.eval(first, scope)?;
                for (op, right) in rest {
                    let right = self.eval(right, scope)?;
                    if !self.compare(*op, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            Expr::Concat(parts) => self.concat(&self.eval_all(parts, scope)?)?,
            Expr::Cond(test, then, otherwise) => {
                if self.truth(&self.eval(test, scope)?)? {
                    self.eval(then, scope)?
                } else if let Some(otherwise) = otherwise {
                    self.eval(otherwise, scope)?
                } else {
                    Value::Undefined(Rc::new(Missing {
                        message:
                            "the inline if-expression evaluated to false and no else section was defined."
                                .into(),
                        reason: Reason::NoElse,
                    }))
                }
            }
            Expr::Attr(of, name) => self.get_attr(&self.eval(of, scope)?, name)?,
            Expr::Item(of, index) => {
                let of = self.eval(of, scope)?;
                let index = self.eval(index, scope)?;
                self.get_item(&of, &index)?
            }
            Expr::Slice(start, end, step) => {
                let part = |part: &Option<Box<Expr>>| match part {
                    Some(expr) => self.eval(expr, scope),
                    None => Ok(Value::None),
                };
                Value::Slice(Rc::new([part(start)?, part(end)?, part(step)?]))
            }
            Expr::Call(..) => self.eval_call_with(expr, scope, None)?,
            Expr::Filter(of, call) => {
                let value = self.eval(of, scope)?;
                let args = self.args(&call.args, scope)?;
                self.filter(&call.name, &value, args)?
            }
            Expr::Test(of, call) => {
                let value = self.eval(of, scope)?;
                let args = self.args(&call.args, scope)?;
                Value::Bool(self.test(&call.name, &value, args)?)
            }
        })
    }

    fn eval_all(&self, items: &[Expr], scope: &Rc<Scope>) -> Res<Vec<Value>> {
        items.iter().map(|item| self.eval(item, scope)).collect()
    }

    fn name(&self, name: &Rc<str>, scope: &Rc<Scope>) -> Value {
        if let Some(value) = scope.get(name) {
            return value;
        }
        match (crate::names::global(name), self.router.get()) {
            (Some(function), _) => Value::Function(function),
            (None, Some(router)) if **name == *DELETED_SESSIONS => self.deleted_sessions(router),
            _ => Value::missing(name),
        }
    }

    /// Few templates ask for them, so that they are looked for only then: a world need not hold them before.
    fn deleted_sessions(&self, router: Row) -> Value {
        let rows = self.world.referring_by_name(DELETED_SESSION, "router", router).to_vec();
        QuerySet::new(self.world.index(DELETED_SESSION), rows).value()
    }

    fn concat(&self, parts: &[Value]) -> Res<Value> {
        let markup = self.autoescape.get() && parts.iter().any(|part| matches!(part, Value::Markup(_)));
        let mut out = String::new();
        for part in parts {
            if markup {
                out.push_str(&self.escaped(part)?);
            } else {
                self.write_text(part, &mut out)?;
            }
        }
        self.burn_length(out.len())?;
        self.paid(if markup { Value::Markup(out.into()) } else { Value::Str(out.into()) })
    }

    pub(crate) fn args(&self, args: &CallArgs, scope: &Rc<Scope>) -> Res<Args> {
        let mut out = Args { pos: self.eval_all(&args.pos, scope)?, kw: Vec::with_capacity(args.kw.len()) };
        if let Some(star) = &args.star {
            out.pos.extend(self.items(&self.eval(star, scope)?)?);
        }
        for (name, value) in &args.kw {
            out.kw.push((name.clone(), self.eval(value, scope)?));
        }
        if let Some(star) = &args.star_star {
            let pairs = self.eval(star, scope)?;
            let Some(pairs) = crate::ops::as_dict(&pairs) else {
                return Err(Fault::type_error("argument after ** must be a mapping"));
            };
            for (key, value) in pairs {
                out.kw.push((self.text(&key.0)?.into(), value));
            }
        }
        Ok(out)
    }

    /// A call expression, with the `caller` of a call block if there is one.
    pub(crate) fn eval_call_with(
        &self,
        expr: &Expr,
        scope: &Rc<Scope>,
        caller: Option<&Value>,
    ) -> Res<Value> {
        let Expr::Call(function_expr, call_args) = expr else { return self.eval(expr, scope) };
        let extend = |mut args: Args| {
            if let Some(caller) = caller {
                args.kw.push(("caller".into(), caller.clone()));
            }
            args
        };
        if let Expr::Attr(of, name) = &**function_expr {
            let of = self.eval(of, scope)?;
            if !name.starts_with('_') && self.is_method(&of, name) {
                let args = extend(self.args(call_args, scope)?);
                return self.call_method(&of, name, args);
            }
            let function = self.get_attr(&of, name)?;
            let args = extend(self.args(call_args, scope)?);
            return self.call(&function, args);
        }
        let function = self.eval(function_expr, scope)?;
        let args = extend(self.args(call_args, scope)?);
        self.call(&function, args)
    }

    pub(crate) fn call(&self, function: &Value, args: Args) -> Res<Value> {
        self.burn(1)?;
        match function {
            Value::Macro(found) => self.call_macro(found, args),
            Value::Function(name) => self.paid(crate::functions::call(self, name, args)?),
            Value::Method(method) => self.call_method(&method.0, &method.1, args),
            Value::Loop(state) => self.recurse(state, &args),
            Value::Block(name, level) => self.call_block(name, *level),
            Value::Joiner(joiner) => {
                Ok(if joiner.1.replace(true) { joiner.0.clone() } else { Value::str("") })
            }
            Value::Undefined(missing) => Err(undefined(missing)),
            other => Err(Fault::type_error(format!("'{}' object is not callable", type_name(self, other)))),
        }
    }

    /// What a loop over the value goes through.
    pub(crate) fn items(&self, value: &Value) -> Res<Vec<Value>> {
        let items: Vec<Value> = match value {
            Value::List(items) => items.borrow().clone(),
            Value::Tuple(items) => items.to_vec(),
            Value::Dict(items) => items.borrow().keys().map(|key| key.0.clone()).collect(),
            Value::Prefix(list, at) => {
                crate::prefixes::entry(list, *at).into_keys().map(|key| key.0).collect()
            }
            Value::Prefixes(list) => {
                self.usable(list)?;
                (0..list.len()).map(|at| Value::Prefix(list.clone(), at)).collect()
            }
            Value::Str(text) | Value::Markup(text) => {
                // Each letter becomes a text of its own.
                if text.len() > LONG_TEXT {
                    self.make(text.chars().count().saturating_mul(2 * std::mem::size_of::<Value>()))?;
                }
                let mut buffer = [0; 4];
                text.chars().map(|c| Value::str(c.encode_utf8(&mut buffer))).collect()
            }
            Value::Range(start, end, step) => {
                let mut items = Vec::new();
                let mut at = *start;
                while (*step > 0 && at < *end) || (*step < 0 && at > *end) {
                    items.push(Value::Int(at));
                    at = at.saturating_add(*step);
                }
                items
            }
            Value::Query(query) => query.items(self)?,
            Value::Iter(items, _) => items.borrow_mut().by_ref().collect(),
            Value::Undefined(missing) => {
                if missing.reason == Reason::Hidden || (self.strict && missing.reason == Reason::Name) {
                    return Err(undefined(missing));
                }
                Vec::new()
            }
            Value::Loop(state) => state.items.clone(),
            Value::Network(network) => {
                let width = crate::address::width(network.address) - network.length;
                let count = 1_u128.checked_shl(width.into()).filter(|_| width < 17);
                let Some(count) = count else {
                    return Err(Fault::limit("the prefix has too many addresses to go through"));
                };
                let first = crate::address::bits(network.address);
                let v4 = network.address.is_ipv4();
                (0..count).map(|at| Value::Address(crate::address::from_bits(first + at, v4))).collect()
            }
            Value::Module(module) => vec![Value::str(&module.text)],
            other => {
                return Err(Fault::type_error(format!(
                    "'{}' object is not iterable",
                    type_name(self, other)
                )));
            }
        };
        self.burn(items.len() as u64 / 8)?;
        Ok(items)
    }

    /// `len(value)`.
    pub(crate) fn length(&self, value: &Value) -> Res<usize> {
        Ok(match value {
            Value::Str(text) | Value::Markup(text) => {
                self.burn(text.len() as u64 / 64)?;
                text.chars().count()
            }
            Value::List(items) => items.borrow().len(),
            Value::Tuple(items) => items.len(),
            Value::Dict(items) => items.borrow().len(),
            Value::Prefixes(list) => {
                self.usable(list)?;
                list.len()
            }
            Value::Query(query) => query.count(self)?,
            Value::Loop(state) => state.items.len(),
            Value::Range(..) | Value::Prefix(..) | Value::Undefined(_) => self.items(value)?.len(),
            other => {
                return Err(Fault::type_error(format!(
                    "object of type '{}' has no len()",
                    type_name(self, other)
                )));
            }
        })
    }

    /// `value.name` as Jinja2 looks it up: an attribute, else a member of that name.
    pub(crate) fn get_attr(&self, value: &Value, name: &str) -> Res<Value> {
        if let Value::Undefined(missing) = value {
            return Err(undefined(missing));
        }
        if name.starts_with('_') && !matches!(value, Value::Dict(_) | Value::Module(_)) {
            return Ok(self.hidden(value, name));
        }
        if !name.starts_with('_')
            && let Some(found) = self.attribute(value, name)?
        {
            return Ok(found);
        }
        if let Some(found) = self.member(value, &Value::str(name))? {
            return Ok(found);
        }
        if name.starts_with('_') {
            return Ok(self.hidden(value, name));
        }
        Ok(self.lacking(value, name))
    }

    fn lacking(&self, value: &Value, name: &str) -> Value {
        let of = object_name(self, value);
        Value::undefined(format!("'{of}' has no attribute '{name}'"))
    }

    fn hidden(&self, value: &Value, name: &str) -> Value {
        // A name that no Python object has is simply missing.
        let known = name.starts_with("__") || matches!(name, "_meta" | "_state");
        if !known {
            return self.lacking(value, name);
        }
        let of = type_name(self, value);
        let message = format!("access to attribute '{name}' of '{of}' object is unsafe.");
        Value::Undefined(Rc::new(Missing { message, reason: Reason::Hidden }))
    }

    /// `value[index]`: a member, else an attribute of that name.
    pub(crate) fn get_item(&self, value: &Value, index: &Value) -> Res<Value> {
        if let Value::Undefined(missing) = value {
            return Err(undefined(missing));
        }
        if let Some(found) = self.member(value, index)? {
            return Ok(found);
        }
        if let Some(name) = index.as_str() {
            if name.starts_with('_') {
                return Ok(self.hidden(value, name));
            }
            if let Some(found) = self.attribute(value, name)? {
                return Ok(found);
            }
            return Ok(self.lacking(value, name));
        }
        if let Value::Undefined(missing) = index {
            return Err(undefined(missing));
        }
        let of = object_name(self, value);
        Ok(Value::undefined(format!("{of} has no element {}", self.repr(index)?)))
    }

    fn member(&self, value: &Value, index: &Value) -> Res<Option<Value>> {
        if let Value::Slice(parts) = index {
            return self.slice(value, parts).map(Some);
        }
        Ok(match value {
            Value::Dict(items) => {
                if self.hashable(index).is_err() {
                    return Ok(None);
                }
                items.borrow().get(&Key(index.clone())).cloned()
            }
            Value::Prefix(list, at) => index.as_str().and_then(|key| crate::prefixes::member(list, *at, key)),
            Value::Query(query) => {
                let Some(at) = index.as_int() else { return Ok(None) };
                if at < 0 {
                    return Err(Fault::value("Negative indexing is not supported."));
                }
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                if query.plain() {
                    query.rows.get(at).map(|index| Value::Record(query.row(*index)))
                } else {
                    query.items(self)?.get(at).cloned()
                }
            }
            Value::Module(module) => match index.as_str() {
                Some(name) if !name.starts_with('_') => module.scope.own(name),
                _ => None,
            },
            _ => {
                let Some(at) = index.as_int() else { return Ok(None) };
                match value {
                    Value::List(items) => pick(&items.borrow(), at),
                    Value::Tuple(items) => pick(items, at),
                    Value::Prefixes(list) => {
                        self.usable(list)?;
                        place(list.len(), at).map(|at| Value::Prefix(list.clone(), at))
                    }
                    Value::Str(text) | Value::Markup(text) => {
                        self.burn(text.len() as u64 / 16)?;
                        let mut buffer = [0; 4];
                        place(text.chars().count(), at)
                            .and_then(|at| text.chars().nth(at))
                            .map(|c| Value::str(c.encode_utf8(&mut buffer)))
                    }
                    Value::Range(..) => pick(&self.items(value)?, at),
                    Value::Network(network) => {
                        let bits = crate::address::bits(network.address);
                        let v4 = network.address.is_ipv4();
                        let width = crate::address::width(network.address) - network.length;
                        let size = 1_u128.checked_shl(width.into()).unwrap_or(0);
                        let address = if at < 0 {
                            bits.wrapping_add(size).wrapping_add_signed(at)
                        } else {
                            bits.wrapping_add_signed(at)
                        };
                        let address = crate::address::from_bits(address, v4);
                        network.contains(address).then_some(Value::Address(address))
                    }
                    _ => None,
                }
            }
        })
    }

    fn slice(&self, value: &Value, parts: &[Value; 3]) -> Res<Value> {
        let whole = |part: &Value| match part {
            Value::None => Ok(None),
            other => other.as_int().map(Some).ok_or_else(|| {
                Fault::type_error("slice indices must be integers or None or have an __index__ method")
            }),
        };
        let (start, end, step) = (whole(&parts[0])?, whole(&parts[1])?, whole(&parts[2])?.unwrap_or(1));
        if step == 0 {
            return Err(Fault::value("slice step cannot be zero"));
        }
        if let Value::Query(query) = value {
            if start.is_some_and(|at| at < 0) || end.is_some_and(|at| at < 0) {
                return Err(Fault::value("Negative indexing is not supported."));
            }
            let chosen = picked(query.rows.len(), start, end, step);
            let rows: Vec<u32> = chosen.into_iter().map(|at| query.rows[at]).collect();
            let set = crate::queryset::QuerySet { sliced: true, ..query.with_rows(rows) };
            return Ok(if step == 1 { set.value() } else { Value::list(set.items(self)?) });
        }
        if let Some(text) = value.as_str() {
            self.burn(text.len() as u64 / 16)?;
            let chars: Vec<char> = text.chars().collect();
            let chosen: String =
                picked(chars.len(), start, end, step).into_iter().map(|at| chars[at]).collect();
            let markup = matches!(value, Value::Markup(_));
            return self.paid(if markup { Value::Markup(chosen.into()) } else { Value::Str(chosen.into()) });
        }
        let items = match value {
            Value::List(_) | Value::Tuple(_) | Value::Prefixes(_) | Value::Range(..) => self.items(value)?,
            _ => {
                let of = object_name(self, value);
                return Ok(Value::undefined(format!("{of} has no element slice")));
            }
        };
        let chosen: Vec<Value> =
            picked(items.len(), start, end, step).into_iter().map(|at| items[at].clone()).collect();
        Ok(match value {
            Value::Tuple(_) => Value::Tuple(chosen.into()),
            _ => Value::List(Rc::new(RefCell::new(chosen))),
        })
    }

    /// The template a tag names: text, or the first that exists of a list.
    pub(crate) fn load(&self, wanted: &Value, ignore_missing: bool) -> Res<Option<Rc<Template>>> {
        if let Value::Undefined(missing) = wanted {
            return Err(undefined(missing));
        }
        let names = match wanted {
            Value::List(_) | Value::Tuple(_) => self.items(wanted)?,
            other => vec![other.clone()],
        };
        let mut last = String::new();
        for name in &names {
            let Some(name) = name.as_str() else {
                return Err(Fault::type_error(format!(
                    "no loader for this environment specified: {}",
                    type_name(self, wanted)
                )));
            };
            match self.find_template(name)? {
                Some(found) => return Ok(Some(found)),
                None => {
                    name.split_once("::").map_or(name, |(_, identifier)| identifier).clone_into(&mut last);
                }
            }
        }
        if ignore_missing {
            return Ok(None);
        }
        let fault = if matches!(wanted, Value::List(_) | Value::Tuple(_)) {
            let shown: Vec<String> =
                names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
            let message = format!("none of the templates given were found: {}", shown.join(", "));
            Fault::new("jinja2.exceptions.TemplatesNotFound", message)
        } else {
            Fault::new("jinja2.exceptions.TemplateNotFound", last)
        };
        Err(fault)
    }

    fn find_template(&self, name: &str) -> Res<Option<Rc<Template>>> {
        if let Some(found) = self.parsed.borrow().get(name) {
            return Ok(Some(found.clone()));
        }
        let source = match self.templates.find(name)? {
            Found::Nothing => return Ok(None),
            Found::Source(source) => source,
            // An export is rendered first, alone, and what it gives is read as a template.
            Found::Export { source, model } => {
                let source = crate::environment::export(self, &source, &model)?;
                self.warnings
                    .borrow_mut()
                    .push(format!("{name}: the output of an export template is read as a template"));
                Arc::from(source)
            }
        };
        let loader_name: Rc<str> = name.into();
        let parsed = Rc::new(crate::parser::parse(&loader_name, &source, self.flags)?);
        self.parsed.borrow_mut().insert(name.to_owned(), parsed.clone());
        Ok(Some(parsed))
    }
}

fn place(length: usize, at: i128) -> Option<usize> {
    let at = if at < 0 { at + length as i128 } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

pub(crate) fn pick(items: &[Value], at: i128) -> Option<Value> {
    place(items.len(), at).map(|at| items[at].clone())
}

fn picked(length: usize, start: Option<i128>, end: Option<i128>, step: i128) -> Vec<usize> {
    let length = length as i128;
    let bound = |at: i128, low: i128, high: i128| (if at < 0 { at + length } else { at }).clamp(low, high);
    let (start, end) = if step > 0 {
        (start.map_or(0, |at| bound(at, 0, length)), end.map_or(length, |at| bound(at, 0, length)))
    } else {
        (
            start.map_or(length - 1, |at| bound(at, -1, length - 1)),
            end.map_or(-1, |at| bound(at, -1, length - 1)),
        )
    };
    let mut out = Vec::new();
    let mut at = start;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        out.extend(usize::try_from(at).ok());
        at = at.saturating_add(step);
    }
    out
}
