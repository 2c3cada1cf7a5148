//! The filters for peering.

use std::cell::Cell;
use std::rc::Rc;

use icu_normalizer::DecomposingNormalizerBorrowed;

use crate::address::Interface;
use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::methods::is_applied;
use crate::names::DELETED_SESSION;
use crate::ops::undefined;
use crate::queryset::QuerySet;
use crate::repr::type_name;
use crate::serialise;
use crate::value::{Key, MacForm, Value};
use crate::world::Row;

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

/// The members of a query set by their address family; other families keep all.
fn of_family(cx: &Cx, set: Value, family: Option<&Value>) -> Res<Value> {
    match (&set, family.and_then(Value::as_int)) {
        (Value::Query(query), Some(family @ (4 | 6))) => {
            Ok(query.filter(cx, &kw("ip_address__family", Value::Int(family)), true)?.value())
        }
        _ => Ok(set),
    }
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

#[expect(clippy::too_many_lines, reason = "one arm per filter")]
pub(crate) fn apply(cx: &Cx, name: &str, value: &Value, args: Args) -> Res<Value> {
    let or_none = |value: Option<Value>| value.unwrap_or(Value::None);
    let own = class(cx, value);
    match name {
        "safe_string" => match value {
            Value::Str(text) | Value::Markup(text) => Ok(Value::str(&ascii(text))),
            _ => {
                let name = type_name(cx, value);
                Err(Fault::type_error(format!("normalize() argument 2 must be str, not {name}")))
            }
        },
        "fresh" => {
            let [age] = args.bind("fresh", ["age"], 1, 1)?;
            crate::fresh::demand(cx, Some(value), &or_none(age))?;
            Ok(value.clone())
        }
        "quote" => {
            let [char] = args.bind("quote", ["char"], 0, 1)?;
            if !cx.truth(value)? {
                return Ok(Value::str(""));
            }
            let char = char.map_or(Ok("\"".to_owned()), |char| cx.text(&char))?;
            Ok(Value::str(&format!("{char}{}{char}", cx.text(value)?)))
        }
        "indent" => {
            let [n, chars, reset] = args.bind("indent", ["n", "chars", "reset"], 1, 1)?;
            indent(cx, value, &or_none(n), chars.as_ref(), reset.as_ref())
        }
        "length" | "len" | "count" => Ok(Value::int(cx.length(value)?)),
        "as_json" => {
            let [indent, sort] = args.bind("as_json", ["indent", "sort_keys"], 0, 1)?;
            let indent = indent.map_or(Some(4), |indent| indent.as_int());
            let sort = sort.map_or(Ok(true), |sort| cx.truth(&sort))?;
            let style = serialise::JsonStyle { indent, sort };
            Ok(Value::Str(serialise::json(cx, &serialise::plain(cx, value)?, &style)?.into()))
        }
        "as_yaml" => {
            let [indent, sort] = args.bind("as_yaml", ["indent", "sort_keys"], 0, 1)?;
            let indent = usize::try_from(indent.and_then(|indent| indent.as_int()).unwrap_or(2)).unwrap_or(2);
            let indent = if (2..10).contains(&indent) { indent } else { 2 };
            let sort = sort.map_or(Ok(true), |sort| cx.truth(&sort))?;
            Ok(Value::Str(serialise::yaml(cx, &serialise::plain(cx, value)?, indent, sort)?.into()))
        }
        "tags" => Ok(tags(cx, value)?.value()),
        "has_tag" | "has_not_tag" => {
            let [tag] = args.bind(name, ["tag"], 1, 1)?;
            let set = tags(cx, value)?;
            let tag = cx.text(&or_none(tag))?;
            let found = set.rows.iter().any(|index| {
                let row = set.row(*index);
                cx.world.text(row, "name") == tag || cx.world.text(row, "slug") == tag
            });
            Ok(Value::Bool(found == (name == "has_tag")))
        }
        "ipv4" | "ipv6" => Ok(parsed_address(cx, value, name == "ipv4")?),
        "ip" => ip(cx, value),
        "ip_version" => match session_address(cx, value) {
            Some(address) => Ok(Value::Int(crate::address::version(address).into())),
            None => Err(Fault::value("value is not a bgp session")),
        },
        "mac" => {
            let [format] = args.bind("mac", ["format"], 0, 1)?;
            mac(cx, value, format.as_ref())
        }
        "local_ips" => {
            let [family] = args.bind("local_ips", ["family"], 0, 1)?;
            local_ips(cx, value, family.as_ref())
        }
        "filter" => {
            if args.kw("value").is_some() || !args.pos.is_empty() {
                return Err(clash("filter", &args, "value"));
            }
            filtered(cx, value, &args.kw)
        }
        "get" => {
            if args.kw("queryset").is_some() || args.kw("value").is_some() || !args.pos.is_empty() {
                let first =
                    if args.kw("value").is_some() { ("filter", "value") } else { ("get", "queryset") };
                return Err(clash(first.0, &args, first.1));
            }
            let found = filtered(cx, value, &args.kw)?;
            match &found {
                Value::Query(set) if set.rows.len() == 1 => Ok(cx.items(&found)?.remove(0)),
                Value::List(_) => Err(Fault::type_error("list.count() takes exactly one argument (0 given)")),
                _ => Ok(found),
            }
        }
        "unique_items" => {
            let [field] = args.bind("unique_items", ["field"], 1, 1)?;
            let field = cx.text(&or_none(field))?;
            if let Value::Query(set) = value {
                return Ok(set.unique(cx, &field)?.value());
            }
            let items =
                cx.items(value).map_err(|_| Fault::value("value cannot be filtered (not iterable)"))?;
            let mut seen: Vec<Value> = Vec::new();
            let mut kept = Vec::new();
            for item in items {
                if let Some(found) = python_attribute(cx, &item, &field)?
                    && cx.position(&seen, &found)?.is_none()
                {
                    seen.push(found);
                    kept.push(item);
                }
            }
            Ok(Value::list(kept))
        }
        "iterate" => {
            let [field] = args.bind("iterate", ["field"], 1, 1)?;
            let field = cx.text(&or_none(field))?;
            let mut out = Vec::new();
            for item in cx.items(value)? {
                out.push(or_none(python_attribute(cx, &item, &field)?));
            }
            Ok(Value::iter(out))
        }
        "ixps" => {
            let [other] = args.bind("ixps", ["other"], 1, 1)?;
            if !has(cx, value, "get_internet_exchange_points")? || own != AUTONOMOUS_SYSTEM {
                let name = type_name(cx, value);
                return Err(Fault::attribute(format!(
                    "'{name}' object has no attribute 'get_internet_exchange_points'"
                )));
            }
            call(cx, value, "get_internet_exchange_points", vec![or_none(other)])
        }
        "shared_ixps" => {
            let [other] = args.bind("shared_ixps", ["other"], 1, 1)?;
            let other = or_none(other);
            if own == AUTONOMOUS_SYSTEM {
                call(cx, value, "get_shared_internet_exchange_points", vec![other])
            } else if class(cx, &other) == AUTONOMOUS_SYSTEM {
                call(cx, &other, "get_shared_internet_exchange_points", vec![value.clone()])
            } else {
                Err(Fault::value("one of the values must be an autonomous system"))
            }
        }
        "shared_facilities" => {
            let [other] = args.bind("shared_facilities", ["other"], 1, 1)?;
            let (a, b) = (network(cx, value)?, network(cx, &or_none(other))?);
            Ok(crate::peering::shared_facilities(cx, a, b).value())
        }
        "missing_sessions" => {
            let [other, ixp] = args.bind("missing_sessions", ["other", "ixp"], 1, 1)?;
            let (other, ixp) = (or_none(other), or_none(ixp));
            if own == AUTONOMOUS_SYSTEM && class(cx, &other) == AUTONOMOUS_SYSTEM {
                return call(cx, value, "get_missing_peering_sessions", vec![other, ixp]);
            }
            let lan = match &ixp {
                Value::Record(row) => cx.world.target(*row, "peeringdb_ixlan"),
                _ => None,
            };
            let (a, b) = (network(cx, value)?, network(cx, &other)?);
            Ok(crate::peering::possible_sessions(cx, a, b, lan).value())
        }
        "prefix_list" => {
            let [family, missing] = args.bind("prefix_list", ["family", "missing"], 0, 1)?;
            let family = family.unwrap_or(Value::Int(0));
            match own {
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
        "as_list" => {
            args.bind("as_list", ["family"], 0, 1)?;
            match own {
                AUTONOMOUS_SYSTEM => call(cx, value, "get_irr_as_set_as_list", Vec::new()),
                _ => Err(Fault::value("value has no AS list")),
            }
        }
        "strip_irr_sources" => {
            let names = match (own, value) {
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
        "relationships" => {
            let [local] = args.bind("relationships", ["local_autonomous_system"], 0, 1)?;
            match own {
                AUTONOMOUS_SYSTEM => call(cx, value, "get_relationships", vec![or_none(local)]),
                _ => Err(Fault::value("value has no relationships")),
            }
        }
        "contact" => {
            let [role, field] = args.bind("contact", ["role", "field"], 1, 1)?;
            contact(cx, value, &or_none(role), field.as_ref())
        }
        "sessions" => {
            let [family] = args.bind("sessions", ["family"], 0, 1)?;
            if !has(cx, value, "get_peering_sessions")? {
                let shown = cx.text(value)?;
                let hint = "try `direct_sessions` or `ixp_sessions`";
                return Err(Fault::attribute(format!("{shown} has no generic peering sessions, {hint}")));
            }
            of_family(cx, call(cx, value, "get_peering_sessions", Vec::new())?, family.as_ref())
        }
        "route_server" => {
            let [family] = args.bind("route_server", ["family"], 0, 1)?;
            if own != EXCHANGE {
                return Err(Fault::value("value is not an internet exchange"));
            }
            let sessions =
                of_family(cx, call(cx, value, "get_peering_sessions", Vec::new())?, family.as_ref())?;
            filtered(cx, &sessions, &kw("is_route_server", Value::Bool(true)))
        }
        "direct_sessions" | "ixp_sessions" => {
            let direct = name == "direct_sessions";
            let [family, of] = args.bind(name, ["family", if direct { "group" } else { "ixp" }], 0, 1)?;
            let method = if direct { "get_direct_peering_sessions" } else { "get_ixp_peering_sessions" };
            if !has(cx, value, method)? {
                let what = if direct { "direct" } else { "ixp" };
                let shown = cx.text(value)?;
                return Err(Fault::attribute(format!(
                    "{shown} has no {what} peering sessions, try `sessions`"
                )));
            }
            of_family(cx, call(cx, value, method, vec![or_none(of)])?, family.as_ref())
        }
        "max_prefix" => match (session_address(cx, value), value) {
            (Some(address), Value::Record(row)) if own != DELETED_SESSION => {
                let peer = cx.world.target(*row, "autonomous_system");
                peer.map_or(Ok(Value::None), |peer| crate::max_prefix::of(cx, peer, address))
            }
            _ => Err(Fault::value("value is not a bgp session")),
        },
        "inherited_status" => match value {
            _ if !has(cx, value, "status")? => Err(Fault::value("value has no status property")),
            Value::Record(row) => Ok(Value::str(&crate::peering::inherited_status(&cx.world, *row))),
            other => cx.get_attr(other, "status"),
        },
        "cisco_password" | "arista_password" => match value {
            Value::Str(text) | Value::Markup(text) => Ok(Value::str(text.strip_prefix("7 ").unwrap_or(text))),
            Value::Undefined(missing) => Err(undefined(missing)),
            _ => {
                let name = type_name(cx, value);
                Err(Fault::attribute(format!("'{name}' object has no attribute 'startswith'")))
            }
        },
        "encrypt_password" => {
            let [router, key] = args.bind(name, ["router", "key"], 1, 1)?;
            encrypted(cx, value, &or_none(router), key)
        }
        "direct_peers" | "ixp_peers" => {
            let direct = name == "direct_peers";
            let [slug] = args.bind(name, [if direct { "group" } else { "ixp" }], 0, 1)?;
            if own != ROUTER {
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
        "connections" => {
            if !has(cx, value, "get_connections")? {
                return Err(Fault::attribute(format!("{} has no connections", cx.text(value)?)));
            }
            call(cx, value, "get_connections", Vec::new())
        }
        "bfds" => {
            if own != ROUTER {
                return Err(Fault::value("value is not a router"));
            }
            call(cx, value, "get_bfd_configs", Vec::new())
        }
        "iter_export_policies" | "iter_import_policies" => {
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
        "routing_policies" => {
            let [field, family] = args.bind("routing_policies", ["field", "family"], 0, 1)?;
            if own != ROUTER {
                return Err(Fault::value("value is not a router"));
            }
            policies(
                cx,
                call(cx, value, "get_routing_policies", Vec::new())?,
                field.as_ref(),
                family.as_ref(),
            )
        }
        "merge_export_policies" | "merge_import_policies" => {
            let way = if name == "merge_export_policies" { "export" } else { "import" };
            let [order] = args.bind(name, ["order"], 0, 1)?;
            let method = format!("merged_{way}_policies");
            if !has(cx, value, &method)? {
                return Err(Fault::attribute(format!("{} has no merged {way} policies", cx.text(value)?)));
            }
            let reverse = order.is_some_and(|order| order.as_str() == Some("reverse"));
            call(cx, value, &method, vec![Value::Bool(reverse)])
        }
        "communities" => {
            let [field, direction] = args.bind("communities", ["field", "direction"], 0, 1)?;
            communities(cx, value, field.as_ref(), direction.as_ref())
        }
        "merge_communities" => {
            if has(cx, value, "merged_communities")? {
                return call(cx, value, "merged_communities", Vec::new());
            }
            communities(cx, value, None, None)
        }
        _ => {
            let [key, default, recursive] = if name == "context_get_key" {
                args.bind(name, ["key", "default", "recursive"], 1, 1)?
            } else {
                let [key, recursive] = args.bind(name, ["key", "recursive"], 1, 1)?;
                [key, None, recursive]
            };
            let Value::Record(row) = value else {
                return Err(Fault::attribute("object has no config context"));
            };
            if !cx.world.model(row.model).contextual {
                return Err(Fault::attribute("object has no config context"));
            }
            let recursive = recursive.map_or(Ok(true), |recursive| cx.truth(&recursive))?;
            let key = or_none(key);
            cx.hashable(&key)?;
            let found = in_context(&cx.config_context(*row)?, &Key(key), recursive);
            Ok(match name {
                "context_has_key" => Value::Bool(found.is_some()),
                "context_has_not_key" => Value::Bool(found.is_none()),
                _ => or_none(found.or(default)),
            })
        }
    }
}

fn clash(function: &str, args: &Args, name: &str) -> Fault {
    if args.kw(name).is_some() {
        return Fault::type_error(format!("{function}() got multiple values for argument '{name}'"));
    }
    let given = args.pos.len() + 1;
    Fault::type_error(format!("{function}() takes 1 positional argument but {given} were given"))
}

/// `getattr(item, name)`: attributes only, not members of dictionaries.
fn python_attribute(cx: &Cx, item: &Value, name: &str) -> Res<Option<Value>> {
    if name.starts_with('_') || item.is_undefined() {
        return Ok(None);
    }
    cx.attribute(item, name)
}

fn filtered(cx: &Cx, value: &Value, kw: &[(Rc<str>, Value)]) -> Res<Value> {
    if let Value::Query(set) = value {
        return Ok(set.filter(cx, kw, true)?.value());
    }
    let items = cx.items(value).map_err(|_| Fault::value("value cannot be filtered (not iterable)"))?;
    let mut kept = Vec::new();
    for item in items {
        cx.burn(1)?;
        let mut valid = true;
        for (name, wanted) in kw {
            valid = match python_attribute(cx, &item, name)? {
                Some(found) => cx.equal(&found, wanted)?,
                None => false,
            };
            if !valid {
                break;
            }
        }
        if valid {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

/// Compatibility-decomposed, and what is not ASCII left out.
pub(crate) fn ascii(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfkd().normalize(text).chars().filter(char::is_ascii).collect()
}

fn indent(cx: &Cx, value: &Value, n: &Value, chars: Option<&Value>, reset: Option<&Value>) -> Res<Value> {
    let chars = chars.map_or(Ok(" ".to_owned()), |chars| cx.text(chars))?;
    let reset = reset.map_or(Ok(false), |reset| cx.truth(reset))?;
    let Some(n) = n.as_int() else {
        let name = type_name(cx, n);
        return Err(Fault::type_error(format!("can't multiply sequence by non-int of type '{name}'")));
    };
    let text = cx.text(value)?;
    let n = usize::try_from(n).unwrap_or(0);
    let lines = crate::strings::lines(&text, true);
    cx.burn_length(text.len().saturating_add(n.saturating_mul(chars.len()).saturating_mul(lines.len())))?;
    let lead = chars.repeat(n);
    let mut out = String::new();
    for line in lines {
        out.push_str(&lead);
        out.push_str(if reset { line.trim_start_matches(|c| chars.contains(c)) } else { line });
    }
    Ok(Value::Str(out.into()))
}

fn tags(cx: &Cx, value: &Value) -> Res<QuerySet> {
    if let Value::Record(row) = value
        && cx.world.model(row.model).tagged
    {
        let field = cx.world.model(row.model).field("tags").unwrap_or_default();
        return Ok(QuerySet::new(cx.world.index("extras.tag"), cx.world.many(*row, field)));
    }
    Err(Fault::attribute("object has no tags"))
}

/// The remote address of a session of either kind, also of one that is deleted.
fn session_address(cx: &Cx, value: &Value) -> Option<std::net::IpAddr> {
    let Value::Record(row) = value else { return None };
    if ![DIRECT, IXP_SESSION, DELETED_SESSION].contains(&class(cx, value)) {
        return None;
    }
    crate::peering::address(&cx.world, *row)
}

fn parsed_address(cx: &Cx, value: &Value, v4: bool) -> Res<Value> {
    let fits = |address: std::net::IpAddr| address.is_ipv4() == v4;
    Ok(match value {
        Value::Address(address) if fits(*address) => value.clone(),
        Value::Interface(interface) if fits(interface.address) => value.clone(),
        Value::Int(number) => {
            let width = if v4 { u32::MAX.into() } else { u128::MAX };
            match u128::try_from(*number) {
                Ok(bits) if bits <= width => Value::Address(crate::address::from_bits(bits, v4)),
                _ => Value::None,
            }
        }
        Value::Str(text) | Value::Markup(text) => match Interface::parse(text) {
            Some(interface) if fits(interface.address) && text.contains('/') => Value::Interface(interface),
            Some(interface) if fits(interface.address) => Value::Address(interface.address),
            _ => Value::None,
        },
        Value::Network(_) => parsed_address(cx, &Value::str(&cx.text(value)?), v4)?,
        _ => Value::None,
    })
}

fn ip(cx: &Cx, value: &Value) -> Res<Value> {
    let host = |address| Ok(Value::str(&crate::address::Host(address).to_string()));
    if let Some(address) = session_address(cx, value) {
        return host(address);
    }
    match value {
        Value::Address(address) => host(*address),
        Value::Interface(interface) => host(interface.address),
        Value::List(_) => {
            let hosts: Res<Vec<Value>> = cx.items(value)?.iter().map(|item| ip(cx, item)).collect();
            Ok(Value::list(hosts?))
        }
        Value::Int(number) => match u128::try_from(*number) {
            Ok(bits) => host(crate::address::from_bits(bits, bits <= u32::MAX.into())),
            Err(_) => Err(Fault::value(format!("{number} does not appear to be an IPv4 or IPv6 address"))),
        },
        other => {
            let text = cx.text(other)?;
            if let Some(interface) = Interface::parse(&text) {
                host(interface.address)
            } else {
                let shown = cx.repr(other)?;
                Err(Fault::value(format!("{shown} does not appear to be an IPv4 or IPv6 address")))
            }
        }
    }
}

/// The bytes of a MAC address in any usual notation.
pub fn mac_bytes(text: &str) -> Option<[u8; 6]> {
    let separators = [':', '-', '.'];
    let parts: Vec<&str> = text.trim().split(separators).collect();
    let width = match parts.len() {
        1 => 12,
        2 => 6,
        3 => 4,
        6 => 2,
        _ => return None,
    };
    let mut hex = String::new();
    for part in parts {
        if part.is_empty() || part.len() > width || (width == 12 && part.len() != 12) {
            return None;
        }
        hex.push_str(&"0".repeat(width - part.len()));
        hex.push_str(part);
    }
    let mut bytes = [0; 6];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn mac(cx: &Cx, value: &Value, format: Option<&Value>) -> Res<Value> {
    let own = match value {
        Value::Record(_) => cx.attribute(value, "mac_address")?,
        _ => None,
    };
    let (bytes, shown) = match own.as_ref().unwrap_or(value) {
        Value::Mac(bytes, shown) => (*bytes, shown.clone()),
        Value::Str(text) => match mac_bytes(text) {
            Some(bytes) => (bytes, Rc::new(Cell::new(MacForm::Unix))),
            None => return Err(Fault::value("value is not a valid mac address")),
        },
        Value::Undefined(missing) => return Err(undefined(missing)),
        other => {
            let name = type_name(cx, other);
            return Err(Fault::attribute(format!("'{name}' object has no attribute 'dialect'")));
        }
    };
    let form = match format.and_then(Value::as_str) {
        Some("cisco") => MacForm::Cisco,
        Some("bare") => MacForm::Bare,
        _ => MacForm::Unix,
    };
    // The address keeps the notation: printed later, it shows in it, in capitals.
    shown.set(form);
    Ok(Value::str(&crate::repr::mac(bytes, form).to_lowercase()))
}

fn local_ips(cx: &Cx, value: &Value, family: Option<&Value>) -> Res<Value> {
    let Value::Record(row) = value else { return Ok(Value::None) };
    match class(cx, value) {
        DIRECT => cx.stored_by_name(*row, "local_ip_address"),
        IXP_SESSION => {
            let v6 = session_address(cx, value).is_some_and(|address| address.is_ipv6());
            let Some(connection) = cx.world.target(*row, "ixp_connection") else {
                let field = if v6 { "ipv6_address" } else { "ipv4_address" };
                return Err(Fault::attribute(format!("'NoneType' object has no attribute '{field}'")));
            };
            cx.stored_by_name(connection, if v6 { "ipv6_address" } else { "ipv4_address" })
        }
        EXCHANGE => {
            let family = family.and_then(Value::as_int).unwrap_or(0);
            let model = cx.world.index("net.connection");
            let mut out = Vec::new();
            for index in cx.world.referring_by_name("net.connection", "internet_exchange_point", *row) {
                let connection = Row { model, index: *index };
                for (field, other) in [("ipv4_address", 6), ("ipv6_address", 4)] {
                    let address = cx.stored_by_name(connection, field)?;
                    if family != other && !address.is_none() {
                        out.push(address);
                    }
                }
            }
            Ok(Value::list(out))
        }
        _ => Ok(Value::None),
    }
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

fn contact(cx: &Cx, value: &Value, role: &Value, field: Option<&Value>) -> Res<Value> {
    let owner = match (class(cx, value), value) {
        (AUTONOMOUS_SYSTEM | EXCHANGE, Value::Record(row)) => Some(*row),
        (DIRECT | IXP_SESSION, Value::Record(row)) => cx.world.target(*row, "autonomous_system"),
        _ => None,
    };
    let Some(owner) = owner else {
        return Err(Fault::attribute(format!("{} has no contacts", cx.text(value)?)));
    };
    let role = cx.text(role)?.to_lowercase();
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
        return match field.filter(|field| cx.truth(field).unwrap_or(false)) {
            None => Ok(contact),
            Some(field) => needed(cx, &contact, &cx.text(field)?),
        };
    }
    Ok(Value::None)
}

/// `getattr` that must find something.
fn needed(cx: &Cx, item: &Value, name: &str) -> Res<Value> {
    match python_attribute(cx, item, name)? {
        Some(found) => Ok(found),
        None => Err(Fault::attribute(format!("'{}' object has no attribute '{name}'", type_name(cx, item)))),
    }
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

/// A password in the notation of the router's platform. One without a notation leaves it as it is.
fn encrypted(cx: &Cx, value: &Value, router: &Value, key: Option<Value>) -> Res<Value> {
    let (ROUTER, Value::Record(row)) = (class(cx, router), router) else {
        return Err(Fault::value("value is not a router"));
    };
    match cx.world.target(*row, "platform") {
        Some(platform) => {
            let given = std::iter::once(value.clone()).chain(key).collect();
            call(cx, &Value::Record(platform), "encrypt_password", given)
        }
        None => Ok(value.clone()),
    }
}

fn communities(cx: &Cx, value: &Value, field: Option<&Value>, direction: Option<&Value>) -> Res<Value> {
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

fn in_context(context: &Value, key: &Key, recursive: bool) -> Option<Value> {
    let Value::Dict(items) = context else { return None };
    for (name, value) in items.borrow().iter() {
        if name == key {
            return Some(value.clone());
        }
        if recursive && let Some(found) = in_context(value, key, recursive) {
            return Some(found);
        }
    }
    None
}
