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
    /// The records that synchronisation runs list, by the time of their run.
    SyncRecords,
    /// Synchronisation runs, by their time. The newest run always stays, with its records.
    SyncReports,
    /// What sessions were at earlier polls.
    Samples,
    /// Deployments that are over, by the time they were begun. Each router's last one in force always stays.
    Deployments,
    /// Plans that have no deployment any more, by their time.
    DeploymentPlans,
    /// Deleted sessions of routers that have not been polled since, and of those that are polled no more.
    DeletedSessions,
}

impl Aged {
    const fn table(self) -> &'static str {
        match self {
            Self::Sessions => "users_session",
            Self::Changes => "core_objectchange",
            Self::Jobs => "core_job",
            Self::SyncRecords => "peeringdb_synchronisationrecord",
            Self::SyncReports => "peeringdb_synchronisation",
            Self::Samples => "peering_sessionsample",
            Self::Deployments => "devices_deployment",
            Self::DeploymentPlans => "devices_deploymentplan",
            Self::DeletedSessions => "peering_deletedsession",
        }
    }

    /// What tells one row from another.
    const fn key(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::SyncRecords, Engine::Sqlite) => "rowid",
            (Self::SyncRecords, Engine::Postgres) => "ctid",
            _ => "id",
        }
    }

    const fn condition(self) -> &'static str {
        match self {
            Self::Sessions => "expires < ?",
            Self::Changes | Self::Samples => "time < ?",
            Self::Jobs => "created < ? AND status NOT IN ('pending', 'running')",
            Self::SyncRecords => {
                "synchronisation_id IN (SELECT id FROM peeringdb_synchronisation WHERE time < ? \
                 AND id < (SELECT MAX(id) FROM peeringdb_synchronisation))"
            }
            Self::Deployments => {
                "begun < ? AND status NOT IN ('committing', 'unconfirmed') AND id NOT IN (SELECT MAX(id) \
                 FROM devices_deployment WHERE router_id IS NOT NULL AND status IN ('confirmed', 'written') \
                 GROUP BY router_id)"
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
            Self::SyncReports => "time < ? AND id < (SELECT MAX(id) FROM peeringdb_synchronisation)",
        }
    }
}

/// How many rows are older than `before`.
pub async fn count(store: &Store, aged: Aged, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let sql = format!("SELECT COUNT(*) AS count FROM {} WHERE {}", aged.table(), aged.condition());
    let row = store.row(&sql, vec![before.into()]).await?;
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
    session.execute(&sql, vec![before.into(), Value::from(batch)]).await
}
