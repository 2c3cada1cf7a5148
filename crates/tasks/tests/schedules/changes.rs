//! What people may ask for, and when it counts.

use pm_store::Store;
use pm_store::schedules;
use pm_store::testing::{TestDatabase, each_engine};
use pm_tasks::schedule::{self, Patch, ScheduleError, When};
use serde_json::json;

use super::{Stage, at, every};
use crate::support::author;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_scheduled_is_refused_with_its_field() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    let stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
    let task = |task: &str, arguments: serde_json::Value| Patch {
        task: Some(task.to_owned()),
        arguments: Some(arguments),
        ..every("0 3 * * *")
    };
    let interval = |seconds| Patch { when: Some(When::Interval(seconds)), ..Patch::default() };
    let sync = |when| Patch { task: Some("peeringdb_sync".into()), when: Some(when), ..Patch::default() };
    let only_if = |text: &str| Patch { conditions: Some(vec![text.to_owned()]), ..every("0 3 * * *") };
    let cron = |text: &str| When::Cron(text.to_owned());
    for (patch, why) in [
        (
            task("peeringdb_flush", json!({})),
            "task: peeringdb_flush cannot be scheduled: a flush cannot be run",
        ),
        (task("secrets_rotate", json!({})), "task: secrets_rotate cannot be scheduled: "),
        (task("reboot_everything", json!({})), "task: there is no task \"reboot_everything\""),
        (task("housekeeping", json!({"canary": 3})), "arguments: housekeeping does not take them: "),
        (task("housekeeping", json!([1])), "arguments: housekeeping does not take them: "),
        (task("peeringdb_sync", json!({"from": "/tmp/dumps"})), "task: peeringdb_sync cannot be scheduled: "),
        (
            task("peeringdb_sync", json!({"force": true})),
            "task: peeringdb_sync cannot be scheduled: force overrules",
        ),
        (
            task("configure_routers", json!({"force": true})),
            "task: configure_routers cannot be scheduled: force",
        ),
        (task("configure_routers", json!({"apply": 7})), "a plan is made true once"),
        (task("get_irr_data", json!({"force": true})), "force overrules a guard"),
        (task("irr_accept", json!({"asns": [1]})), "it takes what a guard held back"),
        (Patch::default(), "cron: a new schedule needs a cron expression or an interval"),
        (every("0 25 * * *"), "cron: \"25\" is no hour"),
        (every("0 0 31 2 *"), "cron: no day has such a time"),
        (interval(59), "interval: 59 s is not between"),
        (interval(-3), "interval: -3 s is not between"),
        (
            Patch { jitter: Some(3600), ..every("0 * * * *") },
            "jitter: 3600 s is not less than the 3600 s between",
        ),
        (Patch { jitter: Some(-1), ..every("0 * * * *") }, "jitter: -1 s is not between"),
        (
            Patch { time_zone: Some(Some("Berlin".into())), ..every("0 3 * * *") },
            "time_zone: \"Berlin\" is no time zone",
        ),
        (only_if("it rains"), "only_if: \"it rains\" is no condition"),
        (only_if("after nothing ok"), "only_if: there is no schedule and no task \"nothing\""),
        (
            sync(cron("0,30 * * * *")),
            "cron: two runs of peeringdb_sync could be 30 min apart; PeeringDB asks",
        ),
        (sync(cron("30 2 * * *,")), "cron: "),
        (sync(cron("59 1 1 * 1-5")), ""),
        (
            Patch { jitter: Some(600), ..sync(cron("0 * * * *")) },
            "cron: two runs of peeringdb_sync could be 50 min apart",
        ),
        (sync(When::Interval(1800)), "interval: two runs of peeringdb_sync could be 30 min apart"),
    ] {
        let set = stage.try_set("housekeeping", patch.clone()).await;
        if why.is_empty() {
            set.unwrap();
            schedule::delete(&store, &author(), "housekeeping", stage.now()).await.unwrap();
            continue;
        }
        let error = set.unwrap_err();
        assert!(!matches!(error, ScheduleError::Store(_)), "{error}");
        assert!(error.to_string().contains(why), "{patch:?}: {error}");
    }
    for name in ["", "-x", "a b", "ö", &"x".repeat(101)] {
        let error =
            stage.try_set(name, Patch { task: Some("housekeeping".into()), ..every("0 3 * * *") }).await;
        assert!(error.unwrap_err().to_string().starts_with("name: "), "{name}");
    }
    stage.set("peeringdb_sync", every("0 * * * *")).await;
    let all = schedules::list(&mut store.connection().await.unwrap().session()).await.unwrap();
    assert_eq!(all.len(), 1, "what was refused left nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_change_log() {
    each_engine(async |store: Store| {
        let stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("night", Patch { task: Some("housekeeping".into()), ..every("0 3 * * *") }).await;
        stage.set("night", Patch { jitter: Some(60), ..Patch::default() }).await;
        stage.set("night", Patch { jitter: Some(60), ..Patch::default() }).await;
        schedule::delete(&store, &author(), "night", stage.now()).await.unwrap();
        let gone = schedule::delete(&store, &author(), "night", stage.now()).await.unwrap_err();
        assert!(gone.to_string().starts_with("there is no schedule night;"), "{gone}");
        let sql = "SELECT action, object_repr, user_name, prechange_data, postchange_data FROM core_objectchange \
                   WHERE changed_object_type = 'core.schedule' ORDER BY id";
        let rows = store.rows(sql, vec![]).await.unwrap();
        let told: Vec<(String, String, String)> = rows
            .iter()
            .map(|row| (row.get("action").unwrap(), row.get("object_repr").unwrap(), row.get("user_name").unwrap()))
            .collect();
        let by = |action: &str| (action.to_owned(), "night".to_owned(), "test".to_owned());
        assert_eq!(told, [by("create"), by("update"), by("delete")], "what changed nothing is no change");
        let (before, after) = (rows[1].json("prechange_data").unwrap(), rows[1].json("postchange_data").unwrap());
        assert_eq!(
            (&before.unwrap()["jitter_seconds"], &after.unwrap()["jitter_seconds"]),
            (&json!(0), &json!(60))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_at_once() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        stage.round("2026-03-01T00:00:00Z").await;
        // Another argument: the slot stays, and is run with it.
        let known = stage.schedule("housekeeping").await;
        let changed = stage
            .set("housekeeping", Patch { arguments: Some(json!({"dry_run": true})), ..Patch::default() })
            .await;
        assert_eq!((changed.next_run, changed.revision), (known.next_run, known.revision + 1));
        let mut transaction = store.begin().await.unwrap();
        let claimed = schedules::claim(&mut transaction.session(), &known, known.next_run.unwrap(), None)
            .await
            .unwrap();
        assert!(!claimed, "nobody claims on what was read before");
        transaction.rollback().await.unwrap();
        stage.round("2026-03-01T01:00:00Z").await;
        assert_eq!(stage.jobs().await[0].arguments, json!({"dry_run": true}));
        // Not enabled: nothing is run, and nothing is missed.
        stage.well().await;
        stage.set("housekeeping", Patch { enabled: Some(false), ..Patch::default() }).await;
        stage.round("2026-03-01T05:00:00Z").await;
        stage.set("housekeeping", Patch { enabled: Some(true), ..Patch::default() }).await;
        stage.round("2026-03-01T06:00:00Z").await;
        assert_eq!(stage.told("housekeeping").await, ["01 01:00 queued", "01 06:00 queued"]);
        // Slots count from the moment of the change, also if no scheduler is there.
        stage.well().await;
        stage.clock.set(at("2026-03-02T00:00:00Z"));
        stage.set("housekeeping", every("30 * * * *")).await;
        stage.round("2026-03-02T02:00:00Z").await;
        let told = stage.told("housekeeping").await;
        assert_eq!(told[2..], ["02 00:30 missed: no scheduler was at work then", "02 01:30 queued"]);
        // What is known of the slots goes with the schedule.
        schedule::delete(&store, &author(), "housekeeping", stage.now()).await.unwrap();
        let left =
            store.row("SELECT COUNT(*) AS count FROM core_scheduleslot", vec![]).await.unwrap().unwrap();
        assert_eq!(left.get::<i64, _>("count").unwrap(), 0);
    })
    .await;
}
