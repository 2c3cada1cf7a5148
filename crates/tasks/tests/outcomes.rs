//! How a synchronisation ends: what is stored, what is refused, what is said.

use std::str::FromStr;

use crate::support::Scene;
use chrono::TimeDelta;
use pm_lab::peeringdb::awkward::CASES;
use pm_lab::peeringdb::{Advance, Caller, Fault, FaultKind, Namespace, Options};
use pm_store::jobs::{self, Outcome, Status};
use pm_store::peeringdb::runs;
use pm_store::testing::each_engine;
use pm_tasks::{PeeringdbFlush, PeeringdbSync};
use serde_json::{Value as Json, json};

fn full() -> PeeringdbSync {
    PeeringdbSync { full: true, ..PeeringdbSync::default() }
}

fn forced() -> PeeringdbSync {
    PeeringdbSync { force: true, ..PeeringdbSync::default() }
}

#[tokio::test]
async fn one_namespace_that_fails_fails_the_run_and_stores_nothing() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.sync().await;
        let before = (scene.cached().await, runs::watermarks(&store).await.unwrap());
        for kind in
            ["500", "502-html", "html", "cut", "cut-chunked", "cut-clean", "not-json", "no-data", "401"]
        {
            scene.server.world().advance(&Advance::awkward_day());
            scene.server.fault(Some(Namespace::Netixlan), Fault::once(FaultKind::from_str(kind).unwrap()));
            let finished = scene.run(&PeeringdbSync::default()).await;
            assert_eq!((finished.status, finished.exit), (Status::Failed, 1), "{kind}: {}", finished.message);
            assert!(finished.message.contains("netixlan: "), "{kind}: {}", finished.message);
            assert!(
                finished.message.contains("/api/netixlan?depth=0&since="),
                "{kind}: {}",
                finished.message
            );
            let now = (scene.cached().await, runs::watermarks(&store).await.unwrap());
            assert_eq!(now, before, "{kind}");
            let job = jobs::get(&store, finished.job).await.unwrap().unwrap();
            assert_eq!(job.error.as_deref(), Some(finished.message.as_str()));
        }
        scene.sync_with(forced()).await;
        let full = scene.sync_with(PeeringdbSync { full: true, force: true, from: None }).await;
        scene.assert_mirror(Caller::Anonymous, &full.message).await;
    })
    .await;
}

#[tokio::test]
async fn a_long_retry_after_is_try_later() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.set(&[("peeringdb_max_retry_after", "5")]);
        scene.server.fault(None, Fault { kind: FaultKind::TooMany, times: 0, after: None, seconds: 3600 });
        let finished = scene.run(&PeeringdbSync::default()).await;
        assert_eq!(finished.exit, 75, "{}", finished.message);
        assert!(finished.message.contains("3600 s"), "{}", finished.message);
    })
    .await;
}

#[tokio::test]
async fn mass_deletion_is_refused_and_our_peers_are_named() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.sync().await;
        let asn = i64::try_from(scene.server.world().networks()[0].1).unwrap();
        scene.keep(&[asn]).await;
        let before = scene.cached().await;
        for (task, kind) in [(PeeringdbSync::default(), FaultKind::MassDelete), (full(), FaultKind::Empty)] {
            // A comparison asks twice: for the changes first, then for everything.
            let times = if task.full { 2 } else { 1 };
            scene.server.fault(Some(Namespace::Net), Fault { times, ..Fault::once(kind) });
            let finished = scene.run(&task).await;
            assert_eq!((finished.status, finished.exit), (Status::Failed, 3), "{}", finished.message);
            assert!(finished.message.contains("net would lose"), "{}", finished.message);
            assert!(finished.message.contains(&format!("AS{asn} ")), "{}", finished.message);
            assert_eq!(scene.cached().await, before);
        }
        scene.server.fault(Some(Namespace::Net), Fault::once(FaultKind::MassDelete));
        let finished = scene.run(&forced()).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        assert!(scene.cached().await["net"].is_empty());
        scene.sync_with(full()).await;
        scene.assert_mirror(Caller::Anonymous, "healed by comparing").await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_stored_makes_the_run_partial_and_comes_again() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.sync().await;
        scene.server.world().advance(&Advance { percent: 5.0, ..Advance::day() });
        scene.clock.set(scene.server.world().now());
        scene.server.fault(Some(Namespace::Netfac), Fault::once(FaultKind::NoId));
        let finished = scene.run(&PeeringdbSync::default()).await;
        assert_eq!((finished.outcome, finished.exit), (Some(Outcome::Partial), 4), "{}", finished.message);
        assert_eq!(finished.data["unusable"], 1);
        scene.sync().await;
        scene.assert_mirror(Caller::Anonymous, "the record came again").await;
    })
    .await;
}

#[tokio::test]
async fn a_key_shows_more_and_its_loss_shows_less() {
    each_engine(async |store| {
        let options = Options { api_keys: vec!["key".into()], ..Options::default() };
        let mut scene = Scene::new(&store, 0.02, 1, options).await;
        scene.sync().await;
        scene.assert_mirror(Caller::Anonymous, "without a key").await;
        scene.set(&[("peeringdb_api_key", "key")]);
        scene.sync().await;
        scene.assert_mirror(Caller::Keyed, "with a key").await;
        scene.set(&[]);
        scene.sync().await;
        scene.assert_mirror(Caller::Anonymous, "without the key again").await;
    })
    .await;
}

#[tokio::test]
async fn everything_is_compared_when_it_is_due() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        let first = scene.sync().await;
        assert_eq!(first.data["kind"], "full");
        scene.server.world().advance(&Advance { duration: TimeDelta::days(6), ..Advance::day() });
        assert_eq!(scene.sync().await.data["kind"], "changes");
        scene.server.world().advance(&Advance { duration: TimeDelta::days(1), ..Advance::day() });
        assert_eq!(scene.sync().await.data["kind"], "full");
        assert_eq!(scene.sync().await.data["kind"], "changes");
    })
    .await;
}

#[tokio::test]
async fn a_first_run_may_start_from_the_dumps() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.server.world().freeze();
        // All cases but the one that only a comparison can see.
        let cases = CASES.iter().filter(|case| case.name != "contact_hidden").copied().collect();
        scene.server.world().advance(&Advance { cases, ..Advance::day() });
        let dumps = scene.server.root();
        scene.set(&[("peeringdb_cache_url", &dumps)]);
        scene.sync_with(forced()).await;
        scene.assert_mirror(Caller::Anonymous, "dump and changes").await;
        let paths: Vec<String> = scene.server.requests().into_iter().map(|request| request.path).collect();
        assert!(paths.contains(&"/net-0.json".to_owned()), "{paths:?}");
        assert!(paths.contains(&"/api/net".to_owned()), "{paths:?}");
    })
    .await;
}

#[tokio::test]
async fn a_missing_dump_is_replaced_by_the_api() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        let nothing = format!("{}/nothing-here", scene.server.root());
        scene.set(&[("peeringdb_cache_url", &nothing)]);
        scene.sync().await;
        scene.assert_mirror(Caller::Anonymous, "API alone").await;
    })
    .await;
}

#[tokio::test]
async fn autonomous_systems_follow_and_changes_are_logged() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        let (id, asn) = scene.server.world().networks()[0];
        let number = i64::try_from(asn).unwrap();
        scene.keep(&[number, 64_512]).await;
        let edit = |fields: Json| scene.server.world().edit(Namespace::Net, id, &fields).unwrap();
        edit(json!({"name": "First", "irr_as_set": "AS-FIRST", "info_prefixes4": 10, "info_prefixes6": 20}));
        scene.sync().await;
        let system = scene.system(number).await;
        assert_eq!((system.name.as_str(), system.irr_as_set.as_deref()), ("First", Some("AS-FIRST")));
        assert_eq!((system.ipv4_max_prefixes, system.ipv6_max_prefixes), (Some(10), Some(20)));
        edit(json!({"name": "Second", "irr_as_set": "", "info_prefixes4": 0, "info_prefixes6": null}));
        let finished = scene.sync().await;
        assert_eq!(finished.data["autonomous_systems"], 1);
        let system = scene.system(number).await;
        assert_eq!((system.name.as_str(), system.irr_as_set.as_deref()), ("Second", Some("AS-FIRST")));
        assert_eq!((system.ipv4_max_prefixes, system.ipv6_max_prefixes), (Some(10), Some(20)));
        let log = store
            .rows(
                "SELECT user_name, object_repr, prechange_data, postchange_data FROM core_objectchange \
                 WHERE action = 'update' ORDER BY id",
                vec![],
            )
            .await
            .unwrap();
        assert_eq!(log.len(), 2);
        let (before, after) = (
            log[1].json("prechange_data").unwrap().unwrap(),
            log[1].json("postchange_data").unwrap().unwrap(),
        );
        assert_eq!((&before["name"], &after["name"]), (&json!("First"), &json!("Second")));
        assert_eq!(log[1].get::<String, _>("user_name").unwrap(), "task peeringdb_sync");
        // The private number was left alone.
        assert_eq!(scene.system(64_512).await.name, "AS64512");
        let run = runs::find(&store, None).await.unwrap().unwrap();
        let own = runs::touched(&store, run.id, true, None).await.unwrap();
        let net = own.iter().find(|record| record.namespace == "net").unwrap();
        assert_eq!((net.asn, net.action.as_str()), (Some(number), "updated"));
        assert_eq!(net.changes.as_ref().unwrap()["name"], json!(["First", "Second"]));
    })
    .await;
}

#[tokio::test]
async fn a_flush_empties_the_cache_and_keeps_what_is_ours() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        let asn = i64::try_from(scene.server.world().networks()[0].1).unwrap();
        scene.keep(&[asn]).await;
        scene.sync().await;
        let before = scene.system(asn).await;
        let finished = scene.run(&PeeringdbFlush {}).await;
        assert_eq!(finished.exit, 0);
        assert!(scene.cached().await.values().all(Vec::is_empty));
        assert_eq!(scene.system(asn).await, before);
        scene.sync().await;
        scene.assert_mirror(Caller::Anonymous, "after a flush").await;
    })
    .await;
}

#[tokio::test]
async fn files_fill_the_cache_and_come_back_as_they_were() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.sync().await;
        scene.server.world().advance(&Advance::awkward_day());
        scene.sync_with(forced()).await;
        let directory = tempfile::tempdir().unwrap();
        pm_tasks::export_peeringdb(&store, directory.path()).await.unwrap();
        let before = scene.cached().await;
        scene.run(&PeeringdbFlush {}).await;
        let from = |full| PeeringdbSync { full, force: false, from: Some(directory.path().to_path_buf()) };
        let finished = scene.run(&from(false)).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        assert_eq!(scene.cached().await, before);
        assert!(
            runs::watermarks(&store).await.unwrap().is_empty(),
            "files alone say nothing about the whole"
        );
        std::fs::remove_file(directory.path().join("poc.json")).unwrap();
        let finished = scene.run(&from(true)).await;
        assert_eq!(finished.outcome, Some(Outcome::NothingToDo), "{}", finished.message);
        assert_eq!(scene.cached().await, before);
        assert!(scene.lines.0.lock().unwrap().iter().any(|line| line.contains("no file for poc")));
        assert_eq!(runs::watermarks(&store).await.unwrap().len(), 12);
        scene.sync().await;
        let full = scene.sync_with(full()).await;
        scene.assert_mirror(Caller::Anonymous, &full.message).await;
    })
    .await;
}

#[tokio::test]
async fn older_files_do_not_turn_back_the_cache() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.sync().await;
        let directory = tempfile::tempdir().unwrap();
        pm_tasks::export_peeringdb(&store, directory.path()).await.unwrap();
        let (id, _) = scene.server.world().networks()[0];
        scene.server.world().edit(Namespace::Net, id, &json!({"name": "Newer"})).unwrap();
        scene.sync().await;
        scene
            .run(&PeeringdbSync { full: false, force: false, from: Some(directory.path().to_path_buf()) })
            .await;
        scene.assert_mirror(Caller::Anonymous, "newest wins").await;
    })
    .await;
}
