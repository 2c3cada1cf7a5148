//! Schedules: who gets a slot, and what stays of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::retention::{self, Aged};
use pm_store::schedules::slots::{self, Slot, State};
use pm_store::schedules::{self, Definition, Misfire, Planned, Schedule, schedulers};
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Store, StoreError};
use serde_json::json;

fn minutes(count: i64) -> DateTime<Utc> {
    epoch() + TimeDelta::minutes(count)
}

fn planned(minute: i64) -> Planned {
    Planned { slot: minutes(minute), due: minutes(minute) }
}

fn definition(name: &str) -> Definition {
    Definition {
        name: name.to_owned(),
        task: "housekeeping".to_owned(),
        arguments: json!({"dry_run": false}),
        cron: Some("* * * * *".to_owned()),
        interval_seconds: None,
        time_zone: None,
        jitter_seconds: 0,
        enabled: true,
        misfire: Misfire::Skip,
        conditions: vec!["irr fresh 2d".to_owned()],
    }
}

fn slot(minute: i64, state: State, job_id: Option<i64>) -> Slot {
    Slot {
        slot: minutes(minute),
        last_slot: minutes(minute),
        slots: 1,
        state,
        job_id,
        reason: job_id.is_none().then(|| "why not".to_owned()),
        recorded: minutes(minute),
    }
}

async fn find(store: &Store, name: &str) -> Schedule {
    schedules::find(&mut store.connection().await.unwrap().session(), name).await.unwrap().unwrap()
}

/// One that is planned for the first minute.
async fn made(store: &Store, name: &str) -> Schedule {
    let mut connection = store.connection().await.unwrap();
    let mut session = connection.session();
    schedules::insert(&mut session, &definition(name), epoch()).await.unwrap();
    let known = schedules::find(&mut session, name).await.unwrap().unwrap();
    assert_eq!(
        (&known.definition, known.next_run, known.counts_from),
        (&definition(name), None, Some(epoch()))
    );
    assert!(schedules::plan(&mut session, &known, planned(1)).await.unwrap());
    assert!(!schedules::plan(&mut session, &known, planned(2)).await.unwrap(), "it is planned already");
    schedules::find(&mut session, name).await.unwrap().unwrap()
}

/// Each as if it were a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_slot_one_gets_it() {
    const SLOTS: i64 = 60;
    for database in TestDatabase::each().await {
        let store = database.open().await;
        let id = made(&store, "race").await.id;
        let url = Arc::new(database.url.clone());
        let racing = (0..4).map(|_| {
            let url = Arc::clone(&url);
            tokio::spawn(async move {
                let store = Store::open(&url).await.unwrap();
                let mut won = 0;
                loop {
                    let known = find(&store, "race").await;
                    let minute = (known.next_run.unwrap() - epoch()).num_minutes();
                    if minute > SLOTS {
                        break;
                    }
                    let mut transaction = store.begin().await.unwrap();
                    let mut session = transaction.session();
                    if schedules::claim(&mut session, &known, minutes(minute), Some(planned(minute + 1)))
                        .await
                        .unwrap()
                    {
                        slots::record(&mut session, id, &[slot(minute, State::Skipped, None)]).await.unwrap();
                        won += 1;
                        transaction.commit().await.unwrap();
                    } else {
                        transaction.rollback().await.unwrap();
                    }
                }
                store.close().await;
                won
            })
        });
        let racing: Vec<_> = racing.collect();
        let mut won = 0;
        for one in racing {
            won += one.await.unwrap();
        }
        assert_eq!(won, SLOTS);
        let found = slots::list(&mut store.connection().await.unwrap().session(), id, 1000).await.unwrap();
        let times: Vec<_> = found.iter().rev().map(|slot| slot.slot).collect();
        assert_eq!(times, (1..=SLOTS).map(minutes).collect::<Vec<_>>());
        assert_eq!(find(&store, "race").await.last_slot, Some(minutes(SLOTS)));
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_claims_on_what_was_read_before_a_change() {
    each_engine(async |store: Store| {
        let known = made(&store, "night").await;
        let mut connection = store.connection().await.unwrap();
        let mut session = connection.session();
        let changed = Definition { arguments: json!({"dry_run": true}), ..definition("night") };
        assert!(schedules::update(&mut session, &known, &changed, false, minutes(5)).await.unwrap());
        assert!(!schedules::update(&mut session, &known, &changed, false, minutes(5)).await.unwrap());
        assert!(!schedules::claim(&mut session, &known, minutes(1), Some(planned(2))).await.unwrap());
        let now = schedules::find(&mut session, "night").await.unwrap().unwrap();
        assert_eq!((now.next_run, now.counts_from), (Some(minutes(1)), Some(epoch())));
        // Planned anew, the slot is gone, and so it is when the schedule is not enabled.
        let off = Definition { enabled: false, ..changed };
        assert!(schedules::update(&mut session, &now, &off, true, minutes(5)).await.unwrap());
        let off = schedules::find(&mut session, "night").await.unwrap().unwrap();
        assert_eq!((off.next_run, off.due, off.counts_from), (None, None, Some(minutes(5))));
        assert!(!schedules::plan(&mut session, &off, planned(9)).await.unwrap());
        assert!(!schedules::claim(&mut session, &now, minutes(1), None).await.unwrap());
        let again = schedules::insert(&mut session, &definition("night"), epoch()).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_has_one_row_and_a_job_one_slot() {
    each_engine(async |store: Store| {
        let id = made(&store, "night").await.id;
        let record = async |one: Slot| {
            slots::record(&mut store.connection().await.unwrap().session(), id, &[one]).await
        };
        record(slot(1, State::Queued, Some(7))).await.unwrap();
        let of =
            async |job| slots::of_job(&mut store.connection().await.unwrap().session(), job).await.unwrap();
        let origin = slots::Origin { schedule: "night".to_owned(), slot: minutes(1) };
        assert_eq!((of(7).await, of(8).await), (Some(origin), None));
        for one in [slot(1, State::Missed, None), slot(2, State::Queued, Some(7))] {
            let error = record(one).await.unwrap_err();
            assert!(matches!(error, StoreError::Conflict(_)), "{error}");
        }
        let many: Vec<Slot> = (10..260).map(|minute| slot(minute, State::Missed, None)).collect();
        slots::record(&mut store.connection().await.unwrap().session(), id, &many).await.unwrap();
        let found = slots::list(&mut store.connection().await.unwrap().session(), id, 251).await.unwrap();
        assert_eq!(
            (found.len(), &found[250], &found[0]),
            (251, &slot(1, State::Queued, Some(7)), &many[249])
        );

        assert_eq!(retention::count(&store, Aged::ScheduleSlots, minutes(110)).await.unwrap(), 101);
        let mut transaction = store.begin().await.unwrap();
        let mut session = transaction.session();
        assert_eq!(
            retention::delete_batch(&mut session, Aged::ScheduleSlots, minutes(110), 100).await.unwrap(),
            100
        );
        assert_eq!(
            retention::delete_batch(&mut session, Aged::ScheduleSlots, minutes(110), 100).await.unwrap(),
            1
        );
        transaction.commit().await.unwrap();
        let left = slots::list(&mut store.connection().await.unwrap().session(), id, 1000).await.unwrap();
        assert_eq!((left.len(), left[149].slot), (150, minutes(110)));
        // Who deletes the schedule deletes what is left of it.
        assert!(schedules::delete(&mut store.connection().await.unwrap().session(), id).await.unwrap());
        assert!(
            slots::list(&mut store.connection().await.unwrap().session(), id, 1000).await.unwrap().is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_come_and_go() {
    each_engine(async |store: Store| {
        let list = async || schedulers::list(&mut store.connection().await.unwrap().session()).await.unwrap();
        schedulers::sign_on(&store, "one", minutes(0)).await.unwrap();
        schedulers::sign_on(&store, "two", minutes(1)).await.unwrap();
        schedulers::sign_on(&store, "one", minutes(2)).await.unwrap();
        let found = list().await;
        let told: Vec<_> = found.iter().map(|one| (one.owner.as_str(), one.started, one.heartbeat)).collect();
        assert_eq!(told, [("one", minutes(0), minutes(2)), ("two", minutes(1), minutes(1))]);
        // One that has spoken since is not forgotten.
        schedulers::sign_on(&store, "two", minutes(3)).await.unwrap();
        schedulers::forget(&store, &found).await.unwrap();
        assert_eq!(list().await.len(), 1);
        schedulers::sign_off(&store, "two").await.unwrap();
        schedulers::forget(&store, &[]).await.unwrap();
        assert!(list().await.is_empty());
    })
    .await;
}
