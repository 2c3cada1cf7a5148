//! Each router is polled by one run at a time, and by no other measure do runs wait for each other.

use std::sync::Arc;

use crate::support::fake_routers::{Fake, fill, neighbor, poll_of, runner};
use crate::support::{HeldClock, Lines};
use chrono::TimeDelta;
use pm_router::State;
use pm_store::jobs::{self, NewJob, Status};
use pm_store::locks::{self, Claim};
use pm_store::polls::{self, SessionKind};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, StoreError, address};
use pm_tasks::Finished;
use serde_json::json;
use tokio_util::sync::CancellationToken;

struct Runs {
    store: Store,
    clock: Arc<HeldClock>,
    lines: Arc<Lines>,
    fake: Arc<Fake>,
}

impl Runs {
    async fn new(store: &Store) -> Self {
        fill(store).await;
        let runs = Self {
            store: store.clone(),
            clock: HeldClock::at(epoch()),
            lines: Arc::default(),
            fake: Arc::default(),
        };
        let up = neighbor("default", "192.0.2.1", 64_501, State::Established, 1);
        runs.fake.answers("edge1.example.net", vec![up]);
        runs.fake.answers("edge2.example.net", vec![]);
        runs
    }

    async fn poll(&self, limit: &str) -> Finished {
        self.poll_with(limit, false, CancellationToken::new()).await
    }

    async fn poll_with(&self, limit: &str, wait: bool, cancel: CancellationToken) -> Finished {
        let runner = runner(&self.store, &self.clock, &self.lines, wait);
        runner.run(&poll_of(Some(limit), &self.fake), cancel).await.unwrap()
    }

    async fn key(&self, router: &str) -> String {
        let sql = "SELECT id FROM devices_router WHERE name = ?";
        let row = self.store.row(sql, vec![router.into()]).await.unwrap().unwrap();
        format!("poll:{}", row.get::<i64, _>(0).unwrap())
    }

    async fn claim(&self, router: &str, owner: &str, job: Option<i64>) -> locks::Lock {
        let (key, lease) = (self.key(router).await, TimeDelta::seconds(120));
        let claim = locks::claim(&self.store, &key, owner, job, lease, epoch(), |_| false).await.unwrap();
        let Claim::Taken { lock, .. } = claim else { panic!("{claim:?}") };
        lock
    }

    async fn polled(&self) -> usize {
        let mut connection = self.store.connection().await.unwrap();
        polls::standings(&mut connection.session(), SessionKind::Direct).await.unwrap().len()
    }
}

#[tokio::test]
async fn two_polls_of_different_routers_run_at_once_and_one_router_is_polled_once() {
    each_engine(async |store| {
        let runs = Runs::new(&store).await;
        let gate = runs.fake.holds_back("edge1.example.net");
        let (one, ()) = tokio::join!(runs.poll("edge1"), async {
            runs.fake.asked(1).await;
            let other = runs.poll("edge2").await;
            assert_eq!((other.exit, other.status), (0, Status::Completed), "{}", other.message);
            // The same router again: nothing but that, so the run says who has it and may be tried later.
            let same = runs.poll("edge1,edge3").await;
            assert_eq!((same.exit, same.status), (75, Status::Cancelled), "{}", same.message);
            assert!(same.message.contains("another run is polling edge1"), "{}", same.message);
            // With another beside it: that one is polled, and this one is named.
            let both = runs.poll("edge1,edge2").await;
            assert_eq!(both.exit, 0, "{}", both.message);
            let skipped = both.data["routers"][0]["skipped"].as_str().unwrap();
            assert!(skipped.starts_with("it is being polled by process "), "{skipped}");
            assert!(skipped.contains(", job 1, since 2026-01-01 00:00:00 UTC"), "{skipped}");
            assert_eq!(both.data["routers"][1]["skipped"], json!(null));
            gate.add_permits(1);
        });
        assert_eq!((one.exit, &one.data["routers"][0]["established"]), (0, &json!(1)));
        assert!(locks::held(&store).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_gets_the_router_when_it_is_free() {
    each_engine(async |store| {
        let runs = Runs::new(&store).await;
        let lock = runs.claim("edge1", "elsewhere", None).await;
        let (finished, ()) =
            tokio::join!(runs.poll_with("edge1,edge2", true, CancellationToken::new()), async {
                // The other is polled meanwhile.
                runs.fake.asked(1).await;
                assert_eq!(runs.fake.targets.lock().unwrap()[0].endpoint.host, "edge2.example.net");
                locks::release(&store, &lock).await.unwrap();
            });
        assert_eq!((finished.exit, runs.polled().await), (0, 1), "{}", finished.message);
        assert!(runs.lines.0.lock().unwrap().iter().any(|line| line.starts_with("waiting: edge1")));
    })
    .await;
}

#[tokio::test]
async fn whoever_waited_asks_for_the_sessions_of_now() {
    each_engine(async |store| {
        let runs = Runs::new(&store).await;
        let lock = runs.claim("edge1", "elsewhere", None).await;
        let (finished, ()) =
            tokio::join!(runs.poll_with("edge1,edge2", true, CancellationToken::new()), async {
                runs.fake.asked(1).await;
                let sql = "UPDATE peering_directpeeringsession SET ip_address = ?";
                let other = address::encode("192.0.2.2/30".parse().unwrap());
                store.execute(sql, vec![other.into()]).await.unwrap();
                let up = neighbor("default", "192.0.2.2", 64_501, State::Established, 1);
                runs.fake.answers("edge1.example.net", vec![up]);
                locks::release(&store, &lock).await.unwrap();
            });
        assert_eq!((finished.exit, runs.polled().await), (0, 1), "{}", finished.message);
        assert_eq!(finished.data["routers"][0]["established"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_was_killed_keeps_nobody_from_its_routers() {
    each_engine(async |store| {
        let runs = Runs::new(&store).await;
        let new = NewJob {
            job_id: "a-job".into(),
            name: "devices.poll_bgp_sessions".into(),
            task: "poll_bgp_sessions".into(),
            arguments: json!({}),
            user_id: None,
        };
        // A process of this host that has ended: its number is taken by one that began at another time.
        let owner = runs.poll("edge2").await;
        let owner = jobs::get(&store, owner.job).await.unwrap().unwrap().owner.unwrap();
        let dead = format!("{}/1", owner.rsplit_once('/').unwrap().0);
        let job = jobs::open(&store, &new, Some(&dead), epoch()).await.unwrap();
        jobs::start(&store, job, &dead, epoch()).await.unwrap();
        runs.claim("edge1", &dead, Some(job)).await;
        runs.claim("edge2", &dead, Some(job)).await;
        let finished = runs.poll("edge1,edge2").await;
        assert_eq!((finished.exit, runs.polled().await), (0, 1), "{}", finished.message);
        assert_eq!(jobs::get(&store, job).await.unwrap().unwrap().status, Status::Errored);
        let told = format!("took over from job {job}");
        let lines = runs.lines.0.lock().unwrap().clone();
        assert_eq!(lines.iter().filter(|line| line.starts_with(&told)).count(), 1, "{lines:?}");
    })
    .await;
}

#[tokio::test]
async fn a_run_that_lost_a_router_stores_nothing_of_it() {
    each_engine(async |store| {
        let runs = Runs::new(&store).await;
        let gate = runs.fake.holds_back("edge1.example.net");
        let (finished, ()) = tokio::join!(runs.poll("edge1,edge2"), async {
            runs.fake.asked(2).await;
            // As after a night in suspend: the lease has run out, and somebody else has the router.
            let sql = "UPDATE core_lock SET expires = ? WHERE key = ?";
            store.execute(sql, vec![epoch().into(), runs.key("edge1").await.into()]).await.unwrap();
            runs.claim("edge1", "elsewhere", None).await;
            gate.add_permits(1);
        });
        let error = finished.data["routers"][0]["error"].as_str().unwrap();
        assert_eq!((finished.exit, runs.polled().await), (4, 0), "{error}");
        assert_eq!(error, StoreError::LockLost { key: runs.key("edge1").await }.to_string());
        assert_eq!(finished.data["routers"][1].get("error"), None);
        // The lock is still theirs.
        let held: Vec<String> =
            locks::held(&store).await.unwrap().into_iter().map(|(_, one)| one.owner).collect();
        assert_eq!(held, ["elsewhere"]);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_lets_go_of_its_routers() {
    each_engine(async |store| {
        let runs = Runs::new(&store).await;
        runs.fake.holds_back("edge1.example.net");
        let cancel = CancellationToken::new();
        let (finished, ()) = tokio::join!(runs.poll_with("edge1", false, cancel.clone()), async {
            runs.fake.asked(1).await;
            assert_eq!(locks::held(&store).await.unwrap().len(), 1);
            cancel.cancel();
        });
        assert_eq!(finished.status, Status::Cancelled);
        assert!(locks::held(&store).await.unwrap().is_empty());
        // A router that cannot be reached is free again before the run ends.
        runs.fake.fails("edge2.example.net", "no route");
        assert_eq!(runs.poll("edge2").await.exit, 4);
        assert!(locks::held(&store).await.unwrap().is_empty());
    })
    .await;
}
