//! Our own objects are found in the cache by their addresses, and never guessed.

use crate::support::{Desk, World};
use pm_store::objects::models::{connection, hidden_peer, internet_exchange};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::write::Writing;
use pm_store::peeringdb::links::{self, Links};
use pm_store::peeringdb::runs;
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value, address};

/// A port: id, LAN, AS number, addresses.
async fn port(store: &Store, id: i64, ixlan: i64, asn: i64, ipv4: &str, ipv6: &str) {
    let host = |text: &str| Value::Bytes(text.parse().ok().map(address::encode_host));
    store.execute("DELETE FROM peeringdb_networkixlan WHERE id = ?", vec![id.into()]).await.unwrap();
    let sql = "INSERT INTO peeringdb_networkixlan (id, status, created, updated, hash, net_id, ixlan_id, asn, ipaddr4, \
               ipaddr6) VALUES (?, 'ok', ?, ?, 0, 7, ?, ?, ?, ?)";
    let values =
        vec![id.into(), epoch().into(), epoch().into(), ixlan.into(), asn.into(), host(ipv4), host(ipv6)];
    store.execute(sql, values).await.unwrap();
}

async fn lan(store: &Store, id: i64) {
    let sql = "INSERT INTO peeringdb_ixlan (id, status, created, updated, hash, ix_id) VALUES (?, 'ok', ?, ?, 0, 1)";
    store.execute(sql, vec![id.into(), epoch().into(), epoch().into()]).await.unwrap();
}

async fn link(desk: &Desk) -> Links {
    let mut transaction = desk.store.begin().await.unwrap();
    let writing = Writing { rules: Rules::FEWEST, ..desk.writing() };
    let links = links::link(&mut transaction.session(), writing).await.unwrap();
    transaction.commit().await.unwrap();
    links
}

/// The links of the world's connection and exchange.
async fn linked(world: &World) -> (Option<i64>, Option<i64>) {
    let connection = world.desk.get(&connection::MODEL, world.connection).await;
    let exchange = world.desk.get(&internet_exchange::MODEL, world.exchange).await;
    (connection.integer("peeringdb_netixlan"), exchange.integer("peeringdb_ixlan"))
}

#[tokio::test]
async fn links_follow_the_addresses_and_survive_an_emptied_cache() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        assert_eq!(link(desk).await, Links::default(), "an empty cache says nothing");
        lan(&store, 30).await;
        port(&store, 100, 30, 64_496, "198.51.100.1", "").await;
        port(&store, 101, 30, 64_500, "198.51.100.7", "").await;
        let links = link(desk).await;
        assert_eq!((links.connections, links.exchanges, links.unclear.len()), (1, 1, 0), "{links:?}");
        assert_eq!(linked(&world).await, (Some(100), Some(30)));
        let changes = desk.log().await.len();
        assert_eq!(link(desk).await, Links::default(), "a second time");
        assert_eq!(desk.log().await.len(), changes);

        // PeeringDB has the port under another number: the address decides.
        store.execute("DELETE FROM peeringdb_networkixlan WHERE id = 100", vec![]).await.unwrap();
        port(&store, 200, 30, 64_496, "198.51.100.1", "").await;
        assert_eq!(link(desk).await.connections, 1);
        assert_eq!(linked(&world).await, (Some(200), Some(30)));

        // Emptied, nothing is forgotten; filled again, it is the same.
        let mut connection = store.connection().await.unwrap();
        runs::flush(&mut connection.session()).await.unwrap();
        drop(connection);
        assert_eq!(link(desk).await, Links::default());
        assert_eq!(linked(&world).await, (Some(200), Some(30)));
        lan(&store, 30).await;
        port(&store, 200, 30, 64_496, "198.51.100.1", "").await;
        assert_eq!(link(desk).await, Links::default());
        assert_eq!(linked(&world).await, (Some(200), Some(30)));
    })
    .await;
}

#[tokio::test]
async fn what_is_unclear_is_said_and_left_alone() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        lan(&store, 30).await;
        lan(&store, 31).await;
        // One address of two is no match.
        port(&store, 100, 30, 64_496, "198.51.100.1", "2001:db8::1").await;
        let links = link(desk).await;
        assert_eq!((links.connections, links.unclear.len()), (0, 1), "{links:?}");
        assert!(links.unclear[0].contains("2001:db8::1"), "{links:?}");
        // Two ports with the same addresses, neither of our network.
        port(&store, 100, 30, 64_510, "198.51.100.1", "").await;
        port(&store, 101, 31, 64_511, "198.51.100.1", "").await;
        let links = link(desk).await;
        assert_eq!((links.connections, linked(&world).await), (0, (None, None)));
        assert!(links.unclear[0].contains("2 ports"), "{links:?}");
        // One of them is our network's.
        port(&store, 101, 31, 64_496, "198.51.100.1", "").await;
        assert_eq!(link(desk).await.connections, 1);
        assert_eq!(linked(&world).await, (Some(101), Some(31)));
        // Renumbered there: the link stays and somebody is told.
        port(&store, 101, 31, 64_496, "198.51.100.99", "").await;
        store.execute("DELETE FROM peeringdb_networkixlan WHERE id = 100", vec![]).await.unwrap();
        let links = link(desk).await;
        assert_eq!((links.connections, linked(&world).await), (0, (Some(101), Some(31))));
        assert!(links.unclear[0].contains("198.51.100.99"), "{links:?}");
        // Gone there, with its LAN.
        store.execute("DELETE FROM peeringdb_networkixlan WHERE id = 101", vec![]).await.unwrap();
        store.execute("DELETE FROM peeringdb_ixlan WHERE id = 31", vec![]).await.unwrap();
        port(&store, 102, 30, 64_511, "198.51.100.200", "").await;
        let peer =
            Draft::new(&hidden_peer::MODEL).with("peeringdb_network", 7_i64).with("peeringdb_ixlan", 30_i64);
        desk.create(peer).await.unwrap();
        let links = link(desk).await;
        assert_eq!((links.connections, links.exchanges), (1, 1));
        assert_eq!(linked(&world).await, (None, None));
        assert!(
            links.absent.iter().any(|text| text.contains("hidden peer") && text.contains("network 7")),
            "{links:?}"
        );
        // Two connections on two LANs leave the exchange open.
        for (id, ixlan, host) in [(110, 30, "198.51.100.1"), (111, 32, "198.51.100.2")] {
            port(&store, id, ixlan, 64_496, host, "").await;
        }
        let second = Draft::new(&connection::MODEL)
            .with("internet_exchange_point", world.exchange)
            .with("router", world.router)
            .with("ipv4_address", "198.51.100.2/24");
        desk.create(second).await.unwrap();
        let links = link(desk).await;
        assert_eq!((links.connections, links.exchanges), (2, 0));
        assert!(links.unclear[0].contains("several LANs"), "{links:?}");
    })
    .await;
}
