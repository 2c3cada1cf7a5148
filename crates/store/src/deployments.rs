//! Configurations on their way to routers: plans, what came of them, and the freeze that stops them all.
//!
//! A row is written before its router is changed and again after each step, so that whoever comes after a process that died
//! knows what it was about. Texts with passwords in them are sealed; differences come with passwords hidden already.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::objects::secrets::{Clear, Keyring, SecretError};
use crate::{Row, Session, StoreError, Value, address};

/// The table of deployments.
pub(crate) const TABLE: &str = "devices_deployment";
/// Its columns that hold sealed texts.
pub(crate) const SEALED: [&str; 2] = ["configuration", "in_force"];
/// What sealed texts are sealed for.
const CONTEXT: &str = "devices.deployment";
/// Largest configuration that is unpacked, in octets.
const LARGEST: u64 = 1 << 30;

/// Where a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Looked at, not made.
    Planned,
    /// A guard said no.
    Refused,
    /// The router was asked to put it into force, and has not answered yet.
    Committing,
    /// In force, and undone by the router unless it is confirmed.
    Unconfirmed,
    /// In force for good.
    Confirmed,
    /// Written into a file or a repository.
    Written,
    /// It was in force, and the configuration from before is back.
    RolledBack,
    /// Nothing of it is in force.
    Failed,
    /// It is not known what is in force.
    Unknown,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Planned,
        Self::Refused,
        Self::Committing,
        Self::Unconfirmed,
        Self::Confirmed,
        Self::Written,
        Self::RolledBack,
        Self::Failed,
        Self::Unknown,
    ];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Refused => "refused",
            Self::Committing => "committing",
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::Written => "written",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The inverse of [`Status::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// Addresses of sessions that stand in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Those of sessions that the database had then.
    pub stored: Vec<IpAddr>,
    /// Those of other neighbours that the router had then.
    pub others: Vec<IpAddr>,
}

/// A deployment that is about to be recorded.
#[derive(Clone, Debug)]
pub struct New {
    /// The router.
    pub router: i64,
    /// Its name, which outlives it.
    pub router_name: String,
    /// The plan it belongs to.
    pub plan: Option<i64>,
    /// The job that makes it.
    pub job: i64,
    /// Who asked for it.
    pub user_name: String,
    /// Where it stands.
    pub status: Status,
    /// The template's name.
    pub template: String,
    /// `merge` or `replace`.
    pub load_mode: &'static str,
    /// Whether guards were told to be silent.
    pub forced: bool,
    /// Hash of all that the configuration was rendered from.
    pub input_hash: String,
    /// The configuration's fingerprint, see [`Keyring::fingerprint`].
    pub candidate: String,
    /// The fingerprint of what ran before.
    pub running: String,
    /// What would change, with passwords hidden.
    pub diff: String,
    /// Lines that are added.
    pub added: i64,
    /// Lines that go.
    pub removed: i64,
    /// Addresses of sessions in the configuration.
    pub sessions: Sessions,
    /// What the renderer warned of.
    pub warnings: Vec<String>,
    /// Why it was refused.
    pub message: Option<String>,
    /// The configuration, sealed by [`seal`].
    pub configuration: String,
}

/// What becomes of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Where it stands now.
    pub status: Option<Status>,
    /// Whether nothing more will happen.
    pub ended: bool,
    /// How the router calls the change that waits for its confirmation; JSON `null` takes it away.
    pub pending: Option<Json>,
    /// One sentence for people.
    pub message: Option<String>,
    /// What runs on the router now, sealed by [`seal`].
    pub in_force: Option<String>,
}

/// A deployment as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Deployment {
    /// Its number.
    pub id: i64,
    /// The router's number, while there is one.
    pub router: Option<i64>,
    /// The router's name at that time.
    pub router_name: String,
    /// The plan it belongs to.
    pub plan: Option<i64>,
    /// The job that made it, while its record is kept.
    pub job: Option<i64>,
    /// Who asked for it.
    pub user_name: String,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// When nothing more happened.
    pub ended: Option<DateTime<Utc>>,
    /// Where it stands.
    pub status: Status,
    /// The template's name.
    pub template: String,
    /// `merge` or `replace`.
    pub load_mode: String,
    /// Whether guards were told to be silent.
    pub forced: bool,
    /// Hash of all that the configuration was rendered from.
    pub input_hash: String,
    /// The configuration's fingerprint.
    pub candidate: String,
    /// The fingerprint of what ran before.
    pub running: String,
    /// Lines that are added.
    pub added: i64,
    /// Lines that go.
    pub removed: i64,
    /// How the router calls the change that waits for its confirmation.
    pub pending: Option<Json>,
    /// One sentence for people.
    pub message: Option<String>,
}

/// A deployment with its texts.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// What is listed.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// What changed, with passwords hidden.
    pub diff: String,
    /// Addresses of sessions in the configuration.
    pub sessions: Sessions,
    /// What the renderer warned of.
    pub warnings: Json,
    /// The configuration, sealed.
    #[serde(skip)]
    pub configuration: Option<String>,
    /// What ran on the router afterwards, sealed; `None` where that is not known.
    #[serde(skip)]
    pub in_force: Option<String>,
}

const COLUMNS: &str = "id, router_id, router_name, plan_id, job_id, user_name, begun, ended, status, template, load_mode, \
                       forced, input_hash, candidate, running, added, removed, pending, message";

/// Seals a configuration, packed.
///
/// # Errors
/// Those of the keyring.
pub fn seal(keyring: &Keyring, text: &str) -> Result<String, SecretError> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let octets = packed.write_all(text.as_bytes()).and_then(|()| packed.finish());
    // Writing into memory does not fail.
    let octets = octets.unwrap_or_default();
    keyring.seal(CONTEXT, &Clear::new(STANDARD.encode(octets)))
}

/// The inverse of [`seal`].
///
/// # Errors
/// Those of the keyring; [`SecretError::Damaged`] for what was not sealed by it.
pub fn open(keyring: &Keyring, sealed: &str) -> Result<String, SecretError> {
    let damaged = || SecretError::Damaged { context: CONTEXT.to_owned() };
    let packed = keyring.open(CONTEXT, sealed)?;
    let octets = STANDARD.decode(packed.reveal()).map_err(|_| damaged())?;
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(octets.as_slice())
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|_| damaged())?;
    Ok(text)
}

/// A text's fingerprint.
///
/// # Errors
/// Those of the keyring.
pub fn fingerprint(keyring: &Keyring, text: &str) -> Result<String, SecretError> {
    keyring.fingerprint(CONTEXT, text)
}

/// Makes a plan and gives its number.
///
/// # Errors
/// Those of the database.
pub async fn open_plan(
    session: &mut Session<'_>,
    user_name: &str,
    job: i64,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let row = session
        .row(
            "INSERT INTO devices_deploymentplan (created, user_name, job_id) VALUES (?, ?, ?) RETURNING id",
            vec![now.into(), user_name.into(), job.into()],
        )
        .await?;
    row.map_or_else(|| Err(StoreError::Data("a new plan has no number".to_owned())), |row| row.get("id"))
}

/// Records a deployment and gives its number.
///
/// # Errors
/// Those of the database.
pub async fn insert(session: &mut Session<'_>, new: &New, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let ended = matches!(new.status, Status::Refused | Status::Failed).then_some(now);
    let sessions = serde_json::to_value(&new.sessions).unwrap_or_default();
    let row = session
        .row(
            "INSERT INTO devices_deployment (router_id, router_name, plan_id, job_id, user_name, begun, ended, status, \
             template, load_mode, forced, input_hash, candidate, running, diff, added, removed, sessions, warnings, \
             message, configuration) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            vec![
                new.router.into(),
                new.router_name.as_str().into(),
                new.plan.into(),
                new.job.into(),
                new.user_name.as_str().into(),
                now.into(),
                ended.into(),
                new.status.as_str().into(),
                new.template.as_str().into(),
                new.load_mode.into(),
                new.forced.into(),
                new.input_hash.as_str().into(),
                new.candidate.as_str().into(),
                new.running.as_str().into(),
                new.diff.as_str().into(),
                new.added.into(),
                new.removed.into(),
                Value::json(&sessions),
                Value::json(&new.warnings.clone().into()),
                new.message.clone().into(),
                new.configuration.as_str().into(),
            ],
        )
        .await?;
    row.map_or_else(
        || Err(StoreError::Data("a new deployment has no number".to_owned())),
        |row| row.get("id"),
    )
}

/// Notes what became of a deployment.
///
/// # Errors
/// Those of the database.
pub async fn step(
    session: &mut Session<'_>,
    id: i64,
    step: &Step,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut sets: Vec<&str> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if let Some(status) = step.status {
        sets.push("status = ?");
        values.push(status.as_str().into());
    }
    if step.ended {
        sets.push("ended = ?");
        values.push(now.into());
    }
    if let Some(pending) = &step.pending {
        sets.push("pending = ?");
        values.push(if pending.is_null() { Value::Text(None) } else { Value::json(pending) });
    }
    if let Some(message) = &step.message {
        sets.push("message = ?");
        values.push(message.as_str().into());
    }
    if let Some(in_force) = &step.in_force {
        sets.push("in_force = ?");
        values.push(in_force.as_str().into());
    }
    if sets.is_empty() {
        return Ok(());
    }
    values.push(id.into());
    let sql = format!("UPDATE devices_deployment SET {} WHERE id = ?", sets.join(", "));
    session.execute(&sql, values).await?;
    Ok(())
}

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

/// Whether there is a plan with this number.
///
/// # Errors
/// Those of the database.
pub async fn has_plan(session: &mut Session<'_>, plan: i64) -> Result<bool, StoreError> {
    let row = session.row("SELECT id FROM devices_deploymentplan WHERE id = ?", vec![plan.into()]).await?;
    Ok(row.is_some())
}

/// Each router's last deployment that is in force for good, with its texts, by the router's number.
///
/// # Errors
/// Those of the database.
pub async fn in_force(session: &mut Session<'_>) -> Result<BTreeMap<i64, Whole>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, diff, sessions, warnings, configuration, in_force FROM devices_deployment WHERE id IN \
         (SELECT MAX(id) FROM devices_deployment WHERE router_id IS NOT NULL AND status IN ('confirmed', 'written') \
         GROUP BY router_id)"
    );
    let mut found = BTreeMap::new();
    for row in session.rows(&sql, vec![]).await? {
        let whole = whole(&row)?;
        if let Some(router) = whole.deployment.router {
            found.insert(router, whole);
        }
    }
    Ok(found)
}

/// What each router's last deployment in force had, without its texts: addresses of sessions, by the router's number.
///
/// # Errors
/// Those of the database.
pub async fn last_sessions(session: &mut Session<'_>) -> Result<BTreeMap<i64, Sessions>, StoreError> {
    let sql = "SELECT router_id, sessions FROM devices_deployment WHERE id IN (SELECT MAX(id) FROM devices_deployment \
               WHERE router_id IS NOT NULL AND status IN ('confirmed', 'written') GROUP BY router_id)";
    let mut found = BTreeMap::new();
    for row in session.rows(sql, vec![]).await? {
        found.insert(row.get("router_id")?, sessions_of(&row)?);
    }
    Ok(found)
}

/// Deployments that a process left between its commit and its confirmation, by the router's number.
///
/// # Errors
/// Those of the database.
pub async fn unfinished(session: &mut Session<'_>) -> Result<BTreeMap<i64, Vec<Deployment>>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM devices_deployment WHERE status IN ('committing', 'unconfirmed') AND router_id IS NOT NULL \
         ORDER BY id"
    );
    let mut found: BTreeMap<i64, Vec<Deployment>> = BTreeMap::new();
    for row in session.rows(&sql, vec![]).await? {
        let deployment = read(&row)?;
        if let Some(router) = deployment.router {
            found.entry(router).or_default().push(deployment);
        }
    }
    Ok(found)
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
                let absent = ["requested", "provisioning", "disabled", "decommissioning", "decommissioned"];
                let wanted =
                    found.entry(row.get("router_id")?).or_default().entry(address.addr()).or_default();
                *wanted |= !absent.contains(&status.as_str());
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

/// What stops all deployments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Freeze {
    /// Since when.
    pub begun: DateTime<Utc>,
    /// Who stopped them.
    pub user_name: String,
    /// Why.
    pub reason: String,
}

/// The freeze that is in force.
///
/// # Errors
/// Those of the database.
pub async fn frozen(session: &mut Session<'_>) -> Result<Option<Freeze>, StoreError> {
    let sql = "SELECT begun, user_name, reason FROM devices_deploymentfreeze WHERE ended IS NULL ORDER BY id LIMIT 1";
    let row = session.row(sql, vec![]).await?;
    row.map(|row| {
        Ok(Freeze { begun: row.get("begun")?, user_name: row.get("user_name")?, reason: row.get("reason")? })
    })
    .transpose()
}

/// Stops all deployments. The inner error is the freeze that is in force already.
///
/// # Errors
/// Those of the database.
pub async fn freeze(
    session: &mut Session<'_>,
    user_name: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Result<(), Freeze>, StoreError> {
    if let Some(freeze) = frozen(session).await? {
        return Ok(Err(freeze));
    }
    session
        .execute(
            "INSERT INTO devices_deploymentfreeze (begun, user_name, reason) VALUES (?, ?, ?)",
            vec![now.into(), user_name.into(), reason.into()],
        )
        .await?;
    Ok(Ok(()))
}

/// Lets deployments go on, and says what was in their way.
///
/// # Errors
/// Those of the database.
pub async fn thaw(
    session: &mut Session<'_>,
    user_name: &str,
    now: DateTime<Utc>,
) -> Result<Option<Freeze>, StoreError> {
    let freeze = frozen(session).await?;
    session
        .execute(
            "UPDATE devices_deploymentfreeze SET ended = ?, ended_by = ? WHERE ended IS NULL",
            vec![now.into(), user_name.into()],
        )
        .await?;
    Ok(freeze)
}

/// Seals every text that is sealed under an older key anew, and gives their number.
///
/// # Errors
/// Those of the database and of the keyring.
pub async fn reseal(
    session: &mut Session<'_>,
    keyring: &Keyring,
) -> Result<u64, crate::objects::problems::ObjectError> {
    let mut resealed = 0;
    for column in SEALED {
        let mut after = 0_i64;
        loop {
            // A text may be long, so not all of them are held at once.
            let sql = format!(
                "SELECT id, {column} AS sealed FROM {TABLE} WHERE id > ? AND {column} IS NOT NULL ORDER BY id LIMIT 50"
            );
            let rows = session.rows(&sql, vec![after.into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.get("id")?;
            for row in &rows {
                let (id, sealed): (i64, String) = (row.get("id")?, row.get("sealed")?);
                if keyring.is_current(&sealed) {
                    continue;
                }
                let clear = keyring.open(CONTEXT, &sealed)?;
                let anew = keyring.seal(CONTEXT, &clear)?;
                let sql = format!("UPDATE {TABLE} SET {column} = ? WHERE id = ?");
                session.execute(&sql, vec![anew.into(), id.into()]).await?;
                resealed += 1;
            }
        }
    }
    Ok(resealed)
}
