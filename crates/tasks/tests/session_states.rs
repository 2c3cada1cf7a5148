//! What is told of sessions and routers after polls: never a stale value for a fresh one, and nothing left unsaid.

use std::sync::Arc;

use crate::support::fake_routers::{Fake, create, fill, neighbor, poll_of, runner};
use crate::support::{HeldClock, Lines};
use chrono::TimeDelta;
use pm_router::{Neighbors, State};
use pm_store::Store;
use pm_store::objects::models::{autonomous_system, internet_exchange_peering_session};
use pm_store::objects::problems::ObjectError;
use pm_store::objects::record::Draft;
use pm_store::polls::SessionKind;
use pm_store::testing::{each_engine, epoch};
use pm_tasks::Clock as _;
use pm_tasks::sessions::{Asked, Freshness, Seen, Stranger, list, router, routers, show, unknown};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

struct Scene {
    store: Store,
    clock: Arc<HeldClock>,
    fake: Arc<Fake>,
}

impl Scene {
    fn new(store: &Store) -> Self {
        Self { store: store.clone(), clock: HeldClock::at(epoch()), fake: Arc::default() }
    }

    async fn poll(&self) -> Json {
        let lines: Arc<Lines> = Arc::default();
        let runner = runner(&self.store, &self.clock, &lines, false);
        runner.run(&poll_of(None, &self.fake), CancellationToken::new()).await.unwrap().data
    }

    /// Values older than two hours are stale.
    fn freshness(&self) -> Freshness {
        Freshness { now: self.clock.now(), limit: TimeDelta::hours(2) }
    }

    async fn list(&self, asked: Asked) -> Vec<Seen> {
        list(&self.store, self.freshness(), &asked).await.unwrap()
    }

    async fn unknown(&self, router: Option<&str>, exchange: Option<&str>) -> Vec<Stranger> {
        unknown(&self.store, self.freshness(), router, exchange).await.unwrap()
    }
}

/// Address, state, seconds since the poll, whether that is stale.
fn told(found: &[Seen]) -> Vec<(String, Option<&str>, Option<i64>, bool)> {
    let one = |one: &Seen| one.session.ip_address.to_string();
    found.iter().map(|seen| (one(seen), seen.state.as_deref(), seen.age, seen.stale)).collect()
}

#[tokio::test]
async fn every_value_has_an_age_and_old_ones_are_stale() {
    each_engine(async |store| {
        let (direct, [four, six]) = fill(&store).await;
        let scene = Scene::new(&store);
        // Before any poll nothing is known and nothing is down.
        let never = scene.list(Asked::default()).await;
        let nothing = |address: &str| (address.to_owned(), None, None, false);
        assert_eq!(told(&never), ["192.0.2.1", "198.51.100.1", "2001:db8::1"].map(nothing));
        assert!(scene.list(Asked { down: true, ..Asked::default() }).await.is_empty());

        let edge = "edge1.example.net";
        let up = State::Established;
        let four_up = neighbor("default", "198.51.100.1", 64_501, up, 95);
        scene.fake.answers(edge, vec![neighbor("default", "192.0.2.1", 64_501, State::Idle, 0), four_up]);
        scene.fake.answers("edge2.example.net", vec![]);
        scene.poll().await;
        scene.clock.pass(TimeDelta::hours(1));
        let found = scene.list(Asked::default()).await;
        let age = Some(3_600);
        assert_eq!(
            told(&found),
            [
                ("192.0.2.1".to_owned(), Some("idle"), age, false),
                ("198.51.100.1".to_owned(), Some("established"), age, false),
                ("2001:db8::1".to_owned(), Some("unknown"), age, false),
            ]
        );
        let poll = found[1].session.poll.as_ref().unwrap();
        assert!(poll.near_limit, "95 of 100");
        assert_eq!(found[0].session.poll.as_ref().unwrap().last_error.as_deref(), Some("Hold Timer Expired"));

        // The router cannot be reached any more: the values stay, and get stale.
        scene.fake.fails(edge, "no route");
        scene.clock.pass(TimeDelta::hours(2));
        scene.poll().await;
        let found = scene.list(Asked::default()).await;
        assert!(found.iter().all(|one| one.stale && one.age == Some(10_800)), "{:?}", told(&found));
        let shown = router(&store, scene.freshness(), "EDGE1.example.net").await.unwrap();
        assert_eq!((shown.seen.stale, shown.seen.age), (true, Some(10_800)));
        let two = router(&store, scene.freshness(), "edge2").await.unwrap();
        assert_eq!((two.seen.stale, two.seen.age), (false, Some(0)));

        // The filters, alone and together.
        let ids =
            async |asked: Asked| -> Vec<String> { scene.list(asked).await.iter().map(Seen::id).collect() };
        let [direct, four, six] = [format!("direct:{direct}"), format!("ixp:{four}"), format!("ixp:{six}")];
        let some = |text: &str| Some(text.to_owned());
        let all = Asked::default;
        assert_eq!(ids(Asked { down: true, ..all() }).await, [&*direct, &*six]);
        assert_eq!(ids(Asked { state: some("Established"), ..all() }).await, [&*four]);
        assert_eq!(ids(Asked { state: some("unknown"), ..all() }).await, [&*six]);
        assert_eq!(ids(Asked { kind: Some(SessionKind::Direct), ..all() }).await, [&*direct]);
        assert_eq!(ids(Asked { exchange: some("ix"), down: true, ..all() }).await, [&*six]);
        assert_eq!(ids(Asked { router: some("edge2,edge1"), ..all() }).await.len(), 3);
        assert_eq!(ids(Asked { router: some("edge2"), ..all() }).await.len(), 0);
        assert_eq!(ids(Asked { asn: Some(64_502), ..all() }).await.len(), 0);
        for wrong in [
            Asked { state: some("up"), ..all() },
            Asked { router: some("edge9"), ..all() },
            Asked { exchange: some("no-ix"), ..all() },
        ] {
            let error = list(&store, scene.freshness(), &wrong).await.unwrap_err();
            assert!(matches!(error, ObjectError::Question(_)), "{error}");
        }
        // A session that is not wanted is not down.
        store.execute("UPDATE peering_directpeeringsession SET status = 'disabled'", vec![]).await.unwrap();
        assert_eq!(ids(Asked { down: true, ..all() }).await, [&*six]);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_went_down_between_two_polls_has_flapped() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let mut seen = Vec::new();
        // Ten minutes lie between two polls.
        for uptime in [3600, 4200, 59, 659] {
            let mut one = neighbor("default", "198.51.100.1", 64_501, State::Established, 1);
            one.age = Some(uptime);
            scene.fake.answers("edge1.example.net", vec![one]);
            scene.poll().await;
            let found = show(&store, scene.freshness(), "198.51.100.1", 1).await.unwrap();
            let poll = found.seen.session.poll.unwrap();
            seen.push((poll.flaps, poll.since - epoch()));
            scene.clock.pass(TimeDelta::minutes(10));
        }
        let before = TimeDelta::seconds(-3601);
        let after = TimeDelta::minutes(19);
        assert_eq!(seen, [(0, before), (0, before), (1, after), (1, after)]);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_shown_with_its_history_by_number_or_address() {
    each_engine(async |store| {
        let (direct, [four, _]) = fill(&store).await;
        let scene = Scene::new(&store);
        for state in [State::Established, State::Idle, State::Established, State::Active] {
            let one = neighbor("default", "198.51.100.1", 64_501, state, 1);
            scene.fake.answers("edge1.example.net", vec![one]);
            scene.poll().await;
            scene.clock.pass(TimeDelta::minutes(10));
        }
        let shown =
            async |which: &str, samples| show(&store, scene.freshness(), which, samples).await.unwrap();
        let found = shown("198.51.100.1", 3).await;
        assert_eq!(found.seen.id(), format!("ixp:{four}"));
        let states: Vec<&str> = found.history.iter().map(|sample| sample.state.as_str()).collect();
        assert_eq!(states, ["active", "established", "idle"], "the newest first, three at most");
        let poll = found.seen.session.poll.as_ref().unwrap();
        assert_eq!((poll.flaps, poll.since), (2, epoch() + TimeDelta::minutes(30)));
        assert_eq!(found.seen.session.last_established, Some(epoch() + TimeDelta::minutes(20)));
        assert_eq!(shown(&format!("IXP:{four}"), 0).await.history.len(), 0);
        assert_eq!(
            shown("192.0.2.1", 1).await.seen.session.id,
            direct,
            "whatever the length it is kept with"
        );

        // Numbers are given per kind, and an address may be on two connections.
        let wrong = async |which: &str| {
            show(&store, scene.freshness(), which, 1).await.map(|one| one.seen.id()).unwrap_err().to_string()
        };
        let text = wrong(&direct.to_string()).await;
        assert!(text.contains(&format!("direct:{direct} (AS64501 192.0.2.1 on edge1), ixp:")), "{text}");
        assert_eq!(wrong("203.0.113.1").await, "there is no session 203.0.113.1");
        assert!(wrong("edge1").await.contains("is no session"));
        assert!(wrong("vlan:7").await.contains("is no session"));
    })
    .await;
}

#[tokio::test]
async fn routers_are_told_of_with_their_sessions_in_numbers() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let up = State::Established;
        scene.fake.answers(
            "edge1.example.net",
            vec![
                neighbor("default", "192.0.2.1", 64_501, up, 99),
                neighbor("default", "198.51.100.1", 64_501, up, 1),
                neighbor("default", "203.0.113.9", 64_999, up, 1),
            ],
        );
        scene.poll().await;
        let all = routers(&store, scene.freshness()).await.unwrap();
        let names: Vec<&str> = all.iter().map(|one| one.router.name.as_str()).collect();
        assert_eq!(names, ["edge1", "edge2", "edge3", "edge4"]);
        let one = serde_json::to_value(&all[0]).unwrap();
        let counts =
            json!({"total": 3, "wanted": 3, "established": 2, "down": 1, "unknown": 1, "near_limit": 1});
        assert_eq!((&one["sessions"], &one["strangers"], &one["age"]), (&counts, &json!(1), &json!(0)));
        assert_eq!((&one["driver"], &one["platform"]), (&json!("bird"), &json!("BIRD")));
        // Polling is enabled on the second and brought nothing yet; it is not on the fourth.
        assert_eq!((all[1].age, all[1].stale, all[3].age, all[3].stale), (None, true, None, false));
        let shown = router(&store, scene.freshness(), "edge1").await.unwrap();
        assert_eq!((shown.down.len(), shown.near_limit.len()), (1, 1));
        assert!(router(&store, scene.freshness(), "edge9").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn neighbours_without_a_session_are_kept_as_the_last_poll_saw_them() {
    each_engine(async |store| {
        let (_, [four, _]) = fill(&store).await;
        let scene = Scene::new(&store);
        let edge = "edge1.example.net";
        let strange = |asn| {
            let mut one = neighbor("blue", "203.0.113.9", asn, State::Active, 0);
            one.description = Some("Transit\0 of\tsomebody".into());
            one
        };
        let other = || neighbor("default", "2001:db8:9::1", 64_998, State::Established, 1);
        scene.fake.answers(edge, vec![strange(64_999), other()]);
        scene.poll().await;
        scene.clock.pass(TimeDelta::hours(1));
        scene.fake.answers(
            edge,
            vec![strange(64_999), neighbor("default", "198.51.100.1", 65_000, State::Idle, 0)],
        );
        scene.poll().await;
        let found = scene.unknown(None, None).await;
        let seen: Vec<(String, i64)> = found
            .iter()
            .map(|one| {
                let for_hours = (scene.clock.now() - one.kept.first_seen).num_hours();
                (one.kept.neighbor.ip_address.to_string(), for_hours)
            })
            .collect();
        // By VRF and address; what is gone is gone, what is new is new.
        assert_eq!(seen, [("203.0.113.9".to_owned(), 1), ("198.51.100.1".to_owned(), 0)]);
        assert_eq!(found[0].kept.neighbor.description.as_deref(), Some("Transit  of somebody"));
        assert_eq!(found[0].kept.neighbor.local_asn, Some(64_496));
        let why = found[1].skipped.as_deref().unwrap();
        assert_eq!(why, format!("there is a session at this address with AS64501, ixp:{four}"));
        // Another AS at the address is somebody else, who was not there before.
        scene.clock.pass(TimeDelta::hours(1));
        scene.fake.answers(edge, vec![strange(64_997)]);
        scene.poll().await;
        let found = scene.unknown(Some("edge1"), None).await;
        assert_eq!((found.len(), found[0].kept.first_seen), (1, scene.clock.now()));
        assert_eq!(scene.unknown(Some("edge2"), None).await.len(), 0);
        // A router that cannot be asked keeps them, and they get stale.
        scene.fake.fails(edge, "no route");
        scene.clock.pass(TimeDelta::hours(3));
        scene.poll().await;
        let found = scene.unknown(None, None).await;
        assert_eq!((found.len(), found[0].age, found[0].stale), (1, 10_800, true));
        // They go with their router.
        store.execute("DELETE FROM devices_router WHERE name = 'edge1'", vec![]).await.unwrap();
        assert_eq!(scene.unknown(None, None).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_router_says_and_nobody_understands_is_not_taken_for_gone() {
    each_engine(async |store| {
        let (direct, _) = fill(&store).await;
        let scene = Scene::new(&store);
        let all = Neighbors { neighbors: vec![], left_out: vec!["192.0.2.1: no state".to_owned()] };
        scene.fake.answers.lock().unwrap().insert("edge1.example.net".to_owned(), Ok(all));
        let data = scene.poll().await;
        let unknown = data["routers"][0]["unknown"][0].as_str().unwrap();
        assert!(
            unknown.ends_with("what the router says of it is not understood (192.0.2.1: no state)"),
            "{unknown}"
        );
        let found = show(&store, scene.freshness(), &format!("direct:{direct}"), 1).await.unwrap();
        assert_eq!(found.seen.state.as_deref(), Some("unknown"));
    })
    .await;
}

#[tokio::test]
async fn a_session_on_two_connections_is_told_apart() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let system = create(&store, &[Draft::new(&autonomous_system::MODEL).with("asn", 64_510_i64).with("name", "Twice")])
            .await[0];
        let sql = "INSERT INTO net_connection (created, updated, description, comments, status, interface, \
                   internet_exchange_point_id, router_id) SELECT created, updated, description, comments, status, 'eth1', \
                   internet_exchange_point_id, router_id FROM net_connection";
        store.execute(sql, vec![]).await.unwrap();
        let rows = store.rows("SELECT id FROM net_connection ORDER BY id", vec![]).await.unwrap();
        let address: std::net::IpAddr = "198.51.100.10".parse().unwrap();
        let drafts: Vec<Draft> = rows
            .iter()
            .map(|row| {
                Draft::new(&internet_exchange_peering_session::MODEL)
                    .with("ixp_connection", row.get::<i64, _>(0).unwrap())
                    .with("autonomous_system", system)
                    .with("ip_address", address)
            })
            .collect();
        create(&store, &drafts).await;
        // The router has one neighbour of this address; both are that one.
        let one = neighbor("default", "198.51.100.10", 64_510, State::Established, 1);
        scene.fake.answers("edge1.example.net", vec![one]);
        assert_eq!(scene.poll().await["routers"][0]["established"], 2);
        let error = show(&store, scene.freshness(), "198.51.100.10", 1).await.unwrap_err().to_string();
        assert!(error.starts_with("2 sessions are 198.51.100.10: name one of ixp:"), "{error}");
    })
    .await;
}
