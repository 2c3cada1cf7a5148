//! Any object by hand: find, show, add, change, delete.

use std::collections::BTreeMap;

use pm_store::Session;
use pm_store::objects::document::{Changed, Names, Secrets, differences};
use pm_store::objects::model::Model;
use pm_store::objects::problems::{Fault, ObjectError, Rules};
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::record::{Graph, Record};
use pm_store::objects::registry;
use pm_store::objects::write;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{Editor, documents};

/// Objects that one command names at most by their values.
const FOUND: u32 = 1_000_000;

/// An object for people and programs.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Its number.
    pub id: i64,
    /// What a person calls it.
    pub display: String,
    /// Its fields, as in a document; secrets are left out.
    pub fields: Json,
}

/// What a deletion did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct Deleted {
    /// What was asked for.
    pub objects: Vec<String>,
    /// What went with it: kind and how many.
    pub along: Vec<(&'static str, usize)>,
    /// References that became empty: kind, field and how many.
    pub emptied: Vec<(&'static str, &'static str, usize)>,
}

/// The kind of object that a word means: `routers`, `router`, `devices.router`, with `-` or `_`.
///
/// # Errors
/// A sentence with all kinds.
pub fn kind(word: &str) -> Result<&'static Model, ObjectError> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wanted = plain(word);
    let fits = |model: &&Model| {
        [model.section(), plain(model.singular), plain(model.label), plain(model.name())].contains(&wanted)
    };
    registry::models().find(fits).ok_or_else(|| {
        let kinds: Vec<String> = registry::models().map(Model::section).collect();
        ObjectError::Question(format!("{word} is no kind of object; the kinds are {}", kinds.join(", ")))
    })
}

/// The objects that words mean: `field=value` conditions, of which all have to hold, numbers as `id=7`, or keys such as a
/// name or an AS number, of which one has to.
///
/// # Errors
/// [`ObjectError::Question`] for what the kind does not have.
pub async fn find(
    session: &mut Session<'_>,
    model: &'static Model,
    words: &[String],
    limit: Option<u32>,
) -> Result<Vec<Record>, ObjectError> {
    let mut query = Query::of(model).limit(limit.unwrap_or(FOUND));
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for word in words {
        match word.split_once('=') {
            Some(("id", id)) => ids.push(id.parse().map_err(|_| wrong(format!("{id} is no number")))?),
            Some((path, value)) => query = query.filter(path, value),
            None => keys.push(word.as_str().into()),
        }
    }
    if !ids.is_empty() {
        query = query.ids(ids);
    }
    if !keys.is_empty() {
        let [key] = model.key else {
            let fields: Vec<String> = model.key.iter().map(|key| format!("{key}=…")).collect();
            return Err(wrong(format!("{} are named by {} or id=…", model.plural, fields.join(" "))));
        };
        query = query.filter_any(key, keys);
    }
    query.list(session).await
}

fn wrong(text: String) -> ObjectError {
    ObjectError::Question(text)
}

/// Exactly one object.
async fn one(
    session: &mut Session<'_>,
    model: &'static Model,
    words: &[String],
) -> Result<Record, ObjectError> {
    let mut found = find(session, model, words, Some(2)).await?;
    match found.len() {
        1 => found.pop().ok_or_else(|| wrong(String::new())),
        0 => Err(wrong(format!("there is no {} {}", model.singular, words.join(" ")))),
        _ => Err(wrong(format!("several {} are {}: say more, or id=…", model.plural, words.join(" ")))),
    }
}

/// The objects that words mean.
///
/// # Errors
/// As [`find`].
pub async fn list(
    editor: &Editor,
    model: &'static Model,
    words: &[String],
    limit: Option<u32>,
) -> Result<Vec<Shown>, ObjectError> {
    let mut transaction = editor.store.begin_reading().await?;
    let mut session = transaction.session();
    let records = find(&mut session, model, words, limit).await?;
    shown(&mut session, editor, model, &records).await
}

/// The one object that words mean.
///
/// # Errors
/// As [`find`], and when it is not exactly one.
pub async fn show(editor: &Editor, model: &'static Model, words: &[String]) -> Result<Shown, ObjectError> {
    let mut transaction = editor.store.begin_reading().await?;
    let mut session = transaction.session();
    let record = one(&mut session, model, words).await?;
    let mut shown = shown(&mut session, editor, model, std::slice::from_ref(&record)).await?;
    shown.pop().ok_or_else(|| wrong(String::new()))
}

async fn shown(
    session: &mut Session<'_>,
    editor: &Editor,
    model: &'static Model,
    records: &[Record],
) -> Result<Vec<Shown>, ObjectError> {
    let names = Names::of(session, model).await?;
    let called = displays(session, records).await?;
    let each = records.iter().zip(called);
    each.map(|(record, display)| {
        Ok(Shown { id: record.id, display, fields: names.item(record, Secrets::LeftOut(&editor.keyring))? })
    })
    .collect()
}

/// `field=value` words as members of a document's item. Text stays text, so that a name may be `on` or `1e3`.
fn members(model: &Model, words: &[String]) -> Result<Map<String, Json>, ObjectError> {
    use pm_store::objects::model::Kind;
    let mut members = Map::new();
    for word in words {
        let (name, text) =
            word.split_once('=').ok_or_else(|| wrong(format!("{word} is not of the form field=value")))?;
        let as_text = model.field(name).is_some_and(|field| {
            matches!(
                field.kind,
                Kind::Text(_)
                    | Kind::LongText
                    | Kind::Slug(_)
                    | Kind::Email(_)
                    | Kind::Color
                    | Kind::Secret(_)
            )
        });
        let value = match (as_text, text) {
            (true, text) => text.into(),
            (false, text) => documents::read_value(text).map_err(|why| wrong(format!("{name}: {why}")))?,
        };
        members.insert(name.to_owned(), value);
    }
    Ok(members)
}

/// Makes one object.
///
/// # Errors
/// What its rules forbid.
pub async fn add(editor: &Editor, model: &'static Model, words: &[String]) -> Result<Shown, ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    let draft = Names::of(&mut session, model).await?.draft(&members(model, words)?).map_err(simple)?;
    let writing = editor.writing(Rules { checked: true, ..editor.rules });
    let made = write::create(&mut session, writing, &[draft]).await?;
    let mut shown = shown(&mut session, editor, model, &made).await?;
    transaction.commit().await?;
    shown.pop().ok_or_else(|| wrong(String::new()))
}

/// Changes the one object that the first words mean to what the others say; nothing, if it is so already.
///
/// # Errors
/// As [`show`]; what its rules forbid.
pub async fn set(
    editor: &Editor,
    model: &'static Model,
    which: &[String],
    values: &[String],
    dry_run: bool,
) -> Result<Option<Changed>, ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    let record = one(&mut session, model, which).await?;
    let draft = Names::of(&mut session, model).await?.draft(&members(model, values)?).map_err(simple)?;
    let trial = editor.keyring.for_trial().filter(|_| dry_run);
    let mut writing = editor.writing(Rules { checked: true, ..editor.rules });
    if let Some(trial) = &trial {
        writing.keyring = trial;
    }
    let Some(updated) = write::update(&mut session, writing, &[(record.id, draft)]).await?.pop() else {
        return Ok(None);
    };
    let both = [updated.before, updated.after];
    let tags = Graph::read(&mut session, &both, &["tags"]).await?;
    let display = displays(&mut session, &both[1..]).await?.pop().unwrap_or_default();
    let fields = differences(&both[0], &both[1], &tags);
    if dry_run {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(Some(Changed { path: String::new(), model: model.label, display, fields }))
}

fn simple(error: ObjectError) -> ObjectError {
    match error {
        ObjectError::Document(faults) => {
            wrong(faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))
        }
        other => other,
    }
}

/// Deletes the objects that words mean, unless something forbids it. What goes with them goes only if `cascade` says so.
///
/// # Errors
/// [`ObjectError::Protected`]; [`ObjectError::Question`] for nothing found.
pub async fn delete(
    editor: &Editor,
    model: &'static Model,
    words: &[String],
    cascade: bool,
    dry_run: bool,
) -> Result<(Deleted, bool), ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    let records = find(&mut session, model, words, None).await?;
    if records.is_empty() || words.is_empty() {
        return Err(wrong(format!("there is no {} {}", model.singular, words.join(" "))));
    }
    let objects = displays(&mut session, &records).await?;
    let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
    let deletion = write::delete(&mut session, editor.writing(editor.rules), model, &ids).await?;
    let mut along = Vec::new();
    for (label, gone) in &deletion.deleted {
        let more = if *label == model.label { gone.len() - ids.len() } else { gone.len() };
        if more > 0 {
            along.push((registry::model(label).map_or(*label, |model| model.plural), more));
        }
    }
    let mut emptied: BTreeMap<(&'static str, &'static str), usize> = BTreeMap::new();
    for (label, _, field) in &deletion.emptied {
        *emptied.entry((registry::model(label).map_or(*label, |model| model.plural), *field)).or_default() +=
            1;
    }
    let done = !dry_run && (cascade || along.is_empty());
    if done {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    let emptied = emptied.into_iter().map(|((kind, field), count)| (kind, field, count)).collect();
    Ok((Deleted { objects, along, emptied }, done))
}
