//! `poll_bgp_sessions` as a whole, and storing a large router's poll.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use pm_store::polls::{self, Polled, SessionKind};

use super::fleet::{DELAY, MEMORY, SESSIONS, TARGET, routers};
use super::{say, skip_postgres};
use crate::database::Database;
use crate::fleet::{Fleet, List, fill};
use crate::process::{measure_output, median};
use crate::report::{Report, size, time};
use crate::session::{Session, start_time};

/// A router with so many sessions…
const LARGE: u32 = 5000;
/// …is stored within this.
const STORED: Duration = Duration::from_millis(200);

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let routers = routers(session);
    let fleet = Fleet::start(session, "polled", routers, SESSIONS, DELAY).await?;
    let list = List::read(&fleet.directory)?;
    for kind in session.kinds() {
        let database = session.database(kind, &format!("poll_{kind}").to_lowercase()).await?;
        say(&format!("poll_bgp_sessions, {kind}: {} sessions are made", routers * SESSIONS));
        let store = database.open().await?;
        fill(&store, &list).await?;
        store.close().await;
        for round in ["first", "second"] {
            let mut command = session.program(Some(&database), None);
            command
                .env("PEERING_MANAGER_NAPALM_USERNAME", &list.username)
                .env("PEERING_MANAGER_NAPALM_PASSWORD", list.password()?)
                .args(["poll_bgp_sessions", "--json"]);
            let (spent, output) = measure_output(command, &[0]).await?;
            let said: serde_json::Value = serde_json::from_str(&output)?;
            let looked = said["data"]["routers"].as_array().context("no routers in the report")?;
            let updated: u64 = looked.iter().filter_map(|one| one["updated"].as_u64()).sum();
            ensure!(updated == u64::from(routers * SESSIONS), "{updated} sessions were updated");
            say(&format!("poll_bgp_sessions, {kind}, {round}: {}, {}", time(spent.wall), size(spent.memory)));
            let name =
                format!("poll_bgp_sessions, {routers} × {SESSIONS} sessions, 50 ms, {kind}, {round} time");
            report.within(name, spent.wall, TARGET);
            report.memory_within("– peak memory", spent.memory, MEMORY);
            report.told("– processor time", spent.processor, None);
        }
        session.remove(&database).await?;
    }
    skip_postgres(session, report, "poll_bgp_sessions");
    drop(fleet);
    stored(session, report).await
}

/// One router with many sessions: the first poll, one in which nothing is new, and one in which everything is.
async fn stored(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let fleet = Fleet::start(session, "large", 1, LARGE, 0).await?;
    let list = List::read(&fleet.directory)?;
    drop(fleet);
    for kind in session.kinds() {
        let database = session.database(kind, &format!("large_{kind}").to_lowercase()).await?;
        for (what, took) in store(&database, &list, session.rounds).await? {
            say(&format!("{LARGE} sessions stored, {kind}, {what}: {}", time(took)));
            report.within(format!("a poll of {LARGE} sessions stored, {kind}, {what}"), took, STORED);
        }
        session.remove(&database).await?;
    }
    skip_postgres(session, report, "a poll of 5000 sessions stored");
    Ok(())
}

async fn store(
    database: &Database,
    list: &List,
    rounds: u32,
) -> anyhow::Result<Vec<(&'static str, Duration)>> {
    let store = database.open().await?;
    let router = *fill(&store, list).await?.first().context("no router")?;
    let mut transaction = store.begin_reading().await?;
    let mut expected = polls::expected(&mut transaction.session(), &[router]).await?;
    transaction.rollback().await?;
    let sessions = expected.remove(&router).context("no sessions")?;
    ensure!(sessions.len() == LARGE as usize, "{} sessions", sessions.len());
    let (mut first, mut same, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        for (received, times) in [(i64::from(round), &mut other), (i64::from(round), &mut same)] {
            let rows: Vec<Polled> = sessions
                .iter()
                .map(|session| Polled {
                    id: session.id,
                    state: Some("established"),
                    received: received + 100,
                    accepted: 90,
                    advertised: 12,
                    ..Polled::default()
                })
                .collect();
            let begun = Instant::now();
            let now = start_time() + TimeDelta::minutes(i64::from(round));
            let mut transaction = store.begin().await?;
            let changed = polls::changed(&mut transaction.session(), router, &sessions).await?;
            ensure!(changed.is_empty(), "{} sessions were changed", changed.len());
            polls::store(&mut transaction.session(), SessionKind::Direct, &rows, now).await?;
            polls::stamp(&mut transaction.session(), router, now).await?;
            transaction.commit().await?;
            let times = if first.is_empty() { &mut first } else { times };
            times.push(begun.elapsed());
        }
    }
    store.close().await;
    Ok(vec![
        ("the first", median(&first)),
        ("nothing new", median(&same)),
        ("every counter new", median(&other)),
    ])
}
