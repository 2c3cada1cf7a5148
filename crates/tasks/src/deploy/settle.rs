//! What a process left half way: its change is undone, or has been by the router itself, or had been confirmed.

use std::time::Duration;

use pm_router::{ConfigText, Error, How, Pending, Router};
use pm_store::deployments::{self, Deployment, Status, Step};
use pm_store::jobs;
use serde_json::Value as Json;

use super::Run;
use super::lasting::lasting;
use super::lock::Held;
use super::report::{Deployed, Verdict};
use super::router::Work;
use super::watch::GRACE;
use crate::TaskError;

/// Brings a router that a process left between commit and confirmation back to what it had, unless the confirmation had got
/// through. `false`: it cannot be worked on now, and it has been said why.
pub(super) async fn unfinished(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    router: &dyn Router,
) -> Result<bool, TaskError> {
    for one in &work.unfinished {
        let left = match look(run, one, router).await {
            Ok(left) => left,
            Err(error) => {
                let said = format!(
                    "an earlier run left a change that nobody confirmed (deployment {0}), and it could not be undone or found to \
                     be over: {error}; `deployments close {0}` ends its record once somebody has looked at the router",
                    one.id
                );
                deployed.ends(Verdict::Failed, said);
                return Ok(false);
            }
        };
        let (status, what) = match left {
            Left::Foreign => {
                let said = "a change that is not ours waits for its confirmation on the router";
                deployed.ends(Verdict::Failed, said);
                return Ok(false);
            }
            Left::Undone => (Status::RolledBack, "it was undone now"),
            Left::Back if one.status == Status::Committing => (Status::Failed, "nothing of it is in force"),
            Left::Expired | Left::Back => (Status::RolledBack, "the router rolled back by itself"),
            Left::Kept => (Status::Confirmed, "it is in force, and waits for no confirmation"),
            Left::Other if run.is_forgotten(&one.running) => (
                Status::Unknown,
                "what the router ran before cannot be told without its secret key, look at it",
            ),
            Left::Other => (Status::Unknown, "the router runs something else than before, look at it"),
        };
        let message = format!("the run that made it ended before it recorded how it ended; {what}");
        deployed.warnings.push(format!("deployment {}: {message}", one.id));
        let in_force = match status {
            Status::Confirmed => running(run, router).await,
            _ => None,
        };
        let pending = Some(Json::Null);
        let step = Step { status: Some(status), ended: true, pending, message: Some(message), in_force };
        run.settle(held, one, &step, what).await?;
    }
    Ok(true)
}

async fn running(run: &Run<'_>, router: &dyn Router) -> Option<String> {
    let text = router.running_config().await.ok()?;
    deployments::seal(&run.context.keyring, text.expose()).ok()
}

/// What became of a change that a process left.
enum Left {
    /// It was undone just now.
    Undone,
    /// Its time was over before anybody came to undo it.
    Expired,
    /// The router runs what it ran before.
    Back,
    /// It is in force for good.
    Kept,
    /// The router runs something else.
    Other,
    /// Another change waits for its confirmation.
    Foreign,
}

async fn look(run: &Run<'_>, one: &Deployment, router: &dyn Router) -> Result<Left, Error> {
    let known = known(one);
    let cancelled = match cancel(router, known.as_ref()).await {
        // What cannot be undone after its time does not wait any more.
        Err(error) if !is_of_the_way(&error) && is_over(run, one, GRACE) => Cancelled::Settled,
        cancelled => cancelled?,
    };
    let running = router.running_config().await?;
    let is_back = run.context.keyring.is_fingerprint(&one.running, &lasting(running.expose()));
    match cancelled {
        // Where the daemon keeps the time, what waits on the router for the confirmation looks undone only when it is asked.
        Cancelled::Undone if is_back && known.is_some() && is_over(run, one, Duration::ZERO) => {
            Ok(Left::Expired)
        }
        Cancelled::Undone => Ok(if is_back { Left::Undone } else { Left::Other }),
        _ if is_back => Ok(Left::Back),
        Cancelled::Settled if matches!(router.pending().await, Ok(Some(_))) => Ok(Left::Foreign),
        Cancelled::Settled if is_in_force(run, one, router).await? => Ok(Left::Kept),
        Cancelled::Settled | Cancelled::Untold(_) => Ok(Left::Other),
    }
}

/// What the router calls a change, as far as that was recorded.
fn known(one: &Deployment) -> Option<Pending> {
    serde_json::from_value(one.pending.clone()?).ok()
}

/// Whether the change's time is over, and so much more: then the router has undone it, if nobody confirmed it. One without a
/// name has had the time of the settings; nothing undoes one without a timer.
fn is_over(run: &Run<'_>, one: &Deployment, more: Duration) -> bool {
    let seconds =
        known(one).map_or_else(|| run.context.config.commit_confirm_seconds.into(), |change| change.seconds);
    let age = (run.context.clock.now() - one.begun).to_std().unwrap_or_default();
    seconds > 0 && age > Duration::from_secs(seconds) + more
}

/// Whether an error says nothing of the change, because the router was not reached or somebody else is at work on it.
fn is_of_the_way(error: &Error) -> bool {
    error.may_be_retried() || matches!(error, Error::HostKey { .. } | Error::Login { .. })
}

/// Whether the router sees no difference between what runs and what was deployed. A router that does not take that text any more
/// does not run it, whatever else it runs.
async fn is_in_force(run: &Run<'_>, one: &Deployment, router: &dyn Router) -> Result<bool, Error> {
    let how = if one.load_mode == "merge" { How::Merge } else { How::Replace };
    let (Some(text), Some(loader)) = (run.text_of(one).await, router.loader(how)) else { return Ok(false) };
    let candidate = match loader.load(&ConfigText::new(text)).await {
        Ok(candidate) => candidate,
        Err(error) if is_of_the_way(&error) => return Err(error),
        Err(_) => return Ok(false),
    };
    let same = candidate.diff().is_empty();
    // What is left of it is the next load's to replace.
    let _ = candidate.discard().await;
    Ok(same)
}

impl Run<'_> {
    /// The configuration of a deployment, if it can still be read.
    async fn text_of(&self, one: &Deployment) -> Option<String> {
        let mut connection = self.context.store.connection().await.ok()?;
        let whole = deployments::find(&mut connection.session(), one.id).await.ok()??;
        deployments::open(&self.context.keyring, whole.configuration.as_deref()?).ok()
    }

    /// Notes what became of a deployment, with it and with the job that made it.
    async fn settle(&self, held: &Held, one: &Deployment, step: &Step, what: &str) -> Result<(), TaskError> {
        let _one_at_a_time = self.turn().await;
        let now = self.context.clock.now();
        let mut transaction = self.context.store.begin().await?;
        let mut session = transaction.session();
        held.hold(&mut session, self.context).await?;
        deployments::step(&mut session, one.id, step, now).await?;
        if let Some(job) = one.job {
            let text = format!("{}: deployment {}: {what}", one.router_name, one.id);
            jobs::add_to_error(&mut session, job, &text).await?;
        }
        self.context.commit(transaction).await?;
        Ok(())
    }
}

/// What came of undoing a change as long as it waits for its confirmation.
enum Cancelled {
    /// It waited, and was undone just now.
    Undone,
    /// It waits no more, or never came into force; nothing was done.
    Settled,
    /// The router does not tell whether it waits.
    Untold(Error),
}

/// Undoes a change if it still waits. What somebody confirmed, and what came after it, is left alone.
async fn cancel(router: &dyn Router, known: Option<&Pending>) -> Result<Cancelled, Error> {
    let waiting = match known {
        Some(change) => Some(change.clone()),
        // It has no name of ours. Before it was made none waited, and the router is locked for other runs.
        None => match router.pending().await {
            Err(error @ Error::Untold { .. }) => return Ok(Cancelled::Untold(error)),
            waiting => waiting?,
        },
    };
    match waiting {
        Some(change) if router.cancel(&change).await? => Ok(Cancelled::Undone),
        _ => Ok(Cancelled::Settled),
    }
}

/// What is known of a change when the connection broke during its commit, or when its router could not be reached.
pub(super) enum Found {
    /// It was undone just now.
    Undone,
    /// The router runs what it ran before.
    Back,
    /// The router runs something else, and the change waits for no confirmation.
    Other,
}

/// Undoes a change that waits for its confirmation, and looks what runs.
pub(super) async fn undo(router: &dyn Router, known: Option<&Pending>, before: &str) -> Result<Found, Error> {
    let cancelled = cancel(router, known).await?;
    let running = router.running_config().await?;
    let is_back = lasting(running.expose()) == lasting(before);
    match cancelled {
        Cancelled::Undone if is_back => Ok(Found::Undone),
        _ if is_back => Ok(Found::Back),
        Cancelled::Undone | Cancelled::Settled => Ok(Found::Other),
        // It may go away yet.
        Cancelled::Untold(error) => Err(error),
    }
}
