//! Workers that begin when the database has just come back, that meet somebody else's write, and whose database does not answer.

use std::time::Instant;

use pm_store::Engine;
use pm_tasks::Runner;

use super::lost::{dead_process, taken};
use super::*;
use crate::support::HeldClock;

/// So that a worker looks after others every two seconds.
const SHORT: &[(&str, &str)] = &[("lock_lease", "6")];

fn later(store: &Store, bench: &Arc<Bench>) -> Worker {
    let worker = worker(store, bench, 1, SHORT);
    let clock = HeldClock::at(epoch() + TimeDelta::hours(1));
    Worker { runner: Runner { clock, ..worker.runner }, ..worker }
}

/// The others may not have been able to speak either.
#[tokio::test]
async fn whoever_begins_takes_none_but_the_dead_for_lost_at_first() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let dead = taken(&store, 1000, &dead_process()).await;
        let silent = taken(&store, 1001, "far/boot/ns/1/1").await;
        let speaks = taken(&store, 1002, "far/boot/ns/2/1").await;
        let worker = Worker { once: false, ..later(&store, &bench) };
        let is_lost = async |id| job(&store, id).await.outcome == Some(Outcome::Lost);
        let stop = CancellationToken::new();
        let (_, ()) = tokio::join!(worker.run(stop.clone()), async {
            until(async || is_lost(dead).await, "the dead one is seen").await;
            assert!(
                !is_lost(silent).await && !is_lost(speaks).await,
                "they may only have been kept from speaking"
            );
            jobs::note(&store, speaks, 0, &[], None, epoch() + TimeDelta::hours(1)).await.unwrap();
            until(async || is_lost(silent).await, "it is silent for good").await;
            assert!(!is_lost(speaks).await);
            stop.cancel();
        });
    })
    .await;
}

/// Where nobody else looks after them.
#[tokio::test]
async fn a_worker_that_ends_by_itself_waits_for_those_that_are_silent() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let silent = taken(&store, 1, "far/boot/ns/1/1").await;
        assert_eq!(finish(&later(&store, &bench)).await.completed, 1);
        assert_eq!(job(&store, silent).await.outcome, Some(Outcome::Lost));
    })
    .await;
}

#[tokio::test]
async fn a_patrol_that_has_to_wait_keeps_nobody_from_his_work() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let mut write = store.begin().await.unwrap();
    write.session().execute("LOCK TABLE core_worker IN SHARE MODE", vec![]).await.unwrap();
    let sign = if database.url.contains('?') { '&' } else { '?' };
    let hasty = Store::open(&format!("{}{sign}options[lock_timeout]=200", database.url)).await.unwrap();
    let bench = Arc::new(Bench::default());
    let id = add(&store, work(1, End::Well)).await;
    let worker = Worker { once: false, ..worker(&hasty, &bench, 1, &[]) };
    let stop = CancellationToken::new();
    let (tally, ()) = tokio::join!(worker.run(stop.clone()), async {
        until(async || job(&store, id).await.status.is_over(), "it is done").await;
        stop.cancel();
    });
    assert_eq!(tally.unwrap().completed, 1);
    write.rollback().await.unwrap();
    hasty.close().await;
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_worker_stops_although_the_database_does_not_answer() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        // Far longer than anybody has patience for.
        let mut write = store.begin().await.unwrap();
        if store.engine() == Engine::Postgres {
            write.session().execute("LOCK TABLE core_worker", vec![]).await.unwrap();
        }
        let worker = Worker { once: false, ..worker(&store, &bench, 1, &[]) };
        let begun = Instant::now();
        let stop = CancellationToken::new();
        let (ended, ()) = tokio::join!(worker.run(stop.clone()), async {
            tokio::task::yield_now().await;
            stop.cancel();
        });
        ended.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
        assert_eq!(bench.said("the database does not answer"), 1);
        write.rollback().await.unwrap();
    })
    .await;
}
