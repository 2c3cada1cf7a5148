//! Objects into a document.

use serde_json::{Map, Value as Json};

use super::keys::Keys;
use super::{FORMAT, VERSION, member};
use crate::Session;
use crate::objects::model::{Field, Kind};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::objects::record::Record;
use crate::objects::registry;
use crate::objects::secrets::Keyring;
use crate::objects::write::mask_one;

/// What becomes of secrets in an export.
#[derive(Clone, Copy, Debug)]
pub enum Secrets<'a> {
    /// They are left out, and hidden in JSON fields: an import leaves those that are there alone. JSON that is sealed and does
    /// not open is left out.
    LeftOut(&'a Keyring),
    /// They stand in the document, readable to whoever reads it.
    Readable(&'a Keyring),
}

/// All objects. Run it in one transaction, so that it sees one moment.
///
/// # Errors
/// [`ObjectError::Secret`] for one that does not open.
pub async fn export(session: &mut Session<'_>, secrets: Secrets<'_>) -> Result<Json, ObjectError> {
    let mut keys = Keys::new(session).await?;
    let mut document = Map::new();
    document.insert("format".to_owned(), FORMAT.into());
    document.insert("version".to_owned(), VERSION.into());
    for model in registry::models() {
        keys.read(session, model).await?;
        // By age: items with the same key are told apart by it.
        let records = Query::of(model).order(&["id"]).list(session).await?;
        let items: Vec<Json> =
            records.iter().map(|record| item(record, &keys, secrets)).collect::<Result<_, _>>()?;
        if !items.is_empty() {
            document.insert(model.section(), items.into());
        }
    }
    Ok(document.into())
}

pub(super) fn item(record: &Record, keys: &Keys, secrets: Secrets<'_>) -> Result<Json, ObjectError> {
    let mut item = Map::new();
    for (field, _) in record.values() {
        if let Some(value) = value(record, field, keys, secrets)? {
            item.insert(member(field).to_owned(), value);
        }
    }
    Ok(item.into())
}

fn value(
    record: &Record,
    field: &Field,
    keys: &Keys,
    secrets: Secrets<'_>,
) -> Result<Option<Json>, ObjectError> {
    match (secrets, field.kind) {
        (Secrets::LeftOut(_), Kind::Secret(_)) => Ok(None),
        (Secrets::LeftOut(_), _) if field.sensitive => Ok(None),
        (Secrets::LeftOut(keyring), Kind::Json | Kind::JsonObject) => {
            let Ok(data) = record.opened(field.name, keyring) else { return Ok(None) };
            let mut value = data.to_json();
            mask_one(field.rule(), &mut value);
            Ok(Some(value))
        }
        (Secrets::Readable(keyring), Kind::Secret(_)) => {
            let clear = record.secret(field.name, keyring)?;
            Ok(Some(clear.map_or(Json::Null, |clear| clear.reveal().into())))
        }
        (Secrets::Readable(keyring), _) if field.sealed => {
            Ok(Some(record.opened(field.name, keyring)?.to_json()))
        }
        _ => Ok(Some(keys.value(record, field))),
    }
}
