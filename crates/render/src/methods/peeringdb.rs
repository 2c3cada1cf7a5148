//! What `PeeringDB` says of an object, and who could be a peer by it.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::context::Cx;
use crate::error::Res;
use crate::peering::{self, is_private, peeringdb_network};
use crate::queryset::QuerySet;
use crate::value::{Dict, Key, Value};
use crate::world::{Data, Row};

use super::row_of;
use super::session::{connections, ixp_sessions, over_connections, pointed};

pub(super) fn peeringdb_contacts(cx: &Cx, row: Row) -> QuerySet {
    let rows = peeringdb_network(&cx.world, row)
        .map_or(&[][..], |net| cx.world.referring_by_name("peeringdb.networkcontact", "net", net));
    QuerySet::new(cx.world.index("peeringdb.networkcontact"), rows)
}

pub(super) fn lan_prefixes(cx: &Cx, lan: Row) -> impl Iterator<Item = (u32, crate::address::Network)> + '_ {
    let model = cx.world.index("peeringdb.ixlanprefix");
    let rows = cx.world.referring_by_name("peeringdb.ixlanprefix", "ixlan", lan).iter();
    rows.filter_map(move |index| match cx.world.get(Row { model, index: *index }, "prefix") {
        Data::Network(network) => Some((*index, *network)),
        _ => None,
    })
}

pub(super) fn exchange_prefixes(cx: &Cx, row: Row) -> Value {
    let mut out = Dict::new();
    if let Some(lan) = cx.world.target(row, "peeringdb_ixlan") {
        for (_, network) in lan_prefixes(cx, lan) {
            let key = Key::str(&format!("ipv{}", crate::address::version(network.address)));
            let list = out.entry(key).or_insert_with(|| Value::list(Vec::new()));
            if let Value::List(items) = list {
                items.borrow_mut().push(Value::str(&network.to_string()));
            }
        }
    }
    Value::dict(out)
}

pub(super) fn in_peeringdb(cx: &Cx, row: Row) -> bool {
    let world = &cx.world;
    let Some(address) = peering::address(world, row) else { return false };
    let asn = world.target(row, "autonomous_system").and_then(|system| world.int(system, "asn"));
    let Some(network) = asn.and_then(|asn| world.network(asn)) else { return false };
    let field = if address.is_ipv4() { "ipaddr4" } else { "ipaddr6" };
    let model = world.index("peeringdb.networkixlan");
    world.referring_by_name("peeringdb.networkixlan", "net", network).iter().any(|index| {
        matches!(world.get(Row { model, index: *index }, field), Data::Interface(found) if found.address == address)
    })
}

pub(super) fn cidr(cx: &Cx, row: Row, field: &str) -> Value {
    let (Data::Interface(own), Some(lan)) = (cx.world.get(row, field), cx.world.target(row, "ixlan")) else {
        return Value::None;
    };
    let found = lan_prefixes(cx, lan).find(|(_, network)| network.contains(own.address));
    found.map_or(Value::None, |(_, network)| {
        Value::Interface(crate::address::Interface { address: own.address, length: network.length })
    })
}

/// Exchanges of an own system.
pub(super) fn local_to(cx: &Cx, set: &QuerySet, local: Option<Row>) -> QuerySet {
    let rows =
        set.rows.iter().copied().filter(|i| cx.world.target(set.row(*i), "local_autonomous_system") == local);
    set.with_rows(rows.collect())
}

/// A system's `PeeringDB` record, or the record itself.
pub(super) fn record_of(cx: &Cx, value: Option<&Value>) -> Option<Row> {
    let row = row_of(value)?;
    match &*cx.world.model(row.model).name {
        "peering.autonomoussystem" => peeringdb_network(&cx.world, row),
        "peeringdb.network" => Some(row),
        _ => None,
    }
}

pub(super) fn shared_exchanges(cx: &Cx, row: Row, other: Option<&Value>) -> QuerySet {
    let other_is_system = row_of(other).filter(|other| other.model == row.model);
    let local = other_is_system.unwrap_or(row);
    let lans = peering::shared_lans(cx, peeringdb_network(&cx.world, row), record_of(cx, other));
    let model = cx.world.index("peering.internetexchange");
    let all = QuerySet::new(model, cx.world.all(model));
    let rows = all.rows.iter().copied().filter(|index| {
        cx.world.target(all.row(*index), "peeringdb_ixlan").is_some_and(|lan| lans.contains(&lan.index))
    });
    local_to(cx, &all.with_rows(rows.collect()), Some(local))
}

fn session_addresses(cx: &Cx, set: &QuerySet) -> HashSet<IpAddr> {
    set.rows.iter().filter_map(|index| peering::address(&cx.world, set.row(*index))).collect()
}

/// Ports that have an address not in `taken`.
fn open_ports(cx: &Cx, rows: &[u32], taken: &HashSet<IpAddr>) -> Vec<u32> {
    let model = cx.world.index("peeringdb.networkixlan");
    let open = |index: u32, field: &str| matches!(cx.world.get(Row { model, index }, field), Data::Interface(own) if !taken.contains(&own.address));
    rows.iter().copied().filter(|index| open(*index, "ipaddr6") || open(*index, "ipaddr4")).collect()
}

pub(super) fn missing_sessions(
    cx: &Cx,
    row: Row,
    other: Option<&Value>,
    exchange: Option<Row>,
) -> Res<QuerySet> {
    let world = &cx.world;
    let model = world.index("peeringdb.networkixlan");
    let asn = world.int(row, "asn").unwrap_or(0);
    let network = world.network(asn);
    let empty = QuerySet::new(model, Vec::new());
    if row_of(other) == Some(row) || is_private(asn) {
        return Ok(empty);
    }
    let Some(network) = network else { return Ok(empty) };
    let mut sessions = ixp_sessions(cx, row, None);
    let lans: HashSet<u32> = if let Some(exchange) = exchange {
        let own: HashSet<u32> = connections(cx, exchange, None).rows.iter().copied().collect();
        let rows = sessions.rows.iter().copied().filter(|index| {
            world.target(sessions.row(*index), "ixp_connection").is_some_and(|row| own.contains(&row.index))
        });
        sessions = sessions.with_rows(rows.collect());
        world.target(exchange, "peeringdb_ixlan").map(|row| row.index).into_iter().collect()
    } else {
        let shared = shared_exchanges(cx, row, other);
        pointed(cx, &shared, "peeringdb_ixlan", "peeringdb.ixlan").rows.iter().copied().collect()
    };
    let ports: Vec<u32> = world
        .referring_by_name("peeringdb.networkixlan", "net", network)
        .iter()
        .copied()
        .filter(|index| {
            world.target(Row { model, index: *index }, "ixlan").is_some_and(|lan| lans.contains(&lan.index))
        })
        .collect();
    cx.burn(ports.len() as u64)?;
    Ok(QuerySet::new(model, open_ports(cx, &ports, &session_addresses(cx, &sessions))))
}

pub(super) fn hidden_peers(cx: &Cx, row: Row) -> QuerySet {
    let name = "peeringdb.hiddenpeer";
    let model = cx.world.index(name);
    let lan = cx.world.target(row, "peeringdb_ixlan");
    let rows = lan.map_or(&[][..], |lan| cx.world.referring_by_name(name, "peeringdb_ixlan", lan));
    let hidden = |index: &u32| match cx.world.get(Row { model, index: *index }, "until") {
        Data::Time(until) => *until > cx.now,
        _ => true,
    };
    QuerySet::new(model, rows.iter().copied().filter(hidden).collect::<Vec<_>>())
}

pub(super) fn available_peers(cx: &Cx, row: Row, show_hidden: bool) -> Res<QuerySet> {
    let world = &cx.world;
    let model = world.index("peeringdb.networkixlan");
    let Some(lan) = world.target(row, "peeringdb_ixlan") else { return Ok(QuerySet::new(model, Vec::new())) };
    let mut hidden: HashSet<i64> =
        world.target(row, "local_autonomous_system").and_then(|r| world.int(r, "asn")).into_iter().collect();
    if !show_hidden {
        let peers = hidden_peers(cx, row);
        let asns = peers.rows.iter().filter_map(|index| world.target(peers.row(*index), "peeringdb_network"));
        hidden.extend(asns.filter_map(|row| world.int(row, "asn")));
    }
    let links = connections(cx, row, None);
    let mut taken: Option<HashSet<IpAddr>> = None;
    for index in links.rows.iter() {
        let one = over_connections(cx, &links.with_rows(vec![*index]));
        let addresses = session_addresses(cx, &one);
        taken = Some(match taken {
            None => addresses,
            Some(known) => known.intersection(&addresses).copied().collect(),
        });
    }
    let ports: Vec<u32> = world
        .referring_by_name("peeringdb.networkixlan", "ixlan", lan)
        .iter()
        .copied()
        .filter(|index| {
            world.int(Row { model, index: *index }, "asn").is_none_or(|asn| !hidden.contains(&asn))
        })
        .collect();
    QuerySet::new(model, open_ports(cx, &ports, &taken.unwrap_or_default())).order_by(cx, &["asn".to_owned()])
}
