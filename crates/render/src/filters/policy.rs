//! Filters of routing policies and communities.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::methods::is_applied;
use crate::value::Value;

use super::items::{filtered, needed};
use super::{DIRECT, IXP_SESSION, ROUTER, call, class, has, kw};

/// `iter_export_policies` or `iter_import_policies`.
pub(super) fn iter_policies(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let way = if name == "iter_export_policies" { "export" } else { "import" };
    let [field, family] = args.bind(name, ["field", "family"], 0, 1)?;
    if !has(cx, value, &format!("{way}_policies"))? {
        return Err(Fault::attribute(format!("{} has no {way} policies", cx.text(value)?)));
    }
    if field.as_ref().is_some_and(|field| field.as_str().is_none()) {
        return Err(Fault::attribute("field must be a string'"));
    }
    let set = call(cx, value, &format!("{way}_policies"), Vec::new())?;
    policies(cx, set, field.as_ref(), family.as_ref())
}

pub(super) fn routing_policies(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [field, family] = args.bind("routing_policies", ["field", "family"], 0, 1)?;
    if class(cx, value) != ROUTER {
        return Err(Fault::value("value is not a router"));
    }
    policies(cx, call(cx, value, "get_routing_policies", Vec::new())?, field.as_ref(), family.as_ref())
}

/// `merge_export_policies` or `merge_import_policies`.
pub(super) fn merge_policies(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let way = if name == "merge_export_policies" { "export" } else { "import" };
    let [order] = args.bind(name, ["order"], 0, 1)?;
    let method = format!("merged_{way}_policies");
    if !has(cx, value, &method)? {
        return Err(Fault::attribute(format!("{} has no merged {way} policies", cx.text(value)?)));
    }
    let reverse = order.is_some_and(|order| order.as_str() == Some("reverse"));
    call(cx, value, &method, vec![Value::Bool(reverse)])
}

fn policies(cx: &Cx, mut set: Value, field: Option<&Value>, family: Option<&Value>) -> Res<Value> {
    if let Some(family @ (0 | 4 | 6)) = family.and_then(Value::as_int) {
        let wanted = Value::list(vec![Value::Int(0), Value::Int(family)]);
        set = filtered(cx, &set, &kw("address_family__in", wanted))?;
    }
    let items = cx.items(&set)?;
    match field.filter(|field| cx.truth(field).unwrap_or(false)) {
        None => Ok(Value::list(items)),
        Some(field) => {
            let field = cx.text(field)?;
            let values: Res<Vec<Value>> = items.iter().map(|item| needed(cx, item, &field)).collect();
            Ok(Value::list(values?))
        }
    }
}

pub(super) fn communities(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [field, direction] = args.bind("communities", ["field", "direction"], 0, 1)?;
    chosen_communities(cx, value, field.as_ref(), direction.as_ref())
}

pub(super) fn merge_communities(cx: &Cx, value: &Value) -> Res<Value> {
    if has(cx, value, "merged_communities")? {
        return call(cx, value, "merged_communities", Vec::new());
    }
    chosen_communities(cx, value, None, None)
}

fn chosen_communities(
    cx: &Cx,
    value: &Value,
    field: Option<&Value>,
    direction: Option<&Value>,
) -> Res<Value> {
    if let Value::Record(row) = value {
        let nothing = |what: &str| Fault::attribute(format!("'NoneType' object has no attribute '{what}'"));
        match class(cx, value) {
            DIRECT if cx.world.target(*row, "bgp_group").is_none() => return Err(nothing("communities")),
            IXP_SESSION => {
                let connection = cx.world.target(*row, "ixp_connection");
                let connection = connection.ok_or_else(|| nothing("internet_exchange_point"))?;
                cx.world
                    .target(connection, "internet_exchange_point")
                    .ok_or_else(|| nothing("communities"))?;
            }
            _ => {}
        }
    }
    has(cx, value, "communities")?;
    let found = cx.attribute(value, "communities")?;
    let Some(manager @ Value::Manager(_)) = found else { return Ok(Value::list(Vec::new())) };
    let all = call(cx, &manager, "all", Vec::new())?;
    let given = |value: Option<&Value>| {
        value.filter(|value| cx.truth(value).unwrap_or(false)).map(|value| cx.text(value)).transpose()
    };
    let (field, direction) = (given(field)?, given(direction)?);
    if field.is_none() && direction.is_none() {
        return Ok(all);
    }
    let mut items = cx.items(&all)?;
    match direction.as_deref() {
        None => {}
        Some(direction @ ("ingress" | "egress")) => items.retain(|item| match item {
            Value::Record(row) => is_applied(cx.world.text(*row, "type"), direction),
            _ => false,
        }),
        Some(other) => return Err(Fault::value(format!("unknown community direction: {other}"))),
    }
    match field {
        None => Ok(Value::list(items)),
        Some(field) => {
            let values: Res<Vec<Value>> = items.iter().map(|item| needed(cx, item, &field)).collect();
            Ok(Value::list(values?))
        }
    }
}
