//! Sets of objects that behave as Django's query sets do, worked out on the world's tables.

use std::collections::HashSet;
use std::rc::Rc;

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::lookup;
use crate::model::Kind;
use crate::value::{Dict, Key, Value};
use crate::world::Row;

/// Objects of one model, in order.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "what has been done to the set, each by itself")]
pub(crate) struct QuerySet {
    pub(crate) model: u16,
    pub(crate) rows: Rc<[u32]>,
    /// A union of two sets can be gone through, but not filtered.
    pub(crate) union: bool,
    pub(crate) sliced: bool,
    /// `values` and `values_list`: which fields, and in what shape.
    pub(crate) projection: Option<Rc<Projection>>,
    pub(crate) distinct: bool,
    pub(crate) ordered: bool,
}

pub(crate) struct Projection {
    pub(crate) fields: Vec<String>,
    pub(crate) shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Dict,
    Tuple,
    Flat,
}

/// A relation of an object to many: `.all()` gives the set.
pub(crate) struct Manager {
    pub(crate) query: QuerySet,
    pub(crate) kind: ManagerKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManagerKind {
    Many,
    Reverse,
    Generic,
    Tags,
}

impl ManagerKind {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Many => "ManyRelatedManager",
            Self::Reverse => "RelatedManager",
            Self::Generic => "GenericRelatedObjectManager",
            Self::Tags => "_TaggableManager",
        }
    }
}

impl QuerySet {
    pub(crate) fn new(model: u16, rows: impl Into<Rc<[u32]>>) -> Self {
        Self {
            model,
            rows: rows.into(),
            union: false,
            sliced: false,
            projection: None,
            distinct: false,
            ordered: false,
        }
    }
    pub(crate) fn plain(&self) -> bool {
        self.projection.is_none()
    }
    pub(crate) fn row(&self, index: u32) -> Row {
        Row { model: self.model, index }
    }
    pub(crate) fn with_rows(&self, rows: Vec<u32>) -> Self {
        Self { rows: rows.into(), ..self.clone() }
    }
    pub(crate) fn value(self) -> Value {
        Value::Query(Rc::new(self))
    }

    /// The members: objects, or what `values` made of them.
    pub(crate) fn items(&self, cx: &Cx) -> Res<Vec<Value>> {
        let Some(projection) = &self.projection else {
            return Ok(self.rows.iter().map(|index| Value::Record(self.row(*index))).collect());
        };
        let mut items = Vec::new();
        #[expect(clippy::mutable_key_type, reason = "only what cannot change is a key")]
        let mut seen: HashSet<Key> = HashSet::new();
        for index in self.rows.iter() {
            let row = self.row(*index);
            for values in projected(cx, row, &projection.fields)? {
                cx.burn(1)?;
                let key = Key(Value::Tuple(values.clone().into()));
                // Sorted by what is not selected, equal rows stay apart.
                if self.distinct && self.ordered && !seen.insert(key) {
                    continue;
                }
                items.push(shaped(projection, values));
            }
        }
        Ok(items)
    }

    pub(crate) fn count(&self, cx: &Cx) -> Res<usize> {
        let Some(projection) = &self.projection else { return Ok(self.rows.len()) };
        let mut all = Vec::new();
        for index in self.rows.iter() {
            all.extend(
                projected(cx, self.row(*index), &projection.fields)?
                    .into_iter()
                    .map(|v| Key(Value::Tuple(v.into()))),
            );
        }
        Ok(if self.distinct { all.into_iter().collect::<HashSet<Key>>().len() } else { all.len() })
    }

    fn unsupported<T>(what: &str) -> Res<T> {
        Err(Fault::new(
            "django.db.utils.NotSupportedError",
            format!("Calling QuerySet.{what}() after union() is not supported."),
        ))
    }

    pub(crate) fn filter(&self, cx: &Cx, kw: &[(Rc<str>, Value)], keep: bool) -> Res<Self> {
        if self.union {
            return Self::unsupported(if keep { "filter" } else { "exclude" });
        }
        if kw.is_empty() {
            return Ok(self.clone());
        }
        if self.sliced {
            return Err(Fault::type_error("Cannot filter a query once a slice has been taken."));
        }
        let mut conditions = Vec::with_capacity(kw.len());
        for (name, value) in kw {
            conditions.push(lookup::Condition::new(cx, self.model, name, value)?);
        }
        let mut rows = Vec::new();
        for index in self.rows.iter() {
            cx.burn(1)?;
            let mut all = true;
            for condition in &conditions {
                if !condition.holds(cx, self.row(*index))? {
                    all = false;
                    break;
                }
            }
            if all == keep {
                rows.push(*index);
            }
        }
        Ok(self.with_rows(rows))
    }

    pub(crate) fn order_by(&self, cx: &Cx, fields: &[String]) -> Res<Self> {
        if self.sliced {
            return Err(Fault::type_error("Cannot reorder a query once a slice has been taken."));
        }
        let mut rows = self.rows.to_vec();
        let mut keys = Vec::new();
        for field in fields {
            let bare = field.trim_start_matches('-');
            if bare != "?" {
                keys.push((lookup::Path::new(cx, self.model, bare)?, bare.len() < field.len()));
            }
        }
        let mut columns: Vec<(u32, Vec<lookup::SortKey>)> = Vec::with_capacity(rows.len());
        for index in rows {
            cx.burn(1)?;
            let mut key = Vec::with_capacity(keys.len());
            for (path, _) in &keys {
                key.push(path.sort_key(cx, self.row(index))?);
            }
            columns.push((index, key));
        }
        columns.sort_by(|(_, a), (_, b)| {
            for ((a, b), (_, descending)) in a.iter().zip(b).zip(&keys) {
                let order = a.compare(b);
                let order = if *descending { order.reverse() } else { order };
                if order.is_ne() {
                    return order;
                }
            }
            std::cmp::Ordering::Equal
        });
        rows = columns.into_iter().map(|(index, _)| index).collect();
        Ok(Self { ordered: true, ..self.with_rows(rows) })
    }

    /// `get(…)`: the one object that matches.
    pub(crate) fn get(&self, cx: &Cx, kw: &[(Rc<str>, Value)]) -> Res<Value> {
        let found = self.filter(cx, kw, true)?;
        let model = cx.world.model(self.model);
        let class = |name: &str| format!("{}.{}.{name}", model.module, model.class);
        match &*found.rows {
            [only] => Ok(Value::Record(self.row(*only))),
            [] => Err(Fault::new(
                &class("DoesNotExist"),
                format!("{} matching query does not exist.", model.class),
            )),
            many => Err(Fault::new(
                &class("MultipleObjectsReturned"),
                format!("get() returned more than one {} -- it returned {}!", model.class, many.len()),
            )),
        }
    }

    /// One object per value of a field, in the order of the values.
    pub(crate) fn unique(&self, cx: &Cx, field: &str) -> Res<Self> {
        if self.union {
            return Self::unsupported("distinct");
        }
        let sorted = self.order_by(cx, &[field.to_owned()])?;
        let path = lookup::Path::new(cx, self.model, field)?;
        let mut rows: Vec<u32> = Vec::new();
        let mut last: Option<lookup::SortKey> = None;
        for index in sorted.rows.iter() {
            let key = path.sort_key(cx, self.row(*index))?;
            if last.as_ref().is_none_or(|last| last.compare(&key).is_ne()) {
                rows.push(*index);
                last = Some(key);
            }
        }
        Ok(self.with_rows(rows))
    }

    /// Objects by a method's name. `None`: there is no such method.
    pub(crate) fn call(
        &self,
        cx: &Cx,
        name: &str,
        pos: &[Value],
        kw: &[(Rc<str>, Value)],
    ) -> Res<Option<Value>> {
        let names = || -> Res<Vec<String>> { pos.iter().map(|value| cx.text(value)).collect() };
        Ok(Some(match name {
            "all" | "iterator" | "select_related" | "prefetch_related" | "defer" | "only" | "using" => {
                self.clone().value()
            }
            "filter" => self.filter(cx, kw, true)?.value(),
            "exclude" => self.filter(cx, kw, false)?.value(),
            "get" => self.get(cx, kw)?,
            "first" => self.items(cx)?.first().cloned().unwrap_or(Value::None),
            "last" => self.items(cx)?.last().cloned().unwrap_or(Value::None),
            "count" => Value::int(self.count(cx)?),
            "exists" => Value::Bool(!self.rows.is_empty()),
            "none" => self.with_rows(Vec::new()).value(),
            "order_by" => self.order_by(cx, &names()?)?.value(),
            "reverse" => self.with_rows(self.rows.iter().rev().copied().collect()).value(),
            "distinct" if pos.is_empty() => Self { distinct: true, ..self.clone() }.value(),
            "distinct" => self.unique(cx, &cx.text(&pos[0])?)?.value(),
            "contains" => {
                Value::Bool(cx.contains(&self.clone().value(), pos.first().unwrap_or(&Value::None))?)
            }
            "union" => {
                let mut rows = self.rows.to_vec();
                for other in pos {
                    if let Value::Query(other) = other {
                        rows.extend(other.rows.iter());
                    }
                }
                rows.sort_unstable();
                rows.dedup();
                Self { union: true, ..self.with_rows(rows) }.value()
            }
            "values" => {
                let mut fields = names()?;
                if fields.is_empty() {
                    fields = columns(cx, self.model);
                }
                self.projected(cx, fields, Shape::Dict)?
            }
            "values_list" => {
                let flat = match kw.iter().find(|(name, _)| &**name == "flat") {
                    Some((_, value)) => cx.truth(value)?,
                    None => false,
                };
                let mut fields = names()?;
                if fields.is_empty() {
                    fields = columns(cx, self.model);
                }
                self.projected(cx, fields, if flat { Shape::Flat } else { Shape::Tuple })?
            }
            "names" | "slugs" if cx.world.model(self.model).name.as_ref() == "extras.tag" => {
                let field = name.trim_end_matches('s').to_owned();
                self.projected(cx, vec![field], Shape::Flat)?
            }
            _ => return Ok(None),
        }))
    }

    fn projected(&self, cx: &Cx, fields: Vec<String>, shape: Shape) -> Res<Value> {
        for field in &fields {
            lookup::Path::new(cx, self.model, field)?;
        }
        Ok(Self { projection: Some(Rc::new(Projection { fields, shape })), ..self.clone() }.value())
    }
}

fn columns(cx: &Cx, model: u16) -> Vec<String> {
    let fields = cx.world.model(model).fields.iter().filter(|field| field.kind != Kind::ManyToMany);
    std::iter::once("id".to_owned()).chain(fields.map(|field| field.name.to_string())).collect()
}

fn projected(cx: &Cx, row: Row, fields: &[String]) -> Res<Vec<Vec<Value>>> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for field in fields {
        let values = lookup::Path::new(cx, row.model, field)?.values(cx, row)?;
        rows = rows
            .into_iter()
            .flat_map(|done| {
                values.iter().map(move |value| {
                    let mut done = done.clone();
                    done.push(value.clone());
                    done
                })
            })
            .collect();
    }
    Ok(rows)
}

fn shaped(projection: &Projection, mut values: Vec<Value>) -> Value {
    match projection.shape {
        Shape::Flat if values.len() == 1 => values.remove(0),
        Shape::Flat | Shape::Tuple => Value::Tuple(values.into()),
        Shape::Dict => {
            let pairs: Dict = projection.fields.iter().map(|name| Key::str(name)).zip(values).collect();
            Value::dict(pairs)
        }
    }
}
