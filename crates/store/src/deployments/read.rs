//! Deployments, looked up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Deployment, Last, Mark, Plan, Sessions, Status, Whole};
use crate::objects::sql::{among, id_list};
use crate::polls::SessionKind;
use crate::statuses::{Wish, inherited};
use crate::{Row, Session, StoreError, Value, address};

const COLUMNS: &str = "id, router_id, router_name, plan_id, job_id, user_name, begun, ended, status, template, load_mode, \
                       forced, input_hash, candidate, running, added, removed, pending, message, closed_by";

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
        closed_by: row.get("closed_by")?,
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

/// The name under which a router's deployments are recorded: that of the router with this name or hostname, or of one that is
/// no more.
///
/// # Errors
/// Those of the database.
pub async fn router_name(session: &mut Session<'_>, router: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT name FROM (SELECT name, CASE WHEN LOWER(name) = LOWER(?) THEN 1 ELSE 2 END AS rank \
               FROM devices_router WHERE LOWER(name) = LOWER(?) OR LOWER(hostname) = LOWER(?) \
               UNION ALL SELECT router_name, 3 FROM devices_deployment WHERE LOWER(router_name) = LOWER(?)) known \
               ORDER BY rank LIMIT 1";
    let row = session.row(sql, vec![router.into(); 4]).await?;
    row.map(|row| row.get("name")).transpose()
}

/// One deployment with its texts.
///
/// # Errors
/// Those of the database.
pub async fn find(session: &mut Session<'_>, id: i64) -> Result<Option<Whole>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, diff, sessions, warnings, configuration, in_force, secrets FROM devices_deployment WHERE id = ?"
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
        secrets: row.get("secrets")?,
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
        "SELECT {COLUMNS}, diff, sessions, warnings, configuration, in_force, secrets FROM devices_deployment WHERE id IN \
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
    let sql = "SELECT id, template, rendered, sessions, secrets FROM devices_deployment WHERE id IN \
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
                secrets: row.get("secrets")?,
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

/// Deployments whose end is not known, the oldest first: those that are at work or were left half-way, see
/// [`Deployment::is_left`], and those of which a router showed something that nobody expected, unless somebody closed them or a
/// later one is in force for good there.
///
/// # Errors
/// Those of the database.
pub async fn unsettled(session: &mut Session<'_>) -> Result<Vec<Deployment>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM devices_deployment d WHERE status IN ('committing', 'unconfirmed', 'unknown') \
         AND (status <> 'unknown' OR (closed_by IS NULL AND router_id IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM devices_deployment later WHERE later.router_id = d.router_id AND later.id > d.id \
         AND later.status IN ('confirmed', 'written')))) ORDER BY id"
    );
    session.rows(&sql, vec![]).await?.iter().map(read).collect()
}

/// How far the deployments of each of these routers have come, by the router's number.
///
/// # Errors
/// Those of the database.
pub async fn marks(session: &mut Session<'_>, routers: &[i64]) -> Result<BTreeMap<i64, Mark>, StoreError> {
    let sql = format!(
        "SELECT router_id, MAX(id) AS newest, \
         MAX(CASE WHEN status IN ('committing', 'unconfirmed') THEN id END) AS open FROM devices_deployment \
         WHERE router_id {} AND status NOT IN ('planned', 'refused') GROUP BY router_id",
        among(session.engine())
    );
    let rows = session.rows(&sql, vec![id_list(routers)]).await?;
    rows.iter()
        .map(|row| Ok((row.get("router_id")?, Mark { newest: row.get("newest")?, open: row.get("open")? })))
        .collect()
}

/// Sessions of these routers in the database, by the router's number: address, and what is to become of it there, by the status with
/// what stands above it. Of several with one address, the one that is wanted most counts.
///
/// # Errors
/// Those of the database.
pub async fn sessions(
    session: &mut Session<'_>,
    routers: &[i64],
) -> Result<BTreeMap<i64, BTreeMap<IpAddr, Wish>>, StoreError> {
    let mut found: BTreeMap<i64, BTreeMap<IpAddr, Wish>> = BTreeMap::new();
    for kind in SessionKind::ALL {
        let (router, joins) = (kind.router(), kind.connection());
        let sql = format!(
            "SELECT {router} AS router_id, s.ip_address, {} AS status FROM {} s {joins} WHERE {router} {}",
            inherited(kind),
            kind.table(),
            among(session.engine())
        );
        session
            .each(&sql, vec![id_list(routers)], |row| {
                let octets: Vec<u8> = row.get("ip_address")?;
                let status: String = row.get("status")?;
                if let Some(address) = address::decode(&octets) {
                    let wish = Wish::of(&status);
                    let of_router = found.entry(row.get("router_id")?).or_default();
                    let here = of_router.entry(address.addr()).or_insert(wish);
                    *here = wish.max(*here);
                }
                Ok(())
            })
            .await?;
    }
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
