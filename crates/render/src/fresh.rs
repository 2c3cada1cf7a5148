//! `fresh`: refuses to go on with data that nobody has looked after for too long.

use chrono::{DateTime, TimeDelta, Utc};

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::value::Value;
use crate::world::{Data, PrefixList, Row};

/// An age such as `26h`: a number and one of `s`, `m`, `h`, `d`, `w`. `None` for anything else.
pub fn age(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    TimeDelta::try_seconds(number.parse::<u32>().ok().map(i64::from)?.checked_mul(seconds)?)
}

/// An error if what `value` stands on is older than `most`: for an autonomous system its prefix lists, otherwise the
/// PeeringDB records.
pub(crate) fn demand(cx: &Cx, value: Option<&Value>, most: &Value) -> Res<()> {
    let most = cx.text(most)?;
    let Some(limit) = age(&most) else {
        return Err(Fault::value(format!("{most:?} is no age such as 90m, 26h or 2d")));
    };
    let system = match value {
        Some(Value::Record(row)) if &*cx.world.model(row.model).name == "peering.autonomoussystem" => {
            Some(*row)
        }
        _ => None,
    };
    let (what, command, looked): (String, &str, Option<DateTime<Utc>>) = match system {
        Some(row) => (
            format!("prefix lists of AS{}", cx.world.int(row, "asn").unwrap_or_default()),
            "get_irr_data",
            lists_checked(cx, row),
        ),
        None => ("PeeringDB records".to_owned(), "peeringdb_sync", cx.world.peeringdb_synchronised()),
    };
    let stale = |message: String| Err(Fault::new("StaleData", message));
    match looked {
        None => stale(format!("the {what} were never fetched; `{command}` does")),
        Some(time) if cx.now - time > limit => {
            let since = time.format("%Y-%m-%d %H:%M:%S UTC");
            stale(format!("the {what} are older than {most}: last fetched {since}; `{command}` fetches them"))
        }
        Some(_) => Ok(()),
    }
}

/// When the prefix lists of an autonomous system were last looked for with an answer.
pub(crate) fn lists_checked(cx: &Cx, system: Row) -> Option<DateTime<Utc>> {
    let Data::Prefixes(lists) = cx.world.get(system, "prefixes") else { return None };
    // A list that was left out until somebody asks learns here that somebody does.
    for list in [&lists.ipv6, &lists.ipv4] {
        if let PrefixList::Known(source) = list {
            source.len();
        }
    }
    lists.checked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_numbers_with_a_unit() {
        assert_eq!(age("26h"), TimeDelta::try_hours(26));
        assert_eq!(age("90m"), TimeDelta::try_minutes(90));
        for text in ["", "h", "26", "26 h", "-1h", "1y", "ö"] {
            assert_eq!(age(text), None, "{text}");
        }
    }
}
