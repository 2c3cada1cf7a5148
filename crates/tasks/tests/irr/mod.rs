//! `get_irr_data` and `grab_prefixes` against a stand-in for an IRR server, on both engines.

mod failures;
mod guards;
mod names;
mod rpsl;
mod scene;

use pm_lab::irrd::Options;
use pm_store::irr::Kind;
use pm_store::testing::each_engine;
use pm_tasks::GetIrrData;
use pm_tasks::irr::look;
use rpsl::world;
use scene::{Scene, texts};

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
async fn an_edit_during_the_run_is_not_overrun() {
    each_engine(|store| async move {
        let server = world()
            .serve_with(Options { delay: std::time::Duration::from_secs(1), ..Options::default() })
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
