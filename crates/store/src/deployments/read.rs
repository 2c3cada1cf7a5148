//! Deployments, looked up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Deployment, Last, Plan, Sessions, Status, Whole};
use crate::objects::sql::{among, id_list};
use crate::polls::is_wanted;
use crate::{Row, Session, StoreError, Value, address};

const COLUMNS: &str = "id, router_id, router_name, plan_id, job_id, user_name, begun, ended, status, template, load_mode, \
                       forced, input_hash, candidate, running, added, removed, pending, message";

fn read(row: &Row) -> Result<Deployment, StoreError> {
    let status: String = row.get("status")?;
    Ok(Deployment {
        id: row.get("id")?,
        router: row.get("router_id")?,
        router_name: row.get("router_name")?,
        plan: row.get("plan_id")?,
        job: row.get("job_id")?,
        user_name: row.get("user_name")?,
        begun: row.get("begun")?,
        ended: row.get("ended")?,
        status: Status::parse(&status)
            .ok_or_else(|| StoreError::Data(format!("a deployment has the status {status:?}")))?,
        template: row.get("template")?,
        load_mode: row.get("load_mode")?,
        forced: row.get("forced")?,
        input_hash: row.get("input_hash")?,
        candidate: row.get("candidate")?,
        running: row.get("running")?,
        added: row.get("added")?,
        removed: row.get("removed")?,
        pending: row.json("pending")?,
        message: row.get("message")?,
    })
}

/// The newest deployments first, at most `limit`; only those of one router, if one is named.
///
/// # Errors
/// Those of the database.
pub async fn list(
    session: &mut Session<'_>,
    router_name: Option<&str>,
    limit: u32,
) -> Result<Vec<Deployment>, StoreError> {
    let (condition, mut values) = match router_name {
        Some(name) => ("WHERE LOWER(router_name) = LOWER(?)", vec![Value::from(name)]),
        None => ("", Vec::new()),
    };
    values.push(limit.into());
    let sql = format!("SELECT {COLUMNS} FROM devices_deployment {condition} ORDER BY id DESC LIMIT ?");
    session.rows(&sql, values).await?.iter().map(read).collect()
}

/// One deployment with its texts.
///
/// # Errors
/// Those of the database.
pub async fn find(session: &mut Session<'_>, id: i64) -> Result<Option<Whole>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, diff, sessions, warnings, configuration, in_force FROM devices_deployment WHERE id = ?"
    );
    session.row(&sql, vec![id.into()]).await?.as_ref().map(whole).transpose()
}

fn sessions_of(row: &Row) -> Result<Sessions, StoreError> {
    let listed = row.json("sessions")?.unwrap_or_default();
    serde_json::from_value(listed)
        .map_err(|error| StoreError::Data(format!("the sessions of a deployment are damaged: {error}")))
}

fn whole(row: &Row) -> Result<Whole, StoreError> {
    Ok(Whole {
        deployment: read(row)?,
        diff: row.get("diff")?,
        sessions: sessions_of(row)?,
        warnings: row.json("warnings")?.unwrap_or_default(),
        configuration: row.get("configuration")?,
        in_force: row.get("in_force")?,
    })
}

/// The router's deployment before this one that was put into force for good.
///
/// # Errors
/// Those of the database.
pub async fn before(
    session: &mut Session<'_>,
    router_name: &str,
    id: i64,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT MAX(id) AS id FROM devices_deployment WHERE router_name = ? AND id < ? \
               AND status IN ('confirmed', 'written')";
    session.row(sql, vec![router_name.into(), id.into()]).await?.map_or(Ok(None), |row| row.get("id"))
}

/// The deployments of a plan.
///
/// # Errors
/// Those of the database.
pub async fn of_plan(session: &mut Session<'_>, plan: i64) -> Result<Vec<Deployment>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM devices_deployment WHERE plan_id = ? ORDER BY id");
    session.rows(&sql, vec![plan.into()]).await?.iter().map(read).collect()
}

/// The plan with this number.
///
/// # Errors
/// Those of the database.
pub async fn plan(session: &mut Session<'_>, plan: i64) -> Result<Option<Plan>, StoreError> {
    let sql = "SELECT configuration FROM devices_deploymentplan WHERE id = ?";
    let row = session.row(sql, vec![plan.into()]).await?;
    row.map(|row| Ok(Plan { configuration: row.get("configuration")? })).transpose()
}

/// The last deployment of each of these routers that is in force for good, with its texts, by the router's number.
///
/// # Errors
/// Those of the database.
pub async fn in_force(
    session: &mut Session<'_>,
    routers: &[i64],
) -> Result<BTreeMap<i64, Whole>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, diff, sessions, warnings, configuration, in_force FROM devices_deployment WHERE id IN \
         (SELECT MAX(id) FROM devices_deployment WHERE router_id {} AND status IN ('confirmed', 'written') \
         GROUP BY router_id)",
        among(session.engine())
    );
    let mut found = BTreeMap::new();
    for row in session.rows(&sql, vec![id_list(routers)]).await? {
        let whole = whole(&row)?;
        if let Some(router) = whole.deployment.router {
            found.insert(router, whole);
        }
    }
    Ok(found)
}

/// What a router's last deployments that are in force for good had, one of each template, the newest last.
///
/// # Errors
/// Those of the database.
pub async fn last(session: &mut Session<'_>, router: i64) -> Result<Vec<Last>, StoreError> {
    let sql = "SELECT id, template, rendered, sessions FROM devices_deployment WHERE id IN \
               (SELECT MAX(id) FROM devices_deployment WHERE router_id = ? AND status IN ('confirmed', 'written') \
               GROUP BY template) ORDER BY id";
    let rows = session.rows(sql, vec![router.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Last {
                id: row.get("id")?,
                template: row.get("template")?,
                rendered: row.get("rendered")?,
                sessions: sessions_of(row)?,
            })
        })
        .collect()
}

/// Deployments of a router that a process left between its commit and its confirmation, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn unfinished(session: &mut Session<'_>, router: i64) -> Result<Vec<Deployment>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM devices_deployment WHERE status IN ('committing', 'unconfirmed') AND router_id = ? \
         ORDER BY id"
    );
    session.rows(&sql, vec![router.into()]).await?.iter().map(read).collect()
}

/// Sessions of routers in the database, by the router's number: address, and whether the router is to have it.
///
/// # Errors
/// Those of the database.
pub async fn sessions(
    session: &mut Session<'_>,
) -> Result<BTreeMap<i64, BTreeMap<IpAddr, bool>>, StoreError> {
    let sql = "SELECT COALESCE(s.router_id, c.router_id) AS router_id, s.ip_address, s.status \
               FROM peering_directpeeringsession s LEFT JOIN net_connection c ON c.id = s.connection_id \
               WHERE COALESCE(s.router_id, c.router_id) IS NOT NULL \
               UNION ALL SELECT c.router_id, s.ip_address, s.status FROM peering_internetexchangepeeringsession s \
               JOIN net_connection c ON c.id = s.ixp_connection_id WHERE c.router_id IS NOT NULL";
    let mut found: BTreeMap<i64, BTreeMap<IpAddr, bool>> = BTreeMap::new();
    session
        .each(sql, vec![], |row| {
            let octets: Vec<u8> = row.get("ip_address")?;
            let status: String = row.get("status")?;
            if let Some(address) = address::decode(&octets) {
                let wanted =
                    found.entry(row.get("router_id")?).or_default().entry(address.addr()).or_default();
                *wanted |= is_wanted(&status);
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

/// How many sessions hang on no router, so that no deployment brings them anywhere.
///
/// # Errors
/// Those of the database.
pub async fn sessions_without_router(session: &mut Session<'_>) -> Result<i64, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM peering_directpeeringsession s LEFT JOIN net_connection c \
               ON c.id = s.connection_id WHERE COALESCE(s.router_id, c.router_id) IS NULL) + \
               (SELECT COUNT(*) FROM peering_internetexchangepeeringsession s LEFT JOIN net_connection c \
               ON c.id = s.ixp_connection_id WHERE c.router_id IS NULL) AS count";
    session.row(sql, vec![]).await?.map_or(Ok(0), |row| row.get("count"))
}
