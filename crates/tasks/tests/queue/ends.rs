//! What follows the end of a job, and of a worker: what is tried again, handed back, or not begun.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use pm_store::Store;
use pm_store::jobs::{self, Job, Outcome, Status};
use pm_store::locks;
use pm_store::queue::{self, Ask};
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_tasks::queue::Queue;
use pm_tasks::{Runner, Tally, Worker};
use tokio_util::sync::CancellationToken;

use super::work::{Bench, End, Work, add, finish, job, until, work, worker};
use crate::support::HeldClock;

/// A worker at another time.
fn later(worker: Worker, seconds: i64) -> Worker {
    let clock = HeldClock::at(epoch() + TimeDelta::seconds(seconds));
    Worker { runner: Runner { clock, ..worker.runner.clone() }, ..worker }
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_lets_finish_what_runs_and_begins_nothing_more() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let runs = add(&store, Work { milliseconds: 10_000, ..work(1, End::Well) }).await;
        let worker = Worker { once: false, ..worker(&store, &bench, 1, &[]) };
        let cancel = CancellationToken::new();
        let (tally, waits) = tokio::join!(worker.run(cancel.clone()), async {
            until(async || bench.most() == 1, "it runs").await;
            cancel.cancel();
            let waits = add(&store, work(2, End::Well)).await;
            until(async || queue::workers(&store).await.unwrap().is_empty(), "nobody counts on it").await;
            waits
        });
        assert_eq!(tally.unwrap(), Tally { completed: 1, ..Tally::default() });
        assert_eq!(job(&store, runs).await.status, Status::Completed);
        assert!(job(&store, waits).await.is_waiting());
        assert_eq!(bench.said("stopping: what runs (1) may take 60 s"), 1);
    })
    .await;
}

/// One job that can be repeated and one that cannot, and the jobs that are there afterwards.
async fn stopped(store: &Store, bench: &Arc<Bench>, settings: &[(&str, &str)], twice: bool) -> [i64; 2] {
    let ids = [
        add(store, Work { lock: Some("a".into()), ..work(1, End::Never) }).await,
        add(store, Work { lock: Some("b".into()), ..work(1000, End::Never) }).await,
    ];
    let worker = Worker { once: false, ..worker(store, bench, 2, settings) };
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    let (tally, ()) = tokio::join!(worker.run_until(stop.clone(), hurry.clone()), async {
        until(async || bench.most() == 2, "two run").await;
        stop.cancel();
        if twice {
            tokio::time::sleep(Duration::from_millis(50)).await;
            hurry.cancel();
        }
    });
    assert_eq!(tally.unwrap(), Tally { cancelled: 2, ..Tally::default() });
    ids
}

#[tokio::test]
async fn what_runs_for_too_long_is_handed_back_where_that_is_safe() {
    each_engine(async |store| {
        for (settings, twice) in [(&[("worker_stop_seconds", "1")][..], false), (&[], true)] {
            let bench = Arc::new(Bench::default());
            let began = Instant::now();
            let [safe, unsafe_] = stopped(&store, &bench, settings, twice).await;
            assert!(began.elapsed() < Duration::from_secs(55), "{:?}", began.elapsed());
            let again = jobs::repetition(&store, safe).await.unwrap().expect("it is handed back");
            let handed = job(&store, safe).await;
            let error = handed.error.unwrap();
            assert!(error.ends_with(&format!("; job {again} does it again")), "{error}");
            assert_eq!(
                (handed.status, job(&store, unsafe_).await.status),
                (Status::Cancelled, Status::Cancelled)
            );
            assert_eq!(jobs::repetition(&store, unsafe_).await.unwrap(), None);
            let waits = job(&store, again).await;
            assert!(waits.is_waiting() && waits.not_before.is_none());
            assert_eq!(
                (waits.repeat_of, waits.attempt, waits.lock_key.as_deref()),
                (Some(safe), 1, Some("a"))
            );
            assert!(locks::held(&store).await.unwrap().is_empty());
            queue::cancel(&store, again, epoch()).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_failed_in_passing_is_tried_again_after_a_while_and_not_for_ever() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let settings = [("job_retries", "2")];
        let mut id = add(&store, Work { lock: Some("a".into()), ..work(1, End::Later) }).await;
        let mut time = 0;
        for (attempt, seconds) in [(1, 60), (2, 300)] {
            let failing = later(worker(&store, &bench, 1, &settings), time);
            let cancel = CancellationToken::new();
            let failing = Worker { once: false, ..failing };
            let (_, ()) = tokio::join!(failing.run(cancel.clone()), async {
                until(async || job(&store, id).await.status.is_over(), "it fails").await;
                cancel.cancel();
            });
            let failed = job(&store, id).await;
            assert_eq!(
                (failed.status, failed.exit_code, failed.attempt),
                (Status::Failed, Some(75), attempt)
            );
            let again = jobs::repetition(&store, id).await.unwrap().unwrap();
            let error = failed.error.unwrap();
            let next = format!("(attempt {} of 3)", attempt + 1);
            assert!(error.starts_with(&format!("not now; job {again} does it again in ")), "{error}");
            assert!(error.ends_with(&next), "{error}");
            let waits = job(&store, again).await;
            assert_eq!((waits.repeat_of, waits.attempt), (Some(id), attempt + 1));
            assert_eq!(waits.lock_key.as_deref(), Some("a"));
            let pause = (waits.not_before.unwrap() - epoch()).num_seconds() - time;
            assert!((seconds * 8 / 10..=seconds * 12 / 10).contains(&pause), "{pause} s");
            time += pause + 1;
            id = again;
        }
        let last = later(worker(&store, &bench, 1, &settings), time);
        assert_eq!(finish(&last).await, Tally { failed: 1, ..Tally::default() });
        assert_eq!(job(&store, id).await.error.as_deref(), Some("not now"));
        assert_eq!(bench.runs.lock().unwrap()[&1], 3);
        assert_eq!(queue::waiting(&store).await.unwrap(), 0);
    })
    .await;
}

/// Runs one job that fails in passing, and gives it, and the seconds until it is done again.
async fn put_off(store: &Store, end: End) -> (Job, i64) {
    let bench = Arc::new(Bench::default());
    let id = add(store, work(1, end)).await;
    let worker = Worker { once: false, ..worker(store, &bench, 1, &[]) };
    let cancel = CancellationToken::new();
    let (_, ()) = tokio::join!(worker.run(cancel.clone()), async {
        until(async || job(store, id).await.status.is_over(), "it fails").await;
        cancel.cancel();
    });
    let again = jobs::repetition(store, id).await.unwrap().unwrap();
    let pause = (job(store, again).await.not_before.unwrap() - epoch()).num_seconds();
    queue::cancel(store, again, epoch()).await.unwrap();
    (job(store, id).await, pause)
}

#[tokio::test]
async fn nobody_is_asked_again_sooner_than_he_said() {
    each_engine(async |store| {
        let (failed, pause) = put_off(&store, End::InTwoHours).await;
        assert_eq!((failed.status, failed.exit_code, pause), (Status::Failed, Some(75), 7_200));
        // Nor is somebody given up who did not answer; that is a failure all the same.
        let (failed, pause) = put_off(&store, End::Unanswered).await;
        assert_eq!((failed.status, failed.exit_code), (Status::Failed, Some(1)));
        assert!((48..=72).contains(&pause), "{pause} s");
    })
    .await;
}

/// Whoever comes back first must not take those for dead that could not speak either.
#[tokio::test]
async fn a_database_that_was_away_makes_no_job_lost() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let clock = HeldClock::at(epoch());
        // It looks after others every ten seconds.
        let worker = worker(&store, &bench, 1, &[("lock_lease", "30")]);
        let runner = Runner { clock: Arc::clone(&clock) as _, ..worker.runner.clone() };
        let worker = Worker { runner, once: false, ..worker };
        let alive = add(&store, work(1000, End::Well)).await;
        jobs::start(&store, alive, "elsewhere/0/0/17/1", epoch()).await.unwrap();
        let cancel = CancellationToken::new();
        let (_, ()) = tokio::join!(worker.run(cancel.clone()), async {
            // One that meets trouble before it has begun ends.
            let first = add(&store, work(3, End::Well)).await;
            until(async || job(&store, first).await.status.is_over(), "it is at work").await;
            let rename = async |from: &str, to: &str| {
                store.execute(&format!("ALTER TABLE {from} RENAME TO {to}"), vec![]).await.unwrap();
            };
            rename("core_job", "core_job_away").await;
            until(async || bench.said("the queue cannot be read") > 0, "it is in trouble").await;
            clock.set(epoch() + TimeDelta::hours(1));
            rename("core_job_away", "core_job").await;
            let signed = async || queue::workers(&store).await.unwrap()[0].heartbeat > epoch();
            until(signed, "it looks after others").await;
            let next = add(&store, work(2, End::Well)).await;
            until(async || job(&store, next).await.status.is_over(), "it works again").await;
            assert_eq!(job(&store, alive).await.status, Status::Running);
            // One that is still silent is lost.
            until(async || job(&store, alive).await.outcome == Some(Outcome::Lost), "it is lost").await;
            cancel.cancel();
        });
    })
    .await;
}

#[tokio::test]
async fn only_what_may_pass_and_can_be_repeated_is_tried_again() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let busy = add(&store, work(1, End::Busy)).await;
        let forced = add(&store, work(1000, End::Later)).await;
        let failed = add(&store, work(2, End::Failed)).await;
        let broken = add(&store, work(3, End::Broken)).await;
        let worker = Worker { once: false, ..worker(&store, &bench, 2, &[]) };
        let cancel = CancellationToken::new();
        let over = async |id| job(&store, id).await.status.is_over();
        let (_, ()) = tokio::join!(worker.run(cancel.clone()), async {
            for id in [busy, forced, failed, broken] {
                until(async || over(id).await, "it is over").await;
            }
            cancel.cancel();
        });
        assert!(jobs::repetition(&store, busy).await.unwrap().is_some());
        for id in [forced, failed, broken] {
            assert_eq!(jobs::repetition(&store, id).await.unwrap(), None, "job {id}");
        }
        assert_eq!(queue::waiting(&store).await.unwrap(), 1);
        queue::cancel(&store, jobs::repetition(&store, busy).await.unwrap().unwrap(), epoch()).await.unwrap();
        // Nor is anything if that is not wished.
        let never = add(&store, work(4, End::Later)).await;
        assert_eq!(finish(&super::work::worker(&store, &bench, 1, &[("job_retries", "0")])).await.failed, 1);
        assert_eq!(jobs::repetition(&store, never).await.unwrap(), None);
    })
    .await;
}

/// Somebody at the command line took what the job is about, in the moment in which it was begun.
#[tokio::test]
async fn a_job_that_finds_all_taken_waits_again() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let id = add(&store, work(1, End::HeldOnce)).await;
        let worker = Worker { once: false, ..worker(&store, &bench, 1, &[]) };
        let cancel = CancellationToken::new();
        let (_, ()) = tokio::join!(worker.run(cancel.clone()), async {
            until(async || bench.said("waits again: somebody holds it") == 1, "it is put back").await;
            until(async || job(&store, id).await.is_waiting(), "it waits").await;
            cancel.cancel();
        });
        assert_eq!(job(&store, id).await.not_before, Some(epoch() + TimeDelta::seconds(5)));
        assert_eq!(finish(&later(super::work::worker(&store, &bench, 1, &[]), 5)).await.completed, 1);
        assert_eq!(job(&store, id).await.outcome, Some(Outcome::Ok));
        // The lines of both tries are there.
        let log = jobs::log(&store, id).await.unwrap();
        let said = |text: &str| log.iter().filter(|line| line.message.starts_with(text)).count();
        assert_eq!((said("number 1"), said("waits again"), said("done")), (2, 1, 1), "{log:?}");
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_goes_wrong_is_not_gone_on_with() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        for number in 1..=5 {
            let id = add(&store, work(number, if number == 2 { End::Well } else { End::Spoilt })).await;
            store.execute("UPDATE core_job SET batch = 'b' WHERE id = ?", vec![id.into()]).await.unwrap();
        }
        let tally = finish(&worker(&store, &bench, 1, &[])).await;
        assert_eq!(tally, Tally { completed: 1, partial: 2, cancelled: 2, ..Tally::default() });
        assert_eq!(*bench.begun.lock().unwrap(), [1, 2, 3]);
        assert_eq!(bench.said("not begun: it went wrong in job 1, 3"), 2);
    })
    .await;
}

#[tokio::test]
async fn a_worker_serves_its_queues_only() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let other = add(&store, work(1, End::Well)).await;
        let new = jobs::NewJob {
            job_id: uuid(),
            name: "test.work".to_owned(),
            task: "work".to_owned(),
            arguments: pm_tasks::Task::arguments(&work(2, End::Well)),
            user_id: None,
        };
        queue::add(&store, &Ask::new(new, "data"), epoch()).await.unwrap();
        let worker = Worker { queues: vec![Queue::Data, Queue::Routers], ..worker(&store, &bench, 2, &[]) };
        assert_eq!(finish(&worker).await.completed, 1);
        assert_eq!(*bench.begun.lock().unwrap(), [2]);
        assert!(job(&store, other).await.is_waiting());
    })
    .await;
}

fn uuid() -> String {
    "00000000-0000-4000-8000-000000000001".to_owned()
}

/// From asking to the first word of the task, with a worker that has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_begins_at_once() {
    for database in TestDatabase::each().await {
        let bench = Arc::new(Bench::default());
        let (store, asking) = (database.open().await, Store::open(&database.url).await.unwrap());
        let worker = Worker { once: false, ..worker(&store, &bench, 2, &[]) };
        let cancel = CancellationToken::new();
        let (_, mut waits) = tokio::join!(worker.run(cancel.clone()), async {
            until(async || !queue::workers(&asking).await.unwrap().is_empty(), "it works").await;
            let mut waits = Vec::new();
            for number in 0..9 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                add(&asking, work(number, End::Well)).await;
                let began = Instant::now();
                while bench.begun.lock().unwrap().last() != Some(&number) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                waits.push(began.elapsed());
            }
            cancel.cancel();
            waits
        });
        waits.sort_unstable();
        eprintln!("{}: {waits:?}", store.engine());
        // One that nobody wakes looks every five seconds; how fast it is otherwise is measured elsewhere.
        assert!(waits[4] < Duration::from_secs(2), "half of the time on {}: {waits:?}", store.engine());
        asking.close().await;
        store.close().await;
        database.remove().await;
    }
}
