//! A worker whose tasks do nothing, so that what is left is what the queue costs.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pm_config::Config;
use pm_store::Store;
use pm_store::jobs::{Level, NewJob, Outcome};
use pm_store::queue::{self, Ask};
use pm_tasks::queue::{Catalogue, Queue};
use pm_tasks::{
    Clock as _, Done, NoSink, Runner, Sink, SystemClock, Task, TaskContext, TaskError, Watch, Worker,
};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

/// Takes a lock of its own, says a line, and is done.
struct Nothing(i64);

const NAME: &str = "nothing";

#[async_trait::async_trait]
impl Task for Nothing {
    fn name(&self) -> &'static str {
        NAME
    }
    fn label(&self) -> &'static str {
        "bench.nothing"
    }
    fn arguments(&self) -> Json {
        json!({ "number": self.0 })
    }
    fn lock_key(&self) -> Option<String> {
        Some(format!("nothing:{}", self.0))
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info(format!("number {} does nothing", self.0));
        Ok(Done { outcome: Outcome::NothingToDo, summary: "nothing was done".into(), data: json!({}) })
    }
}

struct OnlyNothing;

impl Catalogue for OnlyNothing {
    fn read(&self, task: &str, arguments: &Json) -> Result<Box<dyn Task>, String> {
        match arguments["number"].as_i64() {
            Some(number) if task == NAME => Ok(Box::new(Nothing(number))),
            _ => Err(format!("no task of this benchmark: {task}")),
        }
    }
}

struct Nobody;

impl Watch for Nobody {
    fn sink(&self, _: i64, _: &str) -> Arc<dyn Sink> {
        Arc::new(NoSink)
    }
    fn say(&self, _: Level, _: &str) {}
}

/// What is asked for with number `number`.
pub(crate) fn ask(number: i64) -> Ask {
    let task = Nothing(number);
    let job = NewJob {
        // Any text that no other job has.
        job_id: format!("00000000-0000-4000-8000-{number:012}"),
        name: task.label().to_owned(),
        task: NAME.to_owned(),
        arguments: task.arguments(),
        user_id: None,
    };
    Ask { lock_key: task.lock_key(), ..Ask::new(job, Queue::Default.as_str()) }
}

/// Works on a database: until nothing waits, or until stdin ends.
pub(crate) async fn run(database: &str, concurrency: usize, once: bool) -> anyhow::Result<()> {
    let places = u32::try_from(concurrency)?;
    let store = Store::open_for(database, places).await?;
    let worker = Worker {
        runner: Runner {
            store: store.clone(),
            config: Arc::new(Config::default()),
            clock: Arc::new(SystemClock),
            sink: Arc::new(NoSink),
            seed: 1,
            wait: false,
        },
        catalogue: Arc::new(OnlyNothing),
        watch: Arc::new(Nobody),
        concurrency,
        queues: Vec::new(),
        once,
    };
    let cancel = CancellationToken::new();
    let told = cancel.clone();
    // A thread of its own, which nobody waits for.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        if !once {
            told.cancel();
        }
    });
    let tally = worker.run(cancel).await?;
    anyhow::ensure!(tally.is_clean(), "not every job was done: {tally:?}");
    store.close().await;
    Ok(())
}

/// Puts many on the queue, in few transactions.
pub(crate) async fn fill(store: &Store, numbers: std::ops::Range<i64>) -> anyhow::Result<()> {
    let asks: Vec<Ask> = numbers.map(ask).collect();
    let mut transaction = store.begin().await?;
    queue::add_all_in(&mut transaction.session(), &asks, SystemClock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Between the moments when one was asked for and when it was begun.
pub(crate) async fn begun_after(store: &Store, number: i64) -> anyhow::Result<Duration> {
    for _ in 0..1000 {
        let sql = "SELECT created, started FROM core_job WHERE job_id = ? AND started IS NOT NULL";
        if let Some(row) = store.row(sql, vec![ask(number).job.job_id.as_str().into()]).await? {
            let created: chrono::DateTime<chrono::Utc> = row.get("created")?;
            let started: chrono::DateTime<chrono::Utc> = row.get("started")?;
            return (started - created).to_std().context("begun before it was asked for");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("job {number} was not begun within 10 s")
}
