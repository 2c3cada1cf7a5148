//! How tables are described, so that statements for both engines are built from names instead of written twice.

use crate::Engine;

/// Type of a column, by what it holds. See [`ColumnKind::sql`] for what each engine calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// 64-bit signed integer.
    Integer,
    /// Truth value.
    Boolean,
    /// IEEE 754 double.
    Float,
    /// Text.
    Text,
    /// Instant in UTC.
    Time,
    /// A JSON document, kept as text on both engines.
    Json,
    /// An address or prefix, see [`crate::address`].
    Address,
}

impl ColumnKind {
    /// The engine's name of the type.
    pub const fn sql(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::Integer, Engine::Sqlite) => "INTEGER",
            (Self::Integer, Engine::Postgres) => "BIGINT",
            (Self::Boolean, _) => "BOOLEAN",
            (Self::Float, Engine::Sqlite) => "REAL",
            (Self::Float, Engine::Postgres) => "DOUBLE PRECISION",
            (Self::Text | Self::Json, _) | (Self::Time, Engine::Sqlite) => "TEXT",
            (Self::Time, Engine::Postgres) => "TIMESTAMPTZ",
            (Self::Address, Engine::Sqlite) => "BLOB",
            (Self::Address, Engine::Postgres) => "BYTEA",
        }
    }
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, in the original's spelling.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
}

macro_rules! column_constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {$(
        pub(crate) const fn $name(name: &'static str) -> Column {
            Column { name, kind: ColumnKind::$kind }
        }
    )*};
}
column_constructors! {
    integer => Integer, boolean => Boolean, float => Float, text => Text, time => Time, json => Json,
    address => Address,
}
