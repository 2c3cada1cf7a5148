//! Fields that many objects have.

use crate::objects::choices;
use crate::objects::model::{Field, Kind, OnDelete, Target};

/// Largest value of the original's positive integer columns.
pub(super) const UINT: i64 = 2_147_483_647;
/// Largest value of the original's small positive integer columns.
pub(super) const USMALL: i64 = 32_767;

pub(super) const fn text(name: &'static str, max: usize) -> Field {
    Field::new(name, Kind::Text(max))
}

pub(super) const fn long_text(name: &'static str) -> Field {
    Field::new(name, Kind::LongText)
}

pub(super) const fn boolean(name: &'static str, default: bool) -> Field {
    Field::new(name, Kind::Boolean).boolean(default)
}

pub(super) const fn integer(name: &'static str, from: i64, to: i64) -> Field {
    Field::new(name, Kind::Integer(from, to))
}

pub(super) const fn choice(name: &'static str, choices: &'static [(&'static str, &'static str)]) -> Field {
    Field::new(name, Kind::Choice(choices))
}

pub(super) const fn reference(name: &'static str, target: Target, on_delete: OnDelete) -> Field {
    Field::new(name, Kind::ForeignKey(target, on_delete))
}

pub(super) const fn references(name: &'static str, target: Target) -> Field {
    Field::new(name, Kind::ManyToMany(target)).optional()
}

pub(super) const fn description() -> Field {
    text("description", 200).optional().help("One line about it.")
}

pub(super) const fn comments() -> Field {
    long_text("comments").optional().help("Markdown about it.")
}

pub(super) const fn local_context_data() -> Field {
    Field::new("local_context_data", Kind::JsonObject)
        .nullable()
        .help("Values for templates, for this object only; they win over its configuration contexts.")
}

pub(super) const fn tags() -> Field {
    Field::new("tags", Kind::Tags).optional()
}

/// What every object has that templates can use.
pub(super) fn common() -> Vec<Field> {
    vec![description(), comments(), local_context_data(), tags()]
}

/// What every object has that is found by name.
pub(super) fn organisational() -> Vec<Field> {
    vec![
        text("name", 100).unique(),
        Field::new("slug", Kind::Slug(100)).unique().help("The name as it stands in addresses of pages."),
        description(),
        local_context_data(),
        tags(),
    ]
}

/// What every template has.
pub(super) fn template() -> Vec<Field> {
    let mut fields = vec![
        text("name", 100),
        long_text("template").help("The template, in the language of Jinja2."),
        boolean("jinja2_trim", false).help("Whether the line break after a tag is dropped."),
        boolean("jinja2_lstrip", false).help("Whether white space before a tag is dropped."),
    ];
    fields.extend(common());
    fields
}

/// Routing policies and communities.
pub(super) fn routing() -> Vec<Field> {
    vec![
        references("import_routing_policies", Target(&super::routing_policy::MODEL)),
        references("export_routing_policies", Target(&super::routing_policy::MODEL)),
        references("communities", Target(&super::community::MODEL)),
    ]
}

pub(super) const fn status() -> Field {
    choice("status", choices::STATUS).text("enabled")
}
