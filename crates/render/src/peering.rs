//! What objects of the world mean to one another, apart from any template.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::context::Cx;
use crate::queryset::QuerySet;
use crate::world::{Data, Row, World};

/// The remote address of a session.
pub(crate) fn address(world: &World, session: Row) -> Option<IpAddr> {
    match world.get(session, "ip_address") {
        Data::Ip(address) => Some(*address),
        Data::Interface(interface) => Some(interface.address),
        _ => None,
    }
}

/// Numbers that are for private use, documentation or reserved.
pub(crate) fn is_private(asn: i64) -> bool {
    matches!(asn, 0 | 23456 | 65535 | 4_294_967_295)
        || (64_496..=65_534).contains(&asn)
        || (65_536..=131_071).contains(&asn)
        || (4_200_000_000..=4_294_967_294).contains(&asn)
}

/// The `PeeringDB` record of an autonomous system.
pub(crate) fn peeringdb_network(world: &World, system: Row) -> Option<Row> {
    let asn = world.int(system, "asn")?;
    if is_private(asn) { None } else { world.network(asn) }
}

fn targets(cx: &Cx, model: &str, by: &str, of: Row, field: &str) -> HashSet<u32> {
    let index = cx.world.index(model);
    let rows = cx.world.referring_by_name(model, by, of).iter();
    rows.filter_map(|at| cx.world.target(Row { model: index, index: *at }, field))
        .map(|row| row.index)
        .collect()
}

/// Two different records, or nothing.
fn pair(a: Option<Row>, b: Option<Row>) -> Option<(Row, Row)> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Some((a, b)),
        _ => None,
    }
}

/// Facilities where both networks are.
pub(crate) fn shared_facilities(cx: &Cx, a: Option<Row>, b: Option<Row>) -> QuerySet {
    let mut rows = Vec::new();
    if let Some((a, b)) = pair(a, b) {
        let of = |net| targets(cx, "peeringdb.networkfacility", "net", net, "fac");
        rows = of(a).intersection(&of(b)).copied().collect();
        rows.sort_unstable();
    }
    QuerySet::new(cx.world.index("peeringdb.facility"), rows)
}

/// LANs where both networks are.
pub(crate) fn shared_lans(cx: &Cx, a: Option<Row>, b: Option<Row>) -> HashSet<u32> {
    let Some((a, b)) = pair(a, b) else { return HashSet::new() };
    let of = |net| targets(cx, "peeringdb.networkixlan", "net", net, "ixlan");
    of(a).intersection(&of(b)).copied().collect()
}

/// Ports of the second network on LANs where the first is.
pub(crate) fn possible_sessions(cx: &Cx, a: Option<Row>, b: Option<Row>, lan: Option<Row>) -> QuerySet {
    let model = cx.world.index("peeringdb.networkixlan");
    let mut rows = Vec::new();
    if let Some((a, b)) = pair(a, b) {
        let mut lans = targets(cx, "peeringdb.networkixlan", "net", a, "ixlan");
        if let Some(lan) = lan {
            lans.retain(|index| *index == lan.index);
        }
        rows = cx.world.referring_by_name("peeringdb.networkixlan", "net", b).to_vec();
        rows.retain(|index| {
            cx.world
                .target(Row { model, index: *index }, "ixlan")
                .is_some_and(|lan| lans.contains(&lan.index))
        });
    }
    QuerySet::new(model, rows)
}

/// The names of AS-SETs in a text, without their sources.
pub(crate) fn as_sets(sources: &[String], asn: i64, text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return vec![format!("AS{asn}")];
    }
    let parts = text.split(|c: char| c.is_whitespace() || "/,&".contains(c)).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let named = sources.iter().find_map(|source| {
                let rest = part.strip_prefix(source.as_str())?;
                let name = rest.trim_start_matches(':');
                (rest.starts_with(':') && !name.is_empty()).then_some(name)
            });
            let name = named.unwrap_or(part);
            name.strip_prefix("ipv4:").or_else(|| name.strip_prefix("ipv6:")).unwrap_or(name).to_owned()
        })
        .collect()
}

/// An object's status with that of what it depends on.
pub(crate) fn inherited_status(world: &World, row: Row) -> String {
    const MAINTENANCE: [&str; 3] = ["pre-maintenance", "maintenance", "post-maintenance"];
    let own = world.text(row, "status");
    let of = |field: &str| world.target(row, field).map_or("", |row| world.text(row, "status"));
    if own == "disabled" {
        return own.to_owned();
    }
    // A disabled router does not disable what is on it; whoever is above the router may.
    let (above, decides): (&str, &[&str]) = match &*world.model(row.model).name {
        "net.connection" => (
            of("internet_exchange_point"),
            &["disabled", "pre-maintenance", "maintenance", "post-maintenance"],
        ),
        "peering.directpeeringsession" => (of("bgp_group"), &["disabled", "maintenance"]),
        "peering.internetexchangepeeringsession" => {
            let connection = world.target(row, "ixp_connection").map(|row| inherited_status(world, row));
            return match connection {
                Some(status) if status == "disabled" || MAINTENANCE.contains(&status.as_str()) => status,
                _ => own.to_owned(),
            };
        }
        _ => return own.to_owned(),
    };
    let router = of("router");
    if decides.contains(&above) {
        above.to_owned()
    } else if MAINTENANCE.contains(&router) {
        router.to_owned()
    } else {
        own.to_owned()
    }
}
