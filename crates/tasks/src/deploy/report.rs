//! What came of a run, router by router.

use std::fmt::Write as _;

use pm_router::Error;
use pm_store::deployments::Freeze;
use pm_store::events::{EventKind, NewEvent};
use pm_store::jobs::Outcome;
use serde::Serialize;
use serde_json::json;

use crate::{Done, TaskError};

/// How it ended for a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was not to be changed.
    Skipped,
    /// Another run is at work on it.
    Busy,
    /// The run ended before.
    NotBegun,
    /// It runs what it should.
    Unchanged,
    /// What would change is recorded, and nothing was changed.
    Planned,
    /// A guard said no.
    Refused,
    /// The change is in force for good.
    Confirmed,
    /// The file was written.
    Written,
    /// The change was undone.
    RolledBack,
    /// The change is in force, and the router undoes it soon.
    Unconfirmed,
    /// Nothing was changed.
    Failed,
    /// It is not known what is in force.
    Unknown,
}

impl Verdict {
    /// Whether the router has what it should.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Unchanged | Self::Planned | Self::Confirmed | Self::Written)
    }

    const fn is_bad(self) -> bool {
        matches!(self, Self::RolledBack | Self::Unconfirmed | Self::Failed | Self::Unknown)
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Busy => "busy",
            Self::NotBegun => "not begun",
            Self::Unchanged => "nothing to change",
            Self::Planned => "would change",
            Self::Refused => "refused",
            Self::Confirmed => "deployed",
            Self::Written => "written",
            Self::RolledBack => "rolled back",
            Self::Unconfirmed => "not confirmed",
            Self::Failed => "failed",
            Self::Unknown => "unclear",
        }
    }
}

/// What came of a router.
#[derive(Clone, Debug, Serialize)]
pub struct Deployed {
    /// Its name.
    pub router: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<i64>,
    /// Lines that are added.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
    /// Sessions that were up before the change and were not afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What somebody should look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What changes, with passwords hidden. Kept with the deployment, not with the job.
    #[serde(skip)]
    pub diff: String,
}

impl Deployed {
    pub(super) fn new(router: &str) -> Self {
        Self {
            router: router.to_owned(),
            verdict: Verdict::Failed,
            message: None,
            deployment: None,
            added: 0,
            removed: 0,
            lost: Vec::new(),
            warnings: Vec::new(),
            diff: String::new(),
        }
    }

    pub(super) fn ends(&mut self, verdict: Verdict, message: impl Into<String>) {
        self.verdict = verdict;
        self.message = Some(message.into());
    }

    /// Something went wrong on the router before anything was changed.
    pub(super) fn fails(&mut self, error: &Error) {
        self.ends(Verdict::Failed, error.to_string());
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let mut text = format!("{}: {}", self.router, self.verdict.words());
        if self.added + self.removed > 0 {
            let _ = write!(text, " (+{} −{} lines)", self.added, self.removed);
        }
        if let Some(message) = &self.message {
            let _ = write!(text, ": {message}");
        }
        text
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeployReport {
    /// The plan that was made or applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<i64>,
    /// Router by router.
    pub routers: Vec<Deployed>,
    /// Sessions that hang on no router and are deployed nowhere.
    pub sessions_without_router: i64,
    /// Routers that refused their configuration, or lost sessions by it.
    pub spoilt: u32,
}

/// The text for somebody who wants to deploy while that is stopped.
pub(super) fn frozen(freeze: &Freeze) -> String {
    format!(
        "deployments are frozen since {} by {}: {}; `deployments thaw` lets them go on",
        freeze.begun.format("%Y-%m-%d %H:%M UTC"),
        freeze.user_name,
        freeze.reason
    )
}

/// What to tell of a router whose configuration a guard refused.
pub(super) fn held_back(router: &str, why: &str, job: i64) -> NewEvent {
    NewEvent {
        kind: EventKind::GuardHeld,
        subject: format!("deployment {router}"),
        title: format!("the configuration of {router} was refused by a guard"),
        message: format!("{router} stays as it is: {why}"),
        task: Some("configure_routers".to_owned()),
        router: Some(router.to_owned()),
        job: Some(job),
        data: json!({ "router": router, "reason": why }),
    }
}

/// That nothing refuses a router's configuration any more.
pub(super) fn let_through(router: &str, job: i64) -> NewEvent {
    NewEvent {
        kind: EventKind::GuardPassed,
        subject: format!("deployment {router}"),
        title: format!("the configuration of {router} is in force"),
        message: String::new(),
        task: Some("configure_routers".to_owned()),
        router: Some(router.to_owned()),
        job: Some(job),
        data: json!({ "router": router }),
    }
}

/// How the run ends.
pub(super) fn finish(report: &DeployReport, dry_run: bool, cancelled: bool) -> Result<Done, TaskError> {
    let count = |is: &dyn Fn(Verdict) -> bool| report.routers.iter().filter(|one| is(one.verdict)).count();
    let only = |verdict: Verdict| count(&|one| one == verdict);
    let good = count(&Verdict::is_good);
    let bad = count(&Verdict::is_bad);
    let mut parts = Vec::new();
    let mut say = |count: usize, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    say(only(Verdict::Confirmed) + only(Verdict::Written), "deployed");
    say(only(Verdict::Planned), "would change");
    say(only(Verdict::Unchanged), "unchanged");
    say(only(Verdict::Refused), "refused by a guard");
    say(only(Verdict::RolledBack), "rolled back");
    say(bad - only(Verdict::RolledBack), "failed");
    say(only(Verdict::Busy), "busy with another run");
    say(only(Verdict::NotBegun), "not begun");
    say(only(Verdict::Skipped), "skipped");
    let list = if parts.is_empty() { "there are none".to_owned() } else { parts.join(", ") };
    let mut summary = match (dry_run, report.plan) {
        (true, Some(plan)) => format!("Plan {plan} of {} routers: {list}", report.routers.len()),
        (true, None) => format!("Compared {} routers: {list}", report.routers.len()),
        _ => format!("Configured routers: {list}"),
    };
    if report.sessions_without_router > 0 {
        let _ = write!(
            summary,
            "; {} sessions hang on no router and are skipped",
            report.sessions_without_router
        );
    }
    summary.push('.');
    let data = serde_json::to_value(report).map_err(|error| TaskError::Broken(error.to_string()))?;
    let refused = only(Verdict::Refused);
    let busy = only(Verdict::Busy);
    let error = match (good, bad + only(Verdict::NotBegun)) {
        _ if cancelled && only(Verdict::NotBegun) + only(Verdict::Unconfirmed) > 0 => {
            Some(TaskError::Cancelled(summary.clone()))
        }
        (0, 0) if refused > 0 => Some(TaskError::Refused(with_reasons(&summary, report, Verdict::Refused))),
        (0, 0) if busy > 0 => Some(TaskError::TryLater(with_reasons(&summary, report, Verdict::Busy))),
        _ => None,
    };
    if let Some(error) = error {
        return Err(TaskError::With { error: Box::new(error), data });
    }
    let outcome = match (good, bad + only(Verdict::NotBegun) + refused + busy) {
        (0, 0) => Outcome::NothingToDo,
        (_, 0)
            if count(&|one| matches!(one, Verdict::Confirmed | Verdict::Written | Verdict::Planned)) == 0 =>
        {
            Outcome::NothingToDo
        }
        (_, 0) => Outcome::Ok,
        _ => Outcome::Partial,
    };
    Ok(Done { outcome, summary, data })
}

/// The summary, and the first reason.
fn with_reasons(summary: &str, report: &DeployReport, verdict: Verdict) -> String {
    let first = report.routers.iter().find(|one| one.verdict == verdict);
    match first.and_then(|one| one.message.as_ref().map(|message| (&one.router, message))) {
        Some((router, message)) => format!("{summary} {router}: {message}"),
        None => summary.to_owned(),
    }
}
