//! `get_irr_data`, and its predecessor `grab_prefixes`: prefix lists and AS lists from IRR databases.
//!
//! Reads: autonomous systems, the settings `bgpq3_*`, `irr_*` and `prefix_*_limit*`, IRR servers. Writes: lists, their
//! generations and states, and a change-log row for each autonomous system whose lists change. An answer replaces a
//! list only when it is one: `judge.rs` holds the guards. Many autonomous systems go into one transaction, each whole.
//!
//! `plan.rs` decides what to ask, `ask.rs` asks, `lists.rs` makes lists of answers, `judge.rs` decides, `record.rs` stores.
//! `review.rs` takes what was held back. `look.rs` answers questions about what is stored, `query.rs` about what is not.

mod ask;
mod judge;
pub(crate) mod lists;
pub mod look;
mod plan;
pub mod query;
mod record;
mod report;
mod review;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pm_config::Config;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::irr::{self, Kind, State, Update, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::queue::Queue;
use crate::{Done, Task, TaskContext, TaskError};
use ask::{Answered, Asker};
use judge::{Answer, Guards, judge};
use plan::{Plan, Planned, Wanted};
use record::Decided;
use report::Report;

pub use pm_irr::{AS_LIST_WIDTH, Family, ListArguments, as_list_json, prefix_list_json};
pub use report::{IrrReport, Told};
pub use review::IrrAccept;

/// Autonomous systems that are stored in one transaction at most.
const BATCH: usize = 250;
/// Octets of lists that are stored in one transaction, about.
const BATCH_OCTETS: usize = 8 << 20;
/// How long a decision may wait for others to be stored with.
const PATIENCE: Duration = Duration::from_millis(500);
/// Lists that are removed in one transaction once nobody has them any more.
const REMOVED_AT_ONCE: u32 = 1000;

/// Fetches prefix lists. Superseded by [`GetIrrData`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrabPrefixes {
    /// Longest list that is shown, in entries per family; 0 is any length.
    #[serde(default)]
    pub limit: u32,
    /// Take lists that the guards hold back.
    #[serde(default)]
    pub force: bool,
}

/// Fetches prefix lists and AS lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetIrrData {
    /// Longest prefix list that is shown, in entries per family; 0 is any length.
    #[serde(default)]
    pub limit: u32,
    /// Only these autonomous systems; empty: all.
    #[serde(default)]
    pub asns: Vec<i64>,
    /// Take lists that the guards hold back.
    #[serde(default)]
    pub force: bool,
}

/// How long a background job may judge and store after it has asked.
const STORING: Duration = Duration::from_mins(10);

/// Both commands write the same lists.
const LOCK: &str = "irr";

#[async_trait::async_trait]
impl Task for GrabPrefixes {
    fn name(&self) -> &'static str {
        "grab_prefixes"
    }

    fn label(&self) -> &'static str {
        "peering.grab_prefixes"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some(LOCK.to_owned())
    }

    fn queue(&self) -> Queue {
        Queue::Data
    }

    /// What `--force` takes, somebody has looked at; that holds for one run.
    fn is_repeatable(&self) -> bool {
        !self.force
    }

    fn time_limit(&self, config: &Config) -> Duration {
        time_limit(config)
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info("Fetching prefixes for autonomous systems");
        run(context, self.name(), self.limit, self.force, &[], false).await
    }
}

#[async_trait::async_trait]
impl Task for GetIrrData {
    fn name(&self) -> &'static str {
        "get_irr_data"
    }

    fn label(&self) -> &'static str {
        "peering.get_irr_data"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some(LOCK.to_owned())
    }

    fn queue(&self) -> Queue {
        Queue::Data
    }

    /// What `--force` takes, somebody has looked at; that holds for one run.
    fn is_repeatable(&self) -> bool {
        !self.force
    }

    fn time_limit(&self, config: &Config) -> Duration {
        time_limit(config)
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info("Fetching IRR data for autonomous systems");
        run(context, self.name(), self.limit, self.force, &self.asns, true).await
    }
}

/// The asking alone may take `irr_timeout`; what came by then is judged and stored.
fn time_limit(config: &Config) -> Duration {
    let asking = Duration::from_secs(config.irr_timeout.into());
    Duration::from_secs(config.job_timeout.into()).max(asking + STORING)
}

/// One run of either task.
struct Run<'a> {
    context: &'a TaskContext,
    /// Which of them.
    task: &'static str,
    guards: Guards,
    systems: Vec<AutonomousSystem>,
    states: BTreeMap<i64, Vec<State>>,
    planned: Vec<Planned>,
}

async fn run(
    context: &TaskContext,
    task: &'static str,
    limit: u32,
    force: bool,
    asns: &[i64],
    as_lists: bool,
) -> Result<Done, TaskError> {
    let config = &context.config;
    let guards = Guards {
        limit,
        shrink_percent: config.prefix_shrink_limit_percent,
        growth: config.prefix_growth_limit,
        force,
    };
    let (systems, states) = read(context, asns).await?;
    let missing: Vec<i64> =
        asns.iter().filter(|asn| !systems.iter().any(|system| system.asn == **asn)).copied().collect();
    for asn in &missing {
        context.reporter.warning(format!("AS{asn} is not in the database; `as add` adds it"));
    }
    if systems.is_empty() && !missing.is_empty() {
        return Err(TaskError::Failed("None of these autonomous systems is in the database.".to_owned()));
    }
    let planned = systems
        .iter()
        .enumerate()
        .map(|(place, system)| plan::plan(config, place, system, as_lists))
        .collect();
    let run = Run { context, task, guards, systems, states, planned };
    let mut report = run.fetch().await?;
    report.missing(missing);
    remove_unused(context).await?;
    report.finish(&context.reporter)
}

async fn read(
    context: &TaskContext,
    asns: &[i64],
) -> Result<(Vec<AutonomousSystem>, BTreeMap<i64, Vec<State>>), TaskError> {
    let mut transaction = context.store.begin_reading().await?;
    let mut session = transaction.session();
    let systems = if asns.is_empty() {
        autonomous_system::all(&mut session).await?
    } else {
        autonomous_system::by_asns(&mut session, asns).await?
    };
    let ids: Vec<i64> = systems.iter().map(|system| system.id).collect();
    let states = irr::states(&mut session, &ids).await?;
    transaction.rollback().await?;
    Ok((systems, states))
}

/// Lists that went out of use with this run or an earlier one.
async fn remove_unused(context: &TaskContext) -> Result<(), TaskError> {
    // Mostly there are none, and then nobody has to wait for the database to write.
    while !irr::unused(&mut context.store.connection().await?.session(), 1).await?.is_empty() {
        let mut transaction = context.store.begin().await?;
        let mut session = transaction.session();
        context.hold_lock(&mut session).await?;
        irr::remove_unused(&mut session, REMOVED_AT_ONCE).await?;
        context.commit(transaction).await?;
    }
    Ok(())
}

impl Run<'_> {
    async fn fetch(&self) -> Result<Report, TaskError> {
        let mut groups: BTreeMap<&str, Vec<Arc<Wanted>>> = BTreeMap::new();
        for (_, plan) in self.planned.iter().flat_map(|planned| &planned.lists) {
            if let Plan::Ask(wanted) = plan {
                groups.entry(&wanted.host).or_default().push(Arc::new((**wanted).clone()));
            }
        }
        let mut askers = Vec::with_capacity(groups.len());
        let mut unreachable = Vec::new();
        for (host, wanted) in groups {
            match Asker::new(&self.context.config, host) {
                Ok(asker) => askers.push((host.to_owned(), asker, wanted)),
                Err(why) => unreachable.push((why, wanted)),
            }
        }
        if let (true, Some((why, _))) = (askers.is_empty(), unreachable.first()) {
            return Err(TaskError::Failed(format!("{why}. Nothing was changed.")));
        }
        let (sender, answers) = mpsc::channel(BATCH);
        let asking = async {
            let asks = askers
                .iter()
                .map(|(_, asker, wanted)| asker.ask(&self.context.config, wanted.clone(), sender.clone()));
            futures::future::join_all(asks).await;
            for (why, wanted) in unreachable {
                for wanted in wanted {
                    let answer = Answer::Failed(why.clone());
                    let _ = sender.send(Answered { wanted, answer, unreachable: true, notes: vec![] }).await;
                }
            }
            drop(sender);
            Ok(())
        };
        let deciding = async { self.decide(answers, origins(&askers).await?).await };
        let colliding = async {
            let named = askers.iter().map(|(_, asker, wanted)| asker.collisions(wanted));
            Ok(futures::future::join_all(named).await)
        };
        // In this order: who asks for the origin must not wait for a connection until the lists are fetched, as some of
        // them wait until the origin is known. It also finds out first that nobody is there.
        let (mut report, (), collisions) = tokio::try_join!(deciding, asking, colliding)?;
        for (place, note) in collisions.into_iter().flatten() {
            report.note(&self.context.reporter, self.systems[place].asn, &note);
        }
        for (_, asker, _) in &askers {
            report.queries(asker.queries());
            asker.close().await;
        }
        Ok(report)
    }
}

/// Server and serials by the host as it is set. Fails if nobody answers anywhere, which may pass.
async fn origins(askers: &[(String, Asker, Vec<Arc<Wanted>>)]) -> Result<BTreeMap<String, Json>, TaskError> {
    let origins = futures::future::join_all(askers.iter().map(|(_, asker, _)| asker.origin())).await;
    if let Some(Err(why)) = origins.first().filter(|_| origins.iter().all(Result::is_err)) {
        let why = format!("{why}. Nothing was changed.");
        return Err(TaskError::Unanswered { why, pause: Duration::ZERO });
    }
    let known =
        askers.iter().zip(origins).filter_map(|((host, ..), origin)| Some((host.clone(), origin.ok()?)));
    Ok(known.collect())
}

/// An autonomous system of which answers are still due.
struct Open {
    answers: Vec<(Kind, Answer)>,
    due: usize,
    host: Option<String>,
}

impl Run<'_> {
    /// Decides as answers arrive and stores what belongs together.
    async fn decide(
        &self,
        mut answers: mpsc::Receiver<Answered>,
        origins: BTreeMap<String, Json>,
    ) -> Result<Report, TaskError> {
        let mut report = Report::new(self.systems.len());
        let mut open: Vec<Open> = self.planned.iter().map(opened).collect();
        let mut batch = Vec::new();
        let mut done = 0;
        for (place, planned) in self.planned.iter().enumerate() {
            let system = &self.systems[place];
            planned.notes.iter().for_each(|note| report.note(&self.context.reporter, system.asn, note));
            if open[place].due == 0 {
                batch.push(self.decided(place, &mut open[place], &origins, &mut report));
                done += 1;
            }
        }
        let mut since = Instant::now();
        loop {
            if batch.len() >= BATCH
                || octets(&batch) > BATCH_OCTETS
                || (!batch.is_empty() && since.elapsed() >= PATIENCE)
            {
                self.store(&mut batch, &mut report).await?;
            }
            if batch.is_empty() {
                since = Instant::now();
            }
            self.context.reporter.progress(done, self.systems.len(), "autonomous systems");
            let answered = match tokio::time::timeout_at(since + PATIENCE, answers.recv()).await {
                Ok(Some(answered)) => answered,
                Ok(None) => break,
                Err(_) => continue,
            };
            let place = answered.wanted.system;
            let system = &self.systems[place];
            report.asked(answered.unreachable);
            answered.notes.iter().for_each(|note| report.note(&self.context.reporter, system.asn, note));
            open[place].host = Some(answered.wanted.host.clone());
            open[place].answers.push((answered.wanted.kind, answered.answer));
            open[place].due -= 1;
            if open[place].due == 0 {
                batch.push(self.decided(place, &mut open[place], &origins, &mut report));
                done += 1;
            }
        }
        self.store(&mut batch, &mut report).await?;
        self.context.reporter.progress(done, self.systems.len(), "autonomous systems");
        Ok(report)
    }

    /// Judges all lists of one autonomous system.
    fn decided(
        &self,
        place: usize,
        open: &mut Open,
        origins: &BTreeMap<String, Json>,
        report: &mut Report,
    ) -> Decided {
        let system = &self.systems[place];
        let before = self.states.get(&system.id).cloned().unwrap_or_default();
        let mut answers = std::mem::take(&mut open.answers);
        answers.sort_by_key(|(kind, _)| *kind);
        let lacking: Vec<(Kind, String)> = answers
            .iter()
            .filter_map(|(kind, answer)| match answer {
                Answer::Partly { why, .. } => Some((*kind, why.clone())),
                _ => None,
            })
            .collect();
        let verdicts: Vec<(Kind, Verdict)> = answers
            .into_iter()
            .map(|(kind, answer)| {
                let state = before.iter().find(|state| state.kind == kind);
                (kind, judge(kind, state, answer, self.guards))
            })
            .collect();
        report.tell(&self.context.reporter, system, &verdicts, &lacking);
        let origin = open.host.as_ref().and_then(|host| origins.get(host));
        let details = details(&self.planned[place], origin, &verdicts);
        Decided {
            system: system.clone(),
            update: Update { autonomous_system: system.id, before, verdicts, details },
        }
    }

    async fn store(&self, batch: &mut Vec<Decided>, report: &mut Report) -> Result<(), TaskError> {
        if batch.is_empty() {
            return Ok(());
        }
        for asn in record::store(self.context, self.task, std::mem::take(batch)).await? {
            report.edited(&self.context.reporter, asn);
        }
        Ok(())
    }
}

/// How long the lists are that wait to be stored.
fn octets(batch: &[Decided]) -> usize {
    let verdicts = batch.iter().flat_map(|decided| &decided.update.verdicts);
    verdicts
        .map(|(_, verdict)| match verdict {
            Verdict::Replaced { list, .. } | Verdict::Held { list, .. } => list.data.len(),
            _ => 0,
        })
        .sum()
}

/// What is known of an autonomous system before anybody is asked.
fn opened(planned: &Planned) -> Open {
    let mut open = Open { answers: Vec::new(), due: 0, host: None };
    for (kind, plan) in &planned.lists {
        match plan {
            Plan::Ask(_) => open.due += 1,
            Plan::Off => open.answers.push((*kind, Answer::Off)),
            Plan::Empty => open.answers.push((*kind, lists::empty_list(*kind))),
            Plan::Failed(why) => open.answers.push((*kind, Answer::Failed(why.clone()))),
        }
    }
    open
}

/// Where the lists of a generation come from.
fn details(planned: &Planned, origin: Option<&Json>, verdicts: &[(Kind, Verdict)]) -> Json {
    let mut lists = serde_json::Map::new();
    for (kind, plan) in &planned.lists {
        let Plan::Ask(wanted) = plan else { continue };
        let found = verdicts.iter().find(|(of, _)| of == kind).and_then(|(_, verdict)| match verdict {
            Verdict::Replaced { found, .. } | Verdict::Same { found } | Verdict::Held { found, .. } => {
                Some(*found)
            }
            _ => None,
        });
        let sources = match &wanted.request.sources {
            pm_irr::Sources::Default => None,
            pm_irr::Sources::Only(sources) => Some(sources.to_string()),
        };
        lists.insert(
            kind.as_str().to_owned(),
            json!({ "found": found, "sources": sources, "arguments": wanted.arguments }),
        );
    }
    let mut details = json!({ "objects": planned.objects, "lists": lists });
    for key in ["server", "serials"] {
        if let Some(value) = origin.and_then(|origin| origin.get(key)) {
            details[key] = value.clone();
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_away_may_come_back() {
        let host = "127.0.0.1:1";
        let asker = Asker::new(&Config::default(), host).unwrap();
        let error = origins(&[(host.to_owned(), asker, Vec::new())]).await.unwrap_err();
        assert!(matches!(error, TaskError::Unanswered { .. }) && error.may_pass(), "{error:?}");
    }
}
