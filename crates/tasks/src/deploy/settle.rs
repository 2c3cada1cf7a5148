//! What a process left half way: its change is undone, or has been by the router itself, or had been confirmed.

use chrono::TimeDelta;
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

const DIED: &str = "the run that made it ended before it recorded how it ended";

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
        let found = match look(run, one, router).await {
            Ok(found) => found,
            Err(error) => {
                deployed.ends(
                    Verdict::Failed,
                    format!("deployment {} of an earlier run was never confirmed, and what became of it cannot be found out: {error}", one.id),
                );
                return Ok(false);
            }
        };
        let (status, what) = match found {
            Left::Foreign => {
                let said = "a change that is not ours waits for its confirmation on the router";
                deployed.ends(Verdict::Failed, said);
                return Ok(false);
            }
            Left::Undone => (Status::RolledBack, "it was undone now"),
            Left::Back if one.status == Status::Committing => (Status::Failed, "nothing of it is in force"),
            Left::Back => (Status::RolledBack, "the router rolled back by itself"),
            Left::Other => (Status::Unknown, "the router runs something else than before, look at it"),
            Left::Kept => (Status::Confirmed, "the router had confirmed it"),
        };
        let message = format!("{DIED}; {what}");
        deployed.warnings.push(format!("deployment {}: {message}", one.id));
        let in_force = match status {
            Status::Confirmed => running(run, router).await,
            _ => None,
        };
        let step = Step {
            status: Some(status),
            ended: true,
            pending: Some(Json::Null),
            message: Some(message),
            in_force,
        };
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
    let known: Option<Pending> = one.pending.clone().and_then(|pending| serde_json::from_value(pending).ok());
    let waiting = router.pending().await?;
    if let (Some(known), Some(waiting)) = (&known, &waiting)
        && known.id != waiting.id
    {
        return Ok(Left::Foreign);
    }
    let is_back = async || {
        let text = router.running_config().await?;
        Ok::<bool, Error>(run.context.keyring.is_fingerprint(&one.running, &lasting(text.expose())))
    };
    // Where the router does not tell what waits, its name leads to it for as long as its timer runs.
    let may_wait = known.clone().filter(|known| {
        let seconds = i64::try_from(known.seconds + GRACE.as_secs()).unwrap_or(i64::MAX);
        let over = TimeDelta::try_seconds(seconds).and_then(|time| one.begun.checked_add_signed(time));
        !router.finds_pending() && over.is_none_or(|over| run.context.clock.now() < over)
    });
    if waiting.is_none() && is_back().await? {
        return Ok(Left::Back);
    }
    if let Some(change) = known.clone().filter(|_| waiting.is_some()).or(waiting).or(may_wait) {
        router.roll_back(&change).await?;
        return Ok(if is_back().await? { Left::Undone } else { Left::Other });
    }
    Ok(if is_in_force(run, one, router).await? { Left::Kept } else { Left::Other })
}

/// Whether the router sees no difference between what runs and what was deployed.
async fn is_in_force(run: &Run<'_>, one: &Deployment, router: &dyn Router) -> Result<bool, Error> {
    let how = if one.load_mode == "merge" { How::Merge } else { How::Replace };
    let (Some(text), Some(loader)) = (run.text_of(one).await, router.loader(how)) else { return Ok(false) };
    let candidate = loader.load(&ConfigText::new(text)).await?;
    let same = candidate.diff().is_empty();
    candidate.discard().await?;
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
        let _one_at_a_time = self.writing.lock().await;
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

/// What is known of a change when the connection broke during its commit, or when its router could not be reached.
pub(super) enum Found {
    /// It was undone just now.
    Undone,
    /// The router runs what it ran before.
    Back,
    /// The router runs something else, and waits for no confirmation.
    Other,
}

/// Undoes a change of this run that is not confirmed, and looks what runs.
pub(super) async fn undo(router: &dyn Router, known: Option<&Pending>, before: &str) -> Result<Found, Error> {
    let is_back = async || {
        let running = router.running_config().await?;
        Ok::<bool, Error>(lasting(running.expose()) == lasting(before))
    };
    let waiting = router.pending().await?;
    if waiting.is_none() && is_back().await? {
        return Ok(Found::Back);
    }
    let change = match (known, waiting) {
        // The router may not tell that it waits, or somebody may have confirmed it; it is to go all the same.
        (Some(known), _) => known.clone(),
        (None, Some(waiting)) => waiting,
        (None, None) => return Ok(Found::Other),
    };
    router.roll_back(&change).await?;
    Ok(if is_back().await? { Found::Undone } else { Found::Other })
}
