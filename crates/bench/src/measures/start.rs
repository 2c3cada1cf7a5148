//! Commands that do little, so that what is left is the start.

use std::time::Duration;

use chrono::TimeDelta;
use pm_store::Value;

use super::sync::wall;
use crate::database::{Database, Kind};
use crate::process::measure;
use crate::report::Report;
use crate::session::{Session, start_time};

/// Starts of each command.
const TIMES: usize = 20;
/// Shorter than a person notices.
const TARGET: Duration = Duration::from_millis(30);

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let database = session.database(Kind::Sqlite, "start").await?;
    fill(&database).await?;
    for arguments in [&["--version"][..], &["config", "check"], &["jobs", "list"]] {
        let mut runs = Vec::new();
        for _ in 0..TIMES {
            let mut command = session.program(Some(&database), None);
            command.args(arguments);
            runs.push(measure(command, &[0]).await?);
        }
        report.within(format!("start: {}, median of {TIMES}", arguments.join(" ")), wall(&runs), TARGET);
    }
    session.remove(&database).await?;
    report.note("The original's start alone: 1.75 s.");
    Ok(())
}

/// A hundred jobs that are over.
async fn fill(database: &Database) -> anyhow::Result<()> {
    let store = database.open().await?;
    for number in 0..100_i64 {
        let created = start_time() + TimeDelta::hours(number);
        let ended = created + TimeDelta::seconds(3);
        store
            .execute(
                "INSERT INTO core_job (job_id, name, task, arguments, status, outcome, created, started, completed) \
                 VALUES (?, 'peeringdb.synchronise', 'peeringdb_sync', '{}', 'completed', 'ok', ?, ?, ?)",
                vec![
                    Value::from(format!("00000000-0000-4000-8000-{number:012}")),
                    created.into(),
                    created.into(),
                    ended.into(),
                ],
            )
            .await?;
    }
    store.close().await;
    Ok(())
}
