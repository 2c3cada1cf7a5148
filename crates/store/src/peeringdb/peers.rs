//! Whom to peer with: the ports of other networks on LANs of the cache.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::Serialize;

use super::lookup::address_of;
use crate::objects::sql::{among, id_list};
use crate::{Session, StoreError, Value};

/// A live port of a live network on a LAN.
#[derive(Clone, Debug, Serialize)]
pub struct Port {
    /// PeeringDB's id of the netixlan.
    pub id: i64,
    /// PeeringDB's id of the LAN.
    pub ixlan: i64,
    /// PeeringDB's id of the network.
    pub network_id: i64,
    /// AS number.
    pub asn: i64,
    /// The network's name.
    pub network: String,
    /// IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// Mbit/s.
    pub speed: Option<i64>,
    /// Whether it peers with the route servers.
    pub is_rs_peer: bool,
    /// Whether the port is in use.
    pub operational: bool,
    /// AS-SET or several.
    pub irr_as_set: Option<String>,
    /// `Open`, `Selective`, ….
    pub policy: Option<String>,
    /// Whether it is on the list of hidden peers now.
    pub hidden: bool,
}

/// A LAN, the exchange that it belongs to, and its prefixes.
#[derive(Clone, Debug, Serialize)]
pub struct Lan {
    /// PeeringDB's id of the LAN.
    pub id: i64,
    /// PeeringDB's id of the exchange.
    pub ix_id: i64,
    /// The exchange's name.
    pub ix: String,
    /// The LAN's own name, often empty.
    pub name: String,
    /// Its prefixes.
    pub prefixes: Vec<IpNet>,
}

const PORTS: &str = "SELECT p.id, p.ixlan_id, p.net_id, p.asn, n.name, p.ipaddr6, p.ipaddr4, p.speed, p.is_rs_peer, \
    p.operational, n.irr_as_set, n.policy_general, h.id AS hidden FROM peeringdb_networkixlan p \
    JOIN peeringdb_network n ON n.id = p.net_id \
    LEFT JOIN peeringdb_hiddenpeer h ON h.peeringdb_network = p.net_id AND h.peeringdb_ixlan = p.ixlan_id \
    AND (h.until IS NULL OR h.until > ?) \
    WHERE p.status = 'ok' AND n.status = 'ok' AND p.asn IS NOT NULL AND p.ixlan_id IS NOT NULL";

/// Everybody's ports on these LANs, by AS number.
pub async fn ports_on(
    session: &mut Session<'_>,
    ixlans: &[i64],
    now: DateTime<Utc>,
) -> Result<Vec<Port>, StoreError> {
    let sql = format!("{PORTS} AND p.ixlan_id {} ORDER BY p.asn, p.id", among(session.engine()));
    ports(session, &sql, vec![now.into(), id_list(ixlans)]).await
}

/// The ports of one network, everywhere.
pub async fn ports_of(
    session: &mut Session<'_>,
    asn: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Port>, StoreError> {
    ports(session, &format!("{PORTS} AND p.asn = ? ORDER BY p.ixlan_id, p.id"), vec![now.into(), asn.into()])
        .await
}

async fn ports(session: &mut Session<'_>, sql: &str, values: Vec<Value>) -> Result<Vec<Port>, StoreError> {
    session
        .rows(sql, values)
        .await?
        .iter()
        .map(|row| {
            let host = |column| Ok::<_, StoreError>(address_of(row, column)?.map(|net| net.addr()));
            let text = |column| {
                Ok::<_, StoreError>(row.get::<Option<String>, _>(column)?.filter(|text| !text.is_empty()))
            };
            Ok(Port {
                id: row.get("id")?,
                ixlan: row.get("ixlan_id")?,
                network_id: row.get("net_id")?,
                asn: row.get("asn")?,
                network: text("name")?.unwrap_or_default(),
                ipv6: host("ipaddr6")?,
                ipv4: host("ipaddr4")?,
                speed: row.get("speed")?,
                is_rs_peer: row.get::<Option<bool>, _>("is_rs_peer")?.unwrap_or_default(),
                operational: row.get::<Option<bool>, _>("operational")?.unwrap_or(true),
                irr_as_set: text("irr_as_set")?,
                policy: text("policy_general")?,
                hidden: row.get::<Option<i64>, _>("hidden")?.is_some(),
            })
        })
        .collect()
}

/// Those of these AS numbers whose live network calls itself a route server.
pub async fn route_servers(session: &mut Session<'_>, asns: &[i64]) -> Result<Vec<i64>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT asn FROM peeringdb_network WHERE status = 'ok' AND (info_type = 'Route Server' \
         OR info_types LIKE '%\"Route Server\"%') AND asn {}",
        among(session.engine())
    );
    session.rows(&sql, vec![id_list(asns)]).await?.iter().map(|row| row.get(0)).collect()
}

/// These LANs, as far as they and their exchanges are live, by id.
pub async fn lans(session: &mut Session<'_>, ixlans: &[i64]) -> Result<Vec<Lan>, StoreError> {
    let sql = format!(
        "SELECT l.id, l.name, i.id AS ix_id, i.name AS ix, x.prefix FROM peeringdb_ixlan l \
         JOIN peeringdb_internetexchange i ON i.id = l.ix_id \
         LEFT JOIN peeringdb_ixlanprefix x ON x.ixlan_id = l.id AND x.status = 'ok' \
         WHERE l.status = 'ok' AND i.status = 'ok' AND l.id {} ORDER BY l.id, x.prefix",
        among(session.engine())
    );
    let mut lans: Vec<Lan> = Vec::new();
    for row in session.rows(&sql, vec![id_list(ixlans)]).await? {
        let id = row.get("id")?;
        if lans.last().is_none_or(|lan| lan.id != id) {
            lans.push(Lan {
                id,
                ix_id: row.get("ix_id")?,
                ix: row.get::<Option<String>, _>("ix")?.unwrap_or_default(),
                name: row.get::<Option<String>, _>("name")?.unwrap_or_default(),
                prefixes: Vec::new(),
            });
        }
        if let (Some(lan), Some(prefix)) = (lans.last_mut(), address_of(&row, "prefix")?) {
            lan.prefixes.push(prefix);
        }
    }
    Ok(lans)
}
