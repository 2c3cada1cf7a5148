//! Changes.

use std::collections::{BTreeSet, HashMap};

use super::tombstones::{Touched, forget_polls, places, settle};
use super::{Report, Writing, missing_references, model_of, rows, surroundings, take_over, unique};
use crate::Session;
use crate::changes::{self, Action, Change};
use crate::objects::data::Data;
use crate::objects::model::{Kind, Model};
use crate::objects::problems::{ObjectError, Problems};
use crate::objects::query::Query;
use crate::objects::record::{Draft, Graph, Record};
use crate::objects::secrets::Keyring;

/// An object that was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Updated {
    /// As it was.
    pub before: Record,
    /// As it is.
    pub after: Record,
}

/// Changes what the drafts give and logs each change. Objects that already are as they shall be are left alone; the others
/// are given back. Where an id comes twice, the later draft wins field by field.
///
/// # Errors
/// [`ObjectError::NotFound`]; [`ObjectError::Invalid`] with everything that is wrong with any of them. The index of a
/// problem counts distinct ids in the order of their first draft.
pub async fn update(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    drafts: &[(i64, Draft)],
) -> Result<Vec<Updated>, ObjectError> {
    let Some(model) = model_of(drafts.iter().map(|(_, draft)| draft))? else { return Ok(Vec::new()) };
    let mut before = held(session, model, drafts).await?;
    for record in &mut before {
        record.open(writing.keyring);
    }
    let place_of: HashMap<i64, usize> =
        before.iter().enumerate().map(|(index, record)| (record.id, index)).collect();
    let mut report = Report::new(writing.rules);
    let mut after = before.clone();
    let nothing = Graph::default();
    for (id, draft) in drafts {
        let Some(index) = place_of.get(id) else { continue };
        let name = before[*index].named(&nothing);
        let mut problems = Problems::about(*index, name, writing.rules, &mut report.found);
        take_over(draft, &mut after[*index], writing.rules, &mut problems);
        super::unhide(Some(&before[*index]), &mut after[*index], &mut problems);
    }
    for (before, after) in before.iter().zip(&mut after) {
        keep_what_is_the_same(before, after, writing.keyring)?;
    }
    let graph = surroundings(session, model, &after).await?;
    for (before, after) in before.iter().zip(&mut after) {
        (model.normalise)(after, &graph, writing.keyring)?;
        keep_what_is_the_same(before, after, writing.keyring)?;
    }
    let changed = |index: usize, place: usize| before[index].at(place) != after[index].at(place);
    missing_references(session, &after, &graph, &changed, &mut report).await?;
    if writing.rules.checked {
        check(model, &after, &graph, &changed, &mut report);
    }
    unique::check(session, writing.keyring, &after, &graph, &changed, &mut report).await?;
    report.finish()?;
    store(session, writing, before, after, &graph).await
}

/// The objects as they are, held still, in the order of their first draft.
async fn held(
    session: &mut Session<'_>,
    model: &'static Model,
    drafts: &[(i64, Draft)],
) -> Result<Vec<Record>, ObjectError> {
    let ids: BTreeSet<i64> = drafts.iter().map(|(id, _)| *id).collect();
    // In one order for everybody, so that two writers cannot wait for each other.
    let query = Query::of(model).ids(ids.into_iter().collect()).order(&["id"]).hold();
    let mut found: HashMap<i64, Record> =
        query.list(session).await?.into_iter().map(|record| (record.id, record)).collect();
    let mut seen = BTreeSet::new();
    let mut records = Vec::with_capacity(found.len());
    for (id, _) in drafts.iter().filter(|(id, _)| seen.insert(*id)) {
        records.push(found.remove(id).ok_or(ObjectError::NotFound { model: model.singular, id: *id })?);
    }
    Ok(records)
}

/// Puts back the values that only look different: the same secret, the same list in another order.
fn keep_what_is_the_same(before: &Record, after: &mut Record, keyring: &Keyring) -> Result<(), ObjectError> {
    for (place, (field, was)) in before.values().enumerate() {
        let same = match (was, after.at(place)) {
            (Data::Ids(was), Data::Ids(is)) => {
                let (mut was, mut is) = (was.clone(), is.clone());
                was.sort_unstable();
                is.sort_unstable();
                was == is
            }
            (Data::Sealed(_), Data::Secret(is)) if !is.reveal().is_empty() => {
                before.secret(field.name, keyring)?.as_ref() == Some(is)
            }
            _ => false,
        };
        if same {
            after.put(place, was.clone());
        }
    }
    Ok(())
}

fn check(
    model: &'static Model,
    records: &[Record],
    graph: &Graph,
    changed: &(dyn Fn(usize, usize) -> bool + Sync),
    report: &mut Report,
) {
    for (index, record) in records.iter().enumerate() {
        let places: Vec<usize> = (0..model.fields.len()).filter(|place| changed(index, *place)).collect();
        if places.is_empty() {
            continue;
        }
        for place in places {
            let field = &model.fields[place];
            if let Err(message) = field.check(record.at(place)) {
                report.about(index, record, graph).field(field.name, message);
            }
        }
        if !report.has(index) {
            (model.check)(record, graph, &mut report.about(index, record, graph));
        }
    }
}

async fn store(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    before: Vec<Record>,
    after: Vec<Record>,
    graph: &Graph,
) -> Result<Vec<Updated>, ObjectError> {
    let (olds, mut news): (Vec<Record>, Vec<Record>) =
        before.into_iter().zip(after).filter(|(before, after)| before != after).unzip();
    let Some(model) = news.first().map(Record::model) else { return Ok(Vec::new()) };
    for record in &mut news {
        record.updated = writing.now;
    }
    rows::seal(writing.keyring, &mut news)?;
    let of_sessions = Touched::by_change(&olds, &news);
    let left = places(session, &of_sessions.moved).await?;
    rows::replace(session, model, &rows::at_rest(writing.keyring, &olds, &news)?).await?;
    forget_polls(session, &of_sessions.other).await?;
    let changed = |index: usize, place: usize| olds[index].at(place) != news[index].at(place);
    for (place, field) in model.fields.iter().enumerate() {
        if matches!(field.kind, Kind::ManyToMany(_) | Kind::Tags) {
            let ids: Vec<i64> =
                (0..news.len()).filter(|index| changed(*index, place)).map(|index| news[index].id).collect();
            if !ids.is_empty() {
                rows::clear_list(session, model, place, &ids).await?;
            }
        }
    }
    rows::insert_lists(session, model, &news, &changed).await?;
    // The log names tags that are gone, too.
    let mut tags = graph.clone();
    tags.extend(session, &olds, &["tags"]).await?;
    let log: Vec<Change> = olds
        .iter()
        .zip(&news)
        .map(|(before, after)| {
            let (was, is) = super::snapshots(Some(before), Some(after), &tags);
            Change {
                action: Action::Update,
                model: model.label,
                object_id: after.id,
                object_repr: after.display(graph),
                before: was,
                after: is,
            }
        })
        .collect();
    changes::record(session, writing.author, &log, writing.now).await?;
    settle(session, writing, left, &of_sessions.touched, &BTreeSet::new()).await?;
    Ok(olds.into_iter().zip(news).map(|(before, after)| Updated { before, after }).collect())
}
