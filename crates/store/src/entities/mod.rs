//! Objects as structs, for tasks that work with one kind of object and want its fields checked by the compiler.
//!
//! Struct and description ([`crate::objects`]) come from one list of fields, with [`entity!`].

pub mod autonomous_system;

use serde_json::Value as Json;

use crate::objects::data::Data;
use crate::{Row, StoreError};

/// A type that a column can have in a struct.
pub trait FieldType: Sized {
    /// Out of a row.
    fn read(row: &Row, column: &str) -> Result<Self, StoreError>;
    /// As the value of a field.
    fn data(&self) -> Data;
}

macro_rules! plain_field_types {
    ($($type:ty),*) => {$(
        impl FieldType for $type {
            fn read(row: &Row, column: &str) -> Result<Self, StoreError> {
                row.get(column)
            }
            fn data(&self) -> Data {
                self.clone().into()
            }
        }
    )*};
}
plain_field_types!(i64, Option<i64>, bool, String, Option<String>);

impl FieldType for Option<Json> {
    fn read(row: &Row, column: &str) -> Result<Self, StoreError> {
        row.json(column)
    }
    fn data(&self) -> Data {
        self.clone().map_or(Data::Null, Data::Json)
    }
}

/// An object as a struct: its type's label, its table, the static with its description, and its fields with their types and descriptions. A field's
/// comment is what its description says to people. The description may have more fields, lists above all. Every object
/// also has `id`, `created` and `updated`.
macro_rules! entity {
    (
        $(#[$doc:meta])*
        $name:ident, $label:literal, $table:literal, $model:ident {
            $($(#[doc = $help:literal])* $field:ident: $type:ty = $description:expr),* $(,)?
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
            $($(#[doc = $help])* pub $field: $type),*
        }

        impl $name {
            /// The object's type, as the change log names it.
            pub const MODEL: &'static str = $label;
            /// The table that keeps it.
            pub const TABLE: &'static str = $table;
            /// Its columns but for `id`.
            pub const COLUMNS: &'static [&'static str] = &["created", "updated", $(stringify!($field)),*];

            /// The description's part of each field.
            fn fields() -> Vec<$crate::objects::model::Field> {
                vec![$($description.help(concat!($($help),*).trim_ascii_start())),*]
            }

            pub(crate) fn from_row(row: &crate::Row) -> Result<Self, crate::StoreError> {
                use crate::entities::FieldType as _;
                Ok(Self {
                    id: row.get("id")?,
                    created: row.get("created")?,
                    updated: row.get("updated")?,
                    $($field: <$type>::read(row, stringify!($field))?),*
                })
            }

            /// All of its fields, for storing.
            pub fn draft(&self) -> $crate::objects::record::Draft {
                use crate::entities::FieldType as _;
                $crate::objects::record::Draft::new(&$model)$(.with(stringify!($field), self.$field.data()))*
            }
        }
    };
}
pub(crate) use entity;
