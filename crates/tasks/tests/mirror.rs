//! The cache holds exactly what PeeringDB holds, whatever happens there and in whatever order it is told.

use crate::support;
use std::collections::{BTreeMap, BTreeSet};

use crate::support::Scene;
use chrono::TimeDelta;
use pm_lab::peeringdb::awkward::{CASES, Case};
use pm_lab::peeringdb::{Advance, Caller, Generated, Options, Order};
use pm_store::peeringdb::tables::table_of;
use pm_store::testing::{TestDatabase, each_engine};
use pm_tasks::PeeringdbSync;
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, TestRunner};
use serde_json::Value as Json;

/// What happens to be invisible for a question that asks only for changes: a contact that is hidden from us just
/// stops coming.
const UNSEEN: &str = "contact_hidden";

#[tokio::test]
async fn a_first_synchronisation_holds_everything() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        let finished = scene.sync().await;
        scene.assert_mirror(Caller::Anonymous, "first").await;
        assert_eq!(finished.data["dangling"], 0);
        let again = scene.sync().await;
        assert!(again.message.contains("up to date"), "{}", again.message);
    })
    .await;
}

#[tokio::test]
async fn every_awkward_case_ends_right() {
    each_engine(async |store| {
        let scene =
            Scene::new(&store, 0.03, 3, Options { order: Order::Shuffled, ..Options::default() }).await;
        scene.sync().await;
        for case in CASES.iter().filter(|case| case.name != UNSEEN) {
            let changes = scene.server.world().advance(&Advance::only(*case));
            assert_eq!(changes.unfit, Vec::<&str>::new());
            scene.sync().await;
            scene.assert_mirror(Caller::Anonymous, case.name).await;
            // The same deletions come again, because every run asks for a little more than it needs.
            scene.sync().await;
            scene.assert_mirror(Caller::Anonymous, &format!("{} once more", case.name)).await;
        }
        assert_eq!(scene.server.world().withheld(), [], "every parent has come by now");
        let live = scene.live(Caller::Anonymous);
        for held in pm_store::peeringdb::lookup::held(&store).await.unwrap() {
            assert_eq!(held.dangling, dangling(&live, held.namespace), "{}", held.namespace);
        }
    })
    .await;
}

/// Live records of which a required parent is not live.
fn dangling(live: &BTreeMap<String, Vec<Json>>, namespace: &str) -> i64 {
    let parents = table_of(namespace).unwrap().parents.iter().filter(|parent| parent.required);
    let ids: Vec<(&str, BTreeSet<Option<i64>>)> = parents
        .map(|parent| {
            (parent.column, live[parent.namespace].iter().map(|record| record["id"].as_i64()).collect())
        })
        .collect();
    let count = live[namespace]
        .iter()
        .filter(|record| ids.iter().any(|(column, ids)| !ids.contains(&record[column].as_i64())));
    i64::try_from(count.count()).unwrap()
}

#[tokio::test]
async fn a_hidden_contact_is_found_by_comparing() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 5, Options::default()).await;
        scene.sync().await;
        scene.server.world().advance(&Advance::only(Case::named(UNSEEN).unwrap()));
        scene.sync().await;
        let before = scene.cached().await["poc"].len();
        let full = scene.sync_with(PeeringdbSync { full: true, ..PeeringdbSync::default() }).await;
        scene.assert_mirror(Caller::Anonymous, "after comparing").await;
        assert_eq!(scene.cached().await["poc"].len(), before - 1);
        assert_eq!(full.data["drift"], 1, "{}", full.message);
    })
    .await;
}

/// One stretch of time between two synchronisations.
#[derive(Clone, Debug)]
struct Step {
    percent: f64,
    cases: Vec<usize>,
    hours: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0.0_f64..3.0, proptest::collection::vec(0..CASES.len(), 0..12), 1_i64..72)
        .prop_map(|(percent, cases, hours)| Step { percent, cases, hours });
    proptest::collection::vec(step, 1..4)
}

fn behaviour() -> impl Strategy<Value = Options> {
    let order = prop_oneof![Just(Order::Updated), Just(Order::Id), Just(Order::Shuffled)];
    let generated = prop_oneof![Just(Generated::Always), Just(Generated::FullOnly), Just(Generated::Never)];
    (order, generated).prop_map(|(order, generated)| Options { order, generated, ..Options::default() })
}

/// Any sequence of changes, synchronised as they come, ends equal to a synchronisation from nothing.
#[test]
fn any_sequence_of_changes_ends_equal_to_a_fresh_copy() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() });
    runner
        .run(&(steps(), behaviour(), 0_u64..1000), |(steps, options, seed)| {
            runtime.block_on(each_engine(|store| sequence(store, steps.clone(), options.clone(), seed)));
            Ok(())
        })
        .unwrap();
}

/// The newest row changes, and one more of its old second comes, in the same stretch of time.
#[test]
fn a_row_of_a_second_that_was_the_newest_is_found() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let steps = vec![
        Step { percent: 1.523_938_961_235_246, cases: vec![12, 14, 38, 27], hours: 1 },
        Step { percent: 1.414_870_942_769_466, cases: vec![33, 34, 0, 34], hours: 67 },
    ];
    let options = Options { generated: Generated::Always, order: Order::Updated, ..Options::default() };
    runtime.block_on(each_engine(|store| sequence(store, steps.clone(), options.clone(), 759)));
}

async fn sequence(store: pm_store::Store, steps: Vec<Step>, options: Options, seed: u64) {
    let scene = Scene::new(&store, 0.02, seed, options).await;
    scene.sync().await;
    let mut hidden = false;
    for step in steps {
        let cases: Vec<Case> = step.cases.iter().map(|place| CASES[*place]).collect();
        hidden |= cases.iter().any(|case| case.name == UNSEEN);
        let advance = Advance { duration: TimeDelta::hours(step.hours), percent: step.percent, cases };
        scene.server.world().advance(&advance);
        // A small world loses much of itself on a bad day; what is tested here is what is stored, not the guard.
        scene.sync_with(PeeringdbSync { force: true, ..PeeringdbSync::default() }).await;
        if !hidden {
            scene.assert_mirror(Caller::Anonymous, "after a step").await;
        }
    }
    scene.sync_with(PeeringdbSync { full: true, force: true, from: None }).await;
    scene.assert_mirror(Caller::Anonymous, "after comparing").await;
    let database = TestDatabase::sqlite();
    let fresh = Scene { store: database.open().await, ..scene };
    fresh.sync().await;
    support::assert_same(&support::cached(&store).await, &fresh.cached().await, "against a fresh copy");
    fresh.store.close().await;
}
