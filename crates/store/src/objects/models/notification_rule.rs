//! Notification rules: who is told of which events.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::base::{boolean, integer, reference, text};
use crate::events::EventKind;
use crate::objects::forms::is_email;
use crate::objects::model::{Field, Kind, Model, OnDelete, Target, as_given, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.notificationrule",
    table: "extras_notificationrule",
    singular: "notification rule",
    plural: "notification rules",
    fields: vec![
        text("name", 100).unique(),
        boolean("enabled", true),
        Field::new("events", Kind::Json).help("Kinds of events, such as job failed."),
        Field::new("tasks", Kind::Json).nullable().help("Only of these tasks. Empty: of all."),
        Field::new("routers", Kind::Json).nullable().help("Only of these routers. Empty: of all."),
        integer("minimum", 1, 1_000).number(1).help("Equal troubles in a row before the first message."),
        integer("fold_minutes", 0, 525_600)
            .number(360)
            .help("Minutes in which equal troubles are counted and not told again."),
        Field::new("recipients", Kind::Json).nullable().help("E-mail addresses."),
        reference("webhook", Target(&super::webhook::MODEL), OnDelete::SetNull).nullable(),
    ],
    unique_together: &[],
    order: &["name"],
    key: &["name"],
    features: &[],
    needs: &[],
    normalise: as_given,
    check,
    display: by_name,
});

fn check(rule: &Record, _: &Graph, problems: &mut Problems<'_>) {
    for (field, needed) in [("events", true), ("tasks", false), ("routers", false), ("recipients", false)] {
        let list = rule.json(field).map(texts);
        match list {
            Some(None) => problems.field(field, "has to be a list of texts"),
            None | Some(Some([])) if needed => problems.field(field, "has to name at least one"),
            _ => {}
        }
    }
    for event in list(rule, "events").filter(|event| EventKind::told(event).is_none()) {
        let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        problems.field("events", format!("{event:?} is no kind of event; they are {}", known.join(", ")));
    }
    let is_session =
        |event: &str| matches!(EventKind::parse(event), Some(EventKind::SessionDown | EventKind::SessionUp));
    if rule.integer("minimum").is_some_and(|minimum| minimum > 1) && list(rule, "events").any(is_session) {
        problems.field(
            "minimum",
            "has to be 1 for session down and session up: a session comes up before it goes down again, so there are no two \
             in a row; make a rule of their own for sessions",
        );
    }
    for address in list(rule, "recipients").filter(|address| !is_email(address)) {
        problems.field("recipients", format!("{address:?} is not an e-mail address"));
    }
    if rule.integer("webhook").is_none() && list(rule, "recipients").next().is_none() {
        problems.object("nobody would be told: give recipients, a webhook, or both");
    }
}

/// The items, if it is a list of texts.
fn texts(json: &Json) -> Option<&[Json]> {
    json.as_array().filter(|items| items.iter().all(Json::is_string)).map(Vec::as_slice)
}

/// The texts of a list field; none for one that is empty.
pub(crate) fn list<'a>(rule: &'a Record, field: &str) -> impl Iterator<Item = &'a str> {
    rule.json(field).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}
