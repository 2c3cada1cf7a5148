//! Autonomous systems: the networks to peer with, and one's own.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::base::{UINT, boolean, comments, description, integer, local_context_data, routing, tags, text};
use crate::entities::entity;
use crate::objects::model::{Feature, Model, as_given, no_rules};
use crate::objects::record::{Graph, Record};

entity! {
    /// A network to peer with, or one's own, with the fields that tasks work with. What IRR databases say about it is
    /// in [`crate::irr`] and is not loaded with it.
    AutonomousSystem, "peering.autonomoussystem", "peering_autonomoussystem", MODEL {
        /// One line about it.
        description: String = description(),
        /// Markdown about it.
        comments: String = comments(),
        /// Values for templates that hold for this object only.
        local_context_data: Option<Json> = local_context_data(),
        /// AS number, 1 to 4294967295, unique.
        asn: i64 = integer("asn", 1, 4_294_967_295).unique().labelled("ASN"),
        /// The network's name.
        name: String = text("name", 200),
        /// Whether a synchronisation with PeeringDB may change the name.
        name_peeringdb_sync: bool = boolean("name_peeringdb_sync", true),
        /// AS-SET or several, as people write it; empty stands for the AS itself.
        irr_as_set: Option<String> = text("irr_as_set", 255).nullable().labelled("IRR AS-SET"),
        /// Whether a synchronisation with PeeringDB may change the AS-SET.
        irr_as_set_peeringdb_sync: bool = boolean("irr_as_set_peeringdb_sync", true),
        /// Most IPv6 prefixes to accept from it.
        ipv6_max_prefixes: Option<i64> = integer("ipv6_max_prefixes", 0, UINT).nullable().number(0),
        /// Whether a synchronisation with PeeringDB may change the IPv6 limit.
        ipv6_max_prefixes_peeringdb_sync: bool = boolean("ipv6_max_prefixes_peeringdb_sync", true),
        /// Most IPv4 prefixes to accept from it.
        ipv4_max_prefixes: Option<i64> = integer("ipv4_max_prefixes", 0, UINT).nullable().number(0),
        /// Whether a synchronisation with PeeringDB may change the IPv4 limit.
        ipv4_max_prefixes_peeringdb_sync: bool = boolean("ipv4_max_prefixes_peeringdb_sync", true),
        /// Whether IRR prefixes are fetched.
        retrieve_prefixes: bool = boolean("retrieve_prefixes", true),
        /// Whether the AS list is fetched.
        retrieve_as_list: bool = boolean("retrieve_as_list", true),
        /// IRR sources in place of the configured ones, comma separated.
        irr_sources_override: String = text("irr_sources_override", 255).optional(),
        /// Arguments of the IPv6 prefix query in place of the configured ones.
        irr_ipv6_prefixes_args_override: String = text("irr_ipv6_prefixes_args_override", 255).optional(),
        /// Arguments of the IPv4 prefix query in place of the configured ones.
        irr_ipv4_prefixes_args_override: String = text("irr_ipv4_prefixes_args_override", 255).optional(),
        /// Whether it is one's own.
        affiliated: bool = boolean("affiliated", false),
    }
}

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: AutonomousSystem::MODEL,
    table: AutonomousSystem::TABLE,
    singular: "autonomous system",
    plural: "autonomous systems",
    fields: [AutonomousSystem::fields(), routing(), vec![tags()]].concat(),
    unique_together: &[],
    order: &["asn", "affiliated"],
    key: &["asn"],
    features: &[
        Feature::ConfigContexts,
        Feature::ExportTemplates,
        Feature::Webhooks,
        Feature::Contacts,
        Feature::Journal,
    ],
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display,
});

fn display(system: &Record, _: &Graph) -> String {
    format!("AS{} - {}", system.integer("asn").unwrap_or_default(), system.text("name"))
}
