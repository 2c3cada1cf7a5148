//! Hidden peers: members of an exchange that nobody wants to be offered for a while.

use std::sync::LazyLock;

use super::base::long_text;
use crate::objects::model::{Field, Kind, Model, as_given, no_rules};
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "peeringdb.hiddenpeer",
    table: "peeringdb_hiddenpeer",
    singular: "hidden peer",
    plural: "hidden peers",
    fields: vec![
        Field::new("peeringdb_network", Kind::Cached("net")).nullable_but_required(),
        Field::new("peeringdb_ixlan", Kind::Cached("ixlan")).nullable_but_required(),
        Field::new("until", Kind::Time).nullable().help("For ever, if empty."),
        long_text("comments").optional(),
    ],
    unique_together: &[&["peeringdb_network", "peeringdb_ixlan"]],
    order: &["until", "peeringdb_network", "peeringdb_ixlan"],
    key: &["peeringdb_network", "peeringdb_ixlan"],
    features: &[],
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display,
});

/// By numbers: the cache, which knows the names, may be empty.
fn display(peer: &Record, _: &Graph) -> String {
    let number = |field: &str| peer.integer(field).unwrap_or_default();
    format!("Network ID {} hidden on IX LAN ID {}", number("peeringdb_network"), number("peeringdb_ixlan"))
}
