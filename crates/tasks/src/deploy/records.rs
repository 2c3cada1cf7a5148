//! The records of a run: what is written before and after each step, in transactions that also look whether the run may
//! still do it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pm_store::deployments::{self, Last, New, Sessions, Status, Step, open_secrets};
use pm_store::{Engine, Session, Transaction, events, queue};
use serde_json::Value as Json;
use tokio::sync::{MutexGuard, Notify};

use super::lock::Held;
use super::report::{Deployed, Verdict, frozen, held_back, let_through};
use super::router::{Made, Work};
use super::{Run, TaskError};
use crate::patience::{patiently, persistently};

/// How long the end of a deployment is tried to be recorded while the database is away.
const TIME_TO_RECORD: Duration = Duration::from_mins(1);

impl Run<'_> {
    pub(super) async fn open_plan(&self) -> Result<i64, TaskError> {
        let now = self.context.clock.now();
        let mut transaction = self.context.store.begin().await?;
        let mut session = transaction.session();
        let template = self.task.configuration.as_deref();
        let plan =
            deployments::open_plan(&mut session, &self.task.user, self.context.job, template, now).await?;
        self.context.commit(transaction).await?;
        Ok(plan)
    }

    /// Notes what guards refused and is in no record, as what is in one was noted with it; and what they refuse no more.
    pub(super) async fn tell_of_refused(&self, routers: &[Deployed]) -> Result<(), TaskError> {
        // A rehearsal holds nothing back.
        let refused = routers
            .iter()
            .filter(|one| one.verdict == Verdict::Refused && one.deployment.is_none() && !self.task.dry_run);
        let job = self.context.job;
        let told: Vec<_> = refused
            .map(|one| held_back(&one.router, one.message.as_deref().unwrap_or_default(), job))
            .chain(self.in_force(routers).map(|one| let_through(&one.router, job)))
            .collect();
        if told.is_empty() {
            return Ok(());
        }
        let passed: Vec<String> = self.in_force(routers).map(|one| one.router.clone()).collect();
        let now = self.context.clock.now();
        let mut transaction = self.context.store.begin().await?;
        events::add_in(&mut transaction.session(), &told, now).await?;
        deployments::nothing_against(&mut transaction.session(), &passed, now).await?;
        self.context.commit(transaction).await?;
        Ok(())
    }

    /// The routers that run what they should; a rehearsal brings it to none.
    fn in_force<'a>(&self, routers: &'a [Deployed]) -> impl Iterator<Item = &'a Deployed> + use<'a> {
        let rehearsal = self.task.dry_run;
        let is_in_force = |one: &&Deployed| {
            matches!(one.verdict, Verdict::Unchanged | Verdict::Confirmed | Verdict::Written)
        };
        routers.iter().filter(is_in_force).filter(move |_| !rehearsal)
    }

    /// The turn of whoever writes on SQLite, which has one writer: waiting for it does not count against one's patience.
    pub(super) async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        match self.context.store.engine() {
            Engine::Sqlite => Some(self.writing.lock().await),
            Engine::Postgres => None,
        }
    }

    /// Whether nobody can tell any more of which text this is the fingerprint: `secrets rotate --forget` took its key away.
    pub(super) fn is_forgotten(&self, fingerprint: &str) -> bool {
        let key = fingerprint.split_once(':').map_or("", |(key, _)| key);
        !self.context.keyring.knows(key)
    }

    /// A transaction of whoever still holds the router.
    async fn transaction(&self, held: &Held) -> Result<Transaction<'_>, TaskError> {
        let mut transaction = self.context.store.begin().await?;
        held.hold(&mut transaction.session(), self.context).await?;
        Ok(transaction)
    }

    /// Records a deployment that is not going to be made.
    pub(super) async fn insert(&self, held: &Held, new: &New) -> Result<i64, TaskError> {
        let _one_at_a_time = self.turn().await;
        let mut transaction = self.transaction(held).await?;
        let mut session = transaction.session();
        let now = self.context.clock.now();
        let id = deployments::insert(&mut session, new, now).await?;
        // A rehearsal holds nothing back.
        if new.status == Status::Refused && !self.task.dry_run {
            let why = new.message.as_deref().unwrap_or_default();
            events::add_in(&mut session, &[held_back(&new.router_name, why, self.context.job)], now).await?;
        }
        self.context.commit(transaction).await?;
        Ok(id)
    }

    /// Records a deployment that has been made.
    pub(super) async fn note(&self, held: &Held, new: &New, step: &Step) -> Result<i64, TaskError> {
        let _one_at_a_time = self.turn().await;
        let now = self.context.clock.now();
        patiently(async || {
            let mut transaction = self.transaction(held).await?;
            let mut session = transaction.session();
            let id = deployments::insert(&mut session, new, now).await?;
            deployments::step(&mut session, id, step, now).await?;
            self.context.commit(transaction).await?;
            Ok(id)
        })
        .await
    }

    /// Why nothing is changed any more: everything has been stopped meanwhile, or it went wrong in too many of the jobs that were
    /// asked for together with this one.
    async fn barred(&self, session: &mut Session<'_>) -> Result<Option<String>, TaskError> {
        if let Some(freeze) = deployments::frozen(session).await? {
            return Ok(Some(frozen(&freeze)));
        }
        let most = self.context.config.deploy_max_failures as usize;
        let spoilt = queue::spoilt_beside(session, self.context.job).await?;
        let here = self.spoilt.load(Ordering::SeqCst) as usize;
        if most == 0 || spoilt.is_empty() || spoilt.len() + here < most {
            return Ok(None);
        }
        let spoilt: Vec<String> = spoilt.iter().map(i64::to_string).collect();
        Ok(Some(format!(
            "it went wrong in job {}, which was asked for together with this one (deploy_max_failures is {most})",
            spoilt.join(", ")
        )))
    }

    /// Why a router may not be changed at this moment, as far as that is no matter of the record.
    fn hindered(&self, work: &Work) -> Option<String> {
        self.stopped().or_else(|| self.task.is_shut(&work.reached, self.context.clock.now()))
    }

    /// Why what an earlier run left must stay where it is for now.
    pub(super) async fn may_not_go_on(&self, work: &Work, held: &Held) -> Result<Option<String>, TaskError> {
        if let Some(reason) = self.hindered(work) {
            return Ok(Some(reason));
        }
        let _one_at_a_time = self.turn().await;
        patiently(async || {
            let mut transaction = self.transaction(held).await?;
            let mut session = transaction.session();
            let reason = self.barred(&mut session).await?;
            self.context.commit(transaction).await?;
            Ok(reason)
        })
        .await
    }

    /// Records a deployment that is about to be made, unless there is a reason not to make it: everything has been stopped
    /// meanwhile, or the router's window has closed.
    pub(super) async fn begin(
        &self,
        work: &Work,
        held: &Held,
        new: &New,
    ) -> Result<Result<i64, String>, TaskError> {
        let now = self.context.clock.now();
        if let Some(reason) = self.hindered(work) {
            return Ok(Err(reason));
        }
        let _one_at_a_time = self.turn().await;
        patiently(async || {
            let mut transaction = self.transaction(held).await?;
            let mut session = transaction.session();
            if let Some(reason) = self.barred(&mut session).await? {
                return Ok(Err(reason));
            }
            let id = deployments::insert(&mut session, new, now).await?;
            if let Some(planned) = &work.planned {
                let message = Some(format!("applied as deployment {id} by {}", self.task.user));
                let step = Step { ended: true, message, ..Step::default() };
                deployments::step(&mut session, planned.id, &step, now).await?;
            }
            self.context.commit(transaction).await?;
            Ok(Ok(id))
        })
        .await
    }

    /// What happened to a router since the run began, now that its lock is held: fills in what the work has to know of it.
    /// Gives why it is left alone.
    pub(super) async fn catch_up(&self, work: &mut Work) -> Result<Option<String>, TaskError> {
        let mut transaction = self.context.store.begin_reading().await?;
        let mut session = transaction.session();
        let last = deployments::last(&mut session, work.reached.id).await?;
        work.unfinished = deployments::unfinished(&mut session, work.reached.id).await?;
        let planned = match &work.planned {
            Some(planned) => deployments::find(&mut session, planned.id).await?,
            None => None,
        };
        transaction.rollback().await?;
        if let Some(message) = planned.filter(|one| one.deployment.ended.is_some()) {
            return Ok(Some(message.deployment.message.unwrap_or_else(|| "the plan is over".to_owned())));
        }
        let newer = last.iter().rev().find(|one| one.rendered.is_some_and(|moment| moment > work.rendered));
        if let Some(newer) = newer {
            return Ok(Some(format!(
                "deployment {} came meanwhile, from newer objects; run it again",
                newer.id
            )));
        }
        // Those that do not open cannot be told from other texts.
        let secrets = last.iter().map(|one| open_secrets(&self.context.keyring, one.secrets.as_deref()));
        work.secrets = secrets.flat_map(Result::unwrap_or_default).collect();
        (work.known.last, work.known.is_own) = baseline(last, &work.template);
        Ok(None)
    }

    /// Ends what was planned for a router that has it already.
    pub(super) async fn has_been_met(&self, work: &Work, held: &Held) -> Result<(), TaskError> {
        let Some(planned) = work.planned.as_ref().filter(|_| !self.task.dry_run) else { return Ok(()) };
        let message = Some(format!("there was nothing to change when {} applied it", self.task.user));
        self.step(held, planned.id, &Step { ended: true, message, ..Step::default() }).await
    }

    /// Notes what became of a deployment. What happened on the router has happened, so this is tried for long.
    pub(super) async fn step(&self, held: &Held, id: i64, step: &Step) -> Result<(), TaskError> {
        let end = tokio::time::sleep(TIME_TO_RECORD);
        persistently(end, async || self.try_step(held, id, step, None).await).await
    }

    async fn try_step(
        &self,
        held: &Held,
        id: i64,
        step: &Step,
        reopened: Option<i64>,
    ) -> Result<(), TaskError> {
        let _one_at_a_time = self.turn().await;
        let mut transaction = self.transaction(held).await?;
        let mut session = transaction.session();
        deployments::step(&mut session, id, step, self.context.clock.now()).await?;
        if let Some(planned) = reopened {
            deployments::reopen(&mut session, planned).await?;
        }
        self.context.commit(transaction).await?;
        Ok(())
    }

    /// Notes that a change is in force and waits for its confirmation; no longer than until it has been looked at. Without this
    /// record the next run asks the router whether something waits.
    pub(super) async fn waits(&self, held: &Held, made: &Made, looked: &Notify) -> Result<(), TaskError> {
        let pending = made.change.as_ref().map(|change| serde_json::to_value(change).unwrap_or(Json::Null));
        let step = Step { status: Some(Status::Unconfirmed), pending, ..Step::default() };
        persistently(looked.notified(), async || self.try_step(held, made.id, &step, None).await).await
    }

    /// Notes how a deployment ended. If nothing of it is in force, what was planned can be deployed once more.
    pub(super) async fn end(
        &self,
        held: &Held,
        made: (i64, Option<i64>),
        status: Status,
        message: String,
    ) -> Result<(), TaskError> {
        let (id, planned) = made;
        let step = Step {
            status: Some(status),
            ended: true,
            pending: Some(Json::Null),
            message: Some(message),
            in_force: None,
        };
        let reopened = planned.filter(|_| status == Status::Failed);
        let end = tokio::time::sleep(TIME_TO_RECORD);
        persistently(end, async || self.try_step(held, id, &step, reopened).await).await
    }
}

/// Sessions of the last deployment by the same template, and whether there is one. Before the first, one by another template alone,
/// such as a part that was deployed once, says nothing of what this one should have: it is measured by what all of them gave the
/// router.
fn baseline(mut last: Vec<Last>, template: &str) -> (Option<Sessions>, bool) {
    if let Some(own) = last.iter().position(|one| one.template == template) {
        return (Some(last.swap_remove(own).sessions), true);
    }
    let all = last.into_iter().map(|one| one.sessions).reduce(|mut all, one| {
        all.stored.extend(one.stored);
        all.others.extend(one.others);
        all
    });
    (all, false)
}
