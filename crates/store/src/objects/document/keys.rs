//! Which object a key means, and which key an object has.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::member;
use crate::Session;
use crate::objects::data::Data;
use crate::objects::model::{Field, Kind, Model};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::objects::record::{Draft, Record};
use crate::objects::registry;

/// The objects of one model.
#[derive(Default)]
struct Index {
    /// By key, the oldest first.
    ids: HashMap<String, Vec<i64>>,
    /// How a document names each.
    names: HashMap<i64, Json>,
}

/// The objects of the models that were read.
#[derive(Default)]
pub(super) struct Keys {
    models: HashMap<&'static str, Index>,
    users: HashMap<i64, String>,
}

impl Keys {
    /// Knows users and, so far, no objects.
    pub(super) async fn new(session: &mut Session<'_>) -> Result<Self, ObjectError> {
        let mut users = HashMap::new();
        session
            .each("SELECT id, username FROM auth_user", vec![], |row| {
                users.insert(row.get(0)?, row.get(1)?);
                Ok(())
            })
            .await?;
        Ok(Self { models: HashMap::new(), users })
    }

    /// Reads the objects of a model, again if need be. Those that it refers to have to be known.
    pub(super) async fn read(
        &mut self,
        session: &mut Session<'_>,
        model: &'static Model,
    ) -> Result<(), ObjectError> {
        let records = Query::of(model).order(&["id"]).without_lists().list(session).await?;
        let mut index = Index::default();
        for record in &records {
            index.ids.entry(key_of_record(record)).or_default().push(record.id);
        }
        for record in &records {
            let same = index.ids.get(&key_of_record(record)).map_or(&[][..], Vec::as_slice);
            let number = same.iter().position(|id| *id == record.id).map_or(1, |place| place + 1);
            index.names.insert(record.id, self.name(record, (same.len() > 1).then_some(number)));
        }
        self.models.insert(model.label, index);
        Ok(())
    }

    fn name(&self, record: &Record, number: Option<usize>) -> Json {
        let model = record.model();
        if let ([key], None) = (model.key, number) {
            return model.field(key).map_or(Json::Null, |field| self.value(record, field));
        }
        let fields = model.key.iter().filter_map(|name| model.field(name));
        let mut name: Map<String, Json> = fields
            .map(|field| (member(field).to_owned(), self.value(record, field)))
            .filter(|(_, value)| !value.is_null())
            .collect();
        if let Some(number) = number {
            name.insert("number".to_owned(), number.into());
        }
        name.into()
    }

    /// A field's value as a document has it; secrets are hidden.
    pub(super) fn value(&self, record: &Record, field: &Field) -> Json {
        let named = |model: &Model, id: &i64| {
            self.models.get(model.label).and_then(|index| index.names.get(id)).cloned().unwrap_or_default()
        };
        match (field.kind, record.get(field.name)) {
            (Kind::ObjectId(type_field), Data::Integer(id)) => {
                registry::model(record.text(type_field)).map_or(Json::Null, |owner| named(owner, id))
            }
            (Kind::User, Data::Integer(id)) => {
                self.users.get(id).map_or(Json::Null, |name| name.as_str().into())
            }
            (_, data) => match (field.target(), data) {
                (Some(target), Data::Integer(id)) => named(target, id),
                (Some(target), Data::Ids(ids)) => ids.iter().map(|id| named(target, id)).collect(),
                (_, data) => data.to_json(),
            },
        }
    }

    /// The objects that have this key, the oldest first.
    pub(super) fn with_key(&self, model: &Model, key: &str) -> &[i64] {
        let found = self.models.get(model.label).and_then(|index| index.ids.get(key));
        found.map_or(&[], Vec::as_slice)
    }

    /// What a document's value for a field means. `of` is the label that the same object gives for its owner's model.
    pub(super) fn data(&self, field: &Field, value: &Json, of: Option<&str>) -> Result<Data, String> {
        match (field.kind, value) {
            (Kind::ObjectId(_), value) => {
                let owner = of.and_then(registry::model).ok_or("the type of the object is not known")?;
                self.find(owner, value).map(Data::Integer)
            }
            (Kind::User, Json::String(name)) => {
                let found = self.users.iter().find(|(_, user)| *user == name);
                // People come and go; what they wrote stays.
                Ok(found.map_or(Data::Null, |(id, _)| Data::Integer(*id)))
            }
            (Kind::ManyToMany(_) | Kind::Tags, Json::Array(items)) => {
                let Some(target) = field.target() else { return Ok(Data::Null) };
                items.iter().map(|item| self.find(target, item)).collect::<Result<_, _>>().map(Data::Ids)
            }
            (Kind::ManyToMany(_) | Kind::Tags, other) => Err(format!("{other} is not a list")),
            (Kind::ForeignKey(target, _), value) if !value.is_null() => {
                self.find(target.model(), value).map(Data::Integer)
            }
            (Kind::Json | Kind::JsonObject, value) if !value.is_null() => Ok(Data::Json(value.clone())),
            (_, value) => field.accept(value.clone().into()),
        }
    }

    /// The object that a document names.
    fn find(&self, model: &'static Model, name: &Json) -> Result<i64, String> {
        let mut draft = Draft::new(model);
        let mut number = None;
        match (name, model.key) {
            (Json::Object(members), _) => {
                for (member_name, value) in members {
                    if member_name == "number" {
                        number = value.as_u64().and_then(|number| usize::try_from(number).ok());
                        if number.is_none_or(|number| number == 0) {
                            return Err(format!("number {value} is not a number from 1"));
                        }
                        continue;
                    }
                    let of = type_of(model, members);
                    let field = model
                        .key
                        .iter()
                        .filter_map(|key| model.field(key))
                        .find(|field| member(field) == member_name)
                        .ok_or_else(|| {
                            format!(
                                "{} are named by {}, not by {member_name}",
                                model.plural,
                                model.key.join(", ")
                            )
                        })?;
                    draft = draft.with(field.name, self.data(field, value, of)?);
                }
            }
            (value, [key]) => {
                let field = model.field(key).ok_or("the model has no key")?;
                draft = draft.with(key, self.data(field, value, None)?);
            }
            (value, _) => return Err(format!("{value} is not an object with {}", model.key.join(", "))),
        }
        match (self.with_key(model, &key_of_draft(&draft)), number) {
            ([], _) => Err(format!("there is no {} {name}", model.singular)),
            ([id], None) => Ok(*id),
            (several, None) => {
                Err(format!("{} {} are called {name}; say which with a number", several.len(), model.plural))
            }
            (ids, Some(number)) => ids
                .get(number - 1)
                .copied()
                .ok_or_else(|| format!("there are only {} {} called {name}", ids.len(), model.plural)),
        }
    }
}

/// What an item or a name says of the type of the object that it belongs to.
pub(super) fn type_of<'a>(model: &Model, members: &'a Map<String, Json>) -> Option<&'a str> {
    let field = model.fields.iter().find(|field| matches!(field.kind, Kind::ObjectType(_)))?;
    members.get(field.name).and_then(Json::as_str)
}

fn key_of_record(record: &Record) -> String {
    text(record.model().key.iter().map(|name| record.get(name)))
}

/// The key of an object as a draft has it, with defaults for what is not given.
pub(super) fn key_of_draft(draft: &Draft) -> String {
    let model = draft.model();
    let data: Vec<Data> = model
        .key
        .iter()
        .map(|name| match (draft.get(name), model.field(name)) {
            (Some(data), _) => data.clone(),
            (None, Some(field)) => field.initial(),
            (None, None) => Data::Null,
        })
        .collect();
    text(data.iter())
}

fn text<'a>(data: impl Iterator<Item = &'a Data>) -> String {
    let parts: Vec<Json> = data.map(Data::to_json).collect();
    Json::from(parts).to_string()
}
