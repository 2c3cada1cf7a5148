//! Workers: that each job is run once, in order, within its time, and what becomes of those that end otherwise.

#![expect(clippy::unwrap_used, reason = "for tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use pm_store::jobs::{self, Job, Level, LogLine, NewJob, Outcome, Progress, Status};
use pm_store::locks::{self, Claim};
use pm_store::queue::{self, Cancelled};
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Store, StoreError};
use pm_tasks::queue::Catalogue;
use pm_tasks::{Done, NoSink, Runner, Sink, Tally, Task, TaskContext, TaskError, Watch, Worker};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use support::{HeldClock, configured};
use tokio_util::sync::CancellationToken;

/// What the runs of a test have in common.
#[derive(Default)]
struct Bench {
    /// How often each number was run.
    runs: Mutex<BTreeMap<u32, u32>>,
    /// The numbers in the order in which they were begun.
    begun: Mutex<Vec<u32>>,
    /// Runs at this moment, and the most there were.
    now: AtomicUsize,
    most: AtomicUsize,
    said: Mutex<Vec<String>>,
}

impl Bench {
    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn said(&self, text: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }
}

/// A task of the tests.
#[derive(Clone, Serialize, Deserialize)]
struct Work {
    number: u32,
    #[serde(default)]
    end: End,
    #[serde(default)]
    lock: Option<String>,
    #[serde(default)]
    milliseconds: u64,
    #[serde(skip)]
    bench: Arc<Bench>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
enum End {
    #[default]
    Well,
    Partial,
    Failed,
    Broken,
    Panic,
    Never,
    /// When it is told to end, and in its own time.
    Tidy,
}

#[async_trait::async_trait]
impl Task for Work {
    fn name(&self) -> &'static str {
        "work"
    }
    fn label(&self) -> &'static str {
        "test.work"
    }
    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap()
    }
    fn lock_key(&self) -> Option<String> {
        self.lock.clone()
    }
    fn is_repeatable(&self) -> bool {
        self.number < 1000
    }
    fn time_to_end(&self) -> Duration {
        if matches!(self.end, End::Tidy) { Duration::from_mins(1) } else { Duration::ZERO }
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let bench = &self.bench;
        *bench.runs.lock().unwrap().entry(self.number).or_default() += 1;
        bench.begun.lock().unwrap().push(self.number);
        let now = bench.now.fetch_add(1, Ordering::SeqCst) + 1;
        bench.most.fetch_max(now, Ordering::SeqCst);
        let _leaves = Leaves(Arc::clone(bench));
        context.reporter.info(format!("number {}", self.number));
        tokio::time::sleep(Duration::from_millis(self.milliseconds)).await;
        let done = |outcome| Ok(Done { outcome, summary: "done".into(), data: Json::Null });
        match self.end {
            End::Well => done(Outcome::Ok),
            End::Partial => done(Outcome::Partial),
            End::Failed => Err(TaskError::Failed("no".into())),
            End::Broken => Err(TaskError::Broken("bug".into())),
            End::Panic => panic!("as it was told to"),
            End::Never => std::future::pending().await,
            End::Tidy => {
                context.cancel.cancelled().await;
                // Longer than the heartbeat takes to find out again that the end was asked for.
                tokio::time::sleep(Duration::from_millis(2500)).await;
                Err(TaskError::Cancelled("left in order".into()))
            }
        }
    }
}

/// A run that ends, however it does.
struct Leaves(Arc<Bench>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Works(Arc<Bench>);

impl Catalogue for Works {
    fn read(&self, task: &str, arguments: &Json) -> Result<Box<dyn Task>, String> {
        if task != "work" {
            return Err(format!("there is no task {task}"));
        }
        let mut work: Work = serde_json::from_value(arguments.clone()).map_err(|error| error.to_string())?;
        work.bench = Arc::clone(&self.0);
        Ok(Box::new(work))
    }
}

struct Watcher(Arc<Bench>);

impl Watch for Watcher {
    fn sink(&self, job: i64, _: &str) -> Arc<dyn Sink> {
        Arc::new(Lines(job, Arc::clone(&self.0)))
    }
    fn say(&self, _: Level, message: &str) {
        self.0.said.lock().unwrap().push(message.to_owned());
    }
}

struct Lines(i64, Arc<Bench>);

impl Sink for Lines {
    fn line(&self, line: &LogLine) {
        self.1.said.lock().unwrap().push(format!("job {}: {}", self.0, line.message));
    }
    fn progress(&self, _: &Progress) {}
}

fn worker(store: &Store, bench: &Arc<Bench>, concurrency: usize, settings: &[(&str, &str)]) -> Worker {
    Worker {
        runner: Runner {
            store: store.clone(),
            config: Arc::new(configured(settings)),
            clock: HeldClock::at(epoch()) as _,
            sink: Arc::new(NoSink),
            seed: 1,
            wait: false,
        },
        catalogue: Arc::new(Works(Arc::clone(bench))),
        watch: Arc::new(Watcher(Arc::clone(bench))),
        concurrency,
        once: true,
    }
}

fn work(number: u32, end: End) -> Work {
    Work { number, end, lock: None, milliseconds: 0, bench: Arc::default() }
}

async fn add(store: &Store, work: Work) -> i64 {
    add_as(store, "work", work.arguments(), work.lock_key()).await
}

async fn add_as(store: &Store, task: &str, arguments: Json, lock: Option<String>) -> i64 {
    let new = NewJob {
        job_id: uuid::Uuid::new_v4().to_string(),
        name: format!("test.{task}"),
        task: task.to_owned(),
        arguments,
        user_id: None,
    };
    queue::add(store, &new, lock.as_deref(), epoch()).await.unwrap().job
}

async fn job(store: &Store, id: i64) -> Job {
    jobs::get(store, id).await.unwrap().unwrap()
}

async fn finish(worker: &Worker) -> Tally {
    worker.run(CancellationToken::new()).await.unwrap()
}

/// Waits until something is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool, what: &str) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(2), wait).await.is_ok(), "not in time: {what}");
}

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
async fn a_worker_that_is_told_to_stop_ends_what_runs_and_leaves_what_waits() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let mut ids = Vec::new();
        for number in 1..=5 {
            ids.push(add(&store, work(number, End::Never)).await);
        }
        let worker = Worker { once: false, ..worker(&store, &bench, 2, &[]) };
        let cancel = CancellationToken::new();
        let (tally, ()) = tokio::join!(worker.run(cancel.clone()), async {
            until(async || bench.most() == 2, "two run").await;
            assert_eq!(queue::workers(&store).await.unwrap().len(), 1);
            cancel.cancel();
        });
        assert_eq!(tally.unwrap(), Tally { cancelled: 2, ..Tally::default() });
        for (place, id) in ids.into_iter().enumerate() {
            let expected = if place < 2 { Status::Cancelled } else { Status::Pending };
            assert_eq!(job(&store, id).await.status, expected);
        }
        assert!(queue::workers(&store).await.unwrap().is_empty());
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

/// A job that another process runs or ran.
async fn taken(store: &Store, number: u32, owner: &str) -> i64 {
    let id = add(store, Work { lock: Some(format!("lock {number}")), ..work(number, End::Well) }).await;
    assert_eq!(queue::claim(store, &[id], &[], owner, epoch()).await.unwrap(), Some(id));
    let lease = TimeDelta::seconds(120);
    let key = format!("lock {number}");
    let claim = locks::claim(store, &key, owner, Some(id), lease, epoch(), |_| false).await.unwrap();
    assert!(matches!(claim, Claim::Taken { .. }));
    id
}

/// The owner text of a process of this host that has ended.
fn dead_process() -> String {
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

#[tokio::test]
async fn the_jobs_of_a_worker_that_vanished_are_closed_and_done_again_where_that_is_safe() {
    each_engine(async |store| {
        let bench = Arc::new(Bench::default());
        let dead = dead_process();
        let safe = taken(&store, 1, &dead).await;
        let unsafe_ = taken(&store, 1000, &dead).await;
        let far = taken(&store, 2, "far/boot/ns/1/1").await;
        queue::sign_on(&store, &dead, 2, epoch()).await.unwrap();
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

        // Until it has been silent for longer than the lease.
        let late = worker(&store, &bench, 2, &[]);
        let clock = HeldClock::at(epoch() + TimeDelta::seconds(121));
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
