//! `jobs tail` and `jobs retry`, a job per router, queues, and what must never get onto one.

use pm_lab::peeringdb::{Fault, FaultKind, Namespace};
use pm_store::jobs::{Close, NewJob, Status};
use pm_store::queue::Ask;
use pm_store::testing::{TestDatabase, epoch};
use serde_json::{Value as Json, json};

use super::{once, put, reaches, status, stuck};
use crate::support::{Program, asked, each_engine, lab};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_followed_while_it_runs_and_gives_its_exit_code() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let job = put(&program, &["peeringdb_sync"]).await["job"].take();
        server.fault(Some(Namespace::Poc), Fault::once(FaultKind::Hang));
        let tail = program.spawn(["jobs", "tail", &job.to_string()]);
        let follows = program.spawn(["jobs", "tail", &job.to_string(), "--json"]);
        let worker = program.spawn(["worker", "--concurrency", "1"]);
        asked(&server, Namespace::Poc, 0).await;
        program.run(["jobs", "cancel", &job.to_string()]).await.expect(0);
        let tail = tail.ended().await.expect(1);
        assert!(tail.stdout.contains("Synchronising PeeringDB local data."), "{tail}");
        assert!(tail.stdout.contains(&format!("Job {job} (peeringdb_sync) is cancelled: ")), "{tail}");
        let follows = follows.ended().await.expect(1);
        let objects: Vec<Json> =
            follows.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(objects.iter().any(|one| one["line"]["message"] == "Synchronising PeeringDB local data."));
        assert_eq!(objects.last().unwrap()["job"]["status"], "cancelled");

        // What is over is shown at once.
        let done = put(&program, &["housekeeping"]).await["job"].take();
        reaches(&program, &done, "completed").await;
        let ran = program.run(["jobs", "tail", &done.to_string()]).await.expect(0);
        assert!(ran.stdout.contains("Job") && ran.stdout.contains("is completed"), "{ran}");
        program.run(["jobs", "tail", "4711"]).await.expect(1).says("there is no job 4711");
        worker.signal("TERM").await;
        worker.ended().await.expect(0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_can_be_asked_for_again() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let (worker, runs) = stuck(&program, &server).await;
        program
            .run(["jobs", "retry", &runs.to_string()])
            .await
            .expect(1)
            .says(&format!("job {runs} (peeringdb_sync) is still running; `jobs cancel {runs}` ends it"));
        // One that is asked for while it runs is told of that.
        let second = program.run(["peeringdb_sync", "--tasks"]).await.expect(0);
        assert!(
            second.stdout.contains(&format!("Job {runs} runs already with the same arguments")),
            "{second}"
        );
        let number = second.stdout.split(' ').nth(1).unwrap().to_owned();
        program.run(["jobs", "retry", &number]).await.expect(1).says("is still pending");
        program.run(["jobs", "cancel", &number, &runs.to_string()]).await.expect(0);
        reaches(&program, &runs, "cancelled").await;
        worker.signal("TERM").await;
        worker.ended().await.expect(0);

        let again = program.run(["jobs", "retry", &runs.to_string(), "--json"]).await.expect(0).json();
        assert_eq!((&again["jobs"][0]["repeats"], &again["jobs"][0]["joined"]), (&runs, &json!(false)));
        let job = again["jobs"][0]["job"].clone();
        once(&program, 0).await;
        assert_eq!(status(&program, &job).await, "completed");
        let shown = program.run(["jobs", "show", &job.to_string()]).await.expect(0).stdout;
        assert!(shown.contains(&format!("repeats    job {runs}, which is cancelled")), "{shown}");
        let shown = program.run(["jobs", "show", &runs.to_string()]).await.expect(0).stdout;
        assert!(shown.contains(&format!("repeated   by job {job}")), "{shown}");
    })
    .await;
}

/// A flush empties the cache. Nobody is to find that it was done by a machine at night.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_comes_onto_no_queue_by_any_door() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        program.run(["peeringdb_sync"]).await.expect(0);
        let cache = program.cache().await;
        program
            .run(["peeringdb_sync", "--flush", "--tasks"])
            .await
            .expect(2)
            .says("--flush cannot be run as a background task");
        let flush = program.run(["peeringdb_sync", "--flush", "--json"]).await.expect(0);
        program
            .run(["jobs", "retry", &flush.job().to_string()])
            .await
            .expect(1)
            .says("a flush cannot be run as a background task");
        program.run(["peeringdb_sync", "--full"]).await.expect(0);
        // Nor can one that somebody has written into the table be lost and done again, or run.
        let store = database.open().await;
        let new = NewJob {
            job_id: "00000000-0000-4000-8000-000000000001".into(),
            name: "peeringdb.flush".into(),
            task: "peeringdb_flush".into(),
            arguments: json!({}),
            user_id: None,
        };
        let planted = pm_store::queue::add(&store, &Ask::new(new, "data"), epoch()).await.unwrap().job;
        once(&program, 0)
            .await
            .says(&format!("job {planted} (peeringdb_flush) is left"))
            .says("a flush cannot");
        assert_eq!(status(&program, &json!(planted)).await, "pending");
        let close = Close::because(Status::Cancelled, "by hand");
        pm_store::jobs::close(&store, planted, &close, epoch()).await.unwrap();
        program.run(["jobs", "retry", &planted.to_string()]).await.expect(1).says("a flush cannot");
        store.close().await;
        assert_eq!(program.cache().await, cache);
    })
    .await;
}

/// Routers with a file each, one that is disabled, and one without a template.
fn routers(program: &Program) {
    std::fs::create_dir(program.path("files")).unwrap();
    let file = program.path("files").display().to_string();
    let target = format!("napalm_args: {{file_target: {{directory: {file}}}}}");
    let common = "local_autonomous_system: 64500, poll_bgp_sessions_state: true, platform: bird";
    let world = format!(
        "format: peering-manager objects\nversion: 1\n\
         autonomous_systems:\n  - {{asn: 64500, name: Own, affiliated: true}}\n\
         platforms:\n  - {{name: BIRD, slug: bird, napalm_driver: bird}}\n\
         configurations:\n  - {{name: edge, template: \"{{{{ router.hostname }}}}\"}}\n\
         routers:\n\
         \x20 - {{name: edge1, hostname: 127.0.0.1, {common}, configuration_template: edge, {target}}}\n\
         \x20 - {{name: edge2, hostname: 127.0.0.2, {common}, configuration_template: edge, {target}}}\n\
         \x20 - {{name: off, hostname: 127.0.0.3, {common}, status: disabled, configuration_template: edge}}\n\
         \x20 - {{name: bare, hostname: 127.0.0.4, {common}, {target}}}\n\
         \x20 - {{name: idle, hostname: 127.0.0.5, local_autonomous_system: 64500}}\n"
    );
    std::fs::write(program.path("world.yaml"), world).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_router_gets_a_job_of_its_own() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        routers(&program);
        program.run(["import", "world.yaml"]).await.expect(0);
        let of = |asked: &Json| -> Vec<String> {
            let jobs = asked["jobs"].as_array().unwrap().iter();
            jobs.map(|job| job["router"].as_str().unwrap().to_owned()).collect()
        };
        let polls = put(&program, &["poll_bgp_sessions"]).await;
        assert_eq!(of(&polls), ["bare", "edge1", "edge2"], "{polls}");
        assert_eq!(polls["skipped"], json!([{"router": "off", "reason": "it is disabled"}]));
        let deployments = put(&program, &["configure_routers"]).await;
        assert_eq!(of(&deployments), ["edge1", "edge2"], "{deployments}");
        let reasons = deployments["skipped"].to_string();
        assert!(
            reasons.contains("no configuration template") && reasons.contains("no platform"),
            "{reasons}"
        );
        let job = program.job(polls["jobs"][1]["job"].as_i64().unwrap()).await;
        assert_eq!((&job["arguments"]["limit"], &job["queue"]), (&json!("edge1"), &json!("routers")));
        assert!(job["lock_key"].as_str().unwrap().starts_with("poll:"), "{job}");
        let job = program.job(deployments["jobs"][0]["job"].as_i64().unwrap()).await;
        assert!(
            job["lock_key"].as_str().unwrap().starts_with("deploy:") && job["batch"].is_string(),
            "{job}"
        );

        // One that is named and not polled is told of; an unknown one is an error, and nothing is added.
        let before = program.jobs().await.len();
        let idle = program.run(["poll_bgp_sessions", "--limit", "idle", "--tasks"]).await.expect(0);
        idle.says("idle: skipped, polling its sessions is not enabled");
        let unknown = ["configure_routers", "--limit", "edge1,nowhere", "--tasks"];
        program.run(unknown).await.expect(1).says("no router is called nowhere");
        let unknown = ["configure_routers", "--configuration", "core", "--tasks"];
        program.run(unknown).await.expect(1).says("there is no configuration \"core\"");
        // The same router again is the same job.
        let again = program.run(["poll_bgp_sessions", "--limit", "EDGE1", "--tasks"]).await.expect(0);
        assert!(again.stdout.contains("(poll_bgp_sessions, edge1) waits with the same arguments"), "{again}");
        assert_eq!(program.jobs().await.len(), before);
        // What looks at one router before the next is one job.
        for flags in [&["--dry-run"][..], &["--canary", "1"]] {
            let one = put(&program, &[&["configure_routers"], flags].concat()).await;
            assert!(one["job"].is_i64() && one["jobs"].is_null(), "{one}");
        }

        let listed = program.run(["jobs", "list", "--queue", "routers", "--json"]).await.expect(0).json();
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 7);
        program
            .run(["jobs", "list", "--queue", "high"])
            .await
            .expect(2)
            .says("there are routers, data, default");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_the_queues_that_it_is_told() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 3).await;
    let program = Program::on(&database).asking(&server);
    program.run(["worker", "--queues", "data,high"]).await.expect(2).says("there is no queue \"high\"");
    let data = put(&program, &["peeringdb_sync"]).await["job"].take();
    let other = put(&program, &["housekeeping"]).await["job"].take();
    let worker = program.spawn(["worker", "--queues", "data,routers"]);
    reaches(&program, &data, "completed").await;
    assert_eq!(status(&program, &other).await, "pending");
    let warned = program.run(["housekeeping", "--dry-run", "--tasks"]).await.expect(0);
    warned.says("no worker is at work that serves the queue default");
    program.run(["peeringdb_sync", "--tasks"]).await.expect(0).never_says("no worker");
    worker.signal("TERM").await;
    worker.ended().await.expect(0).says(", of data, routers");
}

/// What failed in passing waits to be tried again, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_may_work_later_is_tried_again_later() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 3).await;
    let program = Program::on(&database).asking(&server).set("peeringdb_max_retry_after", 0);
    server.fault(Some(Namespace::Org), Fault { seconds: 3600, ..Fault::once(FaultKind::TooMany) });
    let job = put(&program, &["peeringdb_sync"]).await["job"].take();
    let worker = program.spawn(["worker"]);
    reaches(&program, &job, "failed").await;
    worker.signal("TERM").await;
    worker.ended().await.expect(0);
    let failed = program.job(job.as_i64().unwrap()).await;
    let again = program.jobs().await[0].clone();
    assert_eq!(
        (&again["repeat_of"], &again["attempt"], &again["status"]),
        (&job, &json!(2), &json!("pending"))
    );
    assert!(failed["error"].as_str().unwrap().contains("(attempt 2 of 4)"), "{failed}");
    let shown = program.run(["jobs", "show", &again["id"].to_string()]).await.expect(0).stdout;
    assert!(shown.contains("not before ") && shown.contains("(attempt 2)"), "{shown}");
}
