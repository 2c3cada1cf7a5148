//! IX-APIs: an Internet exchange's own interface (<https://ix-api.net/>), and the account there.

use std::sync::LazyLock;

use super::base::text;
use crate::objects::model::{Field, Kind, Model, as_given, by_name, no_rules};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.ixapi",
    table: "extras_ixapi",
    singular: "IX-API",
    plural: "IX-APIs",
    fields: vec![
        text("name", 100),
        text("api_url", 2000),
        text("api_key", 2000).sensitive().sealed(),
        Field::new("api_secret", Kind::Secret(2000)),
        text("identity", 256).help("The account there."),
        Field::new("access_token", Kind::Secret(usize::MAX)).nullable().fixed(),
        Field::new("access_token_expiration", Kind::Time).nullable().fixed(),
        Field::new("refresh_token", Kind::Secret(usize::MAX)).nullable().fixed(),
        Field::new("refresh_token_expiration", Kind::Time).nullable().fixed(),
    ],
    unique_together: &[&["api_url", "api_key"]],
    order: &["name", "api_url", "-created"],
    key: &["name"],
    features: &[],
    needs: &[],
    normalise: as_given,
    check: no_rules,
    display: by_name,
});
