//! All objects as one document, without numbers of this database: references name objects by their key.
//!
//! ```json
//! { "format": "peering-manager objects", "version": 1,
//!   "autonomous_systems": [{ "asn": 64496, "name": "Example" }],
//!   "routers": [{ "name": "edge1", "hostname": "edge1.example.net", "local_autonomous_system": 64496 }],
//!   "connections": [{ "internet_exchange_point": "lon-ix", "router": "edge1", "interface": "et-0/0/0" }] }
//! ```
//!
//! A key of one field is written as that field's value, another one as an object of its fields. Where several objects have
//! the same key, `number` tells which one is meant, counted from 1 by age; and items with the same key stand for these
//! objects in the document's order. Fields that an item leaves out are left alone, or have their default in a new object.
//! An import deletes nothing, and doing it again changes nothing.

mod export;
mod import;
mod keys;
mod names;

pub use export::{Secrets, export};
pub use import::{Changed, Report, differences, dry_run, import};
pub use names::Names;

/// What a document's `format` says.
pub const FORMAT: &str = "peering-manager objects";
/// What a document's `version` says.
pub const VERSION: u64 = 1;

/// The name of a field in documents: an object's id is not in it, its key is.
fn member(field: &super::model::Field) -> &'static str {
    match field.kind {
        super::model::Kind::ObjectId(_) => field.name.strip_suffix("_id").unwrap_or(field.name),
        _ => field.name,
    }
}
