//! What a process left half way: its change is undone, or has been by the router itself.

use pm_router::{Error, Pending, Router};
use pm_store::deployments::{Deployment, Status};

use super::Run;
use super::lasting::lasting;
use super::lock::Held;
use super::report::{Deployed, Verdict};
use super::router::Work;
use crate::TaskError;

/// Brings a router that a process left between commit and confirmation back to what it had. `false`: it cannot be worked on
/// now, and it has been said why.
pub(super) async fn unfinished(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    router: &dyn Router,
) -> Result<bool, TaskError> {
    if work.unfinished.is_empty() {
        return Ok(true);
    }
    let pending = match router.pending().await {
        Ok(pending) => pending,
        Err(error) => {
            deployed.fails(&error);
            return Ok(false);
        }
    };
    if let Some(pending) = &pending
        && let Err(error) = router.roll_back(pending).await
    {
        deployed.ends(
            Verdict::Failed,
            format!(
                "an earlier run left a change that nobody confirmed, and it could not be undone: {error}"
            ),
        );
        return Ok(false);
    }
    let running = match router.running_config().await {
        Ok(running) => running,
        Err(error) => {
            deployed.fails(&error);
            return Ok(false);
        }
    };
    for one in &work.unfinished {
        let is_back = run.context.keyring.is_fingerprint(&one.running, &lasting(running.expose()));
        let (status, message) = verdict(one, pending.as_ref(), is_back);
        deployed.warnings.push(format!("deployment {}: {message}", one.id));
        run.end(held, one.id, status, message).await?;
    }
    Ok(true)
}

fn verdict(one: &Deployment, pending: Option<&Pending>, is_back: bool) -> (Status, String) {
    let died = "the run that made it ended before it confirmed it";
    match (pending, is_back, one.status) {
        (Some(_), _, _) => (Status::RolledBack, format!("{died}; it was undone now")),
        (None, true, Status::Committing) => (Status::Failed, format!("{died}; nothing of it is in force")),
        (None, true, _) => (Status::RolledBack, format!("{died}; the router undid it by itself")),
        (None, false, _) => {
            (Status::Unknown, format!("{died}; the router runs something else than before, look at it"))
        }
    }
}

/// What is known of a change when the connection broke during its commit, or when its router could not be reached.
pub(super) enum Found {
    /// It was undone just now.
    Undone,
    /// The router runs what it ran before.
    Back,
    /// The router runs something else, and waits for no confirmation.
    Other,
}

/// Undoes what waits for its confirmation, and looks what runs.
pub(super) async fn undo(router: &dyn Router, known: Option<&Pending>, before: &str) -> Result<Found, Error> {
    let waiting = router.pending().await?;
    let Some(pending) = waiting else {
        let running = router.running_config().await?;
        return Ok(if lasting(running.expose()) == lasting(before) { Found::Back } else { Found::Other });
    };
    // The router's own name of the change serves as well as ours.
    router.roll_back(known.unwrap_or(&pending)).await?;
    let running = router.running_config().await?;
    Ok(if lasting(running.expose()) == lasting(before) { Found::Undone } else { Found::Other })
}
