//! The brake for all deployments.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Session, StoreError};

/// What stops all deployments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Freeze {
    /// Since when.
    pub begun: DateTime<Utc>,
    /// Who stopped them.
    pub user_name: String,
    /// Why.
    pub reason: String,
}

/// The freeze that is in force.
///
/// # Errors
/// Those of the database.
pub async fn frozen(session: &mut Session<'_>) -> Result<Option<Freeze>, StoreError> {
    let sql = "SELECT begun, user_name, reason FROM devices_deploymentfreeze WHERE ended IS NULL ORDER BY id LIMIT 1";
    let row = session.row(sql, vec![]).await?;
    row.map(|row| {
        Ok(Freeze { begun: row.get("begun")?, user_name: row.get("user_name")?, reason: row.get("reason")? })
    })
    .transpose()
}

/// Stops all deployments. The inner error is the freeze that is in force already.
///
/// # Errors
/// Those of the database.
pub async fn freeze(
    session: &mut Session<'_>,
    user_name: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Result<(), Freeze>, StoreError> {
    if let Some(freeze) = frozen(session).await? {
        return Ok(Err(freeze));
    }
    session
        .execute(
            "INSERT INTO devices_deploymentfreeze (begun, user_name, reason) VALUES (?, ?, ?)",
            vec![now.into(), user_name.into(), reason.into()],
        )
        .await?;
    Ok(Ok(()))
}

/// Lets deployments go on, and says what was in their way.
///
/// # Errors
/// Those of the database.
pub async fn thaw(
    session: &mut Session<'_>,
    user_name: &str,
    now: DateTime<Utc>,
) -> Result<Option<Freeze>, StoreError> {
    let freeze = frozen(session).await?;
    session
        .execute(
            "UPDATE devices_deploymentfreeze SET ended = ?, ended_by = ? WHERE ended IS NULL",
            vec![now.into(), user_name.into()],
        )
        .await?;
    Ok(freeze)
}
