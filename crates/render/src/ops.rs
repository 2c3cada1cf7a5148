//! Python's operators.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::ast::{BinOp, CmpOp};
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::repr::type_name;
use crate::value::{Key, Value};

/// `a == b`, if that can be told without going through what they hold.
fn flat(a: &Value, b: &Value) -> Option<bool> {
    if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
        return Some(a == b);
    }
    #[expect(clippy::float_cmp, reason = "as Python compares")]
    if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
        return Some(a == b);
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        return Some(a == b);
    }
    Some(match (a, b) {
        (Value::None, Value::None)
        | (Value::Undefined(_), Value::Undefined(_))
        | (Value::Blocks, Value::Blocks) => true,
        (Value::List(a), Value::List(b)) if Rc::ptr_eq(a, b) => true,
        (Value::Tuple(_), Value::Tuple(_))
        | (Value::List(_), Value::List(_) | Value::Prefixes(_))
        | (Value::Prefixes(_), Value::List(_))
        | (Value::Prefix(..) | Value::Dict(_), Value::Prefix(..) | Value::Dict(_)) => return None,
        (Value::Prefixes(a), Value::Prefixes(b)) => a.same(b),
        (Value::Record(a), Value::Record(b)) => a == b,
        (Value::Address(a), Value::Address(b)) => a == b,
        (Value::Interface(a), Value::Interface(b)) => a == b,
        (Value::Network(a), Value::Network(b)) => a == b,
        (Value::Mac(a, _), Value::Mac(b, _)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Range(..), Value::Range(..)) => as_range(a) == as_range(b),
        (Value::Function(a), Value::Function(b)) => a == b,
        (Value::Query(a), Value::Query(b)) => Rc::ptr_eq(a, b),
        (Value::Macro(a), Value::Macro(b)) => Rc::ptr_eq(a, b),
        (Value::Namespace(a), Value::Namespace(b)) => Rc::ptr_eq(a, b),
        (Value::Loop(a), Value::Loop(b)) => Rc::ptr_eq(a, b),
        _ => false,
    })
}

/// Whether two keys are the same. `Cx::hashable` has let in nothing but tuples that holds other values, and none that are
/// deep.
pub(crate) fn same_key(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Tuple(a), Value::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_key(a, b))
        }
        _ => flat(a, b).unwrap_or(false),
    }
}

fn as_range(value: &Value) -> Option<(i128, i128, i128)> {
    match value {
        Value::Range(start, end, step) => Some((*start, *end, *step)),
        _ => None,
    }
}

/// A dictionary's members, also of an entry of a prefix list.
pub(crate) fn as_dict(value: &Value) -> Option<crate::value::Dict> {
    match value {
        Value::Dict(items) => Some(items.borrow().clone()),
        Value::Prefix(list, at) => Some(crate::prefixes::entry(list, *at)),
        _ => None,
    }
}

impl Cx {
    /// `a == b`; an error for what is nested too deeply to be told.
    pub(crate) fn equal(&self, a: &Value, b: &Value) -> Res<bool> {
        if let Some(known) = flat(a, b) {
            self.burn(a.as_str().map_or(0, str::len) as u64 / 64)?;
            return Ok(known);
        }
        let _level = self.level()?;
        match (a, b) {
            (Value::Tuple(a), Value::Tuple(b)) => self.equal_items(a, b),
            (Value::List(a), Value::List(b)) => self.equal_items(&a.borrow(), &b.borrow()),
            (Value::Prefixes(list), Value::List(other)) | (Value::List(other), Value::Prefixes(list)) => {
                let other = other.borrow();
                if list.len() != other.len() {
                    return Ok(false);
                }
                self.burn(other.len() as u64)?;
                for (at, item) in other.iter().enumerate() {
                    if !self.equal(&Value::Prefix(list.clone(), at), item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => {
                if let (Value::Dict(a), Value::Dict(b)) = (a, b)
                    && Rc::ptr_eq(a, b)
                {
                    return Ok(true);
                }
                let (Some(a), Some(b)) = (as_dict(a), as_dict(b)) else { return Ok(false) };
                self.burn(a.len() as u64)?;
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, value) in &a {
                    let Some(other) = b.get(key) else { return Ok(false) };
                    if !self.equal(value, other)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    pub(crate) fn equal_items(&self, a: &[Value], b: &[Value]) -> Res<bool> {
        if a.len() != b.len() {
            return Ok(false);
        }
        self.burn(a.len() as u64)?;
        for (a, b) in a.iter().zip(b) {
            if !self.equal(a, b)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where the first of the items is that equals the wanted one.
    pub(crate) fn position(&self, items: &[Value], wanted: &Value) -> Res<Option<usize>> {
        self.burn(items.len() as u64)?;
        for (at, item) in items.iter().enumerate() {
            if self.equal(item, wanted)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// `a < b` and its kin; an error for things that have no order.
    pub(crate) fn order(&self, a: &Value, b: &Value, sign: &str) -> Res<Ordering> {
        if let Value::Undefined(missing) = a {
            return Err(undefined(missing));
        }
        if let Value::Undefined(missing) = b {
            return Err(undefined(missing));
        }
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return Ok(a.cmp(&b));
        }
        if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
            return Ok(a.partial_cmp(&b).unwrap_or(Ordering::Equal));
        }
        if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
            self.burn(a.len().min(b.len()) as u64 / 64)?;
            return Ok(a.cmp(b));
        }
        let sequences = match (a, b) {
            (Value::Tuple(a), Value::Tuple(b)) => Some((a.to_vec(), b.to_vec())),
            (Value::List(a), Value::List(b)) => Some((a.borrow().clone(), b.borrow().clone())),
            _ => None,
        };
        if let Some((left, right)) = sequences {
            let _level = self.level()?;
            self.burn((left.len() + right.len()) as u64 / 8)?;
            for (a, b) in left.iter().zip(&right) {
                self.burn(1)?;
                if !self.equal(a, b)? {
                    return self.order(a, b, sign);
                }
            }
            return Ok(left.len().cmp(&right.len()));
        }
        match (a, b) {
            (Value::Address(a), Value::Address(b)) if a.is_ipv4() == b.is_ipv4() => return Ok(a.cmp(b)),
            (Value::Interface(a), Value::Interface(b)) if a.address.is_ipv4() == b.address.is_ipv4() => {
                let (x, y) = (a.network(), b.network());
                return Ok((x.address, x.length, a.address).cmp(&(y.address, y.length, b.address)));
            }
            (Value::Network(a), Value::Network(b)) if a.address.is_ipv4() == b.address.is_ipv4() => {
                return Ok((a.address, a.length).cmp(&(b.address, b.length)));
            }
            (Value::Mac(a, _), Value::Mac(b, _)) => return Ok(a.cmp(b)),
            (Value::Time(a), Value::Time(b)) => return Ok(a.cmp(b)),
            (Value::Address(_) | Value::Interface(_), Value::Address(_) | Value::Interface(_)) => {
                let (x, y) = (self.text(a)?, self.text(b)?);
                return Err(Fault::type_error(format!("{x} and {y} are not of the same version")));
            }
            _ => {}
        }
        let (a, b) = (type_name(self, a), type_name(self, b));
        Err(Fault::type_error(format!("'{sign}' not supported between instances of '{a}' and '{b}'")))
    }

    pub(crate) fn compare(&self, op: CmpOp, a: &Value, b: &Value) -> Res<bool> {
        Ok(match op {
            CmpOp::Eq => self.equal(a, b)?,
            CmpOp::Ne => !self.equal(a, b)?,
            CmpOp::Lt => self.order(a, b, "<")?.is_lt(),
            CmpOp::Le => self.order(a, b, "<=")?.is_le(),
            CmpOp::Gt => self.order(a, b, ">")?.is_gt(),
            CmpOp::Ge => self.order(a, b, ">=")?.is_ge(),
            CmpOp::In => self.contains(b, a)?,
            CmpOp::NotIn => !self.contains(b, a)?,
        })
    }

    /// `item in container`.
    pub(crate) fn contains(&self, container: &Value, item: &Value) -> Res<bool> {
        match container {
            Value::Str(text) | Value::Markup(text) => {
                if let Some(part) = item.as_str() {
                    self.burn(text.len() as u64 / 16)?;
                    Ok(text.contains(part))
                } else {
                    let name = type_name(self, item);
                    Err(Fault::type_error(format!(
                        "'in <string>' requires string as left operand, not {name}"
                    )))
                }
            }
            Value::Dict(items) => {
                self.hashable(item)?;
                Ok(items.borrow().contains_key(&Key(item.clone())))
            }
            Value::Prefix(list, at) => {
                Ok(item.as_str().is_some_and(|key| crate::prefixes::member(list, *at, key).is_some()))
            }
            Value::Network(network) => match item {
                Value::Address(address) => Ok(network.contains(*address)),
                Value::Interface(interface) => Ok(network.contains(interface.address)),
                _ => Ok(false),
            },
            Value::Query(query) if query.plain() => match item {
                Value::Record(row) => Ok(query.model == row.model && query.rows.contains(&row.index)),
                _ => Ok(false),
            },
            _ => {
                let items = match self.items(container) {
                    Ok(items) => items,
                    Err(_) if !matches!(container, Value::Undefined(_)) => {
                        let name = type_name(self, container);
                        return Err(Fault::type_error(format!("argument of type '{name}' is not iterable")));
                    }
                    Err(fault) => return Err(fault),
                };
                Ok(self.position(&items, item)?.is_some())
            }
        }
    }

    /// An error for what cannot be a key of a dictionary.
    pub(crate) fn hashable(&self, value: &Value) -> Res<()> {
        match value {
            Value::Str(text) | Value::Markup(text) => self.burn(text.len() as u64 / 16),
            Value::List(_) | Value::Dict(_) | Value::Prefix(..) | Value::Prefixes(_) => {
                Err(Fault::type_error(format!("unhashable type: '{}'", type_name(self, value))))
            }
            Value::Tuple(items) => {
                let _level = self.level()?;
                self.burn(items.len() as u64)?;
                items.iter().try_for_each(|item| self.hashable(item))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn truth(&self, value: &Value) -> Res<bool> {
        Ok(match value {
            Value::None => false,
            Value::Undefined(missing) => {
                if self.strict && missing.reason == crate::value::Reason::Name {
                    return Err(undefined(missing));
                }
                false
            }
            Value::Bool(flag) => *flag,
            Value::Int(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Str(text) | Value::Markup(text) => !text.is_empty(),
            Value::List(items) => !items.borrow().is_empty(),
            Value::Prefixes(list) => {
                self.usable(list)?;
                list.len() > 0
            }
            Value::Tuple(items) => !items.is_empty(),
            Value::Dict(items) => !items.borrow().is_empty(),
            Value::Query(query) => !query.rows.is_empty(),
            Value::Range(..) => !self.items(value)?.is_empty(),
            Value::Loop(found) => !found.items.is_empty(),
            _ => true,
        })
    }

    pub(crate) fn binary(&self, op: BinOp, a: &Value, b: &Value) -> Res<Value> {
        let made = self.binary_result(op, a, b)?;
        self.paid(made)
    }

    fn binary_result(&self, op: BinOp, a: &Value, b: &Value) -> Res<Value> {
        if let Value::Undefined(missing) = a {
            return Err(undefined(missing));
        }
        if let Value::Undefined(missing) = b
            && !(op == BinOp::Mod && a.as_str().is_some())
        {
            return Err(undefined(missing));
        }
        if op == BinOp::Mod
            && let Some(format) = a.as_str()
        {
            return crate::format::percent(self, format, b).map(|text| Value::str(&text));
        }
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return integers(op, a, b);
        }
        if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
            return floats(op, a, b);
        }
        match op {
            BinOp::Add => {
                if let Some(sum) = self.add(a, b)? {
                    return Ok(sum);
                }
            }
            BinOp::Mul => {
                let (sequence, times) = if b.as_int().is_some() { (a, b) } else { (b, a) };
                if let Some(times) = times.as_int()
                    && let Some(product) = self.repeat(sequence, times)?
                {
                    return Ok(product);
                }
            }
            BinOp::Sub => {
                if let (Value::Time(a), Value::Time(b)) = (a, b) {
                    let seconds = (*a - *b).num_milliseconds();
                    #[expect(clippy::cast_precision_loss, reason = "seconds between two times")]
                    return Ok(Value::Float(seconds as f64 / 1000.0));
                }
                if let (Value::Address(address), Some(n)) = (a, b.as_int()) {
                    return Ok(shifted(*address, n.checked_neg().ok_or_else(too_large)?));
                }
            }
            _ => {}
        }
        if op == BinOp::Add
            && let (Value::Address(address), Some(n)) = (a, b.as_int())
        {
            return Ok(shifted(*address, n));
        }
        let (left, right) = (type_name(self, a), type_name(self, b));
        if op == BinOp::Add && a.as_str().is_some() {
            return Err(Fault::type_error(format!("can only concatenate str (not \"{right}\") to str")));
        }
        if op == BinOp::Add && matches!(a, Value::List(_) | Value::Prefixes(_) | Value::Tuple(_)) {
            return Err(Fault::type_error(format!(
                "can only concatenate {left} (not \"{right}\") to {left}"
            )));
        }
        let sign = match op {
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Mul => "*",
            BinOp::Div => "/",
            BinOp::FloorDiv => "//",
            BinOp::Mod => "%",
            BinOp::Pow => "** or pow()",
        };
        Err(Fault::type_error(format!("unsupported operand type(s) for {sign}: '{left}' and '{right}'")))
    }

    fn add(&self, a: &Value, b: &Value) -> Res<Option<Value>> {
        Ok(match (a, b) {
            (Value::Str(x), Value::Str(y)) => {
                self.burn_length(x.len() + y.len())?;
                Some(Value::str(&format!("{x}{y}")))
            }
            (Value::Markup(_), Value::Str(_) | Value::Markup(_)) | (Value::Str(_), Value::Markup(_)) => {
                Some(Value::Markup(format!("{}{}", self.escaped(a)?, self.escaped(b)?).into()))
            }
            (Value::List(_) | Value::Prefixes(_), Value::List(_) | Value::Prefixes(_)) => {
                let mut items = self.items(a)?;
                items.extend(self.items(b)?);
                self.burn_length(items.len())?;
                Some(Value::list(items))
            }
            (Value::Tuple(x), Value::Tuple(y)) => {
                self.burn_length(x.len() + y.len())?;
                Some(Value::Tuple(x.iter().chain(y.iter()).cloned().collect()))
            }
            _ => None,
        })
    }

    fn repeat(&self, sequence: &Value, times: i128) -> Res<Option<Value>> {
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        let check = |length: usize| self.burn_length(length.saturating_mul(times));
        Ok(match sequence {
            Value::Str(text) => {
                check(text.len())?;
                Some(Value::str(&text.repeat(times)))
            }
            Value::Markup(text) => {
                check(text.len())?;
                Some(Value::Markup(text.repeat(times).into()))
            }
            Value::List(_) | Value::Prefixes(_) | Value::Tuple(_) => {
                let items = self.items(sequence)?;
                check(items.len().saturating_mul(32))?;
                let repeated: Vec<Value> = (0..times).flat_map(|_| items.iter().cloned()).collect();
                Some(if matches!(sequence, Value::Tuple(_)) {
                    Value::Tuple(repeated.into())
                } else {
                    Value::list(repeated)
                })
            }
            _ => None,
        })
    }

    pub(crate) fn negate(&self, value: &Value) -> Res<Value> {
        match value {
            Value::Float(number) => Ok(Value::Float(-number)),
            Value::Undefined(missing) => Err(undefined(missing)),
            other => match other.as_int() {
                Some(number) => number.checked_neg().map(Value::Int).ok_or_else(too_large),
                None => Err(Fault::type_error(format!(
                    "bad operand type for unary -: '{}'",
                    type_name(self, value)
                ))),
            },
        }
    }
}

fn shifted(address: std::net::IpAddr, by: i128) -> Value {
    let bits = crate::address::bits(address);
    Value::Address(crate::address::from_bits(bits.wrapping_add_signed(by), address.is_ipv4()))
}

pub(crate) fn undefined(missing: &crate::value::Missing) -> Fault {
    if missing.reason == crate::value::Reason::Hidden {
        Fault::security(missing.message.clone())
    } else {
        Fault::undefined(missing.message.clone())
    }
}

pub(crate) fn too_large() -> Fault {
    Fault::limit("the number is too large")
}

fn integers(op: BinOp, a: i128, b: i128) -> Res<Value> {
    let zero = || {
        Fault::new(
            "ZeroDivisionError",
            match op {
                BinOp::Div => "division by zero",
                BinOp::Mod => "integer modulo by zero",
                _ => "integer division or modulo by zero",
            },
        )
    };
    let number = match op {
        BinOp::Add => a.checked_add(b),
        BinOp::Sub => a.checked_sub(b),
        BinOp::Mul => a.checked_mul(b),
        #[expect(clippy::cast_precision_loss, reason = "as Python divides")]
        BinOp::Div if b != 0 => return Ok(Value::Float(a as f64 / b as f64)),
        BinOp::FloorDiv if b != 0 => {
            a.checked_div_euclid(b).map(|q| if b < 0 && a.rem_euclid(b) != 0 { q - 1 } else { q })
        }
        BinOp::Mod if b != 0 => {
            a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r })
        }
        BinOp::Pow if b < 0 => {
            return floats(
                op,
                Value::Int(a).as_float().unwrap_or(0.0),
                Value::Int(b).as_float().unwrap_or(0.0),
            );
        }
        BinOp::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        _ => return Err(zero()),
    };
    number.map(Value::Int).ok_or_else(too_large)
}

fn floats(op: BinOp, a: f64, b: f64) -> Res<Value> {
    let zero = || {
        let message = match op {
            BinOp::Div => "float division by zero",
            BinOp::Mod => "float modulo",
            _ => "float floor division by zero",
        };
        Err(Fault::new("ZeroDivisionError", message))
    };
    Ok(Value::Float(match op {
        BinOp::Add => a + b,
        BinOp::Sub => a - b,
        BinOp::Mul => a * b,
        BinOp::Pow if a == 0.0 && b < 0.0 => {
            return Err(Fault::new("ZeroDivisionError", "0.0 cannot be raised to a negative power"));
        }
        BinOp::Pow => a.powf(b),
        _ if b == 0.0 => return zero(),
        BinOp::Div => a / b,
        BinOp::FloorDiv => (a / b).floor(),
        BinOp::Mod => {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }
    }))
}
