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
    /// What tasks are called, in their records and elsewhere.
    pub const NAMES: [&str; 14] = [
        "housekeeping",
        "peeringdb_sync",
        "peeringdb_flush",
        "get_irr_data",
        "grab_prefixes",
        "irr_accept",
        "peeringdb_link",
        "import_original",
        "secrets_rotate",
        "poll_bgp_sessions",
        "import_sessions",
        "configure_routers",
        "drift",
        "render_configuration",
    ];

    /// The name in [`Self::NAMES`] of the task that is meant: commands have `-` or a space for `_`, and one task had another
    /// name.
    pub fn name_of(written: &str) -> Option<&'static str> {
        let name = written.trim().to_lowercase().replace(['-', ' '], "_");
        let name = match name.as_str() {
            "import_sessions_to_internet_exchange" | "sessions_import" | "import_all_ix_sessions" => {
                "import_sessions"
            }
            name => name,
        };
        Self::NAMES.into_iter().find(|known| *known == name)
    }

    /// Whether a task is called so.
    pub fn is_name(name: &str) -> bool {
        Self::NAMES.contains(&name)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tasks_are_known() {
        for name in ["housekeeping", "peeringdb_link", "irr_accept", "configure_routers"] {
            assert!(AnyTask::is_name(name), "{name}");
        }
        for name in AnyTask::NAMES {
            assert!(AnyTask::is_name(name), "{name}");
        }
        let unknown = serde_json::json!({ "task": "", "arguments": null });
        let error = serde_json::from_value::<AnyTask>(unknown).expect_err("no task").to_string();
        for name in error.split('`').skip(1).step_by(2).filter(|name| !name.is_empty()) {
            assert!(AnyTask::name_of(name).is_some(), "{name} of {error}");
        }
        for name in ["", "Housekeeping", "reboot_everything", "unknown variant"] {
            assert!(!AnyTask::is_name(name), "{name}");
        }
    }

    #[test]
    fn names_of_commands_lead_to_those_of_tasks() {
        for (written, name) in [
            ("peeringdb-sync", Some("peeringdb_sync")),
            ("peeringdb link", Some("peeringdb_link")),
            ("Housekeeping", Some("housekeeping")),
            ("import-all-ix-sessions", Some("import_sessions")),
            ("import_sessions_to_internet_exchange", Some("import_sessions")),
            ("peeringdb", None),
            ("", None),
        ] {
            assert_eq!(AnyTask::name_of(written), name, "{written}");
        }
    }
}
