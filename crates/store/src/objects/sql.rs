//! From paths of field names to SQL: joins, conditions, orders.

use std::collections::BTreeMap;

use super::data::Data;
use super::forms::interface;
use super::join::Join;
use super::model::{Field, Kind, Model};
use super::problems::ObjectError;
use crate::schema::ColumnKind;
use crate::{Engine, Value, address};

/// The statement's end after its first table, which is called `t0`.
pub(super) struct Scope {
    engine: Engine,
    joins: String,
    aliases: BTreeMap<(String, &'static str), String>,
    conditions: Vec<String>,
    values: Vec<Value>,
    tables: u32,
}

/// What is asked of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Exact,
    Like(&'static str, &'static str),
    Compare(&'static str),
    IsNull,
    Family,
    Host,
    Within,
}

/// `column IN` a list of ids that travels as one value, so that its length does not matter.
pub(crate) fn among(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "IN (SELECT value FROM json_each(?))",
        Engine::Postgres => "IN (SELECT value::BIGINT FROM json_array_elements_text(?::JSON))",
    }
}

/// The value for [`among`].
pub(crate) fn id_list(ids: &[i64]) -> Value {
    Value::json(&ids.into())
}

impl Scope {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            joins: String::new(),
            aliases: BTreeMap::new(),
            conditions: Vec::new(),
            values: Vec::new(),
            tables: 0,
        }
    }

    pub(super) fn tail(&self) -> String {
        if self.conditions.is_empty() {
            self.joins.clone()
        } else {
            format!("{} WHERE {}", self.joins, self.conditions.join(" AND "))
        }
    }

    pub(super) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// Only these ids.
    pub(super) fn only(&mut self, ids: &[i64]) {
        self.conditions.push(format!("t0.id {}", among(self.engine)));
        self.values.push(id_list(ids));
    }

    /// One of the conditions holds.
    pub(super) fn any(
        &mut self,
        model: &'static Model,
        alternatives: &[(String, Vec<Data>)],
    ) -> Result<(), ObjectError> {
        let mut conditions = Vec::new();
        for (path, values) in alternatives {
            let segments: Vec<&str> = path.split("__").collect();
            let (segments, lookup, negative) = split_lookup(model, &segments)
                .ok_or_else(|| ObjectError::Question(format!("{} have no field {path}", model.plural)))?;
            let condition = self
                .condition(model, "t0", segments, lookup, values)
                .map_err(|problem| ObjectError::Question(format!("{} by {path}: {problem}", model.plural)))?;
            conditions.push(if negative { format!("NOT COALESCE({condition}, FALSE)") } else { condition });
        }
        if !conditions.is_empty() {
            self.conditions.push(format!("({})", conditions.join(" OR ")));
        }
        Ok(())
    }

    fn condition(
        &mut self,
        model: &'static Model,
        alias: &str,
        segments: &[&str],
        lookup: Lookup,
        values: &[Data],
    ) -> Result<String, String> {
        let Some((name, rest)) = segments.split_first() else { return Err("no field is named".to_owned()) };
        let own;
        let field = match (model.field(name), *name) {
            (Some(field), _) => field,
            (None, "id") => {
                own = Field::new("id", Kind::Integer(i64::MIN, i64::MAX));
                &own
            }
            (None, "created") => {
                own = Field::new("created", Kind::Time);
                &own
            }
            (None, "updated") => {
                own = Field::new("updated", Kind::Time);
                &own
            }
            (None, name) => return Err(format!("{} have no field {name}", model.plural)),
        };
        match (field.kind, field.target()) {
            (Kind::ManyToMany(_) | Kind::Tags, Some(target)) => {
                self.in_list(model, alias, field, target, rest, lookup, values)
            }
            (Kind::ForeignKey(..), Some(target)) if !rest.is_empty() => {
                let alias = self.join(alias, field, target);
                self.condition(target, &alias, rest, lookup, values)
            }
            _ if !rest.is_empty() => Err(format!("{name} is no reference")),
            _ => self.leaf(field, &format!("{alias}.{}", field.column().unwrap_or_default()), lookup, values),
        }
    }

    /// One of the objects in the list fulfils the rest of the condition.
    #[expect(clippy::too_many_arguments, reason = "the parts of a condition, and where it stands")]
    fn in_list(
        &mut self,
        model: &'static Model,
        alias: &str,
        field: &Field,
        target: &'static Model,
        rest: &[&str],
        lookup: Lookup,
        values: &[Data],
    ) -> Result<String, String> {
        let from = Join::of(model, field, target);
        let exists = |tail: &str| {
            format!(
                "EXISTS (SELECT 1 FROM {} l {tail} AND l.{} = {alias}.id{})",
                from.table, from.owner, from.and
            )
        };
        if rest.is_empty() {
            if lookup == Lookup::IsNull {
                let condition = exists("WHERE TRUE");
                let empty = values.first().is_none_or(|value| truth(value) != Some(false));
                return Ok(if empty { format!("NOT {condition}") } else { condition });
            }
            let id = Field::new("id", Kind::Integer(i64::MIN, i64::MAX));
            let condition = self.leaf(&id, &format!("l.{}", from.target), lookup, values)?;
            return Ok(exists(&format!("WHERE {condition}")));
        }
        // The list's own tables stay inside the parentheses.
        let outside = (std::mem::take(&mut self.joins), std::mem::take(&mut self.aliases));
        self.tables += 1;
        let inner = format!("t{}", self.tables);
        let condition = self.condition(target, &inner, rest, lookup, values);
        let (joins, _) =
            (std::mem::replace(&mut self.joins, outside.0), std::mem::replace(&mut self.aliases, outside.1));
        Ok(exists(&format!(
            "JOIN {} {inner} ON {inner}.id = l.{}{joins} WHERE {}",
            target.table, from.target, condition?
        )))
    }

    /// Adds the table that a reference leads to, once.
    fn join(&mut self, alias: &str, field: &Field, target: &'static Model) -> String {
        let key = (alias.to_owned(), field.name);
        if let Some(known) = self.aliases.get(&key) {
            return known.clone();
        }
        self.tables += 1;
        let next = format!("t{}", self.tables);
        let join = format!(
            " LEFT JOIN {} {next} ON {next}.id = {alias}.{}",
            target.table,
            field.column().unwrap_or_default()
        );
        self.joins.push_str(&join);
        self.aliases.insert(key, next.clone());
        next
    }

    fn leaf(
        &mut self,
        field: &Field,
        column: &str,
        lookup: Lookup,
        values: &[Data],
    ) -> Result<String, String> {
        if field.is_sealed() && lookup != Lookup::IsNull {
            return Err("a secret cannot be looked for".to_owned());
        }
        if lookup == Lookup::IsNull {
            let empty = values.first().is_none_or(|value| truth(value) != Some(false));
            return Ok(format!("({column} IS {})", if empty { "NULL" } else { "NOT NULL" }));
        }
        let mut conditions = Vec::new();
        let mut exact = Vec::new();
        for value in values {
            match lookup {
                Lookup::Exact if *value == Data::Null => conditions.push(format!("{column} IS NULL")),
                Lookup::Exact => exact.push(field.value(&sought(field, value)?)),
                Lookup::Compare(operator) => {
                    conditions.push(format!("{column} {operator} ?"));
                    self.values.push(field.value(&sought(field, value)?));
                }
                Lookup::Like(before, after) => {
                    if field.kind.column() != Some(ColumnKind::Text) {
                        return Err("only text can be searched".to_owned());
                    }
                    let Data::Text(text) = value else {
                        return Err("only text can be searched for".to_owned());
                    };
                    conditions.push(format!("LOWER({column}) LIKE LOWER(?) ESCAPE '\\'"));
                    self.values.push(format!("{before}{}{after}", escaped(text)).into());
                }
                Lookup::Family | Lookup::Host | Lookup::Within => {
                    if field.kind.column() != Some(ColumnKind::Address) {
                        return Err("is no address".to_owned());
                    }
                    let (from, to) = bounds(lookup, value)?;
                    conditions.push(format!("({column} >= ? AND {column} <= ?)"));
                    self.values.extend([from.into(), to.into()]);
                }
                Lookup::IsNull => {}
            }
        }
        if !exact.is_empty() {
            conditions.push(format!("{column} IN ({})", crate::database::placeholders(exact.len())));
            self.values.extend(exact);
        }
        Ok(if conditions.is_empty() { "FALSE".to_owned() } else { format!("({})", conditions.join(" OR ")) })
    }

    /// What stands behind `ORDER BY`. Empty ones come last, in a turned order first. Text sorts by its octets.
    pub(super) fn order(&mut self, model: &'static Model, terms: &[&str]) -> Result<String, ObjectError> {
        let mut parts = Vec::new();
        self.order_by(model, "t0", terms, false, &mut parts)
            .map_err(|name| ObjectError::Question(format!("{} cannot be sorted by {name}", model.plural)))?;
        parts.push("t0.id".to_owned());
        Ok(parts.join(", "))
    }

    fn order_by<'a>(
        &mut self,
        model: &'static Model,
        alias: &str,
        terms: &[&'a str],
        turned: bool,
        parts: &mut Vec<String>,
    ) -> Result<(), &'a str> {
        for term in terms {
            let (name, down) = term.strip_prefix('-').map_or((*term, turned), |name| (name, !turned));
            let direction = if down { "DESC NULLS FIRST" } else { "ASC NULLS LAST" };
            if let Some(target) = model
                .field(name)
                .filter(|field| matches!(field.kind, Kind::ForeignKey(..)))
                .and_then(Field::target)
            {
                let field = model.field(name).ok_or(name)?;
                let next = self.join(alias, field, target);
                self.order_by(target, &next, target.order, down, parts).map_err(|_| name)?;
                continue;
            }
            let kind = match (model.field(name), name) {
                (Some(field), _) => field.kind.column().ok_or(name)?,
                (None, "id") => ColumnKind::Integer,
                (None, "created" | "updated") => ColumnKind::Time,
                _ => return Err(name),
            };
            let column = model.field(name).and_then(Field::column).unwrap_or_else(|| name.to_owned());
            let bytewise = kind == ColumnKind::Text && self.engine == Engine::Postgres;
            let collation = if bytewise { " COLLATE \"C\"" } else { "" };
            parts.push(format!("{alias}.{column}{collation} {direction}"));
        }
        Ok(())
    }
}

/// The path without its lookup, the lookup, and whether it is meant the other way round.
fn split_lookup<'a, 'b>(
    model: &'static Model,
    segments: &'a [&'b str],
) -> Option<(&'a [&'b str], Lookup, bool)> {
    if is_path(model, segments) {
        return Some((segments, Lookup::Exact, false));
    }
    let (last, path) = segments.split_last()?;
    let (lookup, negative) = match *last {
        "n" => (Lookup::Exact, true),
        "ie" => (Lookup::Like("", ""), false),
        "nie" => (Lookup::Like("", ""), true),
        "ic" => (Lookup::Like("%", "%"), false),
        "nic" => (Lookup::Like("%", "%"), true),
        "isw" => (Lookup::Like("", "%"), false),
        "nisw" => (Lookup::Like("", "%"), true),
        "iew" => (Lookup::Like("%", ""), false),
        "niew" => (Lookup::Like("%", ""), true),
        "lt" => (Lookup::Compare("<"), false),
        "lte" => (Lookup::Compare("<="), false),
        "gt" => (Lookup::Compare(">"), false),
        "gte" => (Lookup::Compare(">="), false),
        "isnull" => (Lookup::IsNull, false),
        "family" => (Lookup::Family, false),
        "host" => (Lookup::Host, false),
        "within" => (Lookup::Within, false),
        _ => return None,
    };
    is_path(model, path).then_some((path, lookup, negative))
}

fn is_path(model: &'static Model, segments: &[&str]) -> bool {
    let Some((name, rest)) = segments.split_first() else { return false };
    match model.field(name) {
        Some(field) => rest.is_empty() || field.target().is_some_and(|target| is_path(target, rest)),
        None => rest.is_empty() && ["id", "created", "updated"].contains(name),
    }
}

fn truth(value: &Data) -> Option<bool> {
    match value {
        Data::Boolean(value) => Some(*value),
        Data::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Data::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The value in the field's form.
fn sought(field: &Field, value: &Data) -> Result<Data, String> {
    if let Data::Text(text) = value {
        if field.kind.column() == Some(ColumnKind::Integer) {
            return text.parse().map(Data::Integer).map_err(|_| format!("{text:?} is not a whole number"));
        }
        if field.kind.column() == Some(ColumnKind::Boolean) {
            return truth(value).map(Data::Boolean).ok_or_else(|| format!("{text:?} is not true or false"));
        }
    }
    field.accept(value.clone())
}

/// First and last value of an address column.
fn bounds(lookup: Lookup, value: &Data) -> Result<(Vec<u8>, Vec<u8>), String> {
    let net = || match value {
        Data::Text(text) => interface(text),
        Data::Interface(net) => Ok(*net),
        Data::Host(host) => Ok((*host).into()),
        other => Err(format!("{} is not an IP address", other.to_json())),
    };
    match (lookup, value) {
        (Lookup::Family, Data::Integer(family @ (4 | 6))) => {
            let family = if *family == 4 { 4 } else { 6 };
            Ok((vec![family], vec![family + 1]))
        }
        (Lookup::Family, Data::Text(text)) if text == "4" => Ok((vec![4], vec![5])),
        (Lookup::Family, Data::Text(text)) if text == "6" => Ok((vec![6], vec![7])),
        (Lookup::Family, other) => Err(format!("{} is neither 4 nor 6", other.to_json())),
        (Lookup::Host, _) => Ok(address::range(net()?.addr().into())),
        _ => Ok(address::range(net()?)),
    }
}

/// Text that stands for itself in a pattern.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::models::router;

    #[test]
    fn text_sorts_by_its_octets_whatever_collation_a_database_has() {
        // The databases of tests have the C collation anyway.
        let order =
            |engine| Scope::new(engine).order(&router::MODEL, &["-name", "local_autonomous_system"]).unwrap();
        assert_eq!(
            order(Engine::Postgres),
            "t0.name COLLATE \"C\" DESC NULLS FIRST, t1.asn ASC NULLS LAST, t1.affiliated ASC NULLS LAST, t0.id"
        );
        assert_eq!(
            order(Engine::Sqlite),
            "t0.name DESC NULLS FIRST, t1.asn ASC NULLS LAST, t1.affiliated ASC NULLS LAST, t0.id"
        );
    }
}
