//! What goes into a statement and what comes out of a row, the same for both engines.

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};

use crate::schema::ColumnKind;
use crate::{Engine, StoreError};

/// One bound value. NULL keeps its type, because PostgreSQL will not compare an untyped NULL with a column.
///
/// JSON travels as [`Value::Text`] (see `docs/decisions/data-layer.md`). Times are stored with microseconds by
/// PostgreSQL and as RFC 3339 text by SQLite; the text sorts as the times do.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// 64-bit signed.
    Integer(Option<i64>),
    /// Truth value; 0 and 1 in SQLite.
    Boolean(Option<bool>),
    /// IEEE 754 double.
    Float(Option<f64>),
    /// UTF-8 without NUL.
    Text(Option<String>),
    /// An instant in UTC.
    Time(Option<DateTime<Utc>>),
    /// Octets; addresses and prefixes are kept as these, see [`crate::address`].
    Bytes(Option<Vec<u8>>),
    /// One value per row, all of this kind or NULL, for `UNNEST` of PostgreSQL. SQLite has no arrays.
    Array(ColumnKind, Vec<Value>),
}

impl Value {
    /// Whether this is a NULL of any type.
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Integer(None)
                | Self::Boolean(None)
                | Self::Float(None)
                | Self::Text(None)
                | Self::Time(None)
                | Self::Bytes(None)
        )
    }

    /// A JSON document as the text that is stored.
    pub fn json(document: &serde_json::Value) -> Self {
        Self::Text(Some(document.to_string()))
    }
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value.into()))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(Into::into))
            }
        }
    )*};
}
value_from! {
    i64 => Integer, i32 => Integer, u32 => Integer, bool => Boolean, f64 => Float, String => Text, &str => Text,
    DateTime<Utc> => Time, Vec<u8> => Bytes,
}

pub(crate) fn sqlite_arguments(values: Vec<Value>) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Integer(v) => arguments.add(v),
            Value::Boolean(v) => arguments.add(v),
            Value::Float(v) => arguments.add(v),
            Value::Text(v) => arguments.add(v),
            Value::Time(v) => arguments.add(v),
            Value::Bytes(v) => arguments.add(v),
            Value::Array(..) => Err("SQLite has no arrays".into()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

pub(crate) fn postgres_arguments(values: Vec<Value>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Integer(v) => arguments.add(v),
            Value::Boolean(v) => arguments.add(v),
            Value::Float(v) => arguments.add(v),
            Value::Text(v) => arguments.add(v),
            Value::Time(v) => arguments.add(v),
            Value::Bytes(v) => arguments.add(v),
            Value::Array(kind, values) => add_array(&mut arguments, kind, values),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Binds the values of one column as one array.
pub(crate) fn add_array(
    arguments: &mut PgArguments,
    kind: ColumnKind,
    values: Vec<Value>,
) -> Result<(), BoxDynError> {
    macro_rules! array {
        ($variant:ident) => {{
            let unwrapped = |value: Value| match value {
                Value::$variant(value) => Ok(value),
                null if null.is_null() => Ok(None),
                other => Err(format!("{other:?} does not fit a column of {}", kind.sql(Engine::Postgres))),
            };
            arguments.add(values.into_iter().map(unwrapped).collect::<Result<Vec<_>, _>>()?)
        }};
    }
    match kind {
        ColumnKind::Integer => array!(Integer),
        ColumnKind::Boolean => array!(Boolean),
        ColumnKind::Float => array!(Float),
        ColumnKind::Text | ColumnKind::Json => array!(Text),
        ColumnKind::Time => array!(Time),
        ColumnKind::Address => array!(Bytes),
    }
}

/// One row of an answer, of either engine.
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    /// The column as `T` (`Option<T>` where NULL is possible).
    ///
    /// # Errors
    /// The column is absent or holds another type: the statement and the schema disagree.
    pub fn get<'r, T, I>(&'r self, column: I) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(StoreError::from)
    }

    /// A JSON column, parsed; NULL is `None`.
    ///
    /// # Errors
    /// The column is absent or does not hold JSON text.
    pub fn json(&self, column: &str) -> Result<Option<serde_json::Value>, StoreError> {
        self.get::<Option<String>, _>(column)?
            .map(|text| {
                serde_json::from_str(&text)
                    .map_err(|error| StoreError::Data(format!("column {column} does not hold JSON: {error}")))
            })
            .transpose()
    }
}
