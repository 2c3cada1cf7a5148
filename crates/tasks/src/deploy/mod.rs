//! `configure_routers`: configurations on their way to routers.
//!
//! Reads: all objects and templates, the settings `config_max_removed_percent`, `commit_confirm_seconds`, `post_check_*`,
//! `deploy_max_failures`, `router_concurrency`, `napalm_*`; the routers. Writes: the routers; a record per deployment, before and
//! after each step (`records.rs`). `ways.rs` is how a router is given its configuration, `router.rs` goes as far as the commit, `watch.rs`
//! sees it confirmed or undone, `settle.rs` finds what a dead process left, `file.rs` writes files instead, `guard.rs` says no, `lasting.rs` says what of a
//! configuration counts.
//!
//! What goes wrong on a router is that router's end and no other's; a configuration that is refused by a router, or takes its
//! sessions down, keeps the others from getting theirs.

mod close;
mod drift;
mod file;
mod guard;
mod lasting;
mod lock;
mod records;
mod report;
mod router;
mod settle;
mod watch;
mod ways;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use pm_store::deployments::{self, Deployment, Status};
use pm_store::jobs::{self, Level};
use pm_store::tombstones;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use self::guard::Known;
use self::report::{finish, frozen};
use self::router::Work;
use crate::queue::Queue;
use crate::render::{Made, each};
use crate::routers::{Connector, Network, NoWay, Reached, limited, routers};
use crate::{Done, Task, TaskContext, TaskError};

pub use close::close_deployment;
pub use drift::{Drift, Drifted};
pub use report::{DeployReport, Deployed, Verdict};
pub use ways::{Ways, Window};

/// How long a run that is cancelled may take to leave its routers in order: a commit that was sent is waited for.
const TIME_TO_END: Duration = Duration::from_mins(4);

const NO_TEMPLATE: &str = "it has no configuration template";

/// How long a worker lets a run take at least: routers may each wait for their timers.
const TIME_LIMIT: Duration = Duration::from_hours(1);

/// Brings configurations to routers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ConfigureRouters {
    /// Only these routers, by name or hostname, separated by commas.
    #[serde(default)]
    pub limit: Option<String>,
    /// The stored template of this name instead of each router's own.
    #[serde(default)]
    pub configuration: Option<String>,
    /// Commit even where nothing would change.
    #[serde(default)]
    pub no_commit_check: bool,
    /// Record what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The plan that is to be made true.
    #[serde(default)]
    pub apply: Option<i64>,
    /// Change this many routers first, and the others only if all went well with them.
    #[serde(default)]
    pub canary: Option<u32>,
    /// Overrule the guards.
    #[serde(default)]
    pub force: bool,
    /// Wait for routers that another run is at work on.
    #[serde(default)]
    pub wait: bool,
    /// Who asks for it, as it is recorded.
    #[serde(default)]
    pub user: String,
    /// Takes what would change, by router, with passwords hidden. It is kept with the deployments and in no job record.
    #[serde(skip)]
    pub diffs: Arc<Mutex<BTreeMap<String, String>>>,
}

impl PartialEq for ConfigureRouters {
    /// By what was asked for.
    fn eq(&self, other: &Self) -> bool {
        self.arguments() == other.arguments()
    }
}

#[async_trait::async_trait]
impl Task for ConfigureRouters {
    fn name(&self) -> &'static str {
        "configure_routers"
    }

    fn label(&self) -> &'static str {
        "devices.configure_routers"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Each router has a lock of its own.
    fn lock_key(&self) -> Option<String> {
        None
    }

    /// Two that wait for each other's routers would only take up workers.
    fn queue_key(&self) -> Option<String> {
        Some("configure_routers".to_owned())
    }

    fn queue(&self) -> Queue {
        Queue::Routers
    }

    fn time_to_end(&self) -> Duration {
        TIME_TO_END
    }

    fn most_spoilt(&self, config: &pm_config::Config) -> Option<u32> {
        Some(config.deploy_max_failures).filter(|most| *most > 0)
    }

    fn is_spoilt(&self, data: &Json) -> bool {
        data["spoilt"].as_u64().is_some_and(|spoilt| spoilt > 0)
    }

    fn time_limit(&self, config: &pm_config::Config) -> Duration {
        TIME_LIMIT.max(Duration::from_secs(config.job_timeout.into()))
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        self.run_over(context, &Network).await
    }
}

/// One run over many routers.
pub(crate) struct Run<'a> {
    context: &'a TaskContext,
    network: &'a dyn Connector,
    task: &'a ConfigureRouters,
    /// The plan that is being made.
    plan: OnceLock<i64>,
    /// Routers on which it went wrong.
    spoilt: AtomicU32,
    /// SQLite has one writer; who waits here does not count against its patience.
    writing: tokio::sync::Mutex<()>,
}

/// What there is to do, and what there is not.
#[derive(Default)]
struct Selection {
    works: Vec<Work>,
    left: Vec<Deployed>,
    sessions_without_router: i64,
}

impl ConfigureRouters {
    /// As [`Task::run`], over another network.
    ///
    /// # Errors
    /// Those of the database; a name that no router or template has; a freeze; and how the run ended where nothing was
    /// done.
    pub async fn run_over(&self, context: &TaskContext, network: &dyn Connector) -> Result<Done, TaskError> {
        let config = &context.config;
        if config.commit_confirm_seconds <= config.post_check_seconds.max(config.post_check_min_seconds) {
            return Err(TaskError::Failed(
                "commit_confirm_seconds is not longer than post_check_seconds and post_check_min_seconds: every change \
                 would be undone before it is confirmed"
                    .to_owned(),
            ));
        }
        let run = Run {
            context,
            network,
            task: self,
            plan: OnceLock::new(),
            spoilt: AtomicU32::new(0),
            writing: tokio::sync::Mutex::new(()),
        };
        let Selection { works, left, sessions_without_router } = self.select(context).await?;
        for one in &left {
            run.tell(one);
        }
        if self.dry_run && !works.is_empty() {
            let _ = run.plan.set(run.open_plan().await?);
        }
        let mut report = DeployReport {
            plan: run.plan.get().copied().or(self.apply),
            routers: left,
            sessions_without_router,
            spoilt: 0,
        };
        report.routers.extend(run.all(works).await);
        // What was done is done, whether or not somebody can be told of what was not.
        if let Err(error) = run.tell_of_refused(&report.routers).await {
            context.reporter.warning(format!("nobody is notified of what the guards refused: {error}"));
        }
        report.spoilt = run.spoilt.load(Ordering::SeqCst);
        report.routers.sort_by(|one, other| one.router.cmp(&other.router));
        if let Ok(mut diffs) = self.diffs.lock() {
            diffs.extend(
                report
                    .routers
                    .iter()
                    .filter(|one| !one.diff.is_empty())
                    .map(|one| (one.router.clone(), one.diff.clone())),
            );
        }
        finish(&report, self.dry_run, context.cancel.is_cancelled())
    }

    /// Reads one moment of the database and renders from it.
    async fn select(&self, context: &TaskContext) -> Result<Selection, TaskError> {
        let now = context.clock.now();
        let mut transaction = context.store.begin_reading().await?;
        let mut session = transaction.session();
        if let Some(freeze) = deployments::frozen(&mut session).await?
            && !self.dry_run
        {
            return Err(TaskError::Refused(frozen(&freeze)));
        }
        let all = routers(&mut session, &context.config, &context.keyring).await?;
        let mut chosen = limited(all, self.limit.as_deref()).map_err(TaskError::Failed)?;
        let mut plan = self.plan(&mut session).await?;
        if let Some(plan) = &plan {
            chosen
                .retain(|router| plan.open.contains_key(&router.id) || plan.refused.contains_key(&router.id));
            if chosen.is_empty() {
                return Err(TaskError::Failed(plan.nothing(self.limit.as_deref())));
            }
        }
        let mut selection = Selection {
            sessions_without_router: deployments::sessions_without_router(&mut session).await?,
            ..Selection::default()
        };
        chosen.retain(|router| {
            let refused = plan.as_ref().and_then(|plan| plan.refused.get(&router.id));
            let why = refused.map(refused_then).or_else(|| self.skipped(router, now));
            let Some((verdict, reason)) = why else { return true };
            let mut one = Deployed::new(&router.name);
            one.ends(verdict, reason);
            selection.left.push(one);
            false
        });
        let names: BTreeSet<String> = chosen.iter().map(|router| router.name.clone()).collect();
        let chosen_for_all = plan.as_ref().and_then(|plan| plan.configuration.as_deref());
        let template = self.configuration.as_deref().or(chosen_for_all);
        let made = each(context, &mut session, &names, template).await?;
        let mut made: BTreeMap<String, Made> =
            made.into_iter().map(|one| (one.router.clone(), one)).collect();
        let ids: Vec<i64> = chosen.iter().map(|router| router.id).collect();
        let mut stored = deployments::sessions(&mut session, &ids).await?;
        let mut deleted: BTreeMap<i64, BTreeSet<IpAddr>> = BTreeMap::new();
        for one in tombstones::deleted(&mut session, &ids).await? {
            deleted.entry(one.router).or_default().insert(one.ip_address);
        }
        transaction.rollback().await?;
        for router in chosen {
            let mut one = Deployed::new(&router.name);
            let Some(Made { template, result, .. }) = made.remove(&router.name) else {
                one.ends(Verdict::Skipped, NO_TEMPLATE);
                selection.left.push(one);
                continue;
            };
            let rendering = match (broken(&router), result) {
                (Some(reason), _) => {
                    one.ends(Verdict::Failed, reason);
                    selection.left.push(one);
                    continue;
                }
                (None, Err(error)) => {
                    one.ends(Verdict::Failed, error.to_string());
                    selection.left.push(one);
                    continue;
                }
                (None, Ok(rendering)) => rendering,
            };
            if rendering.text.trim().is_empty() {
                let said = "its configuration is empty, and nothing is deployed without a configuration";
                one.ends(Verdict::Refused, said);
                selection.left.push(one);
                continue;
            }
            selection.works.push(Work {
                template,
                rendering,
                rendered: now,
                known: Known {
                    stored: stored.remove(&router.id).unwrap_or_default(),
                    deleted: deleted.remove(&router.id).unwrap_or_default(),
                    ..Known::default()
                },
                unfinished: Vec::new(),
                is_only_looked_at: false,
                said: Vec::new(),
                secrets: Vec::new(),
                planned: plan.as_mut().and_then(|plan| plan.open.remove(&router.id)),
                reached: router,
            });
        }
        Ok(selection)
    }

    /// The plan that is to be applied.
    async fn plan(&self, session: &mut pm_store::Session<'_>) -> Result<Option<Applied>, TaskError> {
        let Some(number) = self.apply else { return Ok(None) };
        let Some(plan) = deployments::plan(session, number).await? else {
            return Err(TaskError::Failed(format!(
                "there is no plan {number}; `deployments list` shows them"
            )));
        };
        if let (Some(asked), planned) = (&self.configuration, &plan.configuration)
            && planned.as_ref() != Some(asked)
        {
            let planned = planned.as_deref().map_or("each router's own template", |name| name);
            return Err(TaskError::Failed(format!(
                "plan {number} was made with {planned}; leave --configuration out, or make a new plan"
            )));
        }
        let rows = deployments::of_plan(session, number).await?;
        let mut applied = Applied {
            number,
            configuration: plan.configuration,
            open: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        for row in rows {
            let Some(router) = row.router else { continue };
            match row.status {
                Status::Planned if row.ended.is_none() => drop(applied.open.insert(router, row)),
                Status::Refused => drop(applied.refused.insert(router, row)),
                _ => {}
            }
        }
        if applied.open.is_empty() {
            return Err(TaskError::Failed(applied.nothing(None)));
        }
        Ok(Some(applied))
    }

    /// Why a router is left alone.
    fn skipped(&self, router: &Reached, now: DateTime<Utc>) -> Option<(Verdict, String)> {
        let why = not_meant(router).or_else(|| self.is_shut(router, now));
        why.map(|reason| (Verdict::Skipped, reason))
    }

    /// Why the router may not be changed now.
    fn is_shut(&self, router: &Reached, now: DateTime<Utc>) -> Option<String> {
        if self.dry_run || self.force {
            return None;
        }
        let window = router.ways.as_ref().ok()?.window.as_ref()?;
        (!window.is_open(now)).then(|| format!("now is outside its deploy window {:?}", window.text()))
    }
}

/// A plan that is being made true.
struct Applied {
    number: i64,
    /// The template that was chosen for all routers, if one was.
    configuration: Option<String>,
    /// What is still to be done, by router.
    open: BTreeMap<i64, Deployment>,
    /// What a guard refused when it was planned, by router.
    refused: BTreeMap<i64, Deployment>,
}

impl Applied {
    /// The text for somebody who finds nothing in it.
    fn nothing(&self, limit: Option<&str>) -> String {
        match limit {
            Some(limit) => format!("plan {} has nothing for {limit}", self.number),
            None => format!(
                "plan {} has nothing that is still to be deployed: it was applied, refused, or its routers are gone",
                self.number
            ),
        }
    }
}

/// What becomes of a router that a guard refused when it was planned.
fn refused_then(row: &Deployment) -> (Verdict, String) {
    let why = row.message.as_deref().unwrap_or("a guard said no");
    let said =
        format!("it was refused when it was planned, and a new plan with --force would overrule that: {why}");
    (Verdict::Refused, said)
}

/// Why a router takes part in no deployment, at whatever time.
pub(crate) fn left_out(router: &Reached) -> Option<String> {
    not_meant(router).or_else(|| (!router.has_template).then(|| NO_TEMPLATE.to_owned()))
}

fn not_meant(router: &Reached) -> Option<String> {
    if router.disabled {
        return Some("it is disabled".to_owned());
    }
    let file = router.ways.as_ref().is_ok_and(|ways| ways.file.is_some());
    match &router.target {
        Err(NoWay::Unmeant(reason)) if !file => Some(reason.clone()),
        _ => None,
    }
}

/// What is wrong with the way to a router that is meant to be configured.
fn broken(router: &Reached) -> Option<String> {
    match (&router.target, &router.ways) {
        (_, Err(reason)) => Some(reason.clone()),
        (Err(NoWay::Broken(reason)), Ok(ways)) if ways.file.is_none() => Some(reason.clone()),
        _ => None,
    }
}

impl Run<'_> {
    /// All routers: the canaries first, if there are to be any. A rehearsal changes none, so it has none.
    async fn all(&self, works: Vec<Work>) -> Vec<Deployed> {
        let total = works.len();
        let mut waiting = VecDeque::from(works);
        let mut done = match self.task.canary.filter(|canaries| *canaries > 0 && !self.task.dry_run) {
            Some(canaries) => self.canaries(&mut waiting, canaries as usize, total).await,
            None => Vec::new(),
        };
        if !self.goes_well(&done) {
            let left = waiting.into_iter().map(|work| {
                let mut one = Deployed::new(&work.reached.name);
                one.ends(Verdict::NotBegun, "it did not go well with the routers that came first (--canary)");
                self.tell(&one);
                one
            });
            done.extend(left);
            return done;
        }
        let before = done.len();
        done.extend(self.some(waiting.into(), before, total).await);
        done
    }

    /// Changes so many routers, the first that have something to change, unless one goes wrong. A router that has nothing to
    /// change says nothing about the change, so many are looked at together until there are enough that have.
    async fn canaries(&self, waiting: &mut VecDeque<Work>, wanted: usize, total: usize) -> Vec<Deployed> {
        let at_once = self.at_once();
        let mut done = Vec::new();
        while changed(&done) < wanted && self.goes_well(&done) && !waiting.is_empty() {
            let next: Vec<Work> = waiting.drain(..at_once.min(waiting.len())).collect();
            let looks = futures::stream::iter(next).map(async |mut work| {
                work.is_only_looked_at = true;
                let looked = router::deploy(self, &mut work).await;
                work.is_only_looked_at = false;
                (work, looked)
            });
            let mut looks = looks.buffered(at_once);
            let mut ready = VecDeque::new();
            while let Some((mut work, looked)) = looks.next().await {
                if looked.verdict == Verdict::Planned {
                    work.said = looked.warnings;
                    ready.push_back(work);
                    continue;
                }
                self.tell(&looked);
                done.push(looked);
                self.context.reporter.progress(done.len(), total, "configuring routers");
            }
            while changed(&done) < wanted && self.goes_well(&done) && !ready.is_empty() {
                let count = ready.len().min(wanted - changed(&done));
                let before = done.len();
                done.extend(self.some(ready.drain(..count).collect(), before, total).await);
            }
            ready.append(waiting);
            *waiting = ready;
        }
        done
    }

    async fn some(&self, works: Vec<Work>, before: usize, total: usize) -> Vec<Deployed> {
        let mut done = Vec::with_capacity(works.len());
        let works = futures::stream::iter(works).map(async |mut work| router::deploy(self, &mut work).await);
        let mut works = works.buffer_unordered(self.at_once());
        while let Some(deployed) = works.next().await {
            self.tell(&deployed);
            done.push(deployed);
            self.context.reporter.progress(before + done.len(), total, "configuring routers");
        }
        done
    }

    fn at_once(&self) -> usize {
        self.context.config.router_concurrency.max(1) as usize
    }

    /// Whether nothing has happened that may be the configuration's fault. A router that cannot be reached is not changed, so it
    /// says as little as one that has nothing to change.
    fn goes_well(&self, done: &[Deployed]) -> bool {
        let is_fine = |one: &Deployed| match one.verdict {
            Verdict::Busy => true,
            Verdict::Failed => one.deployment.is_none(),
            verdict => verdict.is_good(),
        };
        self.spoilt.load(Ordering::SeqCst) == 0 && done.iter().all(is_fine)
    }

    /// Notes that a configuration took a router or its sessions down, or was refused by it, at the moment when that is known:
    /// no other router is begun once there are too many such, by this run or by those that were asked for together with it.
    async fn spoil(&self) {
        self.spoilt.fetch_add(1, Ordering::SeqCst);
        let _one_at_a_time = self.turn().await;
        // At the end of the job it is noted once more.
        if let Err(error) = jobs::spoil(&self.context.store, self.context.job).await {
            tracing::warn!(job = self.context.job, %error, "the job's record does not say yet that it did harm");
        }
    }

    /// Why no router is begun any more.
    fn stopped(&self) -> Option<String> {
        if self.context.cancel.is_cancelled() {
            return Some("the run was cancelled".to_owned());
        }
        let most = self.context.config.deploy_max_failures;
        let spoilt = self.spoilt.load(Ordering::SeqCst);
        (most > 0 && spoilt >= most && !self.task.dry_run)
            .then(|| format!("it went wrong on {spoilt} routers before (deploy_max_failures is {most})"))
    }

    fn tell(&self, one: &Deployed) {
        let level = match one.verdict {
            Verdict::Confirmed | Verdict::Written => Level::Success,
            Verdict::Unchanged | Verdict::Planned => Level::Info,
            Verdict::Skipped | Verdict::NotBegun | Verdict::Busy => Level::Warning,
            _ => Level::Failure,
        };
        self.context.reporter.say(level, Some(one.router.clone()), &one.line());
        for warning in &one.warnings {
            let text = format!("{}: {warning}", one.router);
            self.context.reporter.say(Level::Warning, Some(one.router.clone()), &text);
        }
    }
}

fn changed(done: &[Deployed]) -> usize {
    done.iter().filter(|one| matches!(one.verdict, Verdict::Confirmed | Verdict::Written)).count()
}
