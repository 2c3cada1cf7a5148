//! How fast what routers send is read, and how much memory that takes.

use std::time::Duration;

use anyhow::Context as _;

use super::say;
use crate::parsers::Answer;
use crate::process::{measure_output, median};
use crate::report::{Report, size, time};
use crate::session::Session;

/// Octets of an answer.
const OCTETS: u32 = 40_000_000;
/// Memory of the process for an octet of the answer, which it holds itself.
const TIMES: u64 = 3;

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    for answer in Answer::ALL {
        let (form, fast) = answer.form();
        let mut command = session.part("parse");
        command.args([answer.word(), &OCTETS.to_string(), &session.rounds.to_string()]);
        let (spent, output) = measure_output(command, &[0]).await?;
        let name = format!("reading {} MB of {form}, {}", OCTETS / 1_000_000, answer.word());
        if output.trim() == "none" {
            report.skipped(name, "there is no way in for recorded answers");
            continue;
        }
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
        report.within(name, took, Duration::from_secs_f64(f64::from(length) / 1e6 / f64::from(fast)));
        report.memory_within("– peak memory, the answer included", spent.memory, TIMES * u64::from(length));
    }
    Ok(())
}
