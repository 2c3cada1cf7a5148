//! `drift`: what routers run, compared with what was last deployed.
//!
//! Reads: the last deployment of each router; the routers. Writes: nothing. A router that is being changed is left out: what it
//! runs meanwhile is no drift.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use pm_router::Diff;
use pm_store::deployments::{self, Mark, Whole};
use pm_store::jobs::{Level, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::lasting::lasting;
use crate::queue::Queue;
use crate::routers::{Connector, Network, NoWay, Reached, limited, routers};
use crate::{Done, Task, TaskContext, TaskError};

/// Compares what routers run with what was deployed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Drift {
    /// Only these routers, by name or hostname, separated by commas.
    #[serde(default)]
    pub limit: Option<String>,
    /// Takes the differences, by router, with passwords hidden.
    #[serde(skip)]
    pub diffs: Arc<Mutex<BTreeMap<String, String>>>,
}

impl PartialEq for Drift {
    /// By what was asked for.
    fn eq(&self, other: &Self) -> bool {
        self.limit == other.limit
    }
}

/// What came of a router.
#[derive(Clone, Debug, Serialize)]
pub struct Drifted {
    /// Its name.
    pub router: String,
    /// The deployment that it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<i64>,
    /// Lines that it has and was not given.
    pub added: usize,
    /// Lines that it was given and has no more.
    pub removed: usize,
    /// Why it was not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Why it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip)]
    diff: String,
    #[serde(skip)]
    id: i64,
}

impl Drifted {
    fn new(router: &Reached, last: Option<&Whole>) -> Self {
        Self {
            router: router.name.clone(),
            deployment: last.map(|last| last.deployment.id),
            added: 0,
            removed: 0,
            skipped: None,
            error: None,
            diff: String::new(),
            id: router.id,
        }
    }
}

#[async_trait::async_trait]
impl Task for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    fn label(&self) -> &'static str {
        "devices.drift"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        None
    }

    fn queue(&self) -> Queue {
        Queue::Routers
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        self.run_over(context, &Network).await
    }
}

impl Drift {
    /// As [`Task::run`], over another network.
    ///
    /// # Errors
    /// Those of the database, and a name in the limit that no router has.
    pub async fn run_over(&self, context: &TaskContext, network: &dyn Connector) -> Result<Done, TaskError> {
        let mut transaction = context.store.begin_reading().await?;
        let mut session = transaction.session();
        let all = routers(&mut session, &context.config, &context.keyring).await?;
        let chosen = limited(all, self.limit.as_deref()).map_err(TaskError::Failed)?;
        let ids: Vec<i64> = chosen.iter().map(|router| router.id).collect();
        let mut deployed = deployments::in_force(&mut session, &ids).await?;
        let before = deployments::marks(&mut session, &ids).await?;
        transaction.rollback().await?;
        let total = chosen.len();
        let at_once = context.config.router_concurrency.max(1) as usize;
        let pairs: Vec<(Reached, Option<Whole>)> = chosen
            .into_iter()
            .map(|router| {
                let last = deployed.remove(&router.id);
                (router, last)
            })
            .collect();
        let compared = futures::stream::iter(pairs).map(async |(router, last)| {
            match before.get(&router.id).and_then(|mark| mark.open) {
                Some(open) => {
                    Drifted { skipped: Some(under_way(open)), ..Drifted::new(&router, last.as_ref()) }
                }
                None => compare(context, network, &router, last.as_ref()).await,
            }
        });
        let mut compared = compared.buffer_unordered(at_once);
        let (mut routers, mut drifted) = (Vec::new(), Vec::new());
        while let Some(one) = compared.next().await {
            if one.added + one.removed > 0 {
                drifted.push(one);
            } else {
                tell(context, &one);
                routers.push(one);
            }
            context.reporter.progress(routers.len() + drifted.len(), total, "comparing routers");
        }
        leave_out_changed(context, &before, &mut drifted).await?;
        for one in &drifted {
            tell(context, one);
        }
        routers.extend(drifted);
        routers.sort_by(|one, other| one.router.cmp(&other.router));
        if let Ok(mut diffs) = self.diffs.lock() {
            let with = routers.iter().filter(|one| !one.diff.is_empty());
            diffs.extend(with.map(|one| (one.router.clone(), one.diff.clone())));
        }
        let drifted = routers.iter().filter(|one| one.added + one.removed > 0).count();
        let failed = routers.iter().filter(|one| one.error.is_some()).count();
        let same = routers.iter().filter(|one| one.skipped.is_none()).count() - drifted - failed;
        let summary = format!("{drifted} routers drifted, {same} run what was deployed, {failed} failed.");
        let outcome = match (failed, drifted + same) {
            (0, 0) => Outcome::NothingToDo,
            (0, _) => Outcome::Ok,
            _ => Outcome::Partial,
        };
        Ok(Done { outcome, summary, data: json!({ "routers": routers, "drifted": drifted }) })
    }
}

/// What is said of a router that is being changed.
fn under_way(deployment: i64) -> String {
    format!("deployment {deployment} is under way, or was left half-way by a run that died")
}

/// Leaves out those that somebody has deployed to since the last deployments were read: it may have been in the middle of that.
async fn leave_out_changed(
    context: &TaskContext,
    before: &BTreeMap<i64, Mark>,
    drifted: &mut [Drifted],
) -> Result<(), TaskError> {
    if drifted.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = drifted.iter().map(|one| one.id).collect();
    let now = deployments::marks(&mut context.store.connection().await?.session(), &ids).await?;
    for one in drifted {
        let Some(mark) = now.get(&one.id).filter(|mark| before.get(&one.id) != Some(mark)) else { continue };
        one.skipped = Some(match mark.open {
            Some(open) => under_way(open),
            None => format!("deployment {} came meanwhile", mark.newest),
        });
        (one.added, one.removed) = (0, 0);
        one.diff.clear();
    }
    Ok(())
}

fn tell(context: &TaskContext, one: &Drifted) {
    let (level, text) = told(one);
    context.reporter.say(level, Some(one.router.clone()), &format!("{}: {text}", one.router));
}

fn told(one: &Drifted) -> (Level, String) {
    match (&one.error, &one.skipped, one.added + one.removed) {
        (Some(error), _, _) => (Level::Failure, error.clone()),
        (_, Some(reason), _) => (Level::Info, format!("skipped, {reason}")),
        (_, _, 0) => (Level::Info, "runs what was deployed".to_owned()),
        _ => (Level::Warning, format!("drifted (+{} −{} lines)", one.added, one.removed)),
    }
}

async fn compare(
    context: &TaskContext,
    network: &dyn Connector,
    router: &Reached,
    last: Option<&Whole>,
) -> Drifted {
    let mut one = Drifted::new(router, last);
    let Some(last) = last else {
        one.skipped = Some("nothing was deployed to it yet".to_owned());
        return one;
    };
    let Some(sealed) = &last.in_force else {
        one.skipped =
            Some(format!("what it ran after deployment {} could not be read then", last.deployment.id));
        return one;
    };
    let secrets = deployments::open_secrets(&context.keyring, last.secrets.as_deref());
    let opened = deployments::open(&context.keyring, sealed).and_then(|text| Ok((text, secrets?)));
    let (deployed, secrets) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            one.error = Some(error.to_string());
            return one;
        }
    };
    match running(network, router).await {
        Ok(Some(running)) => {
            let diff = Diff::between(&lasting(&deployed), &lasting(&running)).without(&secrets);
            (one.added, one.removed) = diff.counts();
            diff.text().clone_into(&mut one.diff);
        }
        Ok(None) => one.skipped = Some("it is disabled, or has no driver".to_owned()),
        Err(error) => one.error = Some(error),
    }
    one
}

/// What a router runs, or what its file holds; `None` if there is no way there.
async fn running(network: &dyn Connector, router: &Reached) -> Result<Option<String>, String> {
    if let Some((target, name)) = router.ways.as_ref().ok().and_then(|ways| ways.file.as_ref()) {
        let held = target.read(name).map_err(|error| error.to_string())?;
        return Ok(Some(held.map_or_else(String::new, |text| text.expose().to_owned())));
    }
    let target = match &router.target {
        Ok(target) => target,
        Err(NoWay::Unmeant(_)) => return Ok(None),
        Err(NoWay::Broken(reason)) => return Err(reason.clone()),
    };
    let connection = network.connect(target).await.map_err(|error| error.to_string())?;
    let text = connection.running_config().await;
    connection.close().await;
    text.map(|text| Some(text.expose().to_owned())).map_err(|error| error.to_string())
}
