//! Everything at once, for whoever makes a picture of all objects: each function is one statement, however many rows it
//! finds, and promises no order.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::irr::{Kind as ListKind, Stand};
use crate::objects::join::Join;
use crate::objects::model::{Field, Kind, Model};
use crate::objects::problems::ObjectError;
use crate::objects::record::Record;
use crate::objects::sql::{among, id_list};
use crate::objects::{read, registry};
use crate::peeringdb::tables::CacheTable;
use crate::schema::{Column, ColumnKind};
use crate::{Engine, Row, Session, StoreError, Value};

/// All objects of a model, without their lists of references and tags.
///
/// # Errors
/// Those of the database.
pub async fn objects(session: &mut Session<'_>, model: &'static Model) -> Result<Vec<Record>, ObjectError> {
    let sql = format!("SELECT {} FROM {} t0", read::columns(model, "t0"), model.table);
    read::records(session, model, &sql, vec![]).await
}

/// A list of references of all objects of a model: `(object, what it refers to)`. Nothing for a field that is none.
pub async fn references(
    session: &mut Session<'_>,
    model: &'static Model,
    field: &Field,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let (Kind::ManyToMany(_), Some(target)) = (field.kind, field.target()) else { return Ok(Vec::new()) };
    let join = Join::of(model, field, target);
    let sql = format!("SELECT l.{}, l.{} FROM {} l", join.owner, join.target, join.table);
    let mut pairs = Vec::new();
    session
        .each(&sql, vec![], |row| {
            pairs.push((row.get(0)?, row.get(1)?));
            Ok(())
        })
        .await?;
    Ok(pairs)
}

/// All tags of all objects, in the order in which each was given them: `(model, object, tag)`.
pub async fn tags(session: &mut Session<'_>) -> Result<Vec<(&'static Model, i64, i64)>, StoreError> {
    let mut found = Vec::new();
    let mut last: Option<&'static Model> = None;
    // In the order in which they were given, as templates of the original see it.
    let given = match session.engine() {
        Engine::Sqlite => "rowid",
        Engine::Postgres => "ctid",
    };
    let sql = format!(
        "SELECT l.content_type, l.object_id, l.tag_id FROM extras_taggeditem l \
         ORDER BY l.content_type, l.object_id, l.{given}"
    );
    session
        .each(&sql, vec![], |row| {
            let label: String = row.get(0)?;
            if last.is_none_or(|model| model.label != label) {
                last = registry::model(&label);
            }
            if let Some(model) = last {
                found.push((model, row.get(1)?, row.get(2)?));
            }
            Ok(())
        })
        .await?;
    Ok(found)
}

/// A list that an autonomous system shows, or why it shows none.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The autonomous system's number in this database.
    pub autonomous_system: i64,
    /// What it is about.
    pub kind: ListKind,
    /// Where it stands.
    pub state: Stand,
    /// The number of the list that is shown.
    pub list: Option<i64>,
    /// SHA-256 of its octets.
    pub digest: Option<Vec<u8>>,
    /// When it was last looked for and answered; after a look that failed, when it was last as the server had it.
    pub checked: Option<DateTime<Utc>>,
    /// Length of the answer that was too long.
    pub too_long: Option<i64>,
    /// Why the last look brought nothing, when it did not.
    pub failure: Option<String>,
}

/// Where every list of every autonomous system stands.
pub async fn lists(session: &mut Session<'_>) -> Result<Vec<Listed>, StoreError> {
    let sql = "SELECT s.autonomous_system_id, s.kind, s.state, s.list_id, l.digest, s.checked, s.too_long, s.failure, s.answered \
               FROM peering_irrstate s LEFT JOIN peering_irrlist l ON l.id = s.list_id AND s.state = 'current'";
    let mut found = Vec::new();
    session
        .each(sql, vec![], |row| {
            let (kind, state): (String, String) = (row.get(1)?, row.get(2)?);
            let unknown =
                |word: &str| StoreError::Data(format!("peering_irrstate holds the unknown word {word:?}"));
            let kind = ListKind::ALL
                .into_iter()
                .find(|known| known.as_str() == kind)
                .ok_or_else(|| unknown(&kind))?;
            let state = Stand::ALL
                .into_iter()
                .find(|known| known.as_str() == state)
                .ok_or_else(|| unknown(&state))?;
            let digest: Option<Vec<u8>> = row.get(4)?;
            let failure: Option<String> = row.get(7)?;
            found.push(Listed {
                autonomous_system: row.get(0)?,
                kind,
                state,
                list: if digest.is_some() { row.get(3)? } else { None },
                digest,
                checked: if failure.is_some() { row.get(8)? } else { Some(row.get(5)?) },
                too_long: row.get(6)?,
                failure,
            });
            Ok(())
        })
        .await?;
    Ok(found)
}

/// The octets of every list that some autonomous system shows, with its number.
pub async fn octets(session: &mut Session<'_>, mut take: impl FnMut(i64, Vec<u8>)) -> Result<(), StoreError> {
    let sql = "SELECT id, data FROM peering_irrlist WHERE id IN \
               (SELECT list_id FROM peering_irrstate WHERE state = 'current' AND list_id IS NOT NULL)";
    session
        .each(sql, vec![], |row| {
            take(row.get(0)?, row.get(1)?);
            Ok(())
        })
        .await
}

/// When the namespace of the PeeringDB cache that was synchronised longest ago was.
pub async fn peeringdb_synchronised(session: &mut Session<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row = session.row("SELECT MIN(synchronised) FROM peeringdb_watermark", vec![]).await?;
    row.map_or(Ok(None), |row| row.get::<Option<DateTime<Utc>>, _>(0))
}

/// A record of the PeeringDB cache.
#[derive(Clone, Debug)]
pub struct Cached {
    /// PeeringDB's id.
    pub id: i64,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
    /// One value per column that was asked for.
    pub values: Vec<CachedValue>,
}

/// A value of such a record.
#[derive(Clone, Debug)]
pub enum CachedValue {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// A number with a point.
    Float(f64),
    /// Text, or a JSON document as text.
    Text(Arc<str>),
    /// An instant.
    Time(DateTime<Utc>),
    /// An address or prefix.
    Address(ipnet::IpNet),
}

/// The live records of a namespace, as far as one of these columns (`id` or a reference) is among its numbers; all of
/// them, if no column is named.
pub async fn cached(
    session: &mut Session<'_>,
    table: &CacheTable,
    columns: &[&Column],
    among_these: &[(&str, &[i64])],
) -> Result<Vec<Cached>, StoreError> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut sql =
        format!("SELECT id, created, updated{} FROM {} WHERE status = 'ok'", listed(&names), table.table);
    let mut values: Vec<Value> = Vec::new();
    if !among_these.is_empty() {
        let conditions: Vec<String> =
            among_these.iter().map(|(column, _)| format!("{column} {}", among(session.engine()))).collect();
        sql.push_str(" AND (");
        sql.push_str(&conditions.join(" OR "));
        sql.push(')');
        values.extend(among_these.iter().map(|(_, ids)| id_list(ids)));
    }
    let mut found = Vec::new();
    session
        .each(&sql, values, |row| {
            let (id, created, updated) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let values = columns.iter().enumerate().map(|(at, column)| value(&row, at + 3, column));
            let values = values.collect::<Result<_, _>>()?;
            found.push(Cached { id, created, updated, values });
            Ok(())
        })
        .await?;
    Ok(found)
}

fn listed(names: &[&str]) -> String {
    names.iter().flat_map(|name| [", ", *name]).collect()
}

fn value(row: &Row, at: usize, column: &Column) -> Result<CachedValue, StoreError> {
    let found = match column.kind {
        ColumnKind::Integer => row.get::<Option<i64>, _>(at)?.map(CachedValue::Integer),
        ColumnKind::Boolean => row.get::<Option<bool>, _>(at)?.map(CachedValue::Boolean),
        ColumnKind::Float => row.get::<Option<f64>, _>(at)?.map(CachedValue::Float),
        ColumnKind::Text | ColumnKind::Json => {
            row.get::<Option<String>, _>(at)?.map(|text| CachedValue::Text(text.into()))
        }
        ColumnKind::Time => row.get::<Option<DateTime<Utc>>, _>(at)?.map(CachedValue::Time),
        ColumnKind::Address => match row.get::<Option<Vec<u8>>, _>(at)? {
            None => None,
            Some(octets) => Some(CachedValue::Address(crate::address::decode(&octets).ok_or_else(|| {
                StoreError::Data(format!("column {} does not hold an address", column.name))
            })?)),
        },
    };
    Ok(found.unwrap_or(CachedValue::Null))
}

/// The numbers of the networks of these AS numbers and of the autonomous systems that are kept.
pub async fn networks_of(session: &mut Session<'_>, asns: &[i64]) -> Result<Vec<i64>, StoreError> {
    let sql = format!(
        "SELECT id FROM peeringdb_network WHERE status = 'ok' AND \
         (asn IN (SELECT asn FROM peering_autonomoussystem) OR asn {})",
        among(session.engine())
    );
    session.rows(&sql, vec![id_list(asns)]).await?.iter().map(|row| row.get(0)).collect()
}
