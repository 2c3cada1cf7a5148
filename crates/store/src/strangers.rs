//! Neighbours that routers have and for which there is no session, as the last poll of each router saw them.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::given::Given;
use crate::objects::sql::{among, id_list};
use crate::polls::host;
use crate::schema::ColumnKind;
use crate::{Engine, Session, StoreError, address};

/// A neighbour that a router has and for which there is no session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stranger {
    /// The VRF; `default` is the one without a name.
    pub vrf: String,
    /// The neighbour's address.
    pub ip_address: IpAddr,
    /// The neighbour's AS, if the router tells.
    pub asn: Option<i64>,
    /// Our AS towards it, if the router tells.
    pub local_asn: Option<i64>,
    /// Our address in the session, if the router tells.
    pub local_ip_address: Option<IpAddr>,
    /// What the router's configuration calls it.
    pub description: Option<String>,
    /// The session's state, in the words of a session's field `bgp_state`.
    pub state: String,
}

/// One that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its number.
    #[serde(skip)]
    pub id: i64,
    /// The router's number.
    #[serde(skip)]
    pub router_id: i64,
    /// The router's name.
    pub router: String,
    /// The neighbour.
    #[serde(flatten)]
    pub neighbor: Stranger,
    /// When a poll first saw it, with this AS.
    pub first_seen: DateTime<Utc>,
    /// When a poll last saw it: that of the router's last poll.
    pub last_seen: DateTime<Utc>,
}

/// A [`Stranger`] as it travels to the database.
const GIVEN: [(&str, ColumnKind); 7] = [
    ("vrf", ColumnKind::Text),
    ("ip_address", ColumnKind::Address),
    ("asn", ColumnKind::Integer),
    ("local_asn", ColumnKind::Integer),
    ("local_ip_address", ColumnKind::Address),
    ("description", ColumnKind::Text),
    ("state", ColumnKind::Text),
];

/// Keeps what the last poll of a router saw, and nothing else of this router, in the caller's transaction: two statements.
/// No two of `seen` may have the same VRF and address.
///
/// # Errors
/// Those of the database.
pub async fn replace(
    session: &mut Session<'_>,
    router: i64,
    seen: &[Stranger],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let octets = address::encode_host;
    let rows = seen.iter().map(|one| {
        [
            one.vrf.as_str().into(),
            octets(one.ip_address).into(),
            one.asn.into(),
            one.local_asn.into(),
            one.local_ip_address.map(octets).into(),
            one.description.clone().into(),
            one.state.as_str().into(),
        ]
    });
    let rows = Given::new(session.engine(), GIVEN, rows);
    let given = rows.table();
    let gone = format!(
        "DELETE FROM peering_strangeneighbor WHERE router_id = ? AND NOT EXISTS (SELECT 1 FROM {given} \
         WHERE g.vrf = peering_strangeneighbor.vrf AND g.ip_address = peering_strangeneighbor.ip_address)"
    );
    session.execute(&gone, [vec![router.into()], rows.values()].concat()).await?;
    let keep = format!(
        "INSERT INTO peering_strangeneighbor (router_id, vrf, ip_address, asn, local_asn, local_ip_address, description, \
         state, first_seen, last_seen) SELECT r.id, g.vrf, g.ip_address, g.asn, g.local_asn, g.local_ip_address, \
         g.description, g.state, {time}, {time} FROM {given} JOIN devices_router r ON r.id = ? WHERE TRUE \
         ON CONFLICT (router_id, vrf, ip_address) DO UPDATE SET asn = excluded.asn, local_asn = excluded.local_asn, \
         local_ip_address = excluded.local_ip_address, description = excluded.description, state = excluded.state, \
         last_seen = excluded.last_seen, first_seen = CASE WHEN COALESCE(peering_strangeneighbor.asn, -1) = \
         COALESCE(excluded.asn, -1) THEN peering_strangeneighbor.first_seen ELSE excluded.first_seen END",
        time = match session.engine() {
            Engine::Sqlite => "?",
            Engine::Postgres => "CAST(? AS TIMESTAMPTZ)",
        }
    );
    session.execute(&keep, [vec![now.into(); 2], rows.values(), vec![router.into()]].concat()).await?;
    Ok(())
}

/// What is kept of these routers, or of all, by router, VRF and address: one statement.
///
/// # Errors
/// Those of the database.
pub async fn list(session: &mut Session<'_>, routers: Option<&[i64]>) -> Result<Vec<Kept>, StoreError> {
    let (condition, values) = match routers {
        Some(ids) => (format!("WHERE n.router_id {}", among(session.engine())), vec![id_list(ids)]),
        None => (String::new(), vec![]),
    };
    let sql = format!(
        "SELECT n.id, n.router_id, r.name, n.vrf, n.ip_address, n.asn, n.local_asn, n.local_ip_address, n.description, \
         n.state, n.first_seen, n.last_seen FROM peering_strangeneighbor n JOIN devices_router r ON r.id = n.router_id \
         {condition}"
    );
    let mut found = Vec::new();
    session
        .each(&sql, values, |row| {
            let id: i64 = row.get(0)?;
            let of = || format!("the address of peering_strangeneighbor {id}");
            let neighbor = Stranger {
                vrf: row.get(3)?,
                ip_address: host(&row, 4, of)?
                    .ok_or_else(|| StoreError::Data(format!("{} is missing", of())))?,
                asn: row.get(5)?,
                local_asn: row.get(6)?,
                local_ip_address: host(&row, 7, of)?,
                description: row.get(8)?,
                state: row.get(9)?,
            };
            found.push(Kept {
                id,
                router_id: row.get(1)?,
                router: row.get(2)?,
                neighbor,
                first_seen: row.get(10)?,
                last_seen: row.get(11)?,
            });
            Ok(())
        })
        .await?;
    let place = |one: &Kept| (one.router.clone(), one.neighbor.vrf.clone(), one.neighbor.ip_address);
    found.sort_by_cached_key(place);
    Ok(found)
}

/// Forgets these, for which there are sessions now.
///
/// # Errors
/// Those of the database.
pub async fn forget(session: &mut Session<'_>, ids: &[i64]) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM peering_strangeneighbor WHERE id {}", among(session.engine()));
    session.execute(&sql, vec![id_list(ids)]).await?;
    Ok(())
}
