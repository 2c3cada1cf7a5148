//! Every awkward case keeps the API's contract, and the world stays what it says it is.

use std::collections::HashMap;

use pm_lab::peeringdb::awkward::{CASES, Case};
use pm_lab::peeringdb::{Advance, Caller, Namespace, World};
use serde_json::Value;

use super::client::world;

type Rows = HashMap<(Namespace, u64), Value>;

/// Everything, tombstones included.
fn everything(world: &World) -> Rows {
    let mut all = Rows::new();
    for namespace in Namespace::ALL {
        for row in world.changed(namespace, 0, Caller::Keyed) {
            all.insert((namespace, row["id"].as_u64().unwrap()), row);
        }
    }
    all
}

fn time(row: &Value) -> &str {
    row["updated"].as_str().unwrap()
}

/// Compares the world before and after: nothing vanishes, and what differs is newer, but not newer than now.
fn check_contract(case: &str, before: &Rows, after: &Rows, since: &str, world: &World) {
    for (key, old) in before {
        // A contact that was hidden is not seen any more, also not by keys if it is private.
        let Some(new) = after.get(key) else { panic!("{case}: {key:?} is gone without a tombstone") };
        if old != new {
            assert!(time(new) > time(old) && time(new) > since, "{case}: {key:?}");
        }
    }
    let now = world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for (key, row) in after {
        assert!(time(row) <= now.as_str(), "{case}: {key:?} is from the future");
        if !before.contains_key(key) && case != "same_second_as_newest" && case != "awkward day" {
            assert!(time(row) > since, "{case}: {key:?} is new and old");
        }
    }
}

#[test]
fn each_case_changes_something_and_keeps_the_contract() {
    for case in CASES {
        let mut world = world();
        let since = world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let before = everything(&world);
        let changes = world.advance(&Advance::only(*case));
        assert_eq!(changes.cases, [case.name], "{changes:?}");
        assert!(changes.created + changes.updated + changes.deleted > 0, "{}", case.name);
        let after = everything(&world);
        check_contract(case.name, &before, &after, &since, &world);
        let deleted = after.values().filter(|row| row["status"] == "deleted").count();
        // This one finds no earlier tombstone here, and makes its own.
        let revived = usize::from(case.name == "row_undeleted");
        assert_eq!(deleted + revived, changes.deleted, "{}: a tombstone for every deletion", case.name);
        for namespace in Namespace::ALL {
            let live = world.live(namespace, Caller::Keyed);
            let expected =
                after.iter().filter(|((of, _), row)| *of == namespace && row["status"] == "ok").count();
            assert_eq!(live.len(), expected, "{}: {namespace}", case.name);
        }
    }
}

#[test]
fn an_awkward_day_has_all_cases_and_can_be_had_again() {
    let mut world = world();
    for day in 0..3 {
        let since = world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let before = everything(&world);
        let changes = world.advance(&Advance::awkward_day());
        assert_eq!(changes.unfit, Vec::<&str>::new(), "day {day}");
        assert_eq!(changes.cases.len(), CASES.len());
        check_contract("awkward day", &before, &everything(&world), &since, &world);
    }
}

#[test]
fn the_same_seed_has_the_same_history() {
    let history = || {
        let mut world = world();
        world.advance(&Advance::awkward_day());
        world.advance(&Advance::day());
        everything(&world)
    };
    assert_eq!(history(), history());
}

/// The case alone, and what it has changed, by namespace.
fn after(name: &str) -> (World, HashMap<Namespace, Vec<Value>>) {
    let mut world = world();
    let since = world.now().timestamp();
    world.advance(&Advance::only(Case::named(name).unwrap()));
    let changed = Namespace::ALL
        .into_iter()
        .map(|namespace| (namespace, world.changed(namespace, since, Caller::Keyed)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    (world, changed)
}

#[test]
fn absent_parents_arrive_with_the_next_advance() {
    for (name, child, column, parent) in [
        ("net_of_absent_org", Namespace::Net, "org_id", Namespace::Org),
        ("netixlan_of_absent_net", Namespace::Netixlan, "net_id", Namespace::Net),
        ("poc_of_absent_net", Namespace::Poc, "net_id", Namespace::Net),
    ] {
        let (mut world, changed) = after(name);
        let id = changed[&child][0][column].as_u64().unwrap();
        assert_eq!(world.withheld(), [(parent, id)], "{name}");
        let has = |world: &World| world.live(parent, Caller::Keyed).iter().any(|row| row["id"] == id);
        assert!(!has(&world), "{name}");
        let since = world.now().timestamp();
        world.advance(&Advance { percent: 0.0, ..Advance::day() });
        assert!(has(&world), "{name}");
        assert_eq!(world.changed(parent, since, Caller::Keyed).len(), 1, "{name}");
        assert!(world.withheld().is_empty());
    }
}

#[test]
fn a_merge_moves_networks_and_leaves_their_children() {
    let (world, changed) = after("org_merged");
    let gone = changed[&Namespace::Org].iter().find(|row| row["status"] == "deleted").unwrap();
    assert!(changed[&Namespace::Net].iter().all(|net| net["status"] == "ok" && net["org_id"] != gone["id"]));
    assert!(world.live(Namespace::Net, Caller::Keyed).iter().all(|net| net["org_id"] != gone["id"]));
    for children in [Namespace::Poc, Namespace::Netfac, Namespace::Netixlan] {
        assert!(!changed.contains_key(&children), "{children}");
    }
}

#[test]
fn a_deletion_is_the_newest_change() {
    let (world, changed) = after("deletion_is_newest");
    let now = world.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for namespace in [Namespace::Netixlan, Namespace::Netfac, Namespace::Poc, Namespace::Carrierfac] {
        let newest = changed[&namespace].last().unwrap();
        assert_eq!((time(newest), &newest["status"]), (now.as_str(), &"deleted".into()), "{namespace}");
    }
}

#[test]
fn a_successor_comes_before_or_behind_the_row_it_replaces() {
    for (name, namespace, unique) in [
        ("asn_reused", Namespace::Net, "asn"),
        ("prefix_moved", Namespace::Ixpfx, "prefix"),
        ("netfac_recreated", Namespace::Netfac, "fac_id"),
        ("address_moved", Namespace::Netixlan, "ipaddr4"),
    ] {
        for (order, expected) in [("old_first", ["deleted", "ok"]), ("new_first", ["ok", "deleted"])] {
            let (_, changed) = after(&format!("{name}_{order}"));
            let rows = &changed[&namespace];
            let both: Vec<&Value> = rows
                .iter()
                .filter(|row| {
                    rows.iter().any(|other| other["id"] != row["id"] && other[unique] == row[unique])
                })
                .collect();
            let statuses: Vec<&str> = both.iter().map(|row| row["status"].as_str().unwrap()).collect();
            assert_eq!(statuses, expected, "{name}_{order}");
        }
    }
}

#[test]
fn a_row_of_the_newest_known_second_is_not_among_the_changes() {
    let mut world = world();
    let newest = |world: &World| {
        let rows = world.changed(Namespace::Netixlan, 0, Caller::Keyed);
        rows.iter().map(|row| time(row).to_owned()).max().unwrap()
    };
    let before = newest(&world);
    let count = world.live(Namespace::Netixlan, Caller::Keyed).len();
    world.advance(&Advance::only(Case::named("same_second_as_newest").unwrap()));
    assert_eq!(newest(&world), before);
    assert_eq!(world.live(Namespace::Netixlan, Caller::Keyed).len(), count + 1);
    let since = chrono::DateTime::parse_from_rfc3339(&before).unwrap().timestamp();
    assert!(world.changed(Namespace::Netixlan, since, Caller::Keyed).is_empty());
}

/// What the newest known second is does not depend on whether its row changes in the same stretch of time.
#[test]
fn the_newest_known_second_is_that_of_before() {
    let mut world = world();
    for _ in 0..5 {
        let known = everything(&world);
        let connections = |(namespace, _): &(Namespace, u64)| *namespace == Namespace::Netixlan;
        let newest =
            known.iter().filter(|(key, _)| connections(key)).map(|(_, row)| time(row)).max().unwrap();
        let case = Case::named("same_second_as_newest").unwrap();
        world.advance(&Advance { percent: 60.0, ..Advance::only(case) });
        let all = everything(&world);
        let mut new = all.iter().filter(|(key, _)| connections(key) && !known.contains_key(*key));
        assert!(new.any(|(_, row)| time(row) == newest), "a new row of {newest}");
    }
}

#[test]
fn a_pending_campus_is_listed_with_since_only() {
    let (world, changed) = after("campus_pending");
    let campus = &changed[&Namespace::Campus][0];
    assert_eq!(campus["status"], "pending");
    let listed = |namespace, field: &str| {
        world.live(namespace, Caller::Keyed).iter().any(|row| row[field] == campus["id"])
    };
    assert!(!listed(Namespace::Campus, "id"));
    assert!(listed(Namespace::Fac, "campus_id"));
}
