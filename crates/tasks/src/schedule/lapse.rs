//! The time that schedules go by.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// The time that schedules go by: the clock's, or for tests one that runs faster from an agreed moment on, so that days
/// pass in minutes. Leases, signs of life and jobs always go by the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ScheduleTime {
    /// The clock's.
    #[default]
    Clock,
    /// `factor` times as fast.
    Lapse {
        /// The schedules' time at `started`.
        since: DateTime<Utc>,
        /// The clock's time at that moment; all processes must be given the same.
        started: DateTime<Utc>,
        /// Seconds of the schedules in a second of the clock.
        factor: u32,
    },
}

impl ScheduleTime {
    /// What time it is for schedules when the clock says `clock`.
    pub fn at(self, clock: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Clock => clock,
            Self::Lapse { since, started, factor } => {
                let passed = (clock - started).num_microseconds().unwrap_or_default();
                let passed = passed.saturating_mul(i64::from(factor));
                since.checked_add_signed(TimeDelta::microseconds(passed)).unwrap_or(since).trunc_subsecs(6)
            }
        }
    }

    /// How long the clock takes for this much of the schedules' time.
    pub fn wait(self, time: TimeDelta) -> Duration {
        let time = time.to_std().unwrap_or_default();
        match self {
            Self::Clock => time,
            Self::Lapse { factor, .. } => time / factor.max(1),
        }
    }

    /// From when on the slots of a schedule count that was never planned. A fast clock knows nothing of when people
    /// changed it.
    pub(crate) fn counts_from(self, counts_from: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Clock => counts_from.unwrap_or(now),
            Self::Lapse { .. } => now,
        }
    }
}
