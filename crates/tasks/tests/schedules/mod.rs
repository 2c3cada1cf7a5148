//! The scheduler: each slot once, whatever happens, and what becomes of those that cannot be run.

mod changes;
mod slots;
mod times;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{HeldClock, author, configured};
use chrono::{DateTime, Utc};
use pm_store::jobs::{self, Close, Job, Level, Outcome, Status};
use pm_store::schedules::slots::Slot;
use pm_store::schedules::{self, Schedule};
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, StoreError};
use pm_tasks::schedule::{self, Memory, Patch, ScheduleError, ScheduleTime, Scheduler, When, health};
use pm_tasks::{NoSink, Sink, Watch, this_process};

#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Watch for Said {
    fn sink(&self, _: i64, _: &str) -> Arc<dyn Sink> {
        Arc::new(NoSink)
    }
    fn say(&self, _: Level, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// A scheduler whose clock stands still, and nothing but the schedules of the test.
struct Stage {
    store: Store,
    clock: Arc<HeldClock>,
    scheduler: Scheduler,
    memory: Memory,
    said: Arc<Said>,
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn every(cron: &str) -> Patch {
    Patch { when: Some(When::Cron(cron.to_owned())), ..Patch::default() }
}

impl Stage {
    async fn new(store: &Store, now: &str) -> Self {
        store.execute("DELETE FROM core_schedule", vec![]).await.unwrap();
        Self::beside(store, now, &[])
    }

    fn beside(store: &Store, now: &str, settings: &[(&str, &str)]) -> Self {
        let (clock, said) = (HeldClock::at(at(now)), Arc::new(Said::default()));
        let scheduler = Scheduler {
            store: store.clone(),
            config: Arc::new(configured(settings)),
            clock: Arc::clone(&clock) as _,
            time: ScheduleTime::Clock,
            watch: Arc::clone(&said) as _,
        };
        Self { store: store.clone(), clock, scheduler, memory: Memory::default(), said }
    }

    fn now(&self) -> DateTime<Utc> {
        pm_tasks::Clock::now(self.clock.as_ref())
    }

    async fn try_set(&self, name: &str, patch: Patch) -> Result<Schedule, ScheduleError> {
        let zone = &self.scheduler.config.time_zone;
        schedule::set(&self.store, &author(), name, patch, zone, self.now()).await.map(|(stored, _)| stored)
    }

    async fn set(&self, name: &str, patch: Patch) -> Schedule {
        self.try_set(name, patch).await.unwrap()
    }

    /// One round at this time.
    async fn round(&mut self, now: &str) -> Duration {
        self.clock.set(at(now));
        self.scheduler.round(&mut self.memory).await.unwrap()
    }

    async fn schedule(&self, name: &str) -> Schedule {
        let mut connection = self.store.connection().await.unwrap();
        schedules::find(&mut connection.session(), name).await.unwrap().unwrap()
    }

    /// The slots of a schedule, the oldest first.
    async fn slots(&self, name: &str) -> Vec<Slot> {
        let id = self.schedule(name).await.id;
        let mut connection = self.store.connection().await.unwrap();
        let mut slots = schedules::slots::list(&mut connection.session(), id, 100_000).await.unwrap();
        slots.reverse();
        slots
    }

    /// What became of each, in short.
    async fn told(&self, name: &str) -> Vec<String> {
        let slots = self.slots(name).await;
        let told = slots.iter().map(|slot| {
            let reason = slot.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} {}{reason}", slot.slot.format("%d %H:%M"), slot.state)
        });
        told.collect()
    }

    async fn jobs(&self) -> Vec<Job> {
        let mut jobs = jobs::list(&self.store, None, None, 10_000).await.unwrap();
        jobs.reverse();
        jobs
    }

    /// Ends all jobs that are open.
    async fn finish(&self, status: Status, outcome: Option<Outcome>) {
        for job in self.jobs().await.into_iter().filter(|job| !job.status.is_over()) {
            jobs::start(&self.store, job.id, &this_process(), self.now()).await.unwrap();
            let close = Close { status, outcome, error: None, data: None, exit: 0, spoilt: false };
            assert!(jobs::close(&self.store, job.id, &close, self.now()).await.unwrap());
        }
    }

    async fn well(&self) {
        self.finish(Status::Completed, Some(Outcome::Ok)).await;
    }

    fn said(&self, text: &str) -> usize {
        self.said.0.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_lines_of_old_are_there_at_first() {
    each_engine(async |store: Store| {
        let mut stage = Stage::beside(&store, "2026-03-01T01:00:00Z", &[]);
        let pause = stage.round("2026-03-01T01:00:00Z").await;
        assert_eq!(pause, Duration::from_secs(5), "it looks again soon, whatever is next");
        let all = schedules::list(&mut store.connection().await.unwrap().session()).await.unwrap();
        let told: Vec<_> = all
            .iter()
            .map(|one| {
                let next = one.next_run.map(|time| time.format("%H:%M").to_string());
                (one.definition.name.as_str(), one.definition.cron.as_deref().unwrap(), next)
            })
            .collect();
        let next = |time: &str| Some(time.to_owned());
        assert_eq!(
            told,
            [
                ("configure_routers", "55 * * * *", None),
                ("grab_prefixes", "30 4 * * *", next("04:30")),
                ("housekeeping", "30 1 * * *", next("01:30")),
                ("peeringdb_sync", "30 2 * * *", next("02:30")),
                ("poll_bgp_sessions", "0 * * * *", next("02:00")),
            ]
        );
        for (hour, jobs) in
            [("01:29:59", 0), ("01:30:00", 1), ("02:00:00", 2), ("02:31:07", 3), ("04:30:00", 5)]
        {
            stage.round(&format!("2026-03-01T{hour}Z")).await;
            let found = stage.jobs().await;
            assert_eq!(found.len(), jobs, "at {hour}: {found:?}");
            stage.well().await;
        }
        let tasks: Vec<String> = stage.jobs().await.into_iter().map(|job| job.task).collect();
        assert_eq!(&tasks[..3], ["housekeeping", "poll_bgp_sessions", "peeringdb_sync"]);
        assert!(stage.jobs().await.iter().all(|job| job.queued));
        // Every one of them may be set again as it is.
        for one in all {
            let same =
                stage.set(&one.definition.name, Patch { enabled: Some(false), ..Patch::default() }).await;
            assert!(!same.definition.enabled && same.next_run.is_none());
        }
        // What a person has removed does not come back.
        schedule::delete(&store, &author(), "housekeeping", stage.now()).await.unwrap();
        pm_store::migrations::run(&store, epoch()).await.unwrap();
        let mut again = Stage::beside(&store, "2026-03-02T00:00:00Z", &[]);
        again.round("2026-03-05T01:00:00Z").await;
        assert_eq!(again.jobs().await.len(), 5, "nothing is enabled any more");
        assert_eq!(schedules::list(&mut store.connection().await.unwrap().session()).await.unwrap().len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_not_understood_is_left_alone_and_named() {
    each_engine(async |store: Store| {
        let mut stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        stage.set("housekeeping", every("0 * * * *")).await;
        stage.set("later", Patch { task: Some("poll_bgp_sessions".into()), ..every("0 * * * *") }).await;
        stage.round("2026-03-01T00:00:00Z").await;
        // As a newer release might leave it.
        store
            .execute("UPDATE core_schedule SET task = 'tidy_up' WHERE name = 'later'", vec![])
            .await
            .unwrap();
        stage.round("2026-03-01T01:00:00Z").await;
        stage.round("2026-03-01T01:01:00Z").await;
        assert_eq!(stage.told("housekeeping").await, ["01 01:00 queued"]);
        assert_eq!(stage.told("later").await, Vec::<String>::new());
        assert_eq!(stage.said("the schedule later is not run"), 1, "once");
        let found = health(&store, &configured(&[]), at("2026-03-01T01:20:00Z")).await.unwrap();
        assert_eq!((found.enabled, found.planned, found.schedulers), (2, true, 0));
        let late: Vec<&str> = found.late.iter().map(|late| late.name.as_str()).collect();
        assert_eq!(late, ["later"]);
    })
    .await;
}

/// Until it is told to stop, and through a schema that is of another release.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_signs_on_and_off_and_ends_with_another_schema() {
    each_engine(async |store: Store| {
        let stage = Stage::new(&store, "2026-03-01T00:00:00Z").await;
        let cancel = tokio_util::sync::CancellationToken::new();
        let running = tokio::spawn({
            let (scheduler, cancel) = (stage.scheduler.clone(), cancel.clone());
            async move { scheduler.run(cancel).await }
        });
        let alive = async |count: usize| {
            let config = configured(&[]);
            for _ in 0..12_000 {
                if health(&store, &config, stage.now()).await.unwrap().schedulers == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("not {count} schedulers at work");
        };
        alive(1).await;
        cancel.cancel();
        running.await.unwrap().unwrap();
        alive(0).await;
        store
            .execute(
                "INSERT INTO schema_migration (version, name, applied) VALUES (9999, 'x', ?)",
                vec![epoch().into()],
            )
            .await
            .unwrap();
        let ended = stage.scheduler.run(tokio_util::sync::CancellationToken::new()).await;
        assert!(matches!(ended, Err(StoreError::SchemaTooNew { .. })), "{ended:?}");
    })
    .await;
}
