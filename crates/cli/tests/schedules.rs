//! Schedules, as an operator meets them.

use std::collections::BTreeSet;

use crate::support::{Program, Ran, each_engine, until};
use chrono::{DateTime, Utc};
use pm_store::testing::{TestDatabase, epoch};
use serde_json::{Value as Json, json};

async fn list(program: &Program) -> Vec<Json> {
    let mut listed = program.run(["schedule", "list", "--json"]).await.expect(0).json();
    serde_json::from_value(listed["schedules"].take()).unwrap()
}

async fn schedule(program: &Program, name: &str) -> Json {
    program.run(["schedule", "show", name, "--json"]).await.expect(0).json()
}

async fn set(program: &Program, arguments: &[&str]) -> Ran {
    program.run([&["schedule", "set"], arguments].concat()).await
}

async fn doctor(program: &Program) -> Vec<String> {
    let found = program.run(["doctor", "--json"]).await.json();
    found["findings"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_listed_set_and_deleted() {
    each_engine(async |database| {
        let program = Program::on(database);
        let at_first = list(&program).await;
        let told: Vec<(&str, &str, bool)> = at_first
            .iter()
            .map(|one| {
                let enabled = one["enabled"].as_bool().unwrap();
                assert_eq!(one["next"].is_object(), enabled, "{one}");
                (one["name"].as_str().unwrap(), one["cron"].as_str().unwrap(), enabled)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("configure_routers", "55 * * * *", false),
                ("grab_prefixes", "30 4 * * *", true),
                ("housekeeping", "30 1 * * *", true),
                ("peeringdb_sync", "30 2 * * *", true),
                ("poll_bgp_sessions", "0 * * * *", true),
            ]
        );
        let text = program.run(["schedule", "list"]).await.expect(0).says("no scheduler is at work");
        assert!(text.stdout.contains("peeringdb_sync     peeringdb_sync     30 2 * * *"), "{text}");

        let line = [
            "night",
            "--cron",
            "30 2 * * *",
            "--task",
            "peeringdb_sync",
            "--arguments",
            r#"{"full": true}"#,
            "--jitter",
            "5m",
            "--time-zone",
            "Europe/Berlin",
            "--misfire",
            "skip",
            "--only-if",
            "after housekeeping ok",
        ];
        let made = set(&program, &line).await.expect(0);
        assert!(made.stdout.starts_with("The schedule night is set; its next slot is "), "{made}");
        let again = set(&program, &line).await.expect(0);
        assert_eq!(again.stdout, "The schedule night is so already.\n");
        let shown = schedule(&program, "night").await["schedule"].take();
        for (field, value) in [
            ("task", json!("peeringdb_sync")),
            ("arguments", json!({"full": true, "force": false, "from": null})),
            ("cron", json!("30 2 * * *")),
            ("interval_seconds", Json::Null),
            ("jitter_seconds", json!(300)),
            ("time_zone", json!("Europe/Berlin")),
            ("misfire", json!("skip")),
            ("conditions", json!(["after housekeeping ok"])),
            ("enabled", json!(true)),
        ] {
            assert_eq!(shown[field], value, "{field}");
        }
        assert_eq!(shown["next"]["time_zone"], "Europe/Berlin");
        set(&program, &["night", "--interval", "6h", "--time-zone", "default", "--only-if", "always"])
            .await
            .expect(0);
        let shown = schedule(&program, "night").await["schedule"].take();
        assert_eq!(
            (&shown["cron"], &shown["interval_seconds"], &shown["conditions"], &shown["time_zone"]),
            (&Json::Null, &json!(21_600), &json!([]), &Json::Null)
        );

        program.run(["schedule", "disable", "night", "housekeeping"]).await.expect(0);
        let enabled: Vec<bool> =
            list(&program).await.iter().map(|one| one["enabled"].as_bool().unwrap()).collect();
        assert_eq!(enabled, [false, true, false, false, true, true]);
        let next = program.run(["schedule", "next", "night"]).await.expect(0).says("is not enabled");
        assert!(next.stdout.contains("night"), "{next}");
        program.run(["schedule", "enable", "night", "configure_routers"]).await.expect(0);
        let deleted = program.run(["schedule", "delete", "night"]).await.expect(0);
        assert_eq!(deleted.stdout, "The schedule night is removed; its jobs stay.\n");
        for command in ["show", "delete", "enable", "disable", "run", "next"] {
            program.run(["schedule", command, "night"]).await.expect(1).says("there is no schedule night; ");
        }
        assert_eq!(list(&program).await.len(), 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_schedules_are_refused_by_field() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let before = list(&program).await;
    for (arguments, says) in [
        (&["x", "--cron", "0 3 * * *"][..], "task: there is no task \"x\""),
        (&["x", "--task", "housekeeping"], "cron: a new schedule needs"),
        (
            &["x", "--task", "peeringdb_flush", "--cron", "@daily"],
            "a flush cannot be run as a background task",
        ),
        (
            &["peeringdb_sync", "--cron", "*/30 * * * *"],
            "once an hour or less often (https://docs.peeringdb.com/",
        ),
        (&["peeringdb_sync", "--interval", "59m"], "59 min apart"),
        (&["peeringdb_sync", "--arguments", r#"{"force": true}"#], "force overrules a guard"),
        (&["peeringdb_sync", "--arguments", "full"], "arguments: this is no JSON"),
        (&["peeringdb_sync", "--arguments", "[1]"], "arguments: this is no JSON object"),
        (&["housekeeping", "--cron", "61 * * * *"], "cron: \"61\" is no minute"),
        (&["housekeeping", "--jitter", "soon"], "jitter: \"soon\" is no number of seconds"),
        (&["housekeeping", "--jitter", "1d"], "jitter: 86400 s is not less than"),
        (&["housekeeping", "--time-zone", "Mars/Olympus"], "time_zone: \"Mars/Olympus\" is no time zone"),
        (
            &["housekeeping", "--only-if", "always", "--only-if", "irr fresh 2d"],
            "`always` goes with no condition",
        ),
        (&["housekeeping", "--only-if", "after nothing ok"], "only_if: there is no schedule and no task"),
        (&["housekeeping", "--misfire", "perhaps"], "run-once"),
        (&["housekeeping", "--cron", "@daily", "--interval", "60"], "cannot be used with"),
    ] {
        let ran = set(&program, arguments).await.expect(2).says(says);
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(list(&program).await, before, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn coming_slots_are_told_in_their_zone() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database).set("time_zone", "Asia/Kathmandu");
    let next = program.run(["schedule", "next", "--count", "60", "--json"]).await.expect(0).json();
    let slots = next["slots"].as_array().unwrap();
    assert_eq!(slots.len(), 60);
    let due: Vec<DateTime<Utc>> =
        slots.iter().map(|slot| slot["due"].as_str().unwrap().parse().unwrap()).collect();
    assert!(due.is_sorted());
    let names: BTreeSet<&str> = slots.iter().map(|slot| slot["schedule"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 4, "what is not enabled is not to come: {names:?}");
    let sync = slots.iter().find(|slot| slot["schedule"] == "peeringdb_sync").unwrap();
    assert!(sync["local"].as_str().unwrap().ends_with("02:30:00 +0545"), "{sync}");
    let time: DateTime<Utc> = sync["slot"].as_str().unwrap().parse().unwrap();
    assert_eq!(time.format("%H:%M").to_string(), "20:45");
    let text = program.run(["schedule", "next", "peeringdb_sync", "--count", "2"]).await.expect(0).stdout;
    assert_eq!(text.matches("02:30:00 +0545  peeringdb_sync").count(), 2, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_is_a_job_of_its_own() {
    each_engine(async |database| {
        let program = Program::on(database);
        let before = schedule(&program, "housekeeping").await;
        let ran = program
            .run(["schedule", "run", "housekeeping", "--json"])
            .await
            .expect(0)
            .says("no worker")
            .json();
        assert_eq!(
            (&ran["job"], &ran["task"], &ran["joined"]),
            (&json!(1), &json!("housekeeping"), &json!(false))
        );
        let again = program.run(["schedule", "run", "housekeeping"]).await.expect(0).stdout;
        assert!(again.starts_with("Job 1 (housekeeping) waits with the same arguments already;"), "{again}");
        program.run(["worker", "--once"]).await.expect(0);
        assert_eq!(program.job(1).await["status"], "completed");
        let after = schedule(&program, "housekeeping").await;
        assert_eq!((&after["slots"], &after["schedule"]["last_job"]), (&json!([]), &Json::Null));
        assert_eq!(after["schedule"]["next"], before["schedule"]["next"]);
    })
    .await;
}

/// The service of a host answers those who watch over it without being told to. If it cannot, it does not look as if it could.
#[tokio::test(flavor = "multi_thread")]
async fn run_answers_unless_it_is_told_not_to() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    // Whoever has the usual port, it is in use from now on.
    let usual = std::net::TcpListener::bind("127.0.0.1:8001");
    program
        .run(["run"])
        .await
        .expect(1)
        .says(
            "which --no-listen switches off: cannot listen on 127.0.0.1:8001: choose another with --listen: ",
        )
        .says("in use")
        .never_says("at work");
    drop(usual);
    let help = program.run(["run", "--help"]).await.expect(0);
    assert!(help.stdout.contains("[default: 127.0.0.1:8001]"), "{help}");
}

/// With a fast clock, `run` does what a day brings in a few seconds, and leaves in order.
#[tokio::test(flavor = "multi_thread")]
#[cfg(feature = "lab")]
async fn one_process_runs_what_is_scheduled() {
    each_engine(async |database| {
        let program = Program::on(database);
        for name in ["peeringdb_sync", "grab_prefixes", "poll_bgp_sessions"] {
            program.run(["schedule", "disable", name]).await.expect(0);
        }
        set(&program, &["housekeeping", "--cron", "*/10 * * * *"]).await.expect(0);
        assert!(doctor(&program).await.iter().any(|text| text.contains("no scheduler has ever run")));
        let started = program.run(["jobs", "list", "--json"]).await.expect(0);
        assert_eq!(started.json()["jobs"], json!([]));
        let running = program.spawn([
            "run",
            "--no-listen",
            "--worker-concurrency",
            "1",
            "--time-lapse",
            "600",
            "--since",
            "2031-01-01T00:00:00Z",
            "--started",
            &now(),
        ]);
        until(async || finished(&program).await >= 2, "two jobs have run").await;
        assert!(doctor(&program).await.iter().any(|text| text.contains("1 schedulers are at work")));
        // Somebody changes it while it runs.
        set(&program, &["housekeeping", "--arguments", r#"{"dry_run": true}"#]).await.expect(0);
        until(
            async || program.jobs().await.iter().any(|job| job["arguments"] == json!({"dry_run": true})),
            "the change is seen",
        )
        .await;
        running.signal("TERM").await;
        let ended = running.ended().await.expect(0);
        ended
            .says("run: worker and scheduler at work, one job at a time")
            .says("schedule housekeeping: job 1 is queued")
            .says("run: ended;");
        let shown = schedule(&program, "housekeeping").await;
        let slots = shown["slots"].as_array().unwrap();
        let queued: BTreeSet<i64> = slots.iter().filter_map(|slot| slot["job_id"].as_i64()).collect();
        let listed: BTreeSet<i64> =
            program.jobs().await.iter().map(|job| job["id"].as_i64().unwrap()).collect();
        assert!(queued.is_subset(&listed), "{queued:?} of {listed:?}");
        assert!(
            slots.iter().all(|slot| slot["slot"].as_str().unwrap().starts_with("2031-01-01T")),
            "{shown}"
        );
        assert!(program.jobs().await.iter().all(|job| !job["created"].as_str().unwrap().starts_with("2031")));
        let found = doctor(&program).await;
        assert!(
            found.iter().any(|text| text.contains("schedules are enabled, and no scheduler is at work")),
            "{found:?}"
        );
    })
    .await;
}

#[cfg(feature = "lab")]
async fn finished(program: &Program) -> usize {
    program.jobs().await.iter().filter(|job| job["status"] == "completed").count()
}

#[cfg(feature = "lab")]
#[expect(clippy::disallowed_methods, reason = "the program's clock is the machine's")]
fn now() -> String {
    Utc::now().to_rfc3339()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_is_late_is_named() {
    let database = TestDatabase::sqlite();
    let program = Program::on(&database);
    let store = database.open().await;
    let planned = "UPDATE core_schedule SET next_run = ?, due = ? WHERE name = 'housekeeping'";
    store.execute(planned, vec![epoch().into(), epoch().into()]).await.unwrap();
    let found = doctor(&program).await;
    let late = "The schedule housekeeping should have run at 2026-01-01 00:00:00 UTC and did not.";
    assert!(found.iter().any(|text| text == late), "{found:?}");
    // One that is there does it at once, and tells a worker is lacking.
    let scheduler = program.spawn(["scheduler"]);
    until(async || program.jobs().await.len() == 1, "the slot is run").await;
    let found = doctor(&program).await;
    assert!(found.iter().any(|text| text.contains("no worker is at work to run them")), "{found:?}");
    let shown = program.run(["jobs", "show", "1"]).await.expect(0).stdout;
    assert!(shown.contains("  schedule   housekeeping, for 20"), "{shown}");
    let shown = program.run(["jobs", "show", "1", "--json"]).await.expect(0).json();
    assert_eq!(shown["scheduled"]["schedule"], "housekeeping");
    scheduler.signal("INT").await;
    scheduler.ended().await.expect(0).says("scheduler: at work").says("scheduler: ended");
}
