//! What becomes of slots.

use chrono::TimeDelta;
use pm_store::Store;
use pm_store::jobs::{self, NewJob, Status};
use pm_store::locks::{self, Claim};
use pm_store::schedules::slots::State;
use pm_store::schedules::{self, Misfire};
use pm_store::testing::{TestDatabase, each_engine};
use pm_tasks::schedule::{self, Patch, ScheduleError};
use pm_tasks::this_process;
use serde_json::json;

use super::{Stage, at, every};

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_claimed_once_however_many_try() {
    for database in TestDatabase::each().await {
        let store = database.open().await;
        let stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        for number in 0..4 {
            let arguments = json!({ "limit": format!("edge{number}") });
            let patch = Patch {
                task: Some("poll_bgp_sessions".into()),
                arguments: Some(arguments),
                ..every("* * * * *")
            };
            stage.set(&format!("poll{number}"), patch).await;
        }
        // Each as if it were a process of its own, with connections of its own.
        let mut racing = Vec::new();
        for _ in 0..3 {
            let own = Store::open(&database.url).await.unwrap();
            racing.push(tokio::spawn(async move {
                let mut stage = Stage::beside(&own, "2026-03-01T00:00:00Z", &[]);
                for minute in 0..15 {
                    stage.round(&format!("2026-03-01T00:{minute:02}:01Z")).await;
                    // The job is done at once, so that the next slot is not skipped; others may be at it, too.
                    own.execute("UPDATE core_job SET status = 'completed', outcome = 'ok'", vec![])
                        .await
                        .unwrap();
                }
                own.close().await;
            }));
        }
        for one in racing {
            one.await.unwrap();
        }
        let mut queued = 0;
        for number in 0..4 {
            let slots = stage.slots(&format!("poll{number}")).await;
            let times: Vec<_> = slots.iter().map(|slot| slot.slot).collect();
            let expected: Vec<_> =
                (1..15).map(|minute| at("2026-03-01T00:00:00Z") + TimeDelta::minutes(minute)).collect();
            assert_eq!(times, expected, "every slot has one row");
            queued += slots.iter().filter(|slot| slot.state == State::Queued).count();
            for slot in &slots {
                assert_eq!(slot.job_id.is_some(), slot.state == State::Queued);
                assert_eq!(slot.reason.is_none(), slot.state == State::Queued, "{slot:?}");
            }
        }
        assert!(queued > 0, "all slots were skipped");
        assert_eq!(stage.jobs().await.len(), queued, "every job is one slot's");
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_slot_is_none() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        stage.round("2026-03-01T00:10:00Z").await;
        let known = stage.schedule("housekeeping").await;
        let mut transaction = store.begin().await.unwrap();
        let mut session = transaction.session();
        assert!(schedules::claim(&mut session, &known, known.next_run.unwrap(), None).await.unwrap());
        // The process is gone before it has recorded anything.
        transaction.rollback().await.unwrap();
        assert_eq!(stage.schedule("housekeeping").await, known);
        stage.round("2026-03-01T01:00:00Z").await;
        assert_eq!(stage.told("housekeeping").await, ["01 01:00 queued"]);
        // And whoever comes later with what he read before gets nothing.
        let mut transaction = store.begin().await.unwrap();
        let late = schedules::claim(&mut transaction.session(), &known, known.next_run.unwrap(), None)
            .await
            .unwrap();
        assert!(!late);
        transaction.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_time_without_a_scheduler() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:30:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        let skip = Patch {
            task: Some("poll_bgp_sessions".into()),
            misfire: Some(Misfire::Skip),
            ..every("0 * * * *")
        };
        stage.set("polls", skip).await;
        stage.round("2026-03-01T00:31:00Z").await;
        let rule = "INSERT INTO extras_notificationrule (created, updated, name, events, recipients) \
                    VALUES (?, ?, 'r', '[\"schedule missed\"]', '[\"noc@example.org\"]')";
        let now = at("2026-03-01T00:31:00Z");
        store.execute(rule, vec![now.into(), now.into()]).await.unwrap();
        stage.round("2026-03-01T04:20:00Z").await;
        // Who wants to hear of it is told once for each schedule.
        let told = "SELECT title, message FROM extras_event WHERE kind = 'schedule missed' ORDER BY title";
        let told = store.rows(told, vec![]).await.unwrap();
        let told: Vec<[String; 2]> =
            told.iter().map(|row| [row.get("title").unwrap(), row.get("message").unwrap()]).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0][0], "the schedule housekeeping was missed");
        assert_eq!(
            told[1][1],
            "poll_bgp_sessions was not run at 4 times up to 2026-03-01 04:00:00 UTC: no scheduler was at work then."
        );
        // The one that was run after all is not in trouble any more.
        let over = store.rows("SELECT subject FROM extras_event WHERE kind = 'schedule run'", vec![]).await;
        let over: Vec<String> = over.unwrap().iter().map(|row| row.get("subject").unwrap()).collect();
        assert_eq!(over, ["schedule housekeeping"]);
        let missed = "missed: no scheduler was at work then";
        assert_eq!(
            stage.told("housekeeping").await,
            [
                format!("01 01:00 {missed}"),
                format!("01 02:00 {missed}"),
                format!("01 03:00 {missed}"),
                "01 04:00 queued".to_owned()
            ]
        );
        assert_eq!(stage.schedule("housekeeping").await.note, None, "the last one was run");
        let polls = stage.told("polls").await;
        assert_eq!(polls.len(), 4);
        assert!(polls.iter().all(|told| told.ends_with(missed)), "{polls:?}");
        let polls = stage.schedule("polls").await;
        assert_eq!(polls.note.as_deref(), Some("no scheduler was at work then"));
        assert_eq!((polls.next_run, polls.last_job), (Some(at("2026-03-01T05:00:00Z")), None));
        assert_eq!(stage.said("schedule polls: missed"), 1);
        // A little late is not too late.
        stage.well().await;
        stage.round("2026-03-01T05:04:00Z").await;
        assert_eq!(stage.told("polls").await.last().unwrap(), "01 05:00 queued");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_missed_slots_are_one_row() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("* * * * *")).await;
        stage.round("2026-03-01T00:00:30Z").await;
        // 30 days have 43200 minutes; they are counted in several steps.
        stage.round("2026-03-31T00:00:30Z").await;
        let slots = stage.slots("housekeeping").await;
        assert!(slots.len() < 10, "{}", slots.len());
        assert_eq!(slots.iter().map(|slot| slot.slots).sum::<i64>(), 43_200);
        assert_eq!(slots[0].slot, at("2026-03-01T00:01:00Z"));
        for pair in slots.windows(2) {
            assert_eq!(pair[1].slot - pair[0].last_slot, TimeDelta::minutes(1), "none is left out");
        }
        let last = slots.last().unwrap();
        assert_eq!((last.state, last.slots, last.slot), (State::Queued, 1, at("2026-03-31T00:00:00Z")));
        assert_eq!(stage.jobs().await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_runs_or_waits_is_not_started_again() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        stage.round("2026-03-01T00:00:00Z").await;
        stage.round("2026-03-01T01:00:00Z").await;
        stage.round("2026-03-01T02:00:00Z").await;
        jobs::start(&store, 1, &this_process(), stage.now()).await.unwrap();
        let beat = |now| jobs::note(&store, 1, 0, &[], None, now);
        beat(at("2026-03-01T03:00:00Z")).await.unwrap();
        stage.round("2026-03-01T03:00:00Z").await;
        assert_eq!(
            stage.told("housekeeping").await[1..],
            [
                "01 02:00 skipped: job 1 (housekeeping) still waits for a worker",
                "01 03:00 skipped: job 1 (housekeeping) still runs",
            ]
        );
        assert_eq!(
            stage.schedule("housekeeping").await.note.as_deref(),
            Some("job 1 (housekeeping) still runs")
        );
        assert_eq!(stage.said("skipped, because job 1"), 2);
        // One that has been silent for longer than the lease is taken for dead.
        stage.round("2026-03-01T04:00:00Z").await;
        assert_eq!(stage.told("housekeeping").await[3], "01 04:00 queued");
        stage.well().await;
        // A person's run at the command line holds the lock, also with other arguments.
        let (owner, lease) = ("elsewhere/0/0/17/1", TimeDelta::minutes(3));
        let now = at("2026-03-01T04:59:00Z");
        let claim = locks::claim(&store, "housekeeping", owner, None, lease, now, |_| false).await.unwrap();
        assert!(matches!(claim, Claim::Taken { .. }));
        stage.round("2026-03-01T05:00:00Z").await;
        let told = stage.told("housekeeping").await;
        assert_eq!(told[4], "01 05:00 skipped: the lock housekeeping is held by process 17 on elsewhere");
        // A lease that has run out holds nobody up.
        stage.round("2026-03-01T06:00:00Z").await;
        assert_eq!(stage.told("housekeeping").await[5], "01 06:00 queued");
        assert_eq!(stage.schedule("housekeeping").await.note, None);
    })
    .await;
}

/// Routers have locks of their own, so that only the arguments tell that it is the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_runs_is_not_started_a_second_time() {
    each_engine(async |store: Store| {
        let mut stage = Stage::beside(&store, "2026-03-01T00:10:00Z", &[]);
        stage.round("2026-03-01T00:10:00Z").await;
        stage.set("configure_routers", Patch { enabled: Some(true), ..Patch::default() }).await;
        let by_hand = |task: &str, number: u32, arguments| NewJob {
            job_id: format!("00000000-0000-0000-0000-{number:012}"),
            name: format!("test.{task}"),
            task: task.to_owned(),
            arguments,
            user_id: None,
        };
        let poll = by_hand("poll_bgp_sessions", 1, json!({ "limit": null }));
        let deploy = pm_tasks::ConfigureRouters { user: "alice".into(), wait: true, ..Default::default() };
        let deploy = by_hand("configure_routers", 2, pm_tasks::Task::arguments(&deploy));
        for (job, now) in [(poll, "2026-03-01T00:59:50Z"), (deploy, "2026-03-01T00:54:50Z")] {
            jobs::open(&store, &job, Some("elsewhere/0/0/17/1"), at(now)).await.unwrap();
        }
        stage.round("2026-03-01T00:55:00Z").await;
        stage.round("2026-03-01T01:00:00Z").await;
        let skipped = stage.told("configure_routers").await;
        assert_eq!(skipped, ["01 00:55 skipped: job 2 (configure_routers) still runs"]);
        assert_eq!(
            stage.told("poll_bgp_sessions").await,
            ["01 01:00 skipped: job 1 (poll_bgp_sessions) still runs"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_asked_when_the_slot_comes() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 1 * * *")).await;
        let conditions = |all: &[&str]| Some(all.iter().map(|text| (*text).to_owned()).collect());
        let poll = |all: &[&str]| Patch {
            task: Some("poll_bgp_sessions".into()),
            conditions: conditions(all),
            ..every("0 2 * * *")
        };
        stage.set("polls", poll(&["after housekeeping ok"])).await;
        stage.set("fresh", Patch { task: Some("get_irr_data".into()), ..poll(&["peeringdb fresh 26h", "irr fresh 26h"]) }).await;
        stage.round("2026-03-01T00:00:00Z").await;
        stage.round("2026-03-01T02:00:00Z").await;
        assert_eq!(stage.told("polls").await, [
            "01 02:00 skipped: the last run of housekeeping, job 1, still waits"
        ]);
        assert_eq!(stage.told("fresh").await, ["01 02:00 skipped: the PeeringDB cache was never synchronised"]);
        stage.finish(Status::Errored, None).await;
        stage.clock.set(at("2026-03-02T01:00:00Z"));
        let synchronised = "INSERT INTO peeringdb_watermark (namespace, since, access, synchronised) VALUES ('net', 1, 'anonymous', ?)";
        store.execute(synchronised, vec![at("2026-03-01T00:00:00Z").into()]).await.unwrap();
        // The job of this night has not been begun by anybody yet, so what counts is that it waits.
        store.execute("UPDATE core_schedule SET next_run = NULL, enabled = ? WHERE name = 'housekeeping'", vec![false.into()]).await.unwrap();
        stage.round("2026-03-02T02:00:00Z").await;
        assert_eq!(stage.told("polls").await[1], "02 02:00 skipped: the last run of housekeeping, job 1, is errored");
        assert_eq!(stage.told("fresh").await[1], "02 02:00 skipped: the prefix lists were never fetched");
        // A person tries it first, and then sees to it, which is as good.
        by_hand(&stage, "housekeeping", json!({"dry_run": true})).await;
        stage.round("2026-03-03T02:00:00Z").await;
        assert_eq!(stage.told("polls").await[2], "03 02:00 skipped: the last run of housekeeping, job 1, is errored");
        by_hand(&stage, "housekeeping", json!({"dry_run": false})).await;
        stage.round("2026-03-04T02:00:00Z").await;
        assert_eq!(stage.told("polls").await[3], "04 02:00 queued");
        assert_eq!(
            stage.told("fresh").await[2],
            "03 02:00 skipped: the PeeringDB cache was last synchronised at 2026-03-01 00:00 UTC, longer ago than 26h"
        );
    })
    .await;
}

/// Somebody runs a task at the command line, and it goes well. Gives the job's number.
async fn by_hand(stage: &Stage, task: &str, arguments: serde_json::Value) -> i64 {
    let new = NewJob {
        job_id: uuid::Uuid::new_v4().to_string(),
        name: format!("test.{task}"),
        task: task.into(),
        arguments,
        user_id: None,
    };
    let job = jobs::open(&stage.store, &new, Some("somebody"), stage.now()).await.unwrap();
    stage.well().await;
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn peeringdb_is_asked_once_an_hour_whoever_asks() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        let sync = |cron, full: bool| Patch {
            task: Some("peeringdb_sync".into()),
            arguments: Some(json!({ "full": full })),
            ..every(cron)
        };
        stage.set("even", sync("0 * * * *", false)).await;
        stage.set("odd", sync("30 * * * *", true)).await;
        stage.round("2026-03-01T00:10:00Z").await;
        stage.round("2026-03-01T00:30:02Z").await;
        let waits = "01 01:00 skipped: job 1 waits and will synchronise";
        stage.round("2026-03-01T01:00:00Z").await;
        assert_eq!(stage.told("even").await, [waits]);
        stage.clock.set(at("2026-03-01T01:20:00Z"));
        stage.well().await;
        let early = |at: &str, job: i64, begun: &str| {
            format!(
                "01 {at} skipped: the last synchronisation, job {job}, began at 2026-03-01 {begun} UTC, less than an hour ago; \
                 PeeringDB asks for no more than one an hour"
            )
        };
        stage.round("2026-03-01T01:30:00Z").await;
        stage.round("2026-03-01T02:00:00Z").await;
        assert_eq!(stage.told("odd").await, ["01 00:30 queued", &early("01:30", 1, "01:20")]);
        assert_eq!(stage.told("even").await[1], early("02:00", 1, "01:20"));
        stage.round("2026-03-01T02:30:09Z").await;
        stage.well().await;
        stage.round("2026-03-01T03:00:00Z").await;
        // A slot that was run late keeps the next one from nothing.
        stage.round("2026-03-01T03:30:00Z").await;
        stage.well().await;
        assert_eq!(stage.told("odd").await[2..], ["01 02:30 queued", "01 03:30 queued"]);
        stage.round("2026-03-01T04:00:00Z").await;
        // What a person fetches counts as well, and what is read from files does not.
        stage.clock.set(at("2026-03-01T04:25:00Z"));
        by_hand(&stage, "peeringdb_sync", json!({ "full": false, "force": false, "from": "/dumps" })).await;
        stage.round("2026-03-01T04:30:00Z").await;
        stage.well().await;
        assert_eq!(stage.told("odd").await[4], "01 04:30 queued");
        stage.clock.set(at("2026-03-01T05:25:00Z"));
        let job = by_hand(&stage, "peeringdb_sync", json!({ "full": false, "force": false, "from": null })).await;
        stage.round("2026-03-01T05:30:00Z").await;
        assert_eq!(stage.told("odd").await[5], early("05:30", job, "05:25"));
    })
    .await;
}

/// There may be no worker that would see it.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_closes_the_jobs_of_those_who_vanished() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        stage.round("2026-03-01T00:00:00Z").await;
        stage.round("2026-03-01T01:00:00Z").await;
        jobs::start(&store, 1, "elsewhere/0/0/17/1", stage.now()).await.unwrap();
        let mut other = Stage::beside(&store, "2026-03-01T01:30:00Z", &[("lock_lease", "3")]);
        other.round("2026-03-01T01:30:00Z").await;
        assert_eq!(stage.jobs().await[0].status, Status::Running, "it may only have been kept from speaking");
        let begun = std::time::Instant::now();
        while other.said("job 1") == 0 {
            assert!(begun.elapsed() < std::time::Duration::from_mins(1), "it is silent for good");
            other.round("2026-03-01T01:30:00Z").await;
        }
        let all = stage.jobs().await;
        assert_eq!((all.len(), all[0].status, all[1].repeat_of), (2, Status::Errored, Some(1)), "{all:?}");
        assert_eq!(other.said("job 1 (housekeeping) was closed"), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_leaves_the_schedule_alone() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        let patch = Patch { conditions: Some(vec!["peeringdb fresh 1h".into()]), ..every("0 3 * * *") };
        stage.set("housekeeping", patch).await;
        stage.round("2026-03-01T00:01:00Z").await;
        let before = stage.schedule("housekeeping").await;
        let (_, queued) = schedule::run_now(&store, None, "housekeeping", stage.now()).await.unwrap();
        assert!(!queued.joined);
        let (_, again) = schedule::run_now(&store, None, "housekeeping", stage.now()).await.unwrap();
        assert_eq!((again.job, again.joined), (queued.job, true), "one is enough");
        assert_eq!(stage.schedule("housekeeping").await, before);
        assert_eq!(stage.told("housekeeping").await, Vec::<String>::new());
        let job = &stage.jobs().await[0];
        assert_eq!((job.task.as_str(), job.queued, job.status), ("housekeeping", true, Status::Pending));
        assert!(matches!(
            schedule::run_now(&store, None, "nothing", stage.now()).await,
            Err(ScheduleError::Unknown(name)) if name == "nothing"
        ));
    })
    .await;
}
