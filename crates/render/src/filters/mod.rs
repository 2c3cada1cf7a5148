//! The filters for peering, by name.

mod address;
mod autonomous_system;
mod items;
mod policy;
mod session;
mod text;

use std::rc::Rc;

use crate::args::Args;
use crate::context::Cx;
use crate::error::Res;
use crate::ops::undefined;
use crate::value::Value;

pub use address::mac_bytes;

/// The class of an object, empty for anything else.
fn class<'a>(cx: &'a Cx, value: &Value) -> &'a str {
    match value {
        Value::Record(row) => &cx.world.model(row.model).name,
        _ => "",
    }
}

const AUTONOMOUS_SYSTEM: &str = "peering.autonomoussystem";
const EXCHANGE: &str = "peering.internetexchange";
const GROUP: &str = "peering.bgpgroup";
const DIRECT: &str = "peering.directpeeringsession";
const IXP_SESSION: &str = "peering.internetexchangepeeringsession";
const ROUTER: &str = "devices.router";
const NETWORK: &str = "peeringdb.network";

fn kw(name: &str, value: Value) -> Vec<(Rc<str>, Value)> {
    vec![(name.into(), value)]
}

fn call(cx: &Cx, value: &Value, name: &str, pos: Vec<Value>) -> Res<Value> {
    cx.call_method(value, name, Args::of(pos))
}

/// `hasattr(value, name)`, which is an error for what is undefined.
fn has(cx: &Cx, value: &Value, name: &str) -> Res<bool> {
    if let Value::Undefined(missing) = value {
        return Err(undefined(missing));
    }
    Ok(cx.attribute(value, name)?.is_some())
}

fn or_none(value: Option<Value>) -> Value {
    value.unwrap_or(Value::None)
}

pub(crate) fn apply(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    match name {
        "safe_string" => text::safe_string(cx, value),
        "fresh" => {
            let [age] = args.bind("fresh", ["age"], 1, 1)?;
            crate::fresh::demand(cx, Some(value), &or_none(age))?;
            Ok(value.clone())
        }
        "quote" => text::quote(cx, value, args),
        "indent" => text::indent(cx, value, args),
        "length" | "len" | "count" => Ok(Value::int(cx.length(value)?)),
        "as_json" => text::as_json(cx, value, args),
        "as_yaml" => text::as_yaml(cx, value, args),
        "tags" => Ok(items::tags(cx, value)?.value()),
        "has_tag" | "has_not_tag" => items::has_tag(cx, name, value, args),
        "ipv4" | "ipv6" => Ok(address::parsed_address(cx, value, name == "ipv4")?),
        "ip" => address::ip(cx, value),
        "ip_version" => address::ip_version(cx, value),
        "mac" => address::mac(cx, value, args),
        "local_ips" => address::local_ips(cx, value, args),
        "filter" => items::filter(cx, value, &args),
        "get" => items::get(cx, value, &args),
        "unique_items" => items::unique_items(cx, value, args),
        "iterate" => items::iterate(cx, value, args),
        "ixps" => autonomous_system::ixps(cx, value, args),
        "shared_ixps" => autonomous_system::shared_ixps(cx, value, args),
        "shared_facilities" => autonomous_system::shared_facilities(cx, value, args),
        "missing_sessions" => autonomous_system::missing_sessions(cx, value, args),
        "prefix_list" => autonomous_system::prefix_list(cx, value, args),
        "as_list" => autonomous_system::as_list(cx, value, args),
        "strip_irr_sources" => autonomous_system::strip_irr_sources(cx, value),
        "relationships" => autonomous_system::relationships(cx, value, args),
        "contact" => autonomous_system::contact(cx, value, args),
        "sessions" => session::sessions(cx, value, args),
        "route_server" => session::route_server(cx, value, args),
        "direct_sessions" | "ixp_sessions" => session::of_kind(cx, name, value, args),
        "max_prefix" => session::max_prefix(cx, value),
        "inherited_status" => session::inherited_status(cx, value),
        "cisco_password" | "arista_password" => text::unmarked_password(cx, value),
        "encrypt_password" => text::encrypt_password(cx, name, value, args),
        "direct_peers" | "ixp_peers" => session::peers(cx, name, value, args),
        "connections" => session::connections(cx, value),
        "bfds" => session::bfds(cx, value),
        "iter_export_policies" | "iter_import_policies" => policy::iter_policies(cx, name, value, args),
        "routing_policies" => policy::routing_policies(cx, value, args),
        "merge_export_policies" | "merge_import_policies" => policy::merge_policies(cx, name, value, args),
        "communities" => policy::communities(cx, value, args),
        "merge_communities" => policy::merge_communities(cx, value),
        _ => items::context(cx, name, value, args),
    }
}
