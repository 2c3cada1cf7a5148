//! Each row of `deviations.md` about arguments, ranges, aggregation and JSON: what bgpq4 does, and what we do.

use pm_irr::{
    ArgumentError, Entry, Family, ListArguments, PrefixRange, Shape, as_list_json, prefix_list,
    prefix_list_json,
};

use super::bgpq4::Bgpq4;
use super::{ours, strings};

/// Whether bgpq4 makes nothing of this member, `192.0.2.0/24^26`.
pub fn is_range_of_one_length(member: &str) -> bool {
    let Some((prefix, length)) = member.split_once('^') else { return false };
    length.bytes().all(|byte| byte.is_ascii_digit()) && !prefix.ends_with(&format!("/{length}"))
}

const EMPTY: &str = "{ \"x\": [\n] }\n";

fn list(prefix: &str, operator: &str, arguments: &[&str]) -> String {
    ours("x", Family::V4, &strings(arguments), &[format!("{prefix}{operator}")])
}

#[test]
fn a_range_of_one_length_is_a_range() {
    let ours = list("192.0.2.0/24", "^26", &["-A"]);
    assert_eq!(ours, list("192.0.2.0/24", "^26-26", &["-A"]));
    assert_ne!(ours, EMPTY);
    let Some(bgpq4) = Bgpq4::find() else { return };
    let theirs = |member: &str| bgpq4.list(Family::V4, &strings(&["-A"]), &strings(&[member]));
    assert_eq!(theirs("192.0.2.0/24^26"), EMPTY);
    assert_eq!(theirs("192.0.2.0/24^26-26"), ours);
}

#[test]
fn a_range_of_very_many_prefixes_stays_a_range() {
    let members = strings(&["2001:db8::/32^+", "2001:db8:1::/48", "2001:db9::/48"]);
    let ours = ours("x", Family::V6, &[], &members);
    let text = "{ \"x\": [\n    { \"prefix\": \"2001:db8::\\/32\", \"exact\": false, \"less-equal\": 128 },\n    \
                { \"prefix\": \"2001:db9::\\/48\", \"exact\": true }\n] }\n";
    assert_eq!(ours, text);
    let Some(bgpq4) = Bgpq4::find() else { return };
    let output = bgpq4.run(&strings(&["-6", "2001:db8::/32^+"]));
    assert!(!output.status.success(), "bgpq4 got along with little memory");
}

/// 2^20 are still made one by one; one more, and the range stays.
#[test]
fn the_limit_of_a_range_is_as_documented() {
    let range = |prefix: &str, low, high| PrefixRange { prefix: prefix.parse().unwrap(), low, high };
    let count = |ranges: &[PrefixRange]| prefix_list(Family::V4, [], ranges, &Shape::default()).len();
    assert_eq!(count(&[range("10.0.0.0/8", 28, 28)]), 1 << 20);
    assert_eq!(count(&[range("10.0.0.0/8", 27, 28)]), 1);
    assert_eq!(count(&[range("10.0.0.0/8", 28, 28), range("192.0.2.0/31", 32, 32)]), 3);
}

#[test]
fn names_are_escaped() {
    let name = "a\"b";
    let entry = Entry { prefix: "192.0.2.0/24".parse().unwrap(), lengths: None };
    for json in [prefix_list_json(name, &[entry]), as_list_json(name, &[1], 8)] {
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    }
    let Some(bgpq4) = Bgpq4::find() else { return };
    for arguments in [&["-4", "192.0.2.0/24"][..], &["-t", "AS1"]] {
        let output = bgpq4.run(&[&strings(&["-l", name])[..], &strings(arguments)].concat());
        assert!(output.status.success());
        assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).is_err());
    }
}

#[test]
fn numbers_and_values_are_read_strictly() {
    for (arguments, error) in [
        (["-R", "24A"], ArgumentError::NoLength { option: 'R', value: "24A".to_owned(), highest: 32 }),
        (["-R", "+24"], ArgumentError::NoLength { option: 'R', value: "+24".to_owned(), highest: 32 }),
        (["-r", "-5"], ArgumentError::NoLength { option: 'r', value: "-5".to_owned(), highest: 32 }),
        (
            ["-r", "4294967320"],
            ArgumentError::NoLength { option: 'r', value: "4294967320".to_owned(), highest: 32 },
        ),
        (["-S", ""], ArgumentError::NoValue('S')),
    ] {
        assert_eq!(ListArguments::parse(&strings(&arguments), Family::V4), Err(error));
        let Some(bgpq4) = Bgpq4::find() else { continue };
        let list = bgpq4.list(Family::V4, &strings(&arguments), &strings(&["198.51.100.0/22"]));
        assert!(list.contains("198.51.100.0"), "{arguments:?}: {list}");
    }
}

/// Not a deviation, though it looks as if it should be one.
#[test]
fn the_longest_length_given_as_a_limit_leaves_ranges_their_prefix() {
    let cases =
        [("192.0.2.0/30", "^+", true), ("192.0.2.0/30", "^-", false), ("192.0.2.0/30", "^30-31", true)];
    let bgpq4 = Bgpq4::find();
    for (prefix, operator, left) in cases {
        let ours = list(prefix, operator, &["-m", "32"]);
        let expected = if left { list(prefix, "", &[]) } else { EMPTY.to_owned() };
        assert_eq!(ours, expected);
        let Some(bgpq4) = &bgpq4 else { continue };
        let member = format!("{prefix}{operator}");
        assert_eq!(bgpq4.list(Family::V4, &strings(&["-m", "32"]), &[member]), ours);
    }
}

/// Not a deviation, though it looks as if it should be one.
#[test]
fn a_prefix_as_long_as_both_bounds_permits_all_lengths() {
    let ours = list("192.0.2.0/24", "", &["-r24", "-R24"]);
    assert!(ours.contains("\"less-equal\": 32"), "{ours}");
    let Some(bgpq4) = Bgpq4::find() else { return };
    assert_eq!(bgpq4.list(Family::V4, &strings(&["-r24", "-R24"]), &strings(&["192.0.2.0/24"])), ours);
}
