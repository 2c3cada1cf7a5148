//! Config context assignments: which object a configuration context is for.

use std::sync::LazyLock;

use super::base::{USMALL, integer, reference};
use crate::objects::model::{Feature, Field, Kind, Model, OnDelete, Target, as_given, no_rules};
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.configcontextassignment",
    table: "extras_configcontextassignment",
    singular: "config context assignment",
    plural: "config context assignments",
    fields: vec![
        Field::new("content_type", Kind::ObjectType(Some(Feature::ConfigContexts))),
        Field::new("object_id", Kind::ObjectId("content_type")),
        reference("config_context", Target(&super::config_context::MODEL), OnDelete::Protect),
        integer("weight", 0, USMALL).number(1000).help("Contexts with a higher weight win."),
    ],
    unique_together: &[&["content_type", "object_id", "config_context"]],
    order: &["weight", "config_context"],
    key: &["content_type", "object_id", "config_context"],
    features: &[],
    needs: &["config_context"],
    normalise: as_given,
    check: no_rules,
    display,
});

fn display(assignment: &Record, graph: &Graph) -> String {
    graph.follow(assignment, "config_context").map(|context| context.display(graph)).unwrap_or_default()
}
