//! Turns the JSON object of a record into typed values, and back into the same object.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json};

use crate::fit::{fit, time, time_text};
use crate::printable::excerpt;
use crate::types::{Kind, Namespace, Status, Value};

/// The key of [`Record::extra`] that lists the keys which were not sent.
const ABSENT: &str = "_absent";

/// One record as `PeeringDB` sent it.
///
/// Nothing is dropped, whatever was sent:
///
/// - A value of its field's kind is in `values`, and nowhere else.
/// - A value of another type, out of range or in another spelling than `PeeringDB`'s own leaves the nearest
///   value of the kind in `values`, [`Value::Null`] if there is none, and is in `extra` under the field's
///   name as it was sent. So is a value that a field's kind allows but which formats differently, as
///   `2001:DB8::1` does.
/// - Null is [`Value::Null`] for every kind. A field that the API always sends and did not is in the list
///   `extra["_absent"]`. For an optional field it is the other way round: absent is the rule, and an explicit
///   null is in `extra`.
/// - `id`, `status`, `created` and `updated` follow the same rules. Without a usable time, 1970-01-01 stands
///   in; without a usable status, the record counts as live, because any other status would hide it.
/// - A key that is no field is in `extra` as it was sent. A key that reads `_absent` itself gets one more
///   underscore.
///
/// So [`to_json`] gives back what [`parse`] was given. There are three exceptions. No database's text can hold
/// NUL characters, which are removed, and halves of characters, which become U+FFFD. And a value with a number
/// beyond 64 bits' range, or nested more than a hundred times, is in `extra` as a text that holds its JSON. All
/// are in `alterations`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// `PeeringDB`'s number, unique in the namespace.
    pub id: i64,
    /// Whether the record is live.
    pub status: Status,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
    /// One per field, in the order of [`Namespace::fields`].
    pub values: Vec<Value>,
    /// What `values` cannot hold; never empty if present.
    pub extra: Option<Map<String, Json>>,
    /// What a person may want to know about the reading of this record.
    pub alterations: Vec<Alteration>,
}

/// Something in a record that was not as expected.
///
/// The texts hold no control characters, and of a longer key its first 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alteration {
    /// The value does not fit its field and is in [`Record::extra`] as it was sent.
    #[error("{} kept as sent: {reason}", excerpt(.field))]
    KeptAsSent {
        /// The key.
        field: String,
        /// Why it does not fit.
        reason: &'static str,
    },
    /// Neither `created` nor `updated` may be left out; 1970-01-01 stands in.
    #[error("{} was not sent, 1970-01-01 is used", excerpt(.field))]
    NoTime {
        /// The key.
        field: String,
    },
    /// There was no `status`; [`Status::Ok`] stands in.
    #[error("status was not sent, the record counts as live")]
    NoStatus,
    /// The value is JSON that cannot be held; its text is in [`Record::extra`].
    #[error("{} kept as text: a number in it is out of range, or it is nested too deep", excerpt(.field))]
    KeptAsText {
        /// The key.
        field: String,
    },
    /// NUL characters were removed from the key or from a text in its value.
    #[error("{} held NUL characters, which were removed", excerpt(.field))]
    NulRemoved {
        /// The key, without them.
        field: String,
    },
    /// Halves of characters, or bytes that are no UTF-8, were replaced by U+FFFD somewhere in the record.
    #[error("characters that are no Unicode were replaced by U+FFFD")]
    TextRepaired,
}

/// Why an object is no record: everything else can be held, but a record without a number cannot be told from
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoId {
    /// There is no such key.
    #[error("it has no id")]
    Absent,
    /// Something else is there.
    #[error("its id is no whole number of 64 bits")]
    NoInteger,
}

/// Reads one JSON object.
pub fn parse(namespace: Namespace, object: Map<String, Json>) -> Result<Record, NoId> {
    let mut draft = Draft::new(namespace);
    for (key, value) in object {
        draft.put(&key, value);
    }
    draft.finish()
}

/// The object that [`parse`] was given.
pub fn to_json(namespace: Namespace, record: &Record) -> Map<String, Json> {
    let mut object = Map::new();
    for (key, value) in entries(namespace, record) {
        object.insert(key.to_owned(), value.into_owned());
    }
    object
}

/// Serializes a record as the API would send it: the id, the fields in the API's order, what all namespaces
/// share, and last what is no known field.
#[derive(Clone, Copy, Debug)]
pub struct Exported<'a> {
    /// What the record is.
    pub namespace: Namespace,
    /// The record.
    pub record: &'a Record,
}

impl Serialize for Exported<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in entries(self.namespace, self.record) {
            map.serialize_entry(key, value.as_ref())?;
        }
        map.end()
    }
}

type Entry<'a> = (&'a str, Cow<'a, Json>);

fn entries(namespace: Namespace, record: &Record) -> impl Iterator<Item = Entry<'_>> {
    let fields = namespace.fields().iter().enumerate().filter_map(move |(at, field)| {
        let value = record.values.get(at).unwrap_or(&Value::Null);
        let left_out = field.optional && *value == Value::Null;
        entry(record, field.name, || (!left_out).then(|| value.to_json()))
    });
    let shared = [
        entry(record, "created", || Some(Json::from(time_text(record.created)))),
        entry(record, "updated", || Some(Json::from(time_text(record.updated)))),
        entry(record, "status", || Some(Json::from(record.status.as_str()))),
    ];
    let unknown = record
        .extra
        .iter()
        .flatten()
        .filter(move |(key, _)| *key != ABSENT && Column::of(namespace, key, 0).is_none())
        .map(|(key, value)| (unescaped(key), Cow::Borrowed(value)));
    std::iter::once(("id", Cow::Owned(Json::from(record.id))))
        .chain(fields)
        .chain(shared.into_iter().flatten())
        .chain(unknown)
}

/// What was sent under a known key: as it was kept, or what the typed value says, unless the key was absent.
fn entry<'a>(
    record: &'a Record,
    key: &'static str,
    fitted: impl FnOnce() -> Option<Json>,
) -> Option<Entry<'a>> {
    let kept = |key: &str| record.extra.as_ref().and_then(|extra| extra.get(key));
    if let Some(sent) = kept(key) {
        return Some((key, Cow::Borrowed(sent)));
    }
    let absent = kept(ABSENT).and_then(Json::as_array);
    if absent.is_some_and(|keys| keys.iter().any(|absent| absent == key)) {
        return None;
    }
    fitted().map(|value| (key, Cow::Owned(value)))
}

/// Keys that read `_absent`, with any number of underscores before it, get one more, so that the list of
/// absent keys has its name for itself.
fn is_like_absent(key: &str) -> bool {
    key.ends_with(ABSENT) && key.trim_start_matches('_') == "absent"
}

fn unescaped(key: &str) -> &str {
    if is_like_absent(key) { &key[1..] } else { key }
}

/// Where the value of a known key goes.
#[derive(Clone, Copy)]
enum Column {
    Id,
    Status,
    Created,
    Updated,
    Field(usize),
}

impl Column {
    /// `likely` is the field to look at first: the API sends the fields in their order.
    fn of(namespace: Namespace, key: &str, likely: usize) -> Option<Self> {
        if namespace.fields().get(likely).is_some_and(|field| field.name == key) {
            return Some(Self::Field(likely));
        }
        match key {
            "id" => Some(Self::Id),
            "status" => Some(Self::Status),
            "created" => Some(Self::Created),
            "updated" => Some(Self::Updated),
            _ => namespace.position(key).map(Self::Field),
        }
    }
}

/// What came under a key.
#[derive(Clone)]
enum Sent {
    Json(Json),
    /// The text of a value that [`Json`] cannot hold.
    Text(String),
}

/// The pieces of a record while its keys come in, in whatever order. A key that comes again replaces what it
/// brought before.
pub(crate) struct Draft {
    namespace: Namespace,
    likely: usize,
    id: Option<Sent>,
    status: Option<Sent>,
    created: Option<Sent>,
    updated: Option<Sent>,
    fields: Vec<Option<Sent>>,
    extra: Map<String, Json>,
    alterations: Vec<Alteration>,
}

impl Draft {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            likely: 0,
            id: None,
            status: None,
            created: None,
            updated: None,
            fields: vec![None; namespace.fields().len()],
            extra: Map::new(),
            alterations: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, key: &str, mut value: Json) {
        let cleared = remove_nul(&mut value);
        self.place(key, Sent::Json(value), cleared);
    }

    /// Puts a value that cannot be held. JSON's texts have their NUL characters escaped, so there are none.
    pub(crate) fn put_text(&mut self, key: &str, text: &str) {
        self.place(key, Sent::Text(text.to_owned()), false);
    }

    fn place(&mut self, key: &str, value: Sent, cleared_value: bool) {
        let cleared = without_nul(key);
        let key = cleared.as_deref().unwrap_or(key);
        if cleared_value || cleared.is_some() {
            self.alterations.push(Alteration::NulRemoved { field: key.to_owned() });
        }
        match Column::of(self.namespace, key, self.likely) {
            Some(Column::Id) => self.id = Some(value),
            Some(Column::Status) => self.status = Some(value),
            Some(Column::Created) => self.created = Some(value),
            Some(Column::Updated) => self.updated = Some(value),
            Some(Column::Field(at)) => {
                self.likely = at + 1;
                self.fields[at] = Some(value);
            }
            None => {
                let kept = if is_like_absent(key) { format!("_{key}") } else { key.to_owned() };
                match value {
                    Sent::Json(value) => {
                        self.extra.insert(kept, value);
                    }
                    Sent::Text(text) => {
                        self.extra.insert(kept, Json::String(text));
                        self.alterations.push(Alteration::KeptAsText { field: key.to_owned() });
                    }
                }
            }
        }
    }

    pub(crate) fn repaired(&mut self) {
        self.alterations.push(Alteration::TextRepaired);
    }

    /// The time of the last change, if it was sent in some readable way.
    pub(crate) fn updated(&self) -> Option<DateTime<Utc>> {
        let Some(Sent::Json(sent)) = &self.updated else { return None };
        sent.as_str().and_then(time).map(|(time, _)| time)
    }

    pub(crate) fn finish(mut self) -> Result<Record, NoId> {
        let id = match self.id.take() {
            Some(Sent::Json(sent)) => sent.as_i64().ok_or(NoId::NoInteger)?,
            Some(Sent::Text(_)) => return Err(NoId::NoInteger),
            None => return Err(NoId::Absent),
        };
        let mut absent = Vec::new();
        let mut values = Vec::with_capacity(self.fields.len());
        for (field, sent) in self.namespace.fields().iter().zip(std::mem::take(&mut self.fields)) {
            values.push(match sent {
                Some(Sent::Json(Json::Null)) if field.optional => {
                    self.extra.insert(field.name.to_owned(), Json::Null);
                    Value::Null
                }
                Some(sent) => self.fitted(field.name, field.kind, sent),
                None => {
                    if !field.optional {
                        absent.push(Json::from(field.name));
                    }
                    Value::Null
                }
            });
        }
        let created = self.created.take();
        let created = self.time("created", created, &mut absent);
        let updated = self.updated.take();
        let updated = self.time("updated", updated, &mut absent);
        let status = self.status(&mut absent);
        if !absent.is_empty() {
            self.extra.insert(ABSENT.to_owned(), Json::Array(absent));
        }
        let extra = (!self.extra.is_empty()).then_some(self.extra);
        Ok(Record { id, status, created, updated, values, extra, alterations: self.alterations })
    }

    fn fitted(&mut self, name: &'static str, kind: Kind, sent: Sent) -> Value {
        match sent {
            Sent::Json(sent) => match fit(kind, sent) {
                Ok(value) => value,
                Err(misfit) => {
                    self.keep(name, misfit.sent, misfit.reason);
                    misfit.nearest
                }
            },
            Sent::Text(text) => {
                self.keep_text(name, text);
                Value::Null
            }
        }
    }

    fn keep_text(&mut self, name: &'static str, text: String) {
        self.extra.insert(name.to_owned(), Json::String(text));
        self.alterations.push(Alteration::KeptAsText { field: name.to_owned() });
    }

    fn keep(&mut self, name: &'static str, sent: Json, reason: &'static str) {
        self.extra.insert(name.to_owned(), sent);
        self.alterations.push(Alteration::KeptAsSent { field: name.to_owned(), reason });
    }

    fn time(&mut self, name: &'static str, sent: Option<Sent>, absent: &mut Vec<Json>) -> DateTime<Utc> {
        let Some(sent) = sent else {
            absent.push(Json::from(name));
            self.alterations.push(Alteration::NoTime { field: name.to_owned() });
            return DateTime::UNIX_EPOCH;
        };
        if matches!(sent, Sent::Json(Json::Null)) {
            self.keep(name, Json::Null, "no time, 1970-01-01 is used");
            return DateTime::UNIX_EPOCH;
        }
        match self.fitted(name, Kind::Time, sent) {
            Value::Time(time) => time,
            _ => DateTime::UNIX_EPOCH,
        }
    }

    fn status(&mut self, absent: &mut Vec<Json>) -> Status {
        match self.status.take() {
            Some(Sent::Json(Json::String(text))) => return Status::from(text),
            Some(Sent::Json(sent)) => self.keep("status", sent, "no text, the record counts as live"),
            Some(Sent::Text(text)) => self.keep_text("status", text),
            None => {
                absent.push(Json::from("status"));
                self.alterations.push(Alteration::NoStatus);
            }
        }
        Status::Ok
    }
}

fn without_nul(text: &str) -> Option<String> {
    text.contains('\0').then(|| text.replace('\0', ""))
}

/// Removes NUL characters from every text and key in `value`; says whether there were any.
fn remove_nul(value: &mut Json) -> bool {
    let mut found = false;
    match value {
        Json::String(text) => {
            if let Some(cleared) = without_nul(text) {
                *text = cleared;
                found = true;
            }
        }
        Json::Array(items) => {
            for item in items {
                found |= remove_nul(item);
            }
        }
        Json::Object(map) => {
            for item in map.values_mut() {
                found |= remove_nul(item);
            }
            if map.keys().any(|key| key.contains('\0')) {
                let clear = |(key, item): (String, Json)| (without_nul(&key).unwrap_or(key), item);
                *map = std::mem::take(map).into_iter().map(clear).collect();
                found = true;
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
    found
}
