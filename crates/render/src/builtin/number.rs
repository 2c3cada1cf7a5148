//! Filters of numbers.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::ops::undefined;
use crate::value::Value;

use super::{flag, int};

pub(super) fn integer(value: &Value, args: Args) -> Res<Value> {
    let [default, base] = args.bind("do_int", ["default", "base"], 0, 1)?;
    to_int(value, default.unwrap_or(Value::Int(0)), int(base.as_ref(), 10))
}

pub(super) fn float(value: &Value, args: Args) -> Res<Value> {
    let [default] = args.bind("do_float", ["default"], 0, 1)?;
    to_float(value, default.unwrap_or(Value::Float(0.0)))
}

pub(super) fn absolute(cx: &Cx, value: &Value) -> Res<Value> {
    Ok(match value {
        Value::Float(number) => Value::Float(number.abs()),
        Value::Undefined(missing) => return Err(undefined(missing)),
        other => {
            if let Some(number) = other.as_int() {
                Value::Int(number.checked_abs().ok_or_else(crate::ops::too_large)?)
            } else {
                let name = crate::repr::type_name(cx, other);
                return Err(Fault::type_error(format!("bad operand type for abs(): '{name}'")));
            }
        }
    })
}

pub(super) fn rounded(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [precision, method] = args.bind("do_round", ["precision", "method"], 0, 1)?;
    let method = method.map_or(Ok("common".to_owned()), |method| cx.text(&method))?;
    round(cx, value, int(precision.as_ref(), 0), &method)
}

pub(super) fn file_size(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [binary] = args.bind("do_filesizeformat", ["binary"], 0, 1)?;
    let bytes = to_float(value, Value::Float(0.0))?.as_float().unwrap_or(0.0);
    Ok(Value::Str(filesize(bytes, flag(cx, binary.as_ref(), false)?).into()))
}

fn to_int(value: &Value, default: Value, base: i128) -> Res<Value> {
    if let Value::Undefined(missing) = value {
        return Err(undefined(missing));
    }
    if let Some(text) = value.as_str() {
        let clean = text.trim().replace('_', "");
        let radix = u32::try_from(base).unwrap_or(10);
        let (negative, digits) = clean.strip_prefix('-').map_or((false, clean.as_str()), |rest| (true, rest));
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let digits = match radix {
            16 => digits.trim_start_matches("0x"),
            8 => digits.trim_start_matches("0o"),
            2 => digits.trim_start_matches("0b"),
            _ => digits,
        };
        if (2..=36).contains(&radix)
            && let Ok(number) = i128::from_str_radix(digits, radix)
            && !digits.starts_with(['+', '-'])
        {
            return if negative { number.checked_neg() } else { Some(number) }
                .map(Value::Int)
                .ok_or_else(crate::ops::too_large);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "as Python cuts")]
    match to_float(value, Value::None)? {
        Value::Float(number) if number.is_finite() => {
            Ok(Value::Int(value.as_int().unwrap_or(number.trunc() as i128)))
        }
        _ => Ok(default),
    }
}

fn to_float(value: &Value, default: Value) -> Res<Value> {
    if let Value::Undefined(missing) = value {
        return Err(undefined(missing));
    }
    if let Some(text) = value.as_str() {
        return Ok(text.trim().replace('_', "").parse().map_or(default, Value::Float));
    }
    Ok(value.as_float().map_or(default, Value::Float))
}

fn round(cx: &Cx, value: &Value, precision: i128, method: &str) -> Res<Value> {
    let Some(number) = value.as_float() else {
        if let Value::Undefined(missing) = value {
            return Err(undefined(missing));
        }
        let name = crate::repr::type_name(cx, value);
        return Err(Fault::type_error(format!("type {name} doesn't define __round__ method")));
    };
    let digits = i32::try_from(precision).unwrap_or(0).clamp(-300, 300);
    let scale = 10_f64.powi(digits);
    let rounded = match method {
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        "common" => {
            if let Some(whole) = value.as_int() {
                let Ok(places) = u32::try_from(precision.saturating_neg()) else {
                    return Ok(Value::Int(whole));
                };
                let Some(unit) = 10_i128.checked_pow(places) else { return Ok(Value::Int(0)) };
                let (down, rest) = (whole.div_euclid(unit), whole.rem_euclid(unit));
                let up = rest > unit - rest || (rest == unit - rest && down % 2 != 0);
                let rounded = (down + i128::from(up)).checked_mul(unit);
                return rounded.map(Value::Int).ok_or_else(crate::ops::too_large);
            }
            match usize::try_from(precision) {
                // Printing rounds to the nearest, halves of what is really stored to even.
                Ok(places) => format!("{number:.places$}").parse().unwrap_or(number),
                Err(_) => (number * scale).round_ties_even() / scale,
            }
        }
        _ => {
            return Err(Fault::new(
                "jinja2.exceptions.FilterArgumentError",
                "method must be common, ceil or floor",
            ));
        }
    };
    Ok(Value::Float(rounded))
}

fn filesize(bytes: f64, binary: bool) -> String {
    let base = if binary { 1024.0 } else { 1000.0 };
    #[expect(clippy::float_cmp, reason = "exactly one")]
    if bytes == 1.0 {
        return "1 Byte".into();
    }
    if bytes < base {
        return format!("{} Bytes", bytes.trunc());
    }
    let units = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut unit = base;
    for (at, name) in units.iter().enumerate() {
        unit *= base;
        if bytes < unit || at + 1 == units.len() {
            return format!("{:.1} {name}", base * bytes / unit);
        }
    }
    String::new()
}
