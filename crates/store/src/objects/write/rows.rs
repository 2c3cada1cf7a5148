//! Records into rows.

use super::Writing;
use crate::database::placeholders;
use crate::objects::data::Data;
use crate::objects::join::Join;
use crate::objects::model::{Kind, Model};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::objects::record::{Record, secret_context};
use crate::objects::registry;
use crate::objects::secrets::{Keyring, SecretError};
use crate::objects::sql::{among, id_list};
use crate::{Session, Value};

/// Values that one statement carries at most: SQLite's limit is 32766.
const VALUES: usize = 15_000;

/// Seals every secret that is in the clear.
pub(super) fn seal(keyring: &Keyring, records: &mut [Record]) -> Result<(), SecretError> {
    for record in records {
        let model = record.model();
        for (place, field) in model.fields.iter().enumerate() {
            let sealed = match record.at(place) {
                Data::Secret(clear) if !clear.reveal().is_empty() => {
                    keyring.seal(&secret_context(model, field.name), clear)?
                }
                _ => continue,
            };
            record.put(place, Data::Sealed(sealed));
        }
    }
    Ok(())
}

pub(super) async fn insert(
    session: &mut Session<'_>,
    model: &Model,
    records: &[Record],
) -> Result<(), ObjectError> {
    write(session, model, records, "").await
}

/// Replaces the rows of objects that are there.
pub(super) async fn replace(
    session: &mut Session<'_>,
    model: &Model,
    records: &[Record],
) -> Result<(), ObjectError> {
    let columns = model.columns();
    let assignments: Vec<String> =
        columns.iter().skip(1).map(|column| format!("{column} = excluded.{column}")).collect();
    let clause = format!(" ON CONFLICT (id) DO UPDATE SET {}", assignments.join(", "));
    write(session, model, records, &clause).await
}

async fn write(
    session: &mut Session<'_>,
    model: &Model,
    records: &[Record],
    clause: &str,
) -> Result<(), ObjectError> {
    let columns = model.columns();
    let row = format!("({})", placeholders(columns.len()));
    for chunk in records.chunks(VALUES / columns.len()) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * columns.len());
        for record in chunk {
            values.extend([record.id.into(), record.created.into(), record.updated.into()]);
            let with_column = record.values().filter(|(field, _)| field.kind.column().is_some());
            values.extend(with_column.map(|(field, data)| field.value(data)));
        }
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}{clause}",
            model.table,
            columns.join(", "),
            vec![row.as_str(); chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// Stores the lists for which `wanted` (index of the record, place of the field) is true and of which nothing is stored.
pub(super) async fn insert_lists(
    session: &mut Session<'_>,
    model: &Model,
    records: &[Record],
    wanted: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<(), ObjectError> {
    for (place, field) in model.fields.iter().enumerate() {
        let (Kind::ManyToMany(_) | Kind::Tags, Some(target)) = (field.kind, field.target()) else { continue };
        let join = Join::of(model, field, target);
        let mut rows: Vec<(i64, i64)> = Vec::new();
        for (index, record) in records.iter().enumerate() {
            if let (Data::Ids(ids), true) = (record.at(place), wanted(index, place)) {
                rows.extend(ids.iter().map(|id| (record.id, *id)));
            }
        }
        let tags = matches!(field.kind, Kind::Tags);
        let (more, constant) =
            if tags { (", content_type", format!(", '{}'", model.label)) } else { ("", String::new()) };
        for chunk in rows.chunks(VALUES / 2) {
            let row = format!("(?, ?{constant})");
            let sql = format!(
                "INSERT INTO {} ({}, {}{more}) VALUES {}",
                join.table,
                join.owner,
                join.target,
                vec![row.as_str(); chunk.len()].join(", ")
            );
            let values =
                chunk.iter().flat_map(|(owner, target)| [(*owner).into(), (*target).into()]).collect();
            session.execute(&sql, values).await?;
        }
    }
    Ok(())
}

/// Empties the list at this place, for these objects.
pub(super) async fn clear_list(
    session: &mut Session<'_>,
    model: &Model,
    place: usize,
    ids: &[i64],
) -> Result<(), ObjectError> {
    let field = &model.fields[place];
    let (Kind::ManyToMany(_) | Kind::Tags, Some(target)) = (field.kind, field.target()) else {
        return Ok(());
    };
    let join = Join::of(model, field, target);
    let and = if matches!(field.kind, Kind::Tags) {
        format!(" AND content_type = '{}'", model.label)
    } else {
        String::new()
    };
    let sql = format!("DELETE FROM {} WHERE {} {}{and}", join.table, join.owner, among(session.engine()));
    session.execute(&sql, vec![id_list(ids)]).await?;
    Ok(())
}

/// Seals every secret that is sealed under an older key anew, so that the older keys can go, and gives their number.
/// No object changes by it: nothing is logged.
///
/// # Errors
/// [`ObjectError::Secret`] for one that does not open.
pub async fn reseal(session: &mut Session<'_>, writing: Writing<'_>) -> Result<u64, ObjectError> {
    let mut resealed = 0;
    for model in registry::models() {
        let secret = |field: &crate::objects::model::Field| matches!(field.kind, Kind::Secret(_));
        let places: Vec<usize> = model
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| secret(field))
            .map(|(place, _)| place)
            .collect();
        if places.is_empty() {
            continue;
        }
        let mut stale = Vec::new();
        for mut record in Query::of(model).order(&[]).hold().without_lists().list(session).await? {
            let before = resealed;
            for place in &places {
                let Data::Sealed(sealed) = record.at(*place) else { continue };
                if !writing.keyring.is_current(sealed) {
                    let context = secret_context(model, model.fields[*place].name);
                    let clear = writing.keyring.open(&context, sealed)?;
                    record.put(*place, Data::Sealed(writing.keyring.seal(&context, &clear)?));
                    resealed += 1;
                }
            }
            if resealed > before {
                stale.push(record);
            }
        }
        replace(session, model, &stale).await?;
    }
    Ok(resealed + crate::deployments::reseal(session, writing.keyring).await?)
}
