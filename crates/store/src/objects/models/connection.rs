//! Connections: where a router meets the LAN of an Internet exchange.

use std::sync::LazyLock;

use super::base::{common, integer, reference, status, text};
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, OnDelete, Target, as_given, no_rules};
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "net.connection",
    table: "net_connection",
    singular: "connection",
    plural: "connections",
    fields: [
        common(),
        vec![
            status(),
            reference("internet_exchange_point", Target(&super::internet_exchange::MODEL), OnDelete::Cascade)
                .nullable(),
            reference("router", Target(&super::router::MODEL), OnDelete::SetNull).nullable(),
            text("interface", 200).optional(),
            Field::new("peeringdb_netixlan", Kind::Cached("netixlan")).nullable(),
            integer("vlan", 1, 4094).nullable().labelled("VLAN"),
            Field::new("mac_address", Kind::Mac).nullable().labelled("MAC address"),
            Field::new("ipv6_address", Kind::Interface(6)).nullable().labelled("IPv6 address"),
            Field::new("ipv4_address", Kind::Interface(4)).nullable().labelled("IPv4 address"),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["internet_exchange_point", "router"],
    key: &["internet_exchange_point", "router", "interface"],
    features: COMMON_FEATURES,
    needs: &["internet_exchange_point", "router"],
    normalise: as_given,
    check: no_rules,
    display,
});

fn display(connection: &Record, graph: &Graph) -> String {
    let exchange = graph.follow(connection, "internet_exchange_point").map(|exchange| exchange.text("name"));
    let router = graph.follow(connection, "router").map(|router| router.text("name"));
    let router = router.map(|router| match connection.text("interface") {
        "" => router.to_owned(),
        interface => format!("{router} {interface}"),
    });
    match (exchange, router) {
        (Some(exchange), Some(router)) => format!("{exchange} on {router}"),
        (Some(exchange), None) => exchange.to_owned(),
        (None, Some(router)) => router,
        (None, None) => format!("Connection #{}", connection.id),
    }
}
