//! Filters of autonomous systems and networks, and of what several objects have in common with them.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::repr::type_name;
use crate::value::Value;
use crate::world::Row;

use super::items::needed;
use super::{AUTONOMOUS_SYSTEM, DIRECT, EXCHANGE, IXP_SESSION, NETWORK, call, class, has, or_none};

pub(super) fn ixps(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [other] = args.bind("ixps", ["other"], 1, 1)?;
    if !has(cx, value, "get_internet_exchange_points")? || class(cx, value) != AUTONOMOUS_SYSTEM {
        let name = type_name(cx, value);
        return Err(Fault::attribute(format!(
            "'{name}' object has no attribute 'get_internet_exchange_points'"
        )));
    }
    call(cx, value, "get_internet_exchange_points", vec![or_none(other)])
}

pub(super) fn shared_ixps(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [other] = args.bind("shared_ixps", ["other"], 1, 1)?;
    let other = or_none(other);
    if class(cx, value) == AUTONOMOUS_SYSTEM {
        call(cx, value, "get_shared_internet_exchange_points", vec![other])
    } else if class(cx, &other) == AUTONOMOUS_SYSTEM {
        call(cx, &other, "get_shared_internet_exchange_points", vec![value.clone()])
    } else {
        Err(Fault::value("one of the values must be an autonomous system"))
    }
}

pub(super) fn shared_facilities(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [other] = args.bind("shared_facilities", ["other"], 1, 1)?;
    let (a, b) = (network(cx, value)?, network(cx, &or_none(other))?);
    Ok(crate::peering::shared_facilities(cx, a, b).value())
}

pub(super) fn missing_sessions(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [other, ixp] = args.bind("missing_sessions", ["other", "ixp"], 1, 1)?;
    let (other, ixp) = (or_none(other), or_none(ixp));
    if class(cx, value) == AUTONOMOUS_SYSTEM && class(cx, &other) == AUTONOMOUS_SYSTEM {
        return call(cx, value, "get_missing_peering_sessions", vec![other, ixp]);
    }
    let lan = match &ixp {
        Value::Record(row) => cx.world.target(*row, "peeringdb_ixlan"),
        _ => None,
    };
    let (a, b) = (network(cx, value)?, network(cx, &other)?);
    Ok(crate::peering::possible_sessions(cx, a, b, lan).value())
}

fn network(cx: &Cx, value: &Value) -> Res<Option<Row>> {
    match (class(cx, value), value) {
        (AUTONOMOUS_SYSTEM, Value::Record(row)) => Ok(crate::peering::peeringdb_network(&cx.world, *row)),
        (NETWORK, Value::Record(row)) => Ok(Some(*row)),
        _ => Err(Fault::value(format!(
            "{} is not an autonomous system or a peeringdb network",
            cx.text(value)?
        ))),
    }
}

pub(super) fn prefix_list(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [family, missing] = args.bind("prefix_list", ["family", "missing"], 0, 1)?;
    let family = family.unwrap_or(Value::Int(0));
    match class(cx, value) {
        AUTONOMOUS_SYSTEM => {
            let mut args = Args::of(vec![family]);
            args.kw.extend(missing.map(|missing| ("missing".into(), missing)));
            cx.call_method(value, "get_irr_as_set_prefixes", args)
        }
        EXCHANGE => {
            let prefixes = or_none(cx.attribute(value, "peeringdb_prefixes")?);
            match family.as_int() {
                Some(family @ (4 | 6)) => {
                    let key = Value::str(&format!("ipv{family}"));
                    call(cx, &prefixes, "get", vec![key, Value::list(Vec::new())])
                }
                _ => Ok(prefixes),
            }
        }
        _ => Err(Fault::value("value has no prefixes")),
    }
}

pub(super) fn as_list(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    args.bind("as_list", ["family"], 0, 1)?;
    match class(cx, value) {
        AUTONOMOUS_SYSTEM => call(cx, value, "get_irr_as_set_as_list", Vec::new()),
        _ => Err(Fault::value("value has no AS list")),
    }
}

pub(super) fn strip_irr_sources(cx: &Cx, value: &Value) -> Res<Value> {
    let names = match (class(cx, value), value) {
        (AUTONOMOUS_SYSTEM, Value::Record(row)) => {
            let asn = cx.world.int(*row, "asn").unwrap_or(0);
            crate::peering::as_sets(&cx.settings.irr_sources, asn, cx.world.text(*row, "irr_as_set"))
        }
        (_, Value::Str(text) | Value::Markup(text)) => {
            crate::peering::as_sets(&cx.settings.irr_sources, 0, text)
        }
        _ => return Err(Fault::value("value has no IRR AS-SET")),
    };
    let mut unique: Vec<Value> = Vec::new();
    for name in names {
        if !unique.iter().any(|known| known.as_str() == Some(&name)) {
            unique.push(Value::str(&name));
        }
    }
    Ok(Value::list(unique))
}

pub(super) fn relationships(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [local] = args.bind("relationships", ["local_autonomous_system"], 0, 1)?;
    match class(cx, value) {
        AUTONOMOUS_SYSTEM => call(cx, value, "get_relationships", vec![or_none(local)]),
        _ => Err(Fault::value("value has no relationships")),
    }
}

pub(super) fn contact(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [role, field] = args.bind("contact", ["role", "field"], 1, 1)?;
    let owner = match (class(cx, value), value) {
        (AUTONOMOUS_SYSTEM | EXCHANGE, Value::Record(row)) => Some(*row),
        (DIRECT | IXP_SESSION, Value::Record(row)) => cx.world.target(*row, "autonomous_system"),
        _ => None,
    };
    let Some(owner) = owner else {
        return Err(Fault::attribute(format!("{} has no contacts", cx.text(value)?)));
    };
    let role = cx.text(&or_none(role))?.to_lowercase();
    let model = cx.world.index("messaging.contactassignment");
    for index in cx.world.hanging("messaging.contactassignment", owner) {
        let assignment = Row { model, index: *index };
        let found = cx
            .world
            .target(assignment, "role")
            .is_some_and(|row| cx.world.text(row, "name").to_lowercase() == role);
        if !found {
            continue;
        }
        let Some(contact) = cx.world.target(assignment, "contact") else { continue };
        let contact = Value::Record(contact);
        return match field.as_ref().filter(|field| cx.truth(field).unwrap_or(false)) {
            None => Ok(contact),
            Some(field) => needed(cx, &contact, &cx.text(field)?),
        };
    }
    Ok(Value::None)
}
