//! Jobs whose worker vanished, or was taken for dead.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use pm_store::jobs::{self, Outcome, Status};
use pm_store::queue::{self, Begun, Look, Who, Wish};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Engine, Store};
use pm_tasks::{Runner, Tally, Worker};
use tokio_util::sync::CancellationToken;

use super::work::{Bench, End, Work, add, finish, job, until, work, worker};
use crate::support::HeldClock;

/// A job that another process runs or ran.
pub(crate) async fn taken(store: &Store, number: u32, owner: &str) -> i64 {
    let id = add(store, Work { lock: Some(format!("lock {number}")), ..work(number, End::Well) }).await;
    let who = Who { owner, lease: TimeDelta::seconds(120), now: epoch() };
    let wish = Wish { id, lock: Some(format!("lock {number}")), most_spoilt: None };
    let begun = queue::begin(store, &[wish], &Look::default(), who, |_| false).await.unwrap();
    assert!(matches!(begun, Begun::Job { lock: Some(_), .. }), "{begun:?}");
    id
}

/// The owner text of a process of this host that has ended.
pub(crate) fn dead_process() -> String {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let begun = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    let ours = pm_tasks::this_process();
    let place: Vec<&str> = ours.rsplitn(3, '/').collect();
    let owner = format!("{}/{}/{begun}", place[2], child.id());
    assert!(!pm_tasks::is_dead(&owner));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(pm_tasks::is_dead(&owner));
    owner
}

/// Somebody at the command line comes before any worker has looked.
#[tokio::test]
async fn a_lost_job_is_done_again_also_if_its_lock_was_taken_meanwhile() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let lost = taken(&store, 1, &dead_process()).await;
        let worker = worker(&store, &bench, 1, &[]);
        let by_hand =
            Work { lock: Some("lock 1".to_owned()), bench: Arc::clone(&bench), ..work(2, End::Well) };
        let ran = worker.runner.run(&by_hand, CancellationToken::new()).await.unwrap();
        assert_eq!(ran.status, Status::Completed);
        assert_eq!(finish(&worker).await.completed, 1);
        assert_eq!(*bench.begun.lock().unwrap(), [2, 1]);
        assert_eq!(job(&store, lost).await.outcome, Some(Outcome::Lost));
        assert!(jobs::repetition(&store, lost).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn the_jobs_of_a_worker_that_vanished_are_closed_and_done_again_where_that_is_safe() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let dead = dead_process();
        let safe = taken(&store, 1, &dead).await;
        let unsafe_ = taken(&store, 1000, &dead).await;
        let far = taken(&store, 2, "far/boot/ns/1/1").await;
        queue::sign_on(&store, &dead, 2, &[], epoch()).await.unwrap();
        let tally = finish(&worker(&store, &bench, 2, &[])).await;
        assert_eq!(tally, Tally { completed: 1, ..Tally::default() });
        assert_eq!(*bench.begun.lock().unwrap(), [1], "only what can be repeated is run again");
        for id in [safe, unsafe_] {
            let closed = job(&store, id).await;
            assert_eq!((closed.status, closed.outcome), (Status::Errored, Some(Outcome::Lost)));
            assert_eq!(bench.said(&format!("job {id} (work) was closed: {}", jobs::ABANDONED)), 1);
        }
        assert_eq!(job(&store, far).await.status, Status::Running, "nobody knows of another host");
        let repeated = jobs::list(&store, Some(Status::Completed), None, 10).await.unwrap();
        assert_eq!((repeated.len(), repeated[0].repeat_of), (1, Some(safe)));
        assert!(queue::workers(&store).await.unwrap().is_empty(), "the dead one is forgotten");

        // Until it has been silent for long. On PostgreSQL processes cannot be seen that are elsewhere, but they do not wait for
        // each other's writes either.
        let long = if store.engine() == Engine::Sqlite { 121 } else { 46 };
        let early = worker(&store, &bench, 2, &[]);
        let clock = HeldClock::at(epoch() + TimeDelta::seconds(long - 2));
        let early = Worker { runner: Runner { clock, ..early.runner }, ..early };
        assert_eq!(finish(&early).await, Tally::default());
        let late = worker(&store, &bench, 2, &[("lock_lease", "6")]);
        let clock = HeldClock::at(epoch() + TimeDelta::seconds(long));
        let late = Worker { runner: Runner { clock, ..late.runner }, ..late };
        assert_eq!(finish(&late).await.completed, 1);
        assert_eq!(job(&store, far).await.outcome, Some(Outcome::Lost));
        let runs: BTreeSet<u32> = bench.runs.lock().unwrap().values().copied().collect();
        assert_eq!(runs, BTreeSet::from([1]));
    })
    .await;
}

/// Somebody who takes a sleeping process for dead must not be contradicted when it wakes up.
#[tokio::test]
async fn a_run_whose_job_was_closed_by_others_ends() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let id = add(&store, work(1, End::Never)).await;
        let worker = worker(&store, &bench, 1, &[]);
        let ((), tally) = tokio::join!(
            async {
                until(async || bench.most() == 1, "it runs").await;
                let lost = queue::close_lost(&store, |_| true, epoch(), epoch(), |_| None).await.unwrap();
                assert_eq!(lost.len(), 1);
            },
            finish(&worker)
        );
        assert_eq!(tally.errored, 1);
        let closed = job(&store, id).await;
        assert_eq!((closed.status, closed.outcome), (Status::Errored, Some(Outcome::Lost)));
        assert_eq!(bench.said("took this process for dead"), 1);
    })
    .await;
}
