//! What those who watch over the program are told, on both engines.

#![expect(clippy::unwrap_used, reason = "the lint exempts test functions, not what they share")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use pm_config::Config;
use pm_store::jobs::{self, Close, NewJob, Outcome, Status};
use pm_store::peeringdb::runs::{Watermark, set_watermarks};
use pm_store::testing::{TestDatabase, each_engine, epoch, statements};
use pm_store::{Store, deployments};
use pm_tasks::{Clock, Pulse};
use pm_web::Site;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// When all of it is asked.
fn now() -> DateTime<Utc> {
    epoch() + TimeDelta::days(10)
}

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        now()
    }
}

/// A server, which nobody ends: the test does.
async fn serve(store: &Store, config: Config) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pulse = Pulse::new("worker");
    pulse.turn(Some(0));
    let site = Site {
        store: store.clone(),
        config: Arc::new(config),
        clock: Arc::new(Still),
        pulses: vec![pulse],
        version: "1.2.3",
    };
    tokio::spawn(pm_web::serve(listener, site, CancellationToken::new()));
    address
}

fn with_metrics() -> Config {
    Config { metrics_enabled: true, ..Config::default() }
}

/// Sends these octets and gives the status and all that comes back.
async fn send(address: std::net::SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in {answer:?}")), answer)
}

async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let (status, answer) = send(address, &request).await;
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

async fn json_of(address: std::net::SocketAddr, path: &str) -> (u16, Json) {
    let (status, body) = get(address, path).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {body:?}")))
}

/// A job that began and ended then.
async fn ran(store: &Store, task: &str, status: Status, outcome: Option<Outcome>, ended: DateTime<Utc>) {
    let job = NewJob {
        job_id: format!("{task}-{}", ended.timestamp()),
        name: task.to_owned(),
        task: task.to_owned(),
        arguments: json!({}),
        user_id: None,
    };
    let begun = ended - TimeDelta::milliseconds(2_500);
    let id = jobs::open(store, &job, Some("here"), begun).await.unwrap();
    jobs::start(store, id, "here", begun).await.unwrap();
    let close = Close {
        status,
        outcome,
        error: Some("the word is s3cret".into()),
        data: None,
        exit: if status == Status::Failed { 3 } else { 0 },
        spoilt: false,
    };
    assert!(jobs::close(store, id, &close, ended).await.unwrap());
}

async fn synchronised(store: &Store, at: DateTime<Utc>) {
    let mark = |namespace: &str, synchronised| Watermark {
        namespace: namespace.to_owned(),
        since: 0,
        access: "anonymous".to_owned(),
        synchronised,
        compared: None,
    };
    let marks = [mark("net", at), mark("org", now())];
    let mut transaction = store.begin().await.unwrap();
    set_watermarks(&mut transaction.session(), &marks).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn tasks_the_queue_and_guards_are_told_in_numbers() {
    each_engine(async |store| {
        let hour = TimeDelta::hours(1);
        ran(&store, "peeringdb_sync", Status::Completed, Some(Outcome::Ok), now() - hour * 3).await;
        ran(&store, "peeringdb_sync", Status::Completed, Some(Outcome::Partial), now() - hour * 2).await;
        ran(&store, "peeringdb_sync", Status::Failed, None, now() - hour).await;
        ran(&store, "housekeeping", Status::Completed, Some(Outcome::NothingToDo), now() - hour).await;
        let waits = NewJob {
            job_id: "waits".into(),
            name: "waits".into(),
            task: "housekeeping".into(),
            arguments: json!({}),
            user_id: None,
        };
        jobs::open(&store, &waits, None, now() - TimeDelta::seconds(90)).await.unwrap();
        synchronised(&store, now() - hour * 3).await;
        let mut transaction = store.begin().await.unwrap();
        deployments::freeze(&mut transaction.session(), "anna", "holidays", now()).await.unwrap().unwrap();
        transaction.commit().await.unwrap();
        // The last of them may still be at work.
        for (status, age) in [("unconfirmed", 2), ("committing", 3), ("confirmed", 3), ("unconfirmed", 0)] {
            let sql = "INSERT INTO devices_deployment (router_name, user_name, begun, status, template, load_mode, forced, \
                       input_hash, candidate, running, diff, added, removed, sessions, warnings) \
                       VALUES ('edge', 'anna', ?, ?, 't', 'merge', FALSE, '', '', '', '', 0, 0, '{}', '[]')";
            store.execute(sql, vec![(now() - hour * age).into(), status.into()]).await.unwrap();
        }

        let address = serve(&store, with_metrics()).await;
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        let at = |time: DateTime<Utc>| format!("{}.0", time.timestamp());
        for line in [
            "peering_manager_build_info{version=\"1.2.3\"} 1.0",
            &format!(
                "peering_manager_task_last_run_timestamp_seconds{{task=\"peeringdb_sync\"}} {}",
                at(now() - hour)
            ),
            &format!(
                "peering_manager_task_last_success_timestamp_seconds{{task=\"peeringdb_sync\"}} {}",
                at(now() - hour * 3)
            ),
            "peering_manager_task_last_duration_seconds{task=\"housekeeping\"} 2.5",
            "peering_manager_task_last_outcome{task=\"peeringdb_sync\",outcome=\"failed\"} 1.0",
            "peering_manager_task_last_outcome{task=\"peeringdb_sync\",outcome=\"ok\"} 0.0",
            "peering_manager_task_last_outcome{task=\"housekeeping\",outcome=\"nothing to do\"} 1.0",
            "peering_manager_jobs{status=\"waiting\",queue=\"none\"} 1.0",
            "peering_manager_jobs{status=\"running\",queue=\"data\"} 0.0",
            "peering_manager_schedule_enabled{schedule=\"configure_routers\"} 0.0",
            "peering_manager_jobs_oldest_waiting_seconds 90.0",
            "peering_manager_workers 0.0",
            "peering_manager_age_seconds{what=\"peeringdb\"} 10800.0",
            "peering_manager_stale{what=\"peeringdb\"} 0.0",
            "peering_manager_guards_holding{guard=\"deployments_frozen\"} 1.0",
            "peering_manager_guards_holding{guard=\"prefix_lists\"} 0.0",
            "peering_manager_guards_holding{guard=\"peeringdb_sync\"} 1.0",
            "peering_manager_guards_holding{guard=\"deployments\"} 0.0",
            "peering_manager_deployments_left{status=\"unconfirmed\"} 2.0",
            "peering_manager_deployments_left{status=\"unknown\"} 0.0",
        ] {
            assert!(text.lines().any(|one| one == line), "no line {line} in {text}");
        }
        assert!(!text.contains("s3cret") && !text.contains("holidays") && !text.contains("anna"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn what_should_have_run_and_has_not_is_named() {
    each_engine(async |store| {
        let address = serve(&store, Config::default()).await;
        let (status, said) = json_of(address, "/health/fresh").await;
        assert_eq!((status, &said["stale"]), (503, &json!(["peeringdb", "housekeeping"])), "{said}");
        assert_eq!(said["checks"][0]["age_seconds"], Json::Null);

        let day = TimeDelta::days(1);
        synchronised(&store, now() - day).await;
        ran(&store, "housekeeping", Status::Completed, None, now() - day * 2).await;
        let address = serve(&store, Config::default()).await;
        let (status, said) = json_of(address, "/health/fresh").await;
        assert_eq!((status, &said["stale"]), (503, &json!(["housekeeping"])), "{said}");
        assert_eq!(
            said["checks"][1],
            json!({
                "what": "housekeeping", "stale": true, "age_seconds": 172_800, "limit_seconds": 93_600,
                "command": "housekeeping",
            })
        );
        ran(&store, "housekeeping", Status::Completed, None, now() - TimeDelta::hours(1)).await;
        let address = serve(&store, Config::default()).await;
        let (status, said) = json_of(address, "/health/fresh").await;
        assert_eq!((status, &said["status"]), (200, &json!("fresh")), "{said}");

        let never = Config { peeringdb_stale_after: 0, housekeeping_stale_after: 0, ..Config::default() };
        let (status, said) = json_of(serve(&store, never).await, "/health/fresh").await;
        assert_eq!((status, &said["checks"]), (200, &json!([])));
    })
    .await;
}

#[tokio::test]
async fn a_database_of_another_release_is_not_ready() {
    each_engine(async |store| {
        let address = serve(&store, Config::default()).await;
        assert_eq!(json_of(address, "/health/live").await, (200, json!({ "status": "live" })));
        assert_eq!(json_of(address, "/health/ready").await, (200, json!({ "status": "ready" })));
        let sql = "INSERT INTO schema_migration (version, name, applied) VALUES (9999, 'of tomorrow', ?)";
        store.execute(sql, vec![now().into()]).await.unwrap();
        let (status, said) = json_of(address, "/health/ready").await;
        assert_eq!((status, &said["why"]), (503, &json!("the database is that of a newer release")));
        assert_eq!(json_of(address, "/health/live").await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_without_its_place() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    let address = serve(&store, with_metrics()).await;
    store.close().await;
    for path in ["/health/ready", "/health/fresh", "/metrics"] {
        let (status, said) = get(address, path).await;
        assert_eq!(status, 503, "{path}: {said}");
        assert!(said.contains("the database cannot be used") && !said.contains("sqlite"), "{path}: {said}");
    }
}

#[tokio::test]
async fn a_scrape_takes_as_many_statements_however_much_there_is() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    let count = async || {
        loop {
            let address = serve(&store, with_metrics()).await;
            let (before, begun) = (statements(), Instant::now());
            assert_eq!(get(address, "/metrics").await.0, 200);
            let first = statements() - before;
            for path in ["/metrics", "/health/fresh", "/metrics"] {
                get(address, path).await;
            }
            // For how long that is, is for a fast machine to say.
            if begun.elapsed() < Duration::from_secs(5) {
                assert_eq!(statements() - before, first, "an answer is kept for a while");
                return first;
            }
        }
    };
    let empty = count().await;
    for number in 0..200 {
        let ended = now() - TimeDelta::minutes(number);
        let task =
            ["housekeeping", "peeringdb_sync", "poll_bgp_sessions"][usize::try_from(number % 3).unwrap()];
        ran(&store, task, Status::Completed, None, ended).await;
    }
    assert_eq!(count().await, empty);
    assert!(empty <= 19, "{empty}");
}

#[tokio::test]
async fn strangers_get_no_more_than_there_is() {
    let database = TestDatabase::sqlite();
    let address = serve(&database.open().await, Config::default()).await;
    let (status, said) = get(address, "/metrics").await;
    assert_eq!((status, said.as_str()), (404, "metrics are switched off: set metrics_enabled\n"));
    assert_eq!(get(address, "/../etc/passwd").await.0, 404);
    let post = "POST /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(send(address, post).await.0, 405);
    let long = format!("GET /health/live HTTP/1.1\r\nX: {}\r\nConnection: close\r\n\r\n", "x".repeat(20_000));
    assert_eq!(send(address, &long).await.0, 431);
    let (_, answer) =
        send(address, "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let answer = answer.to_lowercase();
    assert!(answer.contains("cache-control: no-store") && answer.contains("x-content-type-options: nosniff"));
}
