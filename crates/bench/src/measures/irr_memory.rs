//! What one very long list costs in memory, when it is stored and when it is read.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

use super::irr::{fill, settings, stored, with};
use super::say;
use super::sync::memory;
use crate::database::Kind;
use crate::irrd::Irrd;
use crate::process::measure;
use crate::report::{Report, size};
use crate::session::Session;

/// Routes of the AS that has many.
const ROUTES: u32 = 200_000;
/// Where everything is registered.
const SOURCE: &str = "RADB";
/// Octets that the list may cost.
const TARGET: u64 = 32_000_000;

/// The same command with the long list and with an empty one; the difference is what the list costs.
pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let file = session.file("long.rpsl");
    std::fs::write(&file, rpsl()).with_context(|| format!("{} cannot be written", file.display()))?;
    let server = Irrd::of_file(session, &file).await?;
    let (mut storing, mut reading) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for round in 1..=session.rounds {
        for (name, entries) in [("AS-LONG", u64::from(ROUTES)), ("AS-EMPTY", 0)] {
            let database = session.database(Kind::Sqlite, "irr_long").await?;
            fill(&database, &[name.to_owned()]).await?;
            let mut command = session.program(Some(&database), None);
            settings(&mut command, &server).env("PEERING_MANAGER_BGPQ3_SOURCES", SOURCE);
            let grabbed = measure(with(command, &["-q", "grab_prefixes"]), &[0]).await?;
            let found: u64 = stored(&database).await?.values().sum();
            ensure!(found == entries, "{found} entries of {name} were stored, not {entries}");
            let command = session.program(Some(&database), None);
            if entries > 0 {
                storing.0.push(grabbed);
                reading.0.push(measure(with(command, &["irr", "show", "1001", "--generation"]), &[0]).await?);
            } else {
                storing.1.push(grabbed);
                reading.1.push(measure(with(command, &["jobs", "list"]), &[0]).await?);
            }
            session.remove(&database).await?;
        }
        say(&format!("one list of {ROUTES} prefixes, {round}"));
    }
    for (what, (long, idle)) in [("storing", storing), ("reading", reading)] {
        let (long, idle) = (memory(&long), memory(&idle));
        let name = format!("memory for {what} one list of {ROUTES} prefixes");
        report.memory_within(name, long.saturating_sub(idle), TARGET);
        report.note(format!(
            "{what} one list of {ROUTES} prefixes: {} with it, {} without.",
            size(long),
            size(idle)
        ));
    }
    Ok(())
}

/// An AS-SET with many routes, every second /24 from 11.0.0.0 on so that none can be joined, and one without any.
fn rpsl() -> String {
    let mut text = String::new();
    for (set, asn) in [("AS-LONG", 3000), ("AS-EMPTY", 3001)] {
        // Writing to a string does not fail.
        let _ = writeln!(text, "as-set: {set}\nmembers: AS{asn}\nsource: {SOURCE}\n");
    }
    for nth in 0..ROUTES {
        let address = std::net::Ipv4Addr::from_bits((11 << 24) + nth * 512);
        let _ = writeln!(text, "route: {address}/24\norigin: AS3000\nsource: {SOURCE}\n");
    }
    text
}
