//! The tables that descriptions ask for. Migrations are written by hand or taken from here, and never change again; a test
//! compares what they make with what is described.

use super::join::Join;
use super::model::{Default, Field, Kind, Model, OnDelete};
use crate::schema::ColumnKind;

/// The statements that make the model's table, the tables of its lists, and indexes, with types in braces as in the
/// files in `migrations/`.
pub fn statements(model: &Model) -> Vec<String> {
    let mut lines = vec![
        "    id {identity}".to_owned(),
        "    created {time} NOT NULL".to_owned(),
        "    updated {time} NOT NULL".to_owned(),
    ];
    lines.extend(model.fields.iter().filter_map(column).map(|column| format!("    {column}")));
    for group in model.unique_together {
        lines.push(format!("    UNIQUE ({})", columns(model, group).join(", ")));
    }
    let mut statements = vec![format!("CREATE TABLE {} (\n{}\n);", model.table, lines.join(",\n"))];
    statements.extend(model.fields.iter().filter_map(|field| index(model, field)));
    statements.extend(model.fields.iter().filter_map(|field| join_table(model, field)));
    statements
}

/// A column as it stands in `CREATE TABLE`; `None` for lists.
pub fn column(field: &Field) -> Option<String> {
    let kind = match field.kind.column()? {
        ColumnKind::Integer => "{integer}",
        ColumnKind::Boolean => "{boolean}",
        ColumnKind::Float => "{float}",
        ColumnKind::Text => "{text}",
        ColumnKind::Time => "{time}",
        ColumnKind::Json => "{json}",
        ColumnKind::Address => "{address}",
    };
    let null = if field.nullable { "" } else { " NOT NULL" };
    let default = match field.default {
        Default::None => String::new(),
        Default::Text(text) => format!(" DEFAULT '{text}'"),
        Default::Integer(number) => format!(" DEFAULT {number}"),
        Default::Boolean(value) => format!(" DEFAULT {}", if value { "TRUE" } else { "FALSE" }),
    };
    let unique = if field.unique { " UNIQUE" } else { "" };
    let references = match field.kind {
        Kind::ForeignKey(target, on_delete) => {
            // Deletions are worked out, and logged, before they reach the database; these clauses are for whoever
            // deletes by hand.
            let clause = match on_delete {
                OnDelete::Cascade => " ON DELETE CASCADE",
                OnDelete::SetNull => " ON DELETE SET NULL",
                OnDelete::Protect => "",
            };
            format!(" REFERENCES {} (id){clause}", target.model().table)
        }
        Kind::User => " REFERENCES auth_user (id) ON DELETE SET NULL".to_owned(),
        _ => String::new(),
    };
    Some(format!("{} {kind}{null}{default}{unique}{references}", field.column()?))
}

fn columns(model: &Model, names: &[&str]) -> Vec<String> {
    names.iter().filter_map(|name| model.field(name)?.column()).collect()
}

/// References are looked up from both sides.
fn index(model: &Model, field: &Field) -> Option<String> {
    let columns = match field.kind {
        Kind::ForeignKey(..) | Kind::User | Kind::Cached(_) => field.column()?,
        Kind::ObjectId(type_field) => format!("{type_field}, {}", field.name),
        _ => return None,
    };
    Some(format!("CREATE INDEX {}_{} ON {} ({columns});", model.table, field.name, model.table))
}

fn join_table(model: &Model, field: &Field) -> Option<String> {
    let Kind::ManyToMany(target) = field.kind else { return None };
    let target = target.model();
    let join = Join::of(model, field, target);
    Some(format!(
        "CREATE TABLE {table} (\n    {owner} {{integer}} NOT NULL REFERENCES {model} (id) ON DELETE CASCADE,\n    \
         {other} {{integer}} NOT NULL REFERENCES {target} (id) ON DELETE CASCADE,\n    PRIMARY KEY ({owner}, {other})\n);\n\
         CREATE INDEX {name}_{field}_other ON {table} ({other});",
        table = join.table,
        name = model.name(),
        field = field.name,
        owner = join.owner,
        model = model.table,
        other = join.target,
        target = target.table,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::registry;

    #[test]
    fn names_are_short_enough_to_be_told_apart() {
        // PostgreSQL cuts names off at 63 octets.
        for statement in registry::models().flat_map(statements) {
            let names = statement.split_whitespace().collect::<Vec<_>>();
            for name in
                names.windows(2).filter(|pair| ["TABLE", "INDEX"].contains(&pair[0])).map(|pair| pair[1])
            {
                assert!(name.len() <= 63, "{name}");
            }
        }
    }
}
