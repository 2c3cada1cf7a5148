//! Every task by name, so that one can be stored, sent and started from anywhere.

use serde::{Deserialize, Serialize};

use crate::{Housekeeping, PeeringdbFlush, PeeringdbSync, Task};

/// A task as a value: its name and its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", content = "arguments", rename_all = "snake_case")]
pub enum AnyTask {
    /// Clears away what has grown old.
    Housekeeping(Housekeeping),
    /// Brings the cache up to date.
    PeeringdbSync(PeeringdbSync),
    /// Empties the cache.
    PeeringdbFlush(PeeringdbFlush),
}

impl AnyTask {
    /// The task itself.
    pub fn as_task(&self) -> &dyn Task {
        match self {
            Self::Housekeeping(task) => task,
            Self::PeeringdbSync(task) => task,
            Self::PeeringdbFlush(task) => task,
        }
    }
}
