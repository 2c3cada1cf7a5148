//! The queue: who gets a job, in which order, and what becomes of it.

mod order;
mod vanished;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use pm_store::jobs::{self, Close, Closed, Job, Last, NewJob, Outcome, Status};
use pm_store::locks::{self, Claim};
use pm_store::queue::{self, Ask, Begun, Cancelled, Look, PutBack, Queued, Who, Wish};
use pm_store::testing::{TestDatabase, each_engine, epoch};
use pm_store::{Store, StoreError, vitals};
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

fn ask(task: &str, arguments: Json, lock: Option<&str>) -> Ask {
    Ask { lock_key: lock.map(str::to_owned), ..Ask::new(new(task, arguments), "default") }
}

async fn add(store: &Store, task: &str, arguments: Json, lock: Option<&str>) -> Queued {
    queue::add(store, &ask(task, arguments, lock), epoch()).await.unwrap()
}

async fn job(store: &Store, id: i64) -> Job {
    jobs::get(store, id).await.unwrap().unwrap()
}

const LEASE: TimeDelta = TimeDelta::seconds(100);

/// Looks and takes, as a worker does that serves all queues and takes the locks of queued jobs.
async fn take(store: &Store, owner: &str, now: DateTime<Utc>) -> Option<i64> {
    match take_from(store, &Look::default(), owner, now).await {
        Begun::Job { id, .. } => Some(id),
        _ => None,
    }
}

async fn take_from(store: &Store, look: &Look, owner: &str, now: DateTime<Utc>) -> Begun {
    let due = queue::due(store, look, 20, now).await.unwrap();
    let mut wishes = Vec::new();
    for one in due.jobs {
        wishes.push(Wish { id: one.id, lock: job(store, one.id).await.lock_key, most_spoilt: Some(2) });
    }
    let who = Who { owner, lease: LEASE, now };
    queue::begin(store, &wishes, look, who, |_| false).await.unwrap()
}

async fn end_as(store: &Store, id: i64, close: &Close) -> Closed {
    let last = Last { first: 0, lines: &[], progress: None };
    let owner = job(store, id).await.owner.unwrap_or_default();
    jobs::finish(store, id, &owner, last, close, None, epoch()).await.unwrap()
}

async fn end(store: &Store, id: i64) {
    let close = Close { outcome: Some(Outcome::Ok), exit: 0, ..Close::because(Status::Completed, "") };
    assert!(end_as(store, id, &Close { error: None, ..close }).await.closed);
}

/// What monitoring shows as the last run of a task.
async fn last_run(store: &Store) -> (Status, Option<Outcome>, DateTime<Utc>) {
    let mut runs = vitals::read(store).await.unwrap().runs;
    assert_eq!(runs.len(), 1);
    let run = runs.remove(0);
    (run.status, run.outcome, run.ended)
}

#[tokio::test]
async fn the_last_run_is_the_one_that_ended_last_or_the_worst_of_its_batch() {
    each_engine(async |store| {
        let ran = async |minute: i64, arguments: Json, batch: Option<&str>, close: &Close| {
            let ask = Ask { batch: batch.map(str::to_owned), ..ask("polls", arguments, None) };
            let id = queue::add(&store, &ask, epoch()).await.unwrap().job;
            jobs::start(&store, id, "h/b/n/1/1", epoch()).await.unwrap();
            assert!(jobs::close(&store, id, close, epoch() + TimeDelta::minutes(minute)).await.unwrap());
        };
        let well = Close { outcome: Some(Outcome::Ok), exit: 0, ..Close::because(Status::Completed, "") };
        let failed = Close::because(Status::Failed, "no");
        let at = |minute| epoch() + TimeDelta::minutes(minute);
        ran(9, json!({ "limit": "edge1" }), None, &well).await;
        ran(5, json!({ "limit": "edge2" }), None, &failed).await;
        assert_eq!(last_run(&store).await, (Status::Completed, Some(Outcome::Ok), at(9)), "not the youngest");
        ran(20, json!({ "dry_run": true, "limit": "x" }), None, &failed).await;
        assert_eq!(last_run(&store).await.2, at(9), "a rehearsal is none");
        ran(30, json!({ "limit": "edge3" }), Some("b"), &failed).await;
        ran(31, json!({ "limit": "edge4" }), Some("b"), &well).await;
        assert_eq!(last_run(&store).await, (Status::Failed, None, at(30)), "one router of several");
        ran(40, json!({ "limit": "edge3" }), Some("c"), &well).await;
        assert_eq!(last_run(&store).await.0, Status::Completed);
    })
    .await;
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
                while queue::waiting(&store).await.unwrap() > 0 {
                    let Some(id) = take(&store, &owner, epoch()).await else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    let lock = job(&store, id).await.lock_key;
                    if let Some(lock) = &lock {
                        assert!(running.lock().unwrap().insert(lock.clone()), "two jobs of {lock} at once");
                    }
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
        assert_eq!(queue::waiting(&store).await.unwrap(), 2);
        let due = async |now| queue::due(&store, &Look::default(), 20, now).await.unwrap();
        assert_eq!((due(epoch()).await.jobs.len(), due(epoch()).await.waits), (0, true));
        // A lease that has run out holds nobody up.
        assert_eq!(due(seconds(61)).await.jobs.len(), 1);
        locks::release(&store, &lock).await.unwrap();
        assert_eq!(take(&store, "w", epoch()).await, Some(first.job));
        assert_eq!(take(&store, "v", epoch()).await, None, "the first of this lock has been taken");
        // Who waits for a time is not overtaken by the next of the same lock.
        assert_eq!(put_back(&store, first.job, "w", seconds(5)).await, PutBack::Waits);
        assert!(locks::held(&store).await.unwrap().is_empty());
        let again = job(&store, first.job).await;
        assert!(again.is_waiting() && again.started.is_none() && again.heartbeat.is_none());
        assert_eq!(take(&store, "v", seconds(4)).await, None);
        assert_eq!(take(&store, "v", seconds(5)).await, Some(first.job));
        end(&store, first.job).await;
        assert_eq!(take(&store, "v", seconds(5)).await, Some(second.job));
    })
    .await;
}

async fn put_back(store: &Store, id: i64, owner: &str, not_before: DateTime<Utc>) -> PutBack {
    queue::put_back(store, id, owner, not_before, epoch()).await.unwrap()
}

#[tokio::test]
async fn what_nobody_can_read_stands_in_nobodys_way() {
    each_engine(async |store| {
        let strange = add(&store, "strange", json!({}), Some("a")).await.job;
        let known = add(&store, "one", json!({}), Some("a")).await.job;
        let all = Look::default();
        assert_eq!(queue::due(&store, &all, 20, epoch()).await.unwrap().jobs[0].id, strange);
        let look = Look { passed_over: vec![strange], ..Look::default() };
        let due = queue::due(&store, &look, 20, epoch()).await.unwrap();
        assert_eq!((due.waits, due.jobs.len(), due.jobs[0].id), (true, 1, known));
        let taken = take_from(&store, &look, "w", epoch()).await;
        assert!(matches!(taken, Begun::Job { id, .. } if id == known), "{taken:?}");
        assert!(job(&store, strange).await.is_waiting());
        assert!(!queue::due(&store, &look, 20, epoch()).await.unwrap().waits);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_was_taken_for_lost_is_nobodys_any_more() {
    each_engine(async |store| {
        let id = add(&store, "one", json!({}), Some("a")).await.job;
        let Begun::Job { lock: Some(lock), .. } = take_from(&store, &Look::default(), "w", epoch()).await
        else {
            panic!("the job waits")
        };
        assert_eq!(put_back(&store, id, "v", epoch()).await, PutBack::No);
        let mut connection = store.connection().await.unwrap();
        locks::hold(&mut connection.session(), &lock, epoch()).await.unwrap();
        let lost = queue::close_lost(&store, |owner| owner == "w", epoch(), epoch(), |_| None).await.unwrap();
        assert_eq!(lost.len(), 1);
        assert_eq!(put_back(&store, id, "w", epoch()).await, PutBack::No);
        let pulse = jobs::note(&store, id, 0, &[], None, epoch()).await.unwrap();
        assert!(!pulse.open);
        // The fence has moved on, whether or not somebody else has taken the lock.
        let held = locks::hold(&mut connection.session(), &lock, epoch()).await;
        assert!(matches!(held, Err(StoreError::LockLost { .. })), "{held:?}");
        let again = locks::claim(&store, "a", "v", None, LEASE, epoch(), |_| false).await.unwrap();
        let Claim::Taken { lock: newer, from: None } = again else { panic!("{again:?}") };
        assert!(newer.fence > lock.fence + 1, "{newer:?} after {lock:?}");
        let close = Close::because(Status::Failed, "woke up late");
        let closed = end_as(&store, id, &close).await;
        assert!(!closed.closed);
        assert_eq!(job(&store, id).await.outcome, Some(Outcome::Lost));
        locks::hold(&mut connection.session(), &newer, epoch()).await.unwrap();
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
        assert_eq!(queued[0].running, None);
        // One that has begun may have read already what has changed since; who asks learns of it.
        assert_eq!(take(&store, "w", epoch()).await, Some(first));
        let again = add(&store, "one", json!({"limit": "edge1"}), Some("a")).await;
        assert!(!again.joined && again.job != first);
        assert_eq!((again.running, other.running), (Some(first), None));
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
        assert_eq!(put_back(&store, runs, "w", epoch()).await, PutBack::No, "it is not to be begun any more");
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
            let again = ask(&lost.task, lost.arguments.clone(), lost.lock_key.as_deref());
            (!lost.lost_before).then_some(Ask { repeat_of: Some(lost.id), ..again })
        };
        let now = seconds(90);
        let lost =
            queue::close_lost(&store, is_dead, now - TimeDelta::seconds(100), now, again).await.unwrap();
        let ids: BTreeSet<i64> = lost.iter().map(|lost| lost.id).collect();
        assert_eq!(ids, BTreeSet::from([dead, own]), "the silent one may still speak");
        for id in ids {
            let closed = job(&store, id).await;
            assert_eq!((closed.status, closed.outcome), (Status::Errored, Some(Outcome::Lost)));
            let again = lost.iter().find(|lost| lost.id == id).unwrap().again;
            let again = again.map(|job| format!("; job {job} does it again")).unwrap_or_default();
            assert_eq!(closed.error, Some(format!("{}{again}", jobs::ABANDONED)));
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
        queue::sign_on(&store, "one", 2, &[], epoch()).await.unwrap();
        queue::sign_on(&store, "two", 3, &["routers".to_owned(), "data".to_owned()], seconds(1))
            .await
            .unwrap();
        queue::sign_on(&store, "one", 2, &[], seconds(10)).await.unwrap();
        let workers = queue::workers(&store).await.unwrap();
        let told: Vec<_> =
            workers.iter().map(|one| (one.owner.as_str(), one.started, one.heartbeat)).collect();
        let serves = |queue: &str| workers.iter().map(|one| one.serves(queue)).collect::<Vec<_>>();
        assert_eq!((serves("data"), serves("default")), (vec![true, true], vec![true, false]));
        assert_eq!(told, [("one", epoch(), seconds(10)), ("two", seconds(1), seconds(1))]);
        queue::sign_on(&store, "two", 3, &[], seconds(20)).await.unwrap();
        queue::forget(&store, &workers).await.unwrap();
        let left = queue::workers(&store).await.unwrap();
        assert_eq!(left.len(), 1, "the second has spoken since: {left:?}");
        queue::sign_off(&store, "two").await.unwrap();
        assert!(queue::workers(&store).await.unwrap().is_empty());
    })
    .await;
}

/// On SQLite whatever is written rings, on PostgreSQL a job that is put on the queue.
#[tokio::test(flavor = "multi_thread")]
async fn the_bell_rings_when_a_job_is_put_on_the_queue() {
    for database in TestDatabase::each().await {
        let store = database.open().await;
        let other = Store::open(&database.url).await.unwrap();
        let bell = store.bell();
        let patience = Duration::from_secs(20);
        // Listening takes a moment, and a ring before that is missed.
        let mut number = 0;
        let heard = tokio::time::timeout(patience, async {
            loop {
                number += 1;
                add(&other, "one", json!({ "n": number }), None).await;
                if tokio::time::timeout(Duration::from_millis(200), bell.rung()).await.is_ok() {
                    break;
                }
            }
        });
        heard.await.unwrap();
        let quiet =
            async { while tokio::time::timeout(Duration::from_secs(3), bell.rung()).await.is_ok() {} };
        assert!(tokio::time::timeout(Duration::from_mins(1), quiet).await.is_ok(), "nothing was added");
        // From then on it is heard at once.
        let mut waits = Vec::new();
        for _ in 0..5 {
            number += 1;
            add(&other, "one", json!({ "n": number }), None).await;
            let began = Instant::now();
            tokio::time::timeout(patience, bell.rung()).await.unwrap();
            waits.push(began.elapsed());
        }
        waits.sort_unstable();
        assert!(waits[2] < Duration::from_secs(2), "half of the time: {waits:?}");
        drop(bell);
        other.close().await;
        store.close().await;
        database.remove().await;
    }
}
