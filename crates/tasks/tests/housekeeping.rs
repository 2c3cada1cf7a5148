//! What has grown old goes, and nothing else.

use crate::support::Scene;
use chrono::{DateTime, TimeDelta, Utc};
use pm_lab::peeringdb::{Advance, Options};
use pm_store::jobs::{self, Status};
use pm_store::locks::{self, Claim};
use pm_store::releases;
use pm_store::testing::{each_engine, epoch};
use pm_store::{Store, Value};
use pm_tasks::Housekeeping;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn count(store: &Store, table: &str) -> i64 {
    let row = store.row(&format!("SELECT COUNT(*) AS count FROM {table}"), vec![]).await.unwrap();
    row.unwrap().get("count").unwrap()
}

async fn add_change(store: &Store, time: DateTime<Utc>) {
    let sql = "INSERT INTO core_objectchange (time, user_name, request_id, action, changed_object_type, \
               changed_object_id, object_repr) VALUES (?, 'x', 'x', 'update', 'x', 1, 'x')";
    store.execute(sql, vec![time.into()]).await.unwrap();
}

async fn add_session(store: &Store, id: &str, expires: DateTime<Utc>) {
    let sql = "INSERT INTO users_session (id, data, expires) VALUES (?, '', ?)";
    store.execute(sql, vec![id.into(), expires.into()]).await.unwrap();
}

async fn add_job(store: &Store, created: DateTime<Utc>, status: Status) -> i64 {
    let new = jobs::NewJob {
        job_id: uuid(created, status),
        name: "x".into(),
        task: "x".into(),
        arguments: json!({}),
        user_id: None,
    };
    let job =
        jobs::open(store, &new, (status == Status::Running).then_some("far/b/n/1/1"), created).await.unwrap();
    let line = jobs::LogLine { time: created, level: jobs::Level::Info, object: None, message: "x".into() };
    jobs::note(store, job, 0, &[line], None, created).await.unwrap();
    let sql = "UPDATE core_job SET status = ?, heartbeat = ? WHERE id = ?";
    store.execute(sql, vec![status.as_str().into(), Value::from(epoch()), job.into()]).await.unwrap();
    job
}

fn uuid(created: DateTime<Utc>, status: Status) -> String {
    format!("{}-{status}", created.timestamp())
}

#[tokio::test]
async fn what_is_older_than_its_retention_goes() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        scene.set(&[
            ("housekeeping_batch", "7"),
            ("changelog_retention", "30"),
            ("jobresult_retention", "10"),
        ]);
        let now = epoch();
        for days in 0..60 {
            add_change(&store, now - TimeDelta::days(days)).await;
            add_job(&store, now - TimeDelta::days(days), Status::Completed).await;
        }
        let running = add_job(&store, now - TimeDelta::days(100), Status::Running).await;
        let pending = add_job(&store, now - TimeDelta::days(100), Status::Pending).await;
        add_session(&store, "old", now - TimeDelta::seconds(1)).await;
        add_session(&store, "new", now + TimeDelta::seconds(1)).await;
        let told = scene.run(&Housekeeping { dry_run: true }).await;
        assert_eq!(told.data["changes"], 29);
        assert_eq!((count(&store, "core_objectchange").await, count(&store, "users_session").await), (60, 2));
        let finished = scene.run(&Housekeeping::default()).await;
        assert_eq!(finished.exit, 0, "{}", finished.message);
        assert_eq!(
            (&finished.data["sessions"], &finished.data["changes"], &finished.data["jobs"]),
            (&json!(1), &json!(29), &json!(49))
        );
        assert_eq!((count(&store, "core_objectchange").await, count(&store, "users_session").await), (31, 1));
        for job in [running, pending] {
            assert!(jobs::get(&store, job).await.unwrap().is_some(), "a job that is not over stays");
        }
        // 11 recent ones, two that are not over, two housekeepings; the logs of the others went with them.
        assert_eq!(count(&store, "core_job").await, 15);
        let orphans = "core_joblog l WHERE NOT EXISTS (SELECT 1 FROM core_job j WHERE j.id = l.job_id)";
        assert_eq!(count(&store, orphans).await, 0);
        assert_eq!(scene.run(&Housekeeping::default()).await.outcome, Some(jobs::Outcome::NothingToDo));
    })
    .await;
}

#[tokio::test]
async fn zero_days_keep_for_ever() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        scene.set(&[("changelog_retention", "0"), ("job_retention", "0"), ("sync_report_retention", "0")]);
        add_change(&store, epoch() - TimeDelta::days(9999)).await;
        add_job(&store, epoch() - TimeDelta::days(9999), Status::Completed).await;
        scene.run(&Housekeeping::default()).await;
        assert_eq!((count(&store, "core_objectchange").await, count(&store, "core_job").await), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn reports_go_but_the_newest_stays() {
    each_engine(async |store| {
        let scene = Scene::new(&store, 0.02, 1, Options::default()).await;
        scene.sync().await;
        scene.server.world().advance(&Advance::day());
        scene.sync().await;
        scene.clock.pass(TimeDelta::days(91));
        let finished = scene.run(&Housekeeping::default()).await;
        assert_eq!(finished.data["sync_reports"], 1);
        assert_eq!(count(&store, "peeringdb_synchronisation").await, 1);
        assert!(count(&store, "peeringdb_synchronisationrecord").await > 0);
        assert!(!scene.cached().await["net"].is_empty(), "the cache itself stays");
    })
    .await;
}

#[tokio::test]
async fn locks_and_jobs_of_dead_processes_are_freed() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        // It looks again after two seconds.
        scene.set(&[("lock_lease", "6")]);
        let job = add_job(&store, epoch(), Status::Running).await;
        let lease = TimeDelta::seconds(120);
        let claim =
            locks::claim(&store, "irr", "far/b/n/1/1", Some(job), lease, epoch(), |_| false).await.unwrap();
        assert!(matches!(claim, Claim::Taken { from: None, .. }));
        scene.run(&Housekeeping::default()).await;
        assert_eq!(locks::held(&store).await.unwrap().len(), 1, "a lease that runs is left alone");
        scene.clock.pass(TimeDelta::seconds(121));
        let finished = scene.run(&Housekeeping::default()).await;
        assert_eq!(finished.data["locks"], json!(["irr"]));
        let job = jobs::get(&store, job).await.unwrap().unwrap();
        assert_eq!((job.status, job.error.as_deref()), (Status::Errored, Some(jobs::ABANDONED)));
        let again = locks::claim(&store, "irr", "other", None, lease, epoch(), |_| false).await.unwrap();
        let Claim::Taken { lock, .. } = again else { panic!("{again:?}") };
        assert_eq!(lock.fence, 2, "the fencing number goes on");
    })
    .await;
}

/// As after a time in which nobody could reach the database.
#[tokio::test]
async fn whoever_speaks_while_it_looks_keeps_lock_and_job() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        scene.set(&[("lock_lease", "6")]);
        let mut held = Vec::new();
        for (key, second) in [("irr", 0), ("peeringdb_sync", 1)] {
            let job = add_job(&store, epoch() + TimeDelta::seconds(second), Status::Running).await;
            let lease = TimeDelta::seconds(120);
            let claim = locks::claim(&store, key, "far/b/n/1/1", Some(job), lease, epoch(), |_| false).await;
            let Claim::Taken { lock, .. } = claim.unwrap() else { panic!("nobody has it") };
            held.push((job, lock));
        }
        scene.clock.pass(TimeDelta::hours(1));
        let (job, lock) = &held[1];
        let task = Housekeeping::default();
        let (finished, ()) = tokio::join!(scene.run(&task), async {
            let looks =
                async || scene.lines.0.lock().unwrap().iter().any(|line| line.contains("looking again"));
            let begun = std::time::Instant::now();
            while !looks().await {
                assert!(begun.elapsed() < std::time::Duration::from_mins(1), "somebody is silent");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            let now = pm_tasks::Clock::now(&*scene.clock);
            jobs::note(&store, *job, 0, &[], None, now).await.unwrap();
            locks::hold(&mut store.connection().await.unwrap().session(), lock, now).await.unwrap();
        });
        assert_eq!(finished.data["locks"], json!(["irr"]));
        let lost = async |id| jobs::get(&store, id).await.unwrap().unwrap().status;
        assert_eq!((lost(held[0].0).await, lost(*job).await), (Status::Errored, Status::Running));
    })
    .await;
}

/// Answers one request.
async fn release_server(status: &'static str, body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).await.unwrap();
    });
    format!("http://{address}/releases")
}

#[tokio::test]
async fn a_newer_release_is_remembered_and_being_offline_is_no_error() {
    each_engine(async |store| {
        let mut scene = Scene::new(&store, 0.005, 1, Options::default()).await;
        let listed = r#"[{"tag_name": "v99.1.0", "html_url": "https://releases.example/99.1"}]"#;
        let answers = [
            ("http://127.0.0.1:1/releases".to_owned(), None),
            (release_server("500 Oops", "").await, None),
            (release_server("200 OK", "{}").await, None),
            (release_server("200 OK", "[]").await, None),
            (release_server("200 OK", listed).await, Some("99.1.0")),
        ];
        for (url, version) in answers {
            scene.set(&[("release_check_url", &url)]);
            let finished = scene.run(&Housekeeping::default()).await;
            assert_eq!(finished.exit, 0, "{url}: {}", finished.message);
            let known = releases::latest(&store).await.unwrap().map(|release| release.version);
            assert_eq!(known.as_deref(), version, "{url}");
        }
    })
    .await;
}
