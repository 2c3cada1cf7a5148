//! Sessions of the database, polled from a router with a real BIRD. On PostgreSQL over a Unix socket: from the network namespace
//! of the test there is no other way to the database server.

use std::fmt::Write as _;

use crate::lab::{HOST, Lab};
use crate::postgres::Postgres;
use crate::support::{Program, until};
use pm_router::DaemonKind;

/// A router, whom it should have sessions with, and how it is reached.
fn world(lab: &Lab, port: u16) -> String {
    let key = lab.file("client").display().to_string();
    let mut text = String::from(
        "format: peering-manager objects\nversion: 1\nautonomous_systems:\n  - {asn: 64500, name: Own, affiliated: true}\n",
    );
    let peers = [
        ("192.0.2.2/24", 64_502),
        ("2001:db8:1::2/64", 64_502),
        ("192.0.2.9/24", 64_509),
        ("192.0.2.50/24", 64_550),
    ];
    for asn in [64_502, 64_509, 64_550] {
        let _ = writeln!(text, "  - {{asn: {asn}, name: Peer {asn}}}");
    }
    let _ = write!(
        text,
        "relationships:\n  - {{name: Peering, slug: peering}}\nplatforms:\n  - {{name: BIRD, slug: bird, napalm_driver: bird}}\n\
         routers:\n  - name: edge1\n    hostname: {HOST}\n    local_autonomous_system: 64500\n    platform: bird\n    \
         poll_bgp_sessions_state: true\n    napalm_username: netops\n    napalm_args: {{key_file: {key}, port: {port}}}\n\
         direct_peering_sessions:\n"
    );
    for (address, asn) in peers {
        let _ = writeln!(
            text,
            "  - {{autonomous_system: {asn}, local_autonomous_system: 64500, relationship: peering, router: edge1, \
             ip_address: \"{address}\"}}"
        );
    }
    text
}

#[test]
fn sessions_of_a_real_router_are_polled() {
    let Some(lab) = Lab::start(DaemonKind::Bird) else { return };
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(poll(&lab, &url));
}

#[test]
fn sessions_of_a_real_router_are_polled_into_postgresql() {
    let Some(server) = Postgres::start() else { return };
    let Some(lab) = Lab::start(DaemonKind::Bird) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(poll(&lab, &server.socket_url()));
}

async fn poll(lab: &Lab, url: &str) {
    let directory = tempfile::tempdir().unwrap();
    lab.known_hosts();
    let program =
        Program::with_url(url).set("ssh_known_hosts", lab.file("known_hosts").display().to_string());
    let document = directory.path().join("world.yaml");
    std::fs::write(&document, world(lab, 22)).unwrap();
    let document = document.display().to_string();
    program.run(["import", document.as_str()]).await.expect(0);
    let poll = async || program.run(["poll_bgp_sessions", "--json"]).await.expect(0).json();
    until(async || poll().await["data"]["routers"][0]["established"] == 2, "two sessions are established")
        .await;
    let looked = poll().await["data"]["routers"][0].clone();
    assert_eq!(looked["updated"], 3, "{looked}");
    assert_eq!(looked["unknown"].as_array().unwrap().len(), 1, "{looked}");
    assert!(looked["unknown"][0].as_str().unwrap().contains("192.0.2.50"), "{looked}");
    assert_eq!(looked["strange"].as_array().unwrap().len(), 2, "{looked}");
    let strange = program.run(["sessions", "unknown", "--router", "edge1", "--json"]).await.expect(0).json();
    assert_eq!(strange["neighbors"].as_array().unwrap().len(), 2, "{strange}");
    let down = program.run(["sessions", "list", "--down", "--json"]).await.expect(0).json();
    let states: Vec<(&str, &str)> = down["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ip_address"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states.len(), 2, "{states:?}");
    assert!(states.contains(&("192.0.2.50", "unknown")) && states.iter().any(|(one, _)| *one == "192.0.2.9"));

    // The peer goes away.
    lab.on("peer", "birdc disable all");
    until(async || poll().await["data"]["routers"][0]["established"] == 0, "the sessions are down").await;

    // Another key on the router, nobody at the port: the router is named, and the run is partly done.
    let other = format!("{HOST} {}", lab.read("changed.pub"));
    std::fs::write(lab.file("known_hosts"), other).unwrap();
    program.run(["poll_bgp_sessions"]).await.expect(4).says(HOST).says("host key");
    std::fs::write(directory.path().join("world.yaml"), world(lab, 9)).unwrap();
    program.run(["import", document.as_str()]).await.expect(0);
    program.run(["poll_bgp_sessions", "--limit", "edge1"]).await.expect(4).says("cannot connect");
    program.run(["poll_bgp_sessions", "--limit", "edge2"]).await.expect(1).says("no router is called edge2");
}
