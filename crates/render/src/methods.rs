//! Properties and methods of each kind of object.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::peering::{self, is_private, peeringdb_network};
use crate::queryset::QuerySet;
use crate::value::{Dict, Key, Value};
use crate::world::{Data, Row};

pub(crate) const AUTONOMOUS_SYSTEM: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "get_direct_peering_sessions",
    "get_ixp_peering_sessions",
    "get_relationships",
    "get_internet_exchange_points",
    "get_shared_internet_exchange_points",
    "get_peeringdb_shared_facilities",
    "get_missing_peering_sessions",
    "get_routers",
    "get_irr_as_set_prefixes",
    "get_irr_as_set_as_list",
    "get_contact_email_addresses",
    "get_cc_email_contacts",
    "divergence_from_peeringdb",
    "are_bgp_sessions_pollable",
];
pub(crate) const GROUP: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "get_peering_sessions",
    "get_routers",
    "are_bgp_sessions_pollable",
];
pub(crate) const EXCHANGE: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "get_peering_sessions",
    "get_routers",
    "are_bgp_sessions_pollable",
    "get_prefixes",
    "get_connections",
    "get_autonomous_systems",
    "get_hidden_peers",
    "get_available_peers",
    "get_ixapi_network_service",
];
pub(crate) const SESSION: &[&str] = &[
    "export_policies",
    "import_policies",
    "policies",
    "merged_export_policies",
    "merged_import_policies",
    "merged_communities",
];
pub(crate) const ROUTER: &[&str] = &[
    "get_bgp_groups",
    "get_connections",
    "get_internet_exchange_points",
    "get_direct_autonomous_systems",
    "get_ixp_autonomous_systems",
    "get_autonomous_systems",
    "get_direct_peering_sessions",
    "get_ixp_peering_sessions",
    "get_bfd_configs",
    "get_routing_policies",
    "is_netbox_device",
    "is_usable_for_task",
];
pub(crate) const PLATFORM: &[&str] = &["encrypt_password", "decrypt_password"];

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

fn peeringdb_contacts(cx: &Cx, row: Row) -> QuerySet {
    let rows = peeringdb_network(&cx.world, row)
        .map_or(&[][..], |net| cx.world.referring_by_name("peeringdb.networkcontact", "net", net));
    QuerySet::new(cx.world.index("peeringdb.networkcontact"), rows)
}

fn lan_prefixes(cx: &Cx, lan: Row) -> impl Iterator<Item = (u32, crate::address::Network)> + '_ {
    let model = cx.world.index("peeringdb.ixlanprefix");
    let rows = cx.world.referring_by_name("peeringdb.ixlanprefix", "ixlan", lan).iter();
    rows.filter_map(move |index| match cx.world.get(Row { model, index: *index }, "prefix") {
        Data::Network(network) => Some((*index, *network)),
        _ => None,
    })
}

fn exchange_prefixes(cx: &Cx, row: Row) -> Value {
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

fn in_peeringdb(cx: &Cx, row: Row) -> bool {
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

fn cidr(cx: &Cx, row: Row, field: &str) -> Value {
    let (Data::Interface(own), Some(lan)) = (cx.world.get(row, field), cx.world.target(row, "ixlan")) else {
        return Value::None;
    };
    let found = lan_prefixes(cx, lan).find(|(_, network)| network.contains(own.address));
    found.map_or(Value::None, |(_, network)| {
        Value::Interface(crate::address::Interface { address: own.address, length: network.length })
    })
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

/// Whether communities of this type are applied in this direction.
pub(crate) fn is_applied(kind: &str, direction: &str) -> bool {
    kind == direction || kind == "ingress-egress"
}

/// The kind of a community's value (RFC 1997, RFC 4360, RFC 8092), if it is one.
fn community_kind(cx: &Cx, value: &str) -> Option<&'static str> {
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

/// Rows of `model` for which `test` holds.
fn rows_of(cx: &Cx, model: &str, rows: impl IntoIterator<Item = u32>) -> QuerySet {
    let mut rows: Vec<u32> = rows.into_iter().collect();
    rows.sort_unstable();
    rows.dedup();
    QuerySet::new(cx.world.index(model), rows)
}

fn referring(cx: &Cx, model: &str, field: &str, to: Row) -> QuerySet {
    QuerySet::new(cx.world.index(model), cx.world.referring_by_name(model, field, to))
}

/// What the members of a set point to by a foreign key.
fn pointed(cx: &Cx, set: &QuerySet, field: &str, model: &str) -> QuerySet {
    rows_of(
        cx,
        model,
        set.rows.iter().filter_map(|index| cx.world.target(set.row(*index), field)).map(|row| row.index),
    )
}

fn direct_sessions(cx: &Cx, row: Row, group: Option<Row>) -> QuerySet {
    let field =
        if &*cx.world.model(row.model).name == "devices.router" { "router" } else { "autonomous_system" };
    let mut set = referring(cx, "peering.directpeeringsession", field, row);
    if group.is_some() {
        let rows =
            set.rows.iter().copied().filter(|index| cx.world.target(set.row(*index), "bgp_group") == group);
        set = set.with_rows(rows.collect());
    }
    set
}

fn connections(cx: &Cx, row: Row, exchange: Option<Row>) -> QuerySet {
    let exchange_model = &*cx.world.model(row.model).name == "peering.internetexchange";
    let field = if exchange_model { "internet_exchange_point" } else { "router" };
    let set = referring(cx, "net.connection", field, row);
    if exchange.is_none() {
        return set;
    }
    let rows = set
        .rows
        .iter()
        .copied()
        .filter(|i| cx.world.target(set.row(*i), "internet_exchange_point") == exchange);
    set.with_rows(rows.collect())
}

fn over_connections(cx: &Cx, connections: &QuerySet) -> QuerySet {
    let name = "peering.internetexchangepeeringsession";
    let rows = connections.rows.iter().flat_map(|index| {
        cx.world.referring_by_name(name, "ixp_connection", connections.row(*index)).iter().copied()
    });
    rows_of(cx, name, rows)
}

fn ixp_sessions(cx: &Cx, row: Row, exchange: Option<Row>) -> QuerySet {
    if &*cx.world.model(row.model).name == "devices.router" {
        return over_connections(cx, &connections(cx, row, exchange));
    }
    let set = referring(cx, "peering.internetexchangepeeringsession", "autonomous_system", row);
    if exchange.is_none() {
        return set;
    }
    let rows = set.rows.iter().copied().filter(|index| {
        let connection = cx.world.target(set.row(*index), "ixp_connection");
        connection.and_then(|row| cx.world.target(row, "internet_exchange_point")) == exchange
    });
    set.with_rows(rows.collect())
}

pub(crate) fn autonomous_systems(cx: &Cx, router: Row) -> QuerySet {
    let name = "peering.autonomoussystem";
    let direct = pointed(cx, &direct_sessions(cx, router, None), "autonomous_system", name);
    let ixp = pointed(cx, &ixp_sessions(cx, router, None), "autonomous_system", name);
    let both = rows_of(cx, name, direct.rows.iter().chain(ixp.rows.iter()).copied());
    QuerySet { union: true, ..both }
}

/// Policies that sessions of a router refer to, or what those sessions belong to; by name.
pub(crate) fn routing_policies(cx: &Cx, router: Row) -> Res<QuerySet> {
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

fn own_policies(cx: &Cx, row: Row, way: &str) -> QuerySet {
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

fn merged_policies(cx: &Cx, row: Row, way: &str, reverse: bool) -> Res<Value> {
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

fn merged_communities(cx: &Cx, row: Row) -> Value {
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

fn routers(cx: &Cx, row: Row) -> QuerySet {
    match &*cx.world.model(row.model).name {
        "peering.bgpgroup" => pointed(
            cx,
            &referring(cx, "peering.directpeeringsession", "bgp_group", row),
            "router",
            "devices.router",
        ),
        "peering.internetexchange" => pointed(cx, &connections(cx, row, None), "router", "devices.router"),
        _ => {
            let direct = pointed(cx, &direct_sessions(cx, row, None), "router", "devices.router");
            let over = pointed(cx, &ixp_sessions(cx, row, None), "ixp_connection", "net.connection");
            if over.rows.is_empty() {
                return direct;
            }
            let ixp = pointed(cx, &over, "router", "devices.router");
            let both = rows_of(cx, "devices.router", direct.rows.iter().chain(ixp.rows.iter()).copied());
            QuerySet { union: true, ..both }
        }
    }
}

fn usable(cx: &Cx, router: Row) -> bool {
    let platform = cx.world.target(router, "platform");
    cx.world.text(router, "status") != "disabled"
        && platform.is_some_and(|row| !cx.world.text(row, "napalm_driver").is_empty())
}

fn row_of(value: Option<&Value>) -> Option<Row> {
    match value {
        Some(Value::Record(row)) => Some(*row),
        _ => None,
    }
}

#[expect(clippy::too_many_lines, reason = "one arm per method")]
pub(crate) fn call(cx: &Cx, row: Row, name: &str, args: Args) -> Res<Value> {
    let world = &cx.world;
    let model = &*world.model(row.model).name;
    let one = |parameter: &'static str, required: usize, args: Args| -> Res<Option<Value>> {
        let [value] =
            args.bind(&format!("{}.{name}", world.model(row.model).class), [parameter], required, 1)?;
        Ok(value)
    };
    Ok(match name {
        "export_policies" => own_policies(cx, row, "export").value(),
        "import_policies" => own_policies(cx, row, "import").value(),
        "policies" => {
            let (out, into) = (own_policies(cx, row, "export"), own_policies(cx, row, "import"));
            let rows = out.rows.iter().copied().filter(|index| into.rows.contains(index)).collect();
            out.with_rows(rows).value()
        }
        "merged_export_policies" | "merged_import_policies" => {
            let way = if name == "merged_export_policies" { "export" } else { "import" };
            let reverse = one("reverse", 0, args)?.map_or(Ok(false), |reverse| cx.truth(&reverse))?;
            merged_policies(cx, row, way, reverse)?
        }
        "merged_communities" => merged_communities(cx, row),
        "get_direct_peering_sessions" => {
            direct_sessions(cx, row, row_of(one("bgp_group", 0, args)?.as_ref())).value()
        }
        "get_ixp_peering_sessions" => {
            ixp_sessions(cx, row, row_of(one("internet_exchange_point", 0, args)?.as_ref())).value()
        }
        "get_connections" if model == "peering.internetexchange" => connections(cx, row, None).value(),
        "get_connections" => {
            connections(cx, row, row_of(one("internet_exchange_point", 0, args)?.as_ref())).value()
        }
        "get_routers" => routers(cx, row).value(),
        "get_peering_sessions" if model == "peering.bgpgroup" => {
            referring(cx, "peering.directpeeringsession", "bgp_group", row).value()
        }
        "get_peering_sessions" => over_connections(cx, &connections(cx, row, None)).value(),
        "are_bgp_sessions_pollable" => {
            let set = routers(cx, row);
            let group = model != "peering.autonomoussystem";
            Value::Bool(set.rows.iter().map(|index| set.row(*index)).any(|router| {
                world.flag(router, "poll_bgp_sessions_state") && (!group || usable(cx, router))
            }))
        }
        "get_relationships" => {
            let local = row_of(one("local_autonomous_system", 0, args)?.as_ref());
            let set = direct_sessions(cx, row, None);
            let rows = set.rows.iter().copied().filter(|index| {
                local.is_none() || world.target(set.row(*index), "local_autonomous_system") == local
            });
            pointed(cx, &set.with_rows(rows.collect()), "relationship", "bgp.relationship").value()
        }
        "get_internet_exchange_points" if model == "peering.autonomoussystem" => {
            let other = row_of(one("other", 1, args)?.as_ref());
            let over = pointed(cx, &ixp_sessions(cx, row, None), "ixp_connection", "net.connection");
            let exchanges = pointed(cx, &over, "internet_exchange_point", "peering.internetexchange");
            local_to(cx, &exchanges, other).value()
        }
        "get_internet_exchange_points" => {
            pointed(cx, &connections(cx, row, None), "internet_exchange_point", "peering.internetexchange")
                .value()
        }
        "get_shared_internet_exchange_points" => {
            shared_exchanges(cx, row, one("other", 1, args)?.as_ref()).value()
        }
        "get_peeringdb_shared_facilities" => {
            let other = record_of(cx, one("other", 1, args)?.as_ref());
            peering::shared_facilities(cx, peeringdb_network(world, row), other).value()
        }
        "get_missing_peering_sessions" => {
            let [other, exchange] = args.bind(name, ["other", "internet_exchange_point"], 1, 1)?;
            missing_sessions(cx, row, other.as_ref(), row_of(exchange.as_ref()))?.value()
        }
        "get_irr_as_set_prefixes" => {
            let [family, missing] =
                args.bind("AutonomousSystem.get_irr_as_set_prefixes", ["address_family", "missing"], 0, 1)?;
            prefixes(cx, row, family.and_then(|f| f.as_int()), missing.as_ref())?
        }
        "get_irr_as_set_as_list" => cx.stored_by_name(row, "as_list")?,
        "get_contact_email_addresses" => contact_addresses(cx, row),
        "get_cc_email_contacts" => {
            let rows = cx.settings.cc_contacts.iter().map(|(email, name)| {
                let label = if name.is_empty() { email.clone() } else { format!("{name} - {email}") };
                Value::Tuple([Value::str(email), Value::str(&label)].into())
            });
            Value::list(rows.collect())
        }
        "divergence_from_peeringdb" => divergence(cx, row)?,
        "get_prefixes" => {
            let family = one("family", 0, args)?.and_then(|family| family.as_int()).unwrap_or(0);
            let rows = world.target(row, "peeringdb_ixlan").map_or(Vec::new(), |lan| {
                let fits = |address: IpAddr| {
                    !matches!(family, 4 | 6) || i128::from(crate::address::version(address)) == family
                };
                lan_prefixes(cx, lan)
                    .filter(|(_, network)| fits(network.address))
                    .map(|(index, _)| index)
                    .collect()
            });
            QuerySet::new(world.index("peeringdb.ixlanprefix"), rows).value()
        }
        "get_autonomous_systems" if model == "devices.router" => autonomous_systems(cx, row).value(),
        "get_autonomous_systems" => {
            let sessions = over_connections(cx, &connections(cx, row, None));
            pointed(cx, &sessions, "autonomous_system", "peering.autonomoussystem").value()
        }
        "get_hidden_peers" => hidden_peers(cx, row).value(),
        "get_available_peers" => {
            let hidden = one("show_hidden", 0, args)?.map_or(Ok(false), |hidden| cx.truth(&hidden))?;
            available_peers(cx, row, hidden)?.value()
        }
        "get_bgp_groups" => {
            pointed(cx, &direct_sessions(cx, row, None), "bgp_group", "peering.bgpgroup").value()
        }
        "get_direct_autonomous_systems" => {
            let group = row_of(one("bgp_group", 0, args)?.as_ref());
            pointed(cx, &direct_sessions(cx, row, group), "autonomous_system", "peering.autonomoussystem")
                .value()
        }
        "get_ixp_autonomous_systems" => {
            let exchange = row_of(one("internet_exchange_point", 0, args)?.as_ref());
            pointed(cx, &ixp_sessions(cx, row, exchange), "autonomous_system", "peering.autonomoussystem")
                .value()
        }
        "get_bfd_configs" => {
            let direct = pointed(cx, &direct_sessions(cx, row, None), "bfd", "net.bfd");
            let ixp = pointed(cx, &ixp_sessions(cx, row, None), "bfd", "net.bfd");
            let both = rows_of(cx, "net.bfd", direct.rows.iter().chain(ixp.rows.iter()).copied());
            // The original leaves their order open; the slowest first is one that it gives.
            both.order_by(cx, &["-minimum_transmit_interval".to_owned(), "name".to_owned()])?.value()
        }
        "get_routing_policies" => routing_policies(cx, row)?.value(),
        "is_netbox_device" => Value::Bool(world.int(row, "netbox_device_id").unwrap_or(0) != 0),
        "is_usable_for_task" => Value::Bool(usable(cx, row)),
        "encrypt_password" | "decrypt_password" => {
            let [password, key] = args.bind(name, ["password", "key"], 1, 1)?;
            let text = |value: Option<Value>| {
                value.filter(|v| !v.is_none()).map_or(Ok(String::new()), |v| cx.text(&v))
            };
            let (password, key) = (text(password)?, text(key)?);
            Value::str(&crate::passwords::apply(
                &cx.settings,
                world.text(row, "password_algorithm"),
                name,
                &password,
                &key,
            )?)
        }
        _ => Value::None,
    })
}

/// Exchanges of an own system.
fn local_to(cx: &Cx, set: &QuerySet, local: Option<Row>) -> QuerySet {
    let rows =
        set.rows.iter().copied().filter(|i| cx.world.target(set.row(*i), "local_autonomous_system") == local);
    set.with_rows(rows.collect())
}

/// A system's `PeeringDB` record, or the record itself.
fn record_of(cx: &Cx, value: Option<&Value>) -> Option<Row> {
    let row = row_of(value)?;
    match &*cx.world.model(row.model).name {
        "peering.autonomoussystem" => peeringdb_network(&cx.world, row),
        "peeringdb.network" => Some(row),
        _ => None,
    }
}

fn shared_exchanges(cx: &Cx, row: Row, other: Option<&Value>) -> QuerySet {
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

fn missing_sessions(cx: &Cx, row: Row, other: Option<&Value>, exchange: Option<Row>) -> Res<QuerySet> {
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

fn hidden_peers(cx: &Cx, row: Row) -> QuerySet {
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

fn available_peers(cx: &Cx, row: Row, show_hidden: bool) -> Res<QuerySet> {
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

fn prefixes(cx: &Cx, row: Row, family: Option<i128>, missing: Option<&Value>) -> Res<Value> {
    let allowing = match missing.map(|word| cx.text(word)).transpose()?.as_deref() {
        None => None,
        Some("error") => Some(false),
        Some("empty") => Some(true),
        Some(other) => {
            return Err(Fault::value(format!("missing=\"{other}\" is neither \"error\" nor \"empty\"")));
        }
    };
    let both = if let Some(lists) = cx.prefix_lists(row, allowing)? {
        lists
    } else {
        let pairs = ["ipv6", "ipv4"].map(|key| (Key::str(key), Value::list(Vec::new())));
        Value::dict(pairs.into_iter().collect())
    };
    let key = match family {
        Some(6) => "ipv6",
        Some(4) => "ipv4",
        _ => return Ok(both),
    };
    Ok(match &both {
        Value::Dict(items) => {
            items.borrow().get(&Key::str(key)).cloned().unwrap_or_else(|| Value::list(Vec::new()))
        }
        _ => both,
    })
}

fn contact_addresses(cx: &Cx, row: Row) -> Value {
    let world = &cx.world;
    let mut known: Vec<String> = Vec::new();
    let mut out = Vec::new();
    let mut push = |email: &str, name: &str, known: &mut Vec<String>| {
        let label = if name.is_empty() { email.to_owned() } else { format!("{name} - {email}") };
        out.push(Value::Tuple([Value::str(email), Value::str(&label)].into()));
        known.push(email.to_owned());
    };
    let model = world.index("messaging.contactassignment");
    for index in world.hanging("messaging.contactassignment", row) {
        if let Some(contact) = world.target(Row { model, index: *index }, "contact") {
            let email = world.text(contact, "email");
            if !email.is_empty() {
                push(email, world.text(contact, "name"), &mut known);
            }
        }
    }
    let set = peeringdb_contacts(cx, row);
    for index in set.rows.iter() {
        let email = world.text(set.row(*index), "email");
        if !email.is_empty() && !known.iter().any(|one| one == email) {
            push(email, world.text(set.row(*index), "name"), &mut known);
        }
    }
    Value::list(out)
}

fn divergence(cx: &Cx, row: Row) -> Res<Value> {
    let Some(network) = peeringdb_network(&cx.world, row) else { return Ok(Value::list(Vec::new())) };
    let fields = [
        ("Name", "name", "name"),
        ("IRR AS-SET", "irr_as_set", "irr_as_set"),
        ("IPv6 Max Prefix", "ipv6_max_prefixes", "info_prefixes6"),
        ("IPv4 Max Prefix", "ipv4_max_prefixes", "info_prefixes4"),
    ];
    let mut out = Vec::new();
    for (label, local, remote) in fields {
        let (ours, theirs) = (cx.stored_by_name(row, local)?, cx.stored_by_name(network, remote)?);
        if !cx.equal(&ours, &theirs)? {
            let pairs = [
                ("label", Value::str(label)),
                ("local_key", Value::str(local)),
                ("peeringdb_key", Value::str(remote)),
                ("local_value", ours),
                ("peeringdb_value", theirs),
            ];
            out.push(Value::dict(pairs.into_iter().map(|(key, value)| (Key::str(key), value)).collect()));
        }
    }
    Ok(Value::list(out))
}
