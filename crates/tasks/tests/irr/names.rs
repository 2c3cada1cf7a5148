//! Which names are asked for, and where, and names that are in several sources or in none.

use pm_store::irr::{Kind, State};
use pm_store::testing::each_engine;
use pm_tasks::GrabPrefixes;

use super::rpsl::{Rpsl, world};
use super::scene::{Scene, texts};

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
