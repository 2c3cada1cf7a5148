//! Routers.

use std::sync::LazyLock;

use super::base::{UINT, boolean, common, integer, reference, references, status, text};
use crate::objects::data::Data;
use crate::objects::model::{COMMON_FEATURES, Field, Kind, Model, OnDelete, Target, by_name, no_rules};
use crate::objects::record::{Graph, Record};
use crate::objects::secrets::{Keyring, SecretError};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "devices.router",
    table: "devices_router",
    singular: "router",
    plural: "routers",
    fields: [
        common(),
        vec![
            text("name", 128).unique(),
            text("hostname", 256).help("Name or address under which it is reached."),
            reference("local_autonomous_system", Target(&super::autonomous_system::MODEL), OnDelete::Cascade)
                .nullable_but_required(),
            reference("platform", Target(&super::platform::MODEL), OnDelete::Protect).nullable(),
            status(),
            boolean("encrypt_passwords", false)
                .help("Whether its sessions' passwords are kept in its platform's form too."),
            boolean("poll_bgp_sessions_state", false),
            Field::new("poll_bgp_sessions_last_updated", Kind::Time).nullable().fixed(),
            reference("configuration_template", Target(&super::configuration::MODEL), OnDelete::SetNull)
                .nullable(),
            references("communities", Target(&super::community::MODEL)),
            integer("netbox_device_id", 0, UINT).number(0).help("0 for none."),
            text("napalm_username", 256).nullable().sensitive(),
            Field::new("napalm_password", Kind::Secret(256)).nullable(),
            integer("napalm_timeout", 0, UINT).number(0).help("Seconds; 0 for the setting."),
            Field::new("napalm_args", Kind::Json).nullable().sealed(),
        ],
    ]
    .concat(),
    unique_together: &[],
    order: &["local_autonomous_system", "name"],
    key: &["name"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise,
    check: no_rules,
    display: by_name,
});

#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn normalise(router: &mut Record, _: &Graph, _: &Keyring) -> Result<(), SecretError> {
    if !router.boolean("poll_bgp_sessions_state") {
        router.set("poll_bgp_sessions_last_updated", Data::Null);
    }
    Ok(())
}
