//! One router, from the lock to the commit: render, load, compare, guard, commit. What follows is in `watch.rs`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pm_router::{Candidate, ConfigText, Diff, Error, How, Neighbors, Pending, Router};
use pm_store::deployments::{self, Deployment, New, Sessions, Status};

use super::guard::{Known, addresses, some};
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
    /// Whether it is to stay as it is if it has something to change, which is then [`Verdict::Planned`].
    pub(super) is_only_looked_at: bool,
    /// What somebody should look at, by an earlier look at it.
    pub(super) said: Vec<String>,
    /// Secrets that stand in the router's last deployments, when its lock is held.
    pub(super) secrets: Vec<String>,
}

impl Work {
    /// A difference in which no secret stands that was rendered, now or the last time.
    pub(super) fn shown(&self, diff: &Diff) -> Diff {
        diff.without(&self.rendering.secrets).without(&self.secrets)
    }
}

/// A neighbour by its VRF and address.
pub(super) type Place = (String, IpAddr);

/// A change that was made and must be looked after.
pub(super) struct Made {
    pub(super) id: i64,
    /// What was planned, when a plan is applied.
    pub(super) planned: Option<i64>,
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
    /// Its confirmation was asked for, so that it may be in force for good; and how long after a failure of that the router may
    /// take to go back.
    pub(super) asked: Option<Duration>,
}

/// Everything for one router. What goes wrong is in what comes back.
pub(super) async fn deploy(run: &Run<'_>, work: &mut Work) -> Deployed {
    let mut deployed = Deployed::new(&work.reached.name);
    deployed.warnings.extend(work.rendering.warnings.iter().cloned());
    let before: Vec<String> = std::mem::take(&mut work.said);
    work_on(run, work, &mut deployed).await;
    let again = before.into_iter().filter(|said| !deployed.warnings.contains(said)).collect::<Vec<_>>();
    deployed.warnings.extend(again);
    deployed
}

async fn work_on(run: &Run<'_>, work: &mut Work, deployed: &mut Deployed) {
    if let Some(reason) = run.stopped() {
        deployed.ends(Verdict::NotBegun, reason);
        return;
    }
    let is_file = work.reached.ways.as_ref().is_ok_and(|ways| ways.file.is_some());
    if is_file && work.is_only_looked_at {
        deployed.verdict = Verdict::Planned;
        return;
    }
    let context = run.context;
    let held = match lock::claim(context, &format!("deploy:{}", work.reached.id), run.task.wait).await {
        Ok(Ok(held)) => held,
        Ok(Err(Taken::Busy(text))) => {
            deployed.ends(Verdict::Busy, text);
            return;
        }
        Ok(Err(Taken::Cancelled)) => {
            deployed.ends(Verdict::NotBegun, "the run was cancelled");
            return;
        }
        Err(error) => {
            deployed.ends(Verdict::Failed, error.to_string());
            return;
        }
    };
    let work_on_it = async {
        if let Some(reason) = run.catch_up(work).await? {
            deployed.ends(Verdict::NotBegun, reason);
            return Ok(());
        }
        if is_file {
            super::file::write(run, work, &held, deployed).await
        } else {
            on_router(run, work, &held, deployed).await
        }
    };
    if let Err(error) = held.during(context, work_on_it).await {
        broke(deployed, &error);
    }
}

/// The work on a router was broken off. What it has for good by then it has, whatever the record says.
fn broke(deployed: &mut Deployed, error: &TaskError) {
    if matches!(deployed.verdict, Verdict::Confirmed | Verdict::Written) {
        deployed.warnings.push(format!(
            "it is {}, and its record could not say so: {error}; the next run mends that",
            deployed.verdict.words()
        ));
        return;
    }
    // Of these the run has found out what became of them.
    if matches!(deployed.verdict, Verdict::RolledBack | Verdict::Unconfirmed | Verdict::Unknown) {
        deployed.warnings.push(format!("its record could not say so: {error}; the next run mends that"));
        return;
    }
    let said = match deployed.deployment {
        Some(_) => {
            format!(
                "{error}; what has a timer and was not confirmed goes away by itself, the next run will tell"
            )
        }
        None => error.to_string(),
    };
    deployed.ends(Verdict::Failed, said);
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
                run.spoil().await;
            }
            deployed.fails(&error);
            return Ok(None);
        }
    };
    let prepared = prepare(run, work, deployed, candidate.diff(), &neighbors, how, &before)?;
    let Some(prepared) = prepared else {
        forget(candidate, deployed).await;
        if deployed.verdict == Verdict::Unchanged {
            run.has_been_met(work, held).await?;
        }
        return Ok(None);
    };
    let timer = timer(run, work, deployed, router);
    if prepared.new.status != Status::Committing {
        forget(candidate, deployed).await;
        deployed.deployment = Some(run.insert(held, &prepared.new).await?);
        return Ok(None);
    }
    if work.is_only_looked_at {
        forget(candidate, deployed).await;
        deployed.verdict = Verdict::Planned;
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
    work.shown(diff).text().clone_into(&mut deployed.diff);
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
        run.refuse(deployed, &mut new, reason);
    }
    let up: BTreeSet<IpAddr> =
        neighbors.neighbors.iter().filter(|one| one.is_up()).map(|one| one.address).collect();
    let taken = known.taken(&text, how);
    if new.status == Status::Committing {
        let watched = work.reached.ways.as_ref().is_ok_and(|ways| ways.watched);
        let taken_up = taken.intersection(&up).copied().collect();
        run.takes_away(deployed, &mut new, &taken, watched.then_some(&taken_up));
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
    // Whoever overrules the guards has accepted what they named.
    let may_end =
        |address: IpAddr| known.may_end(address, &text, how) || (run.task.force && taken.contains(&address));
    let stays = up.filter(|one| !may_end(one.address));
    let up = stays.map(|one| (one.vrf.to_string(), one.address)).collect();
    Ok(Some(Prepared { new, up }))
}

/// Why a plan cannot be compared with anything.
pub(super) const FORGOTTEN: &str = "it was planned under a secret key that is not there any more; plan again";

/// Whether a plan is no longer what would happen. The texts are compared and not what they were rendered from
/// ([`Deployment::input_hash`]): the same objects may give another text, as time goes by, and other objects that give the same text
/// change nothing.
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
    if run.is_forgotten(&planned.candidate) {
        return Some(FORGOTTEN.to_owned());
    }
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
    let planned = work.planned.as_ref().map(|planned| planned.id);
    let made = |change, answered| Made { id, planned, change, answered, up, before, timer, asked: None };
    match candidate.commit(timer).await {
        // It is recorded while it is looked at.
        Ok(change) => Ok(Some(made(Some(change), true))),
        Err(error) if is_known(&error) => {
            let (verdict, status) = match &error {
                Error::RolledBack { .. } => (Verdict::RolledBack, Status::RolledBack),
                Error::NotRestored { .. } => (Verdict::Unknown, Status::Unknown),
                _ => (Verdict::Failed, Status::Failed),
            };
            deployed.ends(verdict, error.to_string());
            if !matches!(error, Error::Busy { .. } | Error::Changed { .. }) {
                run.spoil().await;
            }
            run.end(held, (id, planned), status, error.to_string()).await?;
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

impl Run<'_> {
    /// What becomes of a configuration that a guard does not like. What is refused when a plan is applied is no part of the plan:
    /// that can still be applied.
    pub(super) fn refuse(&self, deployed: &mut Deployed, new: &mut New, reason: String) {
        if self.task.force {
            deployed.warnings.push(format!("forced by {}: {reason}", self.task.user));
            return;
        }
        new.status = Status::Refused;
        new.message = Some(reason.clone());
        new.plan = self.plan.get().copied();
        deployed.ends(Verdict::Refused, reason);
    }

    /// What becomes of a configuration that takes sessions from the router although they are to be up. Where those of them that
    /// are up are watched and too many to be lost, it would only be undone, so it is not made; else it is said which they are.
    pub(super) fn takes_away(
        &self,
        deployed: &mut Deployed,
        new: &mut New,
        taken: &BTreeSet<IpAddr>,
        watched: Option<&BTreeSet<IpAddr>>,
    ) {
        let allowed = self.context.config.post_check_max_lost;
        let most = usize::try_from(allowed).unwrap_or(usize::MAX);
        if let Some(up) = watched.filter(|up| up.len() > most) {
            let reason = format!(
                "the configuration takes {} sessions from the router that are up and are to be ({}), and post_check_max_lost \
                 is {allowed}; look at the template, disable them here, or deploy with --force",
                up.len(),
                some(up)
            );
            self.refuse(deployed, new, reason);
        } else if !taken.is_empty() {
            deployed.warnings.push(format!(
                "it takes {} sessions from the router that are to be up ({})",
                taken.len(),
                some(taken)
            ));
        }
    }

    /// A deployment's record, as far as it is known before the commit.
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
            secrets: deployments::seal_secrets(keyring, &work.rendering.secrets).map_err(failed)?,
            pending: None,
        })
    }
}
