//! Relationships: what a direct session is for.

use std::sync::LazyLock;

use super::base::organisational;
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "bgp.relationship",
    table: "bgp_relationship",
    singular: "relationship",
    plural: "relationships",
    fields: [organisational(), vec![Field::new("color", Kind::Color).text("9e9e9e")]].concat(),
    unique_together: &[],
    order: &["name"],
    key: &["slug"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
