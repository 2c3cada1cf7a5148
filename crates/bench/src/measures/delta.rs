//! A day's changes: half a percent of the records, and every awkward case.

use std::time::Duration;

use super::sync::{memory, processor, wall};
use super::{say, skip_postgres, synchronise};
use crate::peeringdb::PeeringDb;
use crate::report::{Report, time};
use crate::session::Session;

/// Days that pass, one synchronisation each.
const DAYS: usize = 5;
/// From the start of the process to its end, the server's part included.
const TARGET: Duration = Duration::from_secs(1);

pub(super) async fn run(session: &Session, peeringdb: &PeeringDb, report: &mut Report) -> anyhow::Result<()> {
    let mut databases = Vec::new();
    for kind in session.kinds() {
        let database = session.database(kind, &format!("delta_{kind}").to_lowercase()).await?;
        synchronise(session, peeringdb, &database).await?;
        databases.push((database, Vec::new()));
    }
    for day in 1..=DAYS {
        peeringdb.advance().await?;
        for (database, runs) in &mut databases {
            let spent = synchronise(session, peeringdb, database).await?;
            say(&format!(
                "day {day}, {}: {}, processor {}",
                database.kind,
                time(spent.wall),
                time(spent.processor)
            ));
            runs.push(spent);
        }
    }
    for (database, runs) in databases {
        let kind = database.kind;
        let slowest = runs.iter().map(|spent| spent.wall).max().unwrap_or_default();
        report.within(format!("one day's changes, {kind}, median of {DAYS} days"), wall(&runs), TARGET);
        report.told(format!("– slowest day, {kind}"), slowest, None);
        report.told(format!("– processor time, {kind}"), processor(&runs), None);
        report.note(format!("One day's changes, {kind}: at most {}.", crate::report::size(memory(&runs))));
        session.remove(&database).await?;
    }
    skip_postgres(session, report, "one day's changes");
    report.note("The original's one day: 5.6 s, 156 MB (PostgreSQL).");
    Ok(())
}
