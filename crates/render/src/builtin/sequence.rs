//! Filters of items, one after another.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::ops::undefined;
use crate::value::Value;

use super::{int, like};

impl Cx {
    /// `a.b.0` of an item, as `attribute=` arguments mean it.
    pub(super) fn path(&self, item: &Value, path: &Value, default: Option<&Value>) -> Res<Value> {
        if let Value::Int(_) = path {
            return self.get_item(item, path);
        }
        let path = self.text(path)?;
        let mut value = item.clone();
        for step in path.split('.') {
            let key = match step.parse::<i128>() {
                Ok(number) if step.bytes().all(|b| b.is_ascii_digit()) => Value::Int(number),
                _ => Value::str(step),
            };
            value = match &key {
                Value::Str(name) => self.by_name(&value, name)?,
                key => self.get_item(&value, key)?,
            };
            if value.is_undefined()
                && let Some(default) = default
            {
                value = default.clone();
            }
        }
        Ok(value)
    }

    /// The environment's `getitem`: a member, else an attribute.
    fn by_name(&self, value: &Value, name: &str) -> Res<Value> {
        self.get_item(value, &Value::str(name))
    }

    fn reversible(&self, value: &Value) -> Res<Vec<Value>> {
        match value {
            Value::Iter(..) => {
                let name = crate::repr::type_name(self, value);
                Err(Fault::type_error(format!("'{name}' object is not reversible")))
            }
            _ => self.items(value),
        }
    }

    fn join(&self, value: &Value, sep: Option<&Value>, attribute: Option<&Value>) -> Res<Value> {
        let items = self.items(value)?;
        let escaping = self.autoescape.get();
        let sep = match sep {
            Some(sep) if escaping => self.escaped(sep)?,
            Some(sep) => self.text(sep)?,
            None => String::new(),
        };
        let mut out = String::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(&sep);
            }
            let found;
            let item = match attribute {
                None | Some(Value::None) => item,
                Some(path) => {
                    found = self.path(item, path, None)?;
                    &found
                }
            };
            if escaping {
                out.push_str(&self.escaped(item)?);
            } else {
                self.write_text(item, &mut out)?;
            }
            self.guard_output(out.len())?;
        }
        self.burn_length(out.len())?;
        Ok(if escaping { Value::Markup(out.into()) } else { Value::Str(out.into()) })
    }

    pub(super) fn map(&self, value: &Value, mut args: Args) -> Res<Value> {
        let items = self.items(value)?;
        let mut out = Vec::with_capacity(items.len());
        if args.pos.is_empty()
            && let Some(path) = args.take("attribute")
        {
            let default = args.take("default");
            if let Some((name, _)) = args.kw.first() {
                let message = format!("Unexpected keyword argument '{name}'");
                return Err(Fault::new("jinja2.exceptions.FilterArgumentError", message));
            }
            for item in items {
                self.burn(1)?;
                out.push(self.path(&item, &path, default.as_ref())?);
            }
            return Ok(Value::iter(out));
        }
        if args.pos.is_empty() {
            return Err(Fault::new(
                "jinja2.exceptions.FilterArgumentError",
                "map requires a filter argument",
            ));
        }
        let name = self.text(&args.pos.remove(0))?;
        if !crate::names::exists(crate::names::Kind::Filter, &name) {
            return Err(Fault::runtime(format!("No filter named '{name}'.")));
        }
        for item in items {
            out.push(self.filter(&name, &item, args.clone())?);
        }
        Ok(Value::iter(out))
    }

    pub(super) fn select(&self, name: &str, value: &Value, mut args: Args) -> Res<Value> {
        let wanted = name.starts_with("select");
        let path = if name.ends_with("attr") {
            if args.pos.is_empty() {
                return Err(Fault::new(
                    "jinja2.exceptions.FilterArgumentError",
                    "Missing parameter for attribute name",
                ));
            }
            Some(args.pos.remove(0))
        } else {
            None
        };
        let test = if args.pos.is_empty() { None } else { Some(self.text(&args.pos.remove(0))?) };
        if let Some(test) = &test
            && !crate::names::exists(crate::names::Kind::Test, test)
        {
            return Err(Fault::runtime(format!("No test named '{test}'.")));
        }
        let mut out = Vec::new();
        for item in self.items(value)? {
            self.burn(1)?;
            let subject = match &path {
                None => item.clone(),
                Some(path) => self.path(&item, path, None)?,
            };
            let holds = match &test {
                None => self.truth(&subject)?,
                Some(test) => self.test(test, &subject, args.clone())?,
            };
            if holds == wanted {
                out.push(item);
            }
        }
        Ok(Value::iter(out))
    }
}

pub(super) fn items(value: &Value) -> Res<Value> {
    Ok(match crate::ops::as_dict(value) {
        Some(pairs) => {
            Value::iter(pairs.into_iter().map(|(key, value)| Value::Tuple([key.0, value].into())).collect())
        }
        None if value.is_undefined() => Value::iter(Vec::new()),
        None => return Err(Fault::type_error("Can only get item pairs from a mapping.")),
    })
}

pub(super) fn first(cx: &Cx, value: &Value) -> Res<Value> {
    let found = match value {
        Value::Iter(items, _) => items.borrow_mut().next(),
        Value::Query(query) if query.plain() => {
            query.rows.first().map(|index| Value::Record(query.row(*index)))
        }
        _ => cx.items(value)?.into_iter().next(),
    };
    Ok(found.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
}

pub(super) fn last(cx: &Cx, value: &Value) -> Res<Value> {
    let found = cx.reversible(value)?.into_iter().last();
    Ok(found.unwrap_or_else(|| Value::undefined("No last item, sequence was empty.")))
}

/// Nothing here is left to chance: the same template gives the same text.
pub(super) fn random(cx: &Cx, value: &Value) -> Res<Value> {
    let found = cx.items(value)?.into_iter().next();
    Ok(found.unwrap_or_else(|| Value::undefined("No random item, sequence was empty.")))
}

pub(super) fn reverse(cx: &Cx, value: &Value) -> Res<Value> {
    Ok(match value {
        Value::Str(text) | Value::Markup(text) => {
            cx.burn_length(text.len())?;
            like(value, text.chars().rev().collect())
        }
        _ => Value::iter(cx.reversible(value)?.into_iter().rev().collect()),
    })
}

pub(super) fn join(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [sep, attribute] = args.bind("do_join", ["d", "attribute"], 0, 2)?;
    cx.join(value, sep.as_ref(), attribute.as_ref())
}

pub(super) fn sum(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [attribute, start] = args.bind("do_sum", ["attribute", "start"], 0, 2)?;
    let mut sum = start.unwrap_or(Value::Int(0));
    for item in cx.items(value)? {
        let item = match &attribute {
            None | Some(Value::None) => item,
            Some(path) => cx.path(&item, path, None)?,
        };
        sum = cx.binary(crate::ast::BinOp::Add, &sum, &item)?;
    }
    Ok(sum)
}

pub(super) fn batch(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [count, fill] = args.bind("do_batch", ["linecount", "fill_with"], 1, 1)?;
    let count = usize::try_from(int(count.as_ref(), 1)).unwrap_or(1).max(1);
    let mut batches: Vec<Vec<Value>> = cx.items(value)?.chunks(count).map(<[Value]>::to_vec).collect();
    if let (Some(last), Some(fill)) = (batches.last_mut(), fill.filter(|fill| !fill.is_none())) {
        cx.burn_length(count)?;
        last.resize(count, fill);
    }
    Ok(Value::iter(batches.into_iter().map(Value::list).collect()))
}

pub(super) fn slice(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [count, fill] = args.bind("do_slice", ["slices", "fill_with"], 1, 1)?;
    let count = usize::try_from(int(count.as_ref(), 1)).unwrap_or(1).clamp(1, 100_000);
    Ok(Value::iter(slices(&cx.items(value)?, count, fill.as_ref())))
}

fn slices(items: &[Value], count: usize, fill: Option<&Value>) -> Vec<Value> {
    let (per, extra) = (items.len() / count, items.len() % count);
    let mut at = 0;
    (0..count)
        .map(|slice| {
            let size = per + usize::from(slice < extra);
            let mut part = items[at..at + size].to_vec();
            at += size;
            if let Some(fill) = fill.filter(|fill| !fill.is_none())
                && slice >= extra
                && extra > 0
            {
                part.push(fill.clone());
            }
            Value::list(part)
        })
        .collect()
}

pub(super) fn attr(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [name] = args.bind("do_attr", ["name"], 1, 2)?;
    let name = cx.text(&name.unwrap_or(Value::None))?;
    if let Value::Undefined(missing) = value {
        return Err(undefined(missing));
    }
    if name.starts_with('_') {
        return cx.get_attr(value, &name);
    }
    Ok(if let Some(found) = cx.attribute(value, &name)? {
        found
    } else {
        let of = crate::repr::object_name(cx, value);
        Value::undefined(format!("'{of}' has no attribute '{name}'"))
    })
}
