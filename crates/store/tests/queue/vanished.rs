//! Processes that vanished, or were suspended, in the middle of a write. On SQLite nobody writes beside them.

use std::time::Duration;

use pm_store::queue;
use pm_store::testing::{TestDatabase, epoch};
use serde_json::json;

use super::{add, begun, job, seconds, take};

/// Far less than anybody waits for a row.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_process_that_vanished_in_a_write_holds_up_no_other() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    for row in [
        "UPDATE core_lock SET expires = expires WHERE key = 'a'",
        "UPDATE core_job SET error = '' WHERE id = ?",
    ] {
        let stuck = begun(&store, 1, "vanished", "a").await;
        let other = begun(&store, 2, "vanished", "b").await;
        let mut vanished = store.begin().await.unwrap();
        let values = if row.contains('?') { vec![stuck.into()] } else { vec![] };
        vanished.session().execute(row, values).await.unwrap();
        let close = async || {
            let lost = queue::close_lost(&store, |owner| owner == "vanished", epoch(), epoch(), |_| None);
            let lost = tokio::time::timeout(AT_ONCE, lost).await.unwrap().unwrap();
            lost.iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(close().await, [other], "{row}");
        vanished.rollback().await.unwrap();
        assert_eq!(close().await, [stuck]);
    }
    store.close().await;
    database.remove().await;
}

/// Its lease has run out, and nobody else may have the lock before the write is over.
#[tokio::test]
async fn a_lock_in_whose_write_somebody_is_holds_up_its_own_jobs_only() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    begun(&store, 1, "slow", "a").await;
    let mut write = store.begin().await.unwrap();
    write.session().execute("UPDATE core_lock SET expires = expires WHERE key = 'a'", vec![]).await.unwrap();
    store.execute("UPDATE core_job SET lock_key = NULL", vec![]).await.unwrap();
    let waits = add(&store, "one", json!({ "n": 2 }), Some("a")).await.job;
    let free = add(&store, "one", json!({ "n": 3 }), Some("b")).await.job;
    let late = seconds(1000);
    let taken = async || tokio::time::timeout(AT_ONCE, take(&store, "w", late)).await.unwrap();
    assert_eq!(taken().await, Some(free));
    assert_eq!(taken().await, None);
    assert!(job(&store, waits).await.is_waiting());
    write.rollback().await.unwrap();
    assert_eq!(taken().await, Some(waits));
    store.close().await;
    database.remove().await;
}
