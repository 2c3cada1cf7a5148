//! Many stand-ins for vendors' routers, with the drivers alone.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

use super::say;
use crate::fleet::Fleet;
use crate::process::{Spent, measure_output};
use crate::report::{Report, size, time};
use crate::session::Session;

/// Half of the round trip, in milliseconds.
pub(super) const DELAY: u32 = 25;
pub(super) const SESSIONS: u32 = 200;
/// What all may take, and what the client may have in memory.
pub(super) const TARGET: Duration = Duration::from_mins(1);
pub(super) const MEMORY: u64 = 500_000_000;
/// At a time, as the setting `router_concurrency` has it.
const CONCURRENCY: usize = 32;
/// Times the slowest one that a hundred at once may take.
const AT_ONCE: f64 = 3.0;

/// A thousand, or a hundred where it is to be quick.
pub(super) fn routers(session: &Session) -> u32 {
    if session.scale < 1.0 { 100 } else { 1000 }
}

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let routers = routers(session);
    let fleet = Fleet::start(session, "fleet", routers, SESSIONS, DELAY).await?;
    // One of each kind alone, a few times; the slowest of them is what a hundred are compared with.
    let mut alone: BTreeMap<String, Duration> = BTreeMap::new();
    for _ in 0..3 {
        let (_, times, _) = poll(session, &fleet, 3, 1).await?;
        for (platform, took) in times {
            let best = alone.entry(platform).or_insert(took);
            *best = took.min(*best);
        }
    }
    for (platform, took) in &alone {
        report.told(format!("one {platform} stand-in, {SESSIONS} sessions, 50 ms"), *took, None);
    }
    let slowest = alone.values().max().copied().context("nothing was polled")?;
    let (_, _, all) = poll(session, &fleet, 100, 100).await?;
    say(&format!("100 stand-ins at once: {}, the slowest alone {}", time(all), time(slowest)));
    report.ratio("100 stand-ins at once, beside the slowest alone", all, slowest, AT_ONCE);
    let (spent, _, all) = poll(session, &fleet, routers as usize, CONCURRENCY).await?;
    say(&format!("{routers} stand-ins: {}, {}", time(all), size(spent.memory)));
    let name = format!("{routers} stand-ins, {SESSIONS} sessions each, 50 ms, {CONCURRENCY} at a time");
    report.within(&name, all, TARGET);
    report.memory_within("– peak memory of the client", spent.memory, MEMORY);
    report.told("– processor time of the client", spent.processor, None);
    Ok(())
}

type Times = Vec<(String, Duration)>;

/// What the process took, what each router took, and what all took.
async fn poll(
    session: &Session,
    fleet: &Fleet,
    count: usize,
    at_once: usize,
) -> anyhow::Result<(Spent, Times, Duration)> {
    let mut command = session.part("poll");
    command.arg(&fleet.directory).arg(count.to_string()).arg(at_once.to_string());
    let (spent, output) = measure_output(command, &[0]).await?;
    let mut times = Vec::new();
    for line in output.lines() {
        let (name, micros) = line.split_once(' ').context("no name and time")?;
        times.push((name.to_owned(), Duration::from_micros(micros.parse()?)));
    }
    let (_, all) = times.pop().context("nothing was polled")?;
    Ok((spent, times, all))
}
