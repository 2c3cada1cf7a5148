//! When slots come.

use std::time::Duration;

use chrono::TimeDelta;
use pm_store::Store;
use pm_store::testing::{TestDatabase, each_engine};
use pm_tasks::schedule::{self, Patch, ScheduleTime, When};

use super::{Stage, at, every};
use crate::support::configured;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_brings_no_slot_back() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        stage.round("2026-03-01T00:30:00Z").await;
        stage.round("2026-03-01T01:00:00Z").await;
        stage.well().await;
        stage.round("2026-03-01T00:30:00Z").await;
        stage.round("2026-03-01T01:00:30Z").await;
        assert_eq!(stage.told("housekeeping").await, ["01 01:00 queued"]);
        // Nor does a person who changes it while the clock is wrong, nor a scheduler that is started then.
        stage.clock.set(at("2026-03-01T00:40:00Z"));
        stage.set("housekeeping", every("0,30 * * * *")).await;
        let mut again = Stage::beside(&store, "2026-03-01T00:41:00Z", &[]);
        again.round("2026-03-01T00:41:00Z").await;
        assert_eq!(stage.schedule("housekeeping").await.next_run, Some(at("2026-03-01T01:30:00Z")));
        again.round("2026-03-01T01:30:00Z").await;
        assert_eq!(stage.told("housekeeping").await, ["01 01:00 queued", "01 01:30 queued"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn summer_time_takes_and_gives_no_run() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-28T00:00:00Z").await;
        let zone = Some(Some("Europe/Berlin".to_owned()));
        stage.set("housekeeping", Patch { time_zone: zone, ..every("30 2 * * *") }).await;
        for day in [28, 29, 30] {
            for hour in 0..24 {
                stage.round(&format!("2026-03-{day}T{hour:02}:45:00Z")).await;
                stage.well().await;
            }
        }
        assert_eq!(
            stage.told("housekeeping").await,
            ["28 01:30 queued", "29 01:00 queued", "30 00:30 queued"]
        );
        stage.clock.set(at("2026-10-24T12:00:00Z"));
        stage.set("housekeeping", Patch { enabled: Some(false), ..Patch::default() }).await;
        stage.set("housekeeping", Patch { enabled: Some(true), ..Patch::default() }).await;
        for hour in 0..48 {
            let now = at("2026-10-24T12:15:00Z") + TimeDelta::hours(hour);
            stage.round(&now.to_rfc3339()).await;
            stage.well().await;
        }
        assert_eq!(stage.told("housekeeping").await[3..], ["25 00:30 queued", "26 01:30 queued"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_zone_of_the_settings_counts_when_there_is_no_other() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-01-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 12 * * *")).await;
        stage
            .set(
                "polls",
                Patch {
                    task: Some("poll_bgp_sessions".into()),
                    time_zone: Some(Some("UTC".into())),
                    ..every("0 12 * * *")
                },
            )
            .await;
        stage.round("2026-01-01T00:00:00Z").await;
        assert_eq!(stage.schedule("housekeeping").await.next_run, Some(at("2026-01-01T12:00:00Z")));
        let mut moved = Stage::beside(&store, "2026-01-01T00:01:00Z", &[("time_zone", "Asia/Kathmandu")]);
        moved.round("2026-01-01T00:01:00Z").await;
        assert_eq!(stage.schedule("housekeeping").await.next_run, Some(at("2026-01-01T06:15:00Z")));
        assert_eq!(stage.schedule("polls").await.next_run, Some(at("2026-01-01T12:00:00Z")));
        // What was missed already stays so, whatever the settings say.
        let mut late = Stage::beside(&store, "2026-01-01T07:00:00Z", &[]);
        late.round("2026-01-01T07:00:00Z").await;
        assert_eq!(stage.told("housekeeping").await, ["01 06:15 queued"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jitter_is_the_same_for_all_and_within_its_bounds() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
    stage.set("housekeeping", Patch { jitter: Some(600), ..every("0 * * * *") }).await;
    stage.round("2026-03-01T00:00:00Z").await;
    let known = stage.schedule("housekeeping").await;
    let config = configured(&[]);
    let coming = schedule::coming(&known, &config, 200, stage.now()).unwrap();
    assert_eq!(coming, schedule::coming(&known, &config, 200, stage.now()).unwrap());
    let jitters: std::collections::BTreeSet<i64> =
        coming.iter().map(|slot| (slot.due - slot.slot).num_seconds()).collect();
    assert!(jitters.iter().all(|jitter| (0..=600).contains(jitter)));
    assert!(jitters.len() > 100, "{jitters:?}");
    let first = &coming[0];
    assert_eq!((known.next_run, known.due), (Some(first.slot), Some(first.due)));
    stage.round(&(first.due - TimeDelta::seconds(1)).to_rfc3339()).await;
    assert_eq!(stage.jobs().await.len(), 0);
    stage.round(&first.due.to_rfc3339()).await;
    assert_eq!(stage.told("housekeeping").await, ["01 01:00 queued"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_count_from_slot_to_slot() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:07Z").await;
        stage.set("housekeeping", Patch { when: Some(When::Interval(5400)), ..Patch::default() }).await;
        stage.round("2026-03-01T00:10:00Z").await;
        for minute in 0..360 {
            stage.round(&(at("2026-03-01T00:10:00Z") + TimeDelta::minutes(minute)).to_rfc3339()).await;
            stage.well().await;
        }
        let times: Vec<_> =
            stage.slots("housekeeping").await.iter().map(|slot| slot.slot.format("%T").to_string()).collect();
        assert_eq!(times, ["01:30:07", "03:00:07", "04:30:07", "06:00:07"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_clock_moves_schedules_and_nothing_else() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("* * * * *")).await;
        let since = at("2030-06-01T00:00:00Z");
        let started = at("2026-03-01T00:00:00Z");
        stage.scheduler.time = ScheduleTime::Lapse { since, started, factor: 100 };
        let pause = stage.round("2026-03-01T00:00:00Z").await;
        assert_eq!(pause, Duration::from_millis(600), "a minute of the schedules");
        assert_eq!(stage.schedule("housekeeping").await.next_run, Some(since + TimeDelta::minutes(1)));
        let pause = stage.round("2026-03-01T00:00:00.700Z").await;
        assert_eq!(pause, Duration::from_millis(500));
        let slots = stage.slots("housekeeping").await;
        assert_eq!((slots.len(), slots[0].slot), (1, since + TimeDelta::minutes(1)));
        assert_eq!(slots[0].recorded, at("2026-03-01T00:00:00.700Z"));
        assert_eq!(stage.jobs().await[0].created, at("2026-03-01T00:00:00.700Z"));
    })
    .await;
}
