//! Contacts: people and departments.

use std::sync::LazyLock;

use super::base::{common, text};
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "messaging.contact",
    table: "messaging_contact",
    singular: "contact",
    plural: "contacts",
    fields: [
        common(),
        vec![
            text("name", 100),
            text("title", 100).optional(),
            text("phone", 50).optional(),
            Field::new("email", Kind::Email(254)).optional(),
            text("address", 200).optional(),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["name"],
    key: &["name"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
