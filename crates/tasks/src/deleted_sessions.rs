//! Deleted sessions that may still be on their routers: the list, and forgetting one by hand.

use pm_store::objects::models::router;
use pm_store::objects::problems::ObjectError;
use pm_store::objects::query::Query;
use pm_store::tombstones::{self, Tombstone};

use crate::Editor;
use crate::routers::{Host, limited};

struct Router {
    id: i64,
    name: String,
    hostname: String,
}

impl Host for Router {
    fn number(&self) -> i64 {
        self.id
    }
    fn name(&self) -> &str {
        &self.name
    }
    fn hostname(&self) -> &str {
        &self.hostname
    }
}

/// The deleted sessions of the routers that `limit` names, by router and address; of all routers without it.
///
/// # Errors
/// Those of the database, and a name that no router has.
pub async fn list(editor: &Editor, limit: Option<&str>) -> Result<Vec<Tombstone>, ObjectError> {
    let mut transaction = editor.store.begin_reading().await?;
    let mut session = transaction.session();
    if limit.is_none() {
        return Ok(tombstones::all(&mut session).await?);
    }
    let routers = Query::of(&router::MODEL).without_lists().list(&mut session).await?;
    let routers = routers.iter().map(|router| Router {
        id: router.id,
        name: router.text("name").to_owned(),
        hostname: router.text("hostname").to_owned(),
    });
    let named = limited(routers.collect(), limit).map_err(ObjectError::Question)?;
    let ids: Vec<i64> = named.iter().map(|router| router.id).collect();
    Ok(tombstones::deleted(&mut session, &ids).await?)
}

/// Forgets deleted sessions, by the numbers that [`list`] gives them, and gives them back.
///
/// # Errors
/// Those of the database, and a number that none has; then nothing is forgotten.
pub async fn forget(editor: &Editor, ids: &[i64]) -> Result<Vec<Tombstone>, ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    let mut found = tombstones::all(&mut session).await?;
    found.retain(|one| ids.contains(&one.id));
    let unknown: Vec<String> =
        ids.iter().filter(|id| found.iter().all(|one| one.id != **id)).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        return Err(ObjectError::Question(format!(
            "there is no deleted session {}; `sessions deleted` lists them",
            unknown.join(", ")
        )));
    }
    tombstones::forget(&mut session, ids).await?;
    transaction.commit().await?;
    Ok(found)
}
