//! Export templates: how objects of one type are given out as text.

use std::sync::LazyLock;

use super::base::{boolean, description, long_text, text};
use crate::objects::model::{Feature, Field, Kind, Model, as_given, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.exporttemplate",
    table: "extras_exporttemplate",
    singular: "export template",
    plural: "export templates",
    fields: vec![
        Field::new("content_type", Kind::ObjectType(Some(Feature::ExportTemplates))),
        text("name", 100),
        description(),
        long_text("template"),
        boolean("jinja2_trim", false),
        boolean("jinja2_lstrip", false),
    ],
    unique_together: &[&["content_type", "name"]],
    order: &["content_type", "name"],
    key: &["content_type", "name"],
    features: &[],
    needs: &[],
    normalise: as_given,
    check,
    display: by_name,
});

fn check(template: &Record, _: &Graph, problems: &mut Problems<'_>) {
    let name = template.text("name");
    if name.eq_ignore_ascii_case("table") {
        problems.field("name", format!("{name:?} is taken: it stands for the table as it is shown"));
    }
}
