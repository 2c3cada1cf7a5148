//! Conditions of webhooks: what has to hold of an object, in the original's form.
//!
//! A set is an object with one member, `and` or `or`, whose value is a list of rules and further sets. A rule has `attr`, a
//! path with dots; `value`; `op`, `eq` unless given; and `negate`. On a list a path goes on in each of its items.
//!
//! Evaluating never fails: a path that leads nowhere gives null, and null equals null only. Every comparison with null, and
//! every one of values that cannot be compared, does not hold, so that with `negate` it does.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value as Json};

/// Sets inside sets that are understood.
const DEPTH: usize = 20;
/// Octets that a regular expression may take once it is compiled.
const REGEX_SIZE: usize = 1 << 20;

/// A set, or a single rule.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// One rule.
    Rule {
        /// Path with dots.
        attr: String,
        /// What is compared.
        test: Test,
        /// Whether it must not hold.
        negate: bool,
    },
}

/// What a rule compares with, and how.
#[derive(Clone, Debug)]
pub enum Test {
    /// It is this.
    Eq(Json),
    /// It is greater.
    Gt(f64),
    /// It is this or greater.
    Gte(f64),
    /// It is less.
    Lt(f64),
    /// It is this or less.
    Lte(f64),
    /// It is one of these.
    In(Vec<Json>),
    /// It is a text, a list or an object that has this in it.
    Contains(Json),
    /// It is a text that begins with a match.
    Regex(Regex),
}

/// Reads a set.
///
/// # Errors
/// A sentence about what is wrong.
pub fn parse(json: &Json) -> Result<Condition, String> {
    set(json, 0)
}

fn set(json: &Json, depth: usize) -> Result<Condition, String> {
    let shape = "is no set: an object with one member, \"and\" or \"or\", that is a list of rules";
    if depth > DEPTH {
        return Err(format!("has more than {DEPTH} sets inside each other"));
    }
    let members = json.as_object().filter(|members| members.len() == 1).ok_or(shape)?;
    let (logic, rules) = members.iter().next().ok_or(shape)?;
    let rules = rules.as_array().ok_or(shape)?;
    let read = |rule: &Json| match rule.as_object() {
        Some(members) if members.contains_key("attr") => one(members),
        _ => set(rule, depth + 1),
    };
    let rules = rules.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    match logic.to_lowercase().as_str() {
        "and" => Ok(Condition::And(rules)),
        "or" => Ok(Condition::Or(rules)),
        _ => Err(shape.to_owned()),
    }
}

fn one(members: &Map<String, Json>) -> Result<Condition, String> {
    if let Some(name) =
        members.keys().find(|name| !["attr", "value", "op", "negate"].contains(&name.as_str()))
    {
        return Err(format!("a rule has no member {name:?}"));
    }
    let attr = members.get("attr").and_then(Json::as_str).ok_or("the attr of a rule has to be text")?;
    let value = members.get("value").ok_or_else(|| format!("the rule for {attr} has no value"))?;
    let op = members.get("op").map_or(Some("eq"), Json::as_str).ok_or("the op of a rule has to be text")?;
    let negate = members.get("negate").map_or(Some(false), Json::as_bool);
    let negate = negate.ok_or("the negate of a rule has to be true or false")?;
    let test = test(op, value).map_err(|why| format!("the rule for {attr}: {why}"))?;
    Ok(Condition::Rule { attr: attr.to_owned(), test, negate })
}

fn test(op: &str, value: &Json) -> Result<Test, String> {
    let allowed: &[&str] = match value {
        Json::String(_) => &["eq", "contains", "regex"],
        Json::Bool(_) => &["eq", "contains"],
        Json::Number(_) => &["eq", "gt", "gte", "lt", "lte", "contains"],
        Json::Array(_) => &["eq", "in", "contains"],
        Json::Null => &["eq"],
        Json::Object(_) => return Err("the value cannot be an object".to_owned()),
    };
    if !allowed.contains(&op) {
        return Err(format!("{op:?} cannot be used with the value {value}; it takes {}", allowed.join(", ")));
    }
    let number = || value.as_f64().unwrap_or(f64::NAN);
    Ok(match op {
        "gt" => Test::Gt(number()),
        "gte" => Test::Gte(number()),
        "lt" => Test::Lt(number()),
        "lte" => Test::Lte(number()),
        "in" => Test::In(value.as_array().cloned().unwrap_or_default()),
        "contains" => Test::Contains(value.clone()),
        "regex" => {
            let pattern = format!(r"\A(?:{})", value.as_str().unwrap_or_default());
            let regex = RegexBuilder::new(&pattern).size_limit(REGEX_SIZE).build();
            Test::Regex(regex.map_err(|_| "the regular expression cannot be used".to_owned())?)
        }
        _ => Test::Eq(value.clone()),
    })
}

impl Condition {
    /// Whether it holds of `data`.
    pub fn holds(&self, data: &Json) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(data)),
            Self::Or(any) => any.iter().any(|one| one.holds(data)),
            Self::Rule { attr, test, negate } => test.holds(&find(data, attr)) != *negate,
        }
    }
}

/// What a path leads to; null for nothing.
fn find(data: &Json, path: &str) -> Json {
    let mut found = data.clone();
    for step in path.split('.') {
        let member = |value: &Json| value.get(step).cloned().unwrap_or_default();
        found = match &found {
            Json::Array(items) => items.iter().map(member).collect(),
            other => member(other),
        };
    }
    found
}

impl Test {
    fn holds(&self, found: &Json) -> bool {
        let compared = |holds: &dyn Fn(f64) -> bool| found.as_f64().is_some_and(holds);
        match self {
            Self::Eq(value) => same(found, value),
            Self::Gt(value) => compared(&|found| found > *value),
            Self::Gte(value) => compared(&|found| found >= *value),
            Self::Lt(value) => compared(&|found| found < *value),
            Self::Lte(value) => compared(&|found| found <= *value),
            Self::In(values) => !found.is_null() && values.iter().any(|value| same(found, value)),
            Self::Contains(value) => match (found, value) {
                (Json::String(text), Json::String(part)) => text.contains(part.as_str()),
                (Json::Array(items), value) => items.iter().any(|item| same(item, value)),
                (Json::Object(members), Json::String(name)) => members.contains_key(name),
                _ => false,
            },
            Self::Regex(regex) => found.as_str().is_some_and(|text| regex.is_match(text)),
        }
    }
}

/// Equal as Python has it for what JSON can hold: 1 is 1.0, but neither is true here.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(rule: &Json, data: &Json) -> bool {
        parse(&json!({ "and": [rule] })).unwrap_or_else(|error| panic!("{error}")).holds(data)
    }

    #[test]
    fn rules_hold_as_the_table_says() {
        let data = json!({
            "name": "edge1", "asn": 64500, "share": 0.5, "on": true, "none": null, "list": [1, 2], "word": "",
            "status": {"value": "enabled", "label": "Enabled"}, "tags": [{"slug": "core"}, {"slug": "edge"}],
        });
        for (rule, expected) in [
            (json!({"attr": "name", "value": "edge1"}), true),
            (json!({"attr": "name", "value": "edge2"}), false),
            (json!({"attr": "name", "value": "edge2", "negate": true}), true),
            (json!({"attr": "status.value", "value": "enabled"}), true),
            (json!({"attr": "asn", "value": 64500.0}), true),
            (json!({"attr": "asn", "value": 64499, "op": "gt"}), true),
            (json!({"attr": "asn", "value": 64500, "op": "gt"}), false),
            (json!({"attr": "asn", "value": 64500, "op": "gte"}), true),
            (json!({"attr": "asn", "value": 64500, "op": "lt"}), false),
            (json!({"attr": "share", "value": 0.5, "op": "lte"}), true),
            (json!({"attr": "asn", "value": [64499, 64500], "op": "in"}), true),
            (json!({"attr": "asn", "value": [1], "op": "in"}), false),
            (json!({"attr": "name", "value": "dge", "op": "contains"}), true),
            (json!({"attr": "list", "value": 2, "op": "contains"}), true),
            (json!({"attr": "list", "value": [1, 2]}), true),
            (json!({"attr": "tags.slug", "value": "core", "op": "contains"}), true),
            (json!({"attr": "tags.slug", "value": "transit", "op": "contains"}), false),
            (json!({"attr": "name", "value": "edge\\d", "op": "regex"}), true),
            (json!({"attr": "name", "value": "dge", "op": "regex"}), false),
            (json!({"attr": "name", "value": "x|dge1", "op": "regex"}), false),
            (json!({"attr": "on", "value": true}), true),
            (json!({"attr": "on", "value": 1}), false),
            // Null equals null, and nothing else holds of it.
            (json!({"attr": "none", "value": null}), true),
            (json!({"attr": "nowhere.at.all", "value": null}), true),
            (json!({"attr": "name.deeper", "value": null}), true),
            (json!({"attr": "none", "value": 1, "op": "gt"}), false),
            (json!({"attr": "none", "value": 1, "op": "lte"}), false),
            (json!({"attr": "none", "value": 1, "op": "gt", "negate": true}), true),
            (json!({"attr": "none", "value": "a", "op": "contains"}), false),
            (json!({"attr": "none", "value": ".*", "op": "regex"}), false),
            (json!({"attr": "none", "value": [null], "op": "in"}), false),
            (json!({"attr": "name", "value": 1, "op": "gt"}), false),
        ] {
            assert_eq!(holds(&rule, &data), expected, "{rule}");
        }
        let nested = json!({"or": [{"attr": "asn", "value": 1}, {"and": [
            {"attr": "name", "value": "edge1"}, {"attr": "on", "value": true}]}]});
        assert!(parse(&nested).is_ok_and(|set| set.holds(&data)));
    }

    #[test]
    fn what_is_none_is_told() {
        let mut deep = json!({"attr": "a", "value": 1});
        for _ in 0..DEPTH + 2 {
            deep = json!({ "and": [deep] });
        }
        for (given, why) in [
            (json!([]), "is no set"),
            (json!({"and": [], "or": []}), "is no set"),
            (json!({"xor": []}), "is no set"),
            (json!({"and": [{"attr": "a"}]}), "has no value"),
            (json!({"and": [{"attr": "a", "value": "x", "op": "gt"}]}), "cannot be used with the value"),
            (json!({"and": [{"attr": "a", "value": null, "op": "in"}]}), "it takes eq"),
            (json!({"and": [{"attr": "a", "value": {}}]}), "cannot be an object"),
            (json!({"and": [{"attr": "a", "value": "(", "op": "regex"}]}), "cannot be used"),
            (json!({"and": [{"attr": "a", "value": 1, "negated": true}]}), "no member"),
            (deep, "inside each other"),
        ] {
            let error = parse(&given).err().unwrap_or_default();
            assert!(error.contains(why), "{given}: {error}");
        }
        assert!(parse(&json!({"AND": [{"attr": "a", "value": 1}]})).is_ok());
    }
}
