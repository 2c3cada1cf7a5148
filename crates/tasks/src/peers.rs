//! Who of a LAN could be peered with, and sessions with them.
//!
//! An address is available while a connection of ours to that exchange has no session with it. A connection counts for
//! the address families in which it has an address itself, or for both if it has none.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use pm_store::Session;
use pm_store::objects::models::{
    autonomous_system, connection, internet_exchange, internet_exchange_peering_session,
};
use pm_store::objects::problems::{ObjectError, Rules};
use pm_store::objects::query::Query;
use pm_store::objects::read::displays;
use pm_store::objects::record::{Draft, Graph, Record};
use pm_store::objects::write;
use pm_store::peeringdb::peers::{Port, ports_on};
use serde::Serialize;

use crate::exchanges::exchange_named;
use crate::{Editor, systems};

/// A port of somebody whom we could have sessions with.
#[derive(Clone, Debug, Serialize)]
pub struct Available {
    /// The exchange's name.
    pub exchange: String,
    /// The port, as the cache has it.
    #[serde(flatten)]
    pub port: Port,
    /// The sessions that are not there.
    pub missing: Vec<Missing>,
}

/// A session that could be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The number of our connection.
    pub connection: i64,
    /// What a person calls it.
    pub connection_name: String,
    /// The peer's address.
    pub ip_address: IpAddr,
}

/// What [`create`] did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Created {
    /// AS numbers that were added.
    pub autonomous_systems: Vec<i64>,
    /// Sessions that were made.
    pub sessions: Vec<NewSession>,
    /// A sentence per peer, address or connection that was passed over.
    pub skipped: Vec<String>,
}

/// A session that was made.
#[derive(Clone, Debug, Serialize)]
pub struct NewSession {
    /// The peer's AS number.
    pub asn: i64,
    /// What a person calls our connection.
    pub connection: String,
    /// The peer's address.
    pub ip_address: IpAddr,
}

/// An exchange with what is ours there.
struct Place {
    exchange: Record,
    local_asn: Option<i64>,
    connections: Vec<(Record, String)>,
    taken: HashSet<(i64, IpAddr)>,
}

impl Place {
    fn missing(&self, port: &Port) -> Vec<Missing> {
        let mut missing = Vec::new();
        for address in [port.ipv6, port.ipv4].into_iter().flatten() {
            for (connection, name) in &self.connections {
                if speaks(connection, address) && !self.taken.contains(&(connection.id, address)) {
                    missing.push(Missing {
                        connection: connection.id,
                        connection_name: name.clone(),
                        ip_address: address,
                    });
                }
            }
        }
        missing
    }

    fn is_own(&self, port: &Port) -> bool {
        Some(port.asn) == self.local_asn
            || self.connections.iter().any(|(own, _)| own.integer("peeringdb_netixlan") == Some(port.id))
    }
}

fn speaks(connection: &Record, address: IpAddr) -> bool {
    let (ipv4, ipv6) = (connection.host("ipv4_address"), connection.host("ipv6_address"));
    let own = if address.is_ipv4() { ipv4 } else { ipv6 };
    own.is_some() || ipv4.is_none() && ipv6.is_none()
}

/// Everybody whom we could have more sessions with: at this exchange or at all, of this network or of all. Own ports, and
/// unless asked for hidden peers, are left out. In the order of exchanges, AS numbers and ports.
///
/// # Errors
/// [`ObjectError::Question`] for an exchange that is not there or cannot be looked for in the cache.
pub async fn available(
    editor: &Editor,
    exchange: Option<&str>,
    asn: Option<i64>,
    with_hidden: bool,
) -> Result<Vec<Available>, ObjectError> {
    let mut transaction = editor.store.begin_reading().await?;
    let mut session = transaction.session();
    let places = match exchange {
        Some(name) => vec![place(&mut session, name).await?],
        None => places(&mut session, Query::of(&internet_exchange::MODEL)).await?,
    };
    let lans: Vec<i64> =
        places.iter().filter_map(|place| place.exchange.integer("peeringdb_ixlan")).collect();
    let mut ports: BTreeMap<i64, Vec<Port>> = BTreeMap::new();
    for port in ports_on(&mut session, &lans, editor.now).await? {
        if asn.is_none_or(|asn| asn == port.asn) && (with_hidden || !port.hidden) {
            ports.entry(port.ixlan).or_default().push(port);
        }
    }
    let mut found = Vec::new();
    for place in &places {
        let lan = place.exchange.integer("peeringdb_ixlan");
        for port in lan.and_then(|lan| ports.get(&lan)).into_iter().flatten() {
            let missing = place.missing(port);
            if !missing.is_empty() && !place.is_own(port) {
                found.push(Available {
                    exchange: place.exchange.text("name").to_owned(),
                    port: port.clone(),
                    missing,
                });
            }
        }
    }
    Ok(found)
}

/// Makes the sessions that are not there with these networks at this exchange, and the autonomous systems that are not
/// there, all in one transaction.
///
/// # Errors
/// [`ObjectError::Question`] as [`available`]; what the rules of sessions forbid.
pub async fn create(
    editor: &Editor,
    exchange: &str,
    asns: &[i64],
    status: Option<&str>,
    dry_run: bool,
) -> Result<Created, ObjectError> {
    let mut transaction = editor.store.begin().await?;
    let mut session = transaction.session();
    let place = place(&mut session, exchange).await?;
    let lan = place.exchange.integer("peeringdb_ixlan").into_iter().collect::<Vec<_>>();
    let ports = ports_on(&mut session, &lan, editor.now).await?;
    let mut created = Created::default();
    let mut wanted: Vec<(i64, Missing)> = Vec::new();
    let mut seen = HashSet::new();
    for asn in asns.iter().filter(|asn| seen.insert(**asn)) {
        wanted.extend(choose(&place, *asn, &ports, &mut created.skipped).into_iter().map(|one| (*asn, one)));
    }
    let mut with_sessions: Vec<i64> = wanted.iter().map(|(asn, _)| *asn).collect();
    with_sessions.dedup();
    let new = systems::create_missing(editor.writing(editor.rules), &mut session, &with_sessions).await?;
    created.autonomous_systems = new.iter().filter_map(|system| system.integer("asn")).collect();
    let numbers: HashMap<i64, i64> = Query::of(&autonomous_system::MODEL)
        .filter_any("asn", with_sessions.iter().map(|asn| (*asn).into()).collect())
        .without_lists()
        .list(&mut session)
        .await?
        .iter()
        .filter_map(|system| Some((system.integer("asn")?, system.id)))
        .collect();
    let drafts: Vec<Draft> = wanted
        .iter()
        .map(|(asn, missing)| {
            let mut draft = Draft::new(&internet_exchange_peering_session::MODEL)
                .with("autonomous_system", numbers.get(asn).copied())
                .with("ixp_connection", missing.connection)
                .with("ip_address", missing.ip_address);
            if let Some(status) = status {
                draft = draft.with("status", status);
            }
            draft
        })
        .collect();
    write::create(&mut session, editor.writing(Rules { checked: true, ..editor.rules }), &drafts).await?;
    created.sessions = wanted
        .into_iter()
        .map(|(asn, missing)| NewSession {
            asn,
            connection: missing.connection_name,
            ip_address: missing.ip_address,
        })
        .collect();
    if dry_run {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(created)
}

/// The sessions to be made with one network, after a word about all that are not.
fn choose(place: &Place, asn: i64, ports: &[Port], skipped: &mut Vec<String>) -> Vec<Missing> {
    let name = place.exchange.text("name");
    let ports: Vec<&Port> = ports.iter().filter(|port| port.asn == asn).collect();
    if ports.is_empty() {
        skipped.push(format!("AS{asn} has no port at {name} in PeeringDB"));
    }
    let mut chosen = Vec::new();
    for port in ports {
        let missing = place.missing(port);
        if place.is_own(port) {
            skipped.push(format!("AS{asn} is our own at {name}"));
        } else if port.hidden {
            skipped.push(format!("AS{asn} is a hidden peer at {name}; show it again before making sessions"));
        } else if port.ipv4.is_none() && port.ipv6.is_none() {
            skipped.push(format!("AS{asn} has a port at {name} without addresses (netixlan {})", port.id));
        } else {
            for address in [port.ipv6, port.ipv4].into_iter().flatten() {
                for (connection, called) in &place.connections {
                    if !speaks(connection, address) {
                        skipped.push(format!(
                            "AS{asn} {address}: connection {called} has no address of that family"
                        ));
                    } else if place.taken.contains(&(connection.id, address)) {
                        skipped.push(format!("AS{asn} {address}: there is a session on connection {called}"));
                    }
                }
            }
            chosen.extend(missing);
        }
    }
    // Two records with one address are one peer.
    let mut seen = HashSet::new();
    chosen.retain(|missing| seen.insert((missing.connection, missing.ip_address)));
    chosen
}

/// The exchange of this slug, name or number.
async fn place(session: &mut Session<'_>, name: &str) -> Result<Place, ObjectError> {
    let wrong = |text: String| Err(ObjectError::Question(text));
    let exchange = exchange_named(session, name).await?;
    let one = Query::of(&internet_exchange::MODEL).ids(vec![exchange.id]);
    let Some(place) = places(session, one).await?.pop() else {
        return wrong(format!("there is no Internet exchange {name}"));
    };
    let name = place.exchange.text("name");
    if place.exchange.integer("peeringdb_ixlan").is_none() {
        return wrong(format!(
            "Internet exchange {name} is not linked with PeeringDB: its connections need the addresses that PeeringDB has, \
             or set its peeringdb_ixlan"
        ));
    }
    if place.connections.is_empty() {
        return wrong(format!("Internet exchange {name} has no connection of ours"));
    }
    Ok(place)
}

/// Exchanges with their connections and sessions, in a fixed number of statements.
async fn places(session: &mut Session<'_>, query: Query) -> Result<Vec<Place>, ObjectError> {
    let exchanges = query.list(session).await?;
    let graph = Graph::read(session, &exchanges, &["local_autonomous_system"]).await?;
    let connections = Query::of(&connection::MODEL).list(session).await?;
    let names = displays(session, &connections).await?;
    let mut taken: HashMap<i64, HashSet<(i64, IpAddr)>> = HashMap::new();
    let places: HashMap<i64, i64> = connections
        .iter()
        .filter_map(|connection| Some((connection.id, connection.integer("internet_exchange_point")?)))
        .collect();
    let sessions = Query::of(&internet_exchange_peering_session::MODEL).without_lists().order(&[]);
    for peering in sessions.list(session).await? {
        if let (Some(connection), Some(host)) =
            (peering.integer("ixp_connection"), peering.host("ip_address"))
            && let Some(exchange) = places.get(&connection)
        {
            taken.entry(*exchange).or_default().insert((connection, host));
        }
    }
    let mut by_exchange: HashMap<i64, Vec<(Record, String)>> = HashMap::new();
    for (connection, name) in connections.into_iter().zip(names) {
        if let Some(exchange) = connection.integer("internet_exchange_point") {
            by_exchange.entry(exchange).or_default().push((connection, name));
        }
    }
    Ok(exchanges
        .into_iter()
        .map(|exchange| Place {
            local_asn: graph.follow(&exchange, "local_autonomous_system").and_then(|own| own.integer("asn")),
            connections: by_exchange.remove(&exchange.id).unwrap_or_default(),
            taken: taken.remove(&exchange.id).unwrap_or_default(),
            exchange,
        })
        .collect())
}
