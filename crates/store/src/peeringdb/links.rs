//! Which records of the cache our own objects are: connections are found by their addresses, exchanges by their
//! connections. Ids are kept when the cache is emptied, and found again from the addresses when it is filled; nothing is
//! guessed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::lookup::address_of;
use crate::database::placeholders;
use crate::objects::data::Data;
use crate::objects::models::{connection, hidden_peer, internet_exchange};
use crate::objects::problems::ObjectError;
use crate::objects::query::Query;
use crate::objects::read::displays;
use crate::objects::record::{Draft, Graph, Record};
use crate::objects::sql::{among, id_list};
use crate::objects::write::{self, Writing};
use crate::{Session, StoreError, Value, address};

/// Addresses that one statement carries.
const ADDRESSES: usize = 1_000;

/// What [`link`] did and saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Connections whose link changed.
    pub connections: usize,
    /// Exchanges whose link changed.
    pub exchanges: usize,
    /// A sentence per link that changed.
    pub changes: Vec<String>,
    /// A sentence per object that could not be linked, or no longer fits its link.
    pub unclear: Vec<String>,
    /// A sentence per object of which PeeringDB knows nothing.
    pub absent: Vec<String>,
}

/// A port of a network at an exchange, as the cache has it.
struct Port {
    id: i64,
    ixlan: Option<i64>,
    asn: Option<i64>,
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

/// Links connections and exchanges with the cache and logs what changes, in the caller's transaction. Nothing is done
/// while the cache holds no ports: it was emptied, and what was known stays. Hidden peers need no link; those of which the
/// cache knows nothing are named.
///
/// # Errors
/// Those of the database.
pub async fn link(session: &mut Session<'_>, writing: Writing<'_>) -> Result<Links, ObjectError> {
    let mut links = Links::default();
    let filled = session.row("SELECT id FROM peeringdb_networkixlan LIMIT 1", vec![]).await?;
    if filled.is_none() {
        return Ok(links);
    }
    let mut connections = Query::of(&connection::MODEL).order(&["id"]).without_lists().list(session).await?;
    let exchanges = Query::of(&internet_exchange::MODEL).order(&["id"]).without_lists().list(session).await?;
    let ports = ports(session, &connections).await?;
    link_connections(session, writing, &mut connections, &exchanges, &ports, &mut links).await?;
    link_exchanges(session, writing, &connections, &exchanges, &ports, &mut links).await?;
    hidden_peers(session, &mut links).await?;
    Ok(links)
}

/// The live ports that have an address of one of the connections, or are linked with one, by id.
async fn ports(session: &mut Session<'_>, connections: &[Record]) -> Result<BTreeMap<i64, Port>, StoreError> {
    let addresses: Vec<Value> = connections
        .iter()
        .flat_map(|connection| [connection.host("ipv4_address"), connection.host("ipv6_address")])
        .flatten()
        .map(|host| Value::from(address::encode_host(host)))
        .collect();
    let linked: Vec<i64> =
        connections.iter().filter_map(|connection| connection.integer("peeringdb_netixlan")).collect();
    let mut questions: Vec<(String, Vec<Value>)> =
        vec![(format!("id {}", among(session.engine())), vec![id_list(&linked)])];
    for chunk in addresses.chunks(ADDRESSES) {
        let marks = placeholders(chunk.len());
        questions.push((format!("ipaddr4 IN ({marks}) OR ipaddr6 IN ({marks})"), [chunk, chunk].concat()));
    }
    let mut ports = BTreeMap::new();
    for (condition, values) in questions {
        let sql = format!(
            "SELECT id, ixlan_id, asn, ipaddr4, ipaddr6 FROM peeringdb_networkixlan WHERE status = 'ok' AND ({condition})"
        );
        for row in session.rows(&sql, values).await? {
            let host = |column| Ok::<_, StoreError>(address_of(&row, column)?.map(|net| net.addr()));
            let port = Port {
                id: row.get("id")?,
                ixlan: row.get("ixlan_id")?,
                asn: row.get("asn")?,
                ipv4: host("ipaddr4")?,
                ipv6: host("ipaddr6")?,
            };
            ports.insert(port.id, port);
        }
    }
    Ok(ports)
}

/// What the addresses of a connection say about its port.
enum Match {
    /// It has no address.
    NoAddress,
    /// This port has the same addresses.
    One(i64),
    /// Several ports have them.
    Several(Vec<i64>),
    /// No port has both; these have one of them.
    None(Vec<i64>),
}

fn find(connection: &Record, asn: Option<i64>, ports: &BTreeMap<i64, Port>) -> Match {
    let (ipv4, ipv6) = (connection.host("ipv4_address"), connection.host("ipv6_address"));
    if ipv4.is_none() && ipv6.is_none() {
        return Match::NoAddress;
    }
    let mut same: Vec<&Port> = ports.values().filter(|port| (port.ipv4, port.ipv6) == (ipv4, ipv6)).collect();
    if same.len() > 1 {
        // A record that somebody else forgot to delete does not make ours unclear.
        let own: Vec<&Port> = same.iter().copied().filter(|port| asn.is_some() && port.asn == asn).collect();
        if own.len() == 1 {
            same = own;
        }
    }
    match same.as_slice() {
        [port] => Match::One(port.id),
        [] => {
            let near =
                |port: &&Port| ipv4.is_some() && port.ipv4 == ipv4 || ipv6.is_some() && port.ipv6 == ipv6;
            Match::None(ports.values().filter(near).map(|port| port.id).collect())
        }
        several => Match::Several(several.iter().map(|port| port.id).collect()),
    }
}

async fn link_connections(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    connections: &mut [Record],
    exchanges: &[Record],
    ports: &BTreeMap<i64, Port>,
    links: &mut Links,
) -> Result<(), ObjectError> {
    let names = displays(session, connections).await?;
    let graph = Graph::read(session, exchanges, &["local_autonomous_system"]).await?;
    let asns: HashMap<i64, i64> = exchanges
        .iter()
        .filter_map(|exchange| {
            Some((exchange.id, graph.follow(exchange, "local_autonomous_system")?.integer("asn")?))
        })
        .collect();
    let mut drafts = Vec::new();
    for (connection, name) in connections.iter_mut().zip(&names) {
        let was = connection.integer("peeringdb_netixlan");
        let asn = connection.integer("internet_exchange_point").and_then(|id| asns.get(&id).copied());
        let kept = was.filter(|id| ports.contains_key(id));
        let described = |ids: &[i64]| {
            let texts: Vec<String> = ids.iter().filter_map(|id| ports.get(id)).map(describe).collect();
            texts.join("; ")
        };
        let is = match find(connection, asn, ports) {
            Match::One(id) => Some(id),
            Match::NoAddress => kept,
            Match::Several(ids) => {
                links.unclear.push(format!(
                    "connection {name}: {} ports in PeeringDB have its addresses: {}",
                    ids.len(),
                    described(&ids)
                ));
                kept
            }
            Match::None(near) => {
                if !near.is_empty() {
                    links.unclear.push(format!(
                        "connection {name}: PeeringDB has other addresses beside one of its own: {}",
                        described(&near)
                    ));
                } else if let Some(id) = kept {
                    links.unclear.push(format!(
                        "connection {name}: PeeringDB now has other addresses: {}",
                        described(&[id])
                    ));
                } else {
                    links.absent.push(format!("connection {name}: no port in PeeringDB has its addresses"));
                }
                kept
            }
        };
        if is != was {
            links.changes.push(match is {
                Some(id) => format!("connection {name}: linked with netixlan {id}"),
                None => format!("connection {name}: its port is no longer in PeeringDB"),
            });
            drafts.push((connection.id, Draft::new(&connection::MODEL).with("peeringdb_netixlan", is)));
            connection.set("peeringdb_netixlan", is);
        }
    }
    links.connections = write::update(session, writing, &drafts).await?.len();
    Ok(())
}

fn describe(port: &Port) -> String {
    let text = |host: Option<IpAddr>| host.map_or_else(|| "-".to_owned(), |host| host.to_string());
    let asn = port.asn.map_or_else(|| "-".to_owned(), |asn| format!("AS{asn}"));
    format!("netixlan {} of {asn} with {} and {}", port.id, text(port.ipv4), text(port.ipv6))
}

async fn link_exchanges(
    session: &mut Session<'_>,
    writing: Writing<'_>,
    connections: &[Record],
    exchanges: &[Record],
    ports: &BTreeMap<i64, Port>,
    links: &mut Links,
) -> Result<(), ObjectError> {
    let mut lans: HashMap<i64, BTreeSet<i64>> = HashMap::new();
    for connection in connections {
        let port = connection.integer("peeringdb_netixlan").and_then(|id| ports.get(&id));
        if let (Some(exchange), Some(lan)) =
            (connection.integer("internet_exchange_point"), port.and_then(|port| port.ixlan))
        {
            lans.entry(exchange).or_default().insert(lan);
        }
    }
    let linked: Vec<i64> =
        exchanges.iter().filter_map(|exchange| exchange.integer("peeringdb_ixlan")).collect();
    let there = live(session, "peeringdb_ixlan", &linked).await?;
    let mut drafts = Vec::new();
    for exchange in exchanges {
        let name = exchange.text("name");
        let was = exchange.integer("peeringdb_ixlan");
        let kept = was.filter(|id| there.contains(id));
        let found: Vec<i64> = lans.get(&exchange.id).into_iter().flatten().copied().collect();
        let is = match found.as_slice() {
            [lan] => Some(*lan),
            [] => kept,
            several => {
                let several: Vec<String> = several.iter().map(ToString::to_string).collect();
                links.unclear.push(format!(
                    "Internet exchange {name}: its connections are on several LANs in PeeringDB: {}",
                    several.join(", ")
                ));
                kept
            }
        };
        if is != was {
            links.changes.push(match is {
                Some(id) => format!("Internet exchange {name}: linked with ixlan {id}"),
                None => format!("Internet exchange {name}: its LAN is no longer in PeeringDB"),
            });
            drafts.push((exchange.id, Draft::new(&internet_exchange::MODEL).with("peeringdb_ixlan", is)));
        } else if is.is_none() {
            links.absent.push(format!("Internet exchange {name}: none of its connections is in PeeringDB"));
        }
    }
    links.exchanges = write::update(session, writing, &drafts).await?.len();
    Ok(())
}

async fn hidden_peers(session: &mut Session<'_>, links: &mut Links) -> Result<(), ObjectError> {
    let peers = Query::of(&hidden_peer::MODEL).order(&["id"]).list(session).await?;
    for (field, table, what) in
        [("peeringdb_network", "peeringdb_network", "network"), ("peeringdb_ixlan", "peeringdb_ixlan", "LAN")]
    {
        let ids: Vec<i64> = peers.iter().filter_map(|peer| peer.integer(field)).collect();
        let there = live(session, table, &ids).await?;
        for peer in &peers {
            if let Data::Integer(id) = peer.get(field)
                && !there.contains(id)
            {
                links.absent.push(format!("hidden peer {}: its {what} {id} is not in PeeringDB", peer.id));
            }
        }
    }
    Ok(())
}

async fn live(session: &mut Session<'_>, table: &str, ids: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
    let sql = format!("SELECT id FROM {table} WHERE status = 'ok' AND id {}", among(session.engine()));
    session.rows(&sql, vec![id_list(ids)]).await?.iter().map(|row| row.get("id")).collect()
}
