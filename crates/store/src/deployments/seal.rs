//! Configurations with passwords in them, sealed.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{SEALED, TABLE};
use crate::Session;
use crate::objects::problems::ObjectError;
use crate::objects::secrets::{Clear, Keyring, SecretError};

/// What sealed texts are sealed for.
const CONTEXT: &str = "devices.deployment";
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

/// A text's fingerprint.
///
/// # Errors
/// Those of the keyring.
pub fn fingerprint(keyring: &Keyring, text: &str) -> Result<String, SecretError> {
    keyring.fingerprint(CONTEXT, text)
}

/// Seals every text that is sealed under an older key anew, and gives their number.
///
/// # Errors
/// Those of the database and of the keyring.
pub async fn reseal(session: &mut Session<'_>, keyring: &Keyring) -> Result<u64, ObjectError> {
    let mut resealed = 0;
    for column in SEALED {
        let mut after = 0_i64;
        loop {
            // A text may be long, so not all of them are held at once.
            let sql = format!(
                "SELECT id, {column} AS sealed FROM {TABLE} WHERE id > ? AND {column} IS NOT NULL ORDER BY id LIMIT 50"
            );
            let rows = session.rows(&sql, vec![after.into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.get("id")?;
            for row in &rows {
                let (id, sealed): (i64, String) = (row.get("id")?, row.get("sealed")?);
                if keyring.is_current(&sealed) {
                    continue;
                }
                let clear = keyring.open(CONTEXT, &sealed)?;
                let anew = keyring.seal(CONTEXT, &clear)?;
                let sql = format!("UPDATE {TABLE} SET {column} = ? WHERE id = ?");
                session.execute(&sql, vec![anew.into(), id.into()]).await?;
                resealed += 1;
            }
        }
    }
    Ok(resealed)
}
