//! Rows that travel with a statement, whatever their number, as a table `g` to select from.
//!
//! On SQLite they are one JSON text. On PostgreSQL they are one array per column, because there JSON costs ten times as
//! much to take apart.

use serde_json::{Value as Json, json};

use crate::schema::ColumnKind;
use crate::{Engine, Value};

/// Rows of integers, texts, truth values and addresses. Times are the same for all rows mostly, and are bound beside them.
pub(crate) struct Given {
    engine: Engine,
    columns: Vec<(&'static str, ColumnKind)>,
    /// On SQLite one text, on PostgreSQL an array for each column.
    values: Vec<Value>,
}

impl Given {
    /// Each row has a value for each column, of the column's kind or NULL.
    pub(crate) fn new<const N: usize>(
        engine: Engine,
        columns: [(&'static str, ColumnKind); N],
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Self {
        let values = match engine {
            Engine::Sqlite => {
                let rows: Vec<Json> = rows.into_iter().map(|row| row.iter().map(to_json).collect()).collect();
                vec![Value::json(&rows.into())]
            }
            Engine::Postgres => {
                let mut arrays = vec![Vec::new(); N];
                for row in rows {
                    arrays.iter_mut().zip(row).for_each(|(array, value)| array.push(value));
                }
                columns.iter().zip(arrays).map(|((_, kind), array)| Value::Array(*kind, array)).collect()
            }
        };
        Self { engine, columns: columns.into(), values }
    }

    /// What to write after `FROM` or `JOIN`.
    pub(crate) fn table(&self) -> String {
        let columns = self.columns.iter();
        match self.engine {
            Engine::Sqlite => {
                let columns = columns.enumerate().map(|(place, (name, kind))| {
                    let value = format!("json_extract(value, '$[{place}]')");
                    match kind {
                        ColumnKind::Address => format!("unhex({value}) AS {name}"),
                        _ => format!("{value} AS {name}"),
                    }
                });
                let columns: Vec<String> = columns.collect();
                format!("(SELECT {} FROM json_each(?)) g", columns.join(", "))
            }
            Engine::Postgres => {
                let (names, arrays): (Vec<_>, Vec<_>) = columns
                    .map(|(name, kind)| (*name, format!("?::{}[]", kind.sql(Engine::Postgres))))
                    .unzip();
                format!("UNNEST({}) g ({})", arrays.join(", "), names.join(", "))
            }
        }
    }

    /// What [`Self::table`] binds.
    pub(crate) fn values(&self) -> Vec<Value> {
        self.values.clone()
    }

    /// The same, after what stands before it in the statement.
    pub(crate) fn after(&self, mut before: Vec<Value>) -> Vec<Value> {
        before.extend_from_slice(&self.values);
        before
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Integer(value) => json!(value),
        Value::Boolean(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::Bytes(value) => json!(value.as_deref().map(hex)),
        // As the driver writes it into the database.
        Value::Time(value) => {
            json!(value.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)))
        }
        Value::Array(_, values) => values.iter().map(to_json).collect(),
    }
}

fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDatabase, epoch};

    #[tokio::test]
    async fn what_travels_is_what_a_parameter_would_be() {
        const COLUMNS: [(&str, ColumnKind); 6] = [
            ("a", ColumnKind::Integer),
            ("b", ColumnKind::Boolean),
            ("c", ColumnKind::Float),
            ("d", ColumnKind::Text),
            ("e", ColumnKind::Address),
            ("f", ColumnKind::Time),
        ];
        let rows: [[Value; 6]; 2] = [
            [
                i64::MAX.into(),
                true.into(),
                0.5.into(),
                "'ü\"\\{},NULL".into(),
                vec![0, 255].into(),
                (epoch() + chrono::TimeDelta::microseconds(1)).into(),
            ],
            [
                Value::Integer(None),
                Value::Boolean(None),
                Value::Float(None),
                Value::Text(None),
                Value::Bytes(None),
                Value::Time(None),
            ],
        ];
        for database in TestDatabase::each().await {
            let store = database.open().await;
            let given = Given::new(store.engine(), COLUMNS, rows.clone());
            let types = COLUMNS.map(|(name, kind)| format!("{name} {}", kind.sql(store.engine())));
            let mut connection = store.connection().await.unwrap();
            let mut session = connection.session();
            session.script(&format!("CREATE TEMPORARY TABLE t ({})", types.join(", "))).await.unwrap();
            let sql = format!("INSERT INTO t SELECT a, b, c, d, e, f FROM {}", given.table());
            assert_eq!(session.execute(&sql, given.values()).await.unwrap(), 2);
            for row in &rows {
                let same = COLUMNS.map(|(name, kind)| match store.engine() {
                    Engine::Sqlite => format!("{name} IS ?"),
                    Engine::Postgres => {
                        format!("{name} IS NOT DISTINCT FROM CAST(? AS {})", kind.sql(Engine::Postgres))
                    }
                });
                let sql = format!("SELECT COUNT(*) AS count FROM t WHERE {}", same.join(" AND "));
                let count: i64 =
                    session.row(&sql, row.to_vec()).await.unwrap().unwrap().get("count").unwrap();
                assert_eq!(count, 1, "{row:?} on {:?}", store.engine());
            }
            let none = Given::new(store.engine(), COLUMNS, []);
            assert!(
                session
                    .rows(&format!("SELECT a FROM {}", none.table()), none.values())
                    .await
                    .unwrap()
                    .is_empty()
            );
            drop(connection);
            store.close().await;
            database.remove().await;
        }
    }
}
