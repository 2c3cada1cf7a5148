//! `scheduler`: puts the tasks of schedules on the queue, until told to stop.

use std::sync::Arc;

use clap::Args;
use pm_config::Loaded;
use pm_store::Store;
use pm_store::jobs::Level;
use pm_tasks::schedule::{ScheduleTime, Scheduler};
use pm_tasks::{SystemClock, Watch};
use tokio_util::sync::CancellationToken;

use crate::app::{self, EXIT_OK};
use crate::clocks;
use crate::commands::Shared;
use crate::commands::worker::Journal;
use crate::output::Output;
use crate::service_manager;

/// A fast clock for schedules, for tests and the demo.
#[cfg(feature = "lab")]
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Lapse {
    /// The time of schedules runs so many times as fast
    #[arg(id = "time_lapse", long = "time-lapse", hide = true, value_name = "N", requires_all = ["since", "started"],
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    factor: Option<u32>,
    /// The schedules' time at `--started`
    #[arg(long, hide = true, value_name = "RFC3339", requires = "time_lapse")]
    since: Option<chrono::DateTime<chrono::Utc>>,
    /// The clock's time at that moment, the same for all processes
    #[arg(long, hide = true, value_name = "RFC3339", requires = "time_lapse")]
    started: Option<chrono::DateTime<chrono::Utc>>,
}

#[cfg(feature = "lab")]
impl Lapse {
    pub(crate) fn time(self) -> ScheduleTime {
        match (self.factor, self.since, self.started) {
            (Some(factor), Some(since), Some(started)) => ScheduleTime::Lapse { since, started, factor },
            _ => ScheduleTime::Clock,
        }
    }
}

/// Without the lab there is one clock.
#[cfg(not(feature = "lab"))]
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Lapse {}

#[cfg(not(feature = "lab"))]
impl Lapse {
    #[expect(clippy::unused_self, reason = "with the lab it is used")]
    pub(crate) fn time(self) -> ScheduleTime {
        ScheduleTime::Clock
    }
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    lapse: Lapse,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let store = app::open_for(&loaded, 1).await?;
    let watch = Arc::new(Journal::new(shared, &loaded, "scheduler"));
    let scheduler = scheduler(&loaded, &store, Arc::clone(&watch) as _, arguments.lapse);
    watch.say(Level::Info, "scheduler: at work");
    clocks::tell(&store, watch.as_ref()).await;
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(app::cancel_on_signal(cancel.clone()));
    let telling = service_manager::tell(vec![watch.pulse()], cancel.clone());
    let ended = scheduler.run(cancel).await;
    watcher.abort();
    telling.end();
    ended?;
    store.close().await;
    watch.say(Level::Info, "scheduler: ended");
    Ok(EXIT_OK)
}

/// A scheduler under these settings.
pub(crate) fn scheduler(loaded: &Loaded, store: &Store, watch: Arc<dyn Watch>, lapse: Lapse) -> Scheduler {
    Scheduler {
        store: store.clone(),
        config: Arc::new(loaded.config.clone()),
        clock: Arc::new(SystemClock),
        time: lapse.time(),
        watch,
    }
}
