//! How it all stands: what `/metrics` and `/health/fresh` tell, and by which age data counts as stale.

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::deployments::Deployment;
use pm_store::queue::Worker;
use pm_store::vitals::{self, Vitals};
use pm_store::{Store, StoreError};
use serde::Serialize;

use crate::queue::is_at_work;
use crate::schedule::is_at_work as schedules;

/// Something that ought to be brought up to date from time to time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is: `peeringdb`, `irr`, `polls` or `housekeeping`.
    pub what: &'static str,
    /// Whether it is older than it should be.
    pub stale: bool,
    /// Seconds since it was last brought up to date; nothing if it never was. Of the routers, the one that has waited longest.
    pub age_seconds: Option<i64>,
    /// From which age on it is stale.
    pub limit_seconds: u32,
    /// The routers that are concerned, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<String>,
    /// The command that brings it up to date.
    pub command: &'static str,
}

/// How it all stands at one moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// That moment.
    pub at: DateTime<Utc>,
    /// The numbers.
    pub vitals: Vitals,
    /// What ought to be up to date. What nobody has a use for yet is not there, such as polls without a router.
    pub checks: Vec<Check>,
    /// Workers that give signs of life.
    pub workers: Vec<Worker>,
    /// Schedulers that do.
    pub schedulers: usize,
    /// Jobs that these can run at the same time.
    pub places: i64,
    /// Deployments that wait for somebody to look after them.
    pub left: Vec<Deployment>,
}

/// Looks.
///
/// # Errors
/// Those of the database.
pub async fn look(store: &Store, config: &Config, now: DateTime<Utc>) -> Result<Standing, StoreError> {
    let vitals = vitals::read(store).await?;
    let lease = TimeDelta::seconds(config.lock_lease.into());
    let workers: Vec<Worker> =
        vitals.workers.iter().filter(|worker| is_at_work(worker, lease, now)).cloned().collect();
    let schedulers = vitals.schedulers.iter().filter(|sign| schedules(sign, lease, now)).count();
    let places = workers.iter().map(|worker| worker.concurrency).sum();
    let checks = checks(&vitals, config, now);
    let timer = TimeDelta::seconds(config.commit_confirm_seconds.into());
    let left = vitals.unsettled.iter().filter(|one| one.is_left(now, timer)).cloned().collect();
    Ok(Standing { at: now, vitals, checks, workers, schedulers, places, left })
}

fn checks(vitals: &Vitals, config: &Config, now: DateTime<Utc>) -> Vec<Check> {
    let peeringdb = (config.peeringdb_stale_after > 0)
        .then(|| check("peeringdb", vitals.peeringdb, config.peeringdb_stale_after, "peeringdb_sync", now));
    let lists: Vec<_> = vitals.lists.iter().filter(|lists| lists.state != "off").collect();
    let irr = (config.irr_stale_after > 0 && !lists.is_empty())
        .then(|| check("irr", vitals.prefix_lists, config.irr_stale_after, "get_irr_data", now));
    let cleaned = vitals.runs.iter().find(|run| run.task == "housekeeping").and_then(|run| run.succeeded);
    let housekeeping = (config.housekeeping_stale_after > 0)
        .then(|| check("housekeeping", cleaned, config.housekeeping_stale_after, "housekeeping", now));
    [peeringdb, irr, polls(vitals, config, now), housekeeping].into_iter().flatten().collect()
}

fn check(
    what: &'static str,
    last: Option<DateTime<Utc>>,
    limit_seconds: u32,
    command: &'static str,
    now: DateTime<Utc>,
) -> Check {
    let age_seconds = last.map(|last| (now - last).num_seconds().max(0));
    let stale = age_seconds.is_none_or(|age| age > i64::from(limit_seconds));
    Check { what, stale, age_seconds, limit_seconds, routers: Vec::new(), command }
}

/// The routers whose sessions are to be polled, all in one.
fn polls(vitals: &Vitals, config: &Config, now: DateTime<Utc>) -> Option<Check> {
    let limit = config.poll_stale_after;
    let each = vitals.routers.iter().filter(|router| router.is_polled && router.status != "disabled");
    let each: Vec<_> =
        each.map(|router| (router, check("polls", router.polled, limit, "poll_bgp_sessions", now))).collect();
    let worst = each.iter().map(|(_, check)| check).max_by_key(|check| check.age_seconds.unwrap_or(i64::MAX));
    let routers =
        each.iter().filter(|(_, check)| check.stale).map(|(router, _)| router.name.clone()).collect();
    worst.map(|worst| Check { routers, ..worst.clone() })
}
