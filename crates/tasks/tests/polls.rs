//! `poll_bgp_sessions` with routers that say what the test wants.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::support::fake_routers::{Fake, Over, SECRET, fill, neighbor, router_settings};
use crate::support::{HeldClock, Lines};
use chrono::TimeDelta;
use pm_config::Config;
use pm_router::{HostKeys, Neighbors, Platform, State};
use pm_store::Store;
use pm_store::changes::Author;
use pm_store::objects::models::{
    autonomous_system, direct_peering_session, internet_exchange_peering_session, platform, router,
};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::Keyring;
use pm_store::objects::write::{self, Writing};
use pm_store::polls::{self, SessionKind};
use pm_store::testing::{each_engine, epoch};
use pm_store::tombstones;
use pm_tasks::{Finished, PollBgpSessions, Runner};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

struct Scene {
    store: Store,
    clock: Arc<HeldClock>,
    config: Config,
    lines: Arc<Lines>,
    fake: Arc<Fake>,
}

impl Scene {
    fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            clock: HeldClock::at(epoch()),
            config: router_settings(),
            lines: Arc::default(),
            fake: Arc::default(),
        }
    }

    async fn poll(&self, limit: Option<&str>) -> Finished {
        let runner = Runner {
            store: self.store.clone(),
            config: Arc::new(self.config.clone()),
            clock: Arc::clone(&self.clock) as _,
            sink: Arc::clone(&self.lines) as _,
            seed: 1,
            wait: false,
        };
        let task = Over(PollBgpSessions { limit: limit.map(str::to_owned) }, Arc::clone(&self.fake));
        runner.run(&task, CancellationToken::new()).await.unwrap()
    }

    async fn delete(&self, model: &'static pm_store::objects::model::Model, id: i64) {
        let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
        let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
        let rules = Rules { checked: false, community_values: false };
        let now = pm_tasks::Clock::now(&*self.clock);
        let writing = Writing { author: &author, now, keyring: &keyring, rules };
        let mut transaction = self.store.begin().await.unwrap();
        write::delete(&mut transaction.session(), writing, model, &[id]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn change(&self, id: i64, draft: Draft) {
        let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
        let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
        let rules = Rules { checked: false, community_values: false };
        let now = pm_tasks::Clock::now(&*self.clock);
        let writing = Writing { author: &author, now, keyring: &keyring, rules };
        let mut transaction = self.store.begin().await.unwrap();
        write::update(&mut transaction.session(), writing, &[(id, draft)]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The addresses that are remembered.
    async fn deleted(&self) -> Vec<String> {
        let mut connection = self.store.connection().await.unwrap();
        let all = tombstones::all(&mut connection.session()).await.unwrap();
        all.iter().map(|one| one.ip_address.to_string()).collect()
    }

    /// `(state, received, accepted, advertised, established)` of a session.
    async fn session(&self, table: &str, id: i64) -> (Option<String>, i64, i64, i64, bool) {
        let sql = format!(
            "SELECT bgp_state, received_prefix_count, accepted_prefix_count, advertised_prefix_count, \
             last_established_state FROM peering_{table}session WHERE id = ?"
        );
        let row = self.store.row(&sql, vec![id.into()]).await.unwrap().unwrap();
        let established: Option<chrono::DateTime<chrono::Utc>> = row.get(4).unwrap();
        (
            row.get(0).unwrap(),
            row.get(1).unwrap(),
            row.get(2).unwrap(),
            row.get(3).unwrap(),
            established.is_some(),
        )
    }
}

#[tokio::test]
async fn sessions_follow_their_router_and_nothing_stale_stays() {
    each_engine(async |store| {
        let (direct, [four, six]) = fill(&store).await;
        let scene = Scene::new(&store);
        let up = State::Established;
        scene.fake.answers(
            "edge1.example.net",
            vec![
                neighbor("default", "192.0.2.1", 64_501, up, 90),
                // The same address in a VRF is somebody else's.
                neighbor("blue", "192.0.2.1", 64_501, State::Idle, 1),
                neighbor("default", "198.51.100.1", 64_501, State::Active, 0),
                neighbor("default", "2001:db8::1", 64_501, up, 10),
                neighbor("default", "203.0.113.9", 64_999, up, 1),
            ],
        );
        scene.fake.answers("edge2.example.net", vec![]);
        let finished = scene.poll(None).await;
        assert_eq!((finished.exit, finished.data["routers"].as_array().unwrap().len()), (0, 3));
        let one = &finished.data["routers"][0];
        assert_eq!((&one["updated"], &one["established"]), (&json!(3), &json!(2)), "{one}");
        assert_eq!(one["strange"][1], json!({"vrf": "default", "address": "203.0.113.9", "asn": 64_999}));
        assert!(one["near_limit"][0].as_str().unwrap().ends_with("90 prefixes received, the limit is 100"));
        assert_eq!(finished.data["routers"][2]["skipped"], "it is disabled");
        assert_eq!(
            scene.session("directpeering", direct).await,
            (Some("established".into()), 90, 45, 7, true)
        );
        let ixp = "internetexchangepeering";
        assert_eq!(scene.session(ixp, four).await, (Some("active".into()), 0, 0, 7, false));
        assert_eq!(scene.session(ixp, six).await, (Some("established".into()), 10, 5, 7, true));

        // The router forgets one, has another AS at the address of the second, and the third goes down.
        scene.clock.pass(TimeDelta::hours(1));
        scene.fake.answers(
            "edge1.example.net",
            vec![
                neighbor("default", "192.0.2.1", 64_501, State::Idle, 0),
                neighbor("default", "2001:db8::1", 65_000, up, 10),
            ],
        );
        let finished = scene.poll(Some("EDGE1")).await;
        assert_eq!(finished.exit, 0);
        assert_eq!(finished.data["routers"][0]["unknown"].as_array().unwrap().len(), 2);
        assert_eq!(scene.session(ixp, four).await, (None, 0, 0, 0, false));
        assert_eq!(scene.session(ixp, six).await, (None, 0, 0, 0, true));
        let mut connection = store.connection().await.unwrap();
        let mut session = connection.session();
        let standing = polls::standings(&mut session, SessionKind::Direct).await.unwrap()[&direct].clone();
        assert_eq!((standing.state.as_str(), standing.flaps), ("idle", 1));
        assert_eq!(standing.since, epoch() + TimeDelta::hours(1));
        assert_eq!(standing.last_error.as_deref(), Some("Hold Timer Expired"));
        let gone = polls::standings(&mut session, SessionKind::Ixp).await.unwrap()[&six].clone();
        assert_eq!((gone.state.as_str(), gone.seen, gone.flaps), ("unknown", Some(epoch()), 0));
        assert_eq!(gone.polled, epoch() + TimeDelta::hours(1));
        // A poll that brings nothing new adds nothing to the history.
        scene.clock.pass(TimeDelta::hours(1));
        scene.poll(Some("edge1")).await;
        let history = polls::history(&mut session, SessionKind::Direct, direct, 10).await.unwrap();
        let states: Vec<&str> = history.iter().map(|sample| sample.state.as_str()).collect();
        assert_eq!(states, ["idle", "established"]);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_changed_while_its_router_is_asked_gets_nothing_of_its_old_peer() {
    each_engine(async |store| {
        let (direct, [four, six]) = fill(&store).await;
        let scene = Scene::new(&store);
        let up = State::Established;
        let all = ["192.0.2.1", "198.51.100.1", "2001:db8::1"];
        let all = all.map(|address| neighbor("default", address, 64_501, up, 9));
        scene.fake.answers("edge1.example.net", all.into());
        let gate = scene.fake.holds_back("edge1.example.net");
        let (finished, ()) = tokio::join!(scene.poll(Some("edge1")), async {
            scene.fake.asked(1).await;
            let other: std::net::IpAddr = "198.51.100.77".parse().unwrap();
            let moved = Draft::new(&internet_exchange_peering_session::MODEL).with("ip_address", other);
            scene.change(four, moved).await;
            scene.delete(&direct_peering_session::MODEL, direct).await;
            gate.add_permits(1);
        });
        assert_eq!(finished.exit, 0, "{}", finished.message);
        let ixp = "internetexchangepeering";
        assert_eq!(scene.session(ixp, four).await, (None, 0, 0, 0, false));
        assert_eq!(scene.session(ixp, six).await, (Some("established".into()), 9, 4, 7, true));
        let mut connection = store.connection().await.unwrap();
        let mut session = connection.session();
        let standings = polls::standings(&mut session, SessionKind::Ixp).await.unwrap();
        assert_eq!(standings.into_keys().collect::<Vec<_>>(), [six]);
        assert!(polls::history(&mut session, SessionKind::Ixp, four, 10).await.unwrap().is_empty());
        assert!(polls::standings(&mut session, SessionKind::Direct).await.unwrap().is_empty());
        let told = "edge1: 2 sessions were changed meanwhile";
        assert!(scene.lines.0.lock().unwrap().iter().any(|line| line.starts_with(told)));
    })
    .await;
}

#[tokio::test]
async fn routers_that_fail_are_named_and_the_others_go_on() {
    each_engine(async |store| {
        let (direct, _) = fill(&store).await;
        let scene = Scene::new(&store);
        scene.fake.answers(
            "edge1.example.net",
            vec![neighbor("default", "192.0.2.1", 64_501, State::Established, 1)],
        );
        scene.fake.fails("edge2.example.net", "no route");
        let finished = scene.poll(None).await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        let two = &finished.data["routers"][1];
        assert_eq!(two["error"], "edge2.example.net: cannot connect: no route");
        let before = scene.session("directpeering", direct).await;
        assert_eq!(before.0.as_deref(), Some("established"));
        // Now the first cannot be understood: its sessions stay as they were, and so does their age.
        scene.clock.pass(TimeDelta::hours(1));
        scene.fake.fails("edge1.example.net", "unreadable");
        scene.fake.answers("edge2.example.net", vec![]);
        let finished = scene.poll(None).await;
        assert_eq!((finished.exit, finished.status), (4, pm_store::jobs::Status::Completed));
        assert_eq!(scene.session("directpeering", direct).await, before);
        let mut connection = store.connection().await.unwrap();
        let standings = polls::standings(&mut connection.session(), SessionKind::Direct).await.unwrap();
        assert_eq!(standings[&direct].polled, epoch());
        let unknown = scene.poll(Some("edge1,edge9")).await;
        assert_eq!(unknown.exit, 1);
        assert!(unknown.message.contains("no router is called edge9"), "{}", unknown.message);
        let off = scene.poll(Some("edge4")).await;
        assert_eq!(off.data["routers"][0]["skipped"], "polling its sessions is not enabled");
    })
    .await;
}

#[tokio::test]
async fn each_router_is_reached_in_its_own_way() {
    each_engine(async |store| {
        fill(&store).await;
        let scene = Scene::new(&store);
        let gates = ["edge1", "edge2"].map(|name| scene.fake.holds_back(&format!("{name}.example.net")));
        // Both at the same time, or this would not end.
        tokio::join!(scene.poll(None), async {
            scene.fake.asked(2).await;
            for gate in &gates {
                gate.add_permits(1);
            }
        });
        let mut targets = std::mem::take(&mut *scene.fake.targets.lock().unwrap());
        targets.sort_by(|one, other| one.endpoint.host.cmp(&other.endpoint.host));
        let ports: Vec<u16> = targets.iter().map(|target| target.endpoint.port).collect();
        // What one router has of its own does not reach the next.
        assert_eq!(ports, [22_022, 2222]);
        let one = &targets[0];
        assert_eq!(one.platform, Platform::Bird);
        assert_eq!(one.credentials.user, "everybody");
        assert_eq!(one.credentials.password.as_ref().unwrap().expose_secret(), SECRET);
        assert_eq!(one.options["state_directory"], "/common");
        assert_eq!(one.options["config_file"], "/etc/bird/peers.conf");
        assert_eq!(one.limits.read.as_secs(), 11);
        assert!(matches!(one.host_keys, HostKeys::KnownHosts(_)));
        assert!(scene.fake.most.load(Ordering::SeqCst) == 2, "two at a time");
        assert!(!scene.lines.0.lock().unwrap().iter().any(|line| line.contains(SECRET)));
    })
    .await;
}

#[tokio::test]
async fn deleted_sessions_are_remembered_until_their_router_has_them_no_more() {
    each_engine(async |store| {
        let (direct, [four, _]) = fill(&store).await;
        let scene = Scene::new(&store);
        let up = State::Established;
        let two = || neighbor("default", "192.0.2.1", 64_501, up, 1);
        let four_there = |vrf: &str| neighbor(vrf, "198.51.100.1", 64_501, up, 1);
        let six = || neighbor("default", "2001:db8::1", 64_501, up, 1);
        let edge = "edge1.example.net";
        scene.fake.answers(edge, vec![two(), four_there("blue"), six()]);
        let report = async || {
            scene.clock.pass(TimeDelta::minutes(5));
            let finished = scene.poll(Some("edge1")).await;
            let one = finished.data["routers"][0].clone();
            let standing = one["deleted_standing"].as_array().unwrap().len();
            (one["deleted_gone"].as_u64().unwrap(), standing, finished.message)
        };
        assert_eq!(report().await.0, 0);
        scene.delete(&direct_peering_session::MODEL, direct).await;
        scene.delete(&internet_exchange_peering_session::MODEL, four).await;
        let (gone, standing, message) = report().await;
        assert_eq!((gone, standing), (0, 2));
        assert!(message.contains("2 deleted sessions still on their router"), "{message}");
        // What cannot be understood may be one of them.
        let unsure = Neighbors { neighbors: vec![six()], left_out: vec!["a line".to_owned()] };
        scene.fake.answers.lock().unwrap().insert(edge.to_owned(), Ok(unsure));
        assert_eq!(report().await.1, 2);
        // A router that has lost all its neighbours at once does not tell what it is configured for.
        scene.fake.answers(edge, vec![]);
        assert_eq!(report().await.1, 2);
        scene.fake.fails(edge, "no route");
        scene.poll(Some("edge1")).await;
        assert_eq!(scene.deleted().await, ["192.0.2.1", "198.51.100.1"]);
        // The one at the exchange was seen in a VRF, where it is no more.
        scene.fake.answers(edge, vec![two(), four_there("default"), six()]);
        let (gone, standing, message) = report().await;
        assert_eq!((gone, standing), (1, 1));
        assert!(message.contains("1 deleted sessions gone"), "{message}");
        assert_eq!(scene.deleted().await, ["192.0.2.1"]);
        scene.fake.answers(edge, vec![six()]);
        assert_eq!((report().await.0, report().await.0), (1, 0));
        assert_eq!(scene.deleted().await, [""; 0]);
    })
    .await;
}

/// Routers with arguments of their own, one after the other: driver, arguments, and what becomes of them.
#[tokio::test]
async fn a_session_that_went_past_its_limit_is_told_of_whatever_it_counts() {
    each_engine(async |store| {
        let (_, [four, _]) = fill(&store).await;
        let scene = Scene::new(&store);
        let mut past = neighbor("default", "198.51.100.1", 64_501, State::Idle, 0);
        past.over_limit = true;
        scene.fake.answers("edge1.example.net", vec![past]);
        let finished = scene.poll(Some("edge1")).await;
        let told = finished.data["routers"][0]["near_limit"][0].as_str().unwrap();
        assert!(told.contains("198.51.100.1: down because it went past its limit of prefixes"), "{told}");
        let mut connection = store.connection().await.unwrap();
        let standings = polls::standings(&mut connection.session(), SessionKind::Ixp).await.unwrap();
        assert!(standings[&four].near_limit);
    })
    .await;
}

#[tokio::test]
async fn arguments_choose_the_driver_and_the_way() {
    let cases = [
        ("iosxr", json!({}), Ok((Platform::Iosxr, false))),
        ("iosxr", json!({ "driver": "native" }), Ok((Platform::IosxrNetconf, false))),
        ("iosxr", json!({ "driver": "napalm" }), Ok((Platform::Iosxr, true))),
        ("ios", json!({ "secret": "x" }), Ok((Platform::Ios, false))),
        ("nxos_ssh", json!({ "driver": "native" }), Ok((Platform::NxosSsh, false))),
        ("ios", json!({ "driver": "napalm" }), Ok((Platform::Ios, true))),
        ("srl", json!({ "driver": "native" }), Err("there is no native driver srl")),
        (
            "junos",
            json!({ "jump_host": "jump:port", "jump_password": SECRET }),
            Err("the argument jump_host"),
        ),
        (
            "bird",
            json!({ "jump_host": "jump", "jump_key_file": "/nonexistent" }),
            Err("key file /nonexistent"),
        ),
        ("bird", json!({ "source_address": "lo" }), Err("the argument source_address")),
        ("bird", json!({ "legacy_algorithms": 1 }), Err("the argument legacy_algorithms")),
    ];
    each_engine(async |store| {
        let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
        let scene = Scene::new(&store);
        let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
        let mut transaction = store.begin().await.unwrap();
        let mut session = transaction.session();
        let mut create = async |draft: Draft| {
            let rules = Rules { checked: false, community_values: false };
            let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules };
            write::create(&mut session, writing, &[draft]).await.unwrap()[0].id
        };
        let own = create(Draft::new(&autonomous_system::MODEL).with("asn", 64_496_i64).with("name", "Own")).await;
        let with_way = json!({ "jump_host": "me@jump:2222", "jump_password": SECRET, "source_address": "192.0.2.9",
            "legacy_algorithms": true, "config_file": "/etc/x" });
        let all = cases.iter().map(|(driver, arguments, _)| (*driver, arguments));
        for (at, (driver, arguments)) in all.chain([("bird", &with_way)]).enumerate() {
            let name = format!("r{at:02}");
            let platform = create(
                Draft::new(&platform::MODEL)
                    .with("name", name.as_str())
                    .with("slug", name.as_str())
                    .with("napalm_driver", driver)
                    .with_json("napalm_args", arguments.clone()),
            )
            .await;
            create(
                Draft::new(&router::MODEL)
                    .with("name", name.as_str())
                    .with("hostname", name.as_str())
                    .with("local_autonomous_system", own)
                    .with("platform", platform)
                    .with("poll_bgp_sessions_state", true),
            )
            .await;
        }
        transaction.commit().await.unwrap();
        let finished = scene.poll(None).await;
        assert!(!finished.data.to_string().contains(SECRET), "{}", finished.data);
        let targets = std::mem::take(&mut *scene.fake.targets.lock().unwrap());
        let of = |at: usize| targets.iter().find(|target| target.endpoint.host == format!("r{at:02}"));
        for (at, (driver, arguments, expected)) in cases.iter().enumerate() {
            let found = of(at).map(|target| (target.platform, target.use_napalm));
            match expected {
                Ok(expected) => assert_eq!(found, Some(*expected), "{driver} {arguments}"),
                Err(why) => {
                    let one = &finished.data["routers"][at];
                    let error = one["error"].as_str().unwrap();
                    assert!(found.is_none() && error.contains(why), "{one}");
                }
            }
        }
        let target = of(cases.len()).unwrap();
        let jump = target.way.jump.as_ref().unwrap();
        assert_eq!((jump.endpoint.host.as_str(), jump.endpoint.port), ("jump", 2222));
        assert_eq!(jump.credentials.user, "me");
        assert_eq!(jump.credentials.password.as_ref().unwrap().expose_secret(), SECRET);
        assert!(target.way.source.is_some() && target.way.legacy_algorithms);
        // Nothing of it is left for NAPALM or a driver.
        let rest: Vec<&str> = target.options.keys().map(String::as_str).collect();
        assert_eq!(rest, ["config_file", "state_directory"]);
        assert!(of(0).unwrap().way.jump.is_none());
    })
    .await;
}
