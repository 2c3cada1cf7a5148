//! `peeringdb_sync`: brings the cache up to what PeeringDB holds, and the autonomous systems up to the cache.
//!
//! Reads: PeeringDB (or saved files), the watermarks, the autonomous systems. Writes, in one transaction: the cache,
//! the watermarks, the run with its records, the autonomous systems and their object changes. Everything is fetched,
//! parsed and staged before that transaction begins.
//!
//! `plan.rs` decides what is asked, `fetch.rs` stages the answers, `convert.rs` is the way from a field to its
//! column, `apply.rs` guards and writes, `autonomous_systems.rs` passes on what concerns our own peers.

mod apply;
mod autonomous_systems;
mod convert;
mod fetch;
mod plan;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pm_config::Config;
use pm_store::jobs::Outcome;
use pm_store::peeringdb::feed::Feed;
use pm_store::peeringdb::links::Links;
use pm_store::peeringdb::runs;
use pm_store::peeringdb::staging::Staging;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use apply::{NamespaceReport, SyncReport};
pub use autonomous_systems::merge;
pub(crate) use convert::Mapping;

use crate::queue::Queue;
use crate::{Done, Task, TaskContext, TaskError};

/// How long a background job may synchronise at least, whatever `job_timeout` says; the original's figure.
const TIME_LIMIT: Duration = Duration::from_mins(90);

/// Elements that could not be stored and are said one by one.
const UNUSABLE_SAID: usize = 20;

/// Objects without a clear link that are said one by one.
const LINKS_SAID: usize = 20;

/// The task's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringdbSync {
    /// Fetch everything and compare, instead of only what changed.
    #[serde(default)]
    pub full: bool,
    /// Overrule the guard against mass deletion.
    #[serde(default)]
    pub force: bool,
    /// Read saved dumps instead of asking the API: a directory or a file.
    #[serde(default)]
    pub from: Option<PathBuf>,
}

#[async_trait::async_trait]
impl Task for PeeringdbSync {
    fn name(&self) -> &'static str {
        "peeringdb_sync"
    }

    fn label(&self) -> &'static str {
        "peeringdb.synchronise"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some("peeringdb_sync".to_owned())
    }

    fn queue(&self) -> Queue {
        Queue::Data
    }

    fn queueable(&self) -> Result<(), String> {
        match &self.from {
            Some(from) => {
                Err(format!("{} lies on this host, and a worker may be on another", from.display()))
            }
            None => Ok(()),
        }
    }

    /// What `--force` overrules, somebody has looked at; that holds for one run.
    fn is_repeatable(&self) -> bool {
        !self.force
    }

    fn time_limit(&self, config: &Config) -> Duration {
        Duration::from_secs(config.job_timeout.into()).max(TIME_LIMIT)
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info("Synchronising PeeringDB local data.");
        let mut staging = Staging::open(&context.store).await?;
        let ended = self.synchronise(context, &mut staging).await;
        // The temporary tables go with the connection, however the run ended.
        let closed = staging.close().await;
        let done = ended?;
        closed?;
        Ok(done)
    }
}

/// Puts files into the cache beside what is there, as `peeringdb_sync --from` does.
pub(crate) async fn take_files(context: &TaskContext, directory: &Path) -> Result<SyncReport, TaskError> {
    let mut staging = Staging::open(&context.store).await?;
    let taken = async {
        let watermarks = runs::watermarks(&context.store).await?;
        let staged = fetch::from_files(context, &mut staging, directory, Feed::Changes).await?;
        let intake = apply::Intake {
            kind: "files",
            staged: &staged,
            questions: &[],
            force: false,
            keep_watermarks: false,
            started: context.clock.now(),
        };
        apply::write(context, &mut staging, &intake, &watermarks).await
    };
    let taken = taken.await;
    let closed = staging.close().await;
    let report = taken?;
    closed?;
    Ok(report)
}

impl PeeringdbSync {
    async fn synchronise(&self, context: &TaskContext, staging: &mut Staging) -> Result<Done, TaskError> {
        let started = context.clock.now();
        let watermarks = runs::watermarks(&context.store).await?;
        let (questions, staged) = if let Some(path) = &self.from {
            let feed = if self.full { Feed::Snapshot } else { Feed::Changes };
            (Vec::new(), fetch::from_files(context, staging, path, feed).await?)
        } else {
            let questions = plan::plan(&context.config, &watermarks, self.full, started);
            let staged = fetch::from_api(context, staging, &questions).await?;
            (questions, staged)
        };
        let kind = match (&self.from, questions.iter().any(|question| question.snapshot)) {
            (Some(_), _) => "files",
            (None, true) => "full",
            (None, false) => "changes",
        };
        // Files without --full may be a part of the whole: what lies between must still be asked for one day.
        let keep_watermarks = self.from.is_none() || self.full;
        let intake = apply::Intake {
            kind,
            staged: &staged,
            questions: &questions,
            force: self.force,
            keep_watermarks,
            started,
        };
        apply::guard(context, staging, &intake).await?;
        let report = apply::write(context, staging, &intake, &watermarks).await?;
        Ok(done(context, &report))
    }
}

/// Says what of our own objects cannot be found in the cache, or not clearly.
pub(crate) fn say_links(context: &TaskContext, links: &Links) {
    for text in links.unclear.iter().take(LINKS_SAID) {
        context.reporter.warning(format!("not linked: {text}"));
    }
    for text in links.absent.iter().take(LINKS_SAID) {
        context.reporter.info(text.clone());
    }
    for (list, what) in [(&links.unclear, "are unclear"), (&links.absent, "are not in PeeringDB")] {
        if list.len() > LINKS_SAID {
            context
                .reporter
                .info(format!("{} more {what}; the job's data names them", list.len() - LINKS_SAID));
        }
    }
}

fn done(context: &TaskContext, report: &SyncReport) -> Done {
    let unusable = report
        .namespaces
        .iter()
        .flat_map(|(namespace, one)| one.unusable.iter().map(move |text| (namespace, text)));
    for (namespace, text) in unusable.take(UNUSABLE_SAID) {
        context.reporter.warning(format!("{namespace}: not stored: {text}"));
    }
    let dangling: Vec<String> = report
        .namespaces
        .iter()
        .filter(|(_, one)| one.dangling > 0)
        .map(|(namespace, one)| format!("{namespace} {}", one.dangling))
        .collect();
    if !dangling.is_empty() {
        context.reporter.warning(format!(
            "{} records name a parent that is not in the cache and wait for it: {}",
            report.dangling,
            dangling.join(", ")
        ));
    }
    say_links(context, &report.links);
    let links = (report.links.connections + report.links.exchanges) as u64;
    let changes = links + report.created + report.updated + report.deleted + report.autonomous_systems;
    let nothing = changes + report.unusable == 0;
    let outcome = match (report.unusable > 0, nothing) {
        (true, _) => Outcome::Partial,
        (false, true) => Outcome::NothingToDo,
        (false, false) => Outcome::Ok,
    };
    let mut summary = if nothing {
        "Nothing to synchronise: the cache is up to date.".to_owned()
    } else {
        format!(
            "Synchronisation finished: {} created, {} updated, {} deleted; {} autonomous systems updated.",
            report.created, report.updated, report.deleted, report.autonomous_systems
        )
    };
    if links > 0 {
        let _ = write!(summary, " {links} links to our own objects changed.");
    }
    if report.drift > 0 {
        let _ = write!(summary, " {} differences were found only by comparing everything.", report.drift);
    }
    if report.unusable > 0 {
        let _ = write!(summary, " {} elements could not be stored.", report.unusable);
    }
    let data = serde_json::to_value(report).unwrap_or_default();
    Done { outcome, summary, data }
}
