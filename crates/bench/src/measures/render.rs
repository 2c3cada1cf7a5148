//! Configurations of routers, from the first statement to the last octet.

use std::time::Duration;

use anyhow::Context as _;

use super::say;
use crate::database::Kind;
use crate::process::{Spent, measure_output, median};
use crate::report::{Report, size, time};
use crate::session::Session;

/// A configuration with 400 sessions.
const USUAL: Duration = Duration::from_millis(25);
/// One with 10,000 sessions and a million lines of prefix lists.
const LARGE: Duration = Duration::from_secs(2);
/// What the large one may have in memory.
const MEMORY: u64 = 400_000_000;
/// How much dearer a session may be among eight times as many.
const GROWTH: f64 = 1.5;

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let (usual, _) = render(session, 400, 20, 20).await?;
    report.within("render: 400 sessions, 2000 lines of prefix lists, the snapshot included", usual, USUAL);
    let mut per_session = Vec::new();
    for sessions in [1000, 2000, 4000, 8000] {
        let (took, _) = render(session, sessions, 20, session.rounds).await?;
        report.told(format!("render: {sessions} sessions"), took, None);
        per_session.push(took / sessions);
    }
    if let [first, .., last] = per_session.as_slice() {
        report.ratio("render: a session among 8000, beside one among 1000", *last, *first, GROWTH);
    }
    let (large, spent) = render(session, 10_000, 400, session.rounds).await?;
    report.within("render: 10000 sessions, 1000000 lines of prefix lists", large, LARGE);
    report.memory_within("render: 10000 sessions, 1000000 lines, memory", spent.memory, MEMORY);
    Ok(())
}

/// The median of some renderings in one process, on SQLite.
async fn render(
    session: &Session,
    sessions: u32,
    lines: u32,
    rounds: u32,
) -> anyhow::Result<(Duration, Spent)> {
    let database = session.database(Kind::Sqlite, &format!("render-{sessions}")).await?;
    let store = database.open().await?;
    crate::render::fill(&store, sessions, lines).await?;
    store.close().await;
    let mut command = session.part("render");
    command.arg(&database.url).arg(rounds.to_string());
    let (spent, output) = measure_output(command, &[0]).await?;
    let mut took = Vec::new();
    let mut octets = 0;
    for line in output.lines() {
        let (micros, length) = line.split_once(' ').context("no time and length")?;
        took.push(Duration::from_micros(micros.parse()?));
        octets = length.parse()?;
    }
    let took = median(&took);
    say(&format!(
        "render, {sessions} sessions: {}, {} of text, {}",
        time(took),
        size(octets),
        size(spent.memory)
    ));
    session.remove(&database).await?;
    Ok((took, spent))
}
