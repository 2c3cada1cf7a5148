//! Configurations with passwords in them, sealed.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{SEALED, TABLE};
use crate::given::Given;
use crate::objects::problems::ObjectError;
use crate::objects::secrets::{Clear, Keyring, SecretError};
use crate::schema::ColumnKind;
use crate::{Engine, Session, Value};

/// What sealed texts are sealed for.
const CONTEXT: &str = "devices.deployment";
/// Deployments that are sealed anew in one go.
pub const BATCH: u32 = 50;
/// Largest configuration that is unpacked, in octets.
const LARGEST: u64 = 1 << 30;

/// Seals a configuration, packed.
///
/// # Errors
/// Those of the keyring.
pub fn seal(keyring: &Keyring, text: &str) -> Result<String, SecretError> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let octets = packed.write_all(text.as_bytes()).and_then(|()| packed.finish());
    // Writing into memory does not fail.
    let octets = octets.unwrap_or_default();
    keyring.seal(CONTEXT, &Clear::new(STANDARD.encode(octets)))
}

/// The inverse of [`seal`].
///
/// # Errors
/// Those of the keyring; [`SecretError::Damaged`] for what was not sealed by it.
pub fn open(keyring: &Keyring, sealed: &str) -> Result<String, SecretError> {
    let damaged = || SecretError::Damaged { context: CONTEXT.to_owned() };
    let packed = keyring.open(CONTEXT, sealed)?;
    let octets = STANDARD.decode(packed.reveal()).map_err(|_| damaged())?;
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(octets.as_slice())
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|_| damaged())?;
    Ok(text)
}

/// Seals the secrets that stand in a configuration.
///
/// # Errors
/// Those of the keyring.
pub fn seal_secrets(keyring: &Keyring, secrets: &[impl AsRef<str>]) -> Result<String, SecretError> {
    let texts: Vec<&str> = secrets.iter().map(AsRef::as_ref).collect();
    keyring.seal(CONTEXT, &Clear::new(serde_json::Value::from(texts).to_string()))
}

/// The inverse of [`seal_secrets`]; none for a deployment of an earlier version.
///
/// # Errors
/// Those of the keyring; [`SecretError::Damaged`] for what was not sealed by it.
pub fn open_secrets(keyring: &Keyring, sealed: Option<&str>) -> Result<Vec<String>, SecretError> {
    let Some(sealed) = sealed else { return Ok(Vec::new()) };
    let clear = keyring.open(CONTEXT, sealed)?;
    serde_json::from_str(clear.reveal()).map_err(|_| SecretError::Damaged { context: CONTEXT.to_owned() })
}

/// A text's fingerprint.
///
/// # Errors
/// Those of the keyring.
pub fn fingerprint(keyring: &Keyring, text: &str) -> Result<String, SecretError> {
    keyring.fingerprint(CONTEXT, text)
}

/// Seals texts that are sealed under an older key anew: those of the first [`BATCH`] deployments with such a text after the
/// deployment `after`. Gives the last of these deployments and the number of texts; `None` if there is none left.
///
/// Texts may be long and many, so one transaction is not to hold them all: what is left half done opens with the older keys.
///
/// # Errors
/// Those of the database and of the keyring.
pub async fn reseal(
    session: &mut Session<'_>,
    keyring: &Keyring,
    after: i64,
) -> Result<Option<(i64, u64)>, ObjectError> {
    let current = format!("1:{}:%", keyring.current().unwrap_or_default());
    let stale = SEALED.map(|column| format!("({column} IS NOT NULL AND {column} NOT LIKE ?)"));
    let hold = if session.engine() == Engine::Postgres { " FOR UPDATE" } else { "" };
    let sql = format!(
        "SELECT id, {} FROM {TABLE} WHERE id > ? AND ({}) ORDER BY id LIMIT {BATCH}{hold}",
        SEALED.join(", "),
        stale.join(" OR ")
    );
    let mut values: Vec<Value> = vec![after.into()];
    values.extend(SEALED.map(|_| current.as_str().into()));
    let mut resealed = 0;
    let mut last = None;
    let mut rows = Vec::new();
    for row in session.rows(&sql, values).await? {
        let id: i64 = row.get("id")?;
        last = Some(id);
        let mut anew: [Value; SEALED.len() + 1] = [const { Value::Text(None) }; SEALED.len() + 1];
        anew[0] = id.into();
        for (column, anew) in SEALED.iter().zip(&mut anew[1..]) {
            let Some(sealed) = row.get::<Option<String>, _>(*column)? else { continue };
            if keyring.is_current(&sealed) {
                *anew = sealed.into();
                continue;
            }
            *anew = keyring.seal(CONTEXT, &keyring.open(CONTEXT, &sealed)?)?.into();
            resealed += 1;
        }
        rows.push(anew);
    }
    let Some(last) = last else { return Ok(None) };
    let mut columns = [("id", ColumnKind::Integer); SEALED.len() + 1];
    for (column, name) in columns[1..].iter_mut().zip(SEALED) {
        *column = (name, ColumnKind::Text);
    }
    let given = Given::new(session.engine(), columns, rows);
    let sets = SEALED.map(|column| format!("{column} = g.{column}"));
    let sql =
        format!("UPDATE {TABLE} SET {} FROM {} WHERE g.id = {TABLE}.id", sets.join(", "), given.table());
    session.execute(&sql, given.values()).await?;
    Ok(Some((last, resealed)))
}
