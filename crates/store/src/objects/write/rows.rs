//! Records into rows.

use std::borrow::Cow;

use crate::database::placeholders;
use crate::objects::data::Data;
use crate::objects::join::Join;
use crate::objects::model::{Field, Kind, Model};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::objects::record::{Record, secret_context};
use crate::objects::registry;
use crate::objects::secrets::{Keyring, SecretError};
use crate::objects::sql::{among, id_list};
use crate::{Session, Value};

/// Values that one statement carries at most: SQLite's limit is 32766.
const VALUES: usize = 15_000;

/// Records as the database holds them: what is sealed beside secrets is sealed, too. Without a key, what stood in the clear in
/// `before` stays so: an object can be changed in other fields although there is no key for this one.
pub(super) fn at_rest<'a>(
    keyring: &Keyring,
    before: &[Record],
    records: &'a [Record],
) -> Result<Cow<'a, [Record]>, SecretError> {
    if !records.first().is_some_and(|record| record.model().fields.iter().any(|field| field.sealed)) {
        return Ok(records.into());
    }
    let mut sealed = records.to_vec();
    for (index, record) in sealed.iter_mut().enumerate() {
        let model = record.model();
        for (place, field) in model.fields.iter().enumerate().filter(|(_, field)| field.sealed) {
            let Some(clear) = field.clear(record.at(place)) else { continue };
            match keyring.seal(&secret_context(model, field.name), &clear) {
                Ok(sealed) => record.put(place, Data::Sealed(sealed)),
                Err(_) if before.get(index).is_some_and(|before| before.at(place) == record.at(place)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sealed.into())
}

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

/// Seals everything that is sealed under an older key anew, so that the older keys can go, and what an earlier release left in
/// the clear, and gives its number. No object changes by it: nothing is logged.
///
/// # Errors
/// [`ObjectError::Secret`] for one that does not open.
pub async fn reseal(session: &mut Session<'_>, keyring: &Keyring) -> Result<u64, ObjectError> {
    let mut resealed = 0;
    for model in registry::models() {
        if !model.fields.iter().any(Field::is_sealed) {
            continue;
        }
        let mut stale = Vec::new();
        for mut record in Query::of(model).order(&[]).hold().without_lists().list(session).await? {
            let anew = reseal_one(&mut record, keyring)?;
            if anew > 0 {
                stale.push(record);
            }
            resealed += anew;
        }
        replace(session, model, &stale).await?;
    }
    Ok(resealed)
}

fn reseal_one(record: &mut Record, keyring: &Keyring) -> Result<u64, SecretError> {
    let model = record.model();
    let mut anew = 0;
    for (place, field) in model.fields.iter().enumerate().filter(|(_, field)| field.is_sealed()) {
        let context = secret_context(model, field.name);
        let clear = match record.at(place) {
            Data::Sealed(sealed) if keyring.is_current(sealed) => continue,
            Data::Sealed(sealed) => keyring.open(&context, sealed)?,
            data => match field.clear(data) {
                Some(clear) => clear,
                None => continue,
            },
        };
        record.put(place, Data::Sealed(keyring.seal(&context, &clear)?));
        anew += 1;
    }
    Ok(anew)
}
