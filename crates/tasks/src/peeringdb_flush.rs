//! `peeringdb_sync --flush`: empties the cache.
//!
//! Writes, in one transaction: the 13 tables, the watermarks and the reports, all emptied. What points into the cache
//! does so by AS number or keeps its own copy of the id, so the next synchronisation restores it.

use pm_store::jobs::Outcome;
use pm_store::peeringdb::runs;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{Done, Task, TaskContext, TaskError};

/// The task; it has no arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringdbFlush {}

#[async_trait::async_trait]
impl Task for PeeringdbFlush {
    fn name(&self) -> &'static str {
        "peeringdb_flush"
    }

    fn label(&self) -> &'static str {
        "peeringdb.flush"
    }

    fn arguments(&self) -> Json {
        json!({})
    }

    fn lock_key(&self) -> Option<String> {
        Some("peeringdb_sync".to_owned())
    }

    fn queueable(&self) -> Result<(), String> {
        Err("a flush cannot be run as a background task".to_owned())
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info("Removing cached data.");
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        let removed = runs::flush(&mut session).await?;
        context.commit(transaction).await?;
        let outcome = if removed == 0 { Outcome::NothingToDo } else { Outcome::Ok };
        Ok(Done {
            outcome,
            summary: format!(
                "Removed {removed} cached records; the next synchronisation fetches everything."
            ),
            data: json!({ "removed": removed }),
        })
    }
}
