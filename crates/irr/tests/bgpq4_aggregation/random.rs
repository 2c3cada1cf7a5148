//! Random lists: bgpq4 and we print the same bytes.

use std::fmt;

use pm_irr::{Family, Prefix, as_list_json};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use super::bgpq4::Bgpq4;

/// Enough of each family that a forgotten rule does not survive; some six milliseconds each.
const CASES: u32 = 1_250;

/// What bgpq4 is asked. The members come from a route-set, or as arguments of the program.
struct Case {
    arguments: Vec<String>,
    members: Vec<String>,
    as_arguments: bool,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.arguments.join(" "), self.members.join(" "))
    }
}

/// What lies at one place of the tree below a base.
#[derive(Clone, Copy, Debug)]
enum Member {
    Prefix,
    /// All prefixes so many bits longer: a full block, or the same with every second one.
    Block(u8),
    Comb(u8),
    /// Ranges: `^+`, `^-`, and `^n-m` with so many bits more.
    Plus,
    Minus,
    Range(u8, u8),
}

fn member() -> impl Strategy<Value = Member> {
    prop_oneof![
        12 => Just(Member::Prefix),
        2 => (0..5_u8).prop_map(Member::Block),
        1 => (1..4_u8).prop_map(Member::Comb),
        1 => Just(Member::Plus),
        1 => Just(Member::Minus),
        2 => (0..5_u8, 0..4_u8).prop_map(|(low, more)| Member::Range(low, more)),
    ]
}

/// A prefix below which the members are; low numbers are IPv4-mapped and the like.
fn base(family: Family) -> impl Strategy<Value = Prefix> {
    let bits = family.bits();
    let top = select(vec![0, 0, 1, 8, 16, 20, 20, bits - 7, bits - 6, bits - 2, bits]);
    let address = prop_oneof![
        3 => any::<u128>(),
        1 => Just(0),
        1 => Just(u128::MAX),
        1 => any::<u64>().prop_map(u128::from),
        1 => any::<u32>().prop_map(|low| 0xffff_0000_0000 | u128::from(low)),
    ];
    (address, top).prop_map(move |(address, top)| Prefix::new(family, address, top))
}

/// A length for `-r`, `-R`, `-m`: mostly near the base.
fn length(family: Family) -> impl Strategy<Value = Option<(bool, u8)>> {
    let bits = family.bits();
    prop_oneof![
        5 => Just(None),
        4 => (0..9_u8).prop_map(|more| Some((true, more))),
        1 => select(vec![1, 8, 16, 24, bits - 1, bits]).prop_map(|length| Some((false, length))),
    ]
}

fn case(family: Family) -> impl Strategy<Value = Case> {
    let bits = family.bits();
    let members = proptest::collection::vec((any::<bool>(), 0..=6_u8, any::<u8>(), member()), 0..50);
    let lengths = (length(family), length(family), length(family));
    let styles = (proptest::bool::weighted(0.75), any::<bool>(), any::<bool>());
    ((base(family), base(family)), members, lengths, styles).prop_map(
        move |(bases, members, (from, to, longest), (aggregate, glued, as_arguments))| {
            let near = |length: Option<(bool, u8)>| {
                let (near, length) = length?;
                Some(if near { bases.0.length().saturating_add(length) } else { length }.clamp(1, bits))
            };
            let (to, longest) = (near(to), near(longest));
            let from = near(from).map(|from| from.min(to.unwrap_or(bits)));
            let mut arguments = if aggregate { vec!["-A".to_owned()] } else { vec![] };
            for (option, value) in [("-r", from), ("-R", to), ("-m", longest)] {
                match value {
                    Some(value) if glued => arguments.push(format!("{option}{value}")),
                    Some(value) => arguments.extend([option.to_owned(), value.to_string()]),
                    None => {}
                }
            }
            // What is longer than `-m` is refused as an argument, and left out in a set.
            let as_arguments = as_arguments && longest.is_none() && !members.is_empty();
            let place = |(first, depth, number, member): (bool, u8, u8, Member)| {
                let base = if first { bases.0 } else { bases.1 };
                texts(below(base, depth, number), member, longest)
            };
            let mut members: Vec<String> = members.into_iter().flat_map(place).collect();
            if as_arguments && members.is_empty() {
                members.push(bases.0.to_string());
            }
            Case { arguments, members, as_arguments }
        },
    )
}

/// A prefix at most so many bits longer.
fn below(base: Prefix, depth: u8, number: u8) -> Prefix {
    let depth = depth.min(base.family().bits() - base.length());
    let length = base.length() + depth;
    let number = u128::from(number) & ((1 << depth) - 1);
    Prefix::new(
        base.family(),
        base.address() | if length == 0 { 0 } else { number << (128 - length) },
        length,
    )
}

fn texts(prefix: Prefix, member: Member, longest: Option<u8>) -> Vec<String> {
    let (own, bits) = (prefix.length(), prefix.family().bits());
    let left = bits - own;
    // bgpq4 makes each prefix of a range, so ranges without an end need one near by.
    let reach = longest.unwrap_or(bits).saturating_sub(own);
    match member {
        Member::Prefix => vec![prefix.to_string()],
        Member::Block(depth) => block(prefix, depth.min(left), 1),
        Member::Comb(depth) => block(prefix, depth.min(left), 2),
        Member::Plus if longest == Some(bits) || reach <= 7 => vec![format!("{prefix}^+")],
        Member::Minus if longest == Some(bits) || reach <= 7 => vec![format!("{prefix}^-")],
        Member::Plus => vec![format!("{prefix}^{own}-{}", own + left.min(4))],
        Member::Minus => vec![format!("{prefix}^{}-{}", own + left.min(1), own + left.min(4))],
        Member::Range(low, more) => {
            vec![format!("{prefix}^{}-{}", own + low.min(left), own + (low + more).min(left))]
        }
    }
}

fn block(prefix: Prefix, depth: u8, step: usize) -> Vec<String> {
    (0..1 << depth).step_by(step).map(|number| below(prefix, depth, number).to_string()).collect()
}

fn compare(family: Family) {
    let Some(bgpq4) = Bgpq4::find() else { return };
    run(case(family), |case| {
        let theirs = if case.as_arguments {
            bgpq4.list_of(family, &case.arguments, &case.members)
        } else {
            bgpq4.list(family, &case.arguments, &case.members)
        };
        let ours = super::ours("x", family, &case.arguments, &case.members);
        prop_assert!(ours == theirs, "bgpq4 prints {}\nwe print {}", theirs, ours);
        Ok(())
    });
}

/// The same cases in each run, so that a change is what makes them fail; found cases go into `cases/`.
fn run<T: fmt::Debug>(strategy: impl Strategy<Value = T>, test: impl Fn(T) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(64_500),
        ..Config::default()
    };
    if let Err(error) = TestRunner::new(config).run(&strategy, test) {
        panic!("{error}");
    }
}

#[test]
fn random_ipv4_lists_are_the_same() {
    compare(Family::V4);
}

#[test]
fn random_ipv6_lists_are_the_same() {
    compare(Family::V6);
}

#[test]
fn as_lists_are_the_same() {
    let Some(bgpq4) = Bgpq4::find() else { return };
    let numbers: Vec<u32> = vec![0, 1, 7, 42, 3_303, 64_495, 65_552, 131_072, 396_982, 4_199_999_999];
    for (width, count) in [(8, 10), (8, 8), (8, 1), (0, 10), (1, 4), (3, 10), (3, 9), (65_536, 10)] {
        let numbers = &numbers[..count];
        let mut arguments = super::strings(&["-t", "-W", &width.to_string()]);
        arguments.extend(numbers.iter().rev().map(|asn| format!("AS{asn}")));
        let output = bgpq4.run(&arguments);
        let width = usize::try_from(width).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), as_list_json("x", numbers, width), "{width}");
    }
}
