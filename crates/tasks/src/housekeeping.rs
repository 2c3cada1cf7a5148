//! `housekeeping`: clears away what has grown old, and looks for a newer release.
//!
//! Reads: the settings, the release list at `release_check_url`. Writes: deletes web sessions that have expired, the
//! change log beyond `changelog_retention` days, jobs (never one that is not over) and slots of schedules beyond `job_retention` days,
//! synchronisation reports beyond `sync_report_retention` days, the history of sessions beyond `poll_history_retention`
//! days, deployments beyond `deployment_retention` days (never a router's last one), deleted sessions that no poll looks
//! after beyond `deleted_session_retention` days, notifications and events beyond `job_retention` days (one that is still to be
//! sent is given up first, and deleted by the next run); frees locks whose lease has run out and closes jobs whose process is
//! gone; keeps the latest release. Deletion goes in batches of `housekeeping_batch` rows, a
//! transaction each.

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::jobs::Outcome;
use pm_store::releases::{self, Release};
use pm_store::retention::{self, Aged};
use pm_store::{StoreError, locks, notifications};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::queue::{AllTasks, Whose, are_silent, forget_workers, recover, told, until_all_spoke};
use crate::{Done, Task, TaskContext, TaskError, process};

/// Largest release list that is read, in octets.
const RELEASES_LIMIT: usize = 16 << 20;

/// The task's arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Housekeeping {
    /// Say what would be done and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

#[async_trait::async_trait]
impl Task for Housekeeping {
    fn name(&self) -> &'static str {
        "housekeeping"
    }

    fn label(&self) -> &'static str {
        "core.housekeeping"
    }

    fn arguments(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn lock_key(&self) -> Option<String> {
        Some("housekeeping".to_owned())
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        let now = context.clock.now();
        let config = &context.config;
        let mut data = Map::new();
        let mut removed = 0;
        let steps = steps(config);
        let total = steps.len() + 2;
        for (place, (key, what, aged, retention)) in steps.into_iter().enumerate() {
            context.reporter.progress(place, total, what);
            let count = self.clear(context, what, aged, retention, now).await?;
            removed += count;
            data.insert(key.to_owned(), count.into());
        }
        let given_up = self.give_up_old(context, now).await?;
        data.insert("given_up".to_owned(), given_up.into());
        context.reporter.progress(total - 2, total, "locks");
        let freed = self.free_locks(context, now).await?;
        data.insert("locks".to_owned(), freed.clone().into());
        context.reporter.progress(total - 1, total, "release check");
        let release = self.check_release(context, now).await?;
        data.insert("release".to_owned(), release.map_or(Json::Null, Json::String));
        context.reporter.progress(total, total, "done");
        let outcome = if removed == 0 && given_up == 0 && freed.is_empty() {
            Outcome::NothingToDo
        } else {
            Outcome::Ok
        };
        let summary = match (self.dry_run, removed) {
            (true, _) => format!("Finished: {removed} rows would be deleted; nothing was changed."),
            (false, 0) => "Finished: nothing had grown old.".to_owned(),
            (false, _) => format!("Finished: {removed} rows deleted."),
        };
        Ok(Done { outcome, summary, data: data.into() })
    }
}

/// What is deleted: name in the data, name for people, rows, days that they are kept.
type Step = (&'static str, &'static str, Aged, Option<u32>);

fn steps(config: &Config) -> [Step; 13] {
    [
        ("sessions", "expired web sessions", Aged::Sessions, None),
        ("changes", "change log (changelog_retention)", Aged::Changes, Some(config.changelog_retention)),
        ("jobs", "jobs (job_retention)", Aged::Jobs, Some(config.job_retention)),
        (
            "schedule_slots",
            "slots of schedules (job_retention)",
            Aged::ScheduleSlots,
            Some(config.job_retention),
        ),
        (
            "sync_records",
            "records of synchronisations (sync_report_retention)",
            Aged::SyncRecords,
            Some(config.sync_report_retention),
        ),
        (
            "sync_reports",
            "synchronisations (sync_report_retention)",
            Aged::SyncReports,
            Some(config.sync_report_retention),
        ),
        (
            "poll_history",
            "history of sessions (poll_history_retention)",
            Aged::Samples,
            Some(config.poll_history_retention),
        ),
        (
            "deployments",
            "deployments (deployment_retention)",
            Aged::Deployments,
            Some(config.deployment_retention),
        ),
        (
            "deployment_plans",
            "plans of deployments (deployment_retention)",
            Aged::DeploymentPlans,
            Some(config.deployment_retention),
        ),
        (
            "deleted_sessions",
            "deleted sessions (deleted_session_retention)",
            Aged::DeletedSessions,
            Some(config.deleted_session_retention),
        ),
        ("deliveries", "notifications (job_retention)", Aged::Deliveries, Some(config.job_retention)),
        ("events", "events (job_retention)", Aged::Events, Some(config.job_retention)),
        ("folds", "folded notifications (job_retention)", Aged::Folds, Some(config.job_retention)),
    ]
}

impl Housekeeping {
    /// Deletes what is older than `retention` days (`None`: what has expired by itself). 0 days keep for ever.
    async fn clear(
        &self,
        context: &TaskContext,
        what: &str,
        aged: Aged,
        retention: Option<u32>,
        now: DateTime<Utc>,
    ) -> Result<u64, TaskError> {
        let reporter = &context.reporter;
        if retention == Some(0) {
            reporter.info(format!("{what}: kept for ever (0 days)"));
            return Ok(0);
        }
        let before = now - TimeDelta::days(retention.unwrap_or(0).into());
        let cut = before.format("%Y-%m-%d %H:%M:%S UTC");
        reporter.detail(format!("{what}: older than {cut}"));
        if self.dry_run {
            let count = retention::count(&context.store, aged, before).await?;
            reporter.info(format!("{what}: {count} rows older than {cut} would be deleted"));
            return Ok(count);
        }
        let batch = context.config.housekeeping_batch;
        let mut deleted = 0;
        loop {
            let mut transaction = context.store.begin().await?;
            let mut session = transaction.session();
            context.hold_lock(&mut session).await?;
            let count = retention::delete_batch(&mut session, aged, before, batch).await?;
            context.commit(transaction).await?;
            deleted += count;
            if count < u64::from(batch) {
                break;
            }
            reporter.detail(format!("{what}: {deleted} rows deleted so far"));
        }
        reporter.info(format!("{what}: {deleted} rows deleted"));
        Ok(deleted)
    }

    /// Gives up what nobody was told of for too long. It goes with the next run, so that somebody can see it until then.
    async fn give_up_old(&self, context: &TaskContext, now: DateTime<Utc>) -> Result<u64, TaskError> {
        let retention = context.config.job_retention;
        if retention == 0 {
            return Ok(0);
        }
        let before = now - TimeDelta::days(retention.into());
        if self.dry_run {
            let count = notifications::count_old(&context.store, before, now).await?;
            context.reporter.info(format!("notifications: {count} not sent for too long would be given up"));
            return Ok(count);
        }
        let batch = context.config.housekeeping_batch;
        let mut given_up = 0;
        loop {
            let mut transaction = context.store.begin().await?;
            let mut session = transaction.session();
            context.hold_lock(&mut session).await?;
            let count = notifications::give_up_old(&mut session, before, batch, now).await?;
            context.commit(transaction).await?;
            given_up += count;
            if count == 0 {
                break;
            }
        }
        if given_up > 0 {
            context.reporter.warning(format!(
                "notifications: {given_up} not sent for more than {retention} days (job_retention) were given up; a worker delivers them"
            ));
        }
        Ok(given_up)
    }

    /// Locks of processes that went away, and the jobs that they left running. The database may have been away until now, so
    /// whoever may still live is given the time to say so.
    async fn free_locks(&self, context: &TaskContext, now: DateTime<Utc>) -> Result<Vec<String>, TaskError> {
        let (store, lease) = (&context.store, TimeDelta::seconds(context.config.lock_lease.into()));
        let held = locks::held(store).await?;
        let expired = || held.iter().filter(|(_, holder)| holder.expires < now);
        if self.dry_run {
            context.reporter.info(format!("locks: {} past their lease would be freed", expired().count()));
            return Ok(expired().map(|(key, _)| key.clone()).collect());
        }
        let may_live = expired().any(|(_, holder)| !process::is_dead(&holder.owner));
        if may_live || are_silent(store, lease, now).await? {
            let pause = until_all_spoke(lease);
            let text = format!("locks: some give no sign of life; looking again in {} s", pause.as_secs());
            context.reporter.detail(text);
            tokio::time::sleep(pause).await;
        }
        let now = context.clock.now();
        let freed = locks::release_expired(store, now).await?;
        let lost = recover(store, &AllTasks, Whose::AlsoOfTheSilent, lease, now).await?;
        forget_workers(store, Whose::AlsoOfTheSilent, lease, now).await?;
        let names = if freed.is_empty() { String::new() } else { format!(" ({})", freed.join(", ")) };
        context.reporter.info(format!("locks: {} past their lease freed{names}", freed.len()));
        for one in &lost {
            context.reporter.warning(told(one));
        }
        Ok(freed)
    }

    /// Being offline is no error: the check is a service, not a duty.
    async fn check_release(
        &self,
        context: &TaskContext,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, TaskError> {
        let reporter = &context.reporter;
        let Some(url) = &context.config.release_check_url else {
            reporter.info("release check: skipped, release_check_url is not set");
            return Ok(None);
        };
        if self.dry_run {
            reporter.info(format!("release check: {} would be asked", url.as_str()));
            return Ok(None);
        }
        let listed = match fetch_releases(context, url.as_str()).await {
            Ok(listed) => listed,
            Err(why) => {
                reporter.warning(format!("release check: {why}"));
                return Ok(None);
            }
        };
        let Some((version, page)) = newest(&listed) else {
            reporter.info("release check: no release is listed");
            return Ok(None);
        };
        let release = Release { version: version.to_string(), url: page, checked: now };
        releases::remember(&context.store, &release)
            .await
            .map_err(|error: StoreError| TaskError::Store(error))?;
        if is_newer(&release.version, env!("CARGO_PKG_VERSION")) {
            reporter.warning(format!("release check: {version} is out, see {}", release.url));
        } else {
            reporter.info(format!("release check: the latest release is {version}"));
        }
        Ok(Some(release.version))
    }
}

async fn fetch_releases(context: &TaskContext, url: &str) -> Result<Vec<Json>, String> {
    use futures::StreamExt as _;
    let http = crate::http_client(&context.config)?;
    let response = http
        .get(url)
        // https://docs.github.com/en/rest/releases/releases#list-releases
        .header("Accept", "application/vnd.github+json")
        .timeout(std::time::Duration::from_secs(30))
        .send()
        .await
        .map_err(|error| format!("{url} could not be fetched: {error}"))?;
    if !response.status().is_success() {
        return Err(format!("{url} answered with HTTP {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| format!("{url} broke off: {error}"))?);
        if body.len() > RELEASES_LIMIT {
            return Err(format!("{url} sent more than {RELEASES_LIMIT} octets"));
        }
    }
    serde_json::from_slice(&body)
        .map_err(|error| format!("{url} did not answer with a list of releases: {error}"))
}

/// Whether one version is higher than another (<https://semver.org>); `false` when one of them is none.
pub fn is_newer(version: &str, than: &str) -> bool {
    match (semver::Version::parse(version), semver::Version::parse(than)) {
        (Ok(version), Ok(than)) => version > than,
        _ => false,
    }
}

/// The highest version that is neither a draft nor a pre-release, with its page. Tags that are no version
/// (<https://semver.org>), with or without a leading `v`, are passed over.
fn newest(listed: &[Json]) -> Option<(semver::Version, String)> {
    let flagged = |release: &Json, flag: &str| release.get(flag).and_then(Json::as_bool).unwrap_or(false);
    listed
        .iter()
        .filter(|release| !["draft", "prerelease", "devrelease"].iter().any(|flag| flagged(release, flag)))
        .filter_map(|release| {
            let tag = release.get("tag_name")?.as_str()?;
            let version = semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
            let page = release.get("html_url").and_then(Json::as_str).unwrap_or_default().to_owned();
            version.pre.is_empty().then_some((version, page))
        })
        .max_by(|(a, _), (b, _)| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn newest_is_by_version_and_not_by_date() {
        let listed = [
            json!({"tag_name": "v1.9.0", "html_url": "a"}),
            json!({"tag_name": "v1.10.0", "html_url": "b"}),
            json!({"tag_name": "v2.0.0", "html_url": "c", "draft": true}),
            json!({"tag_name": "v2.0.1", "html_url": "d", "prerelease": true}),
            json!({"tag_name": "v2.0.2-rc.1", "html_url": "e"}),
            json!({"tag_name": "nightly", "html_url": "f"}),
            json!({"html_url": "g"}),
            json!(null),
        ];
        assert_eq!(newest(&listed).unwrap(), (semver::Version::new(1, 10, 0), "b".to_owned()));
        assert_eq!(newest(&[]), None);
    }
}
