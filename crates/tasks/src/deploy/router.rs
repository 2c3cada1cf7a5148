//! One router, from the lock to the commit: render, load, compare, guard, commit. What follows is in `watch.rs`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pm_router::{Candidate, ConfigText, Diff, Error, How, Neighbors, Pending, Router};
use pm_store::deployments::{self, Deployment, New, Sessions, Status, Step};
use serde_json::Value as Json;

use super::guard::{Known, addresses};
use super::lasting::lasting;
use super::lock::{self, Held, Taken};
use super::report::{Deployed, Verdict};
use super::{Run, settle, watch};
use crate::TaskError;
use crate::render::Rendering;
use crate::routers::Reached;

/// What there is to do for a router.
pub(super) struct Work {
    /// The router.
    pub(super) reached: Reached,
    /// Its template's name.
    pub(super) template: String,
    /// What was rendered.
    pub(super) rendering: Rendering,
    /// The moment of the database that it was rendered from.
    pub(super) rendered: DateTime<Utc>,
    /// What is known of its sessions; the last deployment comes when its lock is held, the rest from the router.
    pub(super) known: Known,
    /// Deployments that a process left half way, when its lock is held.
    pub(super) unfinished: Vec<Deployment>,
    /// What was planned, when a plan is applied.
    pub(super) planned: Option<Deployment>,
}

/// A neighbour by its VRF and address.
pub(super) type Place = (String, IpAddr);

/// A change that was made and must be looked after.
pub(super) struct Made {
    pub(super) id: i64,
    /// What the router calls it; `None` where its answer to the commit was lost and it has no name before.
    pub(super) change: Option<Pending>,
    /// The router said that it committed.
    pub(super) answered: bool,
    /// Neighbours that were up before and are meant to stay.
    pub(super) up: BTreeSet<Place>,
    /// The configuration that ran before.
    pub(super) before: ConfigText,
    /// Zero where nobody undoes it.
    pub(super) timer: Duration,
}

/// Everything for one router. What goes wrong is in what comes back.
pub(super) async fn deploy(run: &Run<'_>, mut work: Work) -> Deployed {
    let mut deployed = Deployed::new(&work.reached.name);
    deployed.warnings.extend(work.rendering.warnings.iter().cloned());
    if let Some(reason) = run.stopped() {
        deployed.ends(Verdict::NotBegun, reason);
        return deployed;
    }
    let context = run.context;
    let held = match lock::claim(context, &format!("deploy:{}", work.reached.id), run.task.wait).await {
        Ok(Ok(held)) => held,
        Ok(Err(Taken::Busy(text))) => {
            deployed.ends(Verdict::Busy, text);
            return deployed;
        }
        Ok(Err(Taken::Cancelled)) => {
            deployed.ends(Verdict::NotBegun, "the run was cancelled");
            return deployed;
        }
        Err(error) => {
            deployed.ends(Verdict::Failed, error.to_string());
            return deployed;
        }
    };
    let work_on_it = async {
        if let Some(reason) = run.catch_up(&mut work).await? {
            deployed.ends(Verdict::NotBegun, reason);
            return Ok(());
        }
        match &work.reached.ways {
            Ok(ways) if ways.file.is_some() => super::file::write(run, &work, &held, &mut deployed).await,
            _ => on_router(run, &work, &held, &mut deployed).await,
        }
    };
    if let Err(error) = held.during(context, work_on_it).await {
        let said = match deployed.deployment {
            Some(_) => format!(
                "{error}; what has a timer and was not confirmed goes away by itself, the next run will tell"
            ),
            None => error.to_string(),
        };
        deployed.ends(Verdict::Failed, said);
    }
    deployed
}

async fn on_router(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
) -> Result<(), TaskError> {
    let target = match &work.reached.target {
        Ok(target) => target,
        Err(no_way) => {
            deployed.ends(Verdict::Failed, no_way.reason());
            return Ok(());
        }
    };
    let connected = tokio::select! {
        connected = run.network.connect(target) => connected,
        () = run.context.cancel.cancelled() => {
            deployed.ends(Verdict::NotBegun, "the run was cancelled");
            return Ok(());
        }
    };
    let router = match connected {
        Ok(router) => router,
        Err(error) => {
            deployed.fails(&error);
            return Ok(());
        }
    };
    let made = over(run, work, held, deployed, &*router).await;
    match made {
        // Only the connection that made it can undo what has no timer, or confirm what hangs on it.
        Ok(Some(made)) if made.timer.is_zero() || made.change.as_ref().is_some_and(|it| router.holds(it)) => {
            let seen = watch::look_after(run, work, held, deployed, target, made, Some(&*router)).await;
            router.close().await;
            seen
        }
        other => {
            router.close().await;
            match other? {
                Some(made) => watch::look_after(run, work, held, deployed, target, made, None).await,
                None => Ok(()),
            }
        }
    }
}

/// What is done over the first connection. Gives the change that was made, if one was.
async fn over(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    router: &dyn Router,
) -> Result<Option<Made>, TaskError> {
    if !run.task.dry_run && !settle::unfinished(run, work, held, deployed, router).await? {
        return Ok(None);
    }
    let (neighbors, before) = tokio::join!(router.neighbors(), router.running_config());
    let (neighbors, before) = match (neighbors, before) {
        (Ok(neighbors), Ok(before)) => (neighbors, before),
        (Err(error), _) | (_, Err(error)) => {
            deployed.fails(&error);
            return Ok(None);
        }
    };
    let wanted = work.reached.ways.as_ref().ok().and_then(|ways| ways.load);
    let how = wanted.unwrap_or(if router.loader(How::Merge).is_some() { How::Merge } else { How::Replace });
    let Some(loader) = router.loader(how) else {
        let platform = router.platform().name();
        deployed.ends(Verdict::Failed, format!("{platform} takes no {} of a configuration", mode(how)));
        return Ok(None);
    };
    let text = ConfigText::new(work.rendering.text.as_str());
    let candidate = match loader.load(&text).await {
        Ok(candidate) => candidate,
        Err(error) => {
            if matches!(error, Error::Rejected { .. }) {
                run.spoil();
            }
            deployed.fails(&error);
            return Ok(None);
        }
    };
    let prepared = prepare(run, work, deployed, candidate.diff(), &neighbors, how, &before)?;
    let Some(prepared) = prepared else {
        forget(candidate, deployed).await;
        return Ok(None);
    };
    let timer = timer(run, work, deployed, router);
    if prepared.new.status != Status::Committing {
        forget(candidate, deployed).await;
        deployed.deployment = Some(run.insert(held, &prepared.new).await?);
        return Ok(None);
    }
    commit(run, work, held, deployed, candidate, prepared, before, timer).await
}

/// How long the router is to wait for the confirmation; not at all where nobody undoes a commit and that is accepted.
fn timer(run: &Run<'_>, work: &Work, deployed: &mut Deployed, router: &dyn Router) -> Duration {
    let accepted = work.reached.ways.as_ref().is_ok_and(|ways| ways.without_timer);
    if accepted && router.capabilities().undo.is_none() {
        deployed
            .warnings
            .push("nobody undoes this if it cuts the way to the router (without_timer)".to_owned());
        return Duration::ZERO;
    }
    Duration::from_secs(run.context.config.commit_confirm_seconds.into())
}

struct Prepared {
    new: New,
    up: BTreeSet<Place>,
}

/// Decides what becomes of a candidate. `None`: nothing, and nothing is recorded.
fn prepare(
    run: &Run<'_>,
    work: &Work,
    deployed: &mut Deployed,
    diff: &Diff,
    neighbors: &Neighbors,
    how: How,
    before: &ConfigText,
) -> Result<Option<Prepared>, TaskError> {
    diff.text().clone_into(&mut deployed.diff);
    (deployed.added, deployed.removed) = diff.counts();
    if diff.is_empty() && !run.task.no_commit_check {
        deployed.verdict = Verdict::Unchanged;
        return Ok(None);
    }
    let text = addresses(&work.rendering.text);
    let here = neighbors.neighbors.iter().map(|neighbor| neighbor.address).collect();
    let running = addresses(before.expose());
    let known = Known { neighbors: here, running, ..work.known.clone() };
    let mut new = run.record(work, deployed, how, known.sessions(&text), before.expose())?;
    let percent = run.context.config.config_max_removed_percent;
    if let Err(reason) = known.judge(&text, how, percent) {
        if run.task.force {
            deployed.warnings.push(format!("forced by {}: {reason}", run.task.user));
        } else {
            new.status = Status::Refused;
            new.message = Some(reason.clone());
            deployed.ends(Verdict::Refused, reason);
        }
    }
    if new.status == Status::Committing
        && let Some(reason) = moved(run, work, before, how)
    {
        deployed.ends(Verdict::Refused, reason);
        return Ok(None);
    }
    if new.status == Status::Committing && run.task.dry_run {
        new.status = Status::Planned;
        deployed.verdict = Verdict::Planned;
    }
    new.warnings.clone_from(&deployed.warnings);
    let up = neighbors.neighbors.iter().filter(|one| one.is_up());
    let stays = up.filter(|one| !known.is_removal(one.address, &text, how));
    let up = stays.map(|one| (one.vrf.clone(), one.address)).collect();
    Ok(Some(Prepared { new, up }))
}

/// Whether a plan is no longer what would happen.
fn moved(run: &Run<'_>, work: &Work, before: &ConfigText, how: How) -> Option<String> {
    let planned = work.planned.as_ref()?;
    if planned.load_mode != mode(how) {
        return Some(format!(
            "it was planned to {} and would now {}; plan again",
            planned.load_mode,
            mode(how)
        ));
    }
    let keyring = &run.context.keyring;
    if !keyring.is_fingerprint(&planned.candidate, &work.rendering.text) {
        return Some("its configuration is another one than when it was planned; plan again".to_owned());
    }
    (!keyring.is_fingerprint(&planned.running, &lasting(before.expose())))
        .then(|| "the router runs another configuration than when it was planned; plan again".to_owned())
}

async fn forget(candidate: Box<dyn Candidate + '_>, deployed: &mut Deployed) {
    if let Err(error) = candidate.discard().await {
        deployed.warnings.push(format!("the candidate is still on the router: {error}"));
    }
}

#[expect(clippy::too_many_arguments, reason = "all of them are of the one commit")]
async fn commit(
    run: &Run<'_>,
    work: &Work,
    held: &Held,
    deployed: &mut Deployed,
    candidate: Box<dyn Candidate + '_>,
    prepared: Prepared,
    before: ConfigText,
    timer: Duration,
) -> Result<Option<Made>, TaskError> {
    let Prepared { mut new, up } = prepared;
    if let Some(reason) = run.stopped() {
        deployed.ends(Verdict::NotBegun, reason);
        forget(candidate, deployed).await;
        return Ok(None);
    }
    // Whoever comes after a process that died in the commit knows what to look for.
    let named = candidate.change(timer);
    new.pending = named.as_ref().and_then(|change| serde_json::to_value(change).ok());
    let id = match run.begin(work, held, &new).await? {
        Ok(id) => id,
        Err(reason) => {
            deployed.ends(Verdict::NotBegun, reason);
            forget(candidate, deployed).await;
            return Ok(None);
        }
    };
    deployed.deployment = Some(id);
    let made = |change, answered| Made { id, change, answered, up, before, timer };
    match candidate.commit(timer).await {
        Ok(change) => {
            let known = serde_json::to_value(&change).unwrap_or(Json::Null);
            let step = Step { status: Some(Status::Unconfirmed), pending: Some(known), ..Step::default() };
            run.step(held, id, &step).await?;
            Ok(Some(made(Some(change), true)))
        }
        Err(error) if is_known(&error) => {
            let (verdict, status) = match &error {
                Error::RolledBack { .. } => (Verdict::RolledBack, Status::RolledBack),
                Error::NotRestored { .. } => (Verdict::Unknown, Status::Unknown),
                _ => (Verdict::Failed, Status::Failed),
            };
            if !matches!(error, Error::Busy { .. } | Error::Changed { .. }) {
                run.spoil();
            }
            deployed.ends(verdict, error.to_string());
            run.end(held, id, status, error.to_string()).await?;
            Ok(None)
        }
        // Whether it is in force is found out over a new connection.
        Err(error) => {
            deployed.message = Some(error.to_string());
            Ok(Some(made(named, false)))
        }
    }
}

/// Whether an error of a commit says what became of the change. After any other one the router may have it.
fn is_known(error: &Error) -> bool {
    matches!(
        error,
        Error::Rejected { .. }
            | Error::Busy { .. }
            | Error::Changed { .. }
            | Error::RolledBack { .. }
            | Error::NotRestored { .. }
    )
}

/// The name of a way to load.
pub(super) const fn mode(how: How) -> &'static str {
    match how {
        How::Merge => "merge",
        How::Replace => "replace",
    }
}

/// A deployment's record, as far as it is known before the commit.
impl Run<'_> {
    pub(super) fn record(
        &self,
        work: &Work,
        deployed: &Deployed,
        how: How,
        sessions: Sessions,
        running: &str,
    ) -> Result<New, TaskError> {
        let keyring = &self.context.keyring;
        let failed = |error: pm_store::objects::secrets::SecretError| TaskError::Failed(error.to_string());
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let text = &work.rendering.text;
        Ok(New {
            router: work.reached.id,
            router_name: work.reached.name.clone(),
            plan: self.plan.get().copied().or_else(|| work.planned.as_ref().and_then(|one| one.plan)),
            job: self.context.job,
            user_name: self.task.user.clone(),
            status: Status::Committing,
            template: work.template.clone(),
            load_mode: mode(how),
            forced: self.task.force,
            rendered: work.rendered,
            input_hash: work.rendering.input.clone(),
            candidate: deployments::fingerprint(keyring, text).map_err(failed)?,
            running: deployments::fingerprint(keyring, &lasting(running)).map_err(failed)?,
            diff: deployed.diff.clone(),
            added: number(deployed.added),
            removed: number(deployed.removed),
            sessions,
            warnings: Vec::new(),
            message: None,
            configuration: deployments::seal(keyring, text).map_err(failed)?,
            pending: None,
        })
    }
}
