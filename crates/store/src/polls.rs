//! What routers say of sessions: the sessions to ask for, and what came of asking. However many sessions a router has, its
//! poll is stored with the same few statements.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::given::Given;
use crate::objects::sql::{among, id_list};
use crate::schema::ColumnKind;
use crate::statuses::{Wish, inherited};
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
    /// Whether the router should have it, by its status and by what stands above it.
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

/// What a [`Polled`] counts, as it travels to the database.
fn counted(engine: Engine, polled: &[Polled]) -> Given {
    const COLUMNS: [(&str, ColumnKind); 5] = [
        ("id", ColumnKind::Integer),
        ("state", ColumnKind::Text),
        ("received", ColumnKind::Integer),
        ("accepted", ColumnKind::Integer),
        ("advertised", ColumnKind::Integer),
    ];
    let rows = polled.iter().map(|one| {
        [
            one.id.into(),
            one.state.unwrap_or(UNKNOWN).into(),
            one.received.into(),
            one.accepted.into(),
            one.advertised.into(),
        ]
    });
    Given::new(engine, COLUMNS, rows)
}

/// How a [`Polled`] stands, as it travels to the database. By itself: what a statement does not need costs as much on its way
/// as what it needs.
fn stood(engine: Engine, polled: &[Polled]) -> Given {
    const COLUMNS: [(&str, ColumnKind); 6] = [
        ("id", ColumnKind::Integer),
        ("state", ColumnKind::Text),
        ("last_error", ColumnKind::Text),
        ("near_limit", ColumnKind::Boolean),
        ("vrf", ColumnKind::Text),
        ("up_since", ColumnKind::Time),
    ];
    let rows = polled.iter().map(|one| {
        [
            one.id.into(),
            one.state.unwrap_or(UNKNOWN).into(),
            one.last_error.clone().into(),
            one.near_limit.into(),
            one.vrf.clone().into(),
            one.up_since.filter(|_| one.state == Some(ESTABLISHED)).into(),
        ]
    });
    Given::new(engine, COLUMNS, rows)
}

/// What is kept for a session that no router speaks of.
pub const UNKNOWN: &str = "unknown";

/// All sessions of those of these routers that have polling enabled, by router: two statements.
///
/// # Errors
/// Those of the database.
pub async fn expected(
    session: &mut Session<'_>,
    routers: &[i64],
) -> Result<BTreeMap<i64, Vec<Expected>>, StoreError> {
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
            "SELECT r.id, s.id, s.ip_address, a.asn, a.name, a.ipv4_max_prefixes, a.ipv6_max_prefixes, {}, \
             {addresses}, o.asn FROM {} s {joins} {more} JOIN devices_router r ON r.id = {router} \
             JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id \
             LEFT JOIN peering_autonomoussystem o ON o.id = {own} \
             WHERE r.poll_bgp_sessions_state AND r.id {} ORDER BY s.id",
            inherited(kind),
            kind.table(),
            among(session.engine())
        );
        session
            .each(&sql, vec![id_list(routers)], |row| {
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
        wanted: Wish::of(&status).is_wanted(),
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

/// An address without its length; `of` says whose it is.
pub(crate) fn host(row: &Row, column: usize, of: impl Fn() -> String) -> Result<Option<IpAddr>, StoreError> {
    let Some(octets) = row.get::<Option<Vec<u8>>, _>(column)? else { return Ok(None) };
    let net = address::decode(&octets).ok_or_else(|| StoreError::Data(format!("{} is damaged", of())))?;
    Ok(Some(net.addr()))
}

/// Which of a router's sessions are no more what they were when they were read: deleted, or with another address, AS or
/// router. What the router says of these was said of somebody else. Until the caller's transaction ends, nobody changes the
/// others. However many there are, one statement for each kind, and on PostgreSQL one before it that holds them.
///
/// # Errors
/// Those of the database.
pub async fn changed(
    session: &mut Session<'_>,
    router: i64,
    read: &[Expected],
) -> Result<BTreeSet<(SessionKind, i64)>, StoreError> {
    let mut changed = BTreeSet::new();
    for kind in SessionKind::ALL {
        let of_kind = read.iter().filter(|one| one.kind == kind);
        let before: BTreeMap<i64, (IpAddr, i64)> =
            of_kind.map(|one| (one.id, (one.address, one.asn))).collect();
        if before.is_empty() {
            continue;
        }
        let now = places(session, router, kind, before.keys().copied()).await?;
        let gone = before.iter().filter(|(id, place)| now.get(id) != Some(place));
        changed.extend(gone.map(|(id, _)| (kind, *id)));
    }
    Ok(changed)
}

/// Address and AS of those of these sessions that are on the router. They are held first and read then: who changes them may
/// have been at it, and what a statement has begun to read beside them it does not read again.
async fn places(
    session: &mut Session<'_>,
    router: i64,
    kind: SessionKind,
    ids: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, (IpAddr, i64)>, StoreError> {
    let engine = session.engine();
    let given = Given::new(engine, [("id", ColumnKind::Integer)], ids.map(|id| [id.into()]));
    let (these, table) = (given.table(), kind.table());
    if engine == Engine::Postgres {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT s.id FROM {table} s JOIN {these} ON g.id = s.id ORDER BY s.id{}) held",
            locked(engine)
        );
        session.row(&sql, given.values()).await?;
    }
    let sql = format!(
        "SELECT s.id, s.ip_address, a.asn FROM {these} JOIN {table} s ON s.id = g.id {} \
         JOIN peering_autonomoussystem a ON a.id = s.autonomous_system_id WHERE {} = ?",
        kind.connection(),
        kind.router()
    );
    let mut values = given.values();
    values.push(router.into());
    let mut found = BTreeMap::new();
    session
        .each(&sql, values, |row| {
            let id: i64 = row.get(0)?;
            let address = host(&row, 1, || format!("the address of {table} {id}"))?;
            if let Some(address) = address {
                found.insert(id, (address, row.get(2)?));
            }
            Ok(())
        })
        .await?;
    Ok(found)
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
    let engine = session.engine();
    let (counted, stood) = (counted(engine, polled), stood(engine, polled));
    session.execute(&sample(kind, engine, &counted.table()), counted.after(vec![now.into()])).await?;
    let known =
        session.execute(&note(kind, engine, &stood.table()), stood.after(vec![now.into(); 3])).await?;
    if usize::try_from(known).is_ok_and(|known| known < polled.len()) {
        let first = first_note(kind, engine, &stood.table());
        session.execute(&first, stood.after(vec![now.into(); 3])).await?;
    }
    session.execute(&update(kind, engine, &counted.table()), counted.after(vec![now.into()])).await
}

/// Keeps the states and counters that are not those of the poll before.
fn sample(kind: SessionKind, engine: Engine, given: &str) -> String {
    let (table, column, locked) = (kind.table(), kind.column(), locked(engine));
    format!(
        "INSERT INTO peering_sessionsample ({column}, time, state, received, accepted, advertised) \
         SELECT g.id, ?, g.state, g.received, g.accepted, g.advertised FROM {given} \
         JOIN {table} s ON s.id = g.id LEFT JOIN peering_sessionpoll p ON p.{column} = g.id \
         WHERE p.{column} IS NULL OR p.state <> g.state OR s.received_prefix_count <> g.received \
         OR s.accepted_prefix_count <> g.accepted OR s.advertised_prefix_count <> g.advertised{locked}"
    )
}

/// Says in the sessions' own rows what people and templates see.
fn update(kind: SessionKind, engine: Engine, given: &str) -> String {
    let (table, time) = (kind.table(), time_parameter(engine));
    format!(
        "UPDATE {table} SET bgp_state = CASE WHEN g.state <> '{UNKNOWN}' THEN g.state END, \
         received_prefix_count = g.received, accepted_prefix_count = g.accepted, \
         advertised_prefix_count = g.advertised, \
         last_established_state = CASE WHEN g.state = 'established' THEN {time} ELSE last_established_state END \
         FROM {given} WHERE {table}.id = g.id"
    )
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
    let locked = locked(engine);
    format!(
        "INSERT INTO peering_sessionpoll ({column}, polled, seen, state, since, last_error, near_limit, vrf) \
         SELECT g.id, {time}, CASE WHEN g.state <> '{UNKNOWN}' THEN {time} END, g.state, COALESCE(g.up_since, {time}), \
         g.last_error, g.near_limit, g.vrf FROM {given} JOIN {table} s ON s.id = g.id \
         WHERE NOT EXISTS (SELECT 1 FROM peering_sessionpoll p WHERE p.{column} = g.id){locked}"
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

/// Holds the sessions `s` that a statement selects, so that nobody deletes them before the rows that it adds are there to be
/// taken along: on PostgreSQL those rows have no foreign key. SQLite has one writer at a time.
const fn locked(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => " FOR NO KEY UPDATE OF s",
    }
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
