//! Platforms: what runs on routers.

use std::sync::LazyLock;

use super::base::{choice, organisational, text};
use crate::objects::choices;
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "devices.platform",
    table: "devices_platform",
    singular: "platform",
    plural: "platforms",
    fields: [
        organisational(),
        vec![
            text("napalm_driver", 50).optional(),
            Field::new("napalm_args", Kind::Json).nullable().sealed(),
            choice("password_algorithm", choices::PASSWORD_ALGORITHM).optional(),
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

/// What a new database knows: name, slug, driver, password algorithm. Migration 3 puts them there.
pub const SEEDS: [(&str, &str, &str, &str); 5] = [
    ("Arista EOS", "arista-eos", "eos", "arista-type7"),
    ("Juniper Junos", "juniper-junos", "junos", "juniper-type9"),
    ("Cisco IOS-XR", "cisco-iosxr", "iosxr", "cisco-type7"),
    ("Cisco NX-OS", "cisco-nxos", "nxos", "cisco-type7"),
    ("Cisco IOS", "cisco-ios", "ios", "cisco-type7"),
];
