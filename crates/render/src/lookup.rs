//! Django's look-ups: `autonomous_system__asn__gt=64500`.

use std::cmp::Ordering;

use regex::RegexBuilder;

use crate::address::Interface;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::model::Kind;
use crate::value::{Key, Value};
use crate::world::Row;

/// The way from an object to a value.
pub(crate) struct Path {
    steps: Vec<Step>,
    /// What is left after the last relation or field: transforms and the comparison.
    rest: Vec<String>,
}

enum Step {
    Id,
    Field(usize),
    Forward(usize),
    Many(usize),
    Reverse(usize),
    JsonKey(String),
    Family,
    Host,
    Part(&'static str),
}

/// What an object is sorted by.
pub(crate) enum SortKey {
    Rank(Option<u64>),
    Data(crate::world::Data),
    Text(Option<String>),
}

impl SortKey {
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Data(a), Self::Data(b)) => crate::world::compare_data(a, b),
            (Self::Rank(a), Self::Rank(b)) => last(a.as_ref(), b.as_ref()),
            (Self::Text(a), Self::Text(b)) => last(a.as_ref(), b.as_ref()),
            _ => Ordering::Equal,
        }
    }
}

fn last<T: Ord>(a: Option<T>, b: Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (None, None) => Ordering::Equal,
    }
}

const COMPARISONS: [&str; 22] = [
    "exact",
    "iexact",
    "contains",
    "icontains",
    "in",
    "gt",
    "gte",
    "lt",
    "lte",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "range",
    "isnull",
    "regex",
    "iregex",
    "net_contained",
    "net_contained_or_equal",
    "net_contains",
    "net_contains_or_equals",
    "has_key",
];

impl Path {
    pub(crate) fn new(cx: &Cx, model: u16, text: &str) -> Res<Self> {
        let path = Self::parse(cx, model, text)?;
        match path.rest.first() {
            None => Ok(path),
            Some(rest) => Err(unresolved(cx, model, rest)),
        }
    }

    fn parse(cx: &Cx, model: u16, text: &str) -> Res<Self> {
        let mut steps = Vec::new();
        let mut rest = Vec::new();
        let mut at = Some(model);
        let mut kind: Option<Kind> = None;
        for word in text.split("__") {
            if let Some(model) = at {
                let description = cx.world.model(model);
                let bare = word.strip_suffix("_id").and_then(|bare| description.field(bare));
                if word == "pk" || word == "id" {
                    steps.push(Step::Id);
                    (at, kind) = (None, Some(Kind::Int));
                    continue;
                }
                if let Some(field) = description.field(word).or(bare) {
                    let found = &description.fields[field];
                    kind = Some(found.kind);
                    at = found.target;
                    steps.push(match found.kind {
                        Kind::ForeignKey => Step::Forward(field),
                        Kind::ManyToMany => Step::Many(field),
                        _ => Step::Field(field),
                    });
                    continue;
                }
                if let Some(reverse) =
                    description.reverse.iter().position(|reverse| &*reverse.query_name == word)
                {
                    steps.push(Step::Reverse(reverse));
                    at = Some(description.reverse[reverse].model);
                    continue;
                }
                if steps.is_empty() || !COMPARISONS.contains(&word) {
                    return Err(unresolved(cx, model, word));
                }
                at = None;
            }
            match (kind, word) {
                (Some(Kind::Json | Kind::Prefixes), word) if !COMPARISONS.contains(&word) => {
                    steps.push(Step::JsonKey(word.to_owned()));
                }
                (Some(Kind::Ip | Kind::Interface | Kind::Network), "family") => steps.push(Step::Family),
                (Some(Kind::Ip | Kind::Interface), "host") => steps.push(Step::Host),
                (Some(Kind::Time), "year") => steps.push(Step::Part("year")),
                (Some(Kind::Time), "month") => steps.push(Step::Part("month")),
                (Some(Kind::Time), "day") => steps.push(Step::Part("day")),
                (_, word) => rest.push(word.to_owned()),
            }
        }
        Ok(Self { steps, rest })
    }

    /// The values at the end of the way; several through relations to many, none given as null.
    pub(crate) fn values(&self, cx: &Cx, row: Row) -> Res<Vec<Value>> {
        let mut rows = vec![Some(row)];
        let mut values: Option<Vec<Value>> = None;
        for step in &self.steps {
            if let Some(done) = &mut values {
                for value in done.iter_mut() {
                    *value = transformed(cx, step, value)?;
                }
                continue;
            }
            let mut next = Vec::new();
            let mut reached = Vec::new();
            for row in &rows {
                let Some(row) = *row else {
                    match step {
                        Step::Id | Step::Field(_) => reached.push(Value::None),
                        _ => next.push(None),
                    }
                    continue;
                };
                match step {
                    Step::Id => reached.push(Value::Int(cx.world.id(row).into())),
                    Step::Field(field) => reached.push(cx.stored(row, *field)?),
                    Step::Forward(field) => next.push(cx.world.target_at(row, *field)),
                    Step::Many(field) => {
                        let target = cx.world.model(row.model).fields[*field].target.unwrap_or_default();
                        let found = cx.world.many(row, *field);
                        next.extend(found.iter().map(|index| Some(Row { model: target, index: *index })));
                        if found.is_empty() {
                            next.push(None);
                        }
                    }
                    Step::Reverse(at) => {
                        let reverse = &cx.world.model(row.model).reverse[*at];
                        let found = cx.world.referring(reverse.model, reverse.field, cx.world.id(row));
                        next.extend(
                            found.iter().map(|index| Some(Row { model: reverse.model, index: *index })),
                        );
                        if found.is_empty() {
                            next.push(None);
                        }
                    }
                    _ => {}
                }
            }
            if matches!(step, Step::Id | Step::Field(_)) {
                values = Some(reached);
            }
            rows = next;
            cx.burn(rows.len() as u64)?;
        }
        Ok(values.unwrap_or_else(|| {
            rows.iter()
                .map(|row| row.map_or(Value::None, |row| Value::Int(cx.world.id(row).into())))
                .collect()
        }))
    }

    pub(crate) fn sort_key(&self, cx: &Cx, row: Row) -> Res<SortKey> {
        let mut row = Some(row);
        for (at, step) in self.steps.iter().enumerate() {
            let Some(here) = row else { break };
            match step {
                Step::Id => return Ok(SortKey::Rank(Some(cx.world.id(here)))),
                Step::Field(field) if at + 1 == self.steps.len() => {
                    return Ok(SortKey::Data(cx.world.value(here, *field).clone()));
                }
                Step::Forward(field) => row = cx.world.target_at(here, *field),
                _ => {
                    let value = self.values(cx, here)?.into_iter().next().unwrap_or(Value::None);
                    let text = if value.is_none() { None } else { Some(cx.text(&value)?) };
                    return Ok(SortKey::Text(text));
                }
            }
        }
        Ok(match self.steps.last() {
            Some(Step::Id) => SortKey::Rank(None),
            Some(Step::Field(_)) => SortKey::Data(crate::world::Data::Null),
            _ => SortKey::Rank(row.map(|row| u64::from(row.index))),
        })
    }
}

fn unresolved(cx: &Cx, model: u16, word: &str) -> Fault {
    let model = cx.world.model(model);
    let mut names: Vec<&str> = model.fields.iter().map(|field| &*field.name).collect();
    names.extend(model.reverse.iter().map(|reverse| &*reverse.query_name));
    names.push("id");
    names.sort_unstable();
    let message = format!("Cannot resolve keyword '{word}' into field. Choices are: {}", names.join(", "));
    Fault::new("django.core.exceptions.FieldError", message)
}

fn transformed(cx: &Cx, step: &Step, value: &Value) -> Res<Value> {
    Ok(match (step, value) {
        (Step::Family, Value::Address(address)) => Value::Int(crate::address::version(*address).into()),
        (Step::Family, Value::Interface(interface)) => {
            Value::Int(crate::address::version(interface.address).into())
        }
        (Step::Family, Value::Network(network)) => {
            Value::Int(crate::address::version(network.address).into())
        }
        (Step::Host, Value::Interface(interface)) => Value::Address(interface.address),
        (Step::Host, other) => other.clone(),
        (Step::JsonKey(key), Value::Dict(items)) => {
            items.borrow().get(&Key::str(key)).cloned().unwrap_or(Value::None)
        }
        (Step::JsonKey(key), Value::List(_)) => match key.parse::<usize>() {
            Ok(at) => cx.items(value)?.get(at).cloned().unwrap_or(Value::None),
            Err(_) => Value::None,
        },
        (Step::Part(part), Value::Time(at)) => {
            use chrono::Datelike as _;
            Value::Int(match *part {
                "year" => at.year().into(),
                "month" => at.month().into(),
                _ => at.day().into(),
            })
        }
        _ => Value::None,
    })
}

/// One look-up with the value it compares with.
pub(crate) struct Condition {
    path: Path,
    comparison: String,
    wanted: Vec<Value>,
    regex: Option<regex::Regex>,
}

impl Condition {
    pub(crate) fn new(cx: &Cx, model: u16, name: &str, value: &Value) -> Res<Self> {
        let path = Path::parse(cx, model, name)?;
        let comparison = match &*path.rest {
            [] => "exact",
            [only] if COMPARISONS.contains(&only.as_str()) => only,
            [word, ..] => {
                return Err(Fault::new(
                    "django.core.exceptions.FieldError",
                    format!("Unsupported lookup '{word}' in `{name}`"),
                ));
            }
        }
        .to_owned();
        let several = matches!(comparison.as_str(), "in" | "range");
        let wanted: Vec<Value> = if several { cx.items(value)? } else { vec![value.clone()] };
        let wanted = wanted.into_iter().map(|value| plain(cx, value)).collect::<Vec<_>>();
        let regex = if comparison.ends_with("regex") {
            let pattern = cx.text(&wanted[0])?;
            let built = RegexBuilder::new(&pattern)
                .case_insensitive(comparison == "iregex")
                .size_limit(1 << 20)
                .build();
            Some(built.map_err(|_| {
                Fault::new("django.db.utils.DataError", format!("invalid regular expression: {pattern}"))
            })?)
        } else {
            None
        };
        Ok(Self { path, comparison, wanted, regex })
    }

    pub(crate) fn holds(&self, cx: &Cx, row: Row) -> Res<bool> {
        for value in self.path.values(cx, row)? {
            if self.matches(cx, &value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches(&self, cx: &Cx, value: &Value) -> Res<bool> {
        let nothing = Value::None;
        let wanted = self.wanted.first().unwrap_or(&nothing);
        if self.comparison == "isnull" {
            return Ok(value.is_none() == cx.truth(wanted)?);
        }
        if self.comparison == "exact" && wanted.is_none() {
            return Ok(value.is_none());
        }
        if self.comparison == "iexact" && wanted.is_none() {
            return Ok(value.is_none());
        }
        if value.is_none() {
            return Ok(false);
        }
        let text = || cx.text(value);
        let other = || cx.text(wanted);
        let lower = |text: Res<String>| text.map(|text| text.to_lowercase());
        Ok(match self.comparison.as_str() {
            "exact" => same(cx, value, wanted)?,
            "in" => {
                for wanted in &self.wanted {
                    if !wanted.is_none() && same(cx, value, wanted)? {
                        return Ok(true);
                    }
                }
                false
            }
            "iexact" => lower(text())? == lower(other())?,
            "contains" if matches!(value, Value::List(_) | Value::Dict(_)) => cx.contains(value, wanted)?,
            "has_key" => cx.contains(value, wanted)?,
            "contains" => text()?.contains(&other()?),
            "icontains" => lower(text())?.contains(&lower(other())?),
            "startswith" => text()?.starts_with(&other()?),
            "istartswith" => lower(text())?.starts_with(&lower(other())?),
            "endswith" => text()?.ends_with(&other()?),
            "iendswith" => lower(text())?.ends_with(&lower(other())?),
            "regex" | "iregex" => {
                self.regex.as_ref().is_some_and(|regex| text().is_ok_and(|text| regex.is_match(&text)))
            }
            "range" => match &*self.wanted {
                [from, to] => order(cx, value, from)?.is_ge() && order(cx, value, to)?.is_le(),
                _ => false,
            },
            "gt" => order(cx, value, wanted)?.is_gt(),
            "gte" => order(cx, value, wanted)?.is_ge(),
            "lt" => order(cx, value, wanted)?.is_lt(),
            "lte" => order(cx, value, wanted)?.is_le(),
            nets => {
                let (Some(a), Some(b)) = (interface(cx, value)?, interface(cx, wanted)?) else {
                    return Ok(false);
                };
                let (inner, outer) = if nets.starts_with("net_contained") { (a, b) } else { (b, a) };
                let within = outer.network().contains(inner.address) && inner.length >= outer.length;
                within && (nets.contains("or_equal") || inner.length > outer.length)
            }
        })
    }
}

/// Objects are compared by their ids.
fn plain(cx: &Cx, value: Value) -> Value {
    match value {
        Value::Record(row) => Value::Int(cx.world.id(row).into()),
        other => other,
    }
}

fn interface(cx: &Cx, value: &Value) -> Res<Option<Interface>> {
    Ok(match value {
        Value::Interface(interface) => Some(*interface),
        Value::Address(address) => {
            Some(Interface { address: *address, length: crate::address::width(*address) })
        }
        Value::Network(network) => Some(Interface { address: network.address, length: network.length }),
        other => Interface::parse(&cx.text(other)?),
    })
}

fn same(cx: &Cx, value: &Value, wanted: &Value) -> Res<bool> {
    match value {
        Value::Address(_) | Value::Interface(_) | Value::Network(_) => {
            Ok(interface(cx, value)?.is_some() && interface(cx, value)? == interface(cx, wanted)?)
        }
        Value::Int(number) if wanted.as_str().is_some() => {
            let text = cx.text(wanted)?;
            text.trim().parse::<i128>().map(|wanted| wanted == *number).map_err(|_| {
                Fault::value(format!("Field 'id' expected a number but got {}.", crate::repr::string(&text)))
            })
        }
        Value::Str(text) if wanted.as_str().is_none() => Ok(**text == cx.text(wanted)?),
        Value::Mac(..) => Ok(cx.text(value)?.eq_ignore_ascii_case(&cx.text(wanted)?)),
        _ => cx.equal(value, wanted),
    }
}

fn order(cx: &Cx, value: &Value, wanted: &Value) -> Res<Ordering> {
    match value {
        Value::Address(_) | Value::Interface(_) | Value::Network(_) => {
            match (interface(cx, value)?, interface(cx, wanted)?) {
                (Some(a), Some(b)) => Ok(a.order(&b)),
                _ => Err(Fault::value("not an address")),
            }
        }
        Value::Int(number) if wanted.as_str().is_some() => match cx.text(wanted)?.trim().parse::<i128>() {
            Ok(wanted) => Ok(number.cmp(&wanted)),
            Err(_) => Err(Fault::value(format!("Field expected a number but got {}.", cx.repr(wanted)?))),
        },
        Value::Time(_) if wanted.as_str().is_some() => {
            let wanted = cx.text(wanted)?.replace(' ', "T");
            Ok(match value {
                Value::Time(at) => crate::datetime::iso(at).cmp(&wanted),
                _ => Ordering::Equal,
            })
        }
        Value::Str(text) if wanted.as_str().is_none() => Ok((**text).cmp(cx.text(wanted)?.as_str())),
        _ => cx.order(value, wanted, "<"),
    }
}
