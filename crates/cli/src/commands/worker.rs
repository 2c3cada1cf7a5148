//! `worker`, which old unit files call `rqworker`: runs what waits on the queue.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::Utc;
use clap::Args;
use pm_config::Loaded;
use pm_store::Store;
use pm_store::jobs::{Level, LogLine, Progress};
use pm_tasks::notify::Courier;
use pm_tasks::queue::{AllTasks, Queue};
use pm_tasks::{Clock as _, NoSink, Pulse, Runner, Sink, SystemClock, Tally, Watch, Worker};
use tokio_util::sync::CancellationToken;

use crate::app::{self, EXIT_OK, EXIT_PARTLY};
use crate::clocks;
use crate::commands::jobs::known_queue;
use crate::commands::{Shared, server};
use crate::output::Output;
use crate::service_manager;
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run what waits, and end when nothing waits any more
    #[arg(long, alias = "burst")]
    once: bool,
    /// Jobs at the same time [default: the setting `worker_concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    concurrency: Option<u32>,
    /// Serve only these queues, comma separated: routers, data, default [default: all]
    #[arg(long = "queues", value_name = "NAMES", value_delimiter = ',')]
    serve: Vec<String>,
    /// Answer over HTTP there, too: health and metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Names of queues, as unit files for the original have them. They mean nothing here
    #[arg(value_name = "QUEUE", hide = true)]
    queues: Vec<String>,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let queues: Vec<Queue> =
        arguments.serve.iter().map(|name| known_queue(name)).collect::<anyhow::Result<_>>()?;
    let loaded = app::settings(shared, output)?;
    let concurrency = arguments.concurrency.unwrap_or(loaded.config.worker_concurrency);
    let store = app::open_for(&loaded, concurrency + 1).await?;
    let watch = Arc::new(Journal::new(shared, &loaded, "worker"));
    let worker = worker(&loaded, &store, Arc::clone(&watch) as _, concurrency);
    let worker = Worker { queues, once: arguments.once, ..worker };
    if !arguments.queues.is_empty() {
        watch.say(
            Level::Default,
            "the original's names of queues are passed over; --queues chooses among those that there are",
        );
    }
    let serves: Vec<&str> = worker.queues.iter().map(|queue| queue.as_str()).collect();
    let of = if serves.is_empty() { String::new() } else { format!(", of {}", serves.join(", ")) };
    watch.say(Level::Info, &format!("worker: at work, {} at a time{of}", jobs(concurrency)));
    clocks::tell(&store, watch.as_ref()).await;
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    let watcher = tokio::spawn(app::cancel_on_signals([stop.clone(), hurry.clone()]));
    let pulses = vec![watch.pulse()];
    let courier = courier(&loaded, &store);
    if let Some(address) = arguments.listen {
        let all = [pulses.clone(), vec![courier.pulse()]].concat();
        server::listen(address, &store, &worker.runner.config, all, &stop).await?;
    }
    // Not of the courier: what runs is not to be cut off because nobody can be told of it.
    let telling = service_manager::tell(pulses, stop.clone());
    let tally = beside(worker.run_until(stop, hurry), &courier, arguments.once).await;
    watcher.abort();
    telling.end();
    let tally = tally?;
    store.close().await;
    watch.say(Level::Info, &format!("worker: ended; {}", told(tally)));
    if output.json {
        output.json(&tally)?;
    }
    // One that works until it is told to stop has done what it was asked for, whatever became of the jobs.
    Ok(if arguments.once && !tally.is_clean() { EXIT_PARTLY } else { EXIT_OK })
}

/// A worker under these settings, of all queues.
pub(crate) fn worker(loaded: &Loaded, store: &Store, watch: Arc<dyn Watch>, concurrency: u32) -> Worker {
    Worker {
        runner: Runner {
            store: store.clone(),
            config: Arc::new(loaded.config.clone()),
            clock: Arc::new(SystemClock),
            sink: Arc::new(NoSink),
            seed: app::seed(),
            wait: false,
        },
        catalogue: Arc::new(AllTasks),
        watch,
        concurrency: concurrency as usize,
        queues: Vec::new(),
        once: false,
    }
}

pub(crate) fn jobs(count: u32) -> String {
    if count == 1 { "one job".to_owned() } else { format!("{count} jobs") }
}

pub(crate) fn told(tally: Tally) -> String {
    format!(
        "{} jobs completed, {} in part, {} failed, {} errored, {} cancelled",
        tally.completed, tally.partial, tally.failed, tally.errored, tally.cancelled
    )
}

/// One that delivers notifications under these settings.
pub(crate) fn courier(loaded: &Loaded, store: &Store) -> Courier {
    Courier::new(store.clone(), Arc::new(loaded.config.clone()), Arc::new(SystemClock))
}

/// Lets a courier deliver while this work goes on; with `once` when it is done, and then only what is due.
pub(crate) async fn beside<T>(work: impl Future<Output = T>, courier: &Courier, once: bool) -> T {
    if once {
        let done = work.await;
        if let Err(error) = courier.deliver_due().await {
            tracing::warn!(%error, "notifications could not be delivered, and wait for the next worker");
        }
        return done;
    }
    let stop = CancellationToken::new();
    let delivering = courier.run(stop.clone());
    let working = async {
        let done = work.await;
        stop.cancel();
        done
    };
    tokio::join!(working, delivering).0
}

/// The lines of all jobs, each with its job in front.
pub(crate) struct Journal {
    terminal: Arc<Terminal>,
    pulse: Pulse,
}

impl Journal {
    /// `name` is that of the loop that is watched.
    pub(crate) fn new(shared: &Shared, loaded: &Loaded, name: &'static str) -> Self {
        let terminal = Terminal::without_bar(shared.verbosity(), app::log_format(shared, &loaded.config));
        Self { terminal: Arc::new(terminal), pulse: Pulse::new(name) }
    }

    /// The sign of the loop that is watched.
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }
}

impl Watch for Journal {
    fn sink(&self, job: i64, task: &str) -> Arc<dyn Sink> {
        Arc::new(OfJob { name: format!("job {job} {task}"), terminal: Arc::clone(&self.terminal) })
    }

    fn say(&self, level: Level, message: &str) {
        let time: chrono::DateTime<Utc> = SystemClock.now();
        self.terminal.line(&LogLine { time, level, object: None, message: message.to_owned() });
    }

    fn turned(&self, busy: Option<usize>) {
        self.pulse.turn(busy);
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
