//! `get_irr_data` and `grab_prefixes` against a stand-in for an IRR server, on both engines.
#![expect(clippy::unwrap_used, reason = "for tests")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::TimeDelta;
use pm_config::Config;
use pm_lab::irrd::{Fault, FaultKind, Options, Server, World};
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::irr::{Kind, Stand, State};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value};
use pm_tasks::irr::look;
use pm_tasks::{Finished, GetIrrData, GrabPrefixes, IrrAccept, Runner, Task};
use support::{HeldClock, Lines, author, configured};
use tokio_util::sync::CancellationToken;

/// RPSL, built line by line.
#[derive(Clone, Default)]
struct Rpsl(String);

impl Rpsl {
    fn set(mut self, source: &str, name: &str, members: &str) -> Self {
        let class = if name.contains("RS-") { "route-set" } else { "as-set" };
        let members = if members.is_empty() { String::new() } else { format!("members: {members}\n") };
        write!(self.0, "{class}: {name}\n{members}mnt-by: M\nsource: {source}\n\n").unwrap();
        self
    }

    fn aut_num(mut self, source: &str, asn: u32) -> Self {
        write!(self.0, "aut-num: AS{asn}\nmnt-by: M\nsource: {source}\n\n").unwrap();
        self
    }

    fn route(mut self, source: &str, prefix: &str, asn: u32) -> Self {
        let class = if prefix.contains(':') { "route6" } else { "route" };
        write!(self.0, "{class}: {prefix}\norigin: AS{asn}\nmnt-by: M\nsource: {source}\n\n").unwrap();
        self
    }

    /// `count` neighbouring /24 that do not aggregate.
    fn routes(mut self, source: &str, count: u32, asn: u32) -> Self {
        for number in 0..count {
            let prefix = format!("10.{}.{}.0/24", number / 128, (number % 128) * 2);
            self = self.route(source, &prefix, asn);
        }
        self
    }

    async fn serve(&self) -> Server {
        self.serve_with(Options::default()).await
    }

    async fn serve_with(&self, options: Options) -> Server {
        let options = Options { sources: vec!["RIPE".to_owned(), "RADB".to_owned()], ..options };
        Server::start(Arc::new(World::from_rpsl(&self.0).unwrap()), options).await.unwrap()
    }
}

/// Two peers with a common member, and one of its own.
fn world() -> Rpsl {
    Rpsl::default()
        .set("RIPE", "AS-ONE", "AS3333, AS-COMMON")
        .set("RIPE", "AS-TWO", "AS4444, AS-COMMON")
        .set("RIPE", "AS-COMMON", "AS5555")
        .set("RIPE", "AS-EMPTY", "")
        .route("RIPE", "192.0.2.0/24", 3333)
        .route("RIPE", "2001:db8:3333::/48", 3333)
        .route("RIPE", "198.51.100.0/25", 4444)
        .route("RIPE", "198.51.100.128/25", 4444)
        .route("RADB", "203.0.113.0/24", 5555)
        .route("RIPE", "203.0.113.0/24", 5555)
}

/// A database with autonomous systems, and settings.
struct Scene {
    store: Store,
    clock: Arc<HeldClock>,
    config: Config,
    lines: Arc<Lines>,
}

impl Scene {
    /// Autonomous systems with their AS-SET field.
    async fn new(store: &Store, systems: &[(i64, &str)]) -> Self {
        let systems = systems.iter().map(|(asn, field)| AutonomousSystem {
            irr_as_set: Some((*field).to_owned()).filter(|field| !field.is_empty()),
            ..AutonomousSystem::new(*asn, &format!("Network {asn}"), epoch())
        });
        autonomous_system::create(store, &author(), systems.collect(), epoch()).await.unwrap();
        let config = configured(&[]);
        Self { store: store.clone(), clock: HeldClock::at(epoch()), config, lines: Arc::default() }
    }

    /// Asks this server from now on, for everything it has.
    fn ask(&mut self, server: &Server, settings: &[(&str, &str)]) {
        self.ask_hosts(&server.address().to_string(), settings);
    }

    fn ask_hosts(&mut self, hosts: &str, settings: &[(&str, &str)]) {
        let mut all = BTreeMap::from([
            ("bgpq3_host", hosts),
            ("bgpq3_sources", "RIPE,RADB"),
            ("irr_idle_timeout", "1"),
            ("irr_connect_timeout", "1"),
            ("bgpq3_args", r#"{"ipv6": ["-A"], "ipv4": ["-A"]}"#),
        ]);
        all.extend(settings.iter().copied());
        let all: Vec<_> = all.into_iter().collect();
        self.config = configured(&all);
    }

    async fn run(&self, task: &dyn Task) -> Finished {
        self.clock.pass(TimeDelta::days(1));
        let runner = Runner {
            store: self.store.clone(),
            config: Arc::new(self.config.clone()),
            clock: Arc::clone(&self.clock) as _,
            sink: Arc::clone(&self.lines) as _,
            seed: 1,
            wait: false,
        };
        runner.run(task, CancellationToken::new()).await.unwrap()
    }

    async fn fetch(&self) -> Finished {
        self.run(&GetIrrData::default()).await
    }

    async fn state(&self, asn: i64, kind: Kind) -> State {
        let overview = look::overview(&self.store, asn).await.unwrap();
        overview.states.into_iter().find(|state| state.kind == kind).unwrap()
    }

    /// The entries that are shown.
    async fn shown(&self, asn: i64, kind: Kind) -> Option<Vec<String>> {
        let overview = look::overview(&self.store, asn).await.unwrap();
        let state = overview.states.iter().find(|state| state.kind == kind)?;
        let data = look::data(&self.store, kind, state.shown()?).await.unwrap();
        let mut entries = Vec::new();
        data.each(|entry| entries.push(entry.to_string())).unwrap();
        Some(entries)
    }

    /// All lists that are shown, to be compared before and after.
    async fn all_shown(&self, asns: &[i64]) -> BTreeMap<(i64, Kind), Option<Vec<String>>> {
        let mut all = BTreeMap::new();
        for asn in asns {
            for kind in Kind::ALL {
                all.insert((*asn, kind), self.shown(*asn, kind).await);
            }
        }
        all
    }

    async fn edit(&self, asn: i64, assignment: &str) {
        let sql = format!("UPDATE peering_autonomoussystem SET {assignment} WHERE asn = ?");
        assert_eq!(self.store.execute(&sql, vec![Value::from(asn)]).await.unwrap(), 1);
    }

    async fn changes(&self) -> Vec<serde_json::Value> {
        let sql = "SELECT postchange_data FROM core_objectchange WHERE action = 'update' ORDER BY id";
        let rows = self.store.rows(sql, vec![]).await.unwrap();
        rows.iter().map(|row| row.json("postchange_data").unwrap().unwrap()).collect()
    }

    async fn generations(&self, asn: i64) -> usize {
        look::overview(&self.store, asn).await.unwrap().generations.len()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "to be compared with what may not be there")]
fn texts(entries: &[&str]) -> Option<Vec<String>> {
    Some(entries.iter().map(|entry| (*entry).to_owned()).collect())
}

#[tokio::test]
async fn lists_are_fetched_kept_in_generations_and_logged() {
    each_engine(|store| async move {
        let server = world().serve().await;
        let mut scene = Scene::new(&store, &[(100, "AS-ONE"), (200, "AS-TWO, as-one"), (3333, "")]).await;
        scene.ask(&server, &[]);
        let finished = scene.fetch().await;
        assert_eq!((finished.exit, finished.data["changed"].as_i64()), (0, Some(9)), "{}", finished.message);
        assert_eq!(scene.shown(100, Kind::Ipv4).await, texts(&["192.0.2.0/24", "203.0.113.0/24"]));
        assert_eq!(scene.shown(100, Kind::Ipv6).await, texts(&["2001:db8:3333::/48"]));
        assert_eq!(scene.shown(100, Kind::AsList).await, texts(&["AS100", "AS3333", "AS5555"]));
        let both = ["192.0.2.0/24", "198.51.100.0/24 ge 25 le 25", "203.0.113.0/24"];
        assert_eq!(scene.shown(200, Kind::Ipv4).await, texts(&both), "several AS-SETs make one list");
        assert_eq!(scene.shown(3333, Kind::Ipv4).await, texts(&["192.0.2.0/24"]), "no AS-SET: the AS itself");
        assert_eq!(scene.shown(3333, Kind::AsList).await, texts(&[]), "no AS-SET: an empty AS list");

        let again = scene.fetch().await;
        assert_eq!((again.exit, again.data["same"].as_i64()), (0, Some(9)), "{}", again.message);
        assert_eq!(scene.generations(100).await, 1);
        assert_eq!(
            scene.changes().await.len(),
            3,
            "one change per autonomous system, none when nothing changes"
        );
        drop(server);

        let server = world().route("RIPE", "192.0.3.0/24", 3333).serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        assert_eq!(scene.generations(100).await, 2);
        let change = scene.changes().await.pop().unwrap();
        let expected = serde_json::json!({
            "entries": 1, "added": 1, "first_added": ["192.0.2.0/23 ge 24 le 24"],
            "removed": 1, "first_removed": ["192.0.2.0/24"],
        });
        assert_eq!(change["ipv4"], expected);
        let generation = &look::overview(&store, 100).await.unwrap().generations[0];
        assert_eq!(generation.details["server"].as_str(), Some(server.address().to_string().as_str()));
        assert_eq!(generation.details["objects"][0], "AS-ONE");

        let who = look::who(&store, "203.0.113.0/24".parse().unwrap()).await.unwrap();
        assert_eq!(who.iter().map(|listing| listing.asn).collect::<Vec<_>>(), [100, 200]);
        let who = look::who(&store, "198.51.100.128/25".parse().unwrap()).await.unwrap();
        assert_eq!(who.iter().map(|listing| listing.asn).collect::<Vec<_>>(), [200]);
        assert_eq!(look::who(&store, "198.51.100.0/24".parse().unwrap()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn unknown_empty_and_failed_are_told_apart_and_no_list_is_lost() {
    each_engine(|store| async move {
        let systems = [(100, "AS-ONE"), (200, "AS-TWO")];
        let mut scene = Scene::new(&store, &systems).await;
        let server = world().serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        let good = scene.all_shown(&[100, 200]).await;

        // AS-ONE is gone, AS-TWO is there and empty.
        let server = Rpsl::default().set("RIPE", "AS-TWO", "").serve().await;
        scene.ask(&server, &[]);
        let finished = scene.fetch().await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        assert_eq!(scene.all_shown(&[100, 200]).await, good);
        let unknown = scene.state(100, Kind::Ipv4).await;
        assert!(
            unknown.failure.as_deref().unwrap().contains("AS-ONE does not exist"),
            "{:?}",
            unknown.failure
        );
        assert!(unknown.held.is_none());
        let empty = scene.state(200, Kind::Ipv4).await;
        assert!(empty.held.as_ref().unwrap().reason.starts_with("becomes empty"), "{:?}", empty.held);
        for told in ["AS100 ipv6 ipv4 as_list (AS-ONE does not exist", "AS200 ipv4 (becomes empty"] {
            assert!(finished.message.contains(told), "{}", finished.message);
        }

        // The server answers everything with an error.
        let server = world().serve().await;
        server.fault(Fault::always(FaultKind::Fail).matching("!"));
        scene.ask(&server, &[]);
        assert_ne!(scene.fetch().await.exit, 0);
        assert_eq!(scene.all_shown(&[100, 200]).await, good);

        // The server is not there at all.
        scene.ask_hosts("127.0.0.1:1", &[]);
        let finished = scene.fetch().await;
        assert_eq!(finished.exit, 1, "{}", finished.message);
        assert!(finished.message.contains("127.0.0.1:1"), "{}", finished.message);
        assert_eq!(scene.all_shown(&[100, 200]).await, good);
        assert_eq!(scene.generations(100).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_goes_away_at_any_moment_costs_no_list() {
    each_engine(|store| async move {
        let systems: Vec<(i64, String)> = (1..=6).map(|n| (n * 100, format!("AS-PEER{n}"))).collect();
        let mut before = Rpsl::default();
        let mut after = Rpsl::default();
        for (asn, name) in &systems {
            let asn = u32::try_from(*asn).unwrap();
            before = before.set("RIPE", name, &format!("AS{asn}")).route(
                "RIPE",
                &format!("10.{asn}.0.0/16").replace("00.0", "0.0"),
                asn,
            );
            after = after.set("RIPE", name, &format!("AS{asn}"));
            for third in [0, 64] {
                after = after.route("RIPE", &format!("10.{}.{third}.0/18", asn / 10), asn);
            }
        }
        let fields: Vec<(i64, &str)> = systems.iter().map(|(asn, name)| (*asn, name.as_str())).collect();
        let mut scene = Scene::new(&store, &fields).await;
        let server = before.serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        let asns: Vec<i64> = systems.iter().map(|(asn, _)| *asn).collect();
        let good = scene.all_shown(&asns).await;
        // Twelve lists are asked for, on one connection.
        let moments = |kind| if kind == FaultKind::Cut { vec![0, 5, 11] } else { vec![6] };
        for kind in [FaultKind::Cut, FaultKind::Reset, FaultKind::Silent] {
            for passed in moments(kind) {
                let options = Options {
                    faults: vec![Fault::always(kind).matching("!a").after(passed)],
                    ..Options::default()
                };
                let server = after.serve_with(options).await;
                scene.ask(&server, &[("irr_connections", "1")]);
                let finished = scene.fetch().await;
                let now = scene.all_shown(&asns).await;
                let (mut old, mut new) = (0, 0);
                for asn in &asns {
                    let entries = now[&(*asn, Kind::Ipv4)].clone();
                    let second = asn / 10;
                    let fresh = texts(&[&format!("10.{second}.0.0/18"), &format!("10.{second}.64.0/18")]);
                    let joined = texts(&[&format!("10.{second}.0.0/17 ge 18 le 18")]);
                    old += usize::from(entries == good[&(*asn, Kind::Ipv4)]);
                    new += usize::from(entries == fresh || entries == joined);
                }
                assert_eq!(old + new, asns.len(), "{kind:?} after {passed}: a list is neither old nor new");
                assert!(finished.exit != 0 || old == 0, "{kind:?} after {passed}: {}", finished.message);
                // Back to what was, for the next round.
                let server = before.serve().await;
                scene.ask(&server, &[]);
                assert_eq!(scene.run(&GetIrrData { force: true, ..GetIrrData::default() }).await.exit, 0);
                assert_eq!(scene.all_shown(&asns).await, good);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_shrinks_or_explodes_waits_for_somebody_to_look() {
    each_engine(|store| async move {
        let peer = |count| Rpsl::default().set("RIPE", "AS-ONE", "AS3333").routes("RIPE", count, 3333);
        let mut scene = Scene::new(&store, &[(100, "AS-ONE")]).await;
        let server = peer(100).serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);

        for (count, reason) in [(49, "shrinks from 100 to 49"), (1001, "grows from 100 to 1001")] {
            let server = peer(count).serve().await;
            scene.ask(&server, &[]);
            let finished = scene.fetch().await;
            assert_eq!(finished.exit, 4, "{}", finished.message);
            assert!(finished.message.contains(reason), "{}", finished.message);
            assert_eq!(scene.state(100, Kind::Ipv4).await.list.unwrap().entries, 100);
        }
        let waiting = look::review(&store).await.unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].state.held.as_ref().unwrap().list.entries, 1001);

        let accepted = scene.run(&IrrAccept { asns: vec![100] }).await;
        assert_eq!(accepted.exit, 0, "{}", accepted.message);
        let state = scene.state(100, Kind::Ipv4).await;
        assert_eq!((state.list.unwrap().entries, state.found, state.held.is_none()), (1001, 1001, true));
        assert_eq!(scene.generations(100).await, 2);
        assert_eq!(scene.changes().await.len(), 2);
        assert_eq!(look::who(&store, "10.7.208.0/24".parse().unwrap()).await.unwrap().len(), 1);

        let server = peer(3).serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.run(&GrabPrefixes { force: true, ..GrabPrefixes::default() }).await.exit, 0);
        assert_eq!(scene.state(100, Kind::Ipv4).await.list.unwrap().entries, 3);
        assert_eq!(scene.run(&IrrAccept { asns: vec![100] }).await.message, "Nothing was held back.");
        assert_eq!(scene.run(&IrrAccept { asns: vec![999] }).await.exit, 1);
    })
    .await;
}

#[tokio::test]
async fn a_limit_and_a_switch_hide_a_list_and_lose_nothing() {
    each_engine(|store| async move {
        let server = Rpsl::default().set("RIPE", "AS-ONE", "AS3333").routes("RIPE", 30, 3333).serve().await;
        let mut scene = Scene::new(&store, &[(100, "AS-ONE")]).await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        let good = scene.shown(100, Kind::Ipv4).await;
        assert_eq!(good.as_ref().unwrap().len(), 30);

        let limited = scene.run(&GrabPrefixes { limit: 29, ..GrabPrefixes::default() }).await;
        assert_eq!(limited.exit, 0, "{}", limited.message);
        let state = scene.state(100, Kind::Ipv4).await;
        assert_eq!(
            (state.state, state.too_long, state.list.as_ref().unwrap().entries),
            (Stand::TooBig, Some(30), 30)
        );
        assert_eq!(scene.shown(100, Kind::Ipv4).await, None);
        assert_eq!(look::who(&store, "10.0.0.0/24".parse().unwrap()).await.unwrap(), []);
        assert_eq!(scene.run(&GetIrrData { limit: 30, ..GetIrrData::default() }).await.exit, 0);
        assert_eq!(scene.shown(100, Kind::Ipv4).await, good);

        scene.edit(100, "retrieve_prefixes = FALSE, retrieve_as_list = FALSE").await;
        assert_eq!(scene.fetch().await.exit, 0);
        assert_eq!(scene.state(100, Kind::AsList).await.state, Stand::Off);
        assert_eq!((scene.shown(100, Kind::Ipv4).await, scene.generations(100).await), (None, 1));
        scene.edit(100, "retrieve_prefixes = TRUE, retrieve_as_list = TRUE").await;
        assert_eq!(scene.fetch().await.exit, 0);
        assert_eq!((scene.shown(100, Kind::Ipv4).await, scene.generations(100).await), (good, 1));
    })
    .await;
}

#[tokio::test]
async fn what_an_autonomous_system_says_overrides_the_settings() {
    each_engine(|store| async move {
        let world = world().set("RADB", "AS-ONE", "AS4444").aut_num("RIPE", 7777).route(
            "RADB",
            "192.0.2.128/25",
            3333,
        );
        let server = world.serve().await;
        let systems = [
            (100, "AS-ONE"),
            (200, "RADB::AS-ONE"),
            (300, "AS-ONE"),
            (400, "n/a"),
            (500, "AS-ONE"),
            (7777, ""),
        ];
        let mut scene = Scene::new(&store, &systems).await;
        scene.ask(&server, &[("bgpq4_keep_source_in_set", "true")]);
        scene.edit(100, "irr_sources_override = 'RIPE'").await;
        scene.edit(300, "irr_ipv4_prefixes_args_override = '-m 24'").await;
        scene.edit(500, "irr_ipv4_prefixes_args_override = '-A -z'").await;
        let finished = scene.run(&GrabPrefixes::default()).await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        assert_eq!(scene.shown(100, Kind::Ipv4).await, texts(&["192.0.2.0/24", "203.0.113.0/24"]));
        assert_eq!(scene.shown(200, Kind::Ipv4).await, texts(&["198.51.100.0/24 ge 25 le 25"]));
        assert_eq!(scene.shown(300, Kind::Ipv4).await, texts(&["192.0.2.0/24", "203.0.113.0/24"]));
        assert_eq!(scene.shown(7777, Kind::Ipv4).await, texts(&[]), "known, and nothing behind it");
        let why = |state: State| state.failure.unwrap();
        assert!(why(scene.state(400, Kind::Ipv4).await).contains("names no AS-SET"));
        let refused = why(scene.state(500, Kind::Ipv4).await);
        assert!(refused.contains("\"-z\"") && refused.contains("AS500"), "{refused}");
        assert!(scene.shown(500, Kind::Ipv6).await.is_some(), "the other family goes on");
    })
    .await;
}

#[tokio::test]
async fn a_name_in_several_sources_is_said() {
    each_engine(|store| async move {
        let server = world().set("RADB", "AS-ONE", "AS4444").serve().await;
        let mut scene = Scene::new(&store, &[(100, "AS-ONE"), (200, "AS-TWO")]).await;
        scene.ask(&server, &[]);
        let finished = scene.fetch().await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        let notes = finished.data["notes"]["100"].as_array().unwrap();
        let note = notes[0].as_str().unwrap();
        assert!(note.contains("AS-ONE") && note.contains("RADB") && note.contains("RIPE"), "{note}");
        assert!(finished.data["notes"]["200"].is_null());
    })
    .await;
}

#[tokio::test]
async fn an_edit_during_the_run_is_not_overrun() {
    each_engine(|store| async move {
        let server = world()
            .serve_with(Options { delay: std::time::Duration::from_millis(100), ..Options::default() })
            .await;
        let mut scene = Scene::new(&store, &[(100, "AS-ONE"), (200, "AS-TWO")]).await;
        scene.ask(&server, &[("irr_idle_timeout", "20"), ("irr_connect_timeout", "20")]);
        let edit = async {
            while server.counters().connections == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            scene.edit(100, "irr_as_set = 'AS-TWO'").await;
        };
        let (finished, ()) = tokio::join!(scene.fetch(), edit);
        assert_eq!(finished.exit, 4, "{}", finished.message);
        assert!(finished.message.contains("Edited meanwhile: AS100."), "{}", finished.message);
        assert_eq!(scene.shown(100, Kind::Ipv4).await, None);
        assert!(scene.shown(200, Kind::Ipv4).await.is_some());
        assert_eq!(scene.fetch().await.exit, 0);
        assert_eq!(scene.shown(100, Kind::Ipv4).await, scene.shown(200, Kind::Ipv4).await);
    })
    .await;
}

#[tokio::test]
async fn the_programs_make_the_same_lists() {
    for backend in ["bgpq4", "bgpq3"] {
        if std::process::Command::new(backend).arg("-v").output().is_err() {
            eprintln!("skipped: {backend} is not installed");
            continue;
        }
        each_engine(|store| async move {
            let server = world().serve().await;
            // The same for both: the first half is fetched by ourselves, the second by the program.
            let systems = [
                (100, "AS-ONE"),
                (110, "AS-TWO AS-ONE"),
                (200, "AS-ONE"),
                (210, "AS-TWO AS-ONE"),
                (300, "AS-NOBODY"),
            ];
            let mut scene = Scene::new(&store, &systems).await;
            scene.ask(&server, &[]);
            assert_eq!(
                scene.run(&GetIrrData { asns: vec![100, 110], ..GetIrrData::default() }).await.exit,
                0
            );
            scene.ask(&server, &[("irr_backend", backend)]);
            let finished =
                scene.run(&GetIrrData { asns: vec![200, 210, 300], ..GetIrrData::default() }).await;
            let failed = finished.data["failed"].as_array().unwrap();
            assert!(failed.iter().all(|told| told["asn"] == 300), "{}", finished.message);
            for (ours, theirs) in [(100, 200), (110, 210)] {
                for kind in [Kind::Ipv4, Kind::Ipv6] {
                    assert_eq!(
                        scene.shown(ours, kind).await,
                        scene.shown(theirs, kind).await,
                        "{backend} {theirs}"
                    );
                }
                let members = |list: Option<Vec<String>>, asn: i64| {
                    list.unwrap().into_iter().filter(|name| *name != format!("AS{asn}")).collect::<Vec<_>>()
                };
                let ours = members(scene.shown(ours, Kind::AsList).await, ours);
                assert_eq!(ours, members(scene.shown(theirs, Kind::AsList).await, theirs), "{backend}");
            }
            let why = scene.state(300, Kind::Ipv4).await.failure.unwrap();
            assert!(why.contains("cannot say"), "{why}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_name_that_vanishes_among_others_holds_the_list_back() {
    each_engine(|store| async move {
        let mut scene = Scene::new(&store, &[(100, "AS-ONE AS-TWO")]).await;
        let server = world().serve().await;
        scene.ask(&server, &[]);
        assert_eq!(scene.fetch().await.exit, 0);
        let good = scene.all_shown(&[100]).await;
        let server = Rpsl::default()
            .set("RIPE", "AS-ONE", "AS3333, AS-COMMON")
            .set("RIPE", "AS-COMMON", "AS5555")
            .route("RIPE", "192.0.2.0/24", 3333)
            .route("RIPE", "2001:db8:3333::/48", 3333)
            .route("RIPE", "203.0.113.0/24", 5555)
            .serve()
            .await;
        scene.ask(&server, &[]);
        let finished = scene.fetch().await;
        assert_eq!(finished.exit, 4, "{}", finished.message);
        assert!(finished.message.contains("AS-TWO does not exist"), "{}", finished.message);
        assert_eq!(scene.all_shown(&[100]).await, good);
    })
    .await;
}

#[tokio::test]
async fn a_first_list_without_one_of_its_names_is_taken_and_told_every_time() {
    each_engine(|store| async move {
        let mut scene = Scene::new(&store, &[(100, "AS-ONE AS-NOBODY")]).await;
        let server = world().serve().await;
        scene.ask(&server, &[]);
        for changed in ["3 lists changed, 0 unchanged", "0 lists changed, 3 unchanged"] {
            let finished = scene.fetch().await;
            assert_eq!(finished.exit, 4, "{}", finished.message);
            let told = "Without one of their names: AS100 ipv6 ipv4 as_list (AS-NOBODY does not exist)";
            assert!(finished.message.contains(changed), "{}", finished.message);
            assert!(finished.message.contains(told), "{}", finished.message);
            assert!(scene.shown(100, Kind::Ipv4).await.is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_database_in_the_middle_ends_the_run() {
    let database = pm_store::testing::TestDatabase::sqlite();
    let store = database.open().await;
    let (mut rpsl, mut systems) = (Rpsl::default(), Vec::new());
    for number in 1..=250_u32 {
        rpsl = rpsl.set("RIPE", &format!("AS-P{number}"), "AS3333");
        systems.push((i64::from(number), format!("AS-P{number}")));
    }
    let server = rpsl.route("RIPE", "192.0.2.0/24", 3333).serve().await;
    let systems: Vec<(i64, &str)> = systems.iter().map(|(asn, name)| (*asn, name.as_str())).collect();
    let mut scene = Scene::new(&store, &systems).await;
    scene.ask(&server, &[]);
    let trigger = "CREATE TRIGGER no BEFORE INSERT ON peering_irrstate BEGIN SELECT RAISE(ABORT, 'no'); END";
    store.execute(trigger, vec![]).await.unwrap();
    let finished = tokio::time::timeout(std::time::Duration::from_secs(30), scene.fetch()).await.unwrap();
    assert_eq!(finished.exit, 1, "{}", finished.message);
    assert_eq!(scene.shown(1, Kind::Ipv4).await, None);
}

#[tokio::test]
async fn the_second_server_is_asked_when_the_first_is_gone() {
    each_engine(|store| async move {
        let server = world().serve().await;
        let mut scene = Scene::new(&store, &[(100, "AS-ONE")]).await;
        scene.ask_hosts(&format!("127.0.0.1:1, {}", server.address()), &[]);
        let finished = scene.fetch().await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        assert!(scene.shown(100, Kind::Ipv4).await.is_some());
    })
    .await;
}
