//! Workers: that each job is run once, in order, within its time, and what becomes of those that end otherwise.

mod cancelling;
mod ends;
mod lost;
mod outage;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use pm_store::jobs::{self, Outcome, Status};
use pm_store::locks::{self, Claim};
use pm_store::queue;
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Store, StoreError};
use pm_tasks::{Tally, Worker};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use work::{Bench, End, Work, add, add_as, finish, job, until, work, worker};

/// Four workers, each with connections of its own, as if they were processes.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_jobs_and_four_workers() {
    for database in TestDatabase::each().await {
        let bench = Arc::new(Bench::default());
        let store = database.open().await;
        for number in 0..200 {
            let lock = (number % 10 == 0).then(|| "common".to_owned());
            add(&store, Work { lock, ..work(number, End::Well) }).await;
        }
        let workers = (0..4).map(|_| {
            let (url, bench) = (database.url.clone(), Arc::clone(&bench));
            tokio::spawn(async move {
                let store = Store::open_for(&url, 2).await.unwrap();
                let tally = finish(&worker(&store, &bench, 2, &[])).await;
                store.close().await;
                tally
            })
        });
        let workers: Vec<_> = workers.collect();
        let (mut completed, mut busy) = (0, 0);
        for worker in workers {
            let tally = worker.await.unwrap();
            assert!(tally.is_clean(), "{tally:?}");
            completed += tally.completed;
            busy += u32::from(tally.completed > 0);
        }
        assert_eq!((completed, busy > 1), (200, true));
        let expected: BTreeMap<u32, u32> = (0..200).map(|number| (number, 1)).collect();
        assert_eq!(*bench.runs.lock().unwrap(), expected, "each once");
        let common: Vec<u32> =
            bench.begun.lock().unwrap().iter().copied().filter(|one| one % 10 == 0).collect();
        assert!(
            common.is_sorted(),
            "those of one lock in the order in which they were asked for: {common:?}"
        );
        for job in jobs::list(&store, None, None, 1000).await.unwrap() {
            assert_eq!((job.status, job.outcome), (Status::Completed, Some(Outcome::Ok)), "job {}", job.id);
            let number = job.arguments["number"].as_u64().unwrap();
            let log = jobs::log(&store, job.id).await.unwrap();
            assert_eq!(log[0].message, format!("number {number}"));
            assert_eq!(log.len(), 2);
        }
        assert!(locks::held(&store).await.unwrap().is_empty());
        assert!(queue::workers(&store).await.unwrap().is_empty());
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn one_at_a_time_means_in_order() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        for number in [5, 3, 9, 1] {
            add(&store, work(number, End::Well)).await;
        }
        let tally = finish(&worker(&store, &bench, 1, &[])).await;
        assert_eq!((tally.completed, bench.most()), (4, 1));
        assert_eq!(*bench.begun.lock().unwrap(), [5, 3, 9, 1]);
        // And there is nothing left to do.
        assert_eq!(finish(&worker(&store, &bench, 1, &[])).await, Tally::default());
    })
    .await;
}

#[tokio::test]
async fn every_end_is_counted_and_recorded() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let ends = [
            (End::Well, Status::Completed),
            (End::Partial, Status::Completed),
            (End::Failed, Status::Failed),
            (End::Broken, Status::Errored),
            (End::Panic, Status::Errored),
        ];
        let mut ids = Vec::new();
        for (number, (end, status)) in (1..).zip(ends) {
            let lock = Some(format!("lock {number}"));
            ids.push((add(&store, Work { lock, ..work(number, end) }).await, status));
        }
        let tally = finish(&worker(&store, &bench, 2, &[])).await;
        assert_eq!(tally, Tally { completed: 1, partial: 1, failed: 1, errored: 2, cancelled: 0 });
        assert!(!tally.is_clean());
        for (id, status) in ids {
            assert_eq!(job(&store, id).await.status, status, "job {id}");
        }
        assert!(locks::held(&store).await.unwrap().is_empty(), "also after a panic");
    })
    .await;
}

#[tokio::test]
async fn a_taken_lock_holds_up_nobody_else() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let lease = TimeDelta::seconds(60);
        let claim = locks::claim(&store, "busy", "far/b/n/1/1", None, lease, epoch(), |_| false).await;
        let Claim::Taken { lock, .. } = claim.unwrap() else { panic!("the lock was free") };
        let waits = add(&store, Work { lock: Some("busy".into()), ..work(1, End::Well) }).await;
        for number in 2..6 {
            add(&store, work(number, End::Well)).await;
        }
        let worker = worker(&store, &bench, 1, &[]);
        let ((), tally) = tokio::join!(
            async {
                until(async || bench.begun.lock().unwrap().len() == 4, "the others are run").await;
                assert!(job(&store, waits).await.is_waiting());
                locks::release(&store, &lock).await.unwrap();
            },
            finish(&worker)
        );
        assert_eq!((tally.completed, tally.is_clean()), (5, true));
        assert_eq!(*bench.begun.lock().unwrap(), [2, 3, 4, 5, 1]);
    })
    .await;
}

#[tokio::test]
async fn what_a_newer_program_asked_for_is_left_alone() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let strange = add_as(&store, "reboot_everything", json!({}), Some("a".into())).await;
        let odd = add_as(&store, "work", json!({"number": "seven"}), None).await;
        let known = add(&store, Work { lock: Some("a".into()), ..work(1, End::Well) }).await;
        let tally = finish(&worker(&store, &bench, 1, &[])).await;
        assert_eq!((tally.completed, tally.is_clean()), (1, true));
        assert_eq!(job(&store, known).await.status, Status::Completed);
        for (id, why) in [(strange, "there is no task reboot_everything"), (odd, "invalid type")] {
            let left = job(&store, id).await;
            assert!(left.is_waiting() && left.started.is_none());
            assert_eq!(bench.said(&format!("job {id} ({}) is left to a worker of a newer", left.task)), 1);
            assert_eq!(bench.said(why), 1, "said once");
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_queue_is_waited_at() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let worker = Worker { once: false, ..worker(&store, &bench, 1, &[]) };
        let cancel = CancellationToken::new();
        let (tally, ()) = tokio::join!(worker.run(cancel.clone()), async {
            until(async || !queue::workers(&store).await.unwrap().is_empty(), "it works").await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            let late = add(&store, work(1, End::Well)).await;
            until(async || job(&store, late).await.status == Status::Completed, "the late one is run").await;
            cancel.cancel();
        });
        assert_eq!(tally.unwrap().completed, 1);
    })
    .await;
}

#[tokio::test]
async fn a_worker_ends_when_the_database_is_migrated_for_a_newer_release() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let sql = "INSERT INTO schema_migration (version, name, applied) VALUES (9999, 'future', ?)";
        store.execute(sql, vec![epoch().into()]).await.unwrap();
        let id = add(&store, work(1, End::Well)).await;
        let worker = Worker { once: false, ..worker(&store, &bench, 1, &[]) };
        let ended = worker.run(CancellationToken::new()).await;
        assert!(matches!(ended, Err(StoreError::SchemaTooNew { .. })), "{ended:?}");
        assert!(job(&store, id).await.is_waiting());
    })
    .await;
}

#[tokio::test]
async fn a_database_that_cannot_be_had_ends_a_worker_only_at_the_beginning() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    store.close().await;
    let bench = Arc::new(Bench::default());
    let worker = Worker { once: false, ..worker(&store, &bench, 1, &[]) };
    let ended = worker.run(CancellationToken::new()).await;
    assert!(matches!(ended, Err(StoreError::Sql(_))), "{ended:?}");
}
