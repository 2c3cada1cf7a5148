//! Internet exchanges that the network is connected to.

use std::sync::LazyLock;

use super::base::{organisational, reference, routing, status};
use crate::objects::model::{Feature, Field, Kind, Model, OnDelete, Target, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "peering.internetexchange",
    table: "peering_internetexchange",
    singular: "Internet exchange",
    plural: "Internet exchanges",
    fields: [
        organisational(),
        vec![
            status(),
            reference("local_autonomous_system", Target(&super::autonomous_system::MODEL), OnDelete::Cascade)
                .nullable_but_required(),
            Field::new("peeringdb_ixlan", Kind::Cached("ixlan")).nullable(),
            reference("ixapi_endpoint", Target(&super::ixapi::MODEL), OnDelete::SetNull).nullable(),
        ],
        routing(),
    ]
    .concat(),
    unique_together: &[],
    order: &["local_autonomous_system", "name", "slug"],
    key: &["slug"],
    features: &[Feature::ConfigContexts, Feature::ExportTemplates, Feature::Webhooks, Feature::Contacts],
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
