//! `poll_bgp_sessions` with routers that say what the test wants.

#![expect(clippy::unwrap_used, reason = "for tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use pm_config::Config;
use pm_router::{
    ConfigText, Error, Facts, Family, HostKeys, How, Loader, Neighbor, Neighbors, Pending, Platform,
    Prefixes, Router, State, Step, Target,
};
use pm_store::Store;
use pm_store::changes::Author;
use pm_store::objects::models::{
    autonomous_system, connection, direct_peering_session, internet_exchange,
    internet_exchange_peering_session, platform, relationship, router,
};
use pm_store::objects::problems::Rules;
use pm_store::objects::record::Draft;
use pm_store::objects::secrets::{Clear, Keyring};
use pm_store::objects::write::{self, Writing};
use pm_store::polls::{self, SessionKind};
use pm_store::testing::{each_engine, epoch};
use pm_tasks::routers::Connector;
use pm_tasks::{Done, Finished, PollBgpSessions, Runner, Task, TaskContext, TaskError};
use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use support::{HeldClock, Lines, configured};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "Planted-router-password";

/// Routers by hostname: what they answer, or why they do not.
#[derive(Default)]
struct Fake {
    answers: Mutex<BTreeMap<String, Result<Neighbors, String>>>,
    targets: Mutex<Vec<Target>>,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Fake {
    fn answers(&self, host: &str, neighbors: Vec<Neighbor>) {
        let all = Neighbors { neighbors, left_out: Vec::new() };
        self.answers.lock().unwrap().insert(host.to_owned(), Ok(all));
    }

    fn fails(&self, host: &str, why: &str) {
        self.answers.lock().unwrap().insert(host.to_owned(), Err(why.to_owned()));
    }
}

struct FakeRouter {
    answer: Result<Neighbors, Error>,
}

#[async_trait]
impl Connector for Fake {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Router>, Error> {
        self.targets.lock().unwrap().push(target.clone());
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        self.open.fetch_sub(1, Ordering::SeqCst);
        let host = target.endpoint.host.clone();
        let answer = self.answers.lock().unwrap().get(&host).cloned();
        match answer.unwrap_or_else(|| Err("nobody there".to_owned())) {
            Ok(neighbors) => Ok(Box::new(FakeRouter { answer: Ok(neighbors) })),
            Err(why) if why == "unreadable" => {
                let answer = Err(Error::Unreadable { host, step: Step::Neighbors, message: why });
                Ok(Box::new(FakeRouter { answer }))
            }
            Err(message) => Err(Error::Connect { host, message }),
        }
    }
}

#[async_trait]
impl Router for FakeRouter {
    fn platform(&self) -> Platform {
        Platform::Bird
    }
    async fn facts(&self) -> Result<Facts, Error> {
        Ok(Facts::default())
    }
    async fn neighbors(&self) -> Result<Neighbors, Error> {
        match &self.answer {
            Ok(neighbors) => Ok(neighbors.clone()),
            Err(error) => {
                Err(Error::Unreadable { host: "x".into(), step: Step::Neighbors, message: error.to_string() })
            }
        }
    }
    async fn running_config(&self) -> Result<ConfigText, Error> {
        Ok(ConfigText::new(""))
    }
    fn loader(&self, _: How) -> Option<Loader<'_>> {
        None
    }
    async fn pending(&self) -> Result<Option<Pending>, Error> {
        Ok(None)
    }
    async fn confirm(&self, _: &Pending) -> Result<(), Error> {
        Ok(())
    }
    async fn roll_back(&self, _: &Pending) -> Result<(), Error> {
        Ok(())
    }
    async fn close(&self) {}
}

/// The task over the routers of a test.
struct Over(PollBgpSessions, Arc<Fake>);

#[async_trait]
impl Task for Over {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn label(&self) -> &'static str {
        self.0.label()
    }
    fn arguments(&self) -> Json {
        self.0.arguments()
    }
    fn lock_key(&self) -> Option<String> {
        self.0.lock_key()
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        self.0.run_over(context, &*self.1).await
    }
}

fn neighbor(vrf: &str, address: &str, asn: u32, state: State, received: u64) -> Neighbor {
    let address: std::net::IpAddr = address.parse().unwrap();
    let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
    let counts = Prefixes { received: Some(received), accepted: Some(received / 2), advertised: Some(7) };
    Neighbor {
        vrf: vrf.to_owned(),
        address,
        remote_as: Some(asn),
        local_as: Some(64_496),
        local_address: None,
        remote_id: None,
        description: None,
        state,
        enabled: true,
        uptime: None,
        downtime: None,
        prefixes: BTreeMap::from([(family, counts)]),
        over_limit: false,
        last_error: (state != State::Established).then(|| "Hold Timer Expired".to_owned()),
        flaps: None,
    }
}

struct Scene {
    store: Store,
    clock: Arc<HeldClock>,
    config: Config,
    lines: Arc<Lines>,
    fake: Arc<Fake>,
}

impl Scene {
    fn new(store: &Store) -> Self {
        let key = "k".repeat(50);
        let config = configured(&[
            ("secret_key", key.as_str()),
            ("napalm_username", "everybody"),
            ("napalm_timeout", "11"),
            ("router_concurrency", "2"),
            ("napalm_args", "{ state_directory = \"/common\", port = 2222 }"),
        ]);
        Self {
            store: store.clone(),
            clock: HeldClock::at(epoch()),
            config,
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

/// Routers edge1 to edge3; edge1 has a session over a link and two at an exchange.
async fn fill(store: &Store) -> (i64, [i64; 2]) {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "r".into() };
    let keyring = Keyring::from_texts(["k".repeat(50).as_str()]);
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let mut create = async |draft: Draft| {
        let rules = Rules { checked: false, community_values: false };
        let writing = Writing { author: &author, now: epoch(), keyring: &keyring, rules };
        write::create(&mut session, writing, &[draft]).await.unwrap()[0].id
    };
    let system = |asn: i64| Draft::new(&autonomous_system::MODEL).with("asn", asn).with("name", "Peer");
    let own = create(system(64_496).with("affiliated", true)).await;
    let peer = create(system(64_501).with("ipv4_max_prefixes", 100).with("ipv6_max_prefixes", 100)).await;
    let bird = create(
        Draft::new(&platform::MODEL)
            .with("name", "BIRD")
            .with("slug", "bird")
            .with("napalm_driver", "bird")
            .with_json("napalm_args", json!({"config_file": "/etc/bird/peers.conf"})),
    )
    .await;
    let edge = |name: &str| {
        Draft::new(&router::MODEL)
            .with("name", name)
            .with("hostname", format!("{name}.example.net"))
            .with("local_autonomous_system", own)
            .with("platform", bird)
            .with("poll_bgp_sessions_state", true)
            .with("napalm_password", Clear::new(SECRET))
    };
    let one = create(edge("edge1").with_json("napalm_args", json!({"port": 22022}))).await;
    create(edge("edge2")).await;
    create(edge("edge3").with("status", "disabled")).await;
    create(edge("edge4").with("poll_bgp_sessions_state", false)).await;
    let relationship =
        create(Draft::new(&relationship::MODEL).with("name", "Peering").with("slug", "peering")).await;
    let exchange = create(
        Draft::new(&internet_exchange::MODEL)
            .with("name", "IX")
            .with("slug", "ix")
            .with("local_autonomous_system", own),
    )
    .await;
    let link =
        create(Draft::new(&connection::MODEL).with("internet_exchange_point", exchange).with("router", one))
            .await;
    let direct = create(
        Draft::new(&direct_peering_session::MODEL)
            .with("router", one)
            .with("autonomous_system", peer)
            .with("relationship", relationship)
            .with("local_autonomous_system", own)
            .with("ip_address", "192.0.2.1/30".parse::<ipnet::IpNet>().unwrap()),
    )
    .await;
    let mut ixp = async |address: &str| {
        let address: std::net::IpAddr = address.parse().unwrap();
        create(
            Draft::new(&internet_exchange_peering_session::MODEL)
                .with("ixp_connection", link)
                .with("autonomous_system", peer)
                .with("ip_address", address),
        )
        .await
    };
    let at_exchange = [ixp("198.51.100.1").await, ixp("2001:db8::1").await];
    transaction.commit().await.unwrap();
    (direct, at_exchange)
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
        scene.poll(None).await;
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

/// Routers with arguments of their own, one after the other: driver, arguments, and what becomes of them.
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
                    let skipped = finished.data["routers"][at]["skipped"].as_str().unwrap();
                    assert!(found.is_none() && skipped.contains(why), "{skipped}");
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
