//! Global functions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::{Dict, Key, Value};

const MAX_RANGE: i128 = 100_000;

pub(crate) fn call(cx: &Cx, name: &str, args: Args) -> Res<Value> {
    match name {
        "range" => range(cx, &args),
        "dict" => dict(cx, args).map(Value::dict),
        "namespace" => {
            let pairs = dict(cx, args)?;
            let mut items = indexmap::IndexMap::new();
            for (key, value) in pairs {
                items.insert(cx.text(&key.0)?.into(), value);
            }
            Ok(Value::Namespace(Rc::new(RefCell::new(items))))
        }
        "cycler" => {
            if args.pos.is_empty() {
                return Err(Fault::new("RuntimeError", "at least one item has to be provided"));
            }
            Ok(Value::Cycler(Rc::new((args.pos, Cell::new(0)))))
        }
        "joiner" => {
            let [sep] = args.bind("__init__", ["sep"], 0, 1)?;
            Ok(Value::Joiner(Rc::new((sep.unwrap_or_else(|| Value::str(", ")), Cell::new(false)))))
        }
        "fresh" => {
            let [age] = args.bind("fresh", ["age"], 1, 0)?;
            crate::fresh::demand(cx, None, &age.unwrap_or(Value::None))?;
            Ok(Value::str(""))
        }
        "lipsum" => Ok(Value::str("Lorem ipsum dolor sit amet, consectetur adipiscing elit.")),
        _ => {
            let [format, zone] = args.bind("time_now", ["format", "timezone"], 0, 0)?;
            let format = format.map_or(Ok("%Y-%m-%dT%H:%M:%SZ".to_owned()), |format| cx.text(&format))?;
            let zone = zone.map_or(Ok(String::new()), |zone| cx.text(&zone))?;
            let zone = if zone.is_empty() { &cx.settings.time_zone } else { &zone };
            crate::datetime::now(cx.now, &format, zone).map(|text| Value::str(&text))
        }
    }
}

fn range(cx: &Cx, args: &Args) -> Res<Value> {
    let mut numbers = Vec::new();
    for value in &args.pos {
        if let Value::Undefined(missing) = value {
            return Err(crate::ops::undefined(missing));
        }
        let name = crate::repr::type_name(cx, value);
        let wrong = || Fault::type_error(format!("'{name}' object cannot be interpreted as an integer"));
        numbers.push(value.as_int().ok_or_else(wrong)?);
    }
    let (start, end, step) = match *numbers {
        [end] => (0, end, 1),
        [start, end] => (start, end, 1),
        [start, end, step] if step != 0 => (start, end, step),
        [_, _, _] => return Err(Fault::value("range() arg 3 must not be zero")),
        _ => {
            return Err(Fault::type_error(format!(
                "range expected at least 1 argument, got {}",
                numbers.len()
            )));
        }
    };
    let count = if (step > 0) == (start < end) {
        end.checked_sub(start).map(|length| length / step)
    } else {
        Some(0)
    };
    if count.is_none_or(|count| count > MAX_RANGE) {
        return Err(Fault::new(
            "OverflowError",
            "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
        ));
    }
    Ok(Value::Range(start, end, step))
}

fn dict(cx: &Cx, args: Args) -> Res<Dict> {
    let mut out = Dict::new();
    if let Some(first) = args.pos.first() {
        match crate::ops::as_dict(first) {
            Some(pairs) => out = pairs,
            None => {
                for pair in cx.items(first)? {
                    if let [key, value] = &*cx.items(&pair)? {
                        cx.hashable(key)?;
                        out.insert(Key(key.clone()), value.clone());
                    }
                }
            }
        }
    }
    for (name, value) in args.kw {
        out.insert(Key::str(&name), value);
    }
    Ok(out)
}
