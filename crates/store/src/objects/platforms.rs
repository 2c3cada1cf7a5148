//! Platforms, as routers use them.

use std::collections::BTreeSet;

use super::models::{platform, router};
use crate::{Session, StoreError};

/// The drivers of the platforms that routers have.
pub async fn drivers_in_use(session: &mut Session<'_>) -> Result<BTreeSet<String>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT p.napalm_driver AS name FROM {} p JOIN {} r ON r.platform_id = p.id WHERE p.napalm_driver <> ''",
        platform::MODEL.table,
        router::MODEL.table
    );
    let rows = session.rows(&sql, vec![]).await?;
    rows.iter().map(|row| row.get("name")).collect()
}
