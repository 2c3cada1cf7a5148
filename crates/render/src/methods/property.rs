//! Properties: what an object knows without being asked with arguments.

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::peering::{is_private, peeringdb_network};
use crate::value::Value;
use crate::world::{Data, Row};

use super::peeringdb::{cidr, exchange_prefixes, in_peeringdb, peeringdb_contacts};
use super::policy::{community_kind, is_applied};

/// A property of an object. `None`: there is none of that name.
pub(crate) fn property(cx: &Cx, row: Row, name: &str) -> Res<Option<Value>> {
    let world = &cx.world;
    let object = |row: Option<Row>| row.map_or(Value::None, Value::Record);
    let linked = |field: &str| Value::Bool(world.target(row, field).is_some());
    Ok(Some(match (&*world.model(row.model).name, name) {
        ("peering.autonomoussystem", "is_private") => {
            Value::Bool(is_private(world.int(row, "asn").unwrap_or(0)))
        }
        ("peering.autonomoussystem", "peeringdb_network") => object(peeringdb_network(world, row)),
        ("peering.autonomoussystem", "general_policy") => peeringdb_network(world, row)
            .map_or(Ok(Value::None), |net| cx.stored_by_name(net, "policy_general"))?,
        ("peering.autonomoussystem", "peeringdb_contacts") => peeringdb_contacts(cx, row).value(),
        ("peering.autonomoussystem", "prefixes_updated") => {
            crate::fresh::lists_checked(cx, row).map_or(Value::None, |time| Value::Time(time.fixed_offset()))
        }
        ("peering.autonomoussystem", "can_receive_email") => {
            let assigned = !world.hanging("messaging.contactassignment", row).is_empty();
            Value::Bool(assigned || !peeringdb_contacts(cx, row).rows.is_empty())
        }
        ("peering.internetexchange", "linked_to_peeringdb") => linked("peeringdb_ixlan"),
        ("peering.internetexchange", "has_connected_routers") => {
            let model = world.index("net.connection");
            let rows = world.referring_by_name("net.connection", "internet_exchange_point", row);
            Value::Bool(
                rows.iter().any(|index| world.target(Row { model, index: *index }, "router").is_some()),
            )
        }
        ("peering.internetexchange", "peeringdb_prefixes") => exchange_prefixes(cx, row),
        ("net.connection", "linked_to_peeringdb") => linked("peeringdb_netixlan"),
        ("net.connection", "name") => Value::str(&cx.connection_name(row)),
        ("peering.directpeeringsession" | "peering.internetexchangepeeringsession", "enabled") => {
            Value::Bool(world.text(row, "status") == "enabled")
        }
        ("peering.internetexchangepeeringsession", "exists_in_peeringdb") => {
            Value::Bool(in_peeringdb(cx, row))
        }
        ("peering.internetexchangepeeringsession", "is_abandoned") => {
            let Some(connection) = world.target(row, "ixp_connection") else {
                return Err(Fault::attribute("'NoneType' object has no attribute 'linked_to_peeringdb'"));
            };
            let polled =
                world.target(connection, "router").is_none_or(|r| world.flag(r, "poll_bgp_sessions_state"));
            let system = world.target(row, "autonomous_system");
            let known = system.is_some_and(|system| peeringdb_network(world, system).is_some());
            let down = matches!(world.text(row, "bgp_state"), "idle" | "active");
            let linked = world.target(connection, "peeringdb_netixlan").is_some();
            Value::Bool(linked && polled && known && !in_peeringdb(cx, row) && down)
        }
        ("peering.directpeeringsession" | "peering.internetexchangepeeringsession", "bgp_role_code") => {
            bgp_role(world.text(row, "bgp_role")).map_or(Value::None, |(code, _)| Value::Int(code))
        }
        ("peering.directpeeringsession" | "peering.internetexchangepeeringsession", "remote_bgp_role") => {
            bgp_role(world.text(row, "bgp_role")).map_or(Value::None, |(_, remote)| Value::str(remote))
        }
        ("bgp.community", "is_ingress") => Value::Bool(is_applied(world.text(row, "type"), "ingress")),
        ("bgp.community", "is_egress") => Value::Bool(is_applied(world.text(row, "type"), "egress")),
        ("bgp.community", "kind") => {
            community_kind(cx, world.text(row, "value")).map_or(Value::None, Value::str)
        }
        ("peeringdb.networkixlan", "cidr4") => cidr(cx, row, "ipaddr4"),
        ("peeringdb.networkixlan", "cidr6") => cidr(cx, row, "ipaddr6"),
        ("peeringdb.networkixlan", "is_remote_peer") => {
            match (world.target(row, "net_side"), world.target(row, "ix_side")) {
                (Some(net), Some(ix)) => Value::Bool(net != ix),
                _ => Value::None,
            }
        }
        ("peeringdb.hiddenpeer", "is_expired") => Value::Bool(match world.get(row, "until") {
            Data::Time(until) => *until < cx.now,
            _ => false,
        }),
        _ => return Ok(None),
    }))
}

/// A role's number in the capability, and the role that the other side has to have (RFC 9234, sections 4.1 and 4.2).
fn bgp_role(role: &str) -> Option<(i128, &'static str)> {
    Some(match role {
        "provider" => (0, "customer"),
        "rs" => (1, "rs-client"),
        "rs-client" => (2, "rs"),
        "customer" => (3, "provider"),
        "peer" => (4, "peer"),
        _ => return None,
    })
}
