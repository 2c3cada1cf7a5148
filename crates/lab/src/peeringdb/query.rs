//! What a request asks for. Mistakes are refused in PeeringDB's words.

use std::cmp::Ordering;

use serde_json::Value;

use super::fields::Fields;
use super::namespace::Namespace;
use super::record::Record;

/// The parameters of a list request.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Seconds since the epoch; without it, or with one that is not positive, live rows are meant.
    pub(crate) since: Option<i64>,
    pub(crate) skip: usize,
    /// None for all.
    pub(crate) limit: Option<usize>,
    /// None if not stated: lists and single objects have different defaults.
    pub(crate) depth: Option<usize>,
    pub(crate) fields: Option<Vec<String>>,
    filters: Vec<Filter>,
    /// The request names one object, so finding none is an error.
    pub(crate) unique: bool,
}

/// Why a request is refused, with 400.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadQuery(pub(crate) String);

#[derive(Debug)]
struct Filter {
    column: Column,
    comparison: Comparison,
}

/// Where the value to compare is: most are in the text of the row, which has to be parsed then.
#[derive(Debug)]
enum Column {
    Id,
    Asn,
    Link(usize),
    Field(String),
}

#[derive(Debug)]
enum Comparison {
    Numbers(Vec<f64>),
    Number(Ordering, bool, f64),
    Words(Vec<String>),
    Word(Ordering, bool, String),
    Contains(String),
    StartsWith(String),
    Truth(bool),
}

impl Query {
    /// Reads the parameters; of repeated ones the last counts. `example` is any row of the namespace: a parameter that
    /// is none of its fields is ignored.
    pub(crate) fn parse(
        namespace: Namespace,
        parameters: &[(String, String)],
        example: &Fields,
    ) -> Result<Self, BadQuery> {
        let mut query = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "since" => query.since = Some(since(value)?).filter(|since| *since > 0),
                "skip" => query.skip = skip(value)?,
                "limit" => {
                    query.limit = usize::try_from(whole("limit", value)?).ok().filter(|limit| *limit > 0);
                }
                "depth" => query.depth = Some(usize::try_from(whole("depth", value)?).unwrap_or_default()),
                "fields" => query.fields = Some(value.split(',').map(str::to_owned).collect()),
                "q" => {}
                _ => query.filters.extend(Filter::parse(namespace, name, value, example)?),
            }
            query.unique |= name == "id" || (name == "asn" && namespace == Namespace::Net);
        }
        Ok(query)
    }

    pub(crate) fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    pub(crate) fn matches(&self, record: &Record) -> bool {
        self.filters.iter().all(|filter| filter.matches(record))
    }
}

/// The real server reads this number twice, and the second time no fraction may be left.
fn since(value: &str) -> Result<i64, BadQuery> {
    match value.trim().parse::<i64>() {
        Ok(since) => Ok(since),
        Err(_) if value.trim().parse::<f64>().is_ok_and(f64::is_finite) => {
            Err(BadQuery(format!("invalid literal for int() with base 10: '{value}'")))
        }
        Err(_) => Err(BadQuery("'since' needs to be a unix timestamp (epoch seconds)".to_owned())),
    }
}

fn skip(value: &str) -> Result<usize, BadQuery> {
    usize::try_from(whole("skip", value)?)
        .map_err(|_| BadQuery("Negative indexing is not supported.".to_owned()))
}

fn whole(name: &str, value: &str) -> Result<i64, BadQuery> {
    value.trim().parse().map_err(|_| BadQuery(format!("'{name}' needs to be a number")))
}

impl Filter {
    fn parse(
        namespace: Namespace,
        name: &str,
        value: &str,
        example: &Fields,
    ) -> Result<Option<Self>, BadQuery> {
        let (field, suffix) = name.split_once("__").unwrap_or((name, ""));
        let Some(sample) = example.get(field) else { return Ok(None) };
        let column = match (field, namespace.link(field)) {
            ("id", _) => Column::Id,
            ("asn", _) => Column::Asn,
            (_, Some(link)) => Column::Link(link),
            _ => Column::Field(field.to_owned()),
        };
        let numeric = sample.is_number() || !matches!(column, Column::Field(_));
        let number = |text: &str| {
            text.trim()
                .parse::<f64>()
                .map_err(|_| BadQuery(format!("Field '{field}' expected a number but got '{text}'.")))
        };
        let ordering = |ordering, or_equal| -> Result<Comparison, BadQuery> {
            Ok(if numeric {
                Comparison::Number(ordering, or_equal, number(value)?)
            } else {
                Comparison::Word(ordering, or_equal, value.to_lowercase())
            })
        };
        let comparison = match suffix {
            "" if sample.is_boolean() => {
                Comparison::Truth(value.eq_ignore_ascii_case("true") || value == "1")
            }
            "" if numeric => Comparison::Numbers(vec![number(value)?]),
            // Times match by their beginning, so that a day can be asked for.
            "" if field == "created" || field == "updated" => Comparison::StartsWith(value.to_lowercase()),
            "" => Comparison::Words(vec![value.to_lowercase()]),
            "in" if numeric => Comparison::Numbers(value.split(',').map(number).collect::<Result<_, _>>()?),
            "in" => Comparison::Words(value.split(',').map(str::to_lowercase).collect()),
            "lt" => ordering(Ordering::Less, false)?,
            "lte" => ordering(Ordering::Less, true)?,
            "gt" => ordering(Ordering::Greater, false)?,
            "gte" => ordering(Ordering::Greater, true)?,
            "contains" => Comparison::Contains(value.to_lowercase()),
            "startswith" => Comparison::StartsWith(value.to_lowercase()),
            _ => return Ok(None),
        };
        Ok(Some(Self { column, comparison }))
    }

    #[expect(clippy::cast_precision_loss, reason = "ids and AS numbers are far below 2^53")]
    fn matches(&self, record: &Record) -> bool {
        match &self.column {
            Column::Id => self.comparison.holds_for_number(record.id as f64),
            Column::Asn => self.comparison.holds_for_number(record.asn as f64),
            Column::Link(link) => self.comparison.holds_for_number(record.links[*link] as f64),
            Column::Field(name) => {
                record.fields().get(name).is_some_and(|value| self.comparison.holds(value))
            }
        }
    }
}

impl Comparison {
    fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Bool(truth) => matches!(self, Self::Truth(wanted) if wanted == truth),
            Value::Number(number) => number.as_f64().is_some_and(|number| self.holds_for_number(number)),
            Value::String(text) => self.holds_for_word(&text.to_lowercase()),
            _ => false,
        }
    }

    #[expect(clippy::float_cmp, reason = "the numbers are whole, or printed and read by the same rules")]
    fn holds_for_number(&self, number: f64) -> bool {
        match self {
            Self::Numbers(wanted) => wanted.contains(&number),
            Self::Number(ordering, or_equal, wanted) => {
                number.partial_cmp(wanted) == Some(*ordering) || (*or_equal && number == *wanted)
            }
            Self::Contains(part) => number.to_string().contains(part.as_str()),
            Self::StartsWith(start) => number.to_string().starts_with(start.as_str()),
            Self::Words(_) | Self::Word(..) | Self::Truth(_) => false,
        }
    }

    fn holds_for_word(&self, word: &str) -> bool {
        match self {
            Self::Words(wanted) => wanted.iter().any(|wanted| wanted == word),
            Self::Word(ordering, or_equal, wanted) => {
                let found = word.cmp(wanted.as_str());
                found == *ordering || (*or_equal && found == Ordering::Equal)
            }
            Self::Contains(part) => word.contains(part.as_str()),
            Self::StartsWith(start) => word.starts_with(start.as_str()),
            Self::Numbers(_) | Self::Number(..) | Self::Truth(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    fn parse(parameters: &[(&str, &str)]) -> Result<Query, BadQuery> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let example = fields! { "id": 1, "name": "x", "asn": 1, "info_ipv6": true };
        Query::parse(Namespace::Net, &parameters, &example)
    }

    #[test]
    fn refuses_what_is_no_number() {
        for (name, value, message) in [
            ("since", "yesterday", "'since' needs to be a unix timestamp (epoch seconds)"),
            ("since", "1.5", "invalid literal for int() with base 10: '1.5'"),
            ("limit", "ten", "'limit' needs to be a number"),
            ("skip", "-1", "Negative indexing is not supported."),
            ("depth", "", "'depth' needs to be a number"),
            ("id__in", "1,x", "Field 'id' expected a number but got 'x'."),
        ] {
            assert_eq!(parse(&[(name, value)]).unwrap_err(), BadQuery(message.to_owned()), "{name}={value}");
        }
    }

    #[test]
    fn compares_without_regard_to_case_and_ignores_unknown_parameters() {
        let row = fields! { "id": 7, "name": "Kelnet", "asn": 1000, "info_ipv6": true, "status": "ok" };
        let row = Record::new(Namespace::Net, &row);
        for (name, value, expected) in [
            ("name", "KELNET", true),
            ("name__contains", "ELN", true),
            ("name__startswith", "net", false),
            ("asn", "1000", true),
            ("asn__in", "999,1000", true),
            ("asn__gt", "1000", false),
            ("asn__gte", "1000", true),
            ("info_ipv6", "1", true),
            ("info_ipv6", "yes", false),
            ("no_such_field", "1", true),
            ("since", "-5", true),
        ] {
            assert_eq!(parse(&[(name, value)]).unwrap().matches(&row), expected, "{name}={value}");
        }
    }
}
