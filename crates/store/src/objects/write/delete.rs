//! Deletions, with what goes with an object, what loses its reference to it, and what forbids it.

use std::collections::{BTreeMap, BTreeSet};

use super::tombstones::{Touched, places, settle};
use super::{Writing, rows, snapshots};
use crate::Session;
use crate::changes::{self, Action, Change};
use crate::objects::data::Data;
use crate::objects::model::{Kind, Model, OnDelete};
use crate::objects::models::{direct_peering_session, internet_exchange_peering_session, router};
use crate::objects::problems::{ObjectError, Protector};
use crate::objects::query::Query;
use crate::objects::read::displays;
use crate::objects::record::{Graph, Record};
use crate::objects::registry;
use crate::objects::sql::{among, id_list};

/// What a deletion did, or would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deletion {
    /// What is gone: model and ids, what was asked for included.
    pub deleted: BTreeMap<&'static str, BTreeSet<i64>>,
    /// What lost a reference: model, id, field.
    pub emptied: BTreeSet<(&'static str, i64, &'static str)>,
}

impl Deletion {
    /// The sessions that are deleted.
    fn going(&self) -> Touched {
        let mut touched = Touched::default();
        for label in [direct_peering_session::MODEL.label, internet_exchange_peering_session::MODEL.label] {
            touched.add(label, self.deleted.get(label).into_iter().flatten().copied());
        }
        touched
    }

    /// The sessions that stay and lose what led to their router.
    fn staying(&self) -> Touched {
        let lost = self.emptied.iter().filter(|(_, _, field)| matches!(*field, "router" | "connection"));
        let of = direct_peering_session::MODEL.label;
        Touched::of(of, lost.filter(|(label, ..)| *label == of).map(|(_, id, _)| *id).collect())
    }
}

/// Deletes the objects and what goes with them, and logs everything. Ids that are not there are passed over. What sessions
/// leave on routers is remembered, see [`crate::tombstones`].
///
/// # Errors
/// [`ObjectError::Protected`] when something that stays needs one of them.
pub async fn delete(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    model: &'static Model,
    ids: &[i64],
) -> Result<Deletion, ObjectError> {
    let plan = plan(session, model, ids).await?;
    let (going, staying) = (plan.going(), plan.staying());
    let mut left = places(session, &going).await?;
    left.extend(places(session, &staying).await?);
    empty(session, writing, &plan).await?;
    let mut log = Vec::new();
    for model in registry::models().collect::<Vec<_>>().into_iter().rev() {
        let Some(ids) = plan.deleted.get(model.label) else { continue };
        let ids: Vec<i64> = ids.iter().copied().collect();
        let mut records = Query::of(model).ids(ids.clone()).order(&["id"]).hold().list(session).await?;
        for record in &mut records {
            record.open(writing.keyring);
        }
        let graph = Graph::read(session, &records, &[model.needs, &["tags"]].concat()).await?;
        for (place, field) in model.fields.iter().enumerate() {
            if matches!(field.kind, Kind::ManyToMany(_) | Kind::Tags) {
                rows::clear_list(session, model, place, &ids).await?;
            }
        }
        log.extend(records.iter().map(|record| Change {
            action: Action::Delete,
            model: model.label,
            object_id: record.id,
            object_repr: record.display(&graph),
            before: snapshots(Some(record), None, &graph).0,
            after: None,
        }));
    }
    changes::record(session, writing.author, &log, writing.now).await?;
    // The log is written first, while every name can still be read.
    for model in registry::models().collect::<Vec<_>>().into_iter().rev() {
        let Some(ids) = plan.deleted.get(model.label) else { continue };
        let ids: Vec<i64> = ids.iter().copied().collect();
        let sql = format!("DELETE FROM {} WHERE id {}", model.table, among(session.engine()));
        session.execute(&sql, vec![id_list(&ids)]).await?;
    }
    let routers = plan.deleted.get(router::MODEL.label).cloned().unwrap_or_default();
    settle(session, writing, left, &staying, &routers).await?;
    Ok(plan)
}

/// Follows every reference to what is to go, until nothing new is found.
async fn plan(
    session: &mut Session<'_>,
    model: &'static Model,
    ids: &[i64],
) -> Result<Deletion, ObjectError> {
    let mut plan = Deletion::default();
    let mut protected: BTreeSet<(&'static str, i64, usize)> = BTreeSet::new();
    let there = referring(session, model, "id", None, ids).await?;
    let mut new = vec![(model, there)];
    while let Some((model, ids)) = new.pop() {
        let known = plan.deleted.entry(model.label).or_default();
        let ids: Vec<i64> = ids.into_iter().filter(|id| known.insert(*id)).collect();
        if ids.is_empty() {
            continue;
        }
        for (from, place) in registry::references_to(model) {
            let field = &from.fields[place];
            let (Kind::ForeignKey(_, on_delete), Some(column)) = (field.kind, field.column()) else {
                continue;
            };
            let found = referring(session, from, &column, None, &ids).await?;
            match on_delete {
                OnDelete::Cascade => new.push((from, found)),
                OnDelete::SetNull => {
                    plan.emptied.extend(found.iter().map(|id| (from.label, *id, field.name)));
                }
                OnDelete::Protect => protected.extend(found.iter().map(|id| (from.label, *id, place))),
            }
        }
        for (attached, type_column, id_column) in registry::attached() {
            let found =
                referring(session, attached, id_column, Some((type_column, model.label)), &ids).await?;
            new.push((attached, found));
        }
    }
    plan.deleted.retain(|_, ids| !ids.is_empty());
    let goes = |label: &str, id: i64| plan.deleted.get(label).is_some_and(|ids| ids.contains(&id));
    let emptied = plan.emptied.iter().filter(|(label, id, _)| !goes(label, *id)).copied().collect();
    let protected: Vec<_> = protected.into_iter().filter(|(label, id, _)| !goes(label, *id)).collect();
    plan.emptied = emptied;
    if protected.is_empty() { Ok(plan) } else { Err(refusal(session, model, &protected).await?) }
}

/// Ids of the objects whose column holds one of `ids`.
async fn referring(
    session: &mut Session<'_>,
    model: &Model,
    column: &str,
    of_type: Option<(&str, &str)>,
    ids: &[i64],
) -> Result<Vec<i64>, ObjectError> {
    let mut sql = format!("SELECT id FROM {} WHERE {column} {}", model.table, among(session.engine()));
    let mut values = vec![id_list(ids)];
    if let Some((type_column, label)) = of_type {
        let and = format!(" AND {type_column} = ?");
        sql.push_str(&and);
        values.push(label.into());
    }
    let mut found = Vec::new();
    session
        .each(&sql, values, |row| {
            found.push(row.get(0)?);
            Ok(())
        })
        .await?;
    Ok(found)
}

async fn refusal(
    session: &mut Session<'_>,
    model: &'static Model,
    protected: &[(&'static str, i64, usize)],
) -> Result<ObjectError, ObjectError> {
    let mut protectors = Vec::new();
    for from in registry::models() {
        let of_model: Vec<_> = protected.iter().filter(|(label, ..)| *label == from.label).collect();
        if of_model.is_empty() {
            continue;
        }
        let ids = of_model.iter().map(|(_, id, _)| *id).collect();
        let records = Query::of(from).ids(ids).list(session).await?;
        let names = displays(session, &records).await?;
        for (record, display) in records.into_iter().zip(names) {
            let field = of_model.iter().find(|(_, id, _)| *id == record.id);
            let field = field.map_or("", |(_, _, place)| from.fields[*place].name);
            protectors.push(Protector { record, display, field });
        }
    }
    Ok(ObjectError::Protected { model: model.plural, protectors })
}

/// Empties references to what goes, in objects that stay.
async fn empty(session: &mut Session<'_>, writing: Writing<'_>, plan: &Deletion) -> Result<(), ObjectError> {
    for model in registry::models() {
        let fields: Vec<(i64, &str)> = plan
            .emptied
            .iter()
            .filter(|(label, ..)| *label == model.label)
            .map(|(_, id, field)| (*id, *field))
            .collect();
        if fields.is_empty() {
            continue;
        }
        let ids: BTreeSet<i64> = fields.iter().map(|(id, _)| *id).collect();
        let query = Query::of(model).ids(ids.into_iter().collect()).order(&["id"]).hold();
        let mut before = query.list(session).await?;
        for record in &mut before {
            record.open(writing.keyring);
        }
        let graph = Graph::read(session, &before, &[model.needs, &["tags"]].concat()).await?;
        let mut after = before.clone();
        for record in &mut after {
            record.updated = writing.now;
            let id = record.id;
            for (_, field) in fields.iter().filter(|(of, _)| *of == id) {
                record.set(field, Data::Null);
            }
        }
        rows::replace(session, model, &rows::at_rest(writing.keyring, &before, &after)?).await?;
        let log: Vec<Change> =
            before.iter().zip(&after).map(|(before, after)| change(before, after, &graph)).collect();
        changes::record(session, writing.author, &log, writing.now).await?;
    }
    Ok(())
}

fn change(before: &Record, after: &Record, graph: &Graph) -> Change {
    let (was, is) = snapshots(Some(before), Some(after), graph);
    Change {
        action: Action::Update,
        model: after.model().label,
        object_id: after.id,
        object_repr: after.display(graph),
        before: was,
        after: is,
    }
}
