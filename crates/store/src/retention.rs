//! Deleting what has grown old, a batch at a time, so that no lock is held for long and memory stays small.

use chrono::{DateTime, Utc};

use crate::{Engine, Session, Store, StoreError, Value};

/// Rows that go when they are older than a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aged {
    /// Web sessions, by their expiry.
    Sessions,
    /// The change log, by its time.
    Changes,
    /// Jobs that are over, by the time they were asked for, with their log lines.
    Jobs,
    /// What became of the slots of schedules, by the time that was recorded.
    ScheduleSlots,
    /// The records that synchronisation runs list, by the time of their run.
    SyncRecords,
    /// Synchronisation runs, by their time. The newest run always stays, with its records.
    SyncReports,
    /// What sessions were at earlier polls. Of each session stays what it was at that time, which it may still be, and what it
    /// was when it was known last.
    Samples,
    /// Deployments that are over, by the time they were begun. Each router's last one in force by each template always stays.
    Deployments,
    /// Plans that have no deployment any more, by their time.
    DeploymentPlans,
    /// Deleted sessions of routers that have not been polled since, and of those that are polled no more.
    DeletedSessions,
    /// Messages that nothing more will happen to, by the time they were made.
    Deliveries,
    /// Events that have been looked at, with the messages about them, unless one of these is still to be sent.
    Events,
    /// What is known of troubles that have not come again since, nor ended.
    Folds,
}

/// Samples before a time after which there is another of that session before that time, and one with a known state if theirs
/// is.
const SUPERSEDED: &str = "time < ? \
     AND (EXISTS (SELECT 1 FROM peering_sessionsample n WHERE n.direct_id = peering_sessionsample.direct_id \
     AND n.time >= peering_sessionsample.time AND n.time < ? \
     AND (n.time > peering_sessionsample.time OR n.id > peering_sessionsample.id)) \
     OR EXISTS (SELECT 1 FROM peering_sessionsample n WHERE n.ixp_id = peering_sessionsample.ixp_id \
     AND n.time >= peering_sessionsample.time AND n.time < ? \
     AND (n.time > peering_sessionsample.time OR n.id > peering_sessionsample.id))) \
     AND (state = 'unknown' \
     OR EXISTS (SELECT 1 FROM peering_sessionsample n WHERE n.direct_id = peering_sessionsample.direct_id \
     AND n.state <> 'unknown' AND n.time >= peering_sessionsample.time AND n.time < ? \
     AND (n.time > peering_sessionsample.time OR n.id > peering_sessionsample.id)) \
     OR EXISTS (SELECT 1 FROM peering_sessionsample n WHERE n.ixp_id = peering_sessionsample.ixp_id \
     AND n.state <> 'unknown' AND n.time >= peering_sessionsample.time AND n.time < ? \
     AND (n.time > peering_sessionsample.time OR n.id > peering_sessionsample.id)))";

impl Aged {
    const fn table(self) -> &'static str {
        match self {
            Self::Sessions => "users_session",
            Self::Changes => "core_objectchange",
            Self::Jobs => "core_job",
            Self::ScheduleSlots => "core_scheduleslot",
            Self::SyncRecords => "peeringdb_synchronisationrecord",
            Self::SyncReports => "peeringdb_synchronisation",
            Self::Samples => "peering_sessionsample",
            Self::Deployments => "devices_deployment",
            Self::DeploymentPlans => "devices_deploymentplan",
            Self::DeletedSessions => "peering_deletedsession",
            Self::Deliveries => "extras_delivery",
            Self::Events => "extras_event",
            Self::Folds => "extras_notificationfold",
        }
    }

    /// What tells one row from another.
    const fn key(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::SyncRecords | Self::ScheduleSlots | Self::Folds, Engine::Sqlite) => "rowid",
            (Self::SyncRecords | Self::ScheduleSlots | Self::Folds, Engine::Postgres) => "ctid",
            _ => "id",
        }
    }

    const fn condition(self) -> &'static str {
        match self {
            Self::Sessions => "expires < ?",
            Self::Changes => "time < ?",
            Self::Samples => SUPERSEDED,
            Self::ScheduleSlots => "recorded < ?",
            Self::Jobs => "created < ? AND status NOT IN ('pending', 'running')",
            Self::SyncRecords => {
                "synchronisation_id IN (SELECT id FROM peeringdb_synchronisation WHERE time < ? \
                 AND id < (SELECT MAX(id) FROM peeringdb_synchronisation))"
            }
            Self::Deployments => {
                "begun < ? AND status NOT IN ('committing', 'unconfirmed') AND id NOT IN (SELECT MAX(id) \
                 FROM devices_deployment WHERE router_id IS NOT NULL AND status IN ('confirmed', 'written') \
                 GROUP BY router_id, template)"
            }
            Self::DeploymentPlans => {
                "created < ? AND NOT EXISTS (SELECT id FROM devices_deployment \
                 WHERE plan_id = devices_deploymentplan.id)"
            }
            Self::DeletedSessions => {
                "deleted_at < ? AND NOT EXISTS (SELECT 1 FROM devices_router r \
                 WHERE r.id = peering_deletedsession.router_id AND r.poll_bgp_sessions_state \
                 AND r.poll_bgp_sessions_last_updated >= peering_deletedsession.deleted_at)"
            }
            Self::Folds => "since < ?",
            Self::Deliveries => "created < ? AND state NOT IN ('pending', 'failed')",
            Self::Events => {
                "time < ? AND handled IS NOT NULL AND NOT EXISTS (SELECT 1 FROM extras_delivery d \
                 WHERE d.event_id = extras_event.id AND d.state IN ('pending', 'failed'))"
            }
            Self::SyncReports => "time < ? AND id < (SELECT MAX(id) FROM peeringdb_synchronisation)",
        }
    }
}

/// How many rows are older than `before`.
pub async fn count(store: &Store, aged: Aged, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let sql = format!("SELECT COUNT(*) AS count FROM {} WHERE {}", aged.table(), aged.condition());
    let row = store.row(&sql, times(aged, before)).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.get("count"))?;
    Ok(count.unsigned_abs())
}

/// Deletes at most `batch` rows that are older than `before`, in the caller's transaction, and says how many. Fewer than
/// `batch` means that nothing is left.
pub async fn delete_batch(
    session: &mut Session<'_>,
    aged: Aged,
    before: DateTime<Utc>,
    batch: u32,
) -> Result<u64, StoreError> {
    let (table, condition) = (aged.table(), aged.condition());
    let key = aged.key(session.engine());
    let sql =
        format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {condition} LIMIT ?)");
    let mut values = times(aged, before);
    values.push(Value::from(batch));
    session.execute(&sql, values).await
}

/// What the condition binds.
fn times(aged: Aged, before: DateTime<Utc>) -> Vec<Value> {
    vec![before.into(); aged.condition().matches('?').count()]
}
