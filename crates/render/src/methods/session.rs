//! Sessions and connections of an object, and what these lead to.

use crate::context::Cx;
use crate::queryset::QuerySet;
use crate::world::Row;

/// Rows of `model` for which `test` holds.
pub(super) fn rows_of(cx: &Cx, model: &str, rows: impl IntoIterator<Item = u32>) -> QuerySet {
    let mut rows: Vec<u32> = rows.into_iter().collect();
    rows.sort_unstable();
    rows.dedup();
    QuerySet::new(cx.world.index(model), rows)
}

pub(super) fn referring(cx: &Cx, model: &str, field: &str, to: Row) -> QuerySet {
    QuerySet::new(cx.world.index(model), cx.world.referring_by_name(model, field, to))
}

/// What the members of a set point to by a foreign key.
pub(super) fn pointed(cx: &Cx, set: &QuerySet, field: &str, model: &str) -> QuerySet {
    rows_of(
        cx,
        model,
        set.rows.iter().filter_map(|index| cx.world.target(set.row(*index), field)).map(|row| row.index),
    )
}

pub(super) fn direct_sessions(cx: &Cx, row: Row, group: Option<Row>) -> QuerySet {
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

pub(super) fn connections(cx: &Cx, row: Row, exchange: Option<Row>) -> QuerySet {
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

pub(super) fn over_connections(cx: &Cx, connections: &QuerySet) -> QuerySet {
    let name = "peering.internetexchangepeeringsession";
    let rows = connections.rows.iter().flat_map(|index| {
        cx.world.referring_by_name(name, "ixp_connection", connections.row(*index)).iter().copied()
    });
    rows_of(cx, name, rows)
}

pub(super) fn ixp_sessions(cx: &Cx, row: Row, exchange: Option<Row>) -> QuerySet {
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

pub(super) fn autonomous_systems(cx: &Cx, router: Row) -> QuerySet {
    let name = "peering.autonomoussystem";
    let direct = pointed(cx, &direct_sessions(cx, router, None), "autonomous_system", name);
    let ixp = pointed(cx, &ixp_sessions(cx, router, None), "autonomous_system", name);
    let both = rows_of(cx, name, direct.rows.iter().chain(ixp.rows.iter()).copied());
    QuerySet { union: true, ..both }
}

pub(super) fn routers(cx: &Cx, row: Row) -> QuerySet {
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

pub(super) fn usable(cx: &Cx, router: Row) -> bool {
    let platform = cx.world.target(router, "platform");
    cx.world.text(router, "status") != "disabled"
        && platform.is_some_and(|row| !cx.world.text(row, "napalm_driver").is_empty())
}
