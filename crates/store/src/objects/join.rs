//! The tables of lists.

use super::model::{Field, Kind, Model};

/// The table between an object and those in one of its lists.
pub(super) struct Join {
    pub(super) table: String,
    pub(super) owner: String,
    pub(super) target: String,
    /// For tags, whose table serves all models.
    pub(super) and: String,
}

impl Join {
    pub(super) fn of(model: &Model, field: &Field, target: &Model) -> Self {
        if matches!(field.kind, Kind::Tags) {
            return Self {
                table: "extras_taggeditem".to_owned(),
                owner: "object_id".to_owned(),
                target: "tag_id".to_owned(),
                and: format!(" AND l.content_type = '{}'", model.label),
            };
        }
        Self {
            table: model.join_table(field),
            owner: format!("{}_id", model.name()),
            target: format!("{}_id", target.name()),
            and: String::new(),
        }
    }
}
