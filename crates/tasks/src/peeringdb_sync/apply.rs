//! The write: guard, then one transaction that takes everything over and says what it did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pm_peeringdb::Namespace;
use pm_store::objects::problems::Rules;
use pm_store::peeringdb::feed::{Feed, Taking};
use pm_store::peeringdb::links::{self, Links};
use pm_store::peeringdb::references;
use pm_store::peeringdb::runs::{self, Watermark};
use pm_store::peeringdb::staging::{self, Applied, Staging};
use pm_store::peeringdb::tables::{CacheTable, table_of};
use serde::{Deserialize, Serialize};

use super::fetch::Staged;
use super::plan::{Access, Questions, Seen, next_since};
use super::{autonomous_systems, autonomous_systems::Refreshed};
use crate::{TaskContext, TaskError};

/// Fewer rows than this may always go: in a small table one record is many percent.
const SMALL_LOSS: i64 = 20;
/// Own peers that a guard's message names.
const PEERS_NAMED: usize = 20;

/// What a run did, as it is kept with the run and given to programs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SyncReport {
    /// The run's number, for `--report`.
    pub run: i64,
    /// `changes`, `full` or `files`.
    pub kind: String,
    /// Records that were not there.
    pub created: u64,
    /// Records that differed.
    pub updated: u64,
    /// Records that went.
    pub deleted: u64,
    /// Differences that only a comparison as a whole found.
    pub drift: u64,
    /// Records whose values were not all stored as sent.
    pub altered: u64,
    /// Records that could not be stored at all.
    pub unusable: u64,
    /// Records whose required parent is not in the cache, after the run.
    pub dangling: i64,
    /// Autonomous systems that took values from PeeringDB.
    pub autonomous_systems: u64,
    /// What became of the links between our own objects and the cache.
    #[serde(default)]
    pub links: Links,
    /// Per namespace.
    pub namespaces: BTreeMap<String, NamespaceReport>,
    /// How long the write transaction took up to its commit, in milliseconds.
    pub write_ms: u64,
}

/// What a run did to one namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NamespaceReport {
    /// Records that were sent.
    pub records: u64,
    /// Octets that were sent, decompressed.
    pub bytes: u64,
    /// Where they came from.
    pub sources: Vec<String>,
    /// What the run did.
    #[serde(flatten)]
    pub applied: Applied,
    /// Records whose required parent is not in the cache.
    pub dangling: i64,
    /// Elements that could not be stored, with the reason.
    pub unusable: Vec<String>,
}

/// How the staged feeds are to be taken.
pub(crate) struct Intake<'a> {
    pub(crate) kind: &'static str,
    pub(crate) staged: &'a [Staged],
    /// Empty for files.
    pub(crate) questions: &'a [Questions],
    /// Whether the guard is overruled.
    pub(crate) force: bool,
    /// Whether the answers' times become the watermarks of the next run.
    pub(crate) keep_watermarks: bool,
    pub(crate) started: DateTime<Utc>,
}

/// Makes the feeds agree, and refuses when too much would go.
pub(crate) async fn guard(
    context: &TaskContext,
    staging: &mut Staging,
    intake: &Intake<'_>,
) -> Result<(), TaskError> {
    for namespace in Namespace::ALL {
        staging.reconcile(table(namespace)?).await?;
    }
    let percent = i64::from(context.config.sync_max_delete_percent);
    let mut breaches = Vec::new();
    for namespace in Namespace::ALL {
        let table = table(namespace)?;
        let exempt = intake.questions.iter().any(|question| {
            question.namespace == namespace && namespace == Namespace::Poc && question.access_changed
        });
        if exempt || !staging.holds(Feed::Changes, table) && !staging.holds(Feed::Snapshot, table) {
            continue;
        }
        let loss = staging.loss(table, &takings(intake, namespace)).await?;
        if loss.lost > SMALL_LOSS && loss.lost * 100 > loss.held * percent {
            breaches.push(format!("{namespace} would lose {} of its {} records", loss.lost, loss.held));
        }
    }
    if breaches.is_empty() {
        return Ok(());
    }
    let peers = staging.lost_peers(&takings(intake, Namespace::Net)).await?;
    let mut named: Vec<String> =
        peers.iter().take(PEERS_NAMED).map(|(asn, name)| format!("AS{asn} {name}")).collect();
    if peers.len() > PEERS_NAMED {
        named.push(format!("and {} more", peers.len() - PEERS_NAMED));
    }
    let ours = if named.is_empty() { String::new() } else { format!(" Of our own: {}.", named.join(", ")) };
    let text = format!(
        "{}: more than the {percent} % that one run may delete (sync_max_delete_percent), so nothing was changed.{ours}",
        breaches.join("; ")
    );
    if intake.force {
        context.reporter.warning(format!("overruled with --force: {text}"));
        Ok(())
    } else {
        Err(TaskError::Refused(format!("{text} If PeeringDB is right, run again with --force")))
    }
}

/// Takes over what was staged, in one transaction.
pub(crate) async fn write(
    context: &TaskContext,
    staging: &mut Staging,
    intake: &Intake<'_>,
    before: &BTreeMap<String, Watermark>,
) -> Result<SyncReport, TaskError> {
    let mut report = SyncReport { kind: intake.kind.to_owned(), ..SyncReport::default() };
    let mut own = BTreeMap::new();
    for one in intake.staged {
        let table = table(one.namespace)?;
        let changes = runs::own_changes(staging, taking(one, intake.started), table).await?;
        own.insert((one.namespace, one.feed == Feed::Snapshot), changes);
        let entry = report.namespaces.entry(one.namespace.to_string()).or_default();
        entry.records += one.records;
        entry.bytes += one.bytes;
        entry.sources.push(one.source.clone());
        entry.unusable.extend(one.unusable.iter().map(|unusable| {
            format!("element {} of {}: {}: {}", unusable.position, one.source, unusable.why, unusable.excerpt)
        }));
        report.altered += one.altered;
        report.unusable += one.unusable.len() as u64;
    }
    let began = context.clock.now();
    let mut transaction = staging.begin().await?;
    let mut session = transaction.session();
    context.hold_lock(&mut session).await?;
    let run = runs::open(&mut session, Some(context.job), intake.kind, intake.started).await?;
    report.run = run;
    let mut total = Applied::default();
    for (done, namespace) in Namespace::ALL.into_iter().enumerate() {
        let table = table(namespace)?;
        let mut takings = takings(intake, namespace);
        takings.sort_by_key(|taking| taking.feed == Feed::Snapshot);
        let both = takings.len() > 1;
        for taking in takings {
            let applied = staging::apply(&mut session, run, taking, table).await?;
            if let Some(changes) = own.get(&(namespace, taking.feed == Feed::Snapshot)) {
                runs::note_own(&mut session, run, table, changes).await?;
            }
            let entry = report.namespaces.entry(namespace.to_string()).or_default();
            for sum in [&mut entry.applied, &mut total] {
                sum.created += applied.created;
                sum.updated += applied.updated;
                sum.deleted += applied.deleted;
            }
            // What a comparison finds after the changes of the same time have been applied, the changes did not tell.
            if both && taking.feed == Feed::Snapshot && before.contains_key(namespace.as_str()) {
                report.drift += applied.total();
            }
        }
        context.reporter.progress(done + 1, Namespace::ALL.len(), "storing");
    }
    let whole = intake.staged.iter().any(|one| one.feed == Feed::Snapshot);
    for (namespace, count) in references::check(&mut session, run, whole).await? {
        report.dangling += count;
        report.namespaces.entry(namespace.to_owned()).or_default().dangling = count;
    }
    let Refreshed { changed, lines } = autonomous_systems::refresh(context, &mut session).await?;
    report.autonomous_systems = changed;
    report.links = links::link(&mut session, context.writing(Rules::FEWEST)).await?;
    (report.created, report.updated, report.deleted) = (total.created, total.updated, total.deleted);
    if intake.keep_watermarks {
        runs::set_watermarks(&mut session, &watermarks(context, intake, before)).await?;
    }
    let now = context.clock.now();
    report.write_ms = u64::try_from((now - began).num_milliseconds()).unwrap_or(0);
    let details = serde_json::to_value(&report).map_err(|error| TaskError::Broken(error.to_string()))?;
    runs::complete(&mut session, run, total, report.drift, &details, now).await?;
    context.commit(transaction).await?;
    // Said only now: before the commit it would not have been true.
    for line in lines.into_iter().chain(report.links.changes.iter().cloned()) {
        context.reporter.info(line);
    }
    Ok(report)
}

fn watermarks(
    context: &TaskContext,
    intake: &Intake<'_>,
    before: &BTreeMap<String, Watermark>,
) -> Vec<Watermark> {
    // Files may have been written with other eyes than ours, so what depends on them is asked for again.
    let access = if intake.questions.is_empty() { "files" } else { Access::of(&context.config).as_str() };
    Namespace::ALL
        .into_iter()
        .filter_map(|namespace| {
            let staged = intake.staged.iter().filter(|one| one.namespace == namespace);
            let all: Option<Vec<Seen>> = staged.clone().map(Staged::seen).collect();
            let seen = all?.into_iter().reduce(Seen::and)?;
            let mark = before.get(namespace.as_str());
            let since = next_since(&context.config, &seen, mark.map(|mark| mark.since))?;
            let compared = staged.clone().any(|one| one.feed == Feed::Snapshot);
            Some(Watermark {
                namespace: namespace.to_string(),
                since,
                access: access.to_owned(),
                synchronised: intake.started,
                compared: if compared { Some(intake.started) } else { mark.and_then(|mark| mark.compared) },
            })
        })
        .collect()
}

fn taking(staged: &Staged, now: DateTime<Utc>) -> Taking {
    Taking { feed: staged.feed, moment: staged.generated, now, complete: staged.unusable.is_empty() }
}

fn takings(intake: &Intake<'_>, namespace: Namespace) -> Vec<Taking> {
    let staged = intake.staged.iter().filter(|one| one.namespace == namespace);
    staged.map(|one| taking(one, intake.started)).collect()
}

fn table(namespace: Namespace) -> Result<&'static CacheTable, TaskError> {
    table_of(namespace.as_str())
        .ok_or_else(|| TaskError::Broken(format!("there is no table for namespace {namespace}")))
}
