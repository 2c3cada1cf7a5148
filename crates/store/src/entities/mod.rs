//! The objects that people keep, one file each.
//!
//! An object is described once, with [`entity!`]: the description gives its struct, its columns, how a row becomes
//! the struct, and the snapshot that the change log keeps.

pub mod autonomous_system;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;

use crate::{Row, StoreError, Value};

/// A type that a column can have in a struct.
pub trait FieldType: Sized {
    /// Out of a row.
    fn read(row: &Row, column: &str) -> Result<Self, StoreError>;
    /// Into a statement.
    fn value(&self) -> Value;
    /// Into a change-log snapshot.
    fn snapshot(&self) -> Json;
}

macro_rules! plain_field_types {
    ($($type:ty),*) => {$(
        impl FieldType for $type {
            fn read(row: &Row, column: &str) -> Result<Self, StoreError> {
                row.get(column)
            }
            fn value(&self) -> Value {
                self.clone().into()
            }
            fn snapshot(&self) -> Json {
                self.clone().into()
            }
        }
    )*};
}
plain_field_types!(i64, Option<i64>, bool, String, Option<String>);

impl FieldType for DateTime<Utc> {
    fn read(row: &Row, column: &str) -> Result<Self, StoreError> {
        row.get(column)
    }
    fn value(&self) -> Value {
        (*self).into()
    }
    fn snapshot(&self) -> Json {
        self.to_rfc3339_opts(SecondsFormat::Millis, true).into()
    }
}

impl FieldType for Option<Json> {
    fn read(row: &Row, column: &str) -> Result<Self, StoreError> {
        row.json(column)
    }
    fn value(&self) -> Value {
        self.as_ref().map(Json::to_string).into()
    }
    fn snapshot(&self) -> Json {
        self.clone().unwrap_or_default()
    }
}

/// Describes an object: its type name, its table, and its fields with their types. Every object also has `id`,
/// `created` and `updated`, which the change log leaves out of its snapshots but for `created`.
macro_rules! entity {
    (
        $(#[$doc:meta])*
        $name:ident, $model:literal, $table:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $name {
            /// Number in this database.
            pub id: i64,
            /// When it was made.
            pub created: chrono::DateTime<chrono::Utc>,
            /// When it was last changed.
            pub updated: chrono::DateTime<chrono::Utc>,
            $($(#[$field_doc])* pub $field: $type),*
        }

        impl $name {
            /// The object's type, as the change log names it.
            pub const MODEL: &'static str = $model;
            /// The table that keeps it.
            pub const TABLE: &'static str = $table;
            /// Its columns but for `id`, in the order of [`Self::values`].
            pub const COLUMNS: &'static [&'static str] = &["created", "updated", $(stringify!($field)),*];

            pub(crate) fn from_row(row: &crate::Row) -> Result<Self, crate::StoreError> {
                use crate::entities::FieldType as _;
                Ok(Self {
                    id: row.get("id")?,
                    created: row.get("created")?,
                    updated: row.get("updated")?,
                    $($field: <$type>::read(row, stringify!($field))?),*
                })
            }

            pub(crate) fn values(&self) -> Vec<crate::Value> {
                use crate::entities::FieldType as _;
                vec![self.created.value(), self.updated.value(), $(self.$field.value()),*]
            }

            /// What the change log keeps of it: column name to value, without `updated`.
            pub fn snapshot(&self) -> serde_json::Value {
                use crate::entities::FieldType as _;
                let mut columns = serde_json::Map::new();
                columns.insert("created".into(), self.created.snapshot());
                $(columns.insert(stringify!($field).into(), self.$field.snapshot());)*
                columns.into()
            }
        }
    };
}
pub(crate) use entity;
