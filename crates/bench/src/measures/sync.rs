//! The first synchronisation: everything, into an empty database.

use std::time::Duration;

use super::{say, skip_postgres, synchronise};
use crate::peeringdb::PeeringDb;
use crate::process::{Spent, measure, median};
use crate::report::{Report, time};
use crate::session::Session;

/// Times the floor that a synchronisation may take.
const TARGET: f64 = 2.5;
/// Octets that it may have in memory.
const MEMORY: u64 = 250_000_000;

/// Program and floor take turns, so that a busy moment of the machine meets both.
pub(super) async fn run(session: &Session, peeringdb: &PeeringDb, report: &mut Report) -> anyhow::Result<()> {
    for kind in session.kinds() {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for round in 1..=session.rounds {
            let database = session.database(kind, &format!("sync_{kind}_{round}").to_lowercase()).await?;
            ours.push(synchronise(session, peeringdb, &database).await?);
            let held = rows(&database).await?;
            session.remove(&database).await?;
            let database = session.database(kind, &format!("floor_{kind}_{round}").to_lowercase()).await?;
            let mut command = session.part("floor-sync");
            command.args([kind.word(), &peeringdb.api, &database.url]);
            floor.push(measure(command, &[0]).await?);
            let floor_held = rows(&database).await?;
            session.remove(&database).await?;
            anyhow::ensure!(
                held == floor_held,
                "the program stored {held} records and the floor {floor_held}"
            );
            say(&format!("full synchronisation, {kind}, {round}: {held} records, {}", both(&ours, &floor)));
        }
        report.ratio(format!("full synchronisation, {kind}"), wall(&ours), wall(&floor), TARGET);
        report.memory(format!("– peak memory, {kind}"), memory(&ours), memory(&floor), Some(MEMORY));
        report.told(format!("– processor time, {kind}"), processor(&ours), Some(processor(&floor)));
    }
    skip_postgres(session, report, "full synchronisation");
    report.note("The original's full synchronisation: 763.9 s, 497 MB (PostgreSQL).");
    Ok(())
}

async fn rows(database: &crate::database::Database) -> anyhow::Result<i64> {
    let store = database.open().await?;
    let mut sum = 0;
    for table in pm_store::peeringdb::tables::TABLES {
        let row = store.row(&format!("SELECT COUNT(*) AS count FROM {}", table.table), vec![]).await?;
        sum += row.map_or(Ok(0), |row| row.get::<i64, _>("count"))?;
    }
    store.close().await;
    Ok(sum)
}

pub(super) fn wall(runs: &[Spent]) -> Duration {
    median(&runs.iter().map(|spent| spent.wall).collect::<Vec<_>>())
}

pub(super) fn processor(runs: &[Spent]) -> Duration {
    median(&runs.iter().map(|spent| spent.processor).collect::<Vec<_>>())
}

/// The highest, not the median: a machine must have room for it.
pub(super) fn memory(runs: &[Spent]) -> u64 {
    runs.iter().map(|spent| spent.memory).max().unwrap_or(0)
}

/// The newest run of each.
pub(super) fn both(ours: &[Spent], floor: &[Spent]) -> String {
    let last = |runs: &[Spent]| runs.last().map(|spent| time(spent.wall)).unwrap_or_default();
    format!("ours {}, floor {}", last(ours), last(floor))
}
