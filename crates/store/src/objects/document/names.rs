//! Single objects in the form that they have in a document.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::export::{Secrets, item};
use super::import::draft;
use super::keys::Keys;
use crate::Session;
use crate::objects::model::{Field, Kind, Model};
use crate::objects::problems::ObjectError;
use crate::objects::record::{Draft, Record};
use crate::objects::registry;

/// The names by which documents call the objects that one kind of object can refer to.
pub struct Names {
    model: &'static Model,
    keys: Keys,
}

impl Names {
    /// Reads them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn of(session: &mut Session<'_>, model: &'static Model) -> Result<Self, ObjectError> {
        let mut wanted = BTreeSet::new();
        if model.fields.iter().any(|field| matches!(field.kind, Kind::ObjectId(_))) {
            wanted.extend(registry::models().map(|model| model.label));
        } else {
            targets(model, &mut wanted);
        }
        let mut keys = Keys::new(session).await?;
        for model in registry::models().filter(|model| wanted.contains(model.label)) {
            keys.read(session, model).await?;
        }
        Ok(Self { model, keys })
    }

    /// The object as a document has it.
    ///
    /// # Errors
    /// [`ObjectError::Secret`] for one that does not open.
    pub fn item(&self, record: &Record, secrets: Secrets<'_>) -> Result<Json, ObjectError> {
        item(record, &self.keys, secrets)
    }

    /// What the members of an item say.
    ///
    /// # Errors
    /// [`ObjectError::Document`] with every member that says nothing.
    pub fn draft(&self, members: &Map<String, Json>) -> Result<Draft, ObjectError> {
        let mut faults = Vec::new();
        let draft = draft(self.model, members, &self.keys, "", &mut faults);
        for fault in &mut faults {
            fault.path = fault.path.trim_start_matches('.').to_owned();
        }
        if faults.is_empty() { Ok(draft) } else { Err(ObjectError::Document(faults)) }
    }
}

fn targets(model: &'static Model, found: &mut BTreeSet<&'static str>) {
    for target in model.fields.iter().filter_map(Field::target) {
        if found.insert(target.label) {
            targets(target, found);
        }
    }
}
