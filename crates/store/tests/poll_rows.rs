//! What polls leave in the database, and that nothing of it outlives its session.

use std::net::IpAddr;
use std::time::Duration;

use crate::support::World;
use chrono::TimeDelta;
use pm_store::objects::models::{
    autonomous_system, connection, direct_peering_session, internet_exchange_peering_session,
};
use pm_store::objects::record::Draft;
use pm_store::objects::write;
use pm_store::polls::{self, Expected, Polled, SessionKind};
use pm_store::retention::{self, Aged};
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Store, Transaction, migrations};

fn up(id: i64) -> Polled {
    Polled { id, state: Some("established"), received: 3, ..Polled::default() }
}

async fn poll(transaction: &mut Transaction<'_>, kind: SessionKind, ids: &[i64]) -> u64 {
    let polled: Vec<Polled> = ids.iter().copied().map(up).collect();
    polls::store(&mut transaction.session(), kind, &polled, epoch()).await.unwrap()
}

async fn poll_both(store: &Store, world: &World) {
    let mut transaction = store.begin().await.unwrap();
    poll(&mut transaction, SessionKind::Direct, &[world.direct]).await;
    poll(&mut transaction, SessionKind::Ixp, &[world.session]).await;
    transaction.commit().await.unwrap();
}

/// How many standings and samples there are of sessions of the two kinds.
async fn kept(store: &Store) -> [i64; 4] {
    let mut counts = [0; 4];
    let places = ["direct_id", "ixp_id"]
        .into_iter()
        .flat_map(|column| ["sessionpoll", "sessionsample"].map(|table| (table, column)));
    for (count, (table, column)) in counts.iter_mut().zip(places) {
        let sql = format!("SELECT COUNT({column}) FROM peering_{table}");
        *count = store.row(&sql, vec![]).await.unwrap().unwrap().get(0).unwrap();
    }
    counts
}

#[tokio::test]
async fn nothing_outlives_a_session_however_it_goes() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        poll_both(&store, &world).await;
        assert_eq!(kept(&store).await, [1; 4]);
        world.desk.delete(&direct_peering_session::MODEL, &[world.direct]).await.unwrap();
        assert_eq!(kept(&store).await, [0, 0, 1, 1]);
        world.desk.delete(&internet_exchange_peering_session::MODEL, &[world.session]).await.unwrap();
        assert_eq!(kept(&store).await, [0; 4]);
    })
    .await;
    each_engine(async |store| {
        let world = World::new(&store).await;
        poll_both(&store, &world).await;
        world.desk.delete(&connection::MODEL, &[world.connection]).await.unwrap();
        assert_eq!(kept(&store).await, [1, 1, 0, 0]);
        world.desk.delete(&autonomous_system::MODEL, &[world.peer]).await.unwrap();
        assert_eq!(kept(&store).await, [0; 4]);
    })
    .await;
    // By the database alone, which takes the sessions of a network along.
    each_engine(async |store| {
        let world = World::new(&store).await;
        poll_both(&store, &world).await;
        let sql = "DELETE FROM peering_autonomoussystem WHERE id = ?";
        store.execute(sql, vec![world.peer.into()]).await.unwrap();
        assert_eq!(kept(&store).await, [0; 4]);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_and_a_poll_at_the_same_time_leave_nothing() {
    each_engine(async |store| {
        // The poll is first, and the deletion waits for it.
        let world = World::new(&store).await;
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(poll(&mut transaction, SessionKind::Direct, &[world.direct]).await, 1);
        let ids = [world.direct];
        let deletion = world.desk.delete(&direct_peering_session::MODEL, &ids);
        let commit = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            transaction.commit().await.unwrap();
        };
        let (gone, ()) = tokio::join!(deletion, commit);
        assert_eq!(gone.unwrap().deleted.len(), 1);
        assert_eq!(kept(&store).await, [0; 4]);

        // The deletion is first, and the poll waits for it; on SQLite already with its beginning.
        let mut deletion = store.begin().await.unwrap();
        let sql = "DELETE FROM peering_internetexchangepeeringsession WHERE id = ?";
        deletion.session().execute(sql, vec![world.session.into()]).await.unwrap();
        let poll = async {
            let mut transaction = store.begin().await.unwrap();
            let stored = poll(&mut transaction, SessionKind::Ixp, &[world.session]).await;
            transaction.commit().await.unwrap();
            stored
        };
        let commit = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            deletion.commit().await.unwrap();
        };
        let (stored, ()) = tokio::join!(poll, commit);
        assert_eq!(stored, 0);
        assert_eq!(kept(&store).await, [0; 4]);
    })
    .await;
}

/// The sessions of the world's router, as a poll reads them.
async fn read(store: &Store, world: &World) -> Vec<Expected> {
    let mut connection = store.connection().await.unwrap();
    polls::expected(&mut connection.session(), &[world.router]).await.unwrap().remove(&world.router).unwrap()
}

async fn changed(store: &Store, router: i64, read: &[Expected]) -> Vec<(SessionKind, i64)> {
    let mut transaction = store.begin().await.unwrap();
    let changed = polls::changed(&mut transaction.session(), router, read).await.unwrap();
    transaction.commit().await.unwrap();
    changed.into_iter().collect()
}

#[tokio::test]
async fn a_session_with_another_address_as_or_router_is_another() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        store.execute("UPDATE devices_router SET poll_bgp_sessions_state = TRUE", vec![]).await.unwrap();
        let before = read(&store, &world).await;
        assert_eq!(before.len(), 2);
        let (direct, ixp) = ((SessionKind::Direct, world.direct), (SessionKind::Ixp, world.session));
        assert_eq!(changed(&store, world.router, &before).await, []);
        assert_eq!(changed(&store, world.router + 1, &before).await, [direct, ixp]);
        let other: IpAddr = "198.51.100.77".parse().unwrap();
        let draft = Draft::new(&internet_exchange_peering_session::MODEL).with("ip_address", other);
        world.desk.update(world.session, draft).await.unwrap();
        assert_eq!(changed(&store, world.router, &before).await, [ixp]);
        let before = read(&store, &world).await;
        let draft = Draft::new(&direct_peering_session::MODEL).with("autonomous_system", world.own);
        world.desk.update(world.direct, draft).await.unwrap();
        assert_eq!(changed(&store, world.router, &before).await, [direct]);
        let before = read(&store, &world).await;
        world.desk.delete(&direct_peering_session::MODEL, &[world.direct]).await.unwrap();
        assert_eq!(changed(&store, world.router, &before).await, [direct]);
    })
    .await;
}

#[tokio::test]
async fn a_poll_waits_for_whoever_is_changing_its_sessions() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        store.execute("UPDATE devices_router SET poll_bgp_sessions_state = TRUE", vec![]).await.unwrap();
        let before = read(&store, &world).await;
        // The connection goes to no router; its sessions themselves are only touched. On SQLite the poll waits already
        // with its beginning.
        let mut change = store.begin().await.unwrap();
        let draft = Draft::new(&connection::MODEL).with_json("router", serde_json::Value::Null);
        let change_of = [(world.connection, draft)];
        write::update(&mut change.session(), world.desk.writing(), &change_of).await.unwrap();
        let commit = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            change.commit().await.unwrap();
        };
        let (changed, ()) = tokio::join!(changed(&store, world.router, &before), commit);
        assert_eq!(changed, [(SessionKind::Ixp, world.session)]);
    })
    .await;
}

#[tokio::test]
async fn what_a_session_still_is_does_not_grow_old() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let day = TimeDelta::days(1);
        // Both kinds, so that none is taken for one of the other kind with its number.
        let days: [(i64, [Option<&'static str>; 2]); 6] = [
            (0, [Some("idle"), Some("idle")]),
            (1, [Some("established"), Some("active")]),
            (2, [None, None]),
            (3, [None, Some("established")]),
            (4, [None, Some("established")]),
            (6, [Some("idle"), Some("established")]),
        ];
        for (at, states) in days {
            let mut transaction = store.begin().await.unwrap();
            let sessions = [(SessionKind::Direct, world.direct), (SessionKind::Ixp, world.session)];
            for ((kind, id), state) in sessions.into_iter().zip(states) {
                let polled = [Polled { state, ..up(id) }];
                let now = epoch() + day * i32::try_from(at).unwrap();
                polls::store(&mut transaction.session(), kind, &polled, now).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
        let history = async |kind, id| {
            let mut connection = store.connection().await.unwrap();
            let all = polls::history(&mut connection.session(), kind, id, 10).await.unwrap();
            all.into_iter().map(|one| ((one.time - epoch()).num_days(), one.state)).collect::<Vec<_>>()
        };
        let [direct, ixp] = [(SessionKind::Direct, world.direct), (SessionKind::Ixp, world.session)];
        assert_eq!(history(direct.0, direct.1).await.len(), 4);
        assert_eq!(history(ixp.0, ixp.1).await.len(), 4);
        let limit = epoch() + day * 5;
        assert_eq!(retention::count(&store, Aged::Samples, limit).await.unwrap(), 4);
        for (batch, gone) in [(3, 3), (3, 1), (3, 0)] {
            let mut connection = store.connection().await.unwrap();
            let mut session = connection.session();
            let deleted = retention::delete_batch(&mut session, Aged::Samples, limit, batch).await;
            assert_eq!(deleted.unwrap(), gone);
        }
        // The state that the first had at that time, and the last known one.
        let kept = [(6, "idle"), (2, "unknown"), (1, "established")].map(|(at, what)| (at, what.to_owned()));
        assert_eq!(history(direct.0, direct.1).await, kept);
        assert_eq!(history(ixp.0, ixp.1).await, [(3, "established".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn what_an_older_release_kept_goes_with_its_sessions_too() {
    for database in TestDatabase::each().await {
        let store = Store::open(&database.url).await.unwrap();
        migrations::run_up_to(&store, 13, epoch()).await.unwrap();
        for sql in [
            "INSERT INTO peering_autonomoussystem (created, updated, asn, name) VALUES (?, ?, 64500, 'Peer')",
            "INSERT INTO bgp_relationship (created, updated, name, slug) VALUES (?, ?, 'Private', 'own')",
            "INSERT INTO peering_directpeeringsession (created, updated, autonomous_system_id, relationship_id, ip_address) \
             SELECT a.created, a.created, a.id, MIN(r.id), 'x' FROM peering_autonomoussystem a, bgp_relationship r \
             GROUP BY a.created, a.id",
            "INSERT INTO peering_sessionpoll (direct_id, polled, state, since) \
             SELECT id, created, 'idle', created FROM peering_directpeeringsession",
            "INSERT INTO peering_sessionsample (direct_id, time, state, received, accepted, advertised) \
             SELECT id, created, 'idle', 0, 0, 0 FROM peering_directpeeringsession",
        ] {
            let times = vec![epoch().into(); sql.matches('?').count()];
            store.execute(sql, times).await.unwrap();
        }
        assert_eq!(kept(&store).await, [1, 1, 0, 0]);
        migrations::run(&store, epoch()).await.unwrap();
        assert_eq!(kept(&store).await, [1, 1, 0, 0]);
        store.execute("DELETE FROM peering_directpeeringsession", vec![]).await.unwrap();
        assert_eq!(kept(&store).await, [0; 4]);
        store.close().await;
        database.remove().await;
    }
}
