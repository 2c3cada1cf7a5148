//! Filters that give sessions, and those of what sessions are at: routers, groups and exchanges.

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::names::DELETED_SESSION;
use crate::value::Value;
use crate::world::Row;

use super::address::session_address;
use super::items::filtered;
use super::{EXCHANGE, GROUP, ROUTER, call, class, has, kw, or_none};

/// The members of a query set by their address family; other families keep all.
fn of_family(cx: &Cx, set: Value, family: Option<&Value>) -> Res<Value> {
    match (&set, family.and_then(Value::as_int)) {
        (Value::Query(query), Some(family @ (4 | 6))) => {
            Ok(query.filter(cx, &kw("ip_address__family", Value::Int(family)), true)?.value())
        }
        _ => Ok(set),
    }
}

pub(super) fn sessions(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [family] = args.bind("sessions", ["family"], 0, 1)?;
    if !has(cx, value, "get_peering_sessions")? {
        let shown = cx.text(value)?;
        let hint = "try `direct_sessions` or `ixp_sessions`";
        return Err(Fault::attribute(format!("{shown} has no generic peering sessions, {hint}")));
    }
    of_family(cx, call(cx, value, "get_peering_sessions", Vec::new())?, family.as_ref())
}

pub(super) fn route_server(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [family] = args.bind("route_server", ["family"], 0, 1)?;
    if class(cx, value) != EXCHANGE {
        return Err(Fault::value("value is not an internet exchange"));
    }
    let sessions = of_family(cx, call(cx, value, "get_peering_sessions", Vec::new())?, family.as_ref())?;
    filtered(cx, &sessions, &kw("is_route_server", Value::Bool(true)))
}

/// `direct_sessions` or `ixp_sessions`.
pub(super) fn of_kind(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let direct = name == "direct_sessions";
    let [family, of] = args.bind(name, ["family", if direct { "group" } else { "ixp" }], 0, 1)?;
    let method = if direct { "get_direct_peering_sessions" } else { "get_ixp_peering_sessions" };
    if !has(cx, value, method)? {
        let what = if direct { "direct" } else { "ixp" };
        let shown = cx.text(value)?;
        return Err(Fault::attribute(format!("{shown} has no {what} peering sessions, try `sessions`")));
    }
    of_family(cx, call(cx, value, method, vec![or_none(of)])?, family.as_ref())
}

pub(super) fn max_prefix(cx: &Cx, value: &Value) -> Res<Value> {
    match (session_address(cx, value), value) {
        (Some(address), Value::Record(row)) if class(cx, value) != DELETED_SESSION => {
            let peer = cx.world.target(*row, "autonomous_system");
            peer.map_or(Ok(Value::None), |peer| crate::max_prefix::of(cx, peer, address))
        }
        _ => Err(Fault::value("value is not a bgp session")),
    }
}

pub(super) fn inherited_status(cx: &Cx, value: &Value) -> Res<Value> {
    match value {
        _ if !has(cx, value, "status")? => Err(Fault::value("value has no status property")),
        Value::Record(row) => Ok(Value::str(&crate::peering::inherited_status(&cx.world, *row))),
        other => cx.get_attr(other, "status"),
    }
}

/// `direct_peers` or `ixp_peers`.
pub(super) fn peers(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let direct = name == "direct_peers";
    let [slug] = args.bind(name, [if direct { "group" } else { "ixp" }], 0, 1)?;
    if class(cx, value) != ROUTER {
        return Err(Fault::value("value is not a router"));
    }
    let model = cx.world.index(if direct { GROUP } else { EXCHANGE });
    let mut of = Value::None;
    if let Some(slug) = slug.filter(|slug| cx.truth(slug).unwrap_or(false)) {
        let slug = cx.text(&slug)?;
        match cx.world.rows_where(model, "slug", &slug).first() {
            Some(index) => of = Value::Record(Row { model, index: *index }),
            None => cx.warn(format!("{name}: nothing has the slug `{slug}`, so all peers are given")),
        }
    }
    let method = if direct { "get_direct_autonomous_systems" } else { "get_ixp_autonomous_systems" };
    call(cx, value, method, vec![of])
}

pub(super) fn connections(cx: &Cx, value: &Value) -> Res<Value> {
    if !has(cx, value, "get_connections")? {
        return Err(Fault::attribute(format!("{} has no connections", cx.text(value)?)));
    }
    call(cx, value, "get_connections", Vec::new())
}

pub(super) fn bfds(cx: &Cx, value: &Value) -> Res<Value> {
    if class(cx, value) != ROUTER {
        return Err(Fault::value("value is not a router"));
    }
    call(cx, value, "get_bfd_configs", Vec::new())
}
