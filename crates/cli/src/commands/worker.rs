//! `worker`, which old unit files call `rqworker`: runs what waits on the queue.

use std::sync::Arc;

use chrono::Utc;
use clap::Args;
use pm_store::jobs::{Level, LogLine, Progress};
use pm_tasks::queue::AllTasks;
use pm_tasks::{Clock as _, NoSink, Runner, Sink, SystemClock, Watch, Worker};
use tokio_util::sync::CancellationToken;

use crate::app::{self, EXIT_OK, EXIT_PARTLY};
use crate::commands::Shared;
use crate::output::Output;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run what waits, and end when nothing waits any more
    #[arg(long, alias = "burst")]
    once: bool,
    /// Jobs at the same time [default: the setting `worker_concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    concurrency: Option<u32>,
    /// Names of queues, as unit files for the original have them. There is one queue here, so they mean nothing
    #[arg(value_name = "QUEUE", hide = true)]
    queues: Vec<String>,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let concurrency = arguments.concurrency.unwrap_or(loaded.config.worker_concurrency);
    let store = app::open_for(&loaded, concurrency).await?;
    let terminal = Terminal::without_bar(shared.verbosity(), app::log_format(shared, &loaded));
    let watch = Arc::new(Journal { terminal: Arc::new(terminal) });
    let worker = Worker {
        runner: Runner {
            store: store.clone(),
            config: Arc::new(loaded.config),
            clock: Arc::new(SystemClock),
            sink: Arc::new(NoSink),
            seed: app::seed(),
            wait: false,
        },
        catalogue: Arc::new(AllTasks),
        watch: Arc::clone(&watch) as _,
        concurrency: concurrency as usize,
        once: arguments.once,
    };
    if !arguments.queues.is_empty() {
        watch.say(Level::Default, "there is one queue; the names of queues are passed over");
    }
    let many = if concurrency == 1 { "one job".to_owned() } else { format!("{concurrency} jobs") };
    watch.say(Level::Info, &format!("worker: at work, {many} at a time"));
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(app::cancel_on_signal(cancel.clone()));
    let tally = worker.run(cancel).await;
    watcher.abort();
    let tally = tally?;
    store.close().await;
    watch.say(
        Level::Info,
        &format!(
            "worker: ended; {} jobs completed, {} in part, {} failed, {} errored, {} cancelled",
            tally.completed, tally.partial, tally.failed, tally.errored, tally.cancelled
        ),
    );
    if output.json {
        output.json(&tally)?;
    }
    // One that works until it is told to stop has done what it was asked for, whatever became of the jobs.
    Ok(if arguments.once && !tally.is_clean() { EXIT_PARTLY } else { EXIT_OK })
}

/// The lines of all jobs, each with its job in front.
struct Journal {
    terminal: Arc<Terminal>,
}

impl Watch for Journal {
    fn sink(&self, job: i64, task: &str) -> Arc<dyn Sink> {
        Arc::new(OfJob { name: format!("job {job} {task}"), terminal: Arc::clone(&self.terminal) })
    }

    fn say(&self, level: Level, message: &str) {
        let time: chrono::DateTime<Utc> = SystemClock.now();
        self.terminal.line(&LogLine { time, level, object: None, message: message.to_owned() });
    }
}

struct OfJob {
    name: String,
    terminal: Arc<Terminal>,
}

impl Sink for OfJob {
    fn line(&self, line: &LogLine) {
        let message = format!("{}: {}", self.name, line.message);
        self.terminal.line(&LogLine { message, ..line.clone() });
    }

    fn progress(&self, _: &Progress) {}
}
