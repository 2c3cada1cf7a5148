//! The tables of lists.

use super::model::{Field, Kind, Model};

/// The table between an object and those in one of its lists.
pub(crate) struct Join {
    pub(crate) table: String,
    pub(crate) owner: String,
    pub(crate) target: String,
    /// For tags, whose table serves all models.
    pub(crate) and: String,
}

impl Join {
    pub(crate) fn of(model: &Model, field: &Field, target: &Model) -> Self {
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
