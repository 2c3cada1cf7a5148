//! BGP groups: direct sessions that belong together.

use std::sync::LazyLock;

use super::base::{organisational, routing, status};
use crate::objects::model::{COMMON_FEATURES, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "peering.bgpgroup",
    table: "peering_bgpgroup",
    singular: "BGP group",
    plural: "BGP groups",
    fields: [organisational(), vec![status()], routing()].concat(),
    unique_together: &[],
    order: &["name", "slug"],
    key: &["slug"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
