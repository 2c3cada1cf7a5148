//! Methods of lists and dictionaries.

use std::cell::RefCell;
use std::rc::Rc;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::{Dict, Key, Value};

type Items = Rc<RefCell<Vec<Value>>>;

fn need<'a>(args: &'a Args, name: &str) -> Res<&'a Value> {
    args.pos.first().ok_or_else(|| Fault::type_error(format!("{name} takes exactly one argument (0 given)")))
}

fn guard(cx: &Cx, items: &Items) -> Res<()> {
    let length = items.borrow().len();
    cx.guard_output(length.saturating_mul(32))
}

pub(crate) fn list(cx: &Cx, items: &Items, name: &str, mut args: Args) -> Res<Value> {
    let full = format!("list.{name}()");
    Ok(match name {
        "append" => {
            let item = need(&args, &full)?.clone();
            items.borrow_mut().push(item);
            guard(cx, items)?;
            Value::None
        }
        "extend" => {
            let more = cx.items(need(&args, &full)?)?;
            items.borrow_mut().extend(more);
            guard(cx, items)?;
            Value::None
        }
        "insert" => {
            let [at, item] = args.bind("insert", ["index", "object"], 2, 0)?;
            let length = items.borrow().len() as i128;
            let at = at.and_then(|at| at.as_int()).unwrap_or(0);
            let at = if at < 0 { (at + length).max(0) } else { at.min(length) };
            items.borrow_mut().insert(usize::try_from(at).unwrap_or(0), item.unwrap_or(Value::None));
            guard(cx, items)?;
            Value::None
        }
        "pop" => {
            let length = items.borrow().len() as i128;
            let at = args.pos.first().and_then(Value::as_int).unwrap_or(-1);
            let at = if at < 0 { at + length } else { at };
            if length == 0 {
                return Err(Fault::new("IndexError", "pop from empty list"));
            }
            match usize::try_from(at) {
                Ok(at) if (at as i128) < length => items.borrow_mut().remove(at),
                _ => return Err(Fault::new("IndexError", "pop index out of range")),
            }
        }
        "index" | "remove" => {
            let wanted = need(&args, &full)?.clone();
            let found = cx.position(&items.borrow(), &wanted)?;
            match found {
                Some(at) if name == "index" => Value::int(at),
                Some(at) => {
                    items.borrow_mut().remove(at);
                    Value::None
                }
                None if name == "index" => {
                    return Err(Fault::value(format!("{} is not in list", cx.repr(&wanted)?)));
                }
                None => return Err(Fault::value("list.remove(x): x not in list")),
            }
        }
        "count" => {
            let wanted = need(&args, &full)?.clone();
            let mut count = 0;
            cx.burn(items.borrow().len() as u64)?;
            for item in items.borrow().iter() {
                count += usize::from(cx.equal(item, &wanted)?);
            }
            Value::int(count)
        }
        "clear" => {
            items.borrow_mut().clear();
            Value::None
        }
        "copy" => Value::list(items.borrow().clone()),
        "reverse" => {
            items.borrow_mut().reverse();
            Value::None
        }
        _ => {
            let reverse = args.take("reverse").is_some_and(|flag| cx.truth(&flag).unwrap_or(false));
            let mut sorted = items.borrow().clone();
            cx.sort(&mut sorted, reverse)?;
            items.replace(sorted);
            Value::None
        }
    })
}

pub(crate) fn dict(cx: &Cx, items: &Rc<RefCell<Dict>>, name: &str, mut args: Args) -> Res<Value> {
    let key = |args: &Args| -> Res<Key> {
        let key = args.pos.first().cloned();
        let key =
            key.ok_or_else(|| Fault::type_error(format!("{name} expected at least 1 argument, got 0")))?;
        cx.hashable(&key)?;
        Ok(Key(key))
    };
    let default = |args: &Args| args.pos.get(1).cloned();
    Ok(match name {
        "get" => {
            let key = key(&args)?;
            items.borrow().get(&key).cloned().or_else(|| default(&args)).unwrap_or(Value::None)
        }
        "keys" => Value::list(items.borrow().keys().map(|key| key.0.clone()).collect()),
        "values" => Value::list(items.borrow().values().cloned().collect()),
        "items" => Value::list(
            items
                .borrow()
                .iter()
                .map(|(key, value)| Value::Tuple([key.0.clone(), value.clone()].into()))
                .collect(),
        ),
        "copy" => Value::dict(items.borrow().clone()),
        "clear" => {
            items.borrow_mut().clear();
            Value::None
        }
        "pop" => {
            let key = key(&args)?;
            let found = items.borrow_mut().shift_remove(&key).or_else(|| default(&args));
            found.ok_or(()).or_else(|()| Err(Fault::new("KeyError", cx.repr(&key.0)?)))?
        }
        "popitem" => match items.borrow_mut().pop() {
            Some((key, value)) => Value::Tuple([key.0, value].into()),
            None => return Err(Fault::new("KeyError", "'popitem(): dictionary is empty'")),
        },
        "setdefault" => {
            let key = key(&args)?;
            let value = default(&args).unwrap_or(Value::None);
            items.borrow_mut().entry(key).or_insert(value).clone()
        }
        _ => {
            let kw = std::mem::take(&mut args.kw);
            if let Some(first) = args.pos.first() {
                match crate::ops::as_dict(first) {
                    Some(pairs) => items.borrow_mut().extend(pairs),
                    None => {
                        for pair in cx.items(first)? {
                            if let [key, value] = &*cx.items(&pair)? {
                                cx.hashable(key)?;
                                items.borrow_mut().insert(Key(key.clone()), value.clone());
                            }
                        }
                    }
                }
            }
            for (name, value) in kw {
                items.borrow_mut().insert(Key::str(&name), value);
            }
            let length = items.borrow().len();
            cx.guard_output(length.saturating_mul(64))?;
            Value::None
        }
    })
}
