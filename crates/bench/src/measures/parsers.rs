//! How fast what routers send is read, and how much memory that takes.

use std::time::Duration;

use anyhow::Context as _;

use super::say;
use crate::parsers::{GOALS, MEMORY};
use crate::process::{measure_output, median};
use crate::report::{Report, size, time};
use crate::session::Session;

/// Octets of an answer.
const OCTETS: u32 = 40_000_000;

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    for goal in GOALS {
        let file = session.file("answer");
        let mut make = session.part("make-answer");
        make.arg(goal.name).arg(OCTETS.to_string()).arg(&file);
        measure_output(make, &[0]).await?;
        let mut command = session.part("parse");
        command.arg(goal.name).arg(&file).arg(session.rounds.to_string());
        let (spent, output) = measure_output(command, &[0]).await?;
        let name = format!("reading {} MB, {}", OCTETS / 1_000_000, goal.name);
        let mut took = Vec::new();
        let mut length = 0_u32;
        for line in output.lines() {
            let (octets, micros) = line.split_once(' ').context("no length and time")?;
            length = octets.parse()?;
            took.push(Duration::from_micros(micros.parse()?));
        }
        let took = median(&took);
        let speed = f64::from(length) / 1e6 / took.as_secs_f64();
        say(&format!("{name}: {}, {speed:.0} MB/s, {}", time(took), size(spent.memory)));
        let wanted = f64::from(length) / 1e6 / f64::from(goal.speed);
        report.within(name, took, Duration::from_secs_f64(wanted));
        let limit = u64::from(1 + MEMORY) * u64::from(length);
        report.memory_within("– peak memory, the answer included", spent.memory, limit);
    }
    std::fs::remove_file(session.file("answer"))?;
    Ok(())
}
