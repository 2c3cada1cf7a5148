//! The queue: jobs that do nothing, through two workers, and how soon one is begun when nothing else waits.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use pm_store::Store;
use pm_store::queue;
use pm_tasks::{Clock as _, SystemClock};

use super::{say, skip_postgres};
use crate::database::{Database, Kind};
use crate::process::median;
use crate::report::{Report, time};
use crate::session::Session;
use crate::work::{ask, begun_after, fill};

const JOBS: i64 = 1000;
/// Jobs that each of the two workers runs at the same time.
const CONCURRENCY: &str = "4";
/// How often an idle worker is asked.
const CLICKS: i64 = 20;
const LATENCY: Duration = Duration::from_millis(100);

/// How long so many jobs may take: 50 in a second on SQLite, 100 on PostgreSQL.
const fn target(kind: Kind) -> Duration {
    match kind {
        Kind::Sqlite => Duration::from_secs(20),
        Kind::Postgres => Duration::from_secs(10),
    }
}

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    for kind in session.kinds() {
        let database = session.database(kind, &format!("queue_{kind}").to_lowercase()).await?;
        let store = database.open().await?;
        let took = throughput(session, &database, &store).await?;
        say(&format!("{JOBS} jobs, {kind}: {}", time(took)));
        report.within(format!("{JOBS} jobs that do nothing through 2 workers, {kind}"), took, target(kind));
        let waits = latency(session, &database, &store).await?;
        say(&format!("a job is begun, {kind}: {}", time(median(&waits))));
        report.within(format!("a job is begun by an idle worker, {kind}, median"), median(&waits), LATENCY);
        let slowest = waits.iter().max().copied().unwrap_or_default();
        report.told("– the slowest", slowest, None);
        store.close().await;
        session.remove(&database).await?;
    }
    skip_postgres(session, report, "the queue");
    Ok(())
}

/// From the first begin to the last end, by the job records.
async fn throughput(session: &Session, database: &Database, store: &Store) -> anyhow::Result<Duration> {
    fill(store, 0..JOBS).await?;
    let work = || async {
        let mut command = session.part("work");
        command.args([&database.url, CONCURRENCY, "--once"]).stdin(Stdio::piped());
        let mut child = command.spawn().context("a worker cannot be started")?;
        let ended = child.wait().await?;
        anyhow::ensure!(ended.success(), "a worker ended with {ended}");
        Ok(())
    };
    tokio::try_join!(work(), work())?;
    let sql = "SELECT COUNT(*) AS jobs, COUNT(DISTINCT owner) AS workers, MIN(started) AS begun, MAX(completed) AS ended \
               FROM core_job WHERE status = 'completed'";
    let row = store.row(sql, vec![]).await?.context("no jobs")?;
    let (jobs, workers): (i64, i64) = (row.get("jobs")?, row.get("workers")?);
    anyhow::ensure!(jobs == JOBS && workers == 2, "{jobs} jobs were done by {workers} workers");
    let (begun, ended): (DateTime<Utc>, DateTime<Utc>) = (row.get("begun")?, row.get("ended")?);
    (ended - begun).to_std().context("ended before it began")
}

/// How long each of some jobs waits, one at a time, for a worker that has nothing else to do.
async fn latency(session: &Session, database: &Database, store: &Store) -> anyhow::Result<Vec<Duration>> {
    let mut command = session.part("work");
    command.args([&database.url, CONCURRENCY]).stdin(Stdio::piped());
    let mut worker = command.spawn().context("a worker cannot be started")?;
    let mut waits = Vec::new();
    for number in JOBS..=JOBS + CLICKS {
        // At no time that has to do with how often it looks.
        tokio::time::sleep(Duration::from_millis(230 + u64::try_from(number % 7)? * 13)).await;
        queue::add(store, &ask(number), SystemClock.now()).await?;
        waits.push(begun_after(store, number).await?);
    }
    drop(worker.stdin.take());
    let ended = worker.wait().await?;
    anyhow::ensure!(ended.success(), "the worker ended with {ended}");
    // The first one waited until the worker had started.
    waits.remove(0);
    Ok(waits)
}
