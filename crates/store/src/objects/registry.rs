//! All descriptions.

use std::sync::LazyLock;

use super::model::{Kind, Model};
use super::models;

/// Every model, what is referred to before what refers to it.
static MODELS: [&LazyLock<Model>; 26] = [
    &models::tag::MODEL,
    &models::config_context::MODEL,
    &models::export_template::MODEL,
    &models::ixapi::MODEL,
    &models::webhook::MODEL,
    &models::notification_rule::MODEL,
    &models::community::MODEL,
    &models::relationship::MODEL,
    &models::routing_policy::MODEL,
    &models::bfd::MODEL,
    &models::platform::MODEL,
    &models::configuration::MODEL,
    &models::email::MODEL,
    &models::contact_role::MODEL,
    &models::contact::MODEL,
    &models::autonomous_system::MODEL,
    &models::bgp_group::MODEL,
    &models::router::MODEL,
    &models::internet_exchange::MODEL,
    &models::connection::MODEL,
    &models::direct_peering_session::MODEL,
    &models::internet_exchange_peering_session::MODEL,
    &models::hidden_peer::MODEL,
    &models::contact_assignment::MODEL,
    &models::config_context_assignment::MODEL,
    &models::journal_entry::MODEL,
];

/// Every model, what is referred to before what refers to it.
pub fn models() -> impl DoubleEndedIterator<Item = &'static Model> {
    MODELS.iter().map(|model| &***model)
}

/// The model with this label, such as `devices.router`.
pub fn model(label: &str) -> Option<&'static Model> {
    models().find(|model| model.label == label)
}

/// Every reference to objects of `model`: who has it, and its place among that model's fields.
pub(crate) fn references_to(model: &Model) -> impl Iterator<Item = (&'static Model, usize)> {
    let label = model.label;
    models().flat_map(move |from| {
        let fields = from.fields.iter().enumerate();
        fields.filter_map(move |(place, field)| {
            matches!(field.kind, Kind::ForeignKey(target, _) if target.model().label == label)
                .then_some((from, place))
        })
    })
}

/// Every model whose objects are attached to objects of any model: type column and id column.
pub(crate) fn attached() -> impl Iterator<Item = (&'static Model, &'static str, &'static str)> {
    models().filter_map(|model| {
        model.fields.iter().find_map(|field| match field.kind {
            Kind::ObjectId(type_field) => Some((model, type_field, field.name)),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_in_descriptions_are_of_something_that_is_there() {
        let mut seen = HashSet::new();
        let mut sections = HashSet::new();
        for model in models() {
            assert!(sections.insert(model.section()), "{model:?}");
            let names: HashSet<&str> = model.fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), model.fields.len(), "{model:?} has a field twice");
            for name in model.key.iter().chain(model.unique_together.iter().copied().flatten()) {
                assert!(names.contains(name), "{model:?} {name}");
            }
            for term in model.order {
                let name = term.trim_start_matches('-');
                assert!(names.contains(name) || name == "created", "{model:?} {name}");
            }
            for path in model.needs {
                let mut at: &Model = model;
                for name in path.split('.') {
                    at = at
                        .field(name)
                        .and_then(super::super::model::Field::target)
                        .unwrap_or_else(|| panic!("{path}"));
                }
            }
            for field in &model.fields {
                if let Some(target) = field.target() {
                    assert!(seen.contains(target.label), "{model:?} comes before {target:?}");
                }
                let initial = field.initial();
                assert!(
                    field.required() || field.check(&initial).is_ok(),
                    "{model:?}.{} {initial:?}",
                    field.name
                );
            }
            seen.insert(model.label);
        }
    }
}
