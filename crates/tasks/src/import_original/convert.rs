//! From an object of the original's REST API to a draft.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pm_store::objects::model::{Field, Kind, Model};
use pm_store::objects::record::Draft;
use serde_json::{Map, Value as Json};

/// List and model.
const LISTS: &[(&str, &str)] = &[
    ("extras--tags", "extras.tag"),
    ("extras--config-contexts", "extras.configcontext"),
    ("extras--export-templates", "extras.exporttemplate"),
    ("extras--ix-api", "extras.ixapi"),
    ("extras--webhooks", "extras.webhook"),
    ("bgp--communities", "bgp.community"),
    ("bgp--relationships", "bgp.relationship"),
    ("peering--routing-policies", "peering.routingpolicy"),
    ("net--bfd", "net.bfd"),
    ("devices--platforms", "devices.platform"),
    ("devices--configurations", "devices.configuration"),
    ("messaging--emails", "messaging.email"),
    ("messaging--contact-roles", "messaging.contactrole"),
    ("messaging--contacts", "messaging.contact"),
    ("peering--autonomous-systems", "peering.autonomoussystem"),
    ("peering--bgp-groups", "peering.bgpgroup"),
    ("devices--routers", "devices.router"),
    ("peering--internet-exchanges", "peering.internetexchange"),
    ("net--connections", "net.connection"),
    ("peering--direct-peering-sessions", "peering.directpeeringsession"),
    ("peering--internet-exchange-peering-sessions", "peering.internetexchangepeeringsession"),
    ("peeringdb--hidden-peers", "peeringdb.hiddenpeer"),
    ("messaging--contact-assignments", "messaging.contactassignment"),
    ("extras--config-context-assignments", "extras.configcontextassignment"),
    ("extras--journal-entries", "extras.journalentry"),
];

/// What follows from other fields or from the cache, or is taken elsewhere.
const COMPUTED: &[&str] = &[
    "id",
    "url",
    "display_url",
    "display",
    "created",
    "updated",
    "config_context",
    "exists_in_peeringdb",
    "is_abandoned",
    "is_expired",
    "peeringdb_prefixes",
    "peeringdb_network_id_copy",
    "peeringdb_ixlan_id_copy",
    "tagged_items",
    "kind",
    "object",
    "assigned_object",
    "prefixes",
    "as_list",
    "prefixes_updated",
    "created_by",
    // Without a data source these say nothing.
    "auto_synchronisation_enabled",
    "data_synchronised",
    "data_pushed",
];

/// Lists that have another name in newer versions of the original.
const RENAMED: &[(&str, &str)] = &[("bgp--routing-policies", "peering--routing-policies")];

/// The name under which a list is known here.
pub(super) fn known_as(list: &str) -> &str {
    RENAMED.iter().find(|(newer, _)| *newer == list).map_or(list, |(_, known)| known)
}

/// The list in which a model's objects are.
pub(super) fn list_of(model: &Model) -> Option<&'static str> {
    LISTS.iter().find(|(_, label)| *label == model.label).map(|(list, _)| *list)
}

/// Whether objects of this list can be taken.
pub(super) fn knows(list: &str) -> bool {
    LISTS.iter().any(|(known, _)| *known == list)
}

/// The draft of an object with the number that it has there. Counts fields that say something and have no counterpart.
pub(super) fn draft(
    model: &'static Model,
    row: &Map<String, Json>,
    columns: Option<&Json>,
    unknown: &mut BTreeMap<String, usize>,
) -> Result<Draft, String> {
    let id = row.get("id").and_then(Json::as_i64).filter(|id| *id > 0);
    let id = id.ok_or_else(|| format!("an object without a number: {}", excerpt(row)))?;
    let more = columns.and_then(|columns| columns.get(id.to_string())).and_then(Json::as_object);
    let mut object = row.clone();
    object.extend(more.cloned().unwrap_or_default());
    let mut draft = Draft::new(model);
    draft.id = Some(id);
    let when = |name: &str| object.get(name).and_then(Json::as_str).and_then(time);
    (draft.created, draft.updated) = (when("created"), when("updated"));
    for field in &model.fields {
        let copy = object.get(&format!("{}_id_copy", field.name));
        let value = object.get(field.name).filter(|value| !value.is_null()).or(copy);
        let Some(value) = value.or_else(|| object.get(field.name)) else { continue };
        draft = draft.with_json(field.name, plain(field, value));
    }
    for (name, value) in &object {
        // The kind of a community follows from its value; that of a journal entry is a field.
        let computed = COMPUTED.contains(&name.as_str()) || name == "name" && model.label == "net.connection";
        if !computed && model.field(name).is_none() && says_something(value) {
            *unknown.entry(name.clone()).or_default() += 1;
        }
    }
    Ok(draft)
}

fn says_something(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        _ => true,
    }
}

/// A value in the form that a draft takes: related objects by number, choices by value.
fn plain(field: &Field, value: &Json) -> Json {
    match (field.kind, value) {
        (Kind::ForeignKey(..) | Kind::Cached(_), value) => id(value),
        (Kind::ManyToMany(_) | Kind::Tags, Json::Array(items)) => items.iter().map(id).collect(),
        // Users are not taken over.
        (Kind::User, _) => Json::Null,
        (Kind::Choice(_) | Kind::Number(_), Json::Object(choice)) => {
            choice.get("value").cloned().unwrap_or_default()
        }
        (_, value) => value.clone(),
    }
}

fn id(value: &Json) -> Json {
    value.get("id").cloned().unwrap_or_else(|| value.clone())
}

/// As the API writes times, or as Python does.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)).ok().map(|time| time.to_utc())
}

fn excerpt(row: &Map<String, Json>) -> String {
    let names: Vec<&str> = row.keys().take(5).map(String::as_str).collect();
    format!("it has {}", names.join(", "))
}
