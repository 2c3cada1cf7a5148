//! Sessions that are gone from the database and may still be on their router: templates can remove them there until a poll
//! has seen them gone. They are written by `objects::write`, in the transaction of the deletion.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::objects::sql::{among, id_list};
use crate::polls::SessionKind;
use crate::{Row, Session, StoreError, address};

/// A session that was deleted, or moved away.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Tombstone {
    /// Its own number.
    pub id: i64,
    /// The number of the router that had the session.
    pub router: i64,
    /// That router's name.
    pub router_name: String,
    /// What kind of session it was.
    pub kind: SessionKind,
    /// The neighbour's address.
    pub ip_address: IpAddr,
    /// The neighbour's AS.
    pub remote_asn: i64,
    /// The neighbour's name at that time.
    pub remote_name: String,
    /// One's own AS, if it was known.
    pub local_asn: Option<i64>,
    /// Name of its group or exchange.
    pub group_name: Option<String>,
    /// Slug of its group or exchange.
    pub group_slug: Option<String>,
    /// The VRF in which a poll saw it last, in the router's words; `None` if none did.
    pub vrf: Option<String>,
    /// When it was deleted.
    pub deleted_at: DateTime<Utc>,
    /// Who did it, as the change log says.
    pub deleted_by: String,
}

const COLUMNS: &str = "t.id, t.router_id, r.name, t.kind, t.ip_address, t.remote_asn, t.remote_name, \
     t.local_asn, t.group_name, t.group_slug, t.vrf, t.deleted_at, t.deleted_by";

/// The deleted sessions of these routers, by router and address.
///
/// # Errors
/// Those of the database.
pub async fn deleted(session: &mut Session<'_>, routers: &[i64]) -> Result<Vec<Tombstone>, StoreError> {
    let of_these = format!("WHERE t.router_id {}", among(session.engine()));
    list(session, &of_these, vec![id_list(routers)]).await
}

/// The deleted sessions of all routers, by router and address.
///
/// # Errors
/// Those of the database.
pub async fn all(session: &mut Session<'_>) -> Result<Vec<Tombstone>, StoreError> {
    list(session, "", vec![]).await
}

async fn list(
    session: &mut Session<'_>,
    condition: &str,
    values: Vec<crate::Value>,
) -> Result<Vec<Tombstone>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM peering_deletedsession t JOIN devices_router r ON r.id = t.router_id {condition} \
         ORDER BY t.router_id, t.ip_address"
    );
    let mut found = Vec::new();
    session
        .each(&sql, values, |row| {
            found.push(read(&row)?);
            Ok(())
        })
        .await?;
    Ok(found)
}

fn read(row: &Row) -> Result<Tombstone, StoreError> {
    let kind: String = row.get(3)?;
    let damaged = || StoreError::Data("peering_deletedsession holds what nobody wrote".to_owned());
    Ok(Tombstone {
        id: row.get(0)?,
        router: row.get(1)?,
        router_name: row.get(2)?,
        kind: SessionKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(damaged)?,
        ip_address: address::decode(&row.get::<Vec<u8>, _>(4)?).ok_or_else(damaged)?.addr(),
        remote_asn: row.get(5)?,
        remote_name: row.get(6)?,
        local_asn: row.get(7)?,
        group_name: row.get(8)?,
        group_slug: row.get(9)?,
        vrf: row.get(10)?,
        deleted_at: row.get(11)?,
        deleted_by: row.get(12)?,
    })
}

/// Forgets deleted sessions, by their own numbers, and says how many there were.
///
/// # Errors
/// Those of the database.
pub async fn forget(session: &mut Session<'_>, ids: &[i64]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let sql = format!("DELETE FROM peering_deletedsession WHERE id {}", among(session.engine()));
    session.execute(&sql, vec![id_list(ids)]).await
}

/// What a poll says of a router's deleted sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Those that the router does not have any more; they are forgotten.
    pub gone: Vec<Tombstone>,
    /// Those that it still has.
    pub standing: Vec<Tombstone>,
}

/// Forgets the deleted sessions that a router does not have any more, in the transaction of its poll.
///
/// `has` says whether the router lists a neighbour at this address, in this VRF or in any if it is `None`. One that was
/// deleted after the router was `asked` stays: the router may have got it in between.
///
/// # Errors
/// Those of the database.
pub async fn looked(
    session: &mut Session<'_>,
    router: i64,
    asked: DateTime<Utc>,
    has: impl Fn(IpAddr, Option<&str>) -> bool,
) -> Result<Looked, StoreError> {
    let (standing, gone): (Vec<Tombstone>, Vec<Tombstone>) = deleted(session, &[router])
        .await?
        .into_iter()
        .partition(|one| one.deleted_at > asked || has(one.ip_address, one.vrf.as_deref()));
    let ids: Vec<i64> = gone.iter().map(|one| one.id).collect();
    forget(session, &ids).await?;
    Ok(Looked { gone, standing })
}

/// A session that the database has for a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The router's number.
    pub router: i64,
    /// The session's kind.
    pub kind: SessionKind,
    /// Its number.
    pub id: i64,
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's AS.
    pub asn: i64,
    /// The session's status, such as `enabled`.
    pub status: String,
}

/// The sessions that the database has for these routers now, whatever their status: two statements.
///
/// # Errors
/// Those of the database.
pub async fn placed(session: &mut Session<'_>, routers: &[i64]) -> Result<Vec<Placed>, StoreError> {
    let mut found = Vec::new();
    for kind in SessionKind::ALL {
        let router = kind.router();
        let sql = format!(
            "SELECT {router}, s.id, s.ip_address, a.asn, s.status FROM {} s {} \
             JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id WHERE {router} {}",
            kind.table(),
            kind.connection(),
            among(session.engine())
        );
        session
            .each(&sql, vec![id_list(routers)], |row| {
                let octets: Vec<u8> = row.get(2)?;
                let id: i64 = row.get(1)?;
                let address = address::decode(&octets)
                    .ok_or_else(|| {
                        StoreError::Data(format!("the address of {} {id} is damaged", kind.table()))
                    })?
                    .addr();
                found.push(Placed {
                    router: row.get(0)?,
                    kind,
                    id,
                    address,
                    asn: row.get(3)?,
                    status: row.get(4)?,
                });
                Ok(())
            })
            .await?;
    }
    Ok(found)
}
