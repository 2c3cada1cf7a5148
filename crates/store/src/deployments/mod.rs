//! Configurations on their way to routers: plans, what came of them, and the freeze that stops them all.
//!
//! A row is written before its router is changed and again after each step, so that whoever comes after a process that died
//! knows what it was about. Texts with passwords in them are sealed; differences come with passwords hidden already.

mod freeze;
mod read;
mod seal;
mod write;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use freeze::{Freeze, freeze, frozen, thaw};
pub use read::{
    before, find, in_force, last, list, marks, of_plan, plan, router_name, sessions, sessions_without_router,
    unfinished, unsettled,
};
pub use seal::{BATCH, fingerprint, open, open_secrets, reseal, seal, seal_secrets};
pub use write::{close, insert, nothing_against, open_plan, reopen, step};

/// The table of deployments.
pub(crate) const TABLE: &str = "devices_deployment";
/// Its columns that hold sealed texts.
pub(crate) const SEALED: [&str; 3] = ["configuration", "in_force", "secrets"];
/// Where a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Looked at, not made.
    Planned,
    /// A guard said no.
    Refused,
    /// The router was asked to put it into force, and has not answered yet.
    Committing,
    /// In force, and undone by the router unless it is confirmed.
    Unconfirmed,
    /// In force for good.
    Confirmed,
    /// Written into a file or a repository.
    Written,
    /// It was in force, and the configuration from before is back.
    RolledBack,
    /// Nothing of it is in force.
    Failed,
    /// It is not known what is in force.
    Unknown,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Planned,
        Self::Refused,
        Self::Committing,
        Self::Unconfirmed,
        Self::Confirmed,
        Self::Written,
        Self::RolledBack,
        Self::Failed,
        Self::Unknown,
    ];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Refused => "refused",
            Self::Committing => "committing",
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::Written => "written",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The inverse of [`Status::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// Addresses of sessions that stand in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Those of sessions that the database had then.
    pub stored: Vec<IpAddr>,
    /// Those of other neighbours that the router had then.
    pub others: Vec<IpAddr>,
}

/// A deployment that is about to be recorded.
#[derive(Clone, Debug)]
pub struct New {
    /// The router.
    pub router: i64,
    /// Its name, which outlives it.
    pub router_name: String,
    /// The plan it belongs to.
    pub plan: Option<i64>,
    /// The job that makes it.
    pub job: i64,
    /// Who asked for it.
    pub user_name: String,
    /// Where it stands.
    pub status: Status,
    /// The template's name.
    pub template: String,
    /// `merge` or `replace`.
    pub load_mode: &'static str,
    /// Whether guards were told to be silent.
    pub forced: bool,
    /// The moment of the database that the configuration was rendered from.
    pub rendered: DateTime<Utc>,
    /// Hash of all that the configuration was rendered from.
    pub input_hash: String,
    /// The configuration's fingerprint, see [`Keyring::fingerprint`].
    pub candidate: String,
    /// The fingerprint of what ran before.
    pub running: String,
    /// What would change, with passwords hidden.
    pub diff: String,
    /// Lines that are added.
    pub added: i64,
    /// Lines that go.
    pub removed: i64,
    /// Addresses of sessions in the configuration.
    pub sessions: Sessions,
    /// What the renderer warned of.
    pub warnings: Vec<String>,
    /// Why it was refused.
    pub message: Option<String>,
    /// The configuration, sealed by [`seal`].
    pub configuration: String,
    /// The secrets in the configuration, sealed by [`seal_secrets`].
    pub secrets: String,
    /// How the router will call the change, where that is known before it is made.
    pub pending: Option<Json>,
}

/// What becomes of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Where it stands now.
    pub status: Option<Status>,
    /// Whether nothing more will happen.
    pub ended: bool,
    /// How the router calls the change that waits for its confirmation; JSON `null` takes it away.
    pub pending: Option<Json>,
    /// One sentence for people.
    pub message: Option<String>,
    /// What runs on the router now, sealed by [`seal`].
    pub in_force: Option<String>,
}

/// A deployment as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Deployment {
    /// Its number.
    pub id: i64,
    /// The router's number, while there is one.
    pub router: Option<i64>,
    /// The router's name at that time.
    pub router_name: String,
    /// The plan it belongs to.
    pub plan: Option<i64>,
    /// The job that made it, while its record is kept.
    pub job: Option<i64>,
    /// Who asked for it.
    pub user_name: String,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// When nothing more happened.
    pub ended: Option<DateTime<Utc>>,
    /// Where it stands.
    pub status: Status,
    /// The template's name.
    pub template: String,
    /// `merge` or `replace`.
    pub load_mode: String,
    /// Whether guards were told to be silent.
    pub forced: bool,
    /// Hash of all that the configuration was rendered from.
    pub input_hash: String,
    /// The configuration's fingerprint.
    pub candidate: String,
    /// The fingerprint of what ran before.
    pub running: String,
    /// Lines that are added.
    pub added: i64,
    /// Lines that go.
    pub removed: i64,
    /// How the router calls the change that waits for its confirmation.
    pub pending: Option<Json>,
    /// One sentence for people.
    pub message: Option<String>,
    /// Who says that it was looked after, though its end is not known.
    pub closed_by: Option<String>,
}

/// How much longer than its timer a deployment may be at work, for its commit and for the router to go back.
const AT_WORK: TimeDelta = TimeDelta::minutes(2);

impl Deployment {
    /// Whether it waits for somebody to look after it: what became of it is not known, and nobody can be at work on it any more.
    /// `timer` is that of changes whose own is not recorded.
    pub fn is_left(&self, now: DateTime<Utc>, timer: TimeDelta) -> bool {
        let own = self.pending.as_ref().and_then(|pending| pending["seconds"].as_i64());
        let timer = own.filter(|seconds| *seconds > 0).and_then(TimeDelta::try_seconds).unwrap_or(timer);
        match self.status {
            Status::Committing | Status::Unconfirmed => now - self.begun > timer + AT_WORK,
            Status::Unknown => self.closed_by.is_none(),
            _ => false,
        }
    }
}

/// What a router's last deployment by one template had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The deployment's number.
    pub id: i64,
    /// The template's name.
    pub template: String,
    /// The moment of the database that it was rendered from; `None` for those of earlier versions.
    pub rendered: Option<DateTime<Utc>>,
    /// Addresses of sessions in it.
    pub sessions: Sessions,
    /// The secrets in it, sealed by [`seal_secrets`]; `None` for those of earlier versions.
    pub secrets: Option<String>,
}

/// How far the deployments of a router have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The newest one that was begun.
    pub newest: i64,
    /// The newest one whose end is not recorded.
    pub open: Option<i64>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The template that was chosen for all its routers, if one was.
    pub configuration: Option<String>,
}

/// A deployment with its texts.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// What is listed.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// What changed, with passwords hidden.
    pub diff: String,
    /// Addresses of sessions in the configuration.
    pub sessions: Sessions,
    /// What the renderer warned of.
    pub warnings: Json,
    /// The configuration, sealed.
    #[serde(skip)]
    pub configuration: Option<String>,
    /// What ran on the router afterwards, sealed; `None` where that is not known.
    #[serde(skip)]
    pub in_force: Option<String>,
    /// The secrets in the configuration, sealed by [`seal_secrets`]; `None` for those of earlier versions.
    #[serde(skip)]
    pub secrets: Option<String>,
}
