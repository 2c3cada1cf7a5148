//! Neighbours without a session become sessions where nothing has to be guessed, and each other is told of with the reason.

use std::net::IpAddr;
use std::sync::Arc;

use crate::support::fake_routers::{Fake, create, fill, neighbor, poll_of, runner};
use crate::support::{HeldClock, Lines};
use chrono::TimeDelta;
use ipnet::IpNet;
use pm_router::{Neighbor, State};
use pm_store::objects::models::{autonomous_system, connection, internet_exchange};
use pm_store::objects::record::Draft;
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value, address};
use pm_tasks::sessions::{Freshness, unknown};
use pm_tasks::{AnyTask, Clock as _, Finished, ImportSessions};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

const EDGE: &str = "edge1.example.net";

struct Scene {
    store: Store,
    clock: Arc<HeldClock>,
    lines: Arc<Lines>,
    fake: Arc<Fake>,
}

impl Scene {
    /// The exchange `ix` with LAN 30 of PeeringDB, on which edge1 has two connections; `ix2`, which PeeringDB does not know,
    /// with one; in the cache the networks 64510 and, as a route server, 64511.
    async fn new(store: &Store) -> Self {
        fill(store).await;
        for sql in [
            "INSERT INTO peeringdb_internetexchange (id, status, created, updated, hash, name) VALUES (1, 'ok', ?, ?, 0, 'IX')",
            "INSERT INTO peeringdb_ixlan (id, status, created, updated, hash, ix_id) VALUES (30, 'ok', ?, ?, 0, 1)",
            "INSERT INTO peeringdb_network (id, status, created, updated, hash, asn, name, irr_as_set) \
             VALUES (10, 'ok', ?, ?, 0, 64510, 'Cached', 'AS-CACHED')",
            "INSERT INTO peeringdb_network (id, status, created, updated, hash, asn, name, info_type) \
             VALUES (11, 'ok', ?, ?, 0, 64511, 'RS', 'Route Server')",
        ] {
            store.execute(sql, vec![epoch().into(), epoch().into()]).await.unwrap();
        }
        for (id, prefix) in [(1, "198.51.100.0/24"), (2, "2001:db8::/64")] {
            let sql = "INSERT INTO peeringdb_ixlanprefix (id, status, created, updated, hash, ixlan_id, prefix) \
                       VALUES (?, 'ok', ?, ?, 0, 30, ?)";
            let prefix = octets(prefix);
            store.execute(sql, vec![Value::from(id), epoch().into(), epoch().into(), prefix]).await.unwrap();
        }
        store.execute("UPDATE peering_internetexchange SET peeringdb_ixlan = 30", vec![]).await.unwrap();
        let sql = "UPDATE net_connection SET ipv4_address = ?, ipv6_address = ?, interface = 'eth0'";
        store.execute(sql, vec![octets("198.51.100.250/24"), octets("2001:db8::fa/64")]).await.unwrap();
        let number = async |table: &str| -> i64 {
            let row = store.row(&format!("SELECT MIN(id) FROM {table}"), vec![]).await.unwrap().unwrap();
            row.get(0).unwrap()
        };
        let (router, own) = (number("devices_router").await, number("peering_autonomoussystem").await);
        let exchange = number("peering_internetexchange").await;
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let at = |exchange: i64, interface: &str, address: &str| {
            Draft::new(&connection::MODEL)
                .with("internet_exchange_point", exchange)
                .with("router", router)
                .with("interface", interface)
                .with("ipv4_address", net(address))
        };
        let second = Draft::new(&internet_exchange::MODEL)
            .with("name", "IX2")
            .with("slug", "ix2")
            .with("local_autonomous_system", own);
        let second = create(store, &[second]).await[0];
        create(store, &[at(exchange, "eth1", "198.51.100.251/24"), at(second, "eth2", "203.0.113.2/24")])
            .await;
        let kept =
            |asn: i64, name: &str| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", name);
        create(store, &[kept(64_512, "Kept, and not in PeeringDB")]).await;
        Self {
            store: store.clone(),
            clock: HeldClock::at(epoch()),
            lines: Arc::default(),
            fake: Arc::default(),
        }
    }

    async fn poll(&self, neighbors: Vec<Neighbor>) -> Json {
        self.fake.answers(EDGE, neighbors);
        let runner = runner(&self.store, &self.clock, &self.lines, false);
        let polled = runner.run(&poll_of(Some("edge1"), &self.fake), CancellationToken::new()).await.unwrap();
        assert_eq!(polled.exit, 0, "{}", polled.message);
        polled.data["routers"][0].clone()
    }

    async fn import(&self, of: Option<&str>, dry_run: bool) -> Finished {
        let task = ImportSessions { of: of.map(str::to_owned), status: None, dry_run };
        let runner = runner(&self.store, &self.clock, &self.lines, false);
        runner.run(&task, CancellationToken::new()).await.unwrap()
    }

    /// AS, address, connection's interface, status, whether a route server, of all sessions at exchanges.
    async fn at_exchanges(&self) -> Vec<(i64, String, String, String, bool)> {
        let sql = "SELECT a.asn, s.ip_address, c.interface, s.status, s.is_route_server \
                   FROM peering_internetexchangepeeringsession s JOIN net_connection c ON c.id = s.ixp_connection_id \
                   JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id WHERE s.id > 2 ORDER BY s.ip_address";
        let rows = self.store.rows(sql, vec![]).await.unwrap();
        rows.iter()
            .map(|row| {
                let host = address::decode(&row.get::<Vec<u8>, _>(1).unwrap()).unwrap().addr().to_string();
                let (interface, status) = (row.get(2).unwrap(), row.get(3).unwrap());
                (row.get(0).unwrap(), host, interface, status, row.get(4).unwrap())
            })
            .collect()
    }

    async fn count(&self, table: &str) -> i64 {
        let row = self.store.row(&format!("SELECT COUNT(*) FROM {table}"), vec![]).await.unwrap().unwrap();
        row.get(0).unwrap()
    }
}

fn octets(net: &str) -> Value {
    Value::Bytes(Some(address::encode(net.parse().unwrap())))
}

fn up(vrf: &str, address: &str, asn: u32, local: Option<&str>) -> Neighbor {
    let mut one = neighbor(vrf, address, asn, State::Established, 1);
    one.local_address = local.map(|address| address.parse::<IpAddr>().unwrap());
    one
}

/// The reasons by address.
fn reasons(finished: &Finished) -> Vec<(String, String, bool)> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let skipped = finished.data["skipped"].as_array().unwrap();
    skipped
        .iter()
        .map(|one| (text(&one["ip_address"]), text(&one["reason"]), one["is_fine"].as_bool().unwrap()))
        .collect()
}

#[tokio::test]
async fn neighbours_on_a_lan_become_sessions_of_the_connection_that_they_are_on() {
    each_engine(async |store| {
        let scene = Scene::new(&store).await;
        let mut told = up("default", "198.51.100.12", 64_512, Some("198.51.100.251"));
        told.description = Some("x".repeat(300).into());
        let neighbors = || {
            vec![
                up("default", "198.51.100.10", 64_510, Some("198.51.100.250")),
                up("default", "198.51.100.11", 64_511, Some("198.51.100.251")),
                told.clone(),
                // Only the first connection has an IPv6 address.
                up("inet", "2001:db8::10", 64_510, None),
                // Nothing says on which of the two it is.
                up("default", "198.51.100.13", 64_512, None),
                up("default", "198.51.100.14", 64_599, Some("198.51.100.250")),
                // Outside the LAN, and on that of the other exchange.
                up("default", "192.0.2.77", 64_510, None),
                up("default", "203.0.113.9", 64_512, None),
            ]
        };
        scene.poll(neighbors()).await;
        let systems = scene.count("peering_autonomoussystem").await;
        let changes = scene.count("core_objectchange").await;
        // What `sessions unknown` says is what comes of it.
        let freshness = Freshness { now: scene.clock.now(), limit: TimeDelta::hours(1) };
        let seen = unknown(&store, freshness, None, Some("ix")).await.unwrap();
        assert_eq!(seen.len(), 6);
        assert_eq!(seen.iter().filter(|one| one.connection.is_some()).count(), 4);
        assert_eq!(seen[0].name.as_deref(), Some("Cached"));

        let planned = scene.import(Some("ix"), true).await;
        assert_eq!((planned.exit, planned.data["sessions"].as_array().unwrap().len()), (4, 4));
        assert_eq!(scene.at_exchanges().await, []);
        assert_eq!(scene.count("core_objectchange").await, changes);

        let done = scene.import(Some("ix"), false).await;
        assert_eq!(done.exit, 4, "{}", done.message);
        assert_eq!(done.data["sessions"], planned.data["sessions"]);
        assert_eq!(done.data["autonomous_systems"], json!([64_510, 64_511]));
        let row = |asn, address: &str, interface: &str, route_server| {
            (asn, address.to_owned(), interface.to_owned(), "provisioning".to_owned(), route_server)
        };
        assert_eq!(
            scene.at_exchanges().await,
            [
                row(64_510, "198.51.100.10", "eth0", false),
                row(64_511, "198.51.100.11", "eth1", true),
                row(64_512, "198.51.100.12", "eth1", false),
                row(64_510, "2001:db8::10", "eth0", false),
            ]
        );
        let why = |address: &str, reason: &str| (address.to_owned(), reason.to_owned(), false);
        assert_eq!(
            reasons(&done),
            [
                why(
                    "198.51.100.13",
                    "it may be on any of several connections: IX on edge1 eth0, IX on edge1 eth1"
                ),
                why(
                    "198.51.100.14",
                    "AS64599 is neither kept here nor in the PeeringDB cache; `as add 64599` adds it"
                ),
            ]
        );
        assert_eq!(scene.count("peering_autonomoussystem").await, systems + 2);
        assert_eq!(scene.count("core_objectchange").await, changes + 6);

        // A second time there is nothing more to be made, before the next poll and after it.
        for polled in [false, true] {
            if polled {
                let looked = scene.poll(neighbors()).await;
                assert_eq!(
                    (&looked["established"], looked["strange"].as_array().unwrap().len()),
                    (&json!(4), 4)
                );
            }
            let again = scene.import(Some("ix:ix"), false).await;
            assert_eq!(again.data["sessions"], json!([]));
            assert_eq!(scene.at_exchanges().await.len(), 4);
        }
        // The exchange that is not linked: what its connection's address says.
        let all = scene.import(None, false).await;
        assert_eq!(all.data["sessions"][0]["connection"], "IX2 on edge1 eth2");
        assert_eq!(all.data["sessions"].as_array().unwrap().len(), 1);
        let descriptions = store
            .rows("SELECT description FROM peering_internetexchangepeeringsession ORDER BY id", vec![])
            .await;
        let longest = descriptions.unwrap().iter().map(|row| row.get::<String, _>(0).unwrap().len()).max();
        assert_eq!(longest, Some(200));
    })
    .await;
}

#[tokio::test]
async fn a_router_s_neighbours_are_told_of_with_a_reason_each() {
    each_engine(async |store| {
        let scene = Scene::new(&store).await;
        let mut nameless = up("default", "192.0.2.60", 1, None);
        nameless.remote_as = None;
        scene
            .poll(vec![
                up("default", "192.0.2.1", 64_501, None),
                // A second link to a network of which it is known what it is to us.
                up("default", "192.0.2.5", 64_501, None),
                up("default", "192.0.2.50", 64_512, None),
                up("default", "192.0.2.51", 64_496, None),
                nameless,
                up("default", "198.51.100.1", 64_777, None),
                up("default", "198.51.100.251", 64_512, None),
                up("red", "198.51.100.20", 64_512, Some("198.51.100.250")),
                up("blue", "198.51.100.20", 64_512, Some("198.51.100.250")),
            ])
            .await;
        let done = scene.import(Some("edge1"), false).await;
        assert_eq!(done.exit, 4, "{}", done.message);
        let several = "the router has this address in several VRFs: blue, red";
        let open = "it is on no exchange's LAN, and only you know what AS64512 is to us: make a direct session with \
                    `objects add direct_peering_session`";
        let why = |address: &str, reason: &str, is_fine| (address.to_owned(), reason.to_owned(), is_fine);
        assert_eq!(
            reasons(&done),
            [
                why("198.51.100.20", several, false),
                why("192.0.2.50", open, false),
                why("192.0.2.51", "AS64496 is our own", true),
                why("192.0.2.60", "the router does not tell its AS", false),
                why("198.51.100.1", "there is a session at this address with AS64501, ixp:1", false),
                why("198.51.100.251", "it is an address of ours", true),
                why("198.51.100.20", several, false),
            ]
        );
        let made = &done.data["sessions"];
        assert_eq!(made, &json!([{"router": "edge1", "asn": 64_501, "ip_address": "192.0.2.5", "connection": null}]));
        let sql = "SELECT status, relationship_id, router_id FROM peering_directpeeringsession ORDER BY id";
        let rows = store.rows(sql, vec![]).await.unwrap();
        let direct = |at: usize| -> (String, i64, i64) {
            (rows[at].get(0).unwrap(), rows[at].get(1).unwrap(), rows[at].get(2).unwrap())
        };
        assert_eq!(direct(1), ("provisioning".to_owned(), direct(0).1, direct(0).2));
    })
    .await;
}

#[tokio::test]
async fn old_news_makes_no_sessions_and_wrong_names_are_told() {
    each_engine(async |store| {
        let scene = Scene::new(&store).await;
        let unpolled = scene.import(Some("edge1"), false).await;
        assert_eq!((unpolled.exit, unpolled.outcome), (0, Some(pm_store::jobs::Outcome::NothingToDo)));
        assert!(scene.lines.0.lock().unwrap().iter().any(|line| line.starts_with("edge1 was never polled")));
        scene.poll(vec![up("default", "198.51.100.10", 64_510, Some("198.51.100.250"))]).await;
        scene.clock.pass(TimeDelta::hours(3));
        let late = scene.import(Some("EDGE1.example.net"), false).await;
        let reason = &late.data["skipped"][0]["reason"];
        assert_eq!(reason, "it was seen too long ago; `poll_bgp_sessions` asks the router again");
        assert_eq!(late.exit, 4);
        let fails = async |of: &str| {
            let finished = scene.import(Some(of), false).await;
            assert_eq!(finished.exit, 1, "{}", finished.message);
            finished.message
        };
        assert_eq!(fails("edge9").await, "there is no router and no Internet exchange edge9");
        assert_eq!(fails("router:ix").await, "there is no router and no Internet exchange ix");
        store.execute("UPDATE devices_router SET name = 'ix' WHERE name = 'edge1'", vec![]).await.unwrap();
        assert!(fails("ix").await.contains("say router:ix or ix:ix"));
        assert_eq!(scene.import(Some("router:ix"), false).await.exit, 4);
        let status = ImportSessions { of: None, status: Some("up".to_owned()), dry_run: false };
        scene.poll_named("ix", vec![up("default", "198.51.100.10", 64_510, Some("198.51.100.250"))]).await;
        let runner = runner(&store, &scene.clock, &scene.lines, false);
        let finished = runner.run(&status, CancellationToken::new()).await.unwrap();
        assert_eq!(finished.exit, 1, "{}", finished.message);
        assert_eq!(scene.at_exchanges().await, []);
        store.execute("UPDATE net_connection SET router_id = NULL", vec![]).await.unwrap();
        assert_eq!(fails("ix:ix").await, "no connection to IX has a router");
    })
    .await;
}

impl Scene {
    async fn poll_named(&self, name: &str, neighbors: Vec<Neighbor>) {
        self.fake.answers(EDGE, neighbors);
        let runner = runner(&self.store, &self.clock, &self.lines, false);
        let polled = runner.run(&poll_of(Some(name), &self.fake), CancellationToken::new()).await.unwrap();
        assert_eq!(polled.exit, 0, "{}", polled.message);
    }
}

#[test]
fn the_task_has_the_original_s_name_too() {
    let text = json!({"task": "import_sessions_to_internet_exchange", "arguments": {"of": "ix:ams"}});
    let task: AnyTask = serde_json::from_value(text).unwrap();
    let same = ImportSessions { of: Some("ix:ams".to_owned()), ..ImportSessions::default() };
    assert_eq!(task, AnyTask::ImportSessions(same));
    assert_eq!(serde_json::to_value(&task).unwrap()["task"], "import_sessions");
}
