//! What a job costs beside its work. Alone in its file, because it counts what the whole process does.

use std::sync::Arc;
use std::time::Instant;

use crate::support::{HeldClock, configured};
use pm_store::jobs::{Level, NewJob, Outcome};
use pm_store::queue::{self, Ask};
use pm_store::testing::{each_engine, epoch, statements};
use pm_tasks::queue::Catalogue;
use pm_tasks::{Done, NoSink, Runner, Sink, Task, TaskContext, TaskError, Watch, Worker};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

/// Says a word and is done.
struct Trivial(Option<String>);

#[async_trait::async_trait]
impl Task for Trivial {
    fn name(&self) -> &'static str {
        "trivial"
    }
    fn label(&self) -> &'static str {
        "test.trivial"
    }
    fn arguments(&self) -> Json {
        json!({})
    }
    fn lock_key(&self) -> Option<String> {
        self.0.clone()
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info("a word");
        Ok(Done { outcome: Outcome::Ok, summary: "done".to_owned(), data: Json::Null })
    }
}

struct Trivialities;

impl Catalogue for Trivialities {
    fn read(&self, _: &str, arguments: &Json) -> Result<Box<dyn Task>, String> {
        Ok(Box::new(Trivial(arguments["lock"].as_str().map(str::to_owned))))
    }
}

struct Silent;

impl Watch for Silent {
    fn sink(&self, _: i64, _: &str) -> Arc<dyn Sink> {
        Arc::new(NoSink)
    }
    fn say(&self, _: Level, _: &str) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_costs_a_few_statements() {
    const JOBS: u64 = 300;
    each_engine(async |store| {
        // On PostgreSQL one of those with a lock is to wait for nobody who vanished in the middle of a write under it.
        for (locks, most) in [(false, 7), (true, 13)] {
            let asks: Vec<Ask> = (0..JOBS)
                .map(|number| {
                    let lock_key = locks.then(|| format!("lock {number}"));
                    let job = NewJob {
                        job_id: format!("00000000-0000-4000-{}000-{number:012}", u8::from(locks)),
                        name: "test.trivial".to_owned(),
                        task: "trivial".to_owned(),
                        arguments: json!({ "number": number, "lock": lock_key }),
                        user_id: None,
                    };
                    Ask { lock_key, ..Ask::new(job, "default") }
                })
                .collect();
            let mut transaction = store.begin().await.unwrap();
            let before = statements();
            queue::add_all_in(&mut transaction.session(), &asks, epoch()).await.unwrap();
            let asking = statements() - before;
            assert!(asking < 10, "{asking} statements to ask for {JOBS} jobs");
            transaction.commit().await.unwrap();
            let worker = Worker {
                runner: Runner {
                    store: store.clone(),
                    // Without a key each run would look whether there are secrets that need one.
                    config: Arc::new(configured(&[("secret_key", &"k".repeat(50))])),
                    clock: HeldClock::at(epoch()),
                    sink: Arc::new(NoSink),
                    seed: 1,
                    wait: false,
                },
                catalogue: Arc::new(Trivialities),
                watch: Arc::new(Silent),
                concurrency: 4,
                queues: Vec::new(),
                once: true,
            };
            let (before, began) = (statements(), Instant::now());
            assert_eq!(worker.run(CancellationToken::new()).await.unwrap().completed, JOBS);
            let each = (statements() - before) / JOBS;
            let rate = f64::from(u32::try_from(JOBS).unwrap()) / began.elapsed().as_secs_f64();
            eprintln!("{}, locks {locks}: {each} statements a job, {rate:.0} jobs/s", store.engine());
            assert!(each <= most, "{each} statements a job, locks: {locks}");
        }
    })
    .await;
}
