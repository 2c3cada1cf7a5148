//! What a description is made of: [`Model`], and its [`Field`]s.

pub use super::field::{Choice, Default, Field, Kind, OnDelete, Target};

use super::problems::Problems;
use super::record::{Graph, Record};
use super::secrets::{Keyring, SecretError};

/// One kind of object that people keep, such as routers.
pub struct Model {
    /// Application and name in the original's spelling, such as `devices.router`: what the change log, generic
    /// references and permissions call it.
    pub label: &'static str,
    /// The table that keeps it.
    pub table: &'static str,
    /// What a person calls one.
    pub singular: &'static str,
    /// What a person calls several. With underscores it is the object's section in a document.
    pub plural: &'static str,
    /// Its fields but for `id`, `created` and `updated`, which every object has.
    pub fields: Vec<Field>,
    /// Fields that are unique together. Like the engines, a group with an empty field is never taken.
    pub unique_together: &'static [&'static [&'static str]],
    /// Default order; `-` in front turns it round, a reference sorts as what it refers to, and the id comes last.
    pub order: &'static [&'static str],
    /// Fields by which a document names an object. They need not be unique.
    pub key: &'static [&'static str],
    /// What else can be attached to it.
    pub features: &'static [Feature],
    /// References, as paths with dots, that the functions below look at.
    pub needs: &'static [&'static str],
    /// What follows from other fields, before the rules are looked at. Secrets are in the clear or sealed.
    pub normalise: fn(&mut Record, &Graph, &Keyring) -> Result<(), SecretError>,
    /// Rules that no single field can tell.
    pub check: fn(&Record, &Graph, &mut Problems<'_>),
    /// What a person calls this object.
    pub display: fn(&Record, &Graph) -> String,
}

/// What can be attached to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Configuration contexts, beside `local_context_data`.
    ConfigContexts,
    /// Export templates of its type.
    ExportTemplates,
    /// Webhooks.
    Webhooks,
    /// Contacts.
    Contacts,
    /// Journal entries.
    Journal,
}

/// What most objects can have attached.
pub const COMMON_FEATURES: &[Feature] =
    &[Feature::ConfigContexts, Feature::ExportTemplates, Feature::Webhooks];

impl Model {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The place of this field's value in a [`Record`].
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The model's name without its application, such as `router`.
    pub fn name(&self) -> &'static str {
        self.label.split_once('.').map_or(self.label, |(_, name)| name)
    }

    /// The model's application, such as `devices`.
    pub fn app(&self) -> &'static str {
        self.label.split_once('.').map_or(self.label, |(app, _)| app)
    }

    /// What its section of a document is called.
    pub fn section(&self) -> String {
        self.plural.to_lowercase().replace([' ', '-'], "_")
    }

    /// Whether this can be attached to it.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// Its columns, with `id`, `created` and `updated` first.
    pub fn columns(&self) -> Vec<String> {
        let common = ["id", "created", "updated"].map(ToOwned::to_owned);
        common.into_iter().chain(self.fields.iter().filter_map(Field::column)).collect()
    }

    /// The table that joins it with what this field refers to.
    pub fn join_table(&self, field: &Field) -> String {
        format!("{}_{}", self.table, field.name)
    }

    /// Single fields and groups of fields that are unique.
    pub fn uniques(&self) -> Vec<Vec<&'static str>> {
        let single = self.fields.iter().filter(|field| field.unique).map(|field| vec![field.name]);
        single.chain(self.unique_together.iter().map(|group| group.to_vec())).collect()
    }

    /// Whether its objects are told apart by their key alone.
    pub fn key_is_unique(&self) -> bool {
        self.uniques().iter().any(|unique| unique == self.key)
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.label == other.label
    }
}

impl Eq for Model {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label)
    }
}

/// For models without rules of their own.
pub(super) fn no_rules(_: &Record, _: &Graph, _: &mut Problems<'_>) {}

/// For models in which nothing follows from anything.
#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
pub(super) fn as_given(_: &mut Record, _: &Graph, _: &Keyring) -> Result<(), SecretError> {
    Ok(())
}

/// For objects that are called by their name.
pub(super) fn by_name(record: &Record, _: &Graph) -> String {
    record.text("name").to_owned()
}
