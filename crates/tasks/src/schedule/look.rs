//! What is to come, and whether all is as it should be.

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::schedules::{self, Planned, Schedule, schedulers};
use pm_store::{Store, StoreError};
use serde::Serialize;

use super::lapse::ScheduleTime;
use super::scheduler::{first, is_at_work};
use super::slot::GRACE;
use super::timing::Timing;

/// A slot that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coming {
    /// The schedule's name.
    pub schedule: String,
    /// The task's name.
    pub task: String,
    /// The time that the schedule names.
    pub slot: DateTime<Utc>,
    /// When it is run: the slot and its jitter.
    pub due: DateTime<Utc>,
    /// The zone in which the schedule is read.
    pub time_zone: String,
    /// The slot in that zone.
    pub local: String,
}

/// The next slots of a schedule, at most `count`, as if it were enabled. The error says what of it cannot be read.
pub fn coming(
    schedule: &Schedule,
    config: &Config,
    count: usize,
    now: DateTime<Utc>,
) -> Result<Vec<Coming>, String> {
    let definition = &schedule.definition;
    let timing =
        Timing::of(definition, &config.time_zone).map_err(|(field, why)| format!("{field}: {why}"))?;
    let planned = match schedule.next_run {
        Some(slot) => Some(timing.planned(schedule.id, slot)),
        None => first(schedule, &timing, ScheduleTime::Clock, now),
    };
    let Some(planned) = planned else { return Ok(Vec::new()) };
    let rest = timing.coming(schedule.id, planned.slot);
    let told = |Planned { slot, due }: Planned| Coming {
        schedule: definition.name.clone(),
        task: definition.task.clone(),
        slot,
        due,
        time_zone: timing.zone().to_string(),
        local: slot.with_timezone(&timing.zone()).format("%Y-%m-%d %H:%M:%S %Z").to_string(),
    };
    Ok(std::iter::once(planned).chain(rest).take(count).map(told).collect())
}

/// How it stands with the schedules as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Schedules that are enabled.
    pub enabled: usize,
    /// Whether a scheduler has ever seen one of them.
    pub planned: bool,
    /// Schedulers that are at work.
    pub schedulers: usize,
    /// Schedules whose time has come and that nobody has run.
    pub late: Vec<Late>,
    /// Schedules that this program cannot read, and why.
    pub unreadable: Vec<(String, String)>,
}

/// A schedule that should have run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// Its name.
    pub name: String,
    /// When it should have.
    pub due: DateTime<Utc>,
}

/// How it stands with the schedules.
pub async fn health(store: &Store, config: &Config, now: DateTime<Utc>) -> Result<Health, StoreError> {
    let mut connection = store.connection().await?;
    let mut session = connection.session();
    let all = schedules::list(&mut session).await?;
    let signs = schedulers::list(&mut session).await?;
    let lease = TimeDelta::seconds(config.lock_lease.into());
    let mut health = Health {
        schedulers: signs.iter().filter(|sign| is_at_work(sign, lease, now)).count(),
        ..Health::default()
    };
    for schedule in all.into_iter().filter(|schedule| schedule.definition.enabled) {
        health.enabled += 1;
        health.planned |= schedule.next_run.is_some();
        let name = schedule.definition.name.clone();
        if let Err(why) = coming(&schedule, config, 1, now) {
            health.unreadable.push((name, why));
        } else if let Some(due) = schedule.due.filter(|due| now - *due > GRACE) {
            health.late.push(Late { name, due });
        }
    }
    Ok(health)
}
