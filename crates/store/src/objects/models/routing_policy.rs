//! Routing policies: names of what routers do with routes.

use std::sync::LazyLock;

use super::base::{USMALL, choice, integer, organisational, references};
use crate::objects::choices;
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, Target, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "peering.routingpolicy",
    table: "peering_routingpolicy",
    singular: "routing policy",
    plural: "routing policies",
    fields: [
        organisational(),
        vec![
            choice("type", choices::POLICY_TYPE).text("import-policy"),
            integer("weight", 0, USMALL).number(0).help("Policies with a higher weight come first."),
            Field::new("address_family", Kind::Number(choices::FAMILY)).number(0),
            references("communities", Target(&super::community::MODEL)),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["-weight", "name"],
    key: &["slug"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
