//! What lists permit. That their entries are those of bgpq4 is seen in `tests/bgpq4_aggregation`.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// So many bits at the end of the address are what the prefixes differ in.
const DEPTH: u8 = 6;

/// Node `number` of a heap-like tree of all prefixes of the last bits: 1 is the root, `2n` and `2n + 1` lie below `n`.
fn node(family: Family, number: u8) -> Prefix {
    let depth = u8::try_from(number.ilog2()).unwrap();
    let length = family.bits() - DEPTH + depth;
    let place = u128::from(number - (1 << depth)) << (128 - length);
    Prefix::new(family, (0x0a << 120) | place, length)
}

/// All those prefixes, and some that lie above or beside them.
fn routes(family: Family) -> impl Iterator<Item = Prefix> {
    let above = (0..=family.bits()).map(move |length| Prefix::new(family, 0x0a << 120, length));
    let beside = (0..=family.bits()).map(move |length| Prefix::new(family, 0x8a << 120, length));
    (1..1 << (DEPTH + 1)).map(move |number| node(family, number)).chain(above).chain(beside)
}

#[derive(Clone, Debug)]
struct Case {
    family: Family,
    prefixes: Vec<Prefix>,
    ranges: Vec<PrefixRange>,
    shape: Shape,
    most_expanded: u64,
}

impl Case {
    fn list(&self, shape: Shape, most_expanded: u64) -> Vec<Entry> {
        let prefixes = self.prefixes.iter().copied();
        match self.family {
            Family::V4 => list::<1>(prefixes, &self.ranges, shape, most_expanded),
            Family::V6 => list::<4>(prefixes, &self.ranges, shape, most_expanded),
        }
    }

    /// What the arguments mean, without any tree: each prefix by itself.
    fn permits(&self, route: Prefix) -> bool {
        let Shape { from, to, longest, .. } = self.shape;
        let longest = longest.unwrap_or(u8::MAX);
        let to = to.or(from.map(|_| self.family.bits())).unwrap_or(0);
        let by_prefix_of_length = |length: u8| {
            let low = from.map_or(length, |from| from.max(length));
            length <= longest && (low..=to.max(length)).contains(&route.length())
        };
        self.prefixes.iter().any(|prefix| prefix.covers(route) && by_prefix_of_length(prefix.length()))
            || self.ranges.iter().filter(|range| range.prefix.covers(route)).any(|range| {
                (range.low.max(range.prefix.length())..=range.high.min(route.length()))
                    .any(by_prefix_of_length)
            })
    }
}

fn case() -> impl Strategy<Value = Case> {
    select(vec![Family::V4, Family::V6]).prop_flat_map(|family| {
        let bits = family.bits();
        let lengths = bits - DEPTH - 1..=bits;
        let prefix = prop_oneof![
            20 => (1..1_u8 << (DEPTH + 1)).prop_map(move |number| node(family, number)),
            1 => Just(Prefix::new(family, 0, 0)),
        ];
        let range = (1..1_u8 << (DEPTH + 1), lengths.clone(), lengths.clone())
            .prop_map(move |(number, low, high)| PrefixRange { prefix: node(family, number), low, high });
        let shape = (any::<bool>(), [(); 3].map(|()| proptest::option::weighted(0.4, lengths.clone())))
            .prop_map(move |(aggregate, [from, to, longest])| {
                // Equal bounds and the longest limit are bgpq4's oddities, which mean something else.
                let from = from.map(|from| from.min(to.unwrap_or(bits) - 1));
                Shape { aggregate, from, to, longest: longest.map(|longest| longest.min(bits - 1)) }
            });
        let prefixes = proptest::collection::vec(prefix, 0..60);
        let ranges = proptest::collection::vec(range, 0..4);
        (prefixes, ranges, shape, select(vec![0, 1, 8, 40, u64::MAX])).prop_map(
            move |(prefixes, ranges, shape, most_expanded)| Case {
                family,
                prefixes,
                ranges,
                shape,
                most_expanded,
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_list_permits_what_its_prefixes_and_arguments_say(case in case()) {
        let entries = case.list(case.shape, case.most_expanded);
        prop_assert!(entries.is_sorted());
        for route in routes(case.family) {
            let permitted = entries.iter().any(|entry| entry.permits(route));
            prop_assert_eq!(permitted, case.permits(route), "{}", route);
        }
    }

    /// Aggregation makes no list longer, and says nothing twice.
    #[test]
    fn aggregated_entries_do_not_overlap(case in case()) {
        let plain = case.list(Shape { aggregate: false, ..case.shape }, u64::MAX);
        let aggregated = case.list(Shape { aggregate: true, ..case.shape }, u64::MAX);
        prop_assert!(aggregated.len() <= plain.len());
        for route in routes(case.family) {
            let count = aggregated.iter().filter(|entry| entry.permits(route)).count();
            prop_assert_eq!(count, usize::from(case.permits(route)), "{}", route);
        }
    }

    #[test]
    fn order_and_repetition_change_nothing(case in case(), rotation in any::<prop::sample::Index>()) {
        let mut turned = case.clone();
        turned.prefixes.extend_from_within(..);
        if !turned.prefixes.is_empty() {
            turned.prefixes.rotate_left(rotation.index(case.prefixes.len()));
        }
        turned.ranges.reverse();
        turned.ranges.extend_from_within(..);
        prop_assert_eq!(
            turned.list(case.shape, case.most_expanded),
            case.list(case.shape, case.most_expanded)
        );
    }
}

#[test]
fn the_other_family_is_left_out() {
    let texts = ["192.0.2.0/24", "2001:db8::/32"];
    let prefixes = texts.map(|text| text.parse::<Prefix>().unwrap());
    let ranges =
        prefixes.map(|prefix| PrefixRange { prefix, low: prefix.length() + 1, high: prefix.length() + 1 });
    for (family, prefix) in [(Family::V4, prefixes[0]), (Family::V6, prefixes[1])] {
        let list = prefix_list(family, prefixes, &ranges, &Shape::default());
        assert!(list.len() == 3 && list.iter().all(|entry| prefix.covers(entry.prefix)));
    }
}

#[test]
fn what_a_kept_range_permits_has_no_entry_of_its_own() {
    let prefix = |text: &str| text.parse::<Prefix>().unwrap();
    let ranges = [("10.0.0.0/8", 8, 28), ("10.1.0.0/16", 20, 32), ("10.2.0.0/16", 20, 32)]
        .map(|(text, low, high)| PrefixRange { prefix: prefix(text), low, high });
    let inside = ["10.0.0.0/24", "10.1.0.0/18", "10.1.0.0/24", "10.1.0.0/30", "10.3.0.0/24"].map(prefix);
    let beside = ["10.3.0.0/30", "11.0.0.0/24"].map(prefix);
    let entries = list::<1>(inside.into_iter().chain(beside), &ranges, Shape::default(), 0);
    let expected =
        ranges.map(|PrefixRange { prefix, low, high }| Entry { prefix, lengths: Some((low, high)) });
    assert!(entries.iter().eq(expected.iter().chain(&beside.map(|prefix| Entry { prefix, lengths: None }))));
}

/// The whole of a family, as a range: neither memory nor the count of its prefixes gives way.
#[test]
fn the_largest_ranges_stay_ranges() {
    for family in [Family::V4, Family::V6] {
        let all = Prefix::new(family, 0, 0);
        for low in [0, 1, family.bits()] {
            let range = PrefixRange { prefix: all, low, high: family.bits() };
            let ours = prefix_list(
                family,
                [all, node(family, 1)],
                &[range],
                &Shape { aggregate: true, ..Shape::default() },
            );
            let kept = Entry { prefix: all, lengths: Some((low, family.bits())) };
            assert!(ours.contains(&kept), "{low}");
            assert!(ours.len() <= 3);
        }
    }
}

/// Nobody should make such a shape or such ranges; they must not hurt either.
#[test]
fn odd_values_are_survived() {
    let odd = Shape { aggregate: true, from: Some(200), to: Some(255), longest: Some(255) };
    let backwards = Shape { aggregate: true, from: Some(30), to: Some(3), longest: Some(0) };
    for family in [Family::V4, Family::V6] {
        let prefixes: Vec<Prefix> = routes(family).collect();
        let ranges: Vec<PrefixRange> = [(0, 255), (255, 0), (255, 255)]
            .into_iter()
            .flat_map(|(low, high)| prefixes.iter().map(move |&prefix| PrefixRange { prefix, low, high }))
            .collect();
        for shape in [odd, backwards, Shape::default()] {
            assert!(prefix_list(family, prefixes.clone(), &ranges, &shape).len() < 10_000);
        }
    }
}
