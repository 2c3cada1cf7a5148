//! E-mails: templates of what people are sent.

use std::sync::LazyLock;

use super::base::{template, text};
use crate::objects::model::{COMMON_FEATURES, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "messaging.email",
    table: "messaging_email",
    singular: "e-mail",
    plural: "e-mails",
    fields: [template(), vec![text("subject", 512).help("A template too.")]].concat(),
    unique_together: &[],
    order: &["name"],
    key: &["name"],
    features: COMMON_FEATURES,
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
