//! `peeringdb link`: finds our own connections and exchanges in the cache, as every synchronisation does at its end.
//!
//! Reads: the cache, connections, exchanges, hidden peers. Writes, in one transaction: the links, with their change log.

use pm_store::jobs::Outcome;
use pm_store::objects::problems::Rules;
use pm_store::peeringdb::links;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::peeringdb_sync::say_links;
use crate::queue::Queue;
use crate::{Done, Task, TaskContext, TaskError};

/// The task; it has no arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringdbLink {}

#[async_trait::async_trait]
impl Task for PeeringdbLink {
    fn name(&self) -> &'static str {
        "peeringdb_link"
    }

    fn label(&self) -> &'static str {
        "peeringdb.link"
    }

    fn arguments(&self) -> Json {
        json!({})
    }

    fn lock_key(&self) -> Option<String> {
        Some("peeringdb_sync".to_owned())
    }

    fn queue(&self) -> Queue {
        Queue::Data
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        let links = links::link(&mut session, context.writing(Rules::FEWEST)).await?;
        context.commit(transaction).await?;
        for line in &links.changes {
            context.reporter.info(line.clone());
        }
        say_links(context, &links);
        let changed = links.connections + links.exchanges;
        let outcome = if changed == 0 { Outcome::NothingToDo } else { Outcome::Ok };
        let summary = format!(
            "{} connections and {} Internet exchanges were linked anew; {} are unclear, {} not in PeeringDB.",
            links.connections,
            links.exchanges,
            links.unclear.len(),
            links.absent.len()
        );
        Ok(Done { outcome, summary, data: serde_json::to_value(&links).unwrap_or_default() })
    }
}
