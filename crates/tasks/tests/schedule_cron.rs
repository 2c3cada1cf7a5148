//! Cron expressions in time zones, compared with a loop over all minutes that knows nothing of croner.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;
use pm_tasks::schedule::Expression;
use proptest::prelude::*;

/// What each field names; `None` is `*`.
#[derive(Clone, Debug)]
struct Fields {
    minutes: Option<BTreeSet<u32>>,
    hours: Option<BTreeSet<u32>>,
    days: Option<BTreeSet<u32>>,
    months: Option<BTreeSet<u32>>,
    weekdays: Option<BTreeSet<u32>>,
}

impl Fields {
    fn text(&self) -> String {
        let field = |values: &Option<BTreeSet<u32>>| {
            let listed =
                |values: &BTreeSet<u32>| values.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            values.as_ref().map_or("*".to_owned(), listed)
        };
        let fields = [&self.minutes, &self.hours, &self.days, &self.months, &self.weekdays];
        fields.map(field).join(" ")
    }

    /// Day of the month and day of the week: if both are given, one is enough.
    fn names_day(&self, time: NaiveDateTime) -> bool {
        let day = self.days.as_ref().map(|days| days.contains(&time.day()));
        let weekday =
            self.weekdays.as_ref().map(|days| days.contains(&time.weekday().num_days_from_sunday()));
        match (day, weekday) {
            (Some(day), Some(weekday)) => day || weekday,
            (day, weekday) => day.or(weekday).unwrap_or(true),
        }
    }

    fn names(&self, time: NaiveDateTime) -> bool {
        let has =
            |values: &Option<BTreeSet<u32>>, value| values.as_ref().is_none_or(|all| all.contains(&value));
        has(&self.minutes, time.minute())
            && has(&self.hours, time.hour())
            && has(&self.months, time.month())
            && self.names_day(time)
    }

    fn names_every_hour(&self) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.len() == 24)
    }

    /// All slots from `from` on, without it, to `to`: minute after minute of real time, with the local times that a jump of
    /// the clocks leaves out or brings again.
    fn slots(&self, from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> Vec<DateTime<Utc>> {
        let minute = TimeDelta::minutes(1);
        let mut slots = Vec::new();
        let mut told = BTreeSet::new();
        // A day earlier, so that what has been told is known.
        let mut time = from - TimeDelta::days(1);
        let mut before = time.with_timezone(&zone).naive_local() - minute;
        while time <= to {
            let local = time.with_timezone(&zone).naive_local();
            let is_named = if self.names_every_hour() {
                self.names(local)
            } else {
                // Every local time since the last minute, also those that the clocks have jumped over.
                let jumped = std::iter::successors(Some(before + minute), |one| Some(*one + minute));
                jumped
                    .take_while(|one| *one <= local)
                    .filter(|one| self.names(*one) && told.insert(*one))
                    .count()
                    > 0
            };
            if is_named && time > from {
                slots.push(time);
            }
            before = local;
            time += minute;
        }
        slots
    }
}

fn after(text: &str, from: DateTime<Utc>, to: DateTime<Utc>, zone: Tz) -> Vec<DateTime<Utc>> {
    let expression = Expression::parse(text).unwrap();
    let next = |time: &DateTime<Utc>| expression.after(*time, zone).filter(|slot| *slot <= to);
    std::iter::successors(next(&from), next).collect()
}

fn some(from: u32, to: u32, most: usize) -> impl Strategy<Value = BTreeSet<u32>> {
    prop::collection::btree_set(from..=to, 1..=most)
}

fn fields() -> impl Strategy<Value = Fields> {
    let seldom = |set| prop_oneof![4 => Just(None), 1 => Strategy::prop_map(set, Some)];
    (
        prop_oneof![1 => Just(None), 8 => some(0, 59, 4).prop_map(Some)],
        // The hours in which clocks are changed more often than others.
        prop_oneof![
            2 => Just(None),
            1 => Just(Some((0..24).collect())),
            3 => some(0, 4, 4).prop_map(Some),
            3 => some(0, 23, 5).prop_map(Some)
        ],
        seldom(some(1, 31, 10).boxed()),
        seldom(some(1, 12, 8).boxed()),
        seldom(some(0, 6, 4).boxed()),
    )
        .prop_map(|(minutes, hours, days, months, weekdays)| Fields {
            minutes,
            hours,
            days,
            months,
            weekdays,
        })
}

const ZONES: [Tz; 6] = [
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::UTC,
    Tz::Asia__Kathmandu,
    Tz::America__St_Johns,
];

/// Days of 2026 on which clocks are changed in one of the zones, and any other day.
fn day() -> impl Strategy<Value = NaiveDateTime> {
    let change = prop::sample::select(vec![(3, 29), (10, 25), (3, 8), (11, 1), (4, 5), (10, 4)]);
    let any = (1..=12_u32, 1..=28_u32);
    prop_oneof![4 => change, 1 => any].prop_map(|(month, day)| {
        chrono::NaiveDate::from_ymd_opt(2026, month, day).unwrap().and_hms_opt(0, 0, 0).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn slots_are_those_of_a_loop_over_all_minutes(
        fields in fields(),
        zone in prop::sample::select(&ZONES[..]),
        day in day(),
        begin in 0..3_i64 * 1440,
        seconds in 0..60_i64,
    ) {
        let begin = (day - TimeDelta::days(2)).and_utc() + TimeDelta::minutes(begin);
        let end = (day + TimeDelta::days(2)).and_utc();
        let expected = fields.slots(begin, end, zone);
        prop_assert_eq!(after(&fields.text(), begin, end, zone), expected.clone(), "{} in {}", fields.text(), zone);
        // From somewhere within a minute it is the same, but for a slot at its beginning.
        let within = begin + TimeDelta::seconds(seconds);
        prop_assert_eq!(after(&fields.text(), within, end, zone), expected, "{} in {}", fields.text(), zone);
    }
}

fn times(text: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let slots = after(text, instant(from), instant(to), zone);
    slots.iter().map(|slot| slot.with_timezone(&zone).format("%H:%M %Z").to_string()).collect()
}

#[test]
fn a_time_that_does_not_exist_is_taken_at_the_next_instant() {
    // In Berlin the clocks went from 02:00 to 03:00 on 29 March 2026, at 01:00 UTC.
    let day = ("2026-03-28T23:00:00Z", "2026-03-29T20:00:00Z");
    let berlin = Tz::Europe__Berlin;
    assert_eq!(times("30 2 * * *", berlin, day.0, day.1), ["03:00 CEST"]);
    assert_eq!(times("0,30 2,3 * * *", berlin, day.0, day.1), ["03:00 CEST", "03:30 CEST"]);
    assert_eq!(times("*/20 2 * * *", berlin, day.0, day.1), ["03:00 CEST"]);
    // What runs every hour goes on every hour.
    let early = "2026-03-29T03:00:00Z";
    assert_eq!(
        times("55 * * * *", berlin, day.0, early),
        ["00:55 CET", "01:55 CET", "03:55 CEST", "04:55 CEST"]
    );
}

#[test]
fn a_time_that_exists_twice_is_taken_once() {
    // In Berlin the clocks went from 03:00 back to 02:00 on 25 October 2026, at 01:00 UTC.
    let (from, to) = ("2026-10-24T22:00:00Z", "2026-10-25T03:00:00Z");
    let berlin = Tz::Europe__Berlin;
    assert_eq!(times("30 2 * * *", berlin, from, to), ["02:30 CEST"]);
    assert_eq!(
        times("*/20 2,3 * * *", berlin, from, to),
        ["02:00 CEST", "02:20 CEST", "02:40 CEST", "03:00 CET", "03:20 CET", "03:40 CET"]
    );
    // What runs every hour goes on every hour.
    assert_eq!(
        times("55 * * * *", berlin, from, to),
        ["00:55 CEST", "01:55 CEST", "02:55 CEST", "02:55 CET", "03:55 CET"]
    );
    // By half an hour, on Lord Howe.
    let (from, to) = ("2026-04-04T14:00:00Z", "2026-04-04T16:10:00Z");
    assert_eq!(times("45 1 * * *", Tz::Australia__Lord_Howe, from, to), ["01:45 +11"]);
    assert_eq!(
        times("*/15 * * * *", Tz::Australia__Lord_Howe, from, "2026-04-04T15:30:00Z"),
        ["01:15 +11", "01:30 +11", "01:45 +11", "01:30 +1030", "01:45 +1030", "02:00 +1030"]
    );
}

#[test]
fn a_day_that_was_left_out_is_taken_at_its_end() {
    // Samoa had no 30 December 2011.
    let apia = Tz::Pacific__Apia;
    let slots = after(
        "0 12 * * *",
        apia.with_ymd_and_hms(2011, 12, 29, 0, 0, 0).unwrap().to_utc(),
        apia.with_ymd_and_hms(2012, 1, 1, 0, 0, 0).unwrap().to_utc(),
        apia,
    );
    let told: Vec<_> =
        slots.iter().map(|slot| slot.with_timezone(&apia).format("%d %H:%M").to_string()).collect();
    assert_eq!(told, ["29 12:00", "31 00:00", "31 12:00"]);
}

#[test]
fn names_and_nicknames_are_read() {
    let from = "2026-01-01T00:00:30Z".parse().unwrap();
    for (text, next) in [
        ("@hourly", "2026-01-01T01:00:00Z"),
        ("@daily", "2026-01-02T00:00:00Z"),
        ("@midnight", "2026-01-02T00:00:00Z"),
        ("@weekly", "2026-01-04T00:00:00Z"),
        ("@monthly", "2026-02-01T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("0 6 * * mon-fri", "2026-01-01T06:00:00Z"),
        ("0 6 * FEB Sun", "2026-02-01T06:00:00Z"),
        ("0 6 * * 7", "2026-01-04T06:00:00Z"),
        ("15 3 L * *", "2026-01-31T03:15:00Z"),
        ("15 3 * * 2#2", "2026-01-13T03:15:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("  5   4 * * * ", "2026-01-01T04:05:00Z"),
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.after(from, Tz::UTC), Some(next.parse().unwrap()), "{text}");
    }
    let never = Expression::parse("0 0 30 2 *").unwrap();
    assert_eq!(never.after(from, Tz::UTC), None);
}

#[test]
fn what_is_wrong_is_said_of_its_field() {
    for (text, why) in [
        ("", "has 0 fields and not five"),
        ("* * * *", "has 4 fields and not five"),
        ("0 30 2 * * *", "has 6 fields and not five"),
        ("60 * * * *", "\"60\" is no minute"),
        ("0 24 * * *", "\"24\" is no hour"),
        ("0 0 32 * *", "\"32\" is no day of the month"),
        ("0 0 * 13 *", "\"13\" is no month"),
        ("0 0 * * 8", "\"8\" is no day of the week"),
        ("0 5-2 * * *", "\"5-2\" is no hour"),
        ("*/0 * * * *", "\"*/0\" is no minute"),
        ("0 o * * *", "\"o\" is no hour"),
        ("@reboot", "is none of @hourly"),
        ("@", "is none of @hourly"),
        ("0 @daily * * *", "is no hour"),
        ("ö * * * *", "is no minute"),
    ] {
        let error = Expression::parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn the_nearest_slots_are_found() {
    for (text, nearest) in [
        ("* * * * *", Some(1)),
        ("0 * * * *", Some(60)),
        ("0,59 3 * * *", Some(59)),
        ("30 2 * * *", Some(1440)),
        ("0 0 * * 1", Some(7 * 1440)),
        ("0 0 29 2 *", None),
        ("55 23 31 12 *", None),
        ("0 0 1,2 1 *", Some(1440)),
    ] {
        let found = Expression::parse(text).unwrap().nearest();
        assert_eq!(found, nearest.map(TimeDelta::minutes), "{text}");
    }
}
