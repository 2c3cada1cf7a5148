//! `run`: a worker, which also delivers notifications, a scheduler, and answers over HTTP in one process, which is what one
//! machine needs.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use pm_store::jobs::Level;
use pm_tasks::Watch as _;
use tokio_util::sync::CancellationToken;

use crate::app::{self, EXIT_OK};
use crate::clocks;
use crate::commands::scheduler::{self, Lapse};
use crate::commands::worker::{self, Journal};
use crate::commands::{Shared, server};
use crate::output::Output;
use crate::service_manager;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Jobs at the same time [default: the setting `worker_concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    worker_concurrency: Option<u32>,
    /// Where to answer over HTTP: health and metrics
    #[arg(long, value_name = "ADDRESS:PORT", default_value = server::USUAL)]
    listen: SocketAddr,
    /// Answer nothing over HTTP
    #[arg(long, conflicts_with = "listen")]
    no_listen: bool,
    #[command(flatten)]
    lapse: Lapse,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let loaded = app::settings(shared, output)?;
    let concurrency = arguments.worker_concurrency.unwrap_or(loaded.config.worker_concurrency);
    // The scheduler takes a place of its own, and so does the courier.
    let store = app::open_for(&loaded, concurrency + 2).await?;
    let watch = Arc::new(Journal::new(shared, &loaded, "worker"));
    let slots = Arc::new(Journal::new(shared, &loaded, "scheduler"));
    let scheduler = scheduler::scheduler(&loaded, &store, Arc::clone(&slots) as _, arguments.lapse);
    let worker = worker::worker(&loaded, &store, Arc::clone(&watch) as _, concurrency);
    let courier = worker::courier(&loaded, &store);
    clocks::tell(&store, watch.as_ref()).await;
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    let watcher = tokio::spawn(app::cancel_on_signals([stop.clone(), hurry.clone()]));
    let pulses = vec![watch.pulse(), slots.pulse()];
    if !arguments.no_listen {
        let all = [pulses.clone(), vec![courier.pulse()]].concat();
        let listening = server::listen(arguments.listen, &store, &worker.runner.config, all, &stop).await;
        listening.context("run answers over HTTP, which --no-listen switches off")?;
    }
    watch.say(
        Level::Info,
        &format!("run: worker and scheduler at work, {} at a time", worker::jobs(concurrency)),
    );
    // Not of the courier: what runs is not to be cut off because nobody can be told of it.
    let telling = service_manager::tell(pulses, stop.clone());
    // Half of it is of no use: when one ends, for whatever reason, so does the other.
    let (tally, ended) = tokio::join!(
        async {
            let work = worker.run_until(stop.clone(), hurry);
            let ended = worker::beside(work, &courier, false).await;
            stop.cancel();
            ended
        },
        async {
            let ended = scheduler.run(stop.clone()).await;
            stop.cancel();
            ended
        }
    );
    watcher.abort();
    telling.end();
    let tally = tally?;
    ended?;
    store.close().await;
    watch.say(Level::Info, &format!("run: ended; {}", worker::told(tally)));
    if output.json {
        output.json(&tally)?;
    }
    Ok(EXIT_OK)
}
