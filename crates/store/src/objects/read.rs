//! Rows into records, and what records refer to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::data::Data;
use super::join::Join;
use super::model::{Field, Kind, Model};
use super::problems::ObjectError;
use super::query::Query;
use super::record::{Graph, Record};
use super::sql::{Scope, among, id_list};
use crate::{Session, Value};

/// The columns that [`records`] reads, of the table with this alias.
pub(crate) fn columns(model: &Model, alias: &str) -> String {
    let columns: Vec<String> = model.columns().iter().map(|column| format!("{alias}.{column}")).collect();
    columns.join(", ")
}

/// What a statement that selects [`columns`] finds, without lists.
pub(crate) async fn records(
    session: &mut Session<'_>,
    model: &'static Model,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Record>, ObjectError> {
    let mut records = Vec::new();
    session
        .each(sql, values, |row| {
            let mut record = Record::new(model, row.get(0)?, row.get(1)?);
            record.updated = row.get(2)?;
            let with_column =
                model.fields.iter().enumerate().filter(|(_, field)| field.kind.column().is_some());
            for (column, (place, field)) in with_column.enumerate() {
                record.put(place, field.read(&row, column + 3)?);
            }
            records.push(record);
            Ok(())
        })
        .await?;
    Ok(records)
}

/// Fills in the lists of references and the tags, each in the default order of what it refers to.
pub(super) async fn lists(
    session: &mut Session<'_>,
    model: &'static Model,
    records: &mut [Record],
) -> Result<(), ObjectError> {
    if records.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = records.iter().map(|record| record.id).collect();
    for (place, field) in model.fields.iter().enumerate() {
        let (Kind::ManyToMany(_) | Kind::Tags, Some(target)) = (field.kind, field.target()) else { continue };
        let join = Join::of(model, field, target);
        let mut scope = Scope::new(session.engine());
        let order = scope.order(target, target.order)?;
        let sql = format!(
            "SELECT l.{}, l.{} FROM {} l JOIN {} t0 ON t0.id = l.{}{} WHERE l.{} {}{} ORDER BY {order}",
            join.owner,
            join.target,
            join.table,
            target.table,
            join.target,
            scope.tail(),
            join.owner,
            among(session.engine()),
            join.and
        );
        let mut found: HashMap<i64, Vec<i64>> = HashMap::new();
        session
            .each(&sql, vec![id_list(&ids)], |row| {
                found.entry(row.get(0)?).or_default().push(row.get(1)?);
                Ok(())
            })
            .await?;
        for record in records.iter_mut() {
            record.put(place, Data::Ids(found.remove(&record.id).unwrap_or_default()));
        }
    }
    Ok(())
}

impl Graph {
    /// Reads what `records` refer to along `paths` (names of references with dots between them): a statement per model
    /// and step. What is read has no lists of its own.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read(
        session: &mut Session<'_>,
        records: &[Record],
        paths: &[&str],
    ) -> Result<Self, ObjectError> {
        let mut graph = Self::default();
        graph.extend(session, records, paths).await?;
        Ok(graph)
    }

    pub(super) async fn extend(
        &mut self,
        session: &mut Session<'_>,
        records: &[Record],
        paths: &[&str],
    ) -> Result<(), ObjectError> {
        let paths: Vec<Vec<&str>> = paths.iter().map(|path| path.split('.').collect()).collect();
        let mut reached: Vec<BTreeSet<(&'static str, i64)>> = vec![BTreeSet::new(); paths.len()];
        for step in 0.. {
            let mut wanted: BTreeMap<&'static str, (&'static Model, BTreeSet<i64>)> = BTreeMap::new();
            for (path, reached) in paths.iter().zip(&mut reached) {
                let Some(name) = path.get(step) else { continue };
                let next = if step == 0 {
                    refers_to(records.iter(), name)
                } else {
                    refers_to(reached.iter().filter_map(|key| self.by_key(key)), name)
                };
                *reached = next.iter().map(|(target, id)| (target.label, *id)).collect();
                for (target, id) in next {
                    if self.get(target, id).is_none() {
                        wanted.entry(target.label).or_insert((target, BTreeSet::new())).1.insert(id);
                    }
                }
            }
            for (target, ids) in wanted.into_values() {
                let query = Query::of(target).ids(ids.into_iter().collect()).order(&[]).without_lists();
                for record in query.list(session).await? {
                    self.add(record);
                }
            }
            if paths.iter().all(|path| path.len() <= step + 1) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What these records' field of this name refers to.
fn refers_to<'a>(records: impl Iterator<Item = &'a Record>, name: &str) -> Vec<(&'static Model, i64)> {
    let mut found = Vec::new();
    for record in records {
        let Some(target) = record.model().field(name).and_then(Field::target) else { continue };
        match record.get(name) {
            Data::Integer(id) => found.push((target, *id)),
            Data::Ids(ids) => found.extend(ids.iter().map(|id| (target, *id))),
            _ => {}
        }
    }
    found
}

/// What people call these, in their order.
///
/// # Errors
/// Those of the database.
pub async fn displays(session: &mut Session<'_>, records: &[Record]) -> Result<Vec<String>, ObjectError> {
    let mut graph = Graph::default();
    let mut by_model: BTreeMap<&str, Vec<Record>> = BTreeMap::new();
    for record in records {
        by_model.entry(record.model().label).or_default().push(record.clone());
    }
    for records in by_model.into_values() {
        let needs = records.first().map_or(&[][..], |record| record.model().needs);
        graph.extend(session, &records, needs).await?;
    }
    Ok(records.iter().map(|record| record.display(&graph)).collect())
}
