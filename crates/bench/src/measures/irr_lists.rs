//! Prefix lists without the program around them: beside bare pipelining, and one that is very long.

use std::time::Duration;

use anyhow::ensure;

use super::irr::{Servers, lengths, way};
use super::say;
use super::sync::{both, wall};
use crate::irrd::SOURCES;
use crate::process::{measure_output, median};
use crate::report::Report;
use crate::session::Session;

/// Times the floor that the lists may take.
const TARGET: f64 = 1.5;
/// What aggregating a million prefixes may take.
const AGGREGATION: Duration = Duration::from_secs(1);

/// Both take turns, so that a busy moment of the machine meets both.
pub(super) async fn run(
    session: &Session,
    servers: &Servers,
    names: &[String],
    report: &mut Report,
) -> anyhow::Result<()> {
    let lists = names.len() * 2;
    for (server, delay) in [(&servers.far, super::irr::DELAY), (&servers.near, 0)] {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for round in 1..=session.rounds {
            let mut command = session.part("lists");
            command.args([&server.address, SOURCES]).args(names);
            let (spent, output) = measure_output(command, &[0]).await?;
            let made = lengths(&output)?.len();
            ensure!(made == lists, "{made} lists were made of {lists}");
            ours.push(spent);
            let mut command = session.part("floor-irr");
            command.arg(&server.address).args(names);
            let (spent, output) = measure_output(command, &[0]).await?;
            let words: u64 = output.trim().parse()?;
            ensure!(words > 0, "the floor got nothing");
            floor.push(spent);
            say(&format!("lists alone, {}, {round}: {}", way(delay), both(&ours, &floor)));
        }
        let name = format!("{lists} lists alone, {}, beside bare pipelining", way(delay));
        report.ratio(name, wall(&ours), wall(&floor), TARGET);
    }
    aggregation(session, report).await
}

async fn aggregation(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let mut command = session.part("aggregate");
    command.arg(session.rounds.to_string());
    let (_, output) = measure_output(command, &[0]).await?;
    let took = output.lines().map(|line| Ok(Duration::from_micros(line.parse()?)));
    let took = took.collect::<anyhow::Result<Vec<Duration>>>()?;
    report.within("aggregating 1000000 prefixes, -A -r 8 -R 24", median(&took), AGGREGATION);
    Ok(())
}
