//! What direct sessions and sessions at Internet exchanges have in common.

use super::base::{UINT, boolean, choice, common, integer, reference, routing, text};
use crate::objects::choices;
use crate::objects::model::{Field, Kind, OnDelete, Target};

/// The remote side and how to talk to it, without its address.
pub(super) fn fields() -> Vec<Field> {
    let own = vec![
        text("service_reference", 255).nullable(),
        reference("autonomous_system", Target(&super::autonomous_system::MODEL), OnDelete::Cascade),
        choice("status", choices::SESSION_STATUS).text("enabled"),
        Field::new("password", Kind::Secret(255)).nullable(),
        Field::new("encrypted_password", Kind::Secret(255))
            .nullable()
            .help("The password as the router's platform writes it; follows from the password."),
        integer("multihop_ttl", 1, 255).number(1).labelled("multihop TTL"),
        boolean("passive", false),
        choice("bgp_role", choices::BGP_ROLE)
            .nullable()
            .labelled("BGP role")
            .help("One's own role, RFC 9234."),
        reference("bfd", Target(&super::bfd::MODEL), OnDelete::SetNull).nullable().labelled("BFD"),
    ];
    let seen = vec![
        choice("bgp_state", choices::BGP_STATE).nullable().labelled("BGP state"),
        integer("received_prefix_count", 0, UINT).number(0),
        integer("accepted_prefix_count", 0, UINT).number(0),
        integer("advertised_prefix_count", 0, UINT).number(0),
        Field::new("last_established_state", Kind::Time).nullable(),
    ];
    [common(), own, routing(), seen].concat()
}
