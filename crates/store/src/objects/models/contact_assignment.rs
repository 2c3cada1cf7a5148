//! Contact assignments: who is there for an autonomous system or an Internet exchange, and as what.

use std::sync::LazyLock;

use super::base::reference;
use crate::objects::model::{Feature, Field, Kind, Model, OnDelete, Target, as_given, no_rules};
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "messaging.contactassignment",
    table: "messaging_contactassignment",
    singular: "contact assignment",
    plural: "contact assignments",
    fields: vec![
        Field::new("content_type", Kind::ObjectType(Some(Feature::Contacts))),
        Field::new("object_id", Kind::ObjectId("content_type")),
        reference("contact", Target(&super::contact::MODEL), OnDelete::Protect),
        reference("role", Target(&super::contact_role::MODEL), OnDelete::Protect),
    ],
    unique_together: &[&["content_type", "object_id", "contact", "role"]],
    order: &["contact"],
    key: &["content_type", "object_id", "contact", "role"],
    features: &[],
    needs: &["contact"],
    normalise: as_given,
    check: no_rules,
    display,
});

fn display(assignment: &Record, graph: &Graph) -> String {
    graph.follow(assignment, "contact").map(|contact| contact.display(graph)).unwrap_or_default()
}
