//! What an answer means for the list that is there: the guards that keep a good list.

use pm_store::irr::{Kind, List, NewList, State, Verdict};

/// What came back for one list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// A list; `found` prefixes or AS numbers were behind it before anything was aggregated.
    List {
        /// The list; may be empty, when the server knows the names and there is nothing behind them.
        list: NewList,
        /// Prefixes or AS numbers behind it.
        found: i64,
    },
    /// A list that lacks one of several names.
    Partly {
        /// The list of the others.
        list: NewList,
        /// Prefixes or AS numbers behind it.
        found: i64,
        /// Which name, and why.
        why: String,
    },
    /// No data, and the server cannot say whether the names exist. `list` is the empty list.
    Nothing {
        /// The empty list.
        list: NewList,
    },
    /// No usable answer.
    Failed(String),
    /// The operator wants no list.
    Off,
}

/// The operator's limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    /// Longest prefix list that is shown, in entries per family; 0 is any length.
    pub(crate) limit: u32,
    /// Percentage of what is behind a list that it may lose.
    pub(crate) shrink_percent: u8,
    /// How many times as much may be behind it; 0 is any number.
    pub(crate) growth: u32,
    /// Whether somebody has looked and wants what the guards hold back.
    pub(crate) force: bool,
}

/// Decides.
pub(crate) fn judge(kind: Kind, before: Option<&State>, answer: Answer, guards: Guards) -> Verdict {
    let (list, found, known, lacks) = match answer {
        Answer::Off => return Verdict::Off,
        Answer::Failed(why) => return Verdict::Failed { why },
        Answer::List { list, found } => (list, found, true, None),
        Answer::Partly { list, found, why } => (list, found, true, Some(why)),
        Answer::Nothing { list } => (list, 0, false, None),
    };
    let old = before.and_then(|state| state.list.as_ref());
    let old_found = before.map_or(0, |state| state.found);
    let suspicion = || {
        let lacks = lacks.clone().filter(|_| old.is_some());
        let compared = old.and_then(|old| suspicion(old.entries, old_found, list.entries, found, guards));
        lacks.or(compared).or_else(|| wide_open(kind, old, &list))
    };
    let limit = i64::from(guards.limit);
    if kind != Kind::AsList && limit > 0 && list.entries > limit {
        // A list that was short enough is not taken away by whoever fills up the set of its peer.
        return match suspicion().filter(|_| !guards.force && old.is_some_and(|old| old.entries <= limit)) {
            Some(reason) => Verdict::Held { list, found, reason },
            None => Verdict::TooBig { entries: list.entries },
        };
    }
    if old.is_some_and(|old| old.digest == list.digest) {
        return Verdict::Same { found };
    }
    if guards.force {
        return Verdict::Replaced { list, found };
    }
    if old.is_none() && !known {
        let why =
            "there is no data, and the server cannot say whether the name exists; --force takes it as empty";
        return Verdict::Failed { why: why.to_owned() };
    }
    match suspicion() {
        Some(reason) => Verdict::Held { list, found, reason },
        None => Verdict::Replaced { list, found },
    }
}

/// Why the new list should be looked at first.
fn suspicion(old_entries: i64, old_found: i64, entries: i64, found: i64, guards: Guards) -> Option<String> {
    if old_entries == 0 {
        return None;
    }
    if entries == 0 {
        return Some(format!("becomes empty, had {old_entries} entries"));
    }
    let lost = old_found.saturating_sub(found);
    if lost.saturating_mul(100) > old_found.saturating_mul(guards.shrink_percent.into()) {
        return Some(format!(
            "shrinks from {old_found} to {found}, by more than {} %",
            guards.shrink_percent
        ));
    }
    if guards.growth > 0 && found > old_found.max(1).saturating_mul(guards.growth.into()) {
        return Some(format!("grows from {old_found} to {found}, more than {} times", guards.growth));
    }
    None
}

/// Why a list that lets in a large part of all addresses should be looked at first: one route object can do that, so
/// numbers do not show it. A list that was like that before is left alone.
fn wide_open(kind: Kind, old: Option<&List>, new: &NewList) -> Option<String> {
    let widest = match kind {
        Kind::Ipv4 => 8,
        Kind::Ipv6 => 16,
        Kind::AsList => return None,
    };
    let shortest = new.shortest.filter(|length| *length < widest)?;
    let known = old.and_then(|old| old.shortest).is_some_and(|length| length <= shortest);
    (!known).then(|| format!("would let in a /{shortest}, more than a /{widest}"))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use pm_store::irr::Stand;

    use super::*;

    const GUARDS: Guards = Guards { limit: 0, shrink_percent: 50, growth: 10, force: false };

    fn list(entries: i64) -> NewList {
        let digest = format!("{entries}").into_bytes();
        NewList { kind: Kind::Ipv4, digest, entries, shortest: Some(24), data: vec![], blocks: vec![] }
    }

    fn state(entries: i64, found: i64) -> State {
        State {
            autonomous_system: 1,
            kind: Kind::Ipv4,
            state: Stand::Current,
            list: Some(List {
                id: 1,
                digest: format!("{entries}").into_bytes(),
                entries,
                shortest: Some(24),
            }),
            found,
            too_long: None,
            taken: None,
            checked: DateTime::from_timestamp(0, 0).unwrap(),
            answered: None,
            failure: None,
            held: None,
        }
    }

    fn answer(entries: i64, found: i64) -> Answer {
        Answer::List { list: list(entries), found }
    }

    fn verdict(before: Option<&State>, answer: Answer, guards: Guards) -> String {
        match judge(Kind::Ipv4, before, answer, guards) {
            Verdict::Same { .. } => "same".to_owned(),
            Verdict::Replaced { .. } => "replaced".to_owned(),
            Verdict::Held { reason, .. } => format!("held: {reason}"),
            Verdict::TooBig { entries } => format!("too big: {entries}"),
            Verdict::Off => "off".to_owned(),
            Verdict::Failed { why } => format!("failed: {why}"),
        }
    }

    #[test]
    fn a_list_that_vanishes_shrinks_or_explodes_is_held() {
        let before = state(40, 100);
        for (new, expected) in [
            (answer(40, 100), "same"),
            (answer(39, 100), "replaced"),
            (answer(20, 50), "replaced"),
            (answer(20, 49), "held: shrinks from 100 to 49, by more than 50 %"),
            (answer(0, 0), "held: becomes empty, had 40 entries"),
            (answer(0, 12), "held: becomes empty, had 40 entries"),
            (answer(400, 1000), "replaced"),
            (answer(400, 1001), "held: grows from 100 to 1001, more than 10 times"),
            (Answer::Nothing { list: list(0) }, "held: becomes empty, had 40 entries"),
            (Answer::Failed("down".into()), "failed: down"),
            (Answer::Off, "off"),
        ] {
            assert_eq!(verdict(Some(&before), new, GUARDS), expected);
        }
    }

    #[test]
    fn a_list_that_lacks_a_name_waits_where_there_was_one_with_it() {
        let partly =
            |entries| Answer::Partly { list: list(entries), found: 90, why: "AS-X does not exist".into() };
        assert_eq!(verdict(Some(&state(40, 100)), partly(39), GUARDS), "held: AS-X does not exist");
        assert_eq!(verdict(Some(&state(40, 100)), partly(40), GUARDS), "same");
        assert_eq!(verdict(None, partly(40), GUARDS), "replaced");
    }

    #[test]
    fn one_route_object_cannot_open_everything() {
        let open =
            |shortest| Answer::List { list: NewList { shortest: Some(shortest), ..list(41) }, found: 101 };
        let held = "held: would let in a /0, more than a /8";
        assert_eq!(verdict(Some(&state(40, 100)), open(0), GUARDS), held);
        assert_eq!(verdict(None, open(0), GUARDS), held);
        assert_eq!(verdict(Some(&state(40, 100)), open(8), GUARDS), "replaced");
        let mut before = state(40, 100);
        before.list = before.list.map(|list| List { shortest: Some(0), ..list });
        assert_eq!(verdict(Some(&before), open(0), GUARDS), "replaced", "somebody has taken one like that");
    }

    #[test]
    fn force_takes_what_the_guards_hold_but_never_a_failure() {
        let before = state(40, 100);
        let guards = Guards { force: true, ..GUARDS };
        assert_eq!(verdict(Some(&before), answer(0, 0), guards), "replaced");
        assert_eq!(verdict(Some(&before), answer(9, 9000), guards), "replaced");
        assert_eq!(verdict(None, Answer::Nothing { list: list(0) }, guards), "replaced");
        assert_eq!(verdict(Some(&before), Answer::Failed("down".into()), guards), "failed: down");
    }

    #[test]
    fn a_first_list_is_taken_unless_nobody_knows_the_name() {
        assert_eq!(verdict(None, answer(3, 9), GUARDS), "replaced");
        assert_eq!(verdict(None, answer(0, 0), GUARDS), "replaced");
        assert!(
            verdict(None, Answer::Nothing { list: list(0) }, GUARDS).starts_with("failed: there is no data")
        );
        assert_eq!(
            verdict(Some(&state(0, 0)), answer(5000, 9000), GUARDS),
            "replaced",
            "an empty list may grow"
        );
    }

    #[test]
    fn the_operators_limit_comes_before_everything_but_failure() {
        let before = state(40, 100);
        let guards = Guards { limit: 30, ..GUARDS };
        assert_eq!(verdict(Some(&before), answer(40, 100), guards), "too big: 40");
        assert_eq!(verdict(Some(&before), answer(4000, 99_999), guards), "too big: 4000");
        assert_eq!(verdict(Some(&before), answer(30, 60), guards), "replaced");
        let short = state(20, 50);
        assert_eq!(verdict(Some(&short), answer(31, 60), guards), "too big: 31");
        assert!(verdict(Some(&short), answer(4000, 99_999), guards).starts_with("held: grows"));
        assert_eq!(verdict(Some(&before), Answer::Failed("x".into()), guards), "failed: x");
        let as_list = judge(Kind::AsList, Some(&before), answer(40, 100), guards);
        assert!(matches!(as_list, Verdict::Same { .. }), "the limit is for prefixes");
    }
}
