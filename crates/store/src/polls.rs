//! What routers say of sessions: the sessions to ask for, and what came of asking. However many sessions a router has, its
//! poll is stored with the same few statements.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::given::Given;
use crate::schema::ColumnKind;
use crate::{Engine, Row, Session, StoreError, address};

/// The two kinds of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// Over a link of its own.
    Direct,
    /// At an exchange.
    Ixp,
}

impl SessionKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Direct, Self::Ixp];

    /// The word for it in tables, in JSON, and before a session's number, such as `ixp:7`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Ixp => "ixp",
        }
    }

    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Direct => "peering_directpeeringsession",
            Self::Ixp => "peering_internetexchangepeeringsession",
        }
    }

    /// The router of a session `s`, after the join of [`Self::connection`].
    pub(crate) const fn router(self) -> &'static str {
        match self {
            Self::Direct => "COALESCE(s.router_id, c.router_id)",
            Self::Ixp => "c.router_id",
        }
    }

    /// Joins the connection of a session `s` as `c`.
    pub(crate) const fn connection(self) -> &'static str {
        match self {
            Self::Direct => "LEFT JOIN net_connection c ON c.id = s.connection_id",
            Self::Ixp => "JOIN net_connection c ON c.id = s.ixp_connection_id",
        }
    }

    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Direct => "direct_id",
            Self::Ixp => "ixp_id",
        }
    }
}

/// A session that a router should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its kind.
    pub kind: SessionKind,
    /// Its number.
    pub id: i64,
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's AS.
    pub asn: i64,
    /// The neighbour's name.
    pub name: String,
    /// Whether the router should have it; a session that is disabled or only asked for need not be there.
    pub wanted: bool,
    /// How many prefixes of this family the neighbour may send, if that is known.
    pub max_prefixes: Option<i64>,
    /// Our address in the session, where it is known.
    pub local_address: Option<IpAddr>,
    /// Our AS in the session, where it is known.
    pub local_asn: Option<i64>,
}

/// What a router says of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// The session's number.
    pub id: i64,
    /// One of the states of a session; `None`: the router does not know the session, or not for certain.
    pub state: Option<&'static str>,
    /// Prefixes received, 0 where unknown.
    pub received: i64,
    /// Prefixes accepted, 0 where unknown.
    pub accepted: i64,
    /// Prefixes advertised, 0 where unknown.
    pub advertised: i64,
    /// Why it went down last, in the router's words.
    pub last_error: Option<String>,
    /// Whether it has come near its limit of prefixes, or past it.
    pub near_limit: bool,
    /// The VRF in which the router has it; `None`: the router does not know it.
    pub vrf: Option<String>,
    /// The earliest moment at which an established session can have come up, where the router tells.
    pub up_since: Option<DateTime<Utc>>,
}

/// The state in which routes are exchanged.
const ESTABLISHED: &str = "established";

/// A [`Polled`] as it travels to the database.
const GIVEN: [(&str, ColumnKind); 9] = [
    ("id", ColumnKind::Integer),
    ("state", ColumnKind::Text),
    ("received", ColumnKind::Integer),
    ("accepted", ColumnKind::Integer),
    ("advertised", ColumnKind::Integer),
    ("last_error", ColumnKind::Text),
    ("near_limit", ColumnKind::Boolean),
    ("vrf", ColumnKind::Text),
    ("up_since", ColumnKind::Time),
];

/// What is kept for a session that no router speaks of.
pub const UNKNOWN: &str = "unknown";

/// All sessions of all routers that have polling enabled, by router: two statements.
///
/// # Errors
/// Those of the database.
pub async fn expected(session: &mut Session<'_>) -> Result<BTreeMap<i64, Vec<Expected>>, StoreError> {
    let mut found: BTreeMap<i64, Vec<Expected>> = BTreeMap::new();
    for kind in SessionKind::ALL {
        let (router, joins) = (kind.router(), kind.connection());
        let (more, addresses, own) = match kind {
            SessionKind::Direct => {
                ("", "s.local_ip_address, s.local_ip_address", "s.local_autonomous_system_id")
            }
            SessionKind::Ixp => (
                "LEFT JOIN peering_internetexchange x ON x.id = c.internet_exchange_point_id",
                "c.ipv4_address, c.ipv6_address",
                "x.local_autonomous_system_id",
            ),
        };
        let sql = format!(
            "SELECT r.id, s.id, s.ip_address, a.asn, a.name, a.ipv4_max_prefixes, a.ipv6_max_prefixes, s.status, \
             {addresses}, o.asn FROM {} s {joins} {more} JOIN devices_router r ON r.id = {router} \
             JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id \
             LEFT JOIN peering_autonomoussystem o ON o.id = {own} \
             WHERE r.poll_bgp_sessions_state ORDER BY s.id",
            kind.table()
        );
        session
            .each(&sql, vec![], |row| {
                let (router, expected) = read_expected(kind, &row)?;
                found.entry(router).or_default().push(expected);
                Ok(())
            })
            .await?;
    }
    Ok(found)
}

fn read_expected(kind: SessionKind, row: &Row) -> Result<(i64, Expected), StoreError> {
    let id: i64 = row.get(1)?;
    let of = || format!("the address of {} {id}", kind.table());
    let address = host(row, 2, of)?.ok_or_else(|| StoreError::Data(format!("{} is damaged", of())))?;
    let (ipv4, ipv6): (Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?);
    let status: String = row.get(7)?;
    let expected = Expected {
        wanted: is_wanted(&status),
        kind,
        id,
        address,
        asn: row.get(3)?,
        name: row.get(4)?,
        max_prefixes: if address.is_ipv4() { ipv4 } else { ipv6 }.filter(|&limit| limit > 0),
        local_address: host(row, if address.is_ipv4() { 8 } else { 9 }, of)?,
        local_asn: row.get(10)?,
    };
    Ok((row.get(0)?, expected))
}

/// Whether a session of this status should be on its router.
pub fn is_wanted(status: &str) -> bool {
    !["requested", "provisioning", "disabled", "decommissioning", "decommissioned"].contains(&status)
}

/// An address without its length; `of` says whose it is.
pub(crate) fn host(row: &Row, column: usize, of: impl Fn() -> String) -> Result<Option<IpAddr>, StoreError> {
    let Some(octets) = row.get::<Option<Vec<u8>>, _>(column)? else { return Ok(None) };
    let net = address::decode(&octets).ok_or_else(|| StoreError::Data(format!("{} is damaged", of())))?;
    Ok(Some(net.addr()))
}

/// Stores what one router says of its sessions of one kind, in the caller's transaction. A session that has been deleted
/// meanwhile is left out.
///
/// # Errors
/// Those of the database.
pub async fn store(
    session: &mut Session<'_>,
    kind: SessionKind,
    polled: &[Polled],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    if polled.is_empty() {
        return Ok(0);
    }
    let rows = polled.iter().map(|one| {
        [
            one.id.into(),
            one.state.unwrap_or(UNKNOWN).into(),
            one.received.into(),
            one.accepted.into(),
            one.advertised.into(),
            one.last_error.clone().into(),
            one.near_limit.into(),
            one.vrf.clone().into(),
            one.up_since.filter(|_| one.state == Some(ESTABLISHED)).into(),
        ]
    });
    let rows = Given::new(session.engine(), GIVEN, rows);
    let given = rows.table();
    let (table, column) = (kind.table(), kind.column());
    let sample = format!(
        "INSERT INTO peering_sessionsample ({column}, time, state, received, accepted, advertised) \
         SELECT g.id, ?, g.state, g.received, g.accepted, g.advertised FROM {given} \
         JOIN {table} s ON s.id = g.id LEFT JOIN peering_sessionpoll p ON p.{column} = g.id \
         WHERE p.{column} IS NULL OR p.state <> g.state OR s.received_prefix_count <> g.received \
         OR s.accepted_prefix_count <> g.accepted OR s.advertised_prefix_count <> g.advertised"
    );
    session.execute(&sample, [vec![now.into()], rows.values()].concat()).await?;
    let (note, first) = (note(kind, session.engine(), &given), first_note(kind, session.engine(), &given));
    session.execute(&note, [vec![now.into(); 3], rows.values()].concat()).await?;
    session.execute(&first, [vec![now.into(); 3], rows.values()].concat()).await?;
    let update = format!(
        "UPDATE {table} SET bgp_state = CASE WHEN g.state <> '{UNKNOWN}' THEN g.state END, \
         received_prefix_count = g.received, accepted_prefix_count = g.accepted, \
         advertised_prefix_count = g.advertised, \
         last_established_state = CASE WHEN g.state = 'established' THEN {time} ELSE last_established_state END \
         FROM {given} WHERE {table}.id = g.id",
        time = time_parameter(session.engine()),
    );
    session.execute(&update, [vec![now.into()], rows.values()].concat()).await
}

/// Notes how the sessions stand that have been polled before. One that came up after the poll before has been down since.
fn note(kind: SessionKind, engine: Engine, given: &str) -> String {
    let (column, time) = (kind.column(), time_parameter(engine));
    let again = "(g.up_since IS NOT NULL AND g.up_since > peering_sessionpoll.polled)";
    format!(
        "UPDATE peering_sessionpoll SET polled = {time}, \
         seen = CASE WHEN g.state <> '{UNKNOWN}' THEN {time} ELSE peering_sessionpoll.seen END, state = g.state, \
         since = CASE WHEN peering_sessionpoll.state = g.state AND NOT {again} THEN peering_sessionpoll.since \
         ELSE COALESCE(g.up_since, {time}) END, \
         last_error = COALESCE(g.last_error, peering_sessionpoll.last_error), near_limit = g.near_limit, \
         vrf = COALESCE(g.vrf, peering_sessionpoll.vrf), \
         flaps = peering_sessionpoll.flaps + CASE WHEN peering_sessionpoll.state = '{ESTABLISHED}' \
         AND (g.state NOT IN ('{ESTABLISHED}', '{UNKNOWN}') OR {again}) THEN 1 ELSE 0 END \
         FROM {given} WHERE peering_sessionpoll.{column} = g.id"
    )
}

/// Notes how the sessions stand that have not.
fn first_note(kind: SessionKind, engine: Engine, given: &str) -> String {
    let (table, column, time) = (kind.table(), kind.column(), time_parameter(engine));
    format!(
        "INSERT INTO peering_sessionpoll ({column}, polled, seen, state, since, last_error, near_limit, vrf) \
         SELECT g.id, {time}, CASE WHEN g.state <> '{UNKNOWN}' THEN {time} END, g.state, COALESCE(g.up_since, {time}), \
         g.last_error, g.near_limit, g.vrf FROM {given} JOIN {table} s ON s.id = g.id \
         WHERE NOT EXISTS (SELECT 1 FROM peering_sessionpoll p WHERE p.{column} = g.id)"
    )
}

/// Notes when a router was polled.
///
/// # Errors
/// Those of the database.
pub async fn stamp(session: &mut Session<'_>, router: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    let sql = "UPDATE devices_router SET poll_bgp_sessions_last_updated = ? WHERE id = ? AND poll_bgp_sessions_state";
    session.execute(sql, vec![now.into(), router.into()]).await?;
    Ok(())
}

/// PostgreSQL must be told what a bare parameter in an expression is.
const fn time_parameter(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "?",
        Engine::Postgres => "CAST(? AS TIMESTAMPTZ)",
    }
}

/// How fresh and how sure a session's state is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// When the router was asked last.
    pub polled: DateTime<Utc>,
    /// When the router knew the session last.
    pub seen: Option<DateTime<Utc>>,
    /// The state, or [`UNKNOWN`].
    pub state: String,
    /// Since when it is in this state, as far as polls can tell.
    pub since: DateTime<Utc>,
    /// Why it went down last.
    pub last_error: Option<String>,
    /// How often it was seen to go down.
    pub flaps: i64,
    /// Whether it had come near its limit of prefixes, or past it.
    pub near_limit: bool,
}

/// Columns of `peering_sessionpoll p` that [`Standing::read`] reads.
pub(crate) const STANDING: &str = "p.polled, p.seen, p.state, p.since, p.last_error, p.flaps, p.near_limit";

impl Standing {
    /// From [`STANDING`], the first of which is this column; `None` for a session that was never polled.
    pub(crate) fn read(row: &Row, first: usize) -> Result<Option<Self>, StoreError> {
        let Some(polled) = row.get(first)? else { return Ok(None) };
        Ok(Some(Self {
            polled,
            seen: row.get(first + 1)?,
            state: row.get(first + 2)?,
            since: row.get(first + 3)?,
            last_error: row.get(first + 4)?,
            flaps: row.get(first + 5)?,
            near_limit: row.get(first + 6)?,
        }))
    }
}

/// Where the sessions of a kind stand, by number; only those that have been polled.
///
/// # Errors
/// Those of the database.
pub async fn standings(
    session: &mut Session<'_>,
    kind: SessionKind,
) -> Result<BTreeMap<i64, Standing>, StoreError> {
    let column = kind.column();
    let sql =
        format!("SELECT p.{column}, {STANDING} FROM peering_sessionpoll p WHERE p.{column} IS NOT NULL");
    let mut found = BTreeMap::new();
    session
        .each(&sql, vec![], |row| {
            if let Some(standing) = Standing::read(&row, 1)? {
                found.insert(row.get(0)?, standing);
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

/// A state and counters that a session had from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sample {
    /// When it was first seen so.
    pub time: DateTime<Utc>,
    /// The state, or [`UNKNOWN`].
    pub state: String,
    /// Prefixes received.
    pub received: i64,
    /// Prefixes accepted.
    pub accepted: i64,
    /// Prefixes advertised.
    pub advertised: i64,
}

/// A session's history, the newest first, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn history(
    session: &mut Session<'_>,
    kind: SessionKind,
    id: i64,
    limit: i64,
) -> Result<Vec<Sample>, StoreError> {
    let sql = format!(
        "SELECT time, state, received, accepted, advertised FROM peering_sessionsample WHERE {} = ? \
         ORDER BY time DESC, id DESC LIMIT ?",
        kind.column()
    );
    let rows = session.rows(&sql, vec![id.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Sample {
                time: row.get(0)?,
                state: row.get(1)?,
                received: row.get(2)?,
                accepted: row.get(3)?,
                advertised: row.get(4)?,
            })
        })
        .collect()
}
