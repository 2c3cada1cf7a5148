//! How a run ends, and what is said and recorded of it.

use std::time::Duration;

use pm_store::StoreError;
use pm_store::jobs::{Outcome, Status};
use serde_json::Value as Json;

use crate::{Done, TaskError};

/// How a run ended.
pub(crate) enum Ended {
    Done(Done),
    Failed(TaskError),
    Cancelled,
    /// The time limit, and what the task said when it had to end.
    TimedOut {
        limit: Duration,
        left: Option<TaskError>,
    },
    Busy(String),
}

impl Ended {
    pub(crate) fn of(result: Result<Done, TaskError>) -> Self {
        match result {
            Ok(done) => Self::Done(done),
            Err(error) => Self::Failed(error),
        }
    }

    /// What the task gave back for programs.
    pub(crate) fn data(&self) -> Json {
        match self {
            Self::Done(done) => done.data.clone(),
            Self::Failed(TaskError::With { data, .. })
            | Self::TimedOut { left: Some(TaskError::With { data, .. }), .. } => data.clone(),
            _ => Json::Null,
        }
    }

    /// Whether a task that needs time to end gets it: not when others may be at its work by now.
    pub(crate) fn leaves_time(&self) -> bool {
        matches!(self, Self::Cancelled | Self::TimedOut { .. })
    }

    /// How a run ended that was told to end in this way and then ended by itself in that.
    pub(crate) fn with(self, then: Self) -> Self {
        match (self, then) {
            (Self::TimedOut { limit, .. }, Self::Failed(error)) => {
                Self::TimedOut { limit, left: Some(error) }
            }
            (_, then) => then,
        }
    }

    /// Whether the same may work in a while without anybody doing anything.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(error) if error.may_pass())
    }

    /// How long the same is not to be tried.
    pub(crate) fn pause(&self) -> Duration {
        match self {
            Self::Failed(error) => error.pause(),
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn verdict(&self) -> (Status, Option<Outcome>, u8) {
        match self {
            Self::Done(done) => {
                (Status::Completed, Some(done.outcome), if done.outcome == Outcome::Partial { 4 } else { 0 })
            }
            Self::Failed(error) => of_error(error),
            Self::TimedOut { .. } => (Status::Errored, None, 1),
            Self::Cancelled => (Status::Cancelled, None, 1),
            Self::Busy(_) => (Status::Cancelled, None, 75),
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Done(done) => done.summary.clone(),
            Self::Failed(error) => error.to_string(),
            Self::Cancelled => {
                "cancelled before it was done; what was not committed by then is not stored".to_owned()
            }
            Self::TimedOut { limit, left } => {
                let left = left.as_ref().map_or_else(
                    || "what was not committed by then is not stored".to_owned(),
                    ToString::to_string,
                );
                format!(
                    "ended because it took longer than a background job of this kind may, {} s (job_timeout); {left}",
                    limit.as_secs()
                )
            }
            Self::Busy(text) => text.clone(),
        }
    }
}

fn of_error(error: &TaskError) -> (Status, Option<Outcome>, u8) {
    match error {
        TaskError::Failed(_) | TaskError::Unanswered { .. } => (Status::Failed, None, 1),
        TaskError::Refused(_) => (Status::Failed, None, 3),
        TaskError::TryLater(_) | TaskError::TryAfter { .. } | TaskError::Store(StoreError::Busy) => {
            (Status::Failed, None, 75)
        }
        TaskError::Held(_) => (Status::Cancelled, None, 75),
        TaskError::Cancelled(_) => (Status::Cancelled, None, 1),
        TaskError::Store(_) | TaskError::Broken(_) => (Status::Errored, None, 1),
        TaskError::With { error, .. } => of_error(error),
    }
}
