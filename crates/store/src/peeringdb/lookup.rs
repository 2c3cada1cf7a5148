//! Questions to the cache. Only live records (`status = 'ok'`) are seen; what hangs on a parent is joined to it, so
//! a dangling record does not show where its parent is needed.

use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::feed::CacheRow;
use super::tables::{CacheTable, table_of};
use crate::database::placeholders;
use crate::schema::{Column, ColumnKind};
use crate::{Row, Session, Store, StoreError, Value, address};

/// What the cache holds of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The namespace.
    pub namespace: &'static str,
    /// Rows.
    pub records: i64,
    /// Rows whose required parent is missing.
    pub dangling: i64,
}

/// Where a network is present.
#[derive(Clone, Debug, Serialize)]
pub struct Presence {
    /// PeeringDB's id of the netixlan.
    pub id: i64,
    /// The network's AS number there.
    pub asn: Option<i64>,
    /// The network's name.
    pub network: String,
    /// PeeringDB's id of the exchange.
    pub ix_id: i64,
    /// The exchange's name.
    pub ix: String,
    /// Mbit/s.
    pub speed: Option<i64>,
    /// IPv4 address.
    pub ipaddr4: Option<String>,
    /// IPv6 address.
    pub ipaddr6: Option<String>,
    /// Whether it peers with the route servers.
    pub is_rs_peer: Option<bool>,
    /// Whether the port is in use.
    pub operational: Option<bool>,
}

/// One LAN of an exchange.
#[derive(Clone, Debug, Serialize)]
pub struct Lan {
    /// PeeringDB's id.
    pub id: i64,
    /// Its name, often empty.
    pub name: String,
    /// Octets.
    pub mtu: Option<i64>,
    /// Its prefixes.
    pub prefixes: Vec<String>,
}

/// Rows per namespace, in the order of [`super::tables::TABLES`].
pub async fn held(store: &Store) -> Result<Vec<Held>, StoreError> {
    let parts: Vec<String> = super::tables::TABLES
        .iter()
        .map(|table| {
            format!(
                "SELECT '{}' AS namespace, COUNT(*) AS records, COALESCE(SUM(CASE WHEN dangling THEN 1 ELSE 0 END), 0) \
                 AS dangling FROM {}",
                table.namespace, table.table
            )
        })
        .collect();
    let rows = store.rows(&parts.join(" UNION ALL "), vec![]).await?;
    rows.iter()
        .map(|row| {
            let namespace: String = row.get("namespace")?;
            let table =
                table_of(&namespace).ok_or_else(|| StoreError::Data(format!("namespace {namespace}")))?;
            Ok(Held {
                namespace: table.namespace,
                records: row.get("records")?,
                dangling: row.get("dangling")?,
            })
        })
        .collect()
}

/// The live network with this AS number, every field. Where two have it (one of them about to go), the one changed
/// last.
pub async fn network(store: &Store, asn: i64) -> Result<Option<Map<String, Json>>, StoreError> {
    one(store, "net", "asn = ? AND status = 'ok' ORDER BY updated DESC, id DESC", vec![asn.into()]).await
}

/// The live exchange with this id, every field.
pub async fn exchange(store: &Store, id: i64) -> Result<Option<Map<String, Json>>, StoreError> {
    one(store, "ix", "id = ? AND status = 'ok'", vec![id.into()]).await
}

/// The live networks of these AS numbers; where two have a number, the one changed last comes last.
pub async fn networks_of(session: &mut Session<'_>, asns: &[i64]) -> Result<Vec<NetworkDetails>, StoreError> {
    let mut found = Vec::new();
    for chunk in asns.chunks(1000) {
        let condition = format!("asn IN ({})", placeholders(chunk.len()));
        found.extend(
            network_details(session, &condition, chunk.iter().map(|asn| Value::from(*asn)).collect()).await?,
        );
    }
    Ok(found)
}

/// The live networks of the autonomous systems that we keep; where two have a number, the one changed last comes last.
pub async fn networks_of_own(session: &mut Session<'_>) -> Result<Vec<NetworkDetails>, StoreError> {
    network_details(session, "asn IN (SELECT asn FROM peering_autonomoussystem)", vec![]).await
}

async fn network_details(
    session: &mut Session<'_>,
    condition: &str,
    values: Vec<Value>,
) -> Result<Vec<NetworkDetails>, StoreError> {
    let sql = format!(
        "SELECT id, asn, name, irr_as_set, info_prefixes4, info_prefixes6 FROM peeringdb_network \
         WHERE status = 'ok' AND asn IS NOT NULL AND {condition} ORDER BY updated, id"
    );
    session
        .rows(&sql, values)
        .await?
        .iter()
        .map(|row| {
            Ok(NetworkDetails {
                id: row.get("id")?,
                asn: row.get("asn")?,
                name: row.get("name")?,
                irr_as_set: row.get("irr_as_set")?,
                info_prefixes4: row.get("info_prefixes4")?,
                info_prefixes6: row.get("info_prefixes6")?,
            })
        })
        .collect()
}

/// What an autonomous system takes from its network in PeeringDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkDetails {
    /// PeeringDB's id.
    pub id: i64,
    /// AS number.
    pub asn: i64,
    /// Name.
    pub name: Option<String>,
    /// AS-SET or several.
    pub irr_as_set: Option<String>,
    /// Recommended IPv4 limit.
    pub info_prefixes4: Option<i64>,
    /// Recommended IPv6 limit.
    pub info_prefixes6: Option<i64>,
}

/// Contacts of a network, in id order.
pub async fn contacts(store: &Store, net_id: i64) -> Result<Vec<Map<String, Json>>, StoreError> {
    many(store, "poc", "net_id = ? AND status = 'ok' ORDER BY id", vec![net_id.into()]).await
}

/// Exchanges at which a network is present, by name.
pub async fn presences_of(store: &Store, net_id: i64) -> Result<Vec<Presence>, StoreError> {
    presences(store, "p.net_id = ?", "i.name, p.id", net_id).await
}

/// Networks that are present at an exchange, by AS number.
pub async fn members_of(store: &Store, ix_id: i64) -> Result<Vec<Presence>, StoreError> {
    presences(store, "i.id = ?", "p.asn, p.id", ix_id).await
}

/// LANs of an exchange with their prefixes.
pub async fn lans_of(store: &Store, ix_id: i64) -> Result<Vec<Lan>, StoreError> {
    let rows = store
        .rows(
            "SELECT l.id, l.name, l.mtu, x.prefix FROM peeringdb_ixlan l LEFT JOIN peeringdb_ixlanprefix x \
             ON x.ixlan_id = l.id AND x.status = 'ok' WHERE l.ix_id = ? AND l.status = 'ok' ORDER BY l.id, x.prefix",
            vec![ix_id.into()],
        )
        .await?;
    let mut lans: Vec<Lan> = Vec::new();
    for row in rows {
        let id = row.get("id")?;
        if lans.last().is_none_or(|lan| lan.id != id) {
            let name = row.get::<Option<String>, _>("name")?.unwrap_or_default();
            lans.push(Lan { id, name, mtu: row.get("mtu")?, prefixes: Vec::new() });
        }
        if let (Some(lan), Some(net)) = (lans.last_mut(), address_of(&row, "prefix")?) {
            lan.prefixes.push(net.to_string());
        }
    }
    Ok(lans)
}

/// Live records of a namespace in id order, one at a time.
pub async fn each_live(
    session: &mut Session<'_>,
    table: &CacheTable,
    mut consume: impl FnMut(CacheRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT * FROM {} WHERE status = 'ok' ORDER BY id", table.table);
    session.each(&sql, vec![], |row| consume(cache_row(&row, table)?)).await
}

/// A row of the cache, or of a staging table, as it went in.
pub(crate) fn cache_row(row: &Row, table: &CacheTable) -> Result<CacheRow, StoreError> {
    let values = table.columns.iter().map(|column| value_of(row, column)).collect::<Result<_, _>>()?;
    Ok(CacheRow {
        id: row.get("id")?,
        status: row.get("status")?,
        created: row.get("created")?,
        updated: row.get("updated")?,
        extra: row.get("extra")?,
        values,
    })
}

/// A record as column name to JSON, for people and for comparing field by field.
pub fn record_json(row: &CacheRow, table: &CacheTable) -> Map<String, Json> {
    let mut record = Map::new();
    record.insert("id".into(), row.id.into());
    for (column, value) in table.columns.iter().zip(&row.values) {
        record.insert(column.name.into(), json_of(column.kind, value));
    }
    if let Some(Ok(Json::Object(extra))) = row.extra.as_deref().map(serde_json::from_str) {
        record.extend(extra);
    }
    record
}

async fn one(
    store: &Store,
    namespace: &str,
    tail: &str,
    values: Vec<Value>,
) -> Result<Option<Map<String, Json>>, StoreError> {
    Ok(many(store, namespace, &format!("{tail} LIMIT 1"), values).await?.into_iter().next())
}

async fn many(
    store: &Store,
    namespace: &str,
    tail: &str,
    values: Vec<Value>,
) -> Result<Vec<Map<String, Json>>, StoreError> {
    let table = table_of(namespace).ok_or_else(|| StoreError::Data(format!("namespace {namespace}")))?;
    let rows = store.rows(&format!("SELECT * FROM {} WHERE {tail}", table.table), values).await?;
    rows.iter().map(|row| Ok(record_json(&cache_row(row, table)?, table))).collect()
}

async fn presences(
    store: &Store,
    condition: &str,
    order: &str,
    id: i64,
) -> Result<Vec<Presence>, StoreError> {
    let sql = format!(
        "SELECT p.id, p.asn, n.name AS network, i.id AS ix_id, i.name AS ix, p.speed, p.ipaddr4, p.ipaddr6, \
         p.is_rs_peer, p.operational FROM peeringdb_networkixlan p JOIN peeringdb_network n ON n.id = p.net_id \
         JOIN peeringdb_ixlan l ON l.id = p.ixlan_id JOIN peeringdb_internetexchange i ON i.id = l.ix_id \
         WHERE p.status = 'ok' AND n.status = 'ok' AND l.status = 'ok' AND i.status = 'ok' AND {condition} ORDER BY {order}"
    );
    let rows = store.rows(&sql, vec![id.into()]).await?;
    rows.iter()
        .map(|row| {
            let text = |net: Option<IpNet>| net.map(|net| net.addr().to_string());
            Ok(Presence {
                id: row.get("id")?,
                asn: row.get("asn")?,
                network: row.get::<Option<String>, _>("network")?.unwrap_or_default(),
                ix_id: row.get("ix_id")?,
                ix: row.get::<Option<String>, _>("ix")?.unwrap_or_default(),
                speed: row.get("speed")?,
                ipaddr4: text(address_of(row, "ipaddr4")?),
                ipaddr6: text(address_of(row, "ipaddr6")?),
                is_rs_peer: row.get("is_rs_peer")?,
                operational: row.get("operational")?,
            })
        })
        .collect()
}

pub(super) fn address_of(row: &Row, column: &str) -> Result<Option<IpNet>, StoreError> {
    row.get::<Option<Vec<u8>>, _>(column)?
        .map(|octets| {
            address::decode(&octets)
                .ok_or_else(|| StoreError::Data(format!("column {column} does not hold an address")))
        })
        .transpose()
}

fn value_of(row: &Row, column: &Column) -> Result<Value, StoreError> {
    Ok(match column.kind {
        ColumnKind::Integer => Value::Integer(row.get(column.name)?),
        ColumnKind::Boolean => Value::Boolean(row.get(column.name)?),
        ColumnKind::Float => Value::Float(row.get(column.name)?),
        ColumnKind::Text | ColumnKind::Json => Value::Text(row.get(column.name)?),
        ColumnKind::Time => Value::Time(row.get(column.name)?),
        ColumnKind::Address => Value::Bytes(row.get(column.name)?),
    })
}

fn json_of(kind: ColumnKind, value: &Value) -> Json {
    match value {
        Value::Integer(Some(v)) => (*v).into(),
        Value::Boolean(Some(v)) => (*v).into(),
        Value::Float(Some(v)) => (*v).into(),
        Value::Text(Some(v)) if kind == ColumnKind::Json => serde_json::from_str(v).unwrap_or_default(),
        Value::Text(Some(v)) => v.as_str().into(),
        Value::Time(Some(v)) => v.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into(),
        Value::Bytes(Some(v)) => address::decode(v).map_or(Json::Null, |net| {
            let host = net.prefix_len() == net.max_prefix_len();
            if host { net.addr().to_string().into() } else { net.to_string().into() }
        }),
        _ => Json::Null,
    }
}
