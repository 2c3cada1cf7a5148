//! The queue and its workers, as an operator meets them.

mod jobs;

use std::time::{Duration, Instant};

use crate::support::{
    Program, Ran, Running, asked, assert_same, count_asked, each_engine, lab, oracle, until,
};
use pm_lab::peeringdb::{Caller, Fault, FaultKind, Namespace, Server};
use pm_store::testing::{TestDatabase, epoch};
use serde_json::{Value as Json, json};

/// What ends at once may take this long on a very busy host; who waited for a lease would wait 120 s.
const AT_ONCE: Duration = Duration::from_mins(1);

/// Puts a task on the queue and gives its job.
async fn put(program: &Program, arguments: &[&str]) -> Json {
    program.run([arguments, &["--tasks", "--json"]].concat()).await.expect(0).json()
}

async fn status(program: &Program, job: &Json) -> String {
    program.job(job.as_i64().unwrap()).await["status"].as_str().unwrap().to_owned()
}

async fn reaches(program: &Program, job: &Json, expected: &str) {
    until(async || status(program, job).await == expected, &format!("job {job} is {expected}")).await;
}

async fn once(program: &Program, exit: i32) -> Ran {
    program.run(["worker", "--once"]).await.expect(exit)
}

/// A worker that is stuck in a synchronisation, with its job.
async fn stuck(program: &Program, server: &Server) -> (Running, Json) {
    let before = count_asked(server, Namespace::Poc);
    server.fault(Some(Namespace::Poc), Fault::once(FaultKind::Hang));
    let job = put(program, &["peeringdb_sync"]).await["job"].take();
    let worker = program.spawn(["worker", "--concurrency", "1"]);
    asked(server, Namespace::Poc, before).await;
    (worker, job)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_until_a_worker_runs_it() {
    each_engine(async |database| {
        let server = lab(0.01, 4).await;
        let program = Program::on(database).asking(&server);
        let first = program.run(["peeringdb_sync", "-t"]).await.expect(0).says("no worker is at work");
        assert_eq!(first.stdout, "Job 1 (peeringdb_sync) waits for a worker, at place 1.\n");
        let second = put(&program, &["housekeeping", "--dry-run"]).await;
        assert_eq!(
            (&second["job"], &second["place"], &second["joined"], &second["status"]),
            (&json!(2), &json!(2), &json!(false), &json!("pending"))
        );
        assert_eq!(second["workers"], 0);
        // The same once more is the same job; other arguments are not the same.
        let again = program.run(["peeringdb_sync", "--tasks"]).await.expect(0);
        assert!(
            again.stdout.starts_with("Job 1 (peeringdb_sync) waits with the same arguments since "),
            "{again}"
        );
        assert_eq!(put(&program, &["housekeeping", "--dry-run"]).await["joined"], true);
        let third = put(&program, &["housekeeping"]).await;
        assert_eq!((&third["joined"], &third["place"]), (&json!(false), &json!(3)));
        let third = third["job"].to_string();
        let quiet = program.run(["housekeeping", "--tasks", "-q"]).await.expect(0);
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));

        let listed = program.run(["jobs", "list", "--status", "pending", "--json"]).await.expect(0).json();
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 3);
        let shown = program.run(["jobs", "show", &third]).await.expect(0).stdout;
        assert!(shown.contains("waits      at place 3, for "), "{shown}");
        assert_eq!(
            program.run(["jobs", "show", &third, "--json"]).await.expect(0).json()["waits"]["place"],
            3
        );
        assert_eq!(count_asked(&server, Namespace::Org), 0, "nothing was run");

        let ran = once(&program, 0).await.says("job 1 peeringdb_sync: ").says("3 jobs completed");
        ran.says("job 2 housekeeping: ").never_says("no worker");
        for job in program.jobs().await {
            assert_eq!((&job["status"], &job["queued"]), (&json!("completed"), &json!(true)));
        }
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after the worker");
        // The name that unit files for the original have, and a queue that is empty.
        program
            .run(["rqworker", "--burst", "high", "default", "low"])
            .await
            .expect(0)
            .says("0 jobs completed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_of_the_background_is_put_there_and_others_are_refused() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let commands: [&[&str]; 5] = [
        &["housekeeping"],
        &["peeringdb_sync", "--full"],
        &["get_irr_data", "--asn", "64500,AS64501", "--limit", "100"],
        &["grab_prefixes"],
        &["peeringdb_sync"],
    ];
    for (number, command) in (1..).zip(commands) {
        let put = put(&program, command).await;
        assert_eq!((&put["job"], &put["task"]), (&json!(number), &json!(command[0])));
    }
    assert_eq!(
        program.job(3).await["arguments"],
        json!({"asns": [64_500, 64_501], "limit": 100, "force": false})
    );
    for (command, says) in [
        (&["peeringdb_sync", "--flush", "--tasks"][..], "--flush cannot be run as a background task"),
        (&["peeringdb_sync", "--from", "dumps", "--tasks"], "dumps lies on this host"),
    ] {
        let ran = program.run(command).await.expect(2).says(says);
        assert_eq!(ran.stdout, "");
    }
    for command in ["poll_bgp_sessions", "configure_routers"] {
        let ran = program.run([command, "--limit", "edge1,edge2", "--tasks"]).await.expect(1);
        ran.says("no router is called edge1, edge2; there are none");
        let none = program.run([command, "--tasks"]).await.expect(0);
        assert_eq!(none.stdout, "There is no router to do it on; nothing was added.\n");
    }
    assert_eq!(program.jobs().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_told_by_the_exit_code() {
    each_engine(async |database| {
        // Nobody answers there.
        let program = Program::on(database);
        let failing = put(&program, &["peeringdb_sync"]).await["job"].take();
        let well = put(&program, &["housekeeping"]).await["job"].take();
        let told = program.run(["worker", "--once", "--json"]).await.expect(4).json();
        assert_eq!((&told["completed"], &told["failed"]), (&json!(1), &json!(1)));
        assert_eq!(status(&program, &failing).await, "failed");
        assert_eq!(status(&program, &well).await, "completed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_left_is_closed_and_done_again() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let (worker, job) = stuck(&program, &server).await;
        let waits = put(&program, &["housekeeping"]).await["job"].take();
        worker.kill().await;
        assert_eq!(status(&program, &job).await, "running", "nobody was there to say otherwise");

        let began = Instant::now();
        let ran = once(&program, 0).await;
        assert!(began.elapsed() < AT_ONCE, "nobody waits for a dead one's lease: {:?}", began.elapsed());
        let again = job.as_i64().unwrap() + 2;
        ran.says(&format!("job {job} (peeringdb_sync) was closed"))
            .says(&format!("job {again} does it again"));
        let closed = program.job(job.as_i64().unwrap()).await;
        assert_eq!((&closed["status"], &closed["outcome"]), (&json!("errored"), &json!("lost")));
        assert_eq!(program.job(again).await["repeat_of"], job);
        for id in [json!(again), waits] {
            assert_eq!(status(&program, &id).await, "completed");
        }
        assert_same(&program.cache().await, &oracle(&server, Caller::Anonymous), "after the second attempt");
    })
    .await;
}

/// The guard was overruled by somebody who had looked; nobody looks before a repetition.
#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_repeated_is_not() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 3).await;
    let program = Program::on(&database).asking(&server);
    server.fault(Some(Namespace::Poc), Fault::once(FaultKind::Hang));
    let job = put(&program, &["peeringdb_sync", "--force"]).await["job"].take();
    let worker = program.spawn(["worker"]);
    asked(&server, Namespace::Poc, 0).await;
    worker.kill().await;
    let asked_before = count_asked(&server, Namespace::Org);
    once(&program, 0).await.says(&format!("job {job} (peeringdb_sync) was closed")).never_says("again");
    assert_eq!(status(&program, &job).await, "errored");
    assert_eq!((program.jobs().await.len(), count_asked(&server, Namespace::Org)), (1, asked_before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_back_what_runs() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server).set("worker_stop_seconds", 0);
        for signal in ["TERM", "INT"] {
            let (worker, job) = stuck(&program, &server).await;
            let waits = put(&program, &["housekeeping"]).await;
            assert_eq!(waits["workers"], 1);
            let began = Instant::now();
            worker.signal(signal).await;
            let ended = worker.ended().await.expect(0).says("1 cancelled");
            assert!(began.elapsed() < AT_ONCE, "{signal}: {:?}", began.elapsed());
            assert!(!ended.stderr.contains("panicked"), "{ended}");
            let handed_back = program.job(job.as_i64().unwrap()).await;
            assert_eq!(handed_back["status"], "cancelled");
            let said = handed_back["error"].as_str().unwrap();
            let again = said.split("; job ").nth(1).unwrap().split(' ').next().unwrap();
            let again = program.job(again.parse().unwrap()).await;
            assert_eq!((&again["status"], &again["repeat_of"]), (&json!("pending"), &job), "{said}");
            assert_eq!(status(&program, &waits["job"]).await, "pending");
        }
        assert!(program.cache().await.values().all(std::collections::BTreeMap::is_empty));
        // Nothing is left behind: the next one goes on at once.
        put(&program, &["peeringdb_sync"]).await;
        once(&program, 0).await.says("2 jobs completed").never_says("was closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_run_from_the_command_line() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        server.fault(Some(Namespace::Poc), Fault::once(FaultKind::Hang));
        let run = program.spawn(["peeringdb_sync"]);
        asked(&server, Namespace::Poc, 0).await;
        let waits = put(&program, &["peeringdb_sync"]).await["job"].take();
        let other = put(&program, &["housekeeping"]).await["job"].take();
        let worker = program.spawn(["worker", "--once", "--concurrency", "1"]);
        reaches(&program, &other, "completed").await;
        let shown = program.run(["jobs", "show", &waits.to_string()]).await.expect(0).stdout;
        assert!(
            shown.contains(&format!("waits for  peeringdb_sync, held by process {} on ", run.id())),
            "{shown}"
        );
        run.signal("TERM").await;
        run.ended().await.expect(1);
        worker.ended().await.expect(0).says("2 jobs completed");
        assert_eq!(status(&program, &waits).await, "completed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_cancelled_by_number() {
    each_engine(async |database| {
        let server = lab(0.01, 3).await;
        let program = Program::on(database).asking(&server);
        let (worker, runs) = stuck(&program, &server).await;
        let waits = put(&program, &["peeringdb_sync", "--full"]).await["job"].take();
        let (one, other) = (waits.to_string(), runs.to_string());
        let ran = program.run(["jobs", "cancel", &one, &other]).await.expect(0).stdout;
        assert!(ran.contains(&format!("Job {one} (peeringdb_sync) was cancelled before it began.")), "{ran}");
        assert!(ran.contains(&format!("Job {other} (peeringdb_sync) will end at its next pause.")), "{ran}");
        reaches(&program, &runs, "cancelled").await;
        assert_eq!(status(&program, &waits).await, "cancelled");
        program.run(["jobs", "cancel", &one]).await.expect(0);
        // The worker goes on.
        let next = put(&program, &["housekeeping"]).await["job"].take();
        reaches(&program, &next, "completed").await;
        worker.signal("TERM").await;
        worker.ended().await.expect(0).says("somebody asked for the end");
        let late = program.run(["jobs", "cancel", &next.to_string(), "--json"]).await.expect(1).json();
        assert_eq!(late["jobs"][0]["result"], "over");
        program.run(["jobs", "cancel", "4711"]).await.expect(1).says("there is no job 4711");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_a_time_limit() {
    each_engine(async |database| {
        // Takes connections and says nothing.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/releases", silent.local_addr().unwrap());
        let program = Program::on(database).set("release_check_url", url).set("job_timeout", 1);
        let job = put(&program, &["housekeeping"]).await["job"].take();
        once(&program, 4).await.says("1 errored");
        let ended = program.job(job.as_i64().unwrap()).await;
        assert_eq!(ended["status"], "errored");
        assert!(ended["error"].as_str().unwrap().contains("1 s (job_timeout)"), "{ended}");
        drop(silent);
    })
    .await;
}

/// A newer release may have put there what this one has never heard of.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_left_alone() {
    each_engine(async |database| {
        let program = Program::on(database);
        let store = database.open().await;
        for (task, arguments) in
            [("brew_coffee", json!({})), ("housekeeping", json!({"dry_run": true, "depth": 7}))]
        {
            let new = pm_store::jobs::NewJob {
                job_id: format!("00000000-0000-0000-0000-{task:0>12.12}"),
                name: task.into(),
                task: task.into(),
                arguments,
                user_id: None,
            };
            let lock_key = Some("housekeeping".to_owned());
            let ask = pm_store::queue::Ask { lock_key, ..pm_store::queue::Ask::new(new, "default") };
            pm_store::queue::add(&store, &ask, epoch()).await.unwrap();
        }
        store.close().await;
        let own = put(&program, &["housekeeping"]).await["job"].take();
        let ran = once(&program, 0).await;
        let ran = ran.says("job 1 (brew_coffee) is left to a worker of a newer release");
        ran.says("no argument depth").says("jobs cancel 2");
        assert_eq!(status(&program, &own).await, "completed");
        for id in [1, 2] {
            assert_eq!(program.job(id).await["status"], "pending");
        }
        let doctor = program.run(["doctor", "--json"]).await.expect(0).json();
        let told = doctor["findings"].to_string();
        assert!(told.contains("2 jobs wait for a worker, and none is at work"), "{told}");
    })
    .await;
}

/// Deployments through the queue, into files.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_configures_routers_and_makes_plans() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        let world = |text: &str| {
            let routers: String = ["edge1", "edge2"]
                .map(|name| {
                    format!(
                        "  - {{name: {name}, hostname: {name}.example.net, local_autonomous_system: 64500, \
                         configuration_template: edge, napalm_args: {{file_target: {{directory: {}}}}}}}\n",
                        program.path("files").display()
                    )
                })
                .concat();
            let world = format!(
                "format: peering-manager objects\nversion: 1\n\
                 autonomous_systems:\n  - {{asn: 64500, name: Own, affiliated: true}}\n\
                 configurations:\n  - {{name: edge, template: \"{text} {{{{ router.hostname }}}}\"}}\n\
                 routers:\n{routers}"
            );
            std::fs::write(program.path("world.yaml"), world).unwrap();
        };
        std::fs::create_dir(program.path("files")).unwrap();
        let file = |name: &str| std::fs::read_to_string(program.path("files").join(name)).ok();
        world("first");
        program.run(["import", "world.yaml"]).await.expect(0);

        let asked = put(&program, &["configure_routers", "--user", "olga"]).await;
        let names: Vec<&Json> = asked["jobs"].as_array().unwrap().iter().map(|job| &job["router"]).collect();
        assert_eq!(names, ["edge1", "edge2"], "a job for each: {asked}");
        let job = &asked["jobs"][0];
        let more = put(&program, &["configure_routers", "--user", "olga", "--limit", "edge2"]).await;
        let more = &more["jobs"][0];
        assert_eq!((&job["place"], &more["place"], &more["joined"]), (&json!(1), &json!(2), &json!(true)));
        assert_eq!(more["job"], asked["jobs"][1]["job"]);
        assert_eq!(file("edge1"), None, "nothing happens before a worker is there");
        once(&program, 0).await;
        assert_eq!(file("edge1").as_deref(), Some("first edge1.example.net"));
        assert_eq!(file("edge2").as_deref(), Some("first edge2.example.net"));
        let done = program.job(job["job"].as_i64().unwrap()).await;
        assert_eq!((&done["status"], &done["outcome"]), (&json!("completed"), &json!("ok")), "{done}");
        let listed = program.run(["deployments", "list", "--json"]).await.expect(0).json();
        let rows = listed["deployments"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row["user_name"] == "olga" && row["status"] == "written"), "{listed}");

        world("second");
        program.run(["import", "world.yaml"]).await.expect(0);
        let job = put(&program, &["configure_routers", "--dry-run"]).await;
        once(&program, 0).await;
        assert_eq!(file("edge1").as_deref(), Some("first edge1.example.net"), "a plan changes nothing");
        let plan = &program.job(job["job"].as_i64().unwrap()).await["data"]["plan"];
        let words = ["configure_routers", "--apply", &plan.to_string(), "--limit", "edge1"];
        put(&program, &words).await;
        once(&program, 0).await;
        assert_eq!(file("edge1").as_deref(), Some("second edge1.example.net"));
        assert_eq!(file("edge2").as_deref(), Some("first edge2.example.net"));
        let listed =
            program.run(["deployments", "list", "--router", "edge1", "--json"]).await.expect(0).json();
        let newest = listed["deployments"][0]["id"].to_string();
        let diff = program.run(["deployments", "diff", &newest]).await.expect(0).stdout;
        assert!(diff.contains("-first edge1") && diff.contains("+second edge1"), "{diff}");
        // What is left of the plan shows its difference.
        let left = program.run(["configure_routers", "--dry-run", "--json"]).await.expect(0).json();
        let diffs: Vec<&Json> =
            left["data"]["routers"].as_array().unwrap().iter().map(|one| &one["diff"]).collect();
        assert!(
            diffs[0].is_null() && diffs[1].as_str().unwrap().contains("+second edge2.example.net"),
            "{left}"
        );
    })
    .await;
}
