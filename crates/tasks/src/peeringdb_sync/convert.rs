//! From a record of the API to a row of the cache and back. The two sides name their fields alike; a test makes sure
//! that every field has its column.

use ipnet::IpNet;
use pm_peeringdb::{Namespace, Record, Status, Value as Field};
use pm_store::peeringdb::feed::{CacheRow, null_of};
use pm_store::peeringdb::tables::{CacheTable, table_of};
use pm_store::schema::ColumnKind;
use pm_store::{Value, address};
use serde_json::{Map, Value as Json};

use crate::TaskError;

/// A namespace and its table, with the way from one's fields to the other's columns.
pub(crate) struct Mapping {
    pub(crate) namespace: Namespace,
    pub(crate) table: &'static CacheTable,
    /// Per column: the field that fills it.
    fields: Vec<Option<usize>>,
}

impl Mapping {
    pub(crate) fn of(namespace: Namespace) -> Result<Self, TaskError> {
        let table = table_of(namespace.as_str())
            .ok_or_else(|| TaskError::Broken(format!("there is no table for namespace {namespace}")))?;
        let fields = table.columns.iter().map(|column| namespace.position(column.name)).collect();
        Ok(Self { namespace, table, fields })
    }

    /// A record on its way into the cache.
    pub(crate) fn row(&self, record: Record) -> CacheRow {
        let mut values = record.values;
        let columns = self.table.columns.iter().zip(&self.fields);
        let values = columns
            .map(|(column, field)| {
                let taken = field
                    .and_then(|field| values.get_mut(field))
                    .map(|value| std::mem::replace(value, Field::Null));
                taken.map_or_else(|| null_of(column.kind), |value| stored(column.kind, value))
            })
            .collect();
        CacheRow {
            id: record.id,
            status: record.status.as_str().to_owned(),
            created: record.created,
            updated: record.updated,
            extra: record.extra.map(|extra| Json::Object(extra).to_string()),
            values,
        }
    }

    /// A row of the cache on its way out.
    pub(crate) fn record(&self, row: CacheRow) -> Record {
        let mut values = vec![Field::Null; self.namespace.fields().len()];
        let columns = self.table.columns.iter().zip(&self.fields).zip(row.values);
        for ((column, field), value) in columns {
            if let Some(slot) = field.and_then(|field| values.get_mut(field)) {
                *slot = sent(column.kind, value, self.namespace, *field);
            }
        }
        let extra =
            row.extra.as_deref().and_then(|text| serde_json::from_str::<Map<String, Json>>(text).ok());
        Record {
            id: row.id,
            status: Status::from(row.status),
            created: row.created,
            updated: row.updated,
            values,
            extra,
            alterations: Vec::new(),
        }
    }
}

fn stored(kind: ColumnKind, value: Field) -> Value {
    match value {
        Field::Null => null_of(kind),
        Field::Integer(v) => v.into(),
        Field::Boolean(v) => v.into(),
        Field::Float(v) => v.into(),
        Field::Text(v) => v.into(),
        Field::Time(v) => v.into(),
        Field::Json(v) => Value::json(&v),
        Field::Address(v) => address::encode_host(v).into(),
        Field::Prefix(v) => address::encode(v).into(),
    }
}

fn sent(kind: ColumnKind, value: Value, namespace: Namespace, field: Option<usize>) -> Field {
    match value {
        Value::Integer(Some(v)) => Field::Integer(v),
        Value::Boolean(Some(v)) => Field::Boolean(v),
        Value::Float(Some(v)) => Field::Float(v),
        Value::Text(Some(v)) if kind == ColumnKind::Json => {
            serde_json::from_str(&v).map_or(Field::Null, Field::Json)
        }
        Value::Text(Some(v)) => Field::Text(v),
        Value::Time(Some(v)) => Field::Time(v),
        Value::Bytes(Some(v)) => {
            let prefix = field
                .and_then(|field| namespace.fields().get(field))
                .is_some_and(|field| field.kind == pm_peeringdb::Kind::Prefix);
            let shown = |net: IpNet| if prefix { Field::Prefix(net) } else { Field::Address(net.addr()) };
            address::decode(&v).map_or(Field::Null, shown)
        }
        _ => Field::Null,
    }
}

#[cfg(test)]
mod tests {
    use pm_peeringdb::Kind;

    use super::*;

    #[test]
    fn every_field_has_its_column() {
        for namespace in Namespace::ALL {
            let mapping = Mapping::of(namespace).unwrap();
            for field in namespace.fields() {
                let column = mapping.table.columns.iter().find(|column| column.name == field.name);
                let column = column.unwrap_or_else(|| panic!("{namespace}.{} has no column", field.name));
                let fits = match field.kind {
                    Kind::Integer => column.kind == ColumnKind::Integer,
                    Kind::Boolean => column.kind == ColumnKind::Boolean,
                    Kind::Float => column.kind == ColumnKind::Float,
                    Kind::Text | Kind::Mac => column.kind == ColumnKind::Text,
                    Kind::Time => column.kind == ColumnKind::Time,
                    Kind::Json => column.kind == ColumnKind::Json,
                    Kind::Ipv4 | Kind::Ipv6 | Kind::Prefix => column.kind == ColumnKind::Address,
                };
                assert!(fits, "{namespace}.{}: {:?} into {:?}", field.name, field.kind, column.kind);
            }
            for column in mapping.table.columns {
                let field = namespace.position(column.name);
                assert!(field.is_some(), "column {}.{} has no field", mapping.table.table, column.name);
            }
            let parents = |parents: &[(String, String, bool)]| {
                let mut parents = parents.to_vec();
                parents.sort();
                parents
            };
            let sent: Vec<_> = namespace
                .parents()
                .iter()
                .map(|parent| (parent.field.to_owned(), parent.to.to_string(), parent.required))
                .collect();
            let kept: Vec<_> = mapping
                .table
                .parents
                .iter()
                .map(|parent| (parent.column.to_owned(), parent.namespace.to_owned(), parent.required))
                .collect();
            assert_eq!(parents(&sent), parents(&kept), "{namespace}");
        }
    }
}
