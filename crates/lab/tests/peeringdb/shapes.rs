//! Field names and JSON types, compared with real pages of the API where there are some.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pm_lab::peeringdb::{Caller, Namespace, World};
use serde_json::Value;

use super::client::start_time;

/// Every field's types, and whether some row lacks it.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "whole number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn shape(rows: &[Value]) -> Shape {
    let mut shape = Shape::new();
    for row in rows {
        for (name, value) in row.as_object().unwrap() {
            shape.entry(name.clone()).or_default().insert(kind(value));
        }
    }
    for row in rows {
        for (name, kinds) in &mut shape {
            if row.get(name).is_none() {
                kinds.insert("absent");
            }
        }
    }
    shape
}

#[test]
fn rows_look_like_those_of_the_real_api() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one setting of the tests: where optional real data is"
    )]
    let Ok(folder) = std::env::var("EXTRA_CASES") else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let world = World::generate(0.1, 42, start_time());
    let mut compared = 0;
    for namespace in Namespace::ALL {
        let page = Path::new(&folder).join(format!("peeringdb/pages/{namespace}.json"));
        let Ok(page) = fs::read(&page) else {
            println!("skipped: no {}", page.display());
            continue;
        };
        let page: Value = serde_json::from_slice(&page).unwrap();
        let real = shape(page["data"].as_array().unwrap());
        let ours = shape(&world.live(namespace, Caller::Anonymous));
        assert!(real.keys().eq(ours.keys()), "{namespace}: {:?} and {:?}", real.keys(), ours.keys());
        for (name, kinds) in &real {
            assert!(
                kinds.is_subset(&ours[name]),
                "{namespace}.{name}: real {kinds:?}, ours {:?}",
                ours[name]
            );
        }
        compared += 1;
    }
    assert!(compared > 0, "{folder} has no pages");
}

/// The fields of a contact, which the public pages do not show.
#[test]
fn contacts_have_the_documented_fields() {
    let world = World::generate(0.01, 42, start_time());
    let contact = world.live(Namespace::Poc, Caller::Keyed).remove(0);
    let names: Vec<&str> = contact.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["created", "email", "id", "name", "net_id", "phone", "role", "status", "updated", "url", "visible"];
    assert_eq!(names, expected);
}
