//! Tags: words that people stick to objects.

use std::sync::LazyLock;

use super::base::{description, text};
use crate::objects::model::{Field, Kind, Model, as_given, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.tag",
    table: "extras_tag",
    singular: "tag",
    plural: "tags",
    fields: vec![
        text("name", 100).unique(),
        text("slug", 100).unique().help("The name as it stands in addresses of pages."),
        Field::new("color", Kind::Color).text("9e9e9e"),
        description(),
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

/// Unlike other slugs, a tag's may have letters of any script.
fn check(tag: &Record, _: &Graph, problems: &mut Problems<'_>) {
    let slug = tag.text("slug");
    if !slug.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
        problems.field(
            "slug",
            format!("{slug:?} has other characters than letters, digits, hyphens and underscores"),
        );
    }
}
