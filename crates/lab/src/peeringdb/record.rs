use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::fields::Fields;
use super::namespace::Namespace;

/// Whether an object is in use, waits for approval, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Pending,
    Deleted,
}

/// Who may see a contact, or the member list URL of an IX LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Public,
    Users,
    Private,
}

/// One object: its text as the API prints it, and the few columns that requests select by.
///
/// The text is shared, so that an answer or a published dump holds rows without copying them.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) status: Status,
    /// Seconds since the epoch.
    pub(crate) created: i64,
    /// Seconds since the epoch.
    pub(crate) updated: i64,
    /// 0 where the type has no AS number.
    pub(crate) asn: u64,
    /// The ids in the columns that [`Namespace::links`] lists; 0 for none.
    pub(crate) links: [u64; 3],
    pub(crate) visibility: Visibility,
    pub(crate) text: Arc<str>,
}

impl Record {
    pub(crate) fn new(namespace: Namespace, fields: &Fields) -> Self {
        let mut links = [0; 3];
        for (link, (column, _)) in links.iter_mut().zip(namespace.links()) {
            *link = fields.number(column);
        }
        let status = match fields.text("status") {
            "deleted" => Status::Deleted,
            "pending" => Status::Pending,
            _ => Status::Ok,
        };
        let visibility = match namespace {
            Namespace::Poc => visibility(fields.text("visible")),
            Namespace::Ixlan => visibility(fields.text("ixf_ixp_member_list_url_visible")),
            _ => Visibility::Public,
        };
        Self {
            id: fields.number("id"),
            status,
            created: seconds(fields.text("created")),
            updated: seconds(fields.text("updated")),
            asn: fields.number("asn"),
            links,
            visibility,
            text: fields.to_json().into(),
        }
    }

    pub(crate) fn fields(&self) -> Fields {
        // The text was printed from fields, so it parses.
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn value(&self) -> Value {
        self.fields().into_value()
    }
}

/// A value that nobody has defined hides what it guards.
fn visibility(value: &str) -> Visibility {
    match value {
        "Public" => Visibility::Public,
        "Users" => Visibility::Users,
        _ => Visibility::Private,
    }
}

fn seconds(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).map(|time| time.timestamp()).unwrap_or_default()
}

/// A time as the API prints it: UTC, whole seconds, `Z`.
pub(crate) fn timestamp(time: DateTime<Utc>) -> Value {
    json!(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}
