//! Both kinds of sessions in one list, with where they are, where they stand and how sure that is. A statement per kind,
//! however many sessions there are.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::objects::sql::{among, id_list};
use crate::polls::{STANDING, SessionKind, Standing, host};
use crate::statuses::{Wish, inherited};
use crate::{Row, Session, StoreError, Value, address};

/// A session.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its kind.
    pub kind: SessionKind,
    /// Its number among those of its kind.
    pub id: i64,
    /// The neighbour's AS.
    pub asn: i64,
    /// The neighbour's name.
    pub name: String,
    /// The neighbour's address.
    pub ip_address: IpAddr,
    /// Where it stands with people, such as `enabled`.
    pub status: String,
    /// The same with what stands above it, see [`crate::statuses`].
    #[serde(skip)]
    pub inherited_status: String,
    /// The router's number.
    #[serde(skip)]
    pub router_id: Option<i64>,
    /// The router that it is on.
    pub router: Option<String>,
    /// Whether that router's sessions are polled.
    pub router_is_polled: bool,
    /// The exchange that it is at.
    pub internet_exchange: Option<String>,
    /// The router's interface towards the exchange.
    pub interface: Option<String>,
    /// The group of a direct session.
    pub bgp_group: Option<String>,
    /// What the neighbour of a direct session is to us.
    pub relationship: Option<String>,
    /// Whether the neighbour is a route server.
    pub is_route_server: bool,
    /// What the session's own row says of its state; empty if it is unknown.
    #[serde(skip)]
    pub bgp_state: Option<String>,
    /// Prefixes received, 0 where unknown.
    pub received: i64,
    /// Prefixes accepted, 0 where unknown.
    pub accepted: i64,
    /// Prefixes advertised, 0 where unknown.
    pub advertised: i64,
    /// How many prefixes of this family the neighbour may send, if that is known.
    pub max_prefixes: Option<i64>,
    /// When it was last known to be up.
    pub last_established: Option<DateTime<Utc>>,
    /// What the last poll brought; `None`: it was never polled.
    pub poll: Option<Standing>,
}

impl Listed {
    /// The state, or [`UNKNOWN`](crate::polls::UNKNOWN); `None` if nobody ever asked. The state of a session that was never polled here comes from
    /// elsewhere.
    pub fn state(&self) -> Option<&str> {
        match &self.poll {
            Some(poll) => Some(&poll.state),
            None => self.bgp_state.as_deref(),
        }
    }

    /// Whether it should be up and is not, or not for certain. A session of which nothing is known is not down.
    pub fn is_down(&self) -> bool {
        Wish::of(&self.inherited_status).is_wanted()
            && self.state().is_some_and(|state| state != "established")
    }
}

/// Which sessions; all of those for which every condition holds.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Only of this kind.
    pub kind: Option<SessionKind>,
    /// Only these numbers.
    pub ids: Option<Vec<i64>>,
    /// Only on these routers.
    pub routers: Option<Vec<i64>>,
    /// Only at this exchange.
    pub exchange: Option<i64>,
    /// Only with this AS.
    pub asn: Option<i64>,
    /// Only with this address.
    pub address: Option<IpAddr>,
}

/// Names of exchange, group and relationship, and the tables they come from, of one kind.
pub(crate) fn joins(kind: SessionKind) -> (&'static str, &'static str) {
    match kind {
        SessionKind::Direct => (
            "g.name, l.name, FALSE",
            "LEFT JOIN net_connection c ON c.id = s.connection_id \
             LEFT JOIN devices_router r ON r.id = COALESCE(s.router_id, c.router_id) \
             LEFT JOIN peering_bgpgroup g ON g.id = s.bgp_group_id \
             LEFT JOIN bgp_relationship l ON l.id = s.relationship_id",
        ),
        SessionKind::Ixp => (
            "NULL, NULL, s.is_route_server",
            "LEFT JOIN net_connection c ON c.id = s.ixp_connection_id \
             LEFT JOIN devices_router r ON r.id = c.router_id",
        ),
    }
}

/// The sessions, by AS, address, kind and number.
///
/// # Errors
/// Those of the database.
pub async fn list(session: &mut Session<'_>, which: &Which) -> Result<Vec<Listed>, StoreError> {
    let mut found = Vec::new();
    for kind in SessionKind::ALL.into_iter().filter(|kind| which.kind.is_none_or(|wanted| wanted == *kind)) {
        let ((names, joins), inherited) = (joins(kind), inherited(kind));
        let (table, column) = (kind.table(), kind.column());
        let (conditions, values) = conditions(session, which);
        let sql = format!(
            "SELECT s.id, a.asn, a.name, s.ip_address, s.status, r.id, r.name, r.poll_bgp_sessions_state, x.name, \
             c.interface, {names}, s.bgp_state, s.received_prefix_count, s.accepted_prefix_count, \
             s.advertised_prefix_count, a.ipv4_max_prefixes, a.ipv6_max_prefixes, s.last_established_state, {STANDING}, {inherited} \
             FROM {table} s JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id {joins} \
             LEFT JOIN peering_internetexchange x ON x.id = c.internet_exchange_point_id \
             LEFT JOIN peering_sessionpoll p ON p.{column} = s.id{conditions}"
        );
        session
            .each(&sql, values, |row| {
                found.push(read(kind, &row)?);
                Ok(())
            })
            .await?;
    }
    found.sort_by_key(|one| (one.asn, one.ip_address, one.kind, one.id));
    Ok(found)
}

fn conditions(session: &Session<'_>, which: &Which) -> (String, Vec<Value>) {
    let among = among(session.engine());
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    if let Some(address) = which.address {
        // Whatever the length that it is kept with.
        let (first, last) = address::range(address.into());
        conditions.push("s.ip_address >= ? AND s.ip_address <= ?".to_owned());
        values.extend([first.into(), last.into()]);
    }
    let mut hold = |condition: String, value: Value| {
        conditions.push(condition);
        values.push(value);
    };
    if let Some(ids) = &which.ids {
        hold(format!("s.id {among}"), id_list(ids));
    }
    if let Some(routers) = &which.routers {
        hold(format!("r.id {among}"), id_list(routers));
    }
    if let Some(exchange) = which.exchange {
        hold("x.id = ?".to_owned(), exchange.into());
    }
    if let Some(asn) = which.asn {
        hold("a.asn = ?".to_owned(), asn.into());
    }
    if conditions.is_empty() {
        (String::new(), values)
    } else {
        (format!(" WHERE {}", conditions.join(" AND ")), values)
    }
}

fn read(kind: SessionKind, row: &Row) -> Result<Listed, StoreError> {
    let id: i64 = row.get(0)?;
    let of = || format!("the address of session {}:{id}", kind.as_str());
    let ip_address = host(row, 3, of)?.ok_or_else(|| StoreError::Data(format!("{} is missing", of())))?;
    let limit: Option<i64> = if ip_address.is_ipv4() { row.get(17)? } else { row.get(18)? };
    Ok(Listed {
        kind,
        id,
        asn: row.get(1)?,
        name: row.get(2)?,
        ip_address,
        status: row.get(4)?,
        router_id: row.get(5)?,
        router: row.get(6)?,
        router_is_polled: row.get::<Option<bool>, _>(7)?.unwrap_or_default(),
        internet_exchange: row.get(8)?,
        interface: row.get::<Option<String>, _>(9)?.filter(|name| !name.is_empty()),
        bgp_group: row.get(10)?,
        relationship: row.get(11)?,
        is_route_server: row.get::<Option<bool>, _>(12)?.unwrap_or_default(),
        bgp_state: row.get(13)?,
        received: row.get(14)?,
        accepted: row.get(15)?,
        advertised: row.get(16)?,
        max_prefixes: limit.filter(|limit| *limit > 0),
        last_established: row.get(19)?,
        poll: Standing::read(row, 20)?,
        inherited_status: row.get(27)?,
    })
}
