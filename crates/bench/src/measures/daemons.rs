//! Real BIRD routers, far away: one alone, and ten at once.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

use super::say;
use crate::daemons::Lab;
use crate::process::{measure_output, median};
use crate::report::{Report, time};
use crate::session::Session;

const ROUTERS: u32 = 10;
/// Times one router that polling ten may take, and changing them.
const POLL: f64 = 1.5;
const CHANGE: f64 = 2.0;
/// The same of `configure_routers`.
const DEPLOY: f64 = 2.5;

pub(super) async fn run(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let lab = match Lab::start(session, ROUTERS).await {
        Ok(lab) => lab,
        Err(reason) => {
            report.skipped("10 BIRD routers, 40 ms away", &format!("{reason:#}"));
            return Ok(());
        }
    };
    let (_, output) = measure_output(lab.part(session, session.rounds.max(5)), &[0]).await?;
    drop(lab);
    let mut all: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for line in output.lines() {
        let (name, micros) = line.split_once(' ').context("no name and time")?;
        all.entry(name).or_default().push(Duration::from_micros(micros.parse()?));
    }
    let of = |name: &str| all.get(name).map(|times| median(times)).unwrap_or_default();
    say(&format!(
        "BIRD, 40 ms away: poll {}, ten {}; change {}, ten {}; configure_routers {}, ten {}",
        time(of("poll-one")),
        time(of("poll-all")),
        time(of("change-one")),
        time(of("change-all")),
        time(of("deploy-one")),
        time(of("deploy-all"))
    ));
    report.told("one BIRD router, 40 ms: login and poll", of("poll-one"), None);
    report.told("one BIRD router, 40 ms: login and change", of("change-one"), None);
    report.ratio("10 BIRD routers, 40 ms, polled, beside one", of("poll-all"), of("poll-one"), POLL);
    report.ratio("10 BIRD routers, 40 ms, changed, beside one", of("change-all"), of("change-one"), CHANGE);
    report.told("one BIRD router, 40 ms: configure_routers, SQLite", of("deploy-one"), None);
    report.ratio(
        "10 BIRD routers, 40 ms, configure_routers, SQLite, beside one",
        of("deploy-all"),
        of("deploy-one"),
        DEPLOY,
    );
    report.note(
        "configure_routers renders, compares, guards, records, commits with a timer, connects anew, looks at the sessions and confirms; \
         post_check_min_seconds is 0, so it looks once. The lab's network has no way to a database server.",
    );
    report.note(
        "NAPALM, one router after another, on another day: 10 BIRD routers polled in 3.31 s and changed in 14.6 s, of which a part is \
         paramiko's waiting to fill a segment (Nagle's algorithm); one alone 321 ms and 1.44 s.",
    );
    Ok(())
}
