//! The queue: who gets a job, in which order, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "the lint exempts test functions, not what they share")]

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::jobs::{self, Job, NewJob, Outcome, Status};
use pm_store::locks::{self, Claim};
use pm_store::queue::{self, Cancelled, Queued};
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Store, StoreError};
use serde_json::{Value as Json, json};

fn seconds(count: i64) -> DateTime<Utc> {
    epoch() + TimeDelta::seconds(count)
}

fn new(task: &str, arguments: Json) -> NewJob {
    NewJob {
        job_id: uuid::Uuid::new_v4().to_string(),
        name: format!("test.{task}"),
        task: task.to_owned(),
        arguments,
        user_id: None,
    }
}

async fn add(store: &Store, task: &str, arguments: Json, lock: Option<&str>) -> Queued {
    queue::add(store, &new(task, arguments), lock, epoch()).await.unwrap()
}

async fn job(store: &Store, id: i64) -> Job {
    jobs::get(store, id).await.unwrap().unwrap()
}

/// Looks and takes, as a worker does.
async fn take(store: &Store, owner: &str, now: DateTime<Utc>) -> Option<i64> {
    let due = queue::due(store, &[], 20, now).await.unwrap();
    let ids: Vec<i64> = due.jobs.iter().map(|job| job.id).collect();
    queue::claim(store, &ids, &[], owner, now).await.unwrap()
}

async fn end(store: &Store, id: i64) {
    let close =
        jobs::Close { status: Status::Completed, outcome: Some(Outcome::Ok), error: None, data: None };
    assert!(jobs::close(store, id, &close, epoch()).await.unwrap());
}

/// Each worker with connections of its own, as if it were a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_workers_get_the_same_job() {
    for database in TestDatabase::each().await {
        let store = database.open().await;
        for number in 0..200 {
            // A fifth of them has locks in common.
            let lock = (number % 5 == 0).then(|| format!("lock:{}", number % 3));
            add(&store, "one", json!({ "number": number }), lock.as_deref()).await;
        }
        let running = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
        let workers = (0..4).map(|worker| {
            let (url, running) = (database.url.clone(), Arc::clone(&running));
            tokio::spawn(async move {
                let store = Store::open(&url).await.unwrap();
                let owner = format!("worker {worker}");
                let mut taken = Vec::new();
                while queue::due(&store, &[], 1, epoch()).await.unwrap().waiting > 0 {
                    let Some(id) = take(&store, &owner, epoch()).await else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    let lock = job(&store, id).await.lock_key;
                    if let Some(lock) = &lock {
                        assert!(running.lock().unwrap().insert(lock.clone()), "two jobs of {lock} at once");
                    }
                    assert!(queue::start(&store, id, &owner, epoch()).await.unwrap());
                    tokio::task::yield_now().await;
                    if let Some(lock) = &lock {
                        running.lock().unwrap().remove(lock);
                    }
                    end(&store, id).await;
                    taken.push((id, lock));
                }
                store.close().await;
                taken
            })
        });
        let workers: Vec<_> = workers.collect();
        let mut all = Vec::new();
        for worker in workers {
            let taken = worker.await.unwrap();
            // One that waited for its lock was overtaken by younger ones, but not by those of the same lock.
            for key in taken.iter().map(|(_, lock)| lock).collect::<BTreeSet<_>>() {
                assert!(
                    taken.iter().filter(|(_, lock)| lock == key).is_sorted(),
                    "the oldest of {key:?} first"
                );
            }
            all.extend(taken.into_iter().map(|(id, _)| id));
        }
        all.sort_unstable();
        let expected: Vec<i64> =
            jobs::list(&store, None, None, 1000).await.unwrap().iter().rev().map(|job| job.id).collect();
        assert_eq!(all, expected, "each of them once");
        assert_eq!(all.len(), 200);
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn the_oldest_comes_first_and_a_taken_lock_holds_up_its_own_only() {
    each_engine(async |store| {
        let first = add(&store, "one", json!({"n": 1}), Some("a")).await;
        let second = add(&store, "one", json!({"n": 2}), Some("a")).await;
        let third = add(&store, "two", json!({}), None).await;
        assert_eq!([first.place, second.place, third.place], [1, 2, 3]);
        // Somebody on the command line holds the lock.
        let lease = TimeDelta::seconds(60);
        let held = locks::claim(&store, "a", "somebody", None, lease, epoch(), |_| false).await.unwrap();
        let Claim::Taken { lock, .. } = held else { panic!("the lock was free") };
        assert_eq!(take(&store, "w", epoch()).await, Some(third.job));
        assert_eq!(take(&store, "w", epoch()).await, None);
        assert_eq!(queue::due(&store, &[], 20, epoch()).await.unwrap().waiting, 2);
        // A lease that has run out holds nobody up.
        assert_eq!(queue::due(&store, &[], 20, seconds(61)).await.unwrap().jobs.len(), 1);
        locks::release(&store, &lock).await.unwrap();
        assert_eq!(take(&store, "w", epoch()).await, Some(first.job));
        assert_eq!(take(&store, "v", epoch()).await, None, "the first of this lock has been taken");
        // Who waits for a time is not overtaken by the next of the same lock.
        assert!(queue::put_back(&store, first.job, "w", seconds(5)).await.unwrap());
        let again = job(&store, first.job).await;
        assert!(again.is_waiting() && again.started.is_none() && again.heartbeat.is_none());
        assert_eq!(take(&store, "v", seconds(4)).await, None);
        assert_eq!(take(&store, "v", seconds(5)).await, Some(first.job));
        end(&store, first.job).await;
        assert_eq!(take(&store, "v", seconds(5)).await, Some(second.job));
    })
    .await;
}

#[tokio::test]
async fn what_nobody_can_read_stands_in_nobodys_way() {
    each_engine(async |store| {
        let strange = add(&store, "strange", json!({}), Some("a")).await.job;
        let known = add(&store, "one", json!({}), Some("a")).await.job;
        assert_eq!(queue::due(&store, &[], 20, epoch()).await.unwrap().jobs[0].id, strange);
        let due = queue::due(&store, &[strange], 20, epoch()).await.unwrap();
        assert_eq!((due.waiting, due.jobs.len(), due.jobs[0].id), (1, 1, known));
        assert_eq!(queue::claim(&store, &[known], &[strange], "w", epoch()).await.unwrap(), Some(known));
        assert!(job(&store, strange).await.is_waiting());
    })
    .await;
}

#[tokio::test]
async fn a_worker_may_begin_only_what_is_still_its_own() {
    each_engine(async |store| {
        let id = add(&store, "one", json!({}), None).await.job;
        assert_eq!(take(&store, "w", epoch()).await, Some(id));
        assert!(!queue::start(&store, id, "v", epoch()).await.unwrap());
        assert!(!queue::put_back(&store, id, "v", epoch()).await.unwrap());
        assert!(queue::start(&store, id, "w", epoch()).await.unwrap());
        let lost = queue::close_lost(&store, |owner| owner == "w", epoch(), epoch(), |_| None).await.unwrap();
        assert_eq!(lost.len(), 1);
        assert!(!queue::start(&store, id, "w", epoch()).await.unwrap());
        assert!(!queue::put_back(&store, id, "w", epoch()).await.unwrap());
        let pulse = jobs::note(&store, id, 0, &[], None, epoch()).await.unwrap();
        assert!(!pulse.open);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_the_same_again_adds_nothing() {
    for database in TestDatabase::each().await {
        let store = database.open().await;
        let asked: Vec<_> = (0..16)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { add(&store, "one", json!({"limit": "edge1"}), Some("a")).await })
            })
            .collect();
        let mut queued = Vec::new();
        for one in asked {
            queued.push(one.await.unwrap());
        }
        let ids: BTreeSet<i64> = queued.iter().map(|one| one.job).collect();
        assert_eq!(ids.len(), 1, "{queued:?}");
        assert_eq!(queued.iter().filter(|one| !one.joined).count(), 1);
        let first = queued[0].job;
        let other = add(&store, "one", json!({"limit": "edge2"}), Some("a")).await;
        assert!(!other.joined && other.job != first);
        // One that has begun may have read already what has changed since.
        assert_eq!(take(&store, "w", epoch()).await, Some(first));
        let again = add(&store, "one", json!({"limit": "edge1"}), Some("a")).await;
        assert!(!again.joined && again.job != first);
        // Nor does one that will not be done.
        queue::cancel(&store, again.job, epoch()).await.unwrap();
        assert!(!add(&store, "one", json!({"limit": "edge1"}), Some("a")).await.joined);
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn cancelling_ends_what_waits_and_asks_what_runs() {
    each_engine(async |store| {
        let waits = add(&store, "one", json!({"n": 1}), None).await.job;
        assert_eq!(queue::cancel(&store, waits, seconds(1)).await.unwrap(), Cancelled::Done);
        let over = job(&store, waits).await;
        assert_eq!((over.status, over.error.as_deref()), (Status::Cancelled, Some(queue::NEVER_BEGUN)));
        assert_eq!(over.completed, Some(seconds(1)));
        assert_eq!(take(&store, "w", epoch()).await, None);
        assert_eq!(queue::cancel(&store, waits, epoch()).await.unwrap(), Cancelled::Over(Status::Cancelled));
        let runs = add(&store, "one", json!({"n": 2}), None).await.job;
        take(&store, "w", epoch()).await.unwrap();
        assert_eq!(queue::cancel(&store, runs, epoch()).await.unwrap(), Cancelled::Asked);
        let pulse = jobs::note(&store, runs, 0, &[], None, epoch()).await.unwrap();
        assert_eq!(pulse, jobs::Pulse { open: true, cancel: true });
        assert!(
            !queue::put_back(&store, runs, "w", epoch()).await.unwrap(),
            "it is not to be begun any more"
        );
        // One that is run from the command line waits for its lock without being on the queue.
        let own = jobs::open(&store, &new("one", json!({})), Some("cli"), epoch()).await.unwrap();
        assert_eq!(queue::cancel(&store, own, epoch()).await.unwrap(), Cancelled::Asked);
        assert_eq!(queue::cancel(&store, 4711, epoch()).await.unwrap(), Cancelled::Unknown);
    })
    .await;
}

/// A lost job, begun under a lock by this owner.
async fn begun(store: &Store, number: i64, owner: &str, lock: &str) -> i64 {
    let id = add(store, "one", json!({ "n": number }), Some(lock)).await.job;
    assert_eq!(take(store, owner, epoch()).await, Some(id));
    let lease = TimeDelta::seconds(100);
    let claim = locks::claim(store, lock, owner, Some(id), lease, epoch(), |_| false).await.unwrap();
    assert!(matches!(claim, Claim::Taken { .. }));
    assert!(queue::start(store, id, owner, epoch()).await.unwrap());
    id
}

#[tokio::test]
async fn jobs_whose_process_is_gone_are_closed_and_repeated_once() {
    each_engine(async |store| {
        let dead = begun(&store, 1, "dead", "a").await;
        let silent = begun(&store, 2, "silent", "b").await;
        let alive = begun(&store, 3, "alive", "c").await;
        let own = jobs::open(&store, &new("one", json!({"n": 4})), Some("dead"), epoch()).await.unwrap();
        jobs::note(&store, alive, 0, &[], None, seconds(150)).await.unwrap();
        let is_dead = |owner: &str| owner == "dead";
        let again = |lost: &queue::Lost| {
            lost.repeat_of.is_none().then(|| (new(&lost.task, lost.arguments.clone()), Some("a".to_owned())))
        };
        let now = seconds(90);
        let lost =
            queue::close_lost(&store, is_dead, now - TimeDelta::seconds(100), now, again).await.unwrap();
        let ids: BTreeSet<i64> = lost.iter().map(|lost| lost.id).collect();
        assert_eq!(ids, BTreeSet::from([dead, own]), "the silent one may still speak");
        for id in ids {
            let closed = job(&store, id).await;
            assert_eq!((closed.status, closed.outcome), (Status::Errored, Some(Outcome::Lost)));
            assert_eq!(closed.error.as_deref(), Some(jobs::ABANDONED));
        }
        let find = |id| lost.iter().find(|lost| lost.id == id).unwrap();
        assert_eq!(find(own).again, None, "nobody repeats what was run from the command line");
        let repeated = job(&store, find(dead).again.unwrap()).await;
        assert_eq!((repeated.repeat_of, repeated.status), (Some(dead), Status::Pending));
        let held: Vec<String> = locks::held(&store).await.unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(held, ["b", "c"], "the dead one's lock is free");

        // The repetition is lost as well; that was the last attempt.
        assert_eq!(take(&store, "dead", now).await, Some(repeated.id));
        let now = seconds(200);
        let lost =
            queue::close_lost(&store, is_dead, now - TimeDelta::seconds(100), now, again).await.unwrap();
        let find = |id| lost.iter().find(|lost| lost.id == id).unwrap();
        assert_eq!(lost.len(), 2);
        assert_eq!(find(repeated.id).again, None);
        assert!(find(silent).again.is_some());
        assert_eq!(job(&store, alive).await.status, Status::Running);
        let held: Vec<String> = locks::held(&store).await.unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(held, ["c"], "the silent one's lease had run out");
    })
    .await;
}

#[tokio::test]
async fn workers_tell_of_themselves() {
    each_engine(async |store| {
        queue::sign_on(&store, "one", 2, epoch()).await.unwrap();
        queue::sign_on(&store, "two", 3, seconds(1)).await.unwrap();
        queue::sign_on(&store, "one", 2, seconds(10)).await.unwrap();
        let workers = queue::workers(&store).await.unwrap();
        let told: Vec<_> =
            workers.iter().map(|one| (one.owner.as_str(), one.started, one.heartbeat)).collect();
        assert_eq!(told, [("one", epoch(), seconds(10)), ("two", seconds(1), seconds(1))]);
        queue::sign_on(&store, "two", 3, seconds(20)).await.unwrap();
        queue::forget(&store, &workers).await.unwrap();
        let left = queue::workers(&store).await.unwrap();
        assert_eq!(left.len(), 1, "the second has spoken since: {left:?}");
        queue::sign_off(&store, "two").await.unwrap();
        assert!(queue::workers(&store).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn postgresql_rings_when_a_job_is_put_on_the_queue() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let bell = store.bell();
    let patience = std::time::Duration::from_secs(20);
    // Listening takes a moment, and a ring before that is missed.
    let mut number = 0;
    let heard = tokio::time::timeout(patience, async {
        loop {
            number += 1;
            add(&store, "one", json!({ "n": number }), None).await;
            let soon = std::time::Duration::from_millis(200);
            if tokio::time::timeout(soon, bell.rung()).await.is_ok() {
                break;
            }
        }
    });
    heard.await.unwrap();
    while tokio::time::timeout(std::time::Duration::from_secs(1), bell.rung()).await.is_ok() {}
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(500), bell.rung());
    let joined: Result<Queued, StoreError> =
        queue::add(&store, &new("one", json!({ "n": number })), None, epoch()).await;
    assert!(joined.unwrap().joined);
    assert!(quiet.await.is_err(), "nothing was added");
    drop(bell);
    store.close().await;
    database.remove().await;
}
