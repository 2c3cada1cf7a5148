//! What is measured, one file each.

mod daemons;
mod delta;
mod fleet;
mod housekeeping;
mod irr;
mod irr_lists;
mod irr_memory;
mod parsers;
mod polls;
mod queue;
mod render;
mod start;
mod sync;
mod writers;

use clap::ValueEnum;

use crate::database::{Database, Kind};
use crate::peeringdb::PeeringDb;
use crate::process::{Spent, measure};
use crate::report::Report;
use crate::session::Session;

/// Exit codes of a synchronisation that stored what there was: all of it, or all but what was no record.
const SYNCHRONISED: [i32; 2] = [0, 4];

/// Names for `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// The first synchronisation, beside the floor.
    Sync,
    /// How long others wait for the database meanwhile.
    Writers,
    /// A day's changes.
    Delta,
    /// A million old rows of the change log, beside the floor.
    Housekeeping,
    /// Prefix lists from IRR databases, beside bgpq4 and a floor.
    Irr,
    /// Configurations of routers.
    Render,
    /// Real routers with BIRD, far away.
    Daemons,
    /// Many stand-ins for routers, with the drivers alone.
    Fleet,
    /// What routers send, read.
    Parsers,
    /// `poll_bgp_sessions`, and storing a poll.
    Polls,
    /// Jobs through workers.
    Queue,
    /// Commands that do little.
    Start,
}

/// Measures what is in `only`, or everything when that is empty.
pub(crate) async fn run(session: &Session, only: &[Measure], report: &mut Report) -> anyhow::Result<()> {
    let wanted = |measure: Measure| only.is_empty() || only.contains(&measure);
    if [Measure::Sync, Measure::Writers, Measure::Delta].into_iter().any(wanted) {
        say(&format!("inventing a PeeringDB of scale {}", session.scale));
        let peeringdb = PeeringDb::start(session).await?;
        if wanted(Measure::Sync) {
            sync::run(session, &peeringdb, report).await?;
        }
        if wanted(Measure::Writers) {
            writers::run(session, &peeringdb, report).await?;
        }
        if wanted(Measure::Delta) {
            delta::run(session, &peeringdb, report).await?;
        }
    }
    if wanted(Measure::Housekeeping) {
        housekeeping::run(session, report).await?;
    }
    if wanted(Measure::Irr) {
        irr::run(session, report).await?;
    }
    if wanted(Measure::Render) {
        render::run(session, report).await?;
    }
    if wanted(Measure::Daemons) {
        daemons::run(session, report).await?;
    }
    if wanted(Measure::Fleet) {
        fleet::run(session, report).await?;
    }
    if wanted(Measure::Parsers) {
        parsers::run(session, report).await?;
    }
    if wanted(Measure::Polls) {
        polls::run(session, report).await?;
    }
    if wanted(Measure::Queue) {
        queue::run(session, report).await?;
    }
    if wanted(Measure::Start) {
        start::run(session, report).await?;
    }
    report.note("The original's figures were measured on another day, on a machine of the same size.");
    Ok(())
}

/// Where it stands, on stderr: the whole takes minutes.
#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}

async fn synchronise(session: &Session, peeringdb: &PeeringDb, database: &Database) -> anyhow::Result<Spent> {
    let mut command = session.program(Some(database), Some(&peeringdb.api));
    command.args(["peeringdb_sync", "-q"]);
    measure(command, &SYNCHRONISED).await
}

/// A row of the table for each engine that is not there.
fn skip_postgres(session: &Session, report: &mut Report, name: &str) {
    if session.server.is_none() {
        report.skipped(format!("{name}, {}", Kind::Postgres), crate::session::NO_SERVER);
    }
}
