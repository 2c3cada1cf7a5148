//! Sessions with one neighbour, over a link of their own.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

use super::base::reference;
use super::session;
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, OnDelete, Target};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};
use crate::objects::router_passwords;
use crate::objects::secrets::{Keyring, SecretError};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "peering.directpeeringsession",
    table: "peering_directpeeringsession",
    singular: "direct peering session",
    plural: "direct peering sessions",
    fields: [
        session::fields(),
        vec![
            reference("local_autonomous_system", Target(&super::autonomous_system::MODEL), OnDelete::Cascade)
                .nullable_but_required(),
            Field::new("local_ip_address", Kind::Interface(0)).nullable().labelled("local IP address"),
            Field::new("ip_address", Kind::Interface(0)).labelled("IP address"),
            reference("bgp_group", Target(&super::bgp_group::MODEL), OnDelete::SetNull)
                .nullable()
                .labelled("BGP group"),
            reference("relationship", Target(&super::relationship::MODEL), OnDelete::Protect),
            reference("router", Target(&super::router::MODEL), OnDelete::SetNull).nullable(),
            reference("connection", Target(&super::connection::MODEL), OnDelete::SetNull).nullable(),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["service_reference", "local_autonomous_system", "autonomous_system", "ip_address"],
    key: &["local_autonomous_system", "autonomous_system", "router", "ip_address"],
    features: COMMON_FEATURES,
    needs: &[
        "autonomous_system",
        "relationship",
        "router.platform",
        "connection.router.platform",
        "import_routing_policies",
        "export_routing_policies",
    ],
    normalise,
    check,
    display,
});

fn normalise(session: &mut Record, graph: &Graph, keyring: &Keyring) -> Result<(), SecretError> {
    let connection = graph.follow(session, "connection");
    let router = graph.follow(session, "router").or_else(|| graph.follow(connection?, "router"));
    router_passwords::follow(session, router, graph, keyring)
}

fn check(session: &Record, graph: &Graph, problems: &mut Problems<'_>) {
    let Some(remote) = session.interface("ip_address") else { return };
    check_end(remote, "ip_address", problems);
    if let Some(local) = session.interface("local_ip_address") {
        check_end(local, "local_ip_address", problems);
        if local == remote {
            problems.object(format!("the local and the remote address are the same, {local}"));
        } else if session.integer("multihop_ttl") == Some(1) && local.trunc() != remote.trunc() {
            problems.object(format!(
                "{local} and {remote} are not in the same network; a session over several hops needs a multihop TTL \
                 above 1"
            ));
        }
    }
    let family = if remote.addr().is_ipv4() { 4 } else { 6 };
    for field in ["import_routing_policies", "export_routing_policies"] {
        for policy in graph.follow_all(session, field) {
            let other = policy.integer("address_family").unwrap_or_default();
            if other != 0 && other != family {
                problems.field(
                    field,
                    format!("{} is for IPv{other}, and {remote} is IPv{family}", policy.text("name")),
                );
            }
        }
    }
}

/// Nobody can have the first and the last address of an IPv4 network, but in the shortest two (RFC 3021).
fn check_end(end: IpNet, field: &'static str, problems: &mut Problems<'_>) {
    if !matches!(end.addr(), IpAddr::V4(_)) || end.prefix_len() >= 31 {
        return;
    }
    if end.addr() == end.network() {
        problems.field(field, format!("{end} is the address of a network"));
    } else if end.addr() == end.broadcast() {
        problems.field(field, format!("{end} is the broadcast address of its network"));
    }
}

fn display(session: &Record, graph: &Graph) -> String {
    let relationship = graph.follow(session, "relationship").map(|relationship| relationship.text("name"));
    let asn = graph.follow(session, "autonomous_system").and_then(|system| system.integer("asn"));
    format!(
        "{} - AS{} - IP {}",
        relationship.unwrap_or_default(),
        asn.map(|asn| asn.to_string()).unwrap_or_default(),
        session.interface("ip_address").map(|address| address.to_string()).unwrap_or_default()
    )
}
