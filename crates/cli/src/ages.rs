//! Spans of time, for people.

use chrono::{DateTime, Utc};

/// So many seconds in the largest unit that fits.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        172_800.. => format!("{} d", seconds / 86_400),
    }
}

/// How old a polled value is, and whether that is too old.
pub(crate) fn polled(age: Option<i64>, stale: bool) -> String {
    match (age, stale) {
        (None, _) => "never".to_owned(),
        (Some(age), false) => format!("{} ago", span(age)),
        (Some(age), true) => format!("{} ago, stale", span(age)),
    }
}

/// Since when, as a span up to now.
pub(crate) fn since(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span((now - time).num_seconds())
}

/// A moment.
pub(crate) fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_one_unit() {
        let told: Vec<String> = [-5, 0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(span).into();
        assert_eq!(told, ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]);
        assert_eq!(polled(Some(10_800), true), "3 h ago, stale");
        assert_eq!(polled(Some(60), false), "60 s ago");
        assert_eq!(polled(None, true), "never");
    }
}
