//! Times, printed as Python prints them.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, Offset, TimeZone, Utc};

use crate::error::{Fault, Res};

/// `strftime` with Python's directives.
pub(crate) fn strftime<Tz: TimeZone>(at: &DateTime<Tz>, format: &str, zone: &str) -> String
where
    Tz::Offset: std::fmt::Display,
{
    let mut wanted = String::with_capacity(format.len() + 8);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            wanted.push(c);
            continue;
        }
        match chars.next() {
            Some('f') => {
                let _ = write!(wanted, "{:06}", at.timestamp_subsec_micros());
            }
            Some('Z') => wanted.push_str(zone),
            Some('c') => wanted.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => wanted.push_str("%m/%d/%y"),
            Some('X') => wanted.push_str("%H:%M:%S"),
            Some(
                known @ ('a' | 'A' | 'w' | 'd' | 'b' | 'B' | 'm' | 'y' | 'Y' | 'H' | 'I' | 'M' | 'S' | 'z'
                | 'j' | 'U' | 'W' | 'G' | 'u' | 'V' | 'e' | 'D' | 'F' | 'T' | 'R' | 's' | 'C' | 'g'
                | 'h' | 'n' | 't' | 'k' | 'l' | 'r'),
            ) => {
                wanted.push('%');
                wanted.push(known);
            }
            Some('p') => wanted.push_str("%p"),
            Some('-') => {
                wanted.push_str("%-");
                wanted.extend(chars.next());
            }
            Some('%') | None => wanted.push_str("%%"),
            Some(other) => {
                wanted.push_str("%%");
                wanted.push(other);
            }
        }
    }
    let mut out = String::new();
    if write!(out, "{}", at.format(&wanted)).is_err() {
        return format.to_owned();
    }
    out
}

/// `datetime.isoformat()`.
pub(crate) fn iso(at: &DateTime<FixedOffset>) -> String {
    let micros = at.timestamp_subsec_micros();
    let base = at.format("%Y-%m-%dT%H:%M:%S");
    let zone = at.format("%:z");
    if micros == 0 { format!("{base}{zone}") } else { format!("{base}.{micros:06}{zone}") }
}

/// `repr(datetime)`.
pub(crate) fn repr(at: &DateTime<FixedOffset>) -> String {
    let micros = at.timestamp_subsec_micros();
    let base = at.format("%Y, %-m, %-d, %-H, %-M");
    let mut out = format!("datetime.datetime({base}");
    let seconds = at.timestamp() % 60;
    if seconds != 0 || micros != 0 {
        let _ = write!(out, ", {seconds}");
    }
    if micros != 0 {
        let _ = write!(out, ", {micros}");
    }
    out.push_str(", tzinfo=datetime.timezone.utc)");
    out
}

/// The global function `now`: the time in a named zone.
pub(crate) fn now(at: DateTime<Utc>, format: &str, zone: &str) -> Res<String> {
    let zone: chrono_tz::Tz = zone.parse().map_err(|_| {
        Fault::new("zoneinfo._common.ZoneInfoNotFoundError", format!("'No time zone found with key {zone}'"))
    })?;
    let local = at.with_timezone(&zone);
    let abbreviation = local.format("%Z").to_string();
    let fixed = local.with_timezone(&local.offset().fix());
    Ok(strftime(&fixed, format, &abbreviation))
}
