//! Configurations: templates of what routers are given.

use std::sync::LazyLock;

use super::base::template;
use crate::objects::model::{COMMON_FEATURES, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "devices.configuration",
    table: "devices_configuration",
    singular: "configuration",
    plural: "configurations",
    fields: template(),
    unique_together: &[],
    order: &["name"],
    key: &["name"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
