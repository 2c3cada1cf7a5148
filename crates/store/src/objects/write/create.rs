//! New objects.

use std::collections::BTreeSet;

use super::tombstones::{Touched, settle};
use super::{Report, Writing, missing_references, model_of, rows, surroundings, take_over, unique};
use crate::changes::{self, Action, Change};
use crate::objects::model::Model;
use crate::objects::problems::ObjectError;
use crate::objects::record::{Draft, Graph, Record};
use crate::{Engine, Session, StoreError};

/// Makes the objects and logs each. Fields that are not given have their defaults.
///
/// # Errors
/// [`ObjectError::Invalid`] with everything that is wrong with any of them.
pub async fn create(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    drafts: &[Draft],
) -> Result<Vec<Record>, ObjectError> {
    let Some(model) = model_of(drafts.iter())? else { return Ok(Vec::new()) };
    let ids = ids_for(session, model, drafts).await?;
    let mut report = Report::new(writing.rules);
    let mut records = Vec::with_capacity(drafts.len());
    for (index, (draft, id)) in drafts.iter().zip(ids).enumerate() {
        let mut record = Record::new(model, id, writing.now);
        record.created = draft.created.unwrap_or(writing.now);
        record.updated = draft.updated.unwrap_or(writing.now);
        let empty = Graph::default();
        let mut problems = super::Problems::about(index, String::new(), writing.rules, &mut report.found);
        take_over(draft, &mut record, writing.rules, &mut problems);
        super::unhide(None, &mut record, &mut problems);
        let name = record.named(&empty);
        for problem in report.found.iter_mut().filter(|problem| problem.index == index) {
            problem.object.clone_from(&name);
        }
        records.push(record);
    }
    let graph = surroundings(session, model, &records).await?;
    missing_references(session, &records, &graph, &|_, _| true, &mut report).await?;
    for record in &mut records {
        (model.normalise)(record, &graph, writing.keyring)?;
    }
    if writing.rules.checked {
        for (index, record) in records.iter().enumerate() {
            let known: Vec<&str> =
                report.found.iter().filter(|p| p.index == index).filter_map(|p| p.field).collect();
            let mut problems = report.about(index, record, &graph);
            for (field, data) in record.values().filter(|(field, _)| !known.contains(&field.name)) {
                if let Err(message) = field.check(data) {
                    problems.field(field.name, message);
                }
            }
            if !report.has(index) {
                (model.check)(record, &graph, &mut report.about(index, record, &graph));
            }
        }
    }
    unique::check(session, writing.keyring, &records, &graph, &|_, _| true, &mut report).await?;
    report.finish()?;
    rows::seal(writing.keyring, &mut records)?;
    rows::insert(session, model, &rows::at_rest(writing.keyring, &[], &records)?).await?;
    rows::insert_lists(session, model, &records, &|_, _| true).await?;
    let log: Vec<Change> = records
        .iter()
        .map(|record| Change {
            action: Action::Create,
            model: model.label,
            object_id: record.id,
            object_repr: record.display(&graph),
            before: None,
            after: super::snapshots(None, Some(record), &graph).1,
        })
        .collect();
    changes::record(session, writing.author, &log, writing.now).await?;
    let made = Touched::of(model.label, records.iter().map(|record| record.id).collect());
    settle(session, writing, Vec::new(), &made, &BTreeSet::new()).await?;
    Ok(records)
}

/// A number for each of them, in order.
async fn ids_for(
    session: &mut Session<'_>,
    model: &'static Model,
    drafts: &[Draft],
) -> Result<Vec<i64>, ObjectError> {
    let wanted = drafts.iter().filter(|draft| draft.id.is_none()).count();
    let highest = drafts.iter().filter_map(|draft| draft.id).max();
    let table = model.table;
    let mut free: Vec<i64> = match session.engine() {
        // Nobody else can write between this and the insert: the transaction has the write lock.
        Engine::Sqlite => {
            let row =
                session.row("SELECT seq FROM sqlite_sequence WHERE name = ?", vec![table.into()]).await?;
            let last: i64 = row.map_or(Ok(0), |row| row.get("seq"))?;
            let last = last.max(highest.unwrap_or(0));
            (1..=i64::try_from(wanted).unwrap_or(0)).map(|number| last.saturating_add(number)).collect()
        }
        Engine::Postgres => {
            if let Some(highest) = highest {
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), GREATEST(?, (SELECT last_value FROM \
                     {table}_id_seq)))"
                );
                session.row(&sql, vec![highest.into()]).await?;
            }
            let sql = format!(
                "SELECT nextval(pg_get_serial_sequence('{table}', 'id')) AS id FROM generate_series(1, {wanted})"
            );
            let rows = session.rows(&sql, vec![]).await?;
            rows.iter().map(|row| row.get("id")).collect::<Result<_, StoreError>>()?
        }
    };
    free.sort_unstable_by(|a, b| b.cmp(a));
    drafts
        .iter()
        .map(|draft| match draft.id {
            Some(id) => Ok(id),
            None => {
                free.pop().ok_or_else(|| StoreError::Data(format!("no number for a row of {table}")).into())
            }
        })
        .collect()
}
