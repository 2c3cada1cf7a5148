//! What people write into PeeringDB's field for sets, and what is read from it.

use std::path::Path;

use pm_irr::parse_field;
use proptest::prelude::*;
use serde_json::Value;

#[path = "../fuzz/checks/set_string.rs"]
mod check;

fn known() -> Vec<String> {
    ["RIPE", "RADB", "ARIN", "LEVEL3", "RIPE-NONAUTH"].map(str::to_owned).into()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn every_case_is_read_as_written_down() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("set_strings/cases.json")).unwrap();
    assert!(cases.len() >= 100);
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let field = parse_field(text, &known());
        let sets: Vec<_> = field.sets.iter().map(ToString::to_string).collect();
        assert_eq!(sets, strings(&case["sets"]), "{text:?}");
        assert_eq!(field.notes, strings(&case["notes"]), "{text:?}");
        check::set_string(text);
    }
}

#[test]
fn the_fuzzers_seeds_hold() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/set_string");
    let mut count = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        let bytes = std::fs::read(seed.unwrap().path()).unwrap();
        check::set_string(&String::from_utf8_lossy(&bytes));
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn a_long_text_takes_no_long_time() {
    check::set_string(&"a://,RIPE: ".repeat(100_000));
    check::set_string(&"AS-FOO:".repeat(100_000));
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("AS-FOO".to_owned()),
        "(RIPE|radb|JPIRR|AS64500|64500|AS-SET|ipv6)?:{0,3}",
        "[A-Za-z]{2}-[A-Z0-9a-z_-]{0,9}",
        "AS[0-9]{0,11}",
        "[ /,&|;@:^\\-\"()\t\n]{1,3}",
        "(https?://|www\\.)[a-z./?&=]{0,9}",
        any::<char>().prop_map(String::from),
        "A{100}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_names_only(text in prop_oneof![any::<String>(), pieces(), pieces()]) {
        check::set_string(&text);
    }
}
