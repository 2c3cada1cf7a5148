//! What works in the background: schedules, the queue, notifications.

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Loaded;
use pm_store::jobs::{self, Status};
use pm_store::notifications::{self as kept, State};
use pm_store::{Store, StoreError, events, locks, queue};
use pm_tasks::queue::at_work;
use pm_tasks::schedule::Health;

use super::{Findings, Weight};

/// What has not been told of for so long does not arrive.
const UNTOLD_AFTER: TimeDelta = TimeDelta::minutes(15);

/// Whether somebody does what is to be done by itself.
pub(super) fn schedules(findings: &mut Findings, health: &Health, workers: usize) {
    for (name, why) in &health.unreadable {
        findings.add(Weight::Warning, format!("The schedule {name} is not run: {why}."));
    }
    for late in &health.late {
        let due = late.due.format("%Y-%m-%d %H:%M:%S UTC");
        findings.add(
            Weight::Warning,
            format!("The schedule {} should have run at {due} and did not.", late.name),
        );
    }
    let (enabled, schedulers) = (health.enabled, health.schedulers);
    match (enabled, schedulers, health.planned) {
        (0, _, _) => findings.add(Weight::Fine, "No schedule is enabled."),
        (_, 0, true) => findings.add(
            Weight::Warning,
            format!(
                "{enabled} schedules are enabled, and no scheduler is at work; start `peering-manager run`, or disable them \
                 with `peering-manager schedule disable` if something else starts the tasks."
            ),
        ),
        (_, 0, false) => findings.add(
            Weight::Fine,
            format!("{enabled} schedules are there, and no scheduler has ever run; `peering-manager run` starts one."),
        ),
        _ if workers == 0 => findings.add(
            Weight::Warning,
            format!("{enabled} schedules are enabled, and no worker is at work to run them; start `peering-manager worker`."),
        ),
        _ => findings.add(
            Weight::Fine,
            format!("{enabled} schedules are enabled; {schedulers} schedulers are at work."),
        ),
    }
}

/// What to do about something that is not told.
fn what_to_do(workers: usize) -> &'static str {
    if workers == 0 {
        ", and no worker is at work to tell of them; start `peering-manager worker`, or have `peering-manager worker --once` run \
         from time to time."
    } else {
        ", although workers are at work: `peering-manager notifications list` says what failed, and their log why."
    }
}

/// Whether notifications arrive, and can be sent at all.
pub(super) async fn notifications(
    findings: &mut Findings,
    store: &Store,
    loaded: &Loaded,
    workers: usize,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for (state, count, oldest) in kept::counts(store).await? {
        let since = oldest.format("%Y-%m-%d %H:%M UTC");
        match state {
            State::GivenUp => findings.add(
                Weight::Warning,
                format!(
                    "{count} notifications were given up, the oldest of {since}; see `peering-manager notifications list \
                     --state given-up`, and `notifications retry` once they can arrive."
                ),
            ),
            State::Pending | State::Failed if workers == 0 || now - oldest > UNTOLD_AFTER => findings.add(
                Weight::Warning,
                format!("{count} notifications wait since {since}{}", what_to_do(workers)),
            ),
            _ => {}
        }
    }
    if let (count, Some(since)) = events::waiting(store).await?
        && (workers == 0 || now - since > UNTOLD_AFTER)
    {
        let since = since.format("%Y-%m-%d %H:%M UTC");
        findings.add(
            Weight::Warning,
            format!("{count} events that rules ask for wait since {since}{}", what_to_do(workers)),
        );
    }
    let rules = kept::rules(&mut store.connection().await?.session()).await;
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => {
            findings.add(Weight::Error, format!("The notification rules cannot be read: {error}."));
            return Ok(());
        }
    };
    let mails = |rule: &&kept::Rule| rule.to.iter().any(|to| matches!(to, kept::Recipient::Mail(_)));
    let names: Vec<&str> = rules.iter().filter(mails).map(|rule| rule.name.as_str()).collect();
    let config = &loaded.config;
    if !names.is_empty() && config.email_from_address.is_none() {
        findings.add(
            Weight::Warning,
            format!(
                "Notification rules send e-mail ({}), and the settings lack email.from_address.",
                names.join(", ")
            ),
        );
    }
    for rule in rules.iter().filter(|rule| rule.to.is_empty()) {
        findings.add(
            Weight::Warning,
            format!("The notification rule {} tells nobody: its webhook is gone.", rule.name),
        );
    }
    Ok(())
}

/// Who holds locks, and whether they are still there.
pub(super) async fn left_behind(
    findings: &mut Findings,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for (key, holder) in locks::held(store).await? {
        let who = pm_tasks::describe_owner(&holder.owner);
        if holder.expires < now || pm_tasks::is_dead(&holder.owner) {
            findings.add(
                Weight::Warning,
                format!("The lock {key} was left behind by {who}; the next run takes it over, or housekeeping frees it."),
            );
        } else {
            findings.add(Weight::Fine, format!("{key} is being run by {who}."));
        }
    }
    Ok(())
}

/// Jobs that are said to go on and give no sign of life.
pub(super) async fn silent(
    findings: &mut Findings,
    store: &Store,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for status in [Status::Pending, Status::Running] {
        for job in jobs::list(store, Some(status), None, 100).await? {
            let Some(owner) = &job.owner else { continue };
            if pm_tasks::is_dead(owner) || job.heartbeat.is_none_or(|heartbeat| now - heartbeat > lease) {
                findings.add(
                    Weight::Warning,
                    format!(
                        "Job {} ({}) says it is {status}, but its process ({}) gives no sign of life; housekeeping \
                         closes it.",
                        job.id,
                        job.task,
                        pm_tasks::describe_owner(owner)
                    ),
                );
            }
        }
    }
    Ok(())
}

/// Whether somebody runs what waits; how many workers are at work.
pub(super) async fn waiting(
    findings: &mut Findings,
    store: &Store,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let waiting = queue::waiting_by_queue(store).await?;
    let workers = at_work(store, lease, now).await?;
    for (queue, count) in &waiting {
        if workers.is_empty() || workers.iter().any(|worker| worker.serves(queue)) {
            continue;
        }
        findings.add(
            Weight::Warning,
            format!(
                "{count} jobs of the queue {queue} wait, and no worker serves it; start `peering-manager worker --queues \
                 {queue}`, or one that serves all."
            ),
        );
    }
    let count: i64 = waiting.iter().map(|(_, count)| count).sum();
    if count > 0 && workers.is_empty() {
        findings.add(
            Weight::Warning,
            format!("{count} jobs wait for a worker, and none is at work; start `peering-manager worker`."),
        );
    } else if !workers.is_empty() {
        findings.add(Weight::Fine, format!("{} workers are at work, {count} jobs wait.", workers.len()));
    }
    Ok(workers.len())
}
