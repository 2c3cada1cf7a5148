//! Jinja2's tests, what stands after `is`.

use crate::args::Args;
use crate::ast::CmpOp;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::ops::undefined;
use crate::value::Value;

impl Cx {
    #[expect(clippy::too_many_lines, reason = "one arm per test")]
    pub(crate) fn test(&self, name: &str, value: &Value, args: Args) -> Res<bool> {
        self.burn(1)?;
        let number = |what: &Value| -> Res<i128> {
            if let Value::Undefined(missing) = what {
                return Err(undefined(missing));
            }
            what.as_int().ok_or_else(|| {
                let name = crate::repr::type_name(self, what);
                if what.as_str().is_some() {
                    Fault::type_error("not all arguments converted during string formatting")
                } else {
                    Fault::type_error(format!("unsupported operand type(s) for %: '{name}' and 'int'"))
                }
            })
        };
        let one = |name: &str, parameter: &'static str, args: Args| -> Res<Value> {
            let [other] = args.bind(&format!("test_{name}"), [parameter], 1, 1)?;
            Ok(other.unwrap_or(Value::None))
        };
        let operator = |args: Args| args.pos.into_iter().next().unwrap_or(Value::None);
        Ok(match name {
            "defined" => !value.is_undefined(),
            "undefined" => value.is_undefined(),
            "none" => value.is_none(),
            "boolean" => matches!(value, Value::Bool(_)),
            "true" => matches!(value, Value::Bool(true)),
            "false" => matches!(value, Value::Bool(false)),
            "integer" => matches!(value, Value::Int(_)),
            "float" => matches!(value, Value::Float(_)),
            "number" => matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)),
            "string" => value.as_str().is_some(),
            "escaped" => matches!(value, Value::Markup(_)),
            "mapping" => matches!(value, Value::Dict(_) | Value::Prefix(..)),
            "sequence" => {
                value.as_str().is_some()
                    || matches!(
                        value,
                        Value::List(_)
                            | Value::Tuple(_)
                            | Value::Dict(_)
                            | Value::Range(..)
                            | Value::Query(_)
                            | Value::Prefixes(_)
                            | Value::Prefix(..)
                            | Value::Undefined(_)
                    )
            }
            "iterable" => {
                value.as_str().is_some()
                    || matches!(
                        value,
                        Value::List(_)
                            | Value::Tuple(_)
                            | Value::Dict(_)
                            | Value::Range(..)
                            | Value::Query(_)
                            | Value::Prefixes(_)
                            | Value::Prefix(..)
                            | Value::Iter(..)
                            | Value::Undefined(_)
                            | Value::Loop(_)
                            | Value::Network(_)
                    )
            }
            "callable" => matches!(
                value,
                Value::Macro(_)
                    | Value::Function(_)
                    | Value::Method(_)
                    | Value::Block(..)
                    | Value::Joiner(_)
                    | Value::Loop(_)
                    | Value::Undefined(_)
            ),
            "odd" => number(value)?.rem_euclid(2) == 1,
            "even" => number(value)?.rem_euclid(2) == 0,
            "divisibleby" => {
                let by = number(&one(name, "num", args)?)?;
                if by == 0 {
                    return Err(Fault::new("ZeroDivisionError", "integer modulo by zero"));
                }
                number(value)? % by == 0
            }
            "lower" => {
                self.call_method(&Value::str(&self.text(value)?), "islower", Args::default())?.as_int()
                    == Some(1)
            }
            "upper" => {
                self.call_method(&Value::str(&self.text(value)?), "isupper", Args::default())?.as_int()
                    == Some(1)
            }
            "filter" | "test" => {
                let kind =
                    if name == "filter" { crate::names::Kind::Filter } else { crate::names::Kind::Test };
                value.as_str().is_some_and(|name| crate::names::exists(kind, name))
            }
            "sameas" => same(self, value, &one(name, "other", args)?)?,
            "in" => {
                let container = one(name, "seq", args)?;
                self.contains(&container, value)?
            }
            "eq" | "==" | "equalto" => self.equal(value, &operator(args))?,
            "ne" | "!=" => !self.equal(value, &operator(args))?,
            "lt" | "<" | "lessthan" => self.compare(CmpOp::Lt, value, &operator(args))?,
            "le" | "<=" => self.compare(CmpOp::Le, value, &operator(args))?,
            "gt" | ">" | "greaterthan" => self.compare(CmpOp::Gt, value, &operator(args))?,
            "ge" | ">=" => self.compare(CmpOp::Ge, value, &operator(args))?,
            _ => return Err(Fault::runtime(format!("No test named '{name}' found."))),
        })
    }
}

/// `a is b`.
fn same(cx: &Cx, a: &Value, b: &Value) -> Res<bool> {
    use std::rc::Rc;
    Ok(match (a, b) {
        (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bool(_), _)
        | (_, Value::Bool(_))
        | (Value::Int(_), Value::Float(_))
        | (Value::Float(_), Value::Int(_)) => false,
        _ => return cx.equal(a, b),
    })
}
