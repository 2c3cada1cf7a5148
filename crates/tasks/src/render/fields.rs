//! What a template's field is in the database: one column, a list of references, or nothing.
//!
//! Templates know the original's models (`models.txt` of `pm-render`), the database has its own descriptions. They are
//! brought together by name; a test goes through every field of both.

use pm_render::Kind;
use pm_store::objects::model::Kind as StoreKind;
use pm_store::objects::model::Model as StoreModel;
use pm_store::peeringdb::tables::{CacheTable, TABLES};
use pm_store::schema::Column;

/// Where a field of a template's model comes from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// When the object was made.
    Created,
    /// When it was last changed.
    Updated,
    /// The field of the description at this place.
    Field(usize),
    /// The field at this place, which is a list of references.
    References(usize),
    /// The object's tags.
    Tags,
    /// The prefix lists of an autonomous system.
    Prefixes,
    /// Its AS list.
    AsList,
    /// Not kept here.
    Absent(Absent),
}

/// What a field shows that is not kept here.
#[derive(Clone, Copy)]
pub(super) enum Absent {
    /// None.
    Null,
    /// No text.
    Empty,
    /// True.
    True,
}

/// Fields of templates that the database does not have, and why that is right.
#[cfg(test)]
pub(super) const ABSENT: [(&str, &str); 6] = [
    ("data_source", "there are no data sources yet"),
    ("data_file", "there are no data sources yet"),
    ("data_path", "there are no data sources yet"),
    ("data_pushed", "there are no data sources yet"),
    ("data_synchronised", "there are no data sources yet"),
    ("auto_synchronisation_enabled", "there are no data sources yet"),
];

/// Where each field of `model` comes from, in its order.
pub(super) fn sources(model: &pm_render::Model, stored: &StoreModel) -> Vec<Source> {
    // A file's path is empty in templates and null in routers.
    let no_path = if model.field("data_synchronised").is_some() { Absent::Empty } else { Absent::Null };
    model
        .fields
        .iter()
        .map(|field| match source(&field.name, field.kind, stored) {
            Source::Absent(_) if &*field.name == "data_path" => Source::Absent(no_path),
            source => source,
        })
        .collect()
}

fn source(name: &str, kind: Kind, stored: &StoreModel) -> Source {
    // A hidden peer keeps the ids by themselves, so that they outlive the records.
    let looked_for = name.strip_suffix("_id_copy").unwrap_or(name);
    match stored.fields.iter().position(|field| field.name == looked_for) {
        Some(place) => match stored.fields[place].kind {
            StoreKind::Tags => Source::Tags,
            StoreKind::ManyToMany(_) => Source::References(place),
            _ => Source::Field(place),
        },
        None => match (name, kind) {
            ("created", _) => Source::Created,
            ("updated", _) => Source::Updated,
            ("as_list", _) => Source::AsList,
            (_, Kind::Prefixes) => Source::Prefixes,
            ("auto_synchronisation_enabled", _) => Source::Absent(Absent::True),
            _ => Source::Absent(Absent::Null),
        },
    }
}

/// The cache's table of a template's model.
pub(super) fn cache_table(model: &pm_render::Model) -> Option<&'static CacheTable> {
    static ALL: [CacheTable; 13] = TABLES;
    let table = model.name.replace('.', "_");
    ALL.iter().find(|cached| cached.table == table)
}

/// Where a field of a cached record comes from.
#[derive(Clone, Copy)]
pub(super) enum CacheSource {
    /// When PeeringDB made it.
    Created,
    /// When PeeringDB changed it.
    Updated,
    /// The column.
    Column(&'static Column),
    /// Not kept here.
    Absent,
}

/// Where each field of `model` comes from, in its order.
pub(super) fn cache_sources(model: &pm_render::Model, table: &'static CacheTable) -> Vec<CacheSource> {
    let source = |field: &pm_render::Field| {
        let column = if field.kind == Kind::ForeignKey {
            format!("{}_id", field.name)
        } else {
            field.name.to_string()
        };
        match &*field.name {
            "created" => CacheSource::Created,
            "updated" => CacheSource::Updated,
            _ => table
                .columns
                .iter()
                .find(|known| known.name == column)
                .map_or(CacheSource::Absent, CacheSource::Column),
        }
    };
    model.fields.iter().map(source).collect()
}

#[cfg(test)]
mod tests {
    use pm_render::Models;
    use pm_store::objects::registry;

    use super::*;

    /// Fields of the database that templates of the original do not see.
    const UNSEEN: &[(&str, &str)] =
        &[("created_by", "templates see no users"), ("assigned_object_type", "by another name")];

    #[test]
    fn every_field_of_templates_is_kept_or_listed() {
        let mut missing = Vec::new();
        for model in Models::get().all() {
            if let Some(table) = cache_table(model) {
                let sources = cache_sources(model, table);
                for (field, source) in model.fields.iter().zip(sources) {
                    if matches!(source, CacheSource::Absent) {
                        missing.push(format!("{}.{}", model.name, field.name));
                    }
                }
                continue;
            }
            // No object that people keep, and looked at by a test of its own.
            if &*model.name == super::super::deleted::MODEL {
                continue;
            }
            let Some(stored) = registry::model(&model.name) else {
                missing.push(model.name.to_string());
                continue;
            };
            for (field, source) in model.fields.iter().zip(sources(model, stored)) {
                if matches!(source, Source::Absent(_))
                    && !ABSENT.iter().any(|(name, _)| *name == &*field.name)
                {
                    missing.push(format!("{}.{}", model.name, field.name));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn every_field_of_the_database_is_seen_or_listed() {
        let mut unseen = Vec::new();
        let none = ["extras.ixapi", "extras.webhook", "extras.notificationrule"];
        for stored in registry::models().filter(|stored| !none.contains(&stored.label)) {
            let Some(index) = Models::get().index(stored.label) else {
                unseen.push(stored.label.to_owned());
                continue;
            };
            let model = &Models::get().all()[usize::from(index)];
            for field in &stored.fields {
                if model.field(field.name).is_none() && !UNSEEN.iter().any(|(name, _)| *name == field.name) {
                    unseen.push(format!("{}.{}", stored.label, field.name));
                }
            }
        }
        assert_eq!(unseen, Vec::<String>::new());
    }
}
