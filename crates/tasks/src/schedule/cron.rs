//! Cron expressions in a time zone.
//!
//! [`croner`] reads the expression and says which local times it names; what summer time makes of them is decided here. An
//! expression that names every hour means "so often": it goes on through a change of the clocks, at every instant whose
//! local time it names. Any other means "at that time of the day": a local time that does not exist is taken at the first
//! instant after it, one that exists twice at the first of the two, so that no day has fewer or more of them.

use chrono::{
    DateTime, DurationRound as _, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

/// The longest time that clocks have ever been put forward or back by, in minutes, and some.
const LONGEST_SHIFT: usize = 26 * 60;

/// Slots that are looked at to find the two that are nearest to each other.
const LOOKED_AT: usize = 20_000;

/// The names of the fields, in their order.
const FIELDS: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];

/// A cron expression of five fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    cron: croner::Cron,
    every_hour: bool,
}

impl Expression {
    /// Reads five fields (numbers, `*`, lists, ranges, steps, names of days and months, and croner's `L`, `W` and `#`), or a
    /// name such as `@daily`. The error says what is wrong with which field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let trimmed = if trimmed.eq_ignore_ascii_case("@midnight") { "@daily" } else { trimmed };
        if trimmed.starts_with('@') {
            return read(trimmed).map_err(|_| {
                format!(
                    "{text:?} is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
                )
            });
        }
        let fields: Vec<&str> = trimmed.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(format!(
                "{text:?} has {} fields and not five: minute, hour, day of the month, month, day of the week",
                fields.len()
            ));
        }
        for (place, (field, name)) in fields.iter().zip(FIELDS).enumerate() {
            let mut alone = ["*"; 5];
            alone[place] = field;
            read(&alone.join(" ")).map_err(|why| format!("{field:?} is no {name}: {why}"))?;
        }
        read(&fields.join(" ")).map_err(|why| format!("{text:?} is no cron expression: {why}"))
    }

    /// The first slot after this time; `None` if there is none.
    pub fn after(&self, time: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let local = whole_seconds(time.with_timezone(&zone).naive_local());
        if self.every_hour {
            self.instant_after(time, local, zone)
        } else {
            self.time_of_day_after(time, local, zone)
        }
    }

    /// The shortest time between two slots that follow each other, in a year with a leap day, summer time aside.
    pub fn nearest(&self) -> Option<TimeDelta> {
        let first = NaiveDate::from_ymd_opt(2028, 1, 1)?.and_hms_opt(0, 0, 0)?;
        let end = first + TimeDelta::days(366);
        let slots = std::iter::successors(self.local_from(first, true), |slot| self.local_from(*slot, false));
        let slots: Vec<NaiveDateTime> = slots.take_while(|slot| *slot < end).take(LOOKED_AT).collect();
        slots.windows(2).map(|pair| pair[1] - pair[0]).min()
    }

    /// The next local time that is named. To croner these are times in UTC, which knows no summer time.
    fn local_from(&self, time: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&time.and_utc(), inclusive).ok().map(|found| found.naive_utc())
    }

    fn time_of_day_after(
        &self,
        time: DateTime<Utc>,
        mut local: NaiveDateTime,
        zone: Tz,
    ) -> Option<DateTime<Utc>> {
        loop {
            local = self.local_from(local, false)?;
            let instant = match zone.from_local_datetime(&local) {
                MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => instant,
                MappedLocalTime::None => end_of_gap(local, zone)?,
            };
            // In the hour that comes again, the first of the two may be over.
            if instant > time {
                return Some(instant.to_utc());
            }
        }
    }

    fn instant_after(&self, time: DateTime<Utc>, local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
        if let Some(again) = self.in_the_hour_that_comes_again(time, local, zone) {
            return Some(again);
        }
        let mut local = local;
        loop {
            local = self.local_from(local, false)?;
            match zone.from_local_datetime(&local) {
                MappedLocalTime::Single(instant) => return Some(instant.to_utc()),
                MappedLocalTime::Ambiguous(first, second) => {
                    return Some(if first > time { first.to_utc() } else { second.to_utc() });
                }
                MappedLocalTime::None => {}
            }
        }
    }

    /// If the clocks are about to be put back over `time`, and nothing is named before they are: what is named then.
    fn in_the_hour_that_comes_again(
        &self,
        time: DateTime<Utc>,
        local: NaiveDateTime,
        zone: Tz,
    ) -> Option<DateTime<Utc>> {
        let MappedLocalTime::Ambiguous(first, _) = zone.from_local_datetime(&local) else { return None };
        let is_again =
            |local: &NaiveDateTime| matches!(zone.from_local_datetime(local), MappedLocalTime::Ambiguous(..));
        if time >= first + TimeDelta::seconds(1)
            || self.local_from(local, false).is_some_and(|next| is_again(&next))
        {
            return None;
        }
        let minute = TimeDelta::minutes(1);
        let mut begin = local.duration_trunc(minute).ok()?;
        for _ in 0..LONGEST_SHIFT {
            if !is_again(&(begin - minute)) {
                break;
            }
            begin -= minute;
        }
        match zone.from_local_datetime(&self.local_from(begin, true)?) {
            MappedLocalTime::Ambiguous(_, second) => Some(second.to_utc()),
            _ => None,
        }
    }
}

fn read(text: &str) -> Result<Expression, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(text).map_err(|error| error.to_string())?;
    let every_hour = (0..24).all(|hour| cron.pattern.hour_match(hour).unwrap_or(false));
    Ok(Expression { cron, every_hour })
}

fn whole_seconds(time: NaiveDateTime) -> NaiveDateTime {
    time.duration_trunc(TimeDelta::seconds(1)).unwrap_or(time)
}

/// The first instant after a local time that does not exist.
fn end_of_gap(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Tz>> {
    let minutes = std::iter::successors(Some(local), |time| Some(*time + TimeDelta::minutes(1)));
    minutes.take(LONGEST_SHIFT).find_map(|time| zone.from_local_datetime(&time).earliest())
}
