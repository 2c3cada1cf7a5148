//! The latest known release of this program, as housekeeping last found it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Store, StoreError};

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Version without a leading `v`.
    pub version: String,
    /// Page that describes it.
    pub url: String,
    /// When it was looked up.
    pub checked: DateTime<Utc>,
}

/// Remembers the release, in place of the one known before.
pub async fn remember(store: &Store, release: &Release) -> Result<(), StoreError> {
    store
        .execute(
            "INSERT INTO core_release (id, version, url, checked) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE \
             SET version = excluded.version, url = excluded.url, checked = excluded.checked",
            vec![release.version.as_str().into(), release.url.as_str().into(), release.checked.into()],
        )
        .await?;
    Ok(())
}

/// The release remembered last.
pub async fn latest(store: &Store) -> Result<Option<Release>, StoreError> {
    let row = store.row("SELECT version, url, checked FROM core_release WHERE id = 1", vec![]).await?;
    row.map(|row| {
        Ok(Release { version: row.get("version")?, url: row.get("url")?, checked: row.get("checked")? })
    })
    .transpose()
}
