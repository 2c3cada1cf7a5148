//! A document into objects.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::keys::{Keys, key_of_draft, type_of};
use super::{FORMAT, VERSION, member};
use crate::objects::model::{Kind, Model};
use crate::objects::problems::{Fault, ObjectError, Problem};
use crate::objects::read::displays;
use crate::objects::record::{Draft, Graph, Record};
use crate::objects::registry;
use crate::objects::write::{self, Writing, snapshots};
use crate::{Session, Store};

/// Most lines of an error.
const LINES: usize = 100;

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Report {
    /// New objects.
    pub created: Vec<Changed>,
    /// Objects that were not yet as the document has them.
    pub updated: Vec<Changed>,
    /// How many were.
    pub unchanged: usize,
}

/// One object of a [`Report`].
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Changed {
    /// Its place in the document, such as `routers[3]`.
    pub path: String,
    /// Its model's label.
    pub model: &'static str,
    /// What a person calls it.
    pub display: String,
    /// Fields that changed, with values before and after, as the change log has them: no secret is among them. Empty for
    /// new objects.
    pub fields: Vec<(&'static str, Json, Json)>,
}

/// Makes and changes objects until they are as the document has them, in the caller's transaction.
///
/// # Errors
/// [`ObjectError::Document`] with every place that is wrong. The transaction then has to be dropped.
pub async fn import(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    document: &Json,
) -> Result<Report, ObjectError> {
    let sections = sections(document)?;
    let mut keys = Keys::new(session).await?;
    let mut report = Report::default();
    for model in registry::models() {
        keys.read(session, model).await?;
        let Some(items) = sections.get(model.label) else { continue };
        let before = report.created.len();
        section(session, writing, model, items, &keys, &mut report).await?;
        if report.created.len() > before {
            keys.read(session, model).await?;
        }
    }
    Ok(report)
}

/// What [`import`] would do; nothing is stored.
///
/// # Errors
/// As [`import`].
pub async fn dry_run(store: &Store, writing: Writing<'_>, document: &Json) -> Result<Report, ObjectError> {
    let mut transaction = store.begin().await?;
    let report = import(&mut transaction.session(), writing, document).await;
    transaction.rollback().await?;
    report
}

/// The items of each model, by its label, after a look at their form.
fn sections(document: &Json) -> Result<HashMap<&'static str, &Vec<Json>>, ObjectError> {
    let refuse = |path: &str, message: String| {
        Err(ObjectError::Document(vec![Fault { path: path.to_owned(), message }]))
    };
    let Some(members) = document.as_object() else {
        return refuse("", "the document is not an object".to_owned());
    };
    if members.get("format").and_then(Json::as_str) != Some(FORMAT) {
        return refuse("format", format!("is not {FORMAT:?}"));
    }
    if members.get("version").and_then(Json::as_u64) != Some(VERSION) {
        let found = members.get("version").cloned().unwrap_or_default();
        return refuse("version", format!("{found} is not {VERSION}, the one that this program knows"));
    }
    let mut sections = HashMap::new();
    let mut lines = Vec::new();
    for (name, value) in members.iter().filter(|(name, _)| !["format", "version"].contains(&name.as_str())) {
        match (registry::models().find(|model| model.section() == *name), value) {
            (Some(model), Json::Array(items)) => {
                sections.insert(model.label, items);
            }
            (Some(_), _) => lines.push(Fault::at(name, "is not a list")),
            (None, _) => lines.push(Fault::at(name, "is no kind of object")),
        }
    }
    if lines.is_empty() { Ok(sections) } else { Err(ObjectError::Document(lines)) }
}

async fn section(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    model: &'static Model,
    items: &[Json],
    keys: &Keys,
    report: &mut Report,
) -> Result<(), ObjectError> {
    let drafts = drafts(model, items, keys)?;
    let path = |place: usize| format!("{}[{place}]", model.section());
    let mut seen: HashMap<String, usize> = HashMap::new();
    let (mut new, mut new_places) = (Vec::new(), Vec::new());
    let (mut old, mut old_places) = (Vec::new(), Vec::new());
    for (place, draft) in drafts.into_iter().enumerate() {
        let key = key_of_draft(&draft);
        let before = seen.entry(key.clone()).or_default();
        if let Some(id) = keys.with_key(model, &key).get(*before) {
            old.push((*id, draft));
            old_places.push(place);
        } else {
            new.push(draft);
            new_places.push(place);
        }
        *before += 1;
    }
    let updated =
        write::update(session, writing, &old).await.map_err(|error| placed(error, &old_places, &path))?;
    let created =
        write::create(session, writing, &new).await.map_err(|error| placed(error, &new_places, &path))?;
    report.unchanged += old.len() - updated.len();
    let names = displays(session, &created).await?;
    for ((record, display), place) in created.iter().zip(names).zip(&new_places) {
        let model = record.model().label;
        report.created.push(Changed { path: path(*place), model, display, fields: Vec::new() });
    }
    let afters: Vec<Record> = updated.iter().map(|updated| updated.after.clone()).collect();
    let befores: Vec<Record> = updated.iter().map(|updated| updated.before.clone()).collect();
    let names = displays(session, &afters).await?;
    let tags = Graph::read(session, &[afters.as_slice(), befores.as_slice()].concat(), &["tags"]).await?;
    for ((before, after), display) in befores.iter().zip(&afters).zip(names) {
        let place = old.iter().position(|(id, _)| *id == after.id).map_or(0, |index| old_places[index]);
        let fields = differences(before, after, &tags);
        report.updated.push(Changed { path: path(place), model: model.label, display, fields });
    }
    Ok(())
}

/// Fields that differ, with values before and after as the change log has them. `tags` holds the tags of both.
pub fn differences(before: &Record, after: &Record, tags: &Graph) -> Vec<(&'static str, Json, Json)> {
    let (was, is) = snapshots(Some(before), Some(after), tags);
    let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
    let fields = after.model().fields.iter().map(|field| field.name);
    fields
        .filter(|name| was[*name] != is[*name])
        .map(|name| (name, was[name].clone(), is[name].clone()))
        .collect()
}

/// What the items say, or every place in them that says nothing.
fn drafts(model: &'static Model, items: &[Json], keys: &Keys) -> Result<Vec<Draft>, ObjectError> {
    let mut lines = Vec::new();
    let mut drafts = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let path = format!("{}[{place}]", model.section());
        match item {
            Json::Object(members) => drafts.push(draft(model, members, keys, &path, &mut lines)),
            _ => lines.push(Fault::at(&path, "is not an object")),
        }
        if lines.len() >= LINES {
            lines.push(Fault::at("", "… and perhaps more"));
            break;
        }
    }
    if lines.is_empty() { Ok(drafts) } else { Err(ObjectError::Document(lines)) }
}

pub(super) fn draft(
    model: &'static Model,
    members: &Map<String, Json>,
    keys: &Keys,
    path: &str,
    lines: &mut Vec<Fault>,
) -> Draft {
    let mut draft = Draft::new(model);
    for (name, value) in members {
        let Some(field) = model.fields.iter().find(|field| member(field) == name) else {
            let message = format!("{} have no such field", model.plural);
            lines.push(Fault::at(&format!("{path}.{name}"), message));
            continue;
        };
        match keys.data(field, value, type_of(model, members)) {
            Ok(data) => draft = draft.with(field.name, data),
            Err(message) if matches!(field.kind, Kind::Secret(_)) => {
                let message = message.split('"').next().unwrap_or_default();
                lines.push(Fault::at(&format!("{path}.{name}"), message));
            }
            Err(message) => lines.push(Fault::at(&format!("{path}.{name}"), message)),
        }
    }
    draft
}

/// The error with places of the document in it.
fn placed(error: ObjectError, places: &[usize], path: &dyn Fn(usize) -> String) -> ObjectError {
    let ObjectError::Invalid(problems) = error else { return error };
    let line = |problem: &Problem| {
        let path = path(places.get(problem.index).copied().unwrap_or_default());
        let field = problem.field.map(|field| format!(".{field}")).unwrap_or_default();
        Fault::at(&format!("{path}{field}"), format!("{} ({})", problem.message, problem.object))
    };
    ObjectError::Document(problems.iter().take(LINES).map(line).collect())
}
