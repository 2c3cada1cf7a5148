//! Contact roles: what a contact is there for.

use std::sync::LazyLock;

use super::base::organisational;
use crate::objects::model::{COMMON_FEATURES, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "messaging.contactrole",
    table: "messaging_contactrole",
    singular: "contact role",
    plural: "contact roles",
    fields: organisational(),
    unique_together: &[],
    order: &["name"],
    key: &["slug"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
