//! Making, changing and deleting objects, many at a time, in the caller's transaction. Either all is stored or nothing:
//! after an error the caller drops the transaction.

mod create;
mod delete;
mod log;
mod rows;
mod tombstones;
mod unique;
mod update;

use chrono::{DateTime, Utc};

pub use create::create;
pub use delete::{Deletion, delete};
pub(crate) use log::mask_one;
pub use log::snapshots;
pub use rows::reseal;
pub use update::{Updated, update};

use super::data::Data;
use super::model::{Field, Kind, Model};
use super::problems::{ObjectError, Problem, Problems, Rules};
use super::record::{Draft, Graph, Record};
use super::registry;
use super::secrets::Keyring;
use super::sql::{among, id_list};
use crate::Session;
use crate::changes::Author;

/// Who writes, when, with which keys, under which rules.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// Who the change log names.
    pub author: &'a Author,
    /// The time of the change.
    pub now: DateTime<Utc>,
    /// Keys for secrets.
    pub keyring: &'a Keyring,
    /// Which rules hold.
    pub rules: Rules,
}

/// Takes over what a draft gives, and reports what cannot be taken.
fn take_over(draft: &Draft, record: &mut Record, rules: Rules, problems: &mut Problems<'_>) {
    let model = record.model();
    for name in draft.unknown() {
        problems.object(format!("{} have no field {name}", model.plural));
    }
    for (place, data) in draft.given() {
        let field = &model.fields[place];
        match field.accept(data.clone()) {
            Ok(data) => record.put(place, data),
            Err(message) => problems.field(field.name, message),
        }
    }
    if rules.checked {
        return;
    }
    // Without these no row can be stored.
    for (field, data) in record.values() {
        if *data == Data::Null && !field.nullable {
            problems.field(field.name, "is required");
        }
    }
}

/// Puts secrets back into JSON that was read with them hidden.
fn unhide(before: Option<&Record>, record: &mut Record, problems: &mut Problems<'_>) {
    let mut found = Vec::new();
    for (place, (field, data)) in record.values().enumerate() {
        let Data::Json(json) = data else { continue };
        let mut json = json.clone();
        if !log::unmask(field.rule(), &mut json, before.and_then(|before| before.json(field.name))) {
            problems
                .field(field.name, "holds asterisks in place of a secret that is not stored yet; put it in");
        }
        found.push((place, json));
    }
    for (place, json) in found {
        record.put(place, Data::Json(json));
    }
}

/// Everything that records refer to, with what their rules and names need.
async fn surroundings(
    session: &mut Session<'_>,
    model: &'static Model,
    records: &[Record],
) -> Result<Graph, ObjectError> {
    let references = model.fields.iter().filter(|field| field.target().is_some()).map(|field| field.name);
    let paths: Vec<&str> = references.chain(model.needs.iter().copied()).collect();
    Graph::read(session, records, &paths).await
}

/// References of the chosen fields that lead nowhere.
async fn missing_references(
    session: &mut Session<'_>,
    records: &[Record],
    graph: &Graph,
    changed: &(dyn Fn(usize, usize) -> bool + Sync),
    report: &mut Report,
) -> Result<(), ObjectError> {
    for (index, record) in records.iter().enumerate() {
        for (_, (field, data)) in record.values().enumerate().filter(|(place, _)| changed(index, *place)) {
            let Some(target) = field.target() else { continue };
            let ids = match data {
                Data::Integer(id) => std::slice::from_ref(id),
                Data::Ids(ids) => ids,
                _ => continue,
            };
            for id in ids.iter().filter(|id| graph.get(target, **id).is_none()) {
                let message = format!("there is no {} with the id {id}", target.singular);
                report.about(index, record, graph).field(field.name, message);
            }
        }
    }
    missing_owners(session, records, graph, report).await
}

/// Attached objects whose owner is not there, or cannot have them.
async fn missing_owners(
    session: &mut Session<'_>,
    records: &[Record],
    graph: &Graph,
    report: &mut Report,
) -> Result<(), ObjectError> {
    let Some(model) = records.first().map(Record::model) else { return Ok(()) };
    let Some((_, type_field, id_field)) = registry::attached().find(|(attached, ..)| *attached == model)
    else {
        return Ok(());
    };
    for owner in registry::models() {
        let owned =
            || records.iter().enumerate().filter(|(_, record)| record.text(type_field) == owner.label);
        let ids: Vec<i64> = owned().filter_map(|(_, record)| record.integer(id_field)).collect();
        if ids.is_empty() {
            continue;
        }
        let sql = format!("SELECT id FROM {} WHERE id {}", owner.table, among(session.engine()));
        let mut there = std::collections::HashSet::new();
        session
            .each(&sql, vec![id_list(&ids)], |row| {
                there.insert(row.get::<i64, _>(0)?);
                Ok(())
            })
            .await?;
        for (index, record) in owned() {
            if let Some(id) = record.integer(id_field).filter(|id| !there.contains(id)) {
                let message = format!("there is no {} with the id {id}", owner.singular);
                report.about(index, record, graph).field(id_field, message);
            }
        }
    }
    for (index, record) in records.iter().enumerate() {
        let Some(Field { kind: Kind::ObjectType(feature), .. }) = model.field(type_field) else { continue };
        let label = record.text(type_field);
        let fits =
            registry::model(label).is_some_and(|owner| feature.is_none_or(|feature| owner.has(feature)));
        if !fits && !label.is_empty() {
            let message = format!("{label:?} is no type of object that can have {}", model.plural);
            report.about(index, record, graph).field(type_field, message);
        }
    }
    Ok(())
}

/// The problems found so far.
struct Report {
    rules: Rules,
    found: Vec<Problem>,
}

impl Report {
    fn new(rules: Rules) -> Self {
        Self { rules, found: Vec::new() }
    }

    fn about(&mut self, index: usize, record: &Record, graph: &Graph) -> Problems<'_> {
        Problems::about(index, record.named(graph), self.rules, &mut self.found)
    }

    fn has(&self, index: usize) -> bool {
        self.found.iter().any(|problem| problem.index == index)
    }

    fn finish(mut self) -> Result<(), ObjectError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|problem| problem.index);
        Err(ObjectError::Invalid(self.found))
    }
}

/// The one model of these drafts.
fn model_of<'a>(mut drafts: impl Iterator<Item = &'a Draft>) -> Result<Option<&'static Model>, ObjectError> {
    let Some(model) = drafts.next().map(Draft::model) else { return Ok(None) };
    match drafts.find(|draft| draft.model() != model) {
        None => Ok(Some(model)),
        Some(other) => Err(ObjectError::Question(format!(
            "{} and {} cannot be written in one go",
            model.plural,
            other.model().plural
        ))),
    }
}
