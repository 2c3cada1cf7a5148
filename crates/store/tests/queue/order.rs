//! What goes first, what is asked for together, and how one job is followed by the next.

use std::collections::BTreeSet;

use pm_store::jobs::{self, Close, Last, Outcome, Status};
use pm_store::locks;
use pm_store::queue::{self, Again, Ask, Begun, Cancelled, Look, PutBack};
use pm_store::schedules::facts;
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value};
use serde_json::{Value as Json, json};

use super::{add, ask, end, end_as, job, new, put_back, seconds, take, take_from};

#[tokio::test]
async fn the_urgent_goes_first_also_before_older_ones_of_its_lock() {
    each_engine(async |store| {
        let urgent = |task: &str, n: i64, lock: Option<&str>| Ask {
            priority: 10,
            ..ask(task, json!({ "n": n }), lock)
        };
        let nightly = add(&store, "one", json!({"n": 1}), Some("a")).await;
        let other = add(&store, "one", json!({"n": 2}), None).await;
        let clicked = queue::add(&store, &urgent("one", 3, Some("a")), epoch()).await.unwrap();
        assert_eq!([nightly.place, other.place, clicked.place], [1, 2, 1]);
        let place =
            async |id| queue::place(&mut store.connection().await.unwrap().session(), id).await.unwrap();
        assert_eq!((place(nightly.job).await, place(other.job).await), (2, 3));
        // Somebody asks for what waits already for the night.
        let joined = queue::add(&store, &urgent("one", 2, None), epoch()).await.unwrap();
        assert_eq!(
            (joined.job, joined.joined, joined.place),
            (other.job, true, 1),
            "it is as urgent now, and older"
        );
        for expected in [other.job, clicked.job] {
            assert_eq!(take(&store, "w", epoch()).await, Some(expected));
        }
        assert_eq!(take(&store, "w", epoch()).await, None, "the lock is taken");
        end(&store, clicked.job).await;
        assert_eq!(take(&store, "w", epoch()).await, Some(nightly.job));
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_time_holds_nobody_up_and_is_begun_at_once_if_somebody_asks() {
    each_engine(async |store| {
        let later =
            Ask { not_before: Some(seconds(60)), attempt: 2, ..ask("one", json!({"n": 1}), Some("a")) };
        let later_job = queue::add(&store, &later, epoch()).await.unwrap().job;
        let next = add(&store, "one", json!({"n": 2}), Some("a")).await.job;
        assert_eq!(take(&store, "w", epoch()).await, Some(next));
        end(&store, next).await;
        assert_eq!(take(&store, "w", seconds(59)).await, None);
        // The same at another time is the same, at the earlier of the two.
        let even_later = Ask { not_before: Some(seconds(90)), ..later.clone() };
        let even_later = Ask { job: new("one", json!({"n": 1})), ..even_later };
        assert!(queue::add(&store, &even_later, epoch()).await.unwrap().joined);
        assert_eq!(job(&store, later_job).await.not_before, Some(seconds(60)));
        let now = add(&store, "one", json!({"n": 1}), Some("a")).await;
        assert_eq!((now.job, now.joined), (later_job, true));
        assert_eq!(job(&store, later_job).await.not_before, None);
        assert_eq!(take(&store, "w", epoch()).await, Some(later_job));
        assert_eq!(job(&store, later_job).await.attempt, 2);
    })
    .await;
}

#[tokio::test]
async fn a_worker_gets_jobs_of_its_queues_only() {
    each_engine(async |store| {
        let mut ids = Vec::new();
        for queue in ["routers", "data", "default"] {
            let ask = Ask::new(new(queue, json!({})), queue);
            ids.push(queue::add(&store, &ask, epoch()).await.unwrap().job);
        }
        let look = Look { queues: vec!["default".to_owned(), "data".to_owned()], ..Look::default() };
        for expected in [ids[1], ids[2]] {
            let taken = take_from(&store, &look, "w", epoch()).await;
            assert!(matches!(taken, Begun::Job { id, .. } if id == expected), "{taken:?}");
        }
        assert!(matches!(take_from(&store, &look, "w", epoch()).await, Begun::Nothing));
        assert!(!queue::due(&store, &look, 20, epoch()).await.unwrap().waits);
        assert_eq!(take(&store, "v", epoch()).await, Some(ids[0]));
        let of = jobs::Filter { queue: Some("routers"), ..jobs::Filter::default() };
        let listed = jobs::find(&store, of, 10).await.unwrap();
        assert_eq!((listed.len(), listed[0].id), (1, ids[0]));
    })
    .await;
}

/// More than go into one statement, some of them twice, and some that wait already.
#[tokio::test]
async fn many_are_asked_for_at_once_and_each_is_found_again() {
    each_engine(async |store| {
        let known = add(&store, "one", json!({"n": 7}), None).await.job;
        let asks: Vec<Ask> = (0..450).map(|n| ask("one", json!({ "n": n % 440 }), None)).collect();
        let mut transaction = store.begin().await.unwrap();
        let queued = queue::add_all_in(&mut transaction.session(), &asks, epoch()).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(queued.len(), 450);
        let ids: BTreeSet<i64> = queued.iter().map(|one| one.job).collect();
        assert_eq!((ids.len(), queue::waiting(&store).await.unwrap()), (440, 440));
        assert_eq!((queued[7].job, queued[7].joined, queued[8].joined), (known, true, false));
        assert_eq!((&queued[449].job, queued[7].place), (&queued[9].job, 1));
        for (ask, queued) in asks.iter().zip(&queued).take(30) {
            assert_eq!(job(&store, queued.job).await.arguments, ask.job.arguments);
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_put_back_while_an_equal_one_waits_is_merged_with_it() {
    each_engine(async |store| {
        let first = add(&store, "one", json!({"n": 1}), Some("a")).await.job;
        assert_eq!(take(&store, "w", epoch()).await, Some(first));
        let second = add(&store, "one", json!({"n": 1}), Some("a")).await.job;
        assert_eq!(put_back(&store, first, "w", epoch()).await, PutBack::Merged(second));
        let merged = job(&store, first).await;
        assert_eq!((merged.status, merged.exit_code), (Status::Cancelled, Some(75)));
        assert_eq!(merged.error, Some(format!("merged with job {second}, which waits and does the same")));
        assert!(locks::held(&store).await.unwrap().is_empty());
        assert_eq!(take(&store, "w", epoch()).await, Some(second));
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_a_batch_is_not_begun_once_too_many_went_wrong() {
    each_engine(async |store| {
        let mut ids = Vec::new();
        for n in 0..5 {
            let batch = Some(if n == 4 { "other" } else { "batch" }.to_owned());
            let ask = Ask { batch, ..ask("one", json!({ "n": n }), None) };
            ids.push(queue::add(&store, &ask, epoch()).await.unwrap().job);
        }
        // One that failed for a reason of its own does not count.
        let ends = [
            Close { spoilt: true, ..Close::because(Status::Completed, "rolled back") },
            Close::because(Status::Failed, "a guard said no"),
            Close::because(Status::Errored, "the time was over"),
        ];
        for (id, close) in ids.iter().zip(&ends) {
            assert_eq!(take(&store, "w", epoch()).await, Some(*id));
            assert!(end_as(&store, *id, close).await.closed);
        }
        let dropped = take_from(&store, &Look::default(), "w", epoch()).await;
        let Begun::Dropped { id, reason } = dropped else { panic!("{dropped:?}") };
        assert_eq!(id, ids[3]);
        assert!(reason.contains(&format!("it went wrong in job {}, {}", ids[0], ids[2])), "{reason}");
        let over = job(&store, id).await;
        assert_eq!((over.status, over.error, over.started), (Status::Cancelled, Some(reason), None));
        assert_eq!(take(&store, "w", epoch()).await, Some(ids[4]), "another batch goes on");
    })
    .await;
}

#[tokio::test]
async fn what_waits_already_belongs_to_those_that_it_is_asked_for_with_last() {
    each_engine(async |store| {
        let asked = async |n: i64, batch: Option<&str>| {
            let ask = Ask { batch: batch.map(str::to_owned), ..ask("one", json!({ "n": n }), None) };
            queue::add(&store, &ask, epoch()).await.unwrap().job
        };
        let first = [asked(0, Some("a")).await, asked(1, Some("a")).await];
        assert_eq!(asked(1, Some("b")).await, first[1]);
        let rest = [asked(2, Some("b")).await, asked(3, Some("b")).await];
        // Whoever asks for it alone changes nothing about that.
        assert_eq!(asked(3, None).await, rest[1]);
        let spoilt = Close { spoilt: true, ..Close::because(Status::Completed, "rolled back") };
        for id in [first[0], first[1], rest[0]] {
            assert_eq!(take(&store, "w", epoch()).await, Some(id), "one of the two that belong together");
            assert!(end_as(&store, id, &spoilt).await.closed);
        }
        let dropped = take_from(&store, &Look::default(), "w", epoch()).await;
        let Begun::Dropped { id, reason } = dropped else { panic!("{dropped:?}") };
        assert_eq!(id, rest[1]);
        assert!(reason.contains(&format!("it went wrong in job {}, {}", first[1], rest[0])), "{reason}");
    })
    .await;
}

/// The number and the status of what counts as the last run.
async fn last_run(store: &Store, name: &str) -> Option<(i64, Status)> {
    let mut connection = store.connection().await.unwrap();
    facts::last_run(&mut connection.session(), name).await.unwrap().map(|run| (run.job, run.status))
}

#[tokio::test]
async fn the_last_run_is_about_all_and_the_worst_of_those_that_were_asked_for_together() {
    each_engine(async |store| {
        let ran = async |task: &str, arguments: Json, batch: Option<&str>, status: Status| {
            let ask = Ask { batch: batch.map(str::to_owned), ..ask(task, arguments, None) };
            let id = queue::add(&store, &ask, epoch()).await.unwrap().job;
            jobs::start(&store, id, "h/b/n/1/1", epoch()).await.unwrap();
            let close = Close { outcome: Some(Outcome::Ok), ..Close::because(status, "") };
            assert!(jobs::close(&store, id, &close, epoch()).await.unwrap());
            id
        };
        let failed = ran("polls", json!({ "limit": null }), None, Status::Failed).await;
        for part in [
            json!({ "limit": "edge1" }),
            json!({ "limit": null, "dry_run": true }),
            json!({ "limit": null, "apply": 7 }),
            json!({ "asns": [64500], "limit": 0 }),
            json!({ "of": "ix:1" }),
        ] {
            ran("polls", part.clone(), None, Status::Completed).await;
            assert_eq!(last_run(&store, "polls").await, Some((failed, Status::Failed)), "{part}");
        }
        ran("polls", json!({ "limit": "edge2" }), Some("some"), Status::Completed).await;
        assert_eq!(last_run(&store, "polls").await, Some((failed, Status::Failed)), "a batch of some");
        for whole in [json!({ "limit": 0, "asns": [], "apply": null, "dry_run": false }), json!({})] {
            let id = ran("polls", whole, None, Status::Completed).await;
            assert_eq!(last_run(&store, "polls").await, Some((id, Status::Completed)));
        }
        let all = format!("{}1", queue::WHOLE_BATCH);
        let bad = ran("polls", json!({ "limit": "edge3" }), Some(&all), Status::Failed).await;
        ran("polls", json!({ "limit": "edge4" }), Some(&all), Status::Completed).await;
        assert_eq!(last_run(&store, "polls").await, Some((bad, Status::Failed)), "the worst of the batch");
        // What does it again counts in its place.
        let again = Ask { repeat_of: Some(bad), ..ask("polls", json!({ "limit": "edge3" }), None) };
        let again = queue::add(&store, &again, epoch()).await.unwrap().job;
        assert_eq!(last_run(&store, "polls").await, Some((again, Status::Pending)));
        jobs::start(&store, again, "h/b/n/1/1", epoch()).await.unwrap();
        end(&store, again).await;
        assert_eq!(last_run(&store, "polls").await.unwrap().1, Status::Completed);

        // A schedule has runs of its own, also about a part.
        let sql = "INSERT INTO core_schedule (name, task, arguments, cron, jitter_seconds, enabled, misfire, conditions, created, \
                   revision) VALUES ('some', 'polls', ?, '0 * * * *', 0, ?, 'skip', '[]', ?, 1)";
        let arguments = json!({ "limit": "edge5" });
        store.execute(sql, vec![Value::json(&arguments), true.into(), epoch().into()]).await.unwrap();
        assert_eq!(last_run(&store, "some").await, None);
        let own = ran("polls", arguments, None, Status::Failed).await;
        ran("polls", json!({ "limit": "edge6" }), None, Status::Completed).await;
        assert_eq!(last_run(&store, "some").await, Some((own, Status::Failed)));
    })
    .await;
}

#[tokio::test]
async fn what_is_put_off_for_long_keeps_nobody_waiting() {
    each_engine(async |store| {
        let put_off = |later: i64| Ask { not_before: Some(seconds(later)), ..ask("one", json!({}), None) };
        queue::add(&store, &put_off(48), epoch()).await.unwrap();
        let due = queue::due(&store, &Look::default(), 20, epoch()).await.unwrap();
        assert!(due.jobs.is_empty() && !due.waits);
        queue::add(&store, &put_off(5), epoch()).await.unwrap();
        let due = queue::due(&store, &Look::default(), 20, epoch()).await.unwrap();
        assert!(due.jobs.is_empty() && due.waits);
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_run_is_one_transaction_with_what_is_asked_for_in_its_place() {
    each_engine(async |store| {
        let first = add(&store, "one", json!({"n": 1}), Some("a")).await.job;
        assert_eq!(take(&store, "w", epoch()).await, Some(first));
        let close = Close { exit: 75, ..Close::because(Status::Failed, "not now") };
        let ask = Ask {
            repeat_of: Some(first),
            attempt: 2,
            not_before: Some(seconds(60)),
            ..ask("one", json!({"n": 1}), Some("a"))
        };
        let again = Again { ask, text: " in 60 s".to_owned() };
        let line = jobs::LogLine {
            time: epoch(),
            level: jobs::Level::Failure,
            object: None,
            message: "not now".to_owned(),
        };
        let last = Last { first: 0, lines: &[line], progress: None };
        let closed = jobs::finish(&store, first, "w", last, &close, Some(&again), epoch()).await.unwrap();
        let second = closed.again.unwrap();
        let over = job(&store, first).await;
        assert_eq!(over.error, Some(format!("not now; job {second} does it again in 60 s")));
        assert_eq!((over.status, over.exit_code), (Status::Failed, Some(75)));
        assert_eq!(jobs::log(&store, first).await.unwrap().len(), 1);
        assert!(locks::held(&store).await.unwrap().is_empty());
        let waits = job(&store, second).await;
        assert_eq!((waits.repeat_of, waits.attempt, waits.not_before), (Some(first), 2, Some(seconds(60))));
        assert_eq!(jobs::repetition(&store, first).await.unwrap(), Some(second));
        // Nobody does again what somebody wanted to end.
        assert_eq!(take(&store, "w", seconds(60)).await, Some(second));
        assert_eq!(queue::cancel(&store, second, seconds(60)).await.unwrap(), Cancelled::Asked);
        let closed = jobs::finish(&store, second, "w", last, &close, Some(&again), epoch()).await.unwrap();
        assert_eq!((closed.closed, closed.again), (true, None));
        assert_eq!(queue::waiting(&store).await.unwrap(), 0);
    })
    .await;
}
