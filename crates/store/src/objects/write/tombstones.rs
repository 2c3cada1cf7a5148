//! What a change of sessions, or of connections with sessions, leaves on routers: where a session was and is not any more, a
//! tombstone, so that it can be removed from the router, too; where one stands again, none.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::Writing;
use crate::database::placeholders;
use crate::objects::models::{connection, direct_peering_session, internet_exchange_peering_session};
use crate::objects::record::Record;
use crate::objects::sql::{among, id_list};
use crate::polls::SessionKind;
use crate::{Session, StoreError, Value, address, tombstones};

/// Values that one row carries.
const COLUMNS: usize = 11;

/// Rows that one statement carries.
const ROWS: usize = 1000;

/// Sessions that a change is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    direct: Vec<i64>,
    ixp: Vec<i64>,
    /// All sessions over these.
    connections: Vec<i64>,
}

impl Touched {
    /// Objects of a model; nothing, if no session hangs on it.
    pub(super) fn of(label: &str, ids: Vec<i64>) -> Self {
        let mut touched = Self::default();
        touched.add(label, ids);
        touched
    }

    pub(super) fn add(&mut self, label: &str, ids: impl IntoIterator<Item = i64>) {
        let list = if label == direct_peering_session::MODEL.label {
            &mut self.direct
        } else if label == internet_exchange_peering_session::MODEL.label {
            &mut self.ixp
        } else if label == connection::MODEL.label {
            &mut self.connections
        } else {
            return;
        };
        list.extend(ids);
    }

    fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.ixp.is_empty() && self.connections.is_empty()
    }

    /// Those of these records that differ in one of the fields.
    fn differing(before: &[Record], after: &[Record], fields: &[&str]) -> Self {
        let Some(model) = after.first().map(Record::model) else { return Self::default() };
        let places: Vec<usize> = fields.iter().filter_map(|name| model.place(name)).collect();
        let differs = |(before, after): &(&Record, &Record)| {
            places.iter().any(|place| before.at(*place) != after.at(*place))
        };
        let ids = before.iter().zip(after).filter(differs).map(|(_, after)| after.id);
        Self::of(model.label, ids.collect())
    }

    /// What a change of these records is to sessions.
    pub(super) fn by_change(before: &[Record], after: &[Record]) -> Changed {
        let differing = |fields: &[&str]| Self::differing(before, after, fields);
        // A connection has a status, too, which says nothing of where its sessions are.
        let is_connection = after.first().is_some_and(|record| record.model() == &*connection::MODEL);
        let moving = ["router", "connection", "ixp_connection", "ip_address"];
        let (other, rest): (&[&str], &[&str]) = if is_connection {
            (&[], &[])
        } else {
            (&["autonomous_system"], &["autonomous_system", "status"])
        };
        Changed {
            moved: differing(&moving),
            other: differing(&[&moving, other].concat()),
            touched: differing(&[&moving, rest].concat()),
        }
    }
}

/// What a change is to sessions.
pub(super) struct Changed {
    /// Those that stand elsewhere than before.
    pub(super) moved: Touched,
    /// Those that stand elsewhere or are with somebody else.
    pub(super) other: Touched,
    /// Those that stand elsewhere or as others than before.
    pub(super) touched: Touched,
}

/// Forgets what polls said of sessions that are elsewhere or with somebody else now: it is not true of them. Four statements,
/// or none.
pub(super) async fn forget_polls(session: &mut Session<'_>, other: &Touched) -> Result<(), StoreError> {
    for kind in SessionKind::ALL {
        let (ids, over) = match kind {
            SessionKind::Direct => (&other.direct, "connection_id"),
            SessionKind::Ixp => (&other.ixp, "ixp_connection_id"),
        };
        if ids.is_empty() && other.connections.is_empty() {
            continue;
        }
        let (table, among) = (kind.table(), among(session.engine()));
        let which = format!("id {among} OR {over} {among}");
        let values = vec![id_list(ids), id_list(&other.connections)];
        // The sessions first, as a poll does, which then waits or is waited for.
        let sql = format!(
            "UPDATE {table} SET bgp_state = NULL, received_prefix_count = 0, accepted_prefix_count = 0, \
             advertised_prefix_count = 0, last_established_state = NULL WHERE {which}"
        );
        session.execute(&sql, values.clone()).await?;
        let sql = format!(
            "DELETE FROM peering_sessionpoll WHERE {} IN (SELECT id FROM {table} WHERE {which})",
            kind.column()
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}

/// A session on a router, with what is remembered of it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    router: i64,
    kind: SessionKind,
    id: i64,
    address: IpAddr,
    asn: i64,
    name: String,
    local_asn: Option<i64>,
    group_name: Option<String>,
    group_slug: Option<String>,
    vrf: Option<String>,
    status: String,
    /// A poll has seen the router know it.
    seen: bool,
}

impl Place {
    fn at(&self) -> (i64, IpAddr) {
        (self.router, self.address)
    }

    /// Whether a router may have it: it was wanted there, or was seen there.
    fn may_be_on_router(&self) -> bool {
        self.seen || wanted(&self.status)
    }
}

/// A session that is only asked for or prepared is on no router yet.
fn wanted(status: &str) -> bool {
    !matches!(status, "requested" | "provisioning")
}

/// Where these sessions are, of those that are on a router. Two statements, or none.
pub(super) async fn places(session: &mut Session<'_>, touched: &Touched) -> Result<Vec<Place>, StoreError> {
    let mut found = Vec::new();
    for kind in SessionKind::ALL {
        let (ids, joins, over) = match kind {
            SessionKind::Direct => (
                &touched.direct,
                "LEFT JOIN peering_autonomoussystem l ON l.id = s.local_autonomous_system_id \
                 LEFT JOIN peering_bgpgroup g ON g.id = s.bgp_group_id",
                "s.connection_id",
            ),
            SessionKind::Ixp => (
                &touched.ixp,
                "LEFT JOIN peering_internetexchange g ON g.id = c.internet_exchange_point_id \
                 LEFT JOIN peering_autonomoussystem l ON l.id = g.local_autonomous_system_id",
                "s.ixp_connection_id",
            ),
        };
        if ids.is_empty() && touched.connections.is_empty() {
            continue;
        }
        let (router, among) = (kind.router(), among(session.engine()));
        let sql = format!(
            "SELECT {router}, s.id, s.ip_address, s.status, a.asn, a.name, l.asn, g.name, g.slug, p.vrf, p.seen \
             FROM {} s {} JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id {joins} \
             LEFT JOIN peering_sessionpoll p ON p.{} = s.id \
             WHERE {router} IS NOT NULL AND (s.id {among} OR {over} {among}) ORDER BY s.id",
            kind.table(),
            kind.connection(),
            kind.column()
        );
        session
            .each(&sql, vec![id_list(ids), id_list(&touched.connections)], |row| {
                let octets: Vec<u8> = row.get(2)?;
                let id: i64 = row.get(1)?;
                let damaged = || StoreError::Data(format!("the address of {} {id} is damaged", kind.table()));
                found.push(Place {
                    router: row.get(0)?,
                    kind,
                    id,
                    address: address::decode(&octets).ok_or_else(damaged)?.addr(),
                    status: row.get(3)?,
                    asn: row.get(4)?,
                    name: row.get(5)?,
                    local_asn: row.get(6)?,
                    group_name: row.get(7)?,
                    group_slug: row.get(8)?,
                    vrf: row.get(9)?,
                    seen: row.get::<Option<chrono::DateTime<chrono::Utc>>, _>(10)?.is_some(),
                });
                Ok(())
            })
            .await?;
    }
    Ok(found)
}

/// After the change: `before` are the [`places`] of what it took away or moved, `touched` what is there now and was made,
/// moved or changed. `gone_routers` were deleted with it and remember nothing.
pub(super) async fn settle(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    before: Vec<Place>,
    touched: &Touched,
    gone_routers: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    if before.is_empty() && touched.is_empty() {
        return Ok(());
    }
    let standing = standing(session).await?;
    if before.is_empty() && standing.is_empty() {
        return Ok(());
    }
    let now = places(session, touched).await?;
    leave(session, writing, before, &now, gone_routers).await?;
    let there = by_place(now.iter().map(|place| (place.at(), place.status.clone(), place.asn)));
    let taken: Vec<i64> =
        standing.into_iter().filter(|(_, at, asn)| stands(&there, at, *asn)).map(|(id, ..)| id).collect();
    tombstones::forget(session, &taken).await?;
    Ok(())
}

/// Status and AS of sessions by where they are.
type There = HashMap<(i64, IpAddr), Vec<(String, i64)>>;

fn by_place(sessions: impl Iterator<Item = ((i64, IpAddr), String, i64)>) -> There {
    let mut there = There::new();
    for (at, status, asn) in sessions {
        there.entry(at).or_default().push((status, asn));
    }
    there
}

/// Whether the router has, or shall have, one of these sessions where it had one with this AS. To remove that one there
/// would remove this one. One with another AS counts only when it is more than asked for: until then the old one has to go.
fn stands(there: &There, at: &(i64, IpAddr), asn: i64) -> bool {
    there
        .get(at)
        .is_some_and(|sessions| sessions.iter().any(|(status, other)| *other == asn || wanted(status)))
}

/// Number, router with address, and AS of what is remembered.
async fn standing(session: &mut Session<'_>) -> Result<Vec<(i64, (i64, IpAddr), i64)>, StoreError> {
    let mut found = Vec::new();
    session
        .each("SELECT id, router_id, ip_address, remote_asn FROM peering_deletedsession", vec![], |row| {
            let octets: Vec<u8> = row.get(2)?;
            let address = address::decode(&octets)
                .ok_or_else(|| StoreError::Data("the address of a deleted session is damaged".to_owned()))?;
            found.push((row.get(0)?, (row.get(1)?, address.addr()), row.get(3)?));
            Ok(())
        })
        .await?;
    Ok(found)
}

/// Remembers what was on a router and is there no more.
async fn leave(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    before: Vec<Place>,
    now: &[Place],
    gone_routers: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    let stayed: BTreeSet<(SessionKind, i64, (i64, IpAddr))> =
        now.iter().map(|place| (place.kind, place.id, place.at())).collect();
    let mut left: Vec<Place> = before
        .into_iter()
        .filter(|place| place.may_be_on_router() && !gone_routers.contains(&place.router))
        .filter(|place| !stayed.contains(&(place.kind, place.id, place.at())))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let routers: BTreeSet<i64> = left.iter().map(|place| place.router).collect();
    let routers: Vec<i64> = routers.into_iter().collect();
    let others = tombstones::placed(session, &routers).await?;
    let there =
        by_place(others.into_iter().map(|other| ((other.router, other.address), other.status, other.asn)));
    let mut seen = BTreeSet::new();
    left.retain(|place| !stands(&there, &place.at(), place.asn) && seen.insert(place.at()));
    insert(session, writing, &left).await
}

async fn insert(session: &mut Session<'_>, writing: Writing<'_>, left: &[Place]) -> Result<(), StoreError> {
    let row = format!("({})", placeholders(COLUMNS));
    for chunk in left.chunks(ROWS) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * COLUMNS);
        for place in chunk {
            values.extend([
                place.router.into(),
                place.kind.as_str().into(),
                address::encode_host(place.address).into(),
                place.asn.into(),
                place.name.as_str().into(),
                place.local_asn.into(),
                place.group_name.as_deref().into(),
                place.group_slug.as_deref().into(),
                place.vrf.as_deref().into(),
                writing.now.into(),
                writing.author.user_name.as_str().into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO peering_deletedsession (router_id, kind, ip_address, remote_asn, remote_name, local_asn, \
             group_name, group_slug, vrf, deleted_at, deleted_by) VALUES {} \
             ON CONFLICT (router_id, ip_address) DO UPDATE SET kind = excluded.kind, \
             remote_asn = excluded.remote_asn, remote_name = excluded.remote_name, \
             local_asn = excluded.local_asn, group_name = excluded.group_name, \
             group_slug = excluded.group_slug, vrf = excluded.vrf, deleted_at = excluded.deleted_at, \
             deleted_by = excluded.deleted_by",
            vec![row.as_str(); chunk.len()].join(", ")
        );
        session.execute(&sql, values).await?;
    }
    Ok(())
}
