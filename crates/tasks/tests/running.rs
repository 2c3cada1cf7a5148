//! One way to run a task: records, locks, cancellation, and what a dead process leaves behind.

use std::sync::Arc;
use std::time::Duration;

use crate::support::Scene;
use chrono::TimeDelta;
use pm_lab::peeringdb::{Fault, FaultKind, Namespace, Options};
use pm_store::jobs::{self, Status};
use pm_store::locks::{self, Claim};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, StoreError};
use pm_tasks::{Done, Housekeeping, PeeringdbSync, Task, TaskContext, TaskError};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

/// Ends as it is told.
struct Ends(fn() -> Result<Done, TaskError>);

#[async_trait::async_trait]
impl Task for Ends {
    fn name(&self) -> &'static str {
        "ends"
    }
    fn label(&self) -> &'static str {
        "test.ends"
    }
    fn arguments(&self) -> Json {
        json!({})
    }
    fn lock_key(&self) -> Option<String> {
        None
    }
    async fn run(&self, context: &TaskContext) -> Result<Done, TaskError> {
        context.reporter.info("one line");
        (self.0)()
    }
}

#[tokio::test]
async fn every_end_has_its_status_and_exit_code() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.005, 1, Options::default()).await;

        let ends: [(Ends, Status, u8); 6] = [
            (
                Ends(|| {
                    Ok(Done { outcome: jobs::Outcome::Ok, summary: "done".into(), data: json!({"n": 1}) })
                }),
                Status::Completed,
                0,
            ),
            (
                Ends(|| {
                    Ok(Done { outcome: jobs::Outcome::Partial, summary: "half".into(), data: Json::Null })
                }),
                Status::Completed,
                4,
            ),
            (Ends(|| Err(TaskError::Failed("no".into()))), Status::Failed, 1),
            (Ends(|| Err(TaskError::Refused("guard".into()))), Status::Failed, 3),
            (Ends(|| Err(TaskError::TryLater("later".into()))), Status::Failed, 75),
            (Ends(|| Err(TaskError::Broken("bug".into()))), Status::Errored, 1),
        ];
        for (task, status, exit) in ends {
            let finished = scene.run(&task).await;
            assert_eq!((finished.status, finished.exit), (status, exit), "{}", finished.message);
            let job = jobs::get(&store, finished.job).await.unwrap().unwrap();
            assert_eq!((job.status, job.outcome), (status, finished.outcome));
            assert_eq!(job.error.is_some(), status != Status::Completed);
            let log = jobs::log(&store, finished.job).await.unwrap();
            assert_eq!(log.len(), 2, "{log:?}");
            assert_eq!(log[0].message, "one line");
        }
    })
    .await;
}

/// Waits until PeeringDB has been asked for this.
async fn asked(scene: &Scene, path: &str) {
    while scene.server.requests().iter().all(|request| request.path != path) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn hold(store: &Store, owner: &str, job: Option<i64>) -> locks::Lock {
    let claim =
        locks::claim(store, "peeringdb_sync", owner, job, TimeDelta::seconds(120), epoch(), |_| false).await;
    match claim.unwrap() {
        Claim::Taken { lock, .. } => lock,
        Claim::Held(holder) => panic!("held by {holder:?}"),
    }
}

#[tokio::test]
async fn a_lock_that_is_held_is_named_and_can_be_waited_for() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        let lock = hold(&store, "far.example/boot/ns/77/1", Some(5)).await;
        let finished = scene.run(&PeeringdbSync::default()).await;
        assert_eq!((finished.status, finished.exit), (Status::Cancelled, 75));
        assert!(finished.message.contains("process 77 on far.example, job 5"), "{}", finished.message);
        let mut runner = scene.runner();
        runner.wait = true;
        let task = PeeringdbSync::default();
        let (finished, ()) = tokio::join!(runner.run(&task, CancellationToken::new()), async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            locks::release(&store, &lock).await.unwrap();
        });
        assert_eq!(finished.unwrap().exit, 0);
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over_and_the_orphan_closed() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        let new = jobs::NewJob {
            job_id: "11111111-1111-1111-1111-111111111111".into(),
            name: "x".into(),
            task: "peeringdb_sync".into(),
            arguments: json!({}),
            user_id: None,
        };
        let orphan = jobs::open(&store, &new, Some("far.example/boot/ns/77/1"), epoch()).await.unwrap();
        jobs::start(&store, orphan, "far.example/boot/ns/77/1", epoch()).await.unwrap();
        let stale = hold(&store, "far.example/boot/ns/77/1", Some(orphan)).await;
        scene.clock.pass(TimeDelta::seconds(121));
        assert_eq!(scene.run(&PeeringdbSync::default()).await.exit, 0);
        let job = jobs::get(&store, orphan).await.unwrap().unwrap();
        assert_eq!((job.status, job.error.as_deref()), (Status::Errored, Some(jobs::ABANDONED)));
        // Whoever comes back late can write nothing more.
        let mut transaction = store.begin().await.unwrap();
        let held = locks::hold(&mut transaction.session(), &stale, epoch()).await;
        assert!(matches!(held, Err(StoreError::LockLost { .. })), "{held:?}");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_stores_nothing_and_frees_its_lock() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.server.fault(Some(Namespace::Net), Fault::once(FaultKind::Hang));
        let cancel = CancellationToken::new();
        let runner = scene.runner();
        let task = PeeringdbSync::default();
        let (finished, ()) = tokio::join!(runner.run(&task, cancel.clone()), async {
            asked(&scene, "/api/net").await;
            cancel.cancel();
        });
        let finished = finished.unwrap();
        assert_eq!((finished.status, finished.exit), (Status::Cancelled, 1));
        assert!(scene.cached().await.values().all(Vec::is_empty));
        assert!(locks::held(&store).await.unwrap().is_empty());
        assert_eq!(scene.sync().await.exit, 0);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_lost_its_lock_writes_nothing() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.server.fault(Some(Namespace::Poc), Fault { seconds: 10, ..Fault::once(FaultKind::Slow) });
        let runner = scene.runner();
        let task = PeeringdbSync::default();
        let (finished, ()) = tokio::join!(runner.run(&task, CancellationToken::new()), async {
            asked(&scene, "/api/poc").await;
            // Somebody who thinks that the owner is dead.
            let claim = locks::claim(
                &store,
                "peeringdb_sync",
                "other",
                None,
                TimeDelta::seconds(120),
                epoch(),
                |_| true,
            );
            assert!(matches!(claim.await.unwrap(), Claim::Taken { from: Some(_), .. }));
        });
        let finished = finished.unwrap();
        assert_eq!(finished.exit, 1, "{}", finished.message);
        assert!(finished.message.contains("lock peeringdb_sync was lost"), "{}", finished.message);
        assert!(scene.cached().await.values().all(Vec::is_empty));
        assert_eq!(locks::held(&store).await.unwrap()[0].1.owner, "other");
    })
    .await;
}

#[tokio::test]
async fn tasks_are_values() {
    let task = pm_tasks::AnyTask::PeeringdbSync(PeeringdbSync { full: true, ..PeeringdbSync::default() });
    let text = serde_json::to_value(&task).unwrap();
    assert_eq!(
        text,
        json!({"task": "peeringdb_sync", "arguments": {"full": true, "force": false, "from": null}})
    );
    assert_eq!(serde_json::from_value::<pm_tasks::AnyTask>(text).unwrap(), task);
    let least = json!({"task": "housekeeping", "arguments": {}});
    let task: pm_tasks::AnyTask = serde_json::from_value(least).unwrap();
    assert_eq!(task, pm_tasks::AnyTask::Housekeeping(Housekeeping::default()));
    assert_eq!(Arc::new(task).as_task().name(), "housekeeping");
}
