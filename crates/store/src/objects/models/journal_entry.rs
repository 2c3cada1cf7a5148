//! Journal entries: what people note down about an object.

use std::sync::LazyLock;

use super::base::{choice, long_text, tags};
use crate::objects::choices;
use crate::objects::model::{Feature, Field, Kind, Model, as_given, no_rules};
use crate::objects::record::{Graph, Record};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.journalentry",
    table: "extras_journalentry",
    singular: "journal entry",
    plural: "journal entries",
    fields: vec![
        Field::new("assigned_object_type", Kind::ObjectType(Some(Feature::Journal))),
        Field::new("assigned_object_id", Kind::ObjectId("assigned_object_type")),
        Field::new("created_by", Kind::User).nullable(),
        choice("kind", choices::JOURNAL_KIND).text("info"),
        long_text("comments"),
        tags(),
    ],
    unique_together: &[],
    order: &["-created"],
    key: &["assigned_object_type", "assigned_object_id", "comments"],
    features: &[Feature::ExportTemplates],
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display,
});

/// Moment, in UTC, and kind.
fn display(entry: &Record, _: &Graph) -> String {
    let kind = entry.text("kind");
    let label =
        choices::JOURNAL_KIND.iter().find(|(value, _)| *value == kind).map_or(kind, |(_, label)| label);
    format!("{} ({label})", entry.created.format("%Y-%m-%d %H:%M"))
}
