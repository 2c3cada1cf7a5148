//! One object: as it is kept ([`Record`]), as somebody wants it ([`Draft`]), and among those it refers to ([`Graph`]).

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use ipnet::IpNet;
use serde_json::{Map, Value as Json};

use super::data::{Data, MASK};
use super::model::{Field, Kind, Model};
use super::secrets::{Clear, Keyring, SecretError};
use super::telling::without_credentials;

/// An object that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Number in this database.
    pub id: i64,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
    model: &'static Model,
    values: Vec<Data>,
}

impl Record {
    /// One with every field at its default.
    pub(crate) fn new(model: &'static Model, id: i64, now: DateTime<Utc>) -> Self {
        let values = model.fields.iter().map(Field::initial).collect();
        Self { id, created: now, updated: now, model, values }
    }

    /// What kind of object it is.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// Every field with its value.
    pub fn values(&self) -> impl Iterator<Item = (&'static Field, &Data)> {
        self.model.fields.iter().zip(&self.values)
    }

    /// The values of all fields, in the order of the model's fields.
    pub fn into_values(self) -> Vec<Data> {
        self.values
    }

    /// The value of a field; [`Data::Null`] for one that the model does not have.
    pub fn get(&self, field: &str) -> &Data {
        self.model.place(field).map_or(&Data::Null, |place| &self.values[place])
    }

    pub(crate) fn at(&self, place: usize) -> &Data {
        &self.values[place]
    }

    pub(crate) fn put(&mut self, place: usize, data: Data) {
        self.values[place] = data;
    }

    /// Changes a field, if the model has it.
    pub(crate) fn set(&mut self, field: &str, data: impl Into<Data>) {
        if let Some(place) = self.model.place(field) {
            self.values[place] = data.into();
        }
    }

    /// A text; `""` for none.
    pub fn text(&self, field: &str) -> &str {
        match self.get(field) {
            Data::Text(text) => text,
            _ => "",
        }
    }

    /// A number.
    pub fn integer(&self, field: &str) -> Option<i64> {
        match self.get(field) {
            Data::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A truth value; an empty one is `false`.
    pub fn boolean(&self, field: &str) -> bool {
        matches!(self.get(field), Data::Boolean(true))
    }

    /// An instant.
    pub fn time(&self, field: &str) -> Option<DateTime<Utc>> {
        match self.get(field) {
            Data::Time(time) => Some(*time),
            _ => None,
        }
    }

    /// A JSON document.
    pub fn json(&self, field: &str) -> Option<&Json> {
        match self.get(field) {
            Data::Json(json) => Some(json),
            _ => None,
        }
    }

    /// An address with its length.
    pub fn interface(&self, field: &str) -> Option<IpNet> {
        match self.get(field) {
            Data::Interface(net) => Some(*net),
            _ => None,
        }
    }

    /// An address, whether it is kept with a length or without.
    pub fn host(&self, field: &str) -> Option<IpAddr> {
        match self.get(field) {
            Data::Host(host) => Some(*host),
            Data::Interface(net) => Some(net.addr()),
            _ => None,
        }
    }

    /// Ids of the objects that a list of references or the tags hold.
    pub fn ids(&self, field: &str) -> &[i64] {
        match self.get(field) {
            Data::Ids(ids) => ids,
            _ => &[],
        }
    }

    /// A secret in the clear.
    pub fn secret(&self, field: &str, keyring: &Keyring) -> Result<Option<Clear>, SecretError> {
        match self.get(field) {
            Data::Secret(clear) => Ok(Some(clear.clone())),
            Data::Sealed(sealed) => keyring.open(&secret_context(self.model, field), sealed).map(Some),
            _ => Ok(None),
        }
    }

    /// A value that may be sealed in the database, in the clear. Secrets stay as they are: see [`Record::secret`].
    ///
    /// # Errors
    /// Those of the keyring; [`SecretError::Damaged`] for what opens and is no value of the field.
    pub fn opened(&self, field: &str, keyring: &Keyring) -> Result<Data, SecretError> {
        match (self.model.field(field), self.get(field)) {
            (Some(described), Data::Sealed(sealed)) if described.sealed => {
                let context = secret_context(self.model, field);
                let clear = keyring.open(&context, sealed)?;
                described.unsealed(&clear).ok_or(SecretError::Damaged { context })
            }
            (_, data) => Ok(data.clone()),
        }
    }

    /// Opens every sealed value that is no secret and whose key is at hand, so that its parts can be told apart.
    pub fn open(&mut self, keyring: &Keyring) {
        for (place, field) in self.model.fields.iter().enumerate() {
            if field.sealed && matches!(self.at(place), Data::Sealed(_)) {
                let Ok(data) = self.opened(field.name, keyring) else { continue };
                self.put(place, data);
            }
        }
    }

    /// What a person calls it. `graph` holds what [`Model::needs`] names; without it the name is shorter.
    pub fn display(&self, graph: &Graph) -> String {
        (self.model.display)(self, graph)
    }

    /// For messages: `router edge1.ams`.
    pub(crate) fn named(&self, graph: &Graph) -> String {
        format!("{} {}", self.model.singular, self.display(graph))
    }

    /// What the change log keeps: field to value, tags by name, secrets hidden.
    pub(crate) fn snapshot(&self, tags: &Graph) -> Map<String, Json> {
        let time = |time: DateTime<Utc>| Json::from(time.to_rfc3339_opts(SecondsFormat::Millis, true));
        let mut snapshot = Map::new();
        snapshot.insert("created".to_owned(), time(self.created));
        for (field, data) in self.values() {
            let value = match data {
                Data::Time(moment) => time(*moment),
                Data::Ids(ids) if matches!(field.kind, Kind::Tags) => {
                    let tag = |id: &i64| {
                        tags.get(&super::models::tag::MODEL, *id).map(|tag| tag.text("name").into())
                    };
                    ids.iter().filter_map(tag).collect::<Vec<Json>>().into()
                }
                Data::Ids(ids) => {
                    // By number, so that nothing seems to change when only the default order of the others does.
                    let mut ids = ids.clone();
                    ids.sort_unstable();
                    ids.into()
                }
                data if field.sensitive && !data.is_empty() => MASK.into(),
                Data::Text(text) => without_credentials(text).into(),
                data => data.to_json(),
            };
            snapshot.insert(field.name.to_owned(), value);
        }
        snapshot
    }
}

/// What a secret is sealed for.
pub(crate) fn secret_context(model: &Model, field: &str) -> String {
    format!("{}.{field}", model.label)
}

/// What somebody wants an object to be: the fields that were given, and no others.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The number it shall have; the next one, if `None`. Only for new objects.
    pub id: Option<i64>,
    /// When it was made, for objects that come from elsewhere. Only for new objects.
    pub created: Option<DateTime<Utc>>,
    /// When it was last changed, for objects that come from elsewhere. Only for new objects.
    pub updated: Option<DateTime<Utc>>,
    model: &'static Model,
    values: Vec<Option<Data>>,
    unknown: Vec<String>,
}

impl Draft {
    /// One in which nothing is given.
    pub fn new(model: &'static Model) -> Self {
        let values = vec![None; model.fields.len()];
        Self { id: None, created: None, updated: None, model, values, unknown: Vec::new() }
    }

    /// Gives a field. A name that the model does not have is reported when the draft is stored.
    #[must_use]
    pub fn with(mut self, field: &str, data: impl Into<Data>) -> Self {
        match self.model.place(field) {
            Some(place) => self.values[place] = Some(data.into()),
            None => self.unknown.push(field.to_owned()),
        }
        self
    }

    /// What people wrote: references as ids, fields that only the program changes left out.
    pub fn from_json(model: &'static Model, object: Map<String, Json>) -> Self {
        let mut draft = Self::new(model);
        for (name, value) in object {
            let fixed = model.field(&name).is_some_and(|field| !field.editable);
            if !fixed && !["id", "created", "updated"].contains(&name.as_str()) {
                draft = draft.with_json(&name, value);
            }
        }
        draft
    }

    /// Gives a field in its JSON form.
    #[must_use]
    pub fn with_json(self, field: &str, value: Json) -> Self {
        let json =
            self.model.field(field).is_some_and(|field| matches!(field.kind, Kind::Json | Kind::JsonObject));
        let data = if json && !value.is_null() { Data::Json(value) } else { value.into() };
        self.with(field, data)
    }

    /// What kind of object it is to be.
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// What was given for a field.
    pub fn get(&self, field: &str) -> Option<&Data> {
        self.values[self.model.place(field)?].as_ref()
    }

    /// Without the fields for which `other` gives the same.
    pub(crate) fn without_those_of(mut self, other: &Self) -> Self {
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            if value == other {
                *value = None;
            }
        }
        self
    }

    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &Data)> {
        self.values.iter().enumerate().filter_map(|(place, data)| Some((place, data.as_ref()?)))
    }

    pub(crate) fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// Objects by model and id: those that others refer to, read together.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    records: HashMap<(&'static str, i64), Record>,
}

impl Graph {
    /// The object with this id.
    pub fn get(&self, model: &Model, id: i64) -> Option<&Record> {
        self.records.get(&(model.label, id))
    }

    pub(super) fn by_key(&self, key: &(&'static str, i64)) -> Option<&Record> {
        self.records.get(key)
    }

    /// What a reference of `record` leads to.
    pub fn follow(&self, record: &Record, field: &str) -> Option<&Record> {
        let target = record.model().field(field)?.target()?;
        self.get(target, record.integer(field)?)
    }

    /// What a list of references of `record` leads to, in its order.
    pub fn follow_all<'a>(&'a self, record: &'a Record, field: &str) -> impl Iterator<Item = &'a Record> {
        let target = record.model().field(field).and_then(Field::target);
        record.ids(field).iter().filter_map(move |id| self.get(target?, *id))
    }

    /// Adds one, in place of what it was.
    pub fn add(&mut self, record: Record) {
        self.records.insert((record.model().label, record.id), record);
    }
}
