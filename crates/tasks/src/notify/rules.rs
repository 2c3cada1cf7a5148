//! Which rules want an event, and which troubles are told again.
//!
//! Equal troubles are those of one kind about one subject that say the same, numbers and times that stand alone left out. The first is
//! told; those that follow within the fold time are counted, and the next message tells how many there were. What ends a
//! trouble, such as a session that comes up, ends its fold: the next one is told at once.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use pm_store::events::Event;
use pm_store::notifications::{Fold, FoldKey, NewDelivery, Rule};

/// The messages that an event leads to, and what becomes of the folds.
pub(super) fn decide(rules: &[Rule], event: &Event, folds: &mut BTreeMap<FoldKey, Fold>) -> Vec<NewDelivery> {
    let mut deliveries = Vec::new();
    for rule in rules.iter().filter(|rule| fits(rule, event)) {
        let (untold, since) = end(rule, event, folds);
        if !rule.events.contains(&event.kind) {
            continue;
        }
        let told = if event.kind.is_trouble() { fold(rule, event, folds) } else { Some((untold, since)) };
        let Some((folded, folded_since)) = told else { continue };
        deliveries.extend(rule.to.iter().map(|to| NewDelivery {
            rule: rule.id,
            event: event.id,
            to: to.clone(),
            summary: event.title.clone(),
            folded,
            folded_since: folded_since.filter(|_| folded > 0),
        }));
    }
    deliveries
}

/// Whether the rule's filters let the event through. A filter is about events that have what it asks for.
fn fits(rule: &Rule, event: &Event) -> bool {
    let passes = |wanted: &[String], has: Option<&String>| {
        wanted.is_empty() || has.is_none_or(|has| wanted.contains(has))
    };
    passes(&rule.tasks, event.task.as_ref()) && passes(&rule.routers, event.router.as_ref())
}

type Untold = (i64, Option<chrono::DateTime<chrono::Utc>>);

/// Ends the folds of what is over, and gives how many troubles nobody was told of.
fn end(rule: &Rule, event: &Event, folds: &mut BTreeMap<FoldKey, Fold>) -> Untold {
    let mut untold = (0, None);
    for kind in event.kind.ends() {
        if let Some(fold) = folds.remove(&(rule.id, *kind, event.subject.clone())) {
            untold.0 += fold.untold;
            if fold.untold > 0 {
                untold.1 = Some(untold.1.map_or(fold.since, |since| fold.since.min(since)));
            }
        }
    }
    untold
}

/// Counts a trouble. Gives how many came before it that nobody was told of, if it is to be told.
fn fold(rule: &Rule, event: &Event, folds: &mut BTreeMap<FoldKey, Fold>) -> Option<Untold> {
    let message = alike(&event.message);
    let new = || Fold { message: message.clone(), since: event.time, told: None, untold: 0 };
    let fold = folds.entry((rule.id, event.kind, event.subject.clone())).or_insert_with(new);
    if fold.untold == 0 {
        fold.since = event.time;
    }
    fold.untold += 1;
    let same = fold.message == message;
    let ends = |told| told + TimeDelta::minutes(rule.fold_minutes);
    let folded = same && fold.told.is_some_and(|told| event.time < ends(told));
    let enough = fold.told.is_some() || fold.untold >= rule.minimum;
    fold.message = message;
    if folded || !enough {
        return None;
    }
    let before = (fold.untold - 1, Some(fold.since));
    fold.told = Some(event.time);
    fold.untold = 0;
    Some(before)
}

/// What two equal troubles have in common: words that are numbers or times may differ, such as the
/// number of a job, a duration, `2026-11-29` and `01:00:00`.
fn alike(message: &str) -> String {
    let number = |word: &str| {
        let word = word.trim_matches(|letter: char| letter.is_ascii_punctuation());
        word.bytes().any(|octet| octet.is_ascii_digit())
            && word.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'-' | b':'))
    };
    message.split_whitespace().map(|word| if number(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use pm_store::events::EventKind;
    use pm_store::notifications::Recipient;
    use serde_json::json;

    use super::*;

    fn rule(events: &[EventKind]) -> Rule {
        Rule {
            id: 1,
            name: "r".into(),
            events: events.to_vec(),
            tasks: vec![],
            routers: vec![],
            minimum: 1,
            fold_minutes: 60,
            to: vec![Recipient::Mail("noc@example.net".into())],
        }
    }

    fn event(kind: EventKind, minute: i64, message: &str) -> Event {
        Event {
            id: minute,
            time: DateTime::UNIX_EPOCH + TimeDelta::minutes(minute),
            kind,
            subject: "s".into(),
            title: "t".into(),
            message: message.into(),
            task: Some("peeringdb_sync".into()),
            router: None,
            job: None,
            data: json!({}),
        }
    }

    /// Minute and number of folded ones of what is told.
    fn told(rule: &Rule, events: &[Event]) -> Vec<(i64, i64)> {
        let mut folds = BTreeMap::new();
        let rules = std::slice::from_ref(rule);
        let each = events.iter().flat_map(|event| decide(rules, event, &mut folds));
        each.map(|delivery| (delivery.event, delivery.folded)).collect()
    }

    #[test]
    fn equal_troubles_are_told_once_and_counted() {
        use EventKind::{JobCompleted, JobFailed};
        let failed = |minute, message: &str| event(JobFailed, minute, message);
        let only = rule(&[JobFailed]);
        let row = [
            failed(0, "HTTP 503 after 12 s"),
            failed(10, "HTTP 503 after 9 s"),
            failed(59, "HTTP 503 after 9 s"),
        ];
        assert_eq!(told(&only, &row), [(0, 0)]);
        let later =
            [&row[..], &[failed(61, "HTTP 503 after 1 s"), failed(62, "HTTP 503 after 1 s")]].concat();
        assert_eq!(told(&only, &later), [(0, 0), (61, 2)]);
        // Another trouble is told at once, with what came before.
        let other = [&row[..], &[failed(60, "edge1 refused")]].concat();
        assert_eq!(told(&only, &other), [(0, 0), (60, 2)]);
        // A recovery ends the fold, also when nobody wants to hear of it.
        let recovered = [&row[..], &[event(JobCompleted, 60, ""), failed(61, "HTTP 503 after 9 s")]].concat();
        assert_eq!(told(&only, &recovered), [(0, 0), (61, 0)]);
        assert_eq!(told(&rule(&[JobFailed, JobCompleted]), &recovered), [(0, 0), (60, 2), (61, 0)]);
    }

    #[test]
    fn a_minimum_waits_for_so_many_in_a_row() {
        use EventKind::{JobCompleted, JobFailed};
        let rule = Rule { minimum: 3, ..rule(&[JobFailed]) };
        let failed = |minute| event(JobFailed, minute, "m");
        let recovered = [failed(0), failed(1), event(JobCompleted, 2, ""), failed(3), failed(4)];
        assert_eq!(told(&rule, &recovered), []);
        assert_eq!(told(&rule, &[failed(0), failed(1), failed(2), failed(3)]), [(2, 2)]);
    }

    #[test]
    fn times_of_day_do_not_make_another_trouble() {
        let missed = |minute, time: &str| {
            let why = "no scheduler was at work then";
            event(
                EventKind::ScheduleMissed,
                minute,
                &format!("housekeeping was not run at {time} UTC: {why}."),
            )
        };
        let row = [missed(0, "2026-11-29 01:00:00"), missed(1, "2026-11-30 02:00:00")];
        assert_eq!(told(&rule(&[EventKind::ScheduleMissed]), &row), [(0, 0)]);
        assert_eq!(alike("the port xe-0/0/1: down - for 3 s"), "the port xe-0/0/1: down - for # s");
    }

    #[test]
    fn filters_are_about_events_that_have_it() {
        let of = |task: &str| Rule { tasks: vec![task.into()], ..rule(&[EventKind::JobFailed]) };
        let failed = [event(EventKind::JobFailed, 0, "m")];
        assert_eq!(told(&of("peeringdb_sync"), &failed).len(), 1);
        assert_eq!(told(&of("housekeeping"), &failed).len(), 0);
        let on = Rule { routers: vec!["edge1".into()], ..rule(&[EventKind::JobFailed]) };
        assert_eq!(told(&on, &failed).len(), 1, "it is about no router");
    }

    #[test]
    fn what_is_never_told_ends_a_trouble_too() {
        use EventKind::{GuardHeld, GuardPassed, ScheduleMissed, ScheduleRun};
        for (trouble, end) in [(GuardHeld, GuardPassed), (ScheduleMissed, ScheduleRun)] {
            let row =
                [event(trouble, 0, "m"), event(trouble, 1, "m"), event(end, 2, ""), event(trouble, 3, "m")];
            assert_eq!(told(&rule(&[trouble]), &row), [(0, 0), (3, 0)], "{end:?}");
            let twice = Rule { minimum: 2, ..rule(&[trouble]) };
            let row =
                [event(trouble, 0, "m"), event(end, 1, ""), event(trouble, 2, "m"), event(trouble, 3, "m")];
            assert_eq!(told(&twice, &row), [(3, 1)], "{end:?}");
        }
    }

    #[test]
    fn no_fold_time_tells_every_one() {
        let rule = Rule { fold_minutes: 0, ..rule(&[EventKind::JobFailed]) };
        let row: Vec<Event> = (0..3).map(|minute| event(EventKind::JobFailed, minute, "m")).collect();
        assert_eq!(told(&rule, &row).len(), 3);
    }
}
