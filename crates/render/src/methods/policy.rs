//! Routing policies and communities: of an object itself, and of it together with what it belongs to.

use std::collections::HashSet;

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::peering;
use crate::queryset::QuerySet;
use crate::value::Value;
use crate::world::Row;

use super::session::{direct_sessions, ixp_sessions, rows_of};

/// Policies that sessions of a router refer to, or what those sessions belong to; by name.
pub(super) fn routing_policies(cx: &Cx, router: Row) -> Res<QuerySet> {
    let direct = direct_sessions(cx, router, None);
    let ixp = ixp_sessions(cx, router, None);
    let mut owners: Vec<Row> = Vec::new();
    for (set, fields) in
        [(&direct, ["autonomous_system", "bgp_group"]), (&ixp, ["autonomous_system", "ixp_connection"])]
    {
        for index in set.rows.iter() {
            let session = set.row(*index);
            owners.push(session);
            for field in fields {
                let owner = cx.world.target(session, field);
                owners.extend(if field == "ixp_connection" {
                    owner.and_then(|row| cx.world.target(row, "internet_exchange_point"))
                } else {
                    owner
                });
            }
        }
    }
    let owners: HashSet<Row> = owners.into_iter().collect();
    let all = owners.is_empty();
    let mut rows: Vec<u32> = Vec::new();
    for owner in owners {
        cx.burn(1)?;
        for field in ["import_routing_policies", "export_routing_policies"] {
            if let Some(at) = cx.world.model(owner.model).field(field) {
                rows.extend(cx.world.many(owner, at));
            }
        }
    }
    let model = cx.world.index("peering.routingpolicy");
    if all {
        cx.warn("the router has no session: routing_policies holds all policies".into());
        rows = cx.world.all(model);
    }
    rows_of(cx, "peering.routingpolicy", rows).order_by(cx, &["name".to_owned()])
}

pub(super) fn own_policies(cx: &Cx, row: Row, way: &str) -> QuerySet {
    let at = cx.world.model(row.model).field(&format!("{way}_routing_policies")).unwrap_or_default();
    QuerySet::new(cx.world.index("peering.routingpolicy"), cx.world.many(row, at))
}

/// The group or exchange a session belongs to, and its router.
fn surroundings(cx: &Cx, session: Row) -> (Option<Row>, Option<Row>) {
    let world = &cx.world;
    if &*world.model(session.model).name == "peering.directpeeringsession" {
        return (world.target(session, "bgp_group"), world.target(session, "router"));
    }
    let connection = world.target(session, "ixp_connection");
    let of = |field| connection.and_then(|row| world.target(row, field));
    (of("internet_exchange_point"), of("router"))
}

pub(super) fn merged_policies(cx: &Cx, row: Row, way: &str, reverse: bool) -> Res<Value> {
    let model = &*cx.world.model(row.model).name;
    let own = own_policies(cx, row, way);
    let mut merged: Vec<u32> = own.rows.to_vec();
    match model {
        "peering.internetexchange" => {}
        "peering.directpeeringsession" | "peering.internetexchangepeeringsession" => {
            let family = peering::address(&cx.world, row)
                .map_or(0, |address| i64::from(crate::address::version(address)));
            let (group, _) = surroundings(cx, row);
            for other in cx.world.target(row, "autonomous_system").into_iter().chain(group) {
                for index in own_policies(cx, other, way).rows.iter() {
                    let policy = cx.world.int(own.row(*index), "address_family").unwrap_or(0);
                    if (policy == 0 || policy == family) && !merged.contains(index) {
                        merged.push(*index);
                    }
                }
            }
        }
        _ => return Err(Fault::new("NotImplementedError", "")),
    }
    if reverse {
        merged.reverse();
    }
    Ok(Value::list(merged.into_iter().map(|index| Value::Record(own.row(index))).collect()))
}

pub(super) fn merged_communities(cx: &Cx, row: Row) -> Value {
    let (group, router) = surroundings(cx, row);
    let mut merged: Vec<u32> = Vec::new();
    let system = cx.world.target(row, "autonomous_system");
    for owner in std::iter::once(row).chain(system).chain(group).chain(router) {
        let at = cx.world.model(owner.model).field("communities").unwrap_or_default();
        for index in cx.world.many(owner, at) {
            if !merged.contains(&index) {
                merged.push(index);
            }
        }
    }
    let model = cx.world.index("bgp.community");
    Value::list(merged.into_iter().map(|index| Value::Record(Row { model, index })).collect())
}

/// Whether communities of this type are applied in this direction.
pub(crate) fn is_applied(kind: &str, direction: &str) -> bool {
    kind == direction || kind == "ingress-egress"
}

/// The kind of a community's value (RFC 1997, RFC 4360, RFC 8092), if it is one.
pub(super) fn community_kind(cx: &Cx, value: &str) -> Option<&'static str> {
    if !cx.settings.validate_communities {
        return None;
    }
    let number = |text: &str| -> Option<u64> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
    };
    let parts: Vec<&str> = value.split(':').collect();
    match *parts {
        [a, b] => {
            let fits = (1..=65_535).contains(&number(a)?) && number(b)? <= 65_535;
            fits.then_some("standard")
        }
        ["origin" | "target", a, b] => {
            let administrator = match a.parse::<std::net::Ipv4Addr>() {
                Ok(address) => u64::from(u32::from(address)),
                Err(_) => number(a)?,
            };
            let most = if administrator > 65_535 { 65_535 } else { 4_294_967_295 };
            (1..=most).contains(&number(b)?).then_some("extended")
        }
        [a, b, c] => {
            let most = 4_294_967_295;
            let fits = (1..=most).contains(&number(a)?) && number(b)? <= most && number(c)? <= most;
            fits.then_some("large")
        }
        _ => None,
    }
}
