//! Jobs that are ended before they are done: by somebody, or by the clock.

use std::sync::Arc;

use pm_store::jobs::{self, Status};
use pm_store::locks;
use pm_store::queue::{self, Cancelled};
use pm_store::testing::{each_engine, epoch};
use pm_tasks::Tally;
use tokio_util::sync::CancellationToken;

use super::work::{Bench, End, Work, add, finish, job, until, work, worker};

#[tokio::test]
async fn a_job_can_be_cancelled_while_it_waits_and_while_it_runs() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let runs = add(&store, Work { lock: Some("a".into()), ..work(1, End::Never) }).await;
        let waits = add(&store, Work { lock: Some("a".into()), ..work(2, End::Well) }).await;
        let worker = worker(&store, &bench, 2, &[]);
        let ((), tally) = tokio::join!(
            async {
                until(async || !bench.begun.lock().unwrap().is_empty(), "the first runs").await;
                assert_eq!(queue::cancel(&store, waits, epoch()).await.unwrap(), Cancelled::Done);
                assert_eq!(queue::cancel(&store, runs, epoch()).await.unwrap(), Cancelled::Asked);
            },
            finish(&worker)
        );
        assert_eq!(tally, Tally { cancelled: 1, ..Tally::default() });
        assert_eq!(*bench.begun.lock().unwrap(), [1]);
        for id in [runs, waits] {
            assert_eq!(job(&store, id).await.status, Status::Cancelled);
        }
        assert_eq!(bench.said("somebody asked for the end of this job"), 1);
        assert!(locks::held(&store).await.unwrap().is_empty());
    })
    .await;
}

/// A run from the command line, too, sees that its end was asked for.
#[tokio::test]
async fn a_run_from_elsewhere_can_be_cancelled() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let runner = worker(&store, &bench, 1, &[]).runner;
        let task = Work { bench: Arc::clone(&bench), ..work(1, End::Never) };
        let (finished, ()) = tokio::join!(runner.run(&task, CancellationToken::new()), async {
            until(async || bench.most() == 1, "it runs").await;
            let running = jobs::list(&store, Some(Status::Running), None, 1).await.unwrap();
            assert_eq!(queue::cancel(&store, running[0].id, epoch()).await.unwrap(), Cancelled::Asked);
        });
        assert_eq!(finished.unwrap().status, Status::Cancelled);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_ended() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let long = add(&store, Work { lock: Some("a".into()), ..work(1, End::Never) }).await;
        let next = add(&store, Work { lock: Some("a".into()), ..work(2, End::Well) }).await;
        let tally = finish(&worker(&store, &bench, 1, &[("job_timeout", "1")])).await;
        assert_eq!(tally, Tally { completed: 1, errored: 1, ..Tally::default() });
        let ended = job(&store, long).await;
        assert_eq!((ended.status, ended.outcome), (Status::Errored, None));
        assert!(ended.error.as_deref().unwrap().contains("1 s (job_timeout)"), "{:?}", ended.error);
        assert_eq!(job(&store, next).await.status, Status::Completed, "the lock was let go");
    })
    .await;
}

/// As a deployment does, which must not leave a router half way.
#[tokio::test]
async fn a_job_that_needs_time_to_end_gets_it() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let cancelled = add(&store, work(1, End::Tidy)).await;
        let patient = worker(&store, &bench, 1, &[]);
        let ((), tally) = tokio::join!(
            async {
                until(async || bench.most() == 1, "it runs").await;
                assert_eq!(queue::cancel(&store, cancelled, epoch()).await.unwrap(), Cancelled::Asked);
            },
            finish(&patient)
        );
        assert_eq!(tally.cancelled, 1);
        let late = add(&store, work(2, End::Tidy)).await;
        assert_eq!(finish(&worker(&store, &bench, 1, &[("job_timeout", "1")])).await.errored, 1);
        for (id, status) in [(cancelled, Status::Cancelled), (late, Status::Errored)] {
            let ended = job(&store, id).await;
            assert_eq!(ended.status, status);
            assert!(ended.error.as_deref().unwrap().contains("left in order"), "{:?}", ended.error);
        }
    })
    .await;
}
