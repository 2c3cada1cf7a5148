//! A task of the tests, the workers that run it, and what its runs have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pm_store::jobs::{self, Job, Level, LogLine, NewJob, Outcome, Progress};
use pm_store::queue::{self, Ask};
use pm_store::testing::epoch;
use pm_store::{Store, StoreError};
use pm_tasks::queue::Catalogue;
use pm_tasks::{Done, NoSink, Runner, Sink, Tally, Task, TaskContext, TaskError, Watch, Worker};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::support::{HeldClock, configured};

/// What the runs of a test have in common.
#[derive(Default)]
pub struct Bench {
    /// How often each number was run.
    pub runs: Mutex<BTreeMap<u32, u32>>,
    /// The numbers in the order in which they were begun.
    pub begun: Mutex<Vec<u32>>,
    /// Runs at this moment, and the most there were.
    now: AtomicUsize,
    most: AtomicUsize,
    said: Mutex<Vec<String>>,
}

impl Bench {
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub fn said(&self, text: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }
}

/// A task of the tests.
#[derive(Clone, Serialize, Deserialize)]
pub struct Work {
    pub number: u32,
    #[serde(default)]
    pub end: End,
    #[serde(default)]
    pub lock: Option<String>,
    #[serde(default)]
    pub milliseconds: u64,
    #[serde(skip)]
    pub bench: Arc<Bench>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub enum End {
    #[default]
    Well,
    Partial,
    Failed,
    Broken,
    Panic,
    Never,
    /// It may work later.
    Later,
    /// It may work in two hours.
    InTwoHours,
    /// Nobody answered.
    Unanswered,
    /// The database was busy.
    Busy,
    /// Others hold what it is about, the first time.
    HeldOnce,
    /// As a configuration that takes sessions down.
    Spoilt,
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
    fn most_spoilt(&self, _: &pm_config::Config) -> Option<u32> {
        Some(2)
    }
    fn is_spoilt(&self, data: &Json) -> bool {
        data["spoilt"] == 1
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
            End::HeldOnce if bench.runs.lock().unwrap()[&self.number] == 1 => {
                Err(TaskError::Held("somebody holds it".into()))
            }
            End::Well | End::HeldOnce => done(Outcome::Ok),
            End::Partial => done(Outcome::Partial),
            End::Failed => Err(TaskError::Failed("no".into())),
            End::Broken => Err(TaskError::Broken("bug".into())),
            End::Later => Err(TaskError::TryLater("not now".into())),
            End::InTwoHours => {
                Err(TaskError::TryAfter { why: "not now".into(), pause: Duration::from_hours(2) })
            }
            End::Unanswered => {
                Err(TaskError::Unanswered { why: "nobody is there".into(), pause: Duration::ZERO })
            }
            End::Busy => Err(StoreError::Busy.into()),
            End::Spoilt => {
                Ok(Done { outcome: Outcome::Partial, summary: "undone".into(), data: json!({"spoilt": 1}) })
            }
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

pub fn worker(store: &Store, bench: &Arc<Bench>, concurrency: usize, settings: &[(&str, &str)]) -> Worker {
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
        queues: Vec::new(),
        once: true,
    }
}

pub fn work(number: u32, end: End) -> Work {
    Work { number, end, lock: None, milliseconds: 0, bench: Arc::default() }
}

pub async fn add(store: &Store, work: Work) -> i64 {
    add_as(store, "work", work.arguments(), work.lock_key()).await
}

pub async fn add_as(store: &Store, task: &str, arguments: Json, lock: Option<String>) -> i64 {
    let new = NewJob {
        job_id: uuid::Uuid::new_v4().to_string(),
        name: format!("test.{task}"),
        task: task.to_owned(),
        arguments,
        user_id: None,
    };
    let ask = Ask { lock_key: lock, ..Ask::new(new, "default") };
    queue::add(store, &ask, epoch()).await.unwrap().job
}

pub async fn job(store: &Store, id: i64) -> Job {
    jobs::get(store, id).await.unwrap().unwrap()
}

pub async fn finish(worker: &Worker) -> Tally {
    worker.run(CancellationToken::new()).await.unwrap()
}

/// Waits until something is so.
pub async fn until(mut is_so: impl AsyncFnMut() -> bool, what: &str) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(2), wait).await.is_ok(), "not in time: {what}");
}
