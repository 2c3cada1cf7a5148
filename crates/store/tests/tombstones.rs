//! What deleted and moved sessions leave on routers.

use std::net::IpAddr;

use crate::support::World;
use chrono::TimeDelta;
use pm_store::Store;
use pm_store::objects::data::Data;
use pm_store::objects::models::{
    autonomous_system, bgp_group, connection, direct_peering_session, internet_exchange,
    internet_exchange_peering_session, router,
};
use pm_store::objects::record::Draft;
use pm_store::objects::write;
use pm_store::polls::{self, Polled, SessionKind};
use pm_store::retention::{self, Aged};
use pm_store::testing::{each_engine, epoch};
use pm_store::tombstones::{self, Tombstone};

const IXP: &str = "198.51.100.7";
const DIRECT: &str = "192.0.2.2";

async fn all(store: &Store) -> Vec<Tombstone> {
    tombstones::all(&mut store.connection().await.unwrap().session()).await.unwrap()
}

/// Router and address of what is remembered, in order.
async fn left(store: &Store) -> Vec<(i64, String)> {
    all(store).await.iter().map(|one| (one.router, one.ip_address.to_string())).collect()
}

fn at(router: i64, addresses: &[&str]) -> Vec<(i64, String)> {
    addresses.iter().map(|address| (router, (*address).to_owned())).collect()
}

/// A poll that has seen a session in a VRF.
async fn poll(store: &Store, kind: SessionKind, id: i64, vrf: &str) {
    let polled = Polled { id, state: Some("established"), vrf: Some(vrf.to_owned()), ..Polled::default() };
    let mut transaction = store.begin().await.unwrap();
    polls::store(&mut transaction.session(), kind, &[polled], epoch()).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn second_router(world: &World) -> i64 {
    let draft = Draft::new(&router::MODEL)
        .with("name", "edge2")
        .with("hostname", "edge2.example.net")
        .with("local_autonomous_system", world.own);
    world.desk.create(draft).await.unwrap().id
}

/// An exchange session like the one of the world.
fn again(world: &World, peer: i64) -> Draft {
    Draft::new(&internet_exchange_peering_session::MODEL)
        .with("autonomous_system", peer)
        .with("ixp_connection", world.connection)
        .with("ip_address", IXP)
}

#[tokio::test]
async fn a_deleted_session_is_remembered_with_all_that_names_it() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let group = Draft::new(&bgp_group::MODEL).with("name", "Transit").with("slug", "transit");
        let group = world.desk.create(group).await.unwrap().id;
        let draft = Draft::new(&direct_peering_session::MODEL).with("bgp_group", group);
        world.desk.update(world.direct, draft).await.unwrap();
        poll(&store, SessionKind::Ixp, world.session, "blue").await;
        world.desk.delete(&internet_exchange_peering_session::MODEL, &[world.session]).await.unwrap();
        world.desk.delete(&direct_peering_session::MODEL, &[world.direct]).await.unwrap();
        let [direct, ixp] = <[Tombstone; 2]>::try_from(all(&store).await).unwrap();
        let wanted = Tombstone {
            id: ixp.id,
            router: world.router,
            router_name: "edge1".to_owned(),
            kind: SessionKind::Ixp,
            ip_address: IXP.parse().unwrap(),
            remote_asn: 64_500,
            remote_name: "Peer".to_owned(),
            local_asn: Some(64_496),
            group_name: Some("LON-IX".to_owned()),
            group_slug: Some("LON-IX".to_owned()),
            vrf: Some("blue".to_owned()),
            deleted_at: epoch(),
            deleted_by: "test".to_owned(),
        };
        assert_eq!(ixp, wanted);
        let wanted = Tombstone {
            id: direct.id,
            kind: SessionKind::Direct,
            ip_address: DIRECT.parse().unwrap(),
            group_name: Some("Transit".to_owned()),
            group_slug: Some("transit".to_owned()),
            vrf: None,
            ..wanted
        };
        assert_eq!(direct, wanted);
        let mut connection = store.connection().await.unwrap();
        let of = tombstones::deleted(&mut connection.session(), &[world.router + 1]).await.unwrap();
        assert_eq!(of, vec![], "of another router");
        let of = tombstones::deleted(&mut connection.session(), &[world.router]).await.unwrap();
        assert_eq!(of, vec![direct, ixp]);
    })
    .await;
}

#[tokio::test]
async fn what_goes_with_something_else_is_remembered_too() {
    for (which, wanted) in [
        ("peer", &[DIRECT, IXP][..]),
        ("connection", &[IXP]),
        ("exchange", &[IXP]),
        ("own", &[]),
        ("router", &[]),
    ] {
        each_engine(async |store| {
            let world = World::new(&store).await;
            let (model, id) = match which {
                "peer" => (&*autonomous_system::MODEL, world.peer),
                "connection" => (&*connection::MODEL, world.connection),
                "exchange" => (&*internet_exchange::MODEL, world.exchange),
                "own" => (&*autonomous_system::MODEL, world.own),
                _ => (&*router::MODEL, world.router),
            };
            world.desk.delete(model, &[id]).await.unwrap();
            assert_eq!(left(&store).await, at(world.router, wanted), "{which}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_router_that_is_deleted_takes_what_was_left_on_it_along() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        world.desk.delete(&direct_peering_session::MODEL, &[world.direct]).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[DIRECT]));
        world.desk.delete(&router::MODEL, &[world.router]).await.unwrap();
        assert_eq!(left(&store).await, vec![]);
    })
    .await;
}

#[tokio::test]
async fn a_direct_session_that_loses_its_way_to_the_router_is_remembered_there() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let over = Draft::new(&direct_peering_session::MODEL).with("router", Data::Null);
        world.desk.update(world.direct, over).await.unwrap();
        assert_eq!(left(&store).await, vec![], "it is still there, over the connection");
        world.desk.delete(&connection::MODEL, &[world.connection]).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[DIRECT, IXP]));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_by_what_was_on_no_router() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let model = &*internet_exchange_peering_session::MODEL;
        world.desk.update(world.session, Draft::new(model).with("status", "provisioning")).await.unwrap();
        world.desk.delete(model, &[world.session]).await.unwrap();
        let asked_for = again(&world, world.peer).with("status", "requested");
        let session = world.desk.create(asked_for.clone()).await.unwrap().id;
        world.desk.delete(model, &[session]).await.unwrap();
        assert_eq!(left(&store).await, vec![], "never more than prepared");
        // A router that knows it has it, whatever its status says.
        let session = world.desk.create(asked_for).await.unwrap().id;
        poll(&store, SessionKind::Ixp, session, "default").await;
        world.desk.delete(model, &[session]).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[IXP]));
    })
    .await;
    each_engine(async |store| {
        let world = World::new(&store).await;
        let nowhere = Draft::new(&connection::MODEL).with("router", Data::Null);
        world.desk.update(world.connection, nowhere).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[IXP]), "the direct one has a router of its own");
        forget_all(&store).await;
        world.desk.delete(&connection::MODEL, &[world.connection]).await.unwrap();
        assert_eq!(left(&store).await, vec![]);
    })
    .await;
}

async fn forget_all(store: &Store) {
    store.execute("DELETE FROM peering_deletedsession", vec![]).await.unwrap();
}

#[tokio::test]
async fn what_stands_there_again_is_not_to_be_removed() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let model = &*internet_exchange_peering_session::MODEL;
        world.desk.delete(model, &[world.session]).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[IXP]));
        // The same neighbour, even if it is only asked for.
        let session =
            world.desk.create(again(&world, world.peer).with("status", "requested")).await.unwrap().id;
        assert_eq!(left(&store).await, vec![]);
        world.desk.update(session, Draft::new(model).with("status", "enabled")).await.unwrap();
        world.desk.delete(model, &[session]).await.unwrap();
        // Another one at this address: the old one has to go until the new one is more than asked for.
        let other = Draft::new(&autonomous_system::MODEL).with("asn", 64_501_i64).with("name", "Other");
        let other = world.desk.create(other).await.unwrap().id;
        let session = world.desk.create(again(&world, other).with("status", "requested")).await.unwrap().id;
        assert_eq!(all(&store).await[0].remote_asn, 64_500);
        world.desk.update(session, Draft::new(model).with("status", "enabled")).await.unwrap();
        assert_eq!(left(&store).await, vec![]);
        // What is deleted last is remembered.
        world.desk.delete(model, &[session]).await.unwrap();
        assert_eq!(all(&store).await[0].remote_asn, 64_501);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_where_another_session_stays() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let model = &*direct_peering_session::MODEL;
        let twin = Draft::new(model)
            .with("local_autonomous_system", world.own)
            .with("autonomous_system", world.peer)
            .with("relationship", world.relationship)
            .with("router", world.router)
            // The network may be written otherwise, the neighbour is the same.
            .with("ip_address", "192.0.2.2/31");
        let twin = world.desk.create(twin).await.unwrap().id;
        world.desk.delete(model, &[world.direct]).await.unwrap();
        assert_eq!(left(&store).await, vec![]);
        world.desk.delete(model, &[twin]).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[DIRECT]));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_moves_leaves_its_old_place() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let desk = &world.desk;
        let (direct, ixp) = (&*direct_peering_session::MODEL, &*internet_exchange_peering_session::MODEL);
        // To another address, and back.
        desk.update(world.session, Draft::new(ixp).with("ip_address", "198.51.100.8")).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[IXP]));
        desk.update(world.session, Draft::new(ixp).with("ip_address", IXP)).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &["198.51.100.8"]));
        forget_all(&store).await;
        // Written otherwise, it is the same neighbour.
        desk.update(
            world.direct,
            Draft::new(direct).with("local_ip_address", Data::Null).with("ip_address", "192.0.2.2/29"),
        )
        .await
        .unwrap();
        desk.update(world.direct, Draft::new(direct).with("description", "core")).await.unwrap();
        assert_eq!(left(&store).await, vec![]);
        // To another router: the direct one by itself, those at the exchange with their connection.
        let second = second_router(&world).await;
        desk.update(world.direct, Draft::new(direct).with("router", second)).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[DIRECT]));
        desk.update(world.connection, Draft::new(&connection::MODEL).with("router", second)).await.unwrap();
        assert_eq!(left(&store).await, at(world.router, &[DIRECT, IXP]));
        desk.update(world.connection, Draft::new(&connection::MODEL).with("router", world.router))
            .await
            .unwrap();
        let wanted = [at(world.router, &[DIRECT]), at(second, &[IXP])].concat();
        assert_eq!(left(&store).await, wanted);
    })
    .await;
}

#[tokio::test]
async fn sessions_that_change_places_leave_nothing() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let direct = &*direct_peering_session::MODEL;
        let other = Draft::new(&autonomous_system::MODEL).with("asn", 64_501_i64).with("name", "Other");
        let other = world.desk.create(other).await.unwrap().id;
        let second = Draft::new(direct)
            .with("local_autonomous_system", world.own)
            .with("autonomous_system", other)
            .with("relationship", world.relationship)
            .with("router", world.router)
            .with("ip_address", "192.0.2.6/30");
        let second = world.desk.create(second).await.unwrap().id;
        let moved = |address: &str| {
            Draft::new(direct).with("local_ip_address", Data::Null).with("ip_address", address)
        };
        let mut transaction = store.begin().await.unwrap();
        let drafts = [(world.direct, moved("192.0.2.6/30")), (second, moved("192.0.2.2/30"))];
        write::update(&mut transaction.session(), world.desk.writing(), &drafts).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(left(&store).await, vec![]);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_is_given_up_leaves_nothing() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let model = &*direct_peering_session::MODEL;
        let mut transaction = store.begin().await.unwrap();
        write::delete(&mut transaction.session(), world.desk.writing(), model, &[world.direct])
            .await
            .unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(left(&store).await, vec![]);
    })
    .await;
}

#[tokio::test]
async fn a_poll_forgets_what_the_router_does_not_have() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        poll(&store, SessionKind::Ixp, world.session, "blue").await;
        world.desk.delete(&autonomous_system::MODEL, &[world.peer]).await.unwrap();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let look = async |asked, has: &(dyn Fn(IpAddr, Option<&str>) -> bool + Sync)| {
            let mut transaction = store.begin().await.unwrap();
            let looked =
                tombstones::looked(&mut transaction.session(), world.router, asked, has).await.unwrap();
            transaction.commit().await.unwrap();
            let of = |all: &[Tombstone]| all.iter().map(|one| one.ip_address).collect::<Vec<_>>();
            (of(&looked.gone), of(&looked.standing))
        };
        let (both, none) = (vec![address(DIRECT), address(IXP)], Vec::new());
        // A router that was asked before the deletion may have got the session in between.
        assert_eq!(look(epoch() - TimeDelta::seconds(1), &|_, _| false).await, (none.clone(), both.clone()));
        assert_eq!(look(epoch(), &|_, _| true).await, (none.clone(), both));
        // The address is there, but in another VRF.
        let elsewhere = |_: IpAddr, vrf: Option<&str>| vrf != Some("blue");
        assert_eq!(look(epoch(), &elsewhere).await, (vec![address(IXP)], vec![address(DIRECT)]));
        assert_eq!(look(epoch(), &|_, _| false).await, (vec![address(DIRECT)], none.clone()));
        assert_eq!(look(epoch(), &|_, _| false).await, (none.clone(), none));
    })
    .await;
}

#[tokio::test]
async fn what_nobody_looks_after_grows_old() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        world.desk.delete(&direct_peering_session::MODEL, &[world.direct]).await.unwrap();
        let count = async |days| {
            retention::count(&store, Aged::DeletedSessions, epoch() + TimeDelta::days(days)).await.unwrap()
        };
        assert_eq!((count(0).await, count(1).await), (0, 1));
        // A router that is polled decides by itself, however long that takes.
        let polled = async |on: bool, at| {
            let sql =
                "UPDATE devices_router SET poll_bgp_sessions_state = ?, poll_bgp_sessions_last_updated = ?";
            store.execute(sql, vec![on.into(), pm_store::Value::from(at)]).await.unwrap();
        };
        polled(true, epoch() + TimeDelta::hours(1)).await;
        assert_eq!(count(1).await, 0);
        polled(true, epoch() - TimeDelta::hours(1)).await;
        assert_eq!(count(1).await, 1, "not since");
        polled(false, epoch() + TimeDelta::hours(1)).await;
        assert_eq!(count(1).await, 1, "no more");
        let mut transaction = store.begin().await.unwrap();
        let before = epoch() + TimeDelta::days(1);
        retention::delete_batch(&mut transaction.session(), Aged::DeletedSessions, before, 10).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(left(&store).await, vec![]);
    })
    .await;
}

#[tokio::test]
async fn the_database_says_what_it_has_for_a_router() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let second = second_router(&world).await;
        let disabled = Draft::new(&direct_peering_session::MODEL).with("status", "disabled");
        world.desk.update(world.direct, disabled).await.unwrap();
        let mut connection = store.connection().await.unwrap();
        let placed = tombstones::placed(&mut connection.session(), &[world.router, second]).await.unwrap();
        let said: Vec<(i64, String, i64, &str)> = placed
            .iter()
            .map(|one| (one.router, one.address.to_string(), one.asn, one.status.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                (world.router, DIRECT.to_owned(), 64_500, "disabled"),
                (world.router, IXP.to_owned(), 64_500, "enabled")
            ]
        );
        assert_eq!(tombstones::placed(&mut connection.session(), &[second]).await.unwrap(), vec![]);
    })
    .await;
}

#[tokio::test]
async fn what_a_poll_said_of_a_session_is_not_true_of_another() {
    each_engine(async |store| {
        let world = World::new(&store).await;
        let other = second_router(&world).await;
        let stands = async |kind: SessionKind, id: i64| {
            let mut connection = store.connection().await.unwrap();
            let mut session = connection.session();
            let standings = polls::standings(&mut session, kind).await.unwrap();
            let sql = format!(
                "SELECT bgp_state FROM {} WHERE id = {id}",
                match kind {
                    SessionKind::Direct => "peering_directpeeringsession",
                    SessionKind::Ixp => "peering_internetexchangepeeringsession",
                }
            );
            let row = session.row(&sql, vec![]).await.unwrap().unwrap();
            let state: Option<String> = row.get(0).unwrap();
            assert_eq!(state.is_some(), standings.contains_key(&id), "both say the same");
            state.is_some()
        };
        let direct = Draft::new(&direct_peering_session::MODEL);
        let ixp = Draft::new(&internet_exchange_peering_session::MODEL);
        poll(&store, SessionKind::Direct, world.direct, "default").await;
        poll(&store, SessionKind::Ixp, world.session, "default").await;
        world.desk.update(world.direct, direct.clone().with("status", "maintenance")).await.unwrap();
        world.desk.update(world.direct, direct.clone().with("description", "x")).await.unwrap();
        assert!(stands(SessionKind::Direct, world.direct).await, "it is the same session");
        world
            .desk
            .update(world.direct, direct.clone().with("ip_address", "192.0.2.77").with("multihop_ttl", 2_i64))
            .await
            .unwrap();
        assert!(!stands(SessionKind::Direct, world.direct).await);
        poll(&store, SessionKind::Direct, world.direct, "default").await;
        world.desk.update(world.direct, direct.with("router", other)).await.unwrap();
        assert!(!stands(SessionKind::Direct, world.direct).await);
        world.desk.update(world.session, ixp.with("autonomous_system", world.own)).await.unwrap();
        assert!(!stands(SessionKind::Ixp, world.session).await);
        poll(&store, SessionKind::Ixp, world.session, "default").await;
        let link = Draft::new(&connection::MODEL);
        world.desk.update(world.connection, link.clone().with("description", "x")).await.unwrap();
        assert!(stands(SessionKind::Ixp, world.session).await);
        world.desk.update(world.connection, link.with("router", other)).await.unwrap();
        assert!(!stands(SessionKind::Ixp, world.session).await, "all sessions over it have moved");
    })
    .await;
}
