//! Sessions with other members, or the route servers, of an Internet exchange.

use std::sync::LazyLock;

use super::base::{boolean, reference};
use super::session;
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, OnDelete, Target};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};
use crate::objects::router_passwords;
use crate::objects::secrets::{Keyring, SecretError};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "peering.internetexchangepeeringsession",
    table: "peering_internetexchangepeeringsession",
    singular: "Internet exchange peering session",
    plural: "Internet exchange peering sessions",
    fields: [
        session::fields(),
        vec![
            reference("ixp_connection", Target(&super::connection::MODEL), OnDelete::Cascade)
                .nullable_but_required(),
            Field::new("ip_address", Kind::Host).labelled("IP address"),
            boolean("is_route_server", false),
        ],
    ]
    .concat(),
    unique_together: &[&["ixp_connection", "ip_address"]],
    order: &["service_reference", "autonomous_system", "ixp_connection", "ip_address"],
    key: &["ixp_connection", "ip_address"],
    features: COMMON_FEATURES,
    needs: &["autonomous_system", "ixp_connection.internet_exchange_point", "ixp_connection.router.platform"],
    normalise,
    check,
    display,
});

fn normalise(session: &mut Record, graph: &Graph, keyring: &Keyring) -> Result<(), SecretError> {
    let connection = graph.follow(session, "ixp_connection");
    let router = connection.and_then(|connection| graph.follow(connection, "router"));
    router_passwords::follow(session, router, graph, keyring)
}

fn check(session: &Record, _: &Graph, problems: &mut Problems<'_>) {
    let role = session.text("bgp_role");
    if session.boolean("is_route_server") && !role.is_empty() && role != "rs-client" {
        problems
            .field("bgp_role", format!("{role:?} is not one's own role towards a route server: rs-client"));
    }
}

fn display(session: &Record, graph: &Graph) -> String {
    let asn = graph.follow(session, "autonomous_system").and_then(|system| system.integer("asn"));
    let address = session.host("ip_address").map(|address| address.to_string()).unwrap_or_default();
    let short = format!("AS{} - IP {address}", asn.map(|asn| asn.to_string()).unwrap_or_default());
    let connection = graph.follow(session, "ixp_connection");
    match connection.and_then(|connection| graph.follow(connection, "internet_exchange_point")) {
        Some(exchange) => format!("{} - {short}", exchange.text("name")),
        None => short,
    }
}
