//! Prefix lists and AS lists in the database, on both engines.

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::changes::Author;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::irr::{self, Kind, NewList, Stand, State, Update, Verdict};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value, picture};
use serde_json::json;

async fn add(store: &Store, asns: &[i64]) -> Vec<i64> {
    let author = Author { user_id: None, user_name: "test".into(), request_id: "test".into() };
    let systems = asns.iter().map(|asn| AutonomousSystem::new(*asn, &format!("AS{asn}"), epoch())).collect();
    autonomous_system::create(store, &author, systems, epoch()).await.unwrap();
    let mut connection = store.connection().await.unwrap();
    let all = autonomous_system::by_asns(&mut connection.session(), asns).await.unwrap();
    all.iter().map(|system| system.id).collect()
}

/// A list whose octets are `text` and that lies in the blocks named by the text's letters.
fn list(kind: Kind, text: &str) -> NewList {
    let mut digest = text.as_bytes().to_vec();
    digest.resize(32, 0);
    let blocks = text.bytes().map(|letter| vec![letter]).collect::<std::collections::BTreeSet<_>>();
    let entries = i64::try_from(text.len()).unwrap();
    NewList {
        kind,
        digest,
        entries,
        shortest: Some(24),
        data: text.as_bytes().to_vec(),
        blocks: blocks.into_iter().collect(),
    }
}

fn replaced(kind: Kind, text: &str) -> (Kind, Verdict) {
    let list = list(kind, text);
    let found = list.entries * 2;
    (kind, Verdict::Replaced { list, found })
}

fn held(kind: Kind, text: &str, reason: &str) -> (Kind, Verdict) {
    let list = list(kind, text);
    let found = list.entries;
    (kind, Verdict::Held { list, found, reason: reason.into() })
}

fn at(minutes: i64) -> DateTime<Utc> {
    epoch() + TimeDelta::minutes(minutes)
}

async fn states(store: &Store, id: i64) -> Vec<State> {
    let mut connection = store.connection().await.unwrap();
    irr::states(&mut connection.session(), &[id]).await.unwrap().remove(&id).unwrap_or_default()
}

async fn apply(store: &Store, id: i64, verdicts: Vec<(Kind, Verdict)>, minutes: i64) {
    let before = states(store, id).await;
    let update = Update { autonomous_system: id, before, verdicts, details: json!({ "minute": minutes }) };
    let mut transaction = store.begin().await.unwrap();
    irr::apply(&mut transaction.session(), &[update], 3, at(minutes)).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn who(store: &Store, block: &str) -> Vec<(String, Vec<i64>)> {
    let mut connection = store.connection().await.unwrap();
    let mut found = Vec::new();
    irr::each_listing(&mut connection.session(), &[block.as_bytes().to_vec()], |data, users| {
        let asns = users.iter().map(|(asn, _)| *asn).collect();
        found.push((String::from_utf8(data).unwrap(), asns));
    })
    .await
    .unwrap();
    found.sort();
    found
}

async fn count(store: &Store, table: &str) -> i64 {
    let row = store.row(&format!("SELECT COUNT(*) AS count FROM {table}"), vec![]).await.unwrap();
    row.unwrap().get("count").unwrap()
}

#[tokio::test]
async fn a_list_is_kept_once_and_found_by_its_blocks() {
    each_engine(|store| async move {
        let ids = add(&store, &[64_496, 64_497]).await;
        apply(&store, ids[0], vec![replaced(Kind::Ipv4, "abc"), replaced(Kind::Ipv6, "x")], 1).await;
        apply(&store, ids[1], vec![replaced(Kind::Ipv4, "abc")], 2).await;
        assert_eq!(count(&store, "peering_irrlist").await, 2);
        assert_eq!(who(&store, "b").await, [("abc".to_owned(), vec![64_496, 64_497])]);

        apply(&store, ids[0], vec![replaced(Kind::Ipv4, "cd")], 3).await;
        assert_eq!(
            who(&store, "c").await,
            [("abc".to_owned(), vec![64_497]), ("cd".to_owned(), vec![64_496])]
        );
        apply(&store, ids[1], vec![replaced(Kind::Ipv4, "e")], 4).await;
        assert_eq!(who(&store, "a").await, []);
        assert_eq!(count(&store, "peering_irrblock").await, 4, "blocks of lists that are in use: c, d, e, x");

        let state = states(&store, ids[0]).await;
        assert_eq!(state.iter().map(|state| state.kind).collect::<Vec<_>>(), [Kind::Ipv6, Kind::Ipv4]);
        assert_eq!((state[1].state, state[1].found, state[1].taken), (Stand::Current, 4, Some(at(3))));
        assert_eq!(state[1].list.as_ref().unwrap().entries, 2);
        let mut connection = store.connection().await.unwrap();
        let data = irr::data(&mut connection.session(), state[1].list.as_ref().unwrap().id).await.unwrap();
        assert_eq!(data, Some(b"cd".to_vec()));
    })
    .await;
}

#[tokio::test]
async fn generations_are_counted_and_the_oldest_go() {
    each_engine(|store| async move {
        let id = add(&store, &[64_496]).await[0];
        apply(&store, id, vec![replaced(Kind::Ipv6, "six"), replaced(Kind::AsList, "n")], 0).await;
        for (minute, text) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            apply(&store, id, vec![replaced(Kind::Ipv4, text)], minute).await;
        }
        apply(&store, id, vec![(Kind::Ipv4, Verdict::Same { found: 2 })], 5).await;
        let mut connection = store.connection().await.unwrap();
        let generations = irr::generations(&mut connection.session(), id).await.unwrap();
        drop(connection);
        assert_eq!(generations.iter().map(|g| g.number).collect::<Vec<_>>(), [5, 4, 3]);
        assert_eq!(generations[0].details, json!({ "minute": 4 }));
        for generation in &generations {
            assert_eq!(generation.ipv6.as_ref().unwrap().entries, 3, "unchanged kinds are carried along");
            assert!(generation.ipv4.is_some() && generation.as_list.is_some());
        }
        let removed = {
            let mut transaction = store.begin().await.unwrap();
            let removed = irr::remove_unused(&mut transaction.session(), 100).await.unwrap();
            transaction.commit().await.unwrap();
            removed
        };
        assert_eq!(removed, 1, "only the list of the second generation: the first had none of IPv4");
        assert_eq!(count(&store, "peering_irrlist").await, 5);
    })
    .await;
}

#[tokio::test]
async fn what_is_held_hidden_or_failed_leaves_the_list() {
    each_engine(|store| async move {
        let id = add(&store, &[64_496]).await[0];
        apply(&store, id, vec![(Kind::Ipv4, Verdict::Failed { why: "no answer".into() })], 0).await;
        let state = states(&store, id).await.remove(0);
        assert_eq!((state.state, state.failure.as_deref()), (Stand::Missing, Some("no answer")));
        assert_eq!((state.checked, state.answered), (at(0), None));

        apply(&store, id, vec![replaced(Kind::Ipv4, "abcd")], 1).await;
        apply(&store, id, vec![held(Kind::Ipv4, "a", "shrinks")], 2).await;
        apply(&store, id, vec![held(Kind::Ipv4, "a", "shrinks still")], 3).await;
        let state = states(&store, id).await.remove(0);
        assert_eq!((state.list.as_ref().unwrap().entries, state.found), (4, 8));
        let waiting = state.held.as_ref().unwrap();
        assert_eq!((waiting.since, waiting.reason.as_str()), (at(2), "shrinks still"));
        assert_eq!(who(&store, "d").await.len(), 1);

        apply(&store, id, vec![(Kind::Ipv4, Verdict::TooBig { entries: 70 })], 4).await;
        let state = states(&store, id).await.remove(0);
        assert_eq!((state.state, state.too_long, state.held.is_none()), (Stand::TooBig, Some(70), true));
        assert_eq!(state.list.as_ref().unwrap().entries, 4, "the list is hidden, not lost");
        assert_eq!((who(&store, "d").await.len(), state.shown().is_none()), (0, true));

        apply(&store, id, vec![(Kind::Ipv4, Verdict::Off)], 5).await;
        assert_eq!(states(&store, id).await[0].state, Stand::Off);
        apply(&store, id, vec![(Kind::Ipv4, Verdict::Same { found: 8 })], 6).await;
        assert_eq!(states(&store, id).await[0].state, Stand::Current);
        // What is there grows old while looks fail.
        apply(&store, id, vec![(Kind::Ipv4, Verdict::Failed { why: "no answer".into() })], 7).await;
        let state = states(&store, id).await.remove(0);
        assert_eq!((state.checked, state.answered), (at(7), Some(at(6))));
        let mut connection = store.connection().await.unwrap();
        let shown = picture::lists(&mut connection.session()).await.unwrap().remove(0);
        drop(connection);
        assert_eq!(shown.checked, Some(at(6)), "not as old as the list itself");
        assert_eq!(who(&store, "d").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_autonomous_system_that_goes_takes_its_lists_along() {
    each_engine(|store| async move {
        let ids = add(&store, &[64_496, 64_497]).await;
        for id in &ids {
            apply(&store, *id, vec![replaced(Kind::Ipv4, "abc")], 1).await;
        }
        apply(&store, ids[0], vec![held(Kind::Ipv4, "z", "shrinks")], 2).await;
        let gone = "DELETE FROM peering_autonomoussystem WHERE id = ?";
        store.execute(gone, vec![Value::from(ids[0])]).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(irr::remove_unused(&mut transaction.session(), 100).await.unwrap(), 1);
        transaction.commit().await.unwrap();
        assert_eq!(who(&store, "a").await, [("abc".to_owned(), vec![64_497])]);
        store.execute(gone, vec![Value::from(ids[1])]).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(irr::remove_unused(&mut transaction.session(), 100).await.unwrap(), 1);
        transaction.commit().await.unwrap();
        assert_eq!(count(&store, "peering_irrblock").await, 0);
    })
    .await;
}
