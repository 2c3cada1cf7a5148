//! Servers and a database that fail: no list is lost.

use pm_lab::irrd::{Fault, FaultKind, Options};
use pm_store::irr::Kind;
use pm_store::testing::{TestDatabase, each_engine};
use pm_tasks::GetIrrData;

use super::rpsl::{Rpsl, world};
use super::scene::{Scene, texts};

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
                let patience = if kind == FaultKind::Silent { "2" } else { "20" };
                scene.ask(&server, &[("irr_connections", "1"), ("irr_idle_timeout", patience)]);
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
async fn an_error_of_the_database_in_the_middle_ends_the_run() {
    let database = TestDatabase::sqlite();
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
