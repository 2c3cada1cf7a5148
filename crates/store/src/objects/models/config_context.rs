//! Configuration contexts: values for templates that many objects share.

use std::sync::LazyLock;

use super::base::{boolean, description, text};
use crate::objects::model::{Field, Kind, Model, as_given, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.configcontext",
    table: "extras_configcontext",
    singular: "config context",
    plural: "config contexts",
    fields: vec![
        text("name", 100).unique(),
        description(),
        boolean("is_active", true)
            .help("Whether people are offered it. One that is assigned counts in any case."),
        Field::new("data", Kind::JsonObject),
    ],
    unique_together: &[],
    order: &["name"],
    key: &["name"],
    features: &[],
    needs: &[],
    normalise: as_given,
    check,
    display: by_name,
});

/// Unlike local values, these may not be something that is merely empty.
fn check(context: &Record, _: &Graph, problems: &mut Problems<'_>) {
    if context.json("data").is_some_and(|data| !data.is_object()) {
        problems.field("data", "is not a JSON object");
    }
}
