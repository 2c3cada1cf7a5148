//! Every task by name, so that one can be stored, sent and started from anywhere.

use serde::{Deserialize, Serialize};

use crate::render::RenderConfiguration;
use crate::{
    ConfigureRouters, Drift, GetIrrData, GrabPrefixes, Housekeeping, ImportOriginal, ImportSessions,
    IrrAccept, PeeringdbFlush, PeeringdbLink, PeeringdbSync, PollBgpSessions, SecretsRotate, Task,
};

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
    /// Fetches prefix lists and AS lists.
    GetIrrData(GetIrrData),
    /// Fetches prefix lists.
    GrabPrefixes(GrabPrefixes),
    /// Takes lists that are held back.
    IrrAccept(IrrAccept),
    /// Links our own objects with the cache.
    PeeringdbLink(PeeringdbLink),
    /// Takes over what the original's REST API lists.
    ImportOriginal(ImportOriginal),
    /// Encrypts stored passwords anew.
    SecretsRotate(SecretsRotate),
    /// Asks routers for the state of sessions.
    PollBgpSessions(PollBgpSessions),
    /// Makes sessions of neighbours that have none.
    #[serde(alias = "import_sessions_to_internet_exchange")]
    ImportSessions(ImportSessions),
    /// Brings configurations to routers.
    ConfigureRouters(ConfigureRouters),
    /// Compares what routers run with what was deployed.
    Drift(Drift),
    /// Renders configurations.
    RenderConfiguration(RenderConfiguration),
}

impl AnyTask {
    /// The task itself.
    pub fn as_task(&self) -> &dyn Task {
        match self {
            Self::Housekeeping(task) => task,
            Self::PeeringdbSync(task) => task,
            Self::PeeringdbFlush(task) => task,
            Self::GetIrrData(task) => task,
            Self::GrabPrefixes(task) => task,
            Self::IrrAccept(task) => task,
            Self::PeeringdbLink(task) => task,
            Self::ImportOriginal(task) => task,
            Self::SecretsRotate(task) => task,
            Self::PollBgpSessions(task) => task,
            Self::ImportSessions(task) => task,
            Self::ConfigureRouters(task) => task,
            Self::Drift(task) => task,
            Self::RenderConfiguration(task) => task,
        }
    }

    /// The task itself, by itself.
    pub fn into_task(self) -> Box<dyn Task> {
        match self {
            Self::Housekeeping(task) => Box::new(task),
            Self::PeeringdbSync(task) => Box::new(task),
            Self::PeeringdbFlush(task) => Box::new(task),
            Self::GetIrrData(task) => Box::new(task),
            Self::GrabPrefixes(task) => Box::new(task),
            Self::IrrAccept(task) => Box::new(task),
            Self::PeeringdbLink(task) => Box::new(task),
            Self::ImportOriginal(task) => Box::new(task),
            Self::SecretsRotate(task) => Box::new(task),
            Self::PollBgpSessions(task) => Box::new(task),
            Self::ImportSessions(task) => Box::new(task),
            Self::ConfigureRouters(task) => Box::new(task),
            Self::Drift(task) => Box::new(task),
            Self::RenderConfiguration(task) => Box::new(task),
        }
    }
}
