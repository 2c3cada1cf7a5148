//! When a schedule's slots are: pure computation, the same in every process.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use chrono_tz::Tz;
use pm_store::schedules::{Definition, Planned};
use sha2::{Digest as _, Sha256};

use super::cron::Expression;

/// Slots that are counted at once after a long time without a scheduler; the rest comes in the next step.
const STEP: usize = 10_000;

/// When the slots of a schedule are.
#[derive(Clone, Debug)]
pub struct Timing {
    every: Every,
    jitter: i64,
    zone: Tz,
}

#[derive(Clone, Debug)]
enum Every {
    Cron(Box<Expression>),
    Interval(TimeDelta),
}

/// The slots whose time has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reached {
    /// All of them, in order.
    pub(crate) slots: Vec<DateTime<Utc>>,
    /// The one after them, if there is one.
    pub(crate) next: Option<Planned>,
    /// Whether that one's time has come as well; there were too many to count at once.
    pub(crate) more: bool,
}

impl Timing {
    /// That of a schedule; `time_zone` is the one of the settings. The error names the field that cannot be read.
    pub fn of(definition: &Definition, time_zone: &str) -> Result<Self, (&'static str, String)> {
        let zone = definition.time_zone.as_deref().unwrap_or(time_zone);
        let zone = zone.parse().map_err(|_| {
            let like = "it is called as in the IANA database, such as Europe/Berlin";
            ("time_zone", format!("{zone:?} is no time zone; {like}"))
        })?;
        let every = match (&definition.cron, definition.interval_seconds) {
            (Some(cron), None) => {
                Every::Cron(Box::new(Expression::parse(cron).map_err(|why| ("cron", why))?))
            }
            (None, Some(seconds)) => Every::Interval(
                TimeDelta::try_seconds(seconds)
                    .filter(|interval| *interval > TimeDelta::zero())
                    .ok_or_else(|| ("interval", format!("{seconds} s is no interval")))?,
            ),
            _ => {
                return Err((
                    "cron",
                    "a schedule has a cron expression or an interval, and not both".to_owned(),
                ));
            }
        };
        Ok(Self { every, jitter: definition.jitter_seconds, zone })
    }

    /// The zone in which its times are read and shown.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The slot that follows this time, or this slot.
    pub fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.every {
            Every::Cron(expression) => expression.after(time, self.zone),
            Every::Interval(interval) => time.trunc_subsecs(0).checked_add_signed(*interval),
        }
    }

    /// The shortest time between two slots; `None` if there is at most one in a year.
    pub fn nearest(&self) -> Option<TimeDelta> {
        match &self.every {
            Every::Cron(expression) => expression.nearest(),
            Every::Interval(interval) => Some(*interval),
        }
    }

    /// When a slot is to be claimed. The jitter comes from the schedule and the slot alone, so that all processes agree.
    pub fn planned(&self, schedule: i64, slot: DateTime<Utc>) -> Planned {
        if self.jitter <= 0 {
            return Planned { slot, due: slot };
        }
        let digest =
            Sha256::new().chain_update(schedule.to_be_bytes()).chain_update(slot.timestamp().to_be_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        let jitter = u64::from_be_bytes(first) % (self.jitter.unsigned_abs() + 1);
        Planned { slot, due: slot + TimeDelta::seconds(i64::try_from(jitter).unwrap_or_default()) }
    }

    /// The slots that come after this time, or after this slot.
    pub fn coming(&self, schedule: i64, time: DateTime<Utc>) -> impl Iterator<Item = Planned> + '_ {
        let slots = std::iter::successors(self.after(time), |slot| self.after(*slot));
        slots.map(move |slot| self.planned(schedule, slot))
    }

    /// The slots that are due at `now`, beginning with the one that is planned, which is.
    pub(crate) fn reached(&self, schedule: i64, first: DateTime<Utc>, now: DateTime<Utc>) -> Reached {
        let mut slots = vec![first];
        let mut next = None;
        for coming in self.coming(schedule, first) {
            next = Some(coming);
            if coming.due > now || slots.len() >= STEP {
                break;
            }
            slots.push(coming.slot);
            next = None;
        }
        let more = next.is_some_and(|next| next.due <= now);
        Reached { slots, next, more }
    }
}
