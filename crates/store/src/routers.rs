//! Routers in one list, with how their sessions stand in numbers: three statements, however many routers and sessions there
//! are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::polls::{SessionKind, UNKNOWN};
use crate::sessions::joins;
use crate::statuses::{Wish, inherited};
use crate::{Session, StoreError};

/// A router.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The name or address under which it is reached.
    pub hostname: String,
    /// Where it stands with people, such as `enabled`.
    pub status: String,
    /// Its platform's name.
    pub platform: Option<String>,
    /// Its platform's driver.
    pub driver: Option<String>,
    /// The name of its configuration's template.
    pub template: Option<String>,
    /// Our AS on it.
    pub local_asn: Option<i64>,
    /// Whether its sessions are polled.
    pub is_polled: bool,
    /// When it was last polled with success.
    pub polled: Option<DateTime<Utc>>,
    /// How its sessions stand.
    pub sessions: Counts,
    /// How many neighbours it had at its last poll for which there was no session.
    pub strangers: i64,
}

/// How the sessions of a router stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub total: i64,
    /// Those that should be up.
    pub wanted: i64,
    /// Those that the last poll found up.
    pub established: i64,
    /// Those that should be up and were not, as far as anybody knows.
    pub down: i64,
    /// Those that should be up and that the router did not know.
    pub unknown: i64,
    /// Those that were near their limit of prefixes, or past it.
    pub near_limit: i64,
}

/// All routers, by name.
///
/// # Errors
/// Those of the database.
pub async fn list(session: &mut Session<'_>) -> Result<Vec<Listed>, StoreError> {
    let mut counts = counts(session).await?;
    let sql = "SELECT r.id, r.name, r.hostname, r.status, p.name, p.napalm_driver, t.name, o.asn, \
               r.poll_bgp_sessions_state, r.poll_bgp_sessions_last_updated, \
               (SELECT COUNT(*) FROM peering_strangeneighbor n WHERE n.router_id = r.id) \
               FROM devices_router r LEFT JOIN devices_platform p ON p.id = r.platform_id \
               LEFT JOIN devices_configuration t ON t.id = r.configuration_template_id \
               LEFT JOIN peering_autonomoussystem o ON o.id = r.local_autonomous_system_id";
    let mut found = Vec::new();
    session
        .each(sql, vec![], |row| {
            let id = row.get(0)?;
            found.push(Listed {
                id,
                name: row.get(1)?,
                hostname: row.get(2)?,
                status: row.get(3)?,
                platform: row.get(4)?,
                driver: row.get::<Option<String>, _>(5)?.filter(|driver| !driver.is_empty()),
                template: row.get(6)?,
                local_asn: row.get(7)?,
                is_polled: row.get(8)?,
                polled: row.get(9)?,
                sessions: counts.remove(&id).unwrap_or_default(),
                strangers: row.get(10)?,
            });
            Ok(())
        })
        .await?;
    found.sort_by(|one: &Listed, other| one.name.cmp(&other.name));
    Ok(found)
}

/// How the sessions of each router stand, by its number; only of routers that have sessions.
async fn counts(session: &mut Session<'_>) -> Result<BTreeMap<i64, Counts>, StoreError> {
    let mut found: BTreeMap<i64, Counts> = BTreeMap::new();
    for kind in SessionKind::ALL {
        let (_, joins) = joins(kind);
        let sql = format!(
            "SELECT router, status, state, near_limit, COUNT(*) FROM (SELECT r.id AS router, {} AS status, p.state, \
             p.near_limit FROM {} s {joins} LEFT JOIN peering_sessionpoll p ON p.{} = s.id WHERE r.id IS NOT NULL) t \
             GROUP BY router, status, state, near_limit",
            inherited(kind),
            kind.table(),
            kind.column()
        );
        session
            .each(&sql, vec![], |row| {
                let (status, state): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                let is_wanted = Wish::of(&status).is_wanted();
                let near: Option<bool> = row.get(3)?;
                let count: i64 = row.get(4)?;
                let router = found.entry(row.get(0)?).or_default();
                let only = |is: bool| if is { count } else { 0 };
                router.total += count;
                router.wanted += only(is_wanted);
                let is_up = state.as_deref() == Some("established");
                router.established += only(is_up);
                router.down += only(is_wanted && !is_up);
                router.unknown += only(is_wanted && state.as_deref() == Some(UNKNOWN));
                router.near_limit += only(near == Some(true));
                Ok(())
            })
            .await?;
    }
    Ok(found)
}
