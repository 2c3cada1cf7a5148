//! BFD configurations (RFC 5880).

use std::sync::LazyLock;

use super::base::{integer, organisational};
use crate::objects::model::{COMMON_FEATURES, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "net.bfd",
    table: "net_bfd",
    singular: "BFD configuration",
    plural: "BFD configurations",
    fields: [
        organisational(),
        vec![
            integer("minimum_transmit_interval", 1, 255_000).number(300).help("Milliseconds."),
            integer("minimum_receive_interval", 1, 255_000).number(300).help("Milliseconds."),
            integer("detection_multiplier", 1, 255).number(3),
            integer("hold_time", 0, 255_000).number(0).help("Milliseconds."),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["name"],
    key: &["slug"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
