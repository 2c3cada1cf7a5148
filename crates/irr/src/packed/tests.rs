use proptest::prelude::*;

use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn entry(text: &str, lengths: Option<(u8, u8)>) -> Entry {
    Entry { prefix: prefix(text), lengths }
}

/// Few enough prefixes that they meet and nest.
fn some_prefix(family: Family) -> impl Strategy<Value = Prefix> {
    (0..=family.bits(), 0..16_u128, any::<bool>()).prop_map(move |(length, number, top)| {
        let near_end = number << (128 - family.bits());
        Prefix::new(family, if top { number << 124 } else { near_end }, length)
    })
}

fn some_entry(family: Family) -> impl Strategy<Value = Entry> {
    (some_prefix(family), proptest::option::of((0..=family.bits(), 0..=family.bits())))
        .prop_map(|(prefix, lengths)| Entry { prefix, lengths })
}

fn some_list() -> impl Strategy<Value = (Family, Vec<Entry>)> {
    prop_oneof![Just(Family::V4), Just(Family::V6)].prop_flat_map(|family| {
        proptest::collection::vec(some_entry(family), 0..40).prop_map(move |entries| (family, entries))
    })
}

fn expected(family: Family, entries: &[Entry]) -> Vec<Entry> {
    let mut expected: Vec<_> = entries.iter().filter_map(|&entry| tidy(family, entry)).collect();
    expected.sort_unstable();
    expected.dedup();
    expected
}

#[test]
fn the_bytes_are_as_documented() {
    let entries = [entry("192.0.2.0/23", Some((24, 25))), entry("192.0.2.0/23", None)];
    assert_eq!(
        pack(Family::V4, &entries),
        [1, 4, 0, 0, 0, 0, 0, 0, 0, 2, 192, 0, 2, 0, 23, 0, 0, 192, 0, 2, 0, 23, 24, 25]
    );
    let bytes = pack(Family::V6, &[entry("2001:db8::/32", Some((32, 48)))]);
    assert_eq!(bytes[..10], [1, 6, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(bytes[10..], [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 32, 48]);
    assert_eq!(pack_asns(&[64501, 1, 1]), [1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 251, 245]);
}

#[test]
fn what_permits_nothing_is_not_packed() {
    let packed = pack(
        Family::V4,
        &[
            entry("192.0.2.0/24", Some((20, 28))),
            entry("192.0.2.0/24", Some((26, 99))),
            entry("192.0.2.0/24", Some((28, 26))),
            entry("192.0.2.0/24", Some((8, 16))),
            entry("2001:db8::/32", None),
        ],
    );
    let list: Vec<_> = PackedList::new(&packed).unwrap().iter().collect();
    assert_eq!(list, [entry("192.0.2.0/24", Some((24, 28))), entry("192.0.2.0/24", Some((26, 32)))]);
}

#[test]
fn corrupt_bytes_are_refused() {
    let good = pack(Family::V4, &[entry("192.0.2.0/24", None), entry("198.51.100.0/24", Some((25, 26)))]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, reason) in [
        (vec![], "0 bytes are too few"),
        (good[..9].to_vec(), "9 bytes are too few"),
        (good[..23].to_vec(), "2 entries were announced, and 13 bytes are there"),
        ([&good[..], &[0]].concat(), "2 entries were announced, and 15 bytes are there"),
        (changed(0, 2), "version 2 is unknown"),
        (changed(1, 5), "kind 5 is unknown"),
        (changed(2, 255), "18374686479671623682 entries were announced, and 14 bytes are there"),
        (changed(10, 199), "its entry 1 is out of bounds or out of order"),
        (changed(13, 1), "its entry 0 is out of bounds or out of order"),
        (changed(14, 33), "its entry 0 is out of bounds or out of order"),
        (changed(15, 24), "its entry 0 is out of bounds or out of order"),
        (changed(22, 23), "its entry 1 is out of bounds or out of order"),
        (changed(23, 24), "its entry 1 is out of bounds or out of order"),
        (changed(23, 33), "its entry 1 is out of bounds or out of order"),
        (pack_asns(&[1]), "it holds no prefixes"),
    ] {
        let text = PackedList::new(&bytes).unwrap_err().to_string();
        assert_eq!(text, format!("not a packed list: {reason}; fetch the list again"));
    }
    let asns = pack_asns(&[1, 2]);
    for (bytes, reason) in [
        (good.clone(), "it holds no AS numbers"),
        (asns[..17].to_vec(), "2 entries were announced, and 7 bytes are there"),
        ([&asns[..17], &[1]].concat(), "its AS number 1 is out of order"),
    ] {
        let text = unpack_asns(&bytes).unwrap_err().to_string();
        assert_eq!(text, format!("not a packed list: {reason}; fetch the list again"));
    }
}

#[test]
fn of_several_entries_the_longest_prefix_permits() {
    let entries = [
        entry("0.0.0.0/0", Some((8, 24))),
        entry("192.0.2.0/23", Some((23, 24))),
        entry("192.0.2.0/23", Some((26, 26))),
        entry("192.0.2.1/32", None),
    ];
    let packed = pack(Family::V4, &entries);
    let list = PackedList::new(&packed).unwrap();
    for (route, at) in [
        ("192.0.2.0/24", Some(1)),
        ("192.0.3.64/26", Some(2)),
        ("192.0.2.0/25", None),
        ("192.0.2.1/32", Some(3)),
        ("192.0.2.2/32", None),
        ("198.51.100.0/24", Some(0)),
        ("0.0.0.0/0", None),
        ("c000:200::/24", None),
    ] {
        assert_eq!(list.permits(prefix(route)), at.map(|at: usize| entries[at]), "{route}");
    }
    assert!(list.covered_by(prefix("192.0.2.0/24")).eq([entries[3]]));
    assert!(list.covered_by(prefix("192.0.2.0/23")).eq(entries[1..].iter().copied()));
    assert_eq!(list.covered_by(prefix("c000:200::/24")).count(), 0);
    assert_eq!((list.family(), list.len(), list.is_empty()), (Family::V4, 4, false));
    assert_eq!((list.get(3), list.get(4)), (Some(entries[3]), None));
}

#[test]
fn lists_that_hold_all_lengths_are_searched_to_both_ends() {
    let entries = [entry("::/0", None), entry("2001:db8::1/128", None)];
    for one in entries {
        let packed = pack(Family::V6, &[one]);
        let list = PackedList::new(&packed).unwrap();
        for other in entries {
            assert_eq!(list.permits(other.prefix), (one == other).then_some(one));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_come_back((family, entries) in some_list(), rotation in any::<prop::sample::Index>()) {
        let expected = expected(family, &entries);
        let packed = pack(family, &entries);
        let mut turned = entries.clone();
        turned.rotate_left(if entries.is_empty() { 0 } else { rotation.index(entries.len()) });
        prop_assert_eq!(&packed, &pack(family, &turned));

        let list = PackedList::new(&packed).unwrap();
        prop_assert_eq!(list.len(), expected.len());
        prop_assert!(list.iter().eq(expected.iter().copied()));
        prop_assert!((0..=expected.len()).all(|at| list.get(at) == expected.get(at).copied()));
        prop_assert_eq!(&pack(family, &list.iter().collect::<Vec<_>>()), &packed);
    }

    #[test]
    fn searching_finds_what_looking_at_all_does(
        (family, entries) in some_list(),
        routes in proptest::collection::vec(some_prefix(Family::V4).boxed().prop_union(some_prefix(Family::V6).boxed()), 20),
    ) {
        let expected = expected(family, &entries);
        let packed = pack(family, &entries);
        let list = PackedList::new(&packed).unwrap();
        for route in routes.into_iter().chain(entries.iter().map(|entry| entry.prefix)) {
            let permitting = expected.iter().copied().filter(|entry| entry.permits(route));
            let found = list.permits(route);
            prop_assert_eq!(
                found.map(|entry| entry.prefix.length()),
                permitting.map(|entry| entry.prefix.length()).max()
            );
            prop_assert!(found.is_none_or(|entry| entry.permits(route) && expected.contains(&entry)));
            let inside = expected.iter().copied().filter(|entry| route.covers(entry.prefix));
            prop_assert!(list.covered_by(route).eq(inside));
        }
    }

    #[test]
    fn differences_lead_from_one_list_to_the_other(
        old in proptest::collection::btree_set(0..60_u32, 0..30),
        new in proptest::collection::btree_set(0..60_u32, 0..30),
    ) {
        let (added, removed) = diff(&old, &new);
        prop_assert!(added.iter().copied().eq(new.difference(&old)));
        prop_assert!(removed.iter().copied().eq(old.difference(&new)));
        prop_assert_eq!(unpack_asns(&pack_asns(&new.iter().copied().collect::<Vec<_>>())).unwrap(), Vec::from_iter(new));
    }

    #[test]
    fn any_bytes_are_survived(
        (family, entries) in some_list(),
        noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 0..3_usize,
    ) {
        let mut bytes = pack(family, &entries);
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut);
        if let Ok(list) = PackedList::new(&bytes) {
            prop_assert_eq!(&pack(list.family(), &list.iter().collect::<Vec<_>>()), &bytes);
        }
        if let Ok(asns) = unpack_asns(&bytes) {
            prop_assert_eq!(&pack_asns(&asns), &bytes);
        }
    }
}
