//! `irr accept`: takes what the guards held back.
//!
//! Reads the lists that are held back. Writes them as the current ones, with a generation and a change-log row each, in
//! one transaction.

use pm_store::entities::autonomous_system;
use pm_store::irr::{self, Kind, State, Update, Verdict};
use pm_store::jobs::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::plan::{self, Plan};
use super::record::{self, Decided};
use super::{LOCK, lists};
use crate::queue::Queue;
use crate::{Done, Task, TaskContext, TaskError};

/// Takes the lists of these autonomous systems that are held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IrrAccept {
    /// AS numbers.
    pub asns: Vec<i64>,
}

#[async_trait::async_trait]
impl Task for IrrAccept {
    fn name(&self) -> &'static str {
        "irr_accept"
    }

    fn label(&self) -> &'static str {
        "peering.irr_accept"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some(LOCK.to_owned())
    }

    fn queue(&self) -> Queue {
        Queue::Data
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let mut connection = context.store.connection().await?;
        let mut session = connection.session();
        let systems = autonomous_system::by_asns(&mut session, &self.asns).await?;
        if let Some(asn) = self.asns.iter().find(|asn| !systems.iter().any(|system| system.asn == **asn)) {
            return Err(TaskError::Failed(format!("AS{asn} is not in the database; nothing was changed")));
        }
        let ids: Vec<i64> = systems.iter().map(|system| system.id).collect();
        let mut states = irr::states(&mut session, &ids).await?;
        let held: Vec<i64> = states.values().flatten().filter_map(held_list).collect();
        let mut stored = std::collections::HashMap::new();
        irr::each_data(&mut session, &held, |id, data| {
            stored.insert(id, data);
        })
        .await?;
        drop(connection);
        let mut decided = Vec::new();
        let mut taken = Vec::new();
        for system in systems {
            let before = states.remove(&system.id).unwrap_or_default();
            let (mut verdicts, mut details) = (Vec::new(), Json::Null);
            let planned = plan::plan(&context.config, 0, &system, true);
            for state in &before {
                let Some(held) = &state.held else { continue };
                let wanted = planned
                    .lists
                    .iter()
                    .any(|(kind, plan)| *kind == state.kind && !matches!(plan, Plan::Off | Plan::Failed(_)));
                if !wanted || held.details["objects"] != json!(planned.objects) {
                    return Err(TaskError::Failed(format!(
                        "AS{}: its {} list was held back before it was edited; `get_irr_data` fetches it anew. Nothing \
                         was changed.",
                        system.asn,
                        state.kind.as_str()
                    )));
                }
                let list =
                    stored.get(&held.list.id).and_then(|data| lists::restored(state.kind, data.clone()));
                let list = list.ok_or_else(|| TaskError::Broken(unreadable(system.asn, state.kind)))?;
                taken.push(format!("AS{} {} ({} entries)", system.asn, state.kind.as_str(), list.entries));
                details = held.details.clone();
                verdicts.push((state.kind, Verdict::Replaced { list, found: held.found }));
            }
            if verdicts.is_empty() {
                context.reporter.info(format!("AS{}: nothing is held back", system.asn));
                continue;
            }
            let update = Update { autonomous_system: system.id, before, verdicts, details };
            decided.push(Decided { system, update });
        }
        let edited = record::store(context, self.name(), decided).await?;
        if let Some(asn) = edited.first() {
            return Err(TaskError::TryLater(format!("AS{asn} was edited at this moment; try again")));
        }
        for what in &taken {
            context.reporter.success(format!("taken: {what}"));
        }
        let outcome = if taken.is_empty() { Outcome::NothingToDo } else { Outcome::Ok };
        let summary = match taken.len() {
            0 => "Nothing was held back.".to_owned(),
            count => format!("Took {count} lists that were held back."),
        };
        Ok(Done { outcome, summary, data: json!({ "taken": taken }) })
    }
}

fn held_list(state: &State) -> Option<i64> {
    state.held.as_ref().map(|held| held.list.id)
}

fn unreadable(asn: i64, kind: Kind) -> String {
    format!(
        "the list of AS{asn} ({}) that is held back cannot be read; fetch it again with --force",
        kind.as_str()
    )
}
