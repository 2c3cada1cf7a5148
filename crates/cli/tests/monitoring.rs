//! Metrics and health as Prometheus and a load balancer meet them, and the alerts and the dashboard that ship with the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{Program, each_engine, lab, until};
use chrono::{DateTime, TimeDelta, Utc};
use pm_store::Store;
use pm_store::testing::TestDatabase;
use pm_tasks::AnyTask;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

fn contrib(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(contrib(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Runs promtool with this input: whether it was content, and what it said. Nothing if it is not installed, which CI sees to.
async fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: promtool (Debian package prometheus) is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// An address that nobody listens on; somebody might in between, which no other test here does.
async fn free() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// Status and body of an answer, once somebody answers.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = None;
    until(
        async || {
            stream = TcpStream::connect(address).await.ok();
            stream.is_some()
        },
        "somebody listens",
    )
    .await;
    let mut stream = stream.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let pieces = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    pieces.filter(|piece| piece.starts_with("peering_manager_")).map(str::to_owned).collect()
}

const WORLD: &str = "format: peering-manager objects
version: 1
autonomous_systems:
  - {asn: 64500, name: Own, affiliated: true}
  - {asn: 64501, name: Peer}
relationships:
  - {name: Peering, slug: peering}
routers:
  - {name: edge1.ams, hostname: 192.0.2.1, status: enabled, local_autonomous_system: 64500,
     poll_bgp_sessions_state: true}
direct_peering_sessions:
";

/// A database in which everything has happened once: two sessions of a router that was polled an hour ago, one of them up.
async fn lived(program: &Program) {
    let mut world = WORLD.to_owned();
    for host in [1, 2] {
        writeln!(
            world,
            "  - {{local_autonomous_system: 64500, autonomous_system: 64501, ip_address: 198.51.100.{host}, \
             relationship: peering, status: enabled, router: edge1.ams}}"
        )
        .unwrap();
    }
    let document = program.path("world.yaml");
    std::fs::write(&document, world).unwrap();
    program.run([Path::new("import"), &document]).await.expect(0);
    program.run(["peeringdb_sync"]).await.expect(0);
    program.run(["housekeeping"]).await.expect(0);
    program.run(["deployments", "freeze", "holidays"]).await.expect(0);
    let store = Store::open(program.database_url()).await.unwrap();
    let polled: DateTime<Utc> = pm_tasks::Clock::now(&pm_tasks::SystemClock) - TimeDelta::hours(1);
    for sql in [
        "UPDATE devices_router SET poll_bgp_sessions_last_updated = ?",
        "INSERT INTO peering_sessionpoll (direct_id, polled, state, since, flaps) \
         SELECT MIN(id), ?, 'established', MIN(created), 0 FROM peering_directpeeringsession",
        "INSERT INTO peering_irrstate (autonomous_system_id, kind, state, checked, answered) \
         SELECT MIN(id), 'ipv6', 'current', ?, MIN(created) FROM peering_autonomoussystem",
        // As a scheduler leaves it; none is at work, so that nothing begins while the test looks.
        "UPDATE core_schedule SET due = ?",
    ] {
        store.execute(sql, vec![polled.into()]).await.unwrap();
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_has_all_that_the_dashboard_and_the_alerts_ask_for() {
    each_engine(async |database| {
        let server = lab(0.01, 4).await;
        let program = Program::on(database)
            .asking(&server)
            .set("metrics_enabled", true)
            .set("secret_key", "planted-word".repeat(5))
            .set("napalm_password", "planted-word");
        lived(&program).await;
        let address = free().await;
        let worker = program.spawn(["worker", "--listen", &address]);
        let live = async || serde_json::from_str::<Json>(&get(&address, "/health/live").await.1).unwrap();
        until(async || live().await == json!({ "status": "live" }), "the worker is live").await;
        // What was told is kept for a moment, and the worker may not have signed on before.
        let mut text = String::new();
        until(
            async || {
                text = get(&address, "/metrics").await.1;
                text.contains("peering_manager_workers 1.0") && text.contains("{loop=\"courier\"}")
            },
            "the worker is counted",
        )
        .await;
        for line in [
            "peering_manager_sessions{kind=\"direct\",status=\"enabled\",state=\"established\"} 1.0",
            "peering_manager_sessions{kind=\"direct\",status=\"enabled\",state=\"unknown\"} 1.0",
            "peering_manager_router_sessions{router=\"edge1.ams\",state=\"wanted\"} 2.0",
            "peering_manager_router_sessions{router=\"edge1.ams\",state=\"established\"} 1.0",
            "peering_manager_router_sessions{router=\"edge1.ams\",state=\"down\"} 1.0",
            "peering_manager_irr_lists{state=\"current\"} 1.0",
            "peering_manager_guards_holding{guard=\"deployments_frozen\"} 1.0",
            "peering_manager_task_last_outcome{task=\"peeringdb_sync\",outcome=\"ok\"} 1.0",
            "peering_manager_worker_places 2.0",
            "peering_manager_notifications{state=\"given up\"} 0.0",
            "peering_manager_notifications_oldest_waiting_seconds 0.0",
        ] {
            assert!(text.lines().any(|one| one == line), "no line {line} in {text}");
        }
        assert!(text.contains("peering_manager_router_poll_age_seconds{router=\"edge1.ams\"} 36"), "{text}");
        let there = names(&text);
        for file in ["prometheus/alerts.yml", "prometheus/alerts-test.yml", "grafana/peering-manager.json"] {
            let asked = names(&read(file));
            assert!(!asked.is_empty() && asked.is_subset(&there), "{file}: {:?}", asked.difference(&there));
        }
        let (status, fresh) = get(&address, "/health/fresh").await;
        assert_eq!(status, 200, "{fresh}");
        for said in [&text, &fresh, &get(&address, "/health/ready").await.1] {
            assert!(!said.contains("planted-word") && !said.contains("holidays"), "{said}");
        }
        worker.signal("TERM").await;
        worker.ended().await.expect(0).never_says("planted-word");
        if let Some((content, said)) = promtool(&["check", "metrics"], &text).await {
            assert!(content && said.is_empty(), "{said}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_that_are_not_polled_are_named() {
    let database = TestDatabase::sqlite();
    let server = lab(0.01, 4).await;
    let program = Program::on(&database).asking(&server).set("poll_stale_after", 600);
    lived(&program).await;
    let address = free().await;
    let running = program.spawn(["server", "--listen", &address]);
    let (status, said) = get(&address, "/health/fresh").await;
    let said: Json = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &said["stale"]), (503, &json!(["polls"])), "{said}");
    let polls = said["checks"].as_array().unwrap().iter().find(|check| check["what"] == "polls").unwrap();
    assert_eq!((&polls["routers"], &polls["command"]), (&json!(["edge1.ams"]), &json!("poll_bgp_sessions")));
    assert_eq!(get(&address, "/metrics").await.0, 404, "nobody switched them on");
    program
        .run(["server", "--listen", &address])
        .await
        .expect(1)
        .says(&format!("cannot listen on {address}"));
    running.signal("TERM").await;
    running.ended().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alerts_are_raised_when_they_should_be() {
    let rules = contrib("prometheus/alerts.yml");
    let tests = contrib("prometheus/alerts-test.yml");
    for arguments in [["check", "rules", rules.to_str().unwrap()], ["test", "rules", tests.to_str().unwrap()]]
    {
        if let Some((content, said)) = promtool(&arguments, "").await {
            assert!(content && said.contains("SUCCESS") && !said.contains("FAILED"), "{said}");
        }
    }
    let tried = read("prometheus/alerts-test.yml");
    for alert in
        read("prometheus/alerts.yml").lines().filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        let raised = tried
            .split("- eval_time")
            .filter(|piece| piece.contains(&format!("alertname: {alert}\n")) && piece.contains("exp_alerts"));
        assert!(raised.count() > 0, "no test raises {alert}");
        assert!(tried.contains(&format!("alertname: {alert} }}")), "no test holds {alert} down");
    }
}

/// What people run by hand they see end.
#[test]
fn an_alert_is_about_what_can_be_run_by_itself() {
    let rules = read("prometheus/alerts.yml");
    let (_, rest) = rules.split_once("task_last_outcome{outcome=~\"failed|errored|lost\", task=~\"").unwrap();
    let told: BTreeSet<&str> = rest.split_once('"').unwrap().0.split('|').collect();
    let by_itself = AnyTask::NAMES.into_iter().filter(|name| {
        let task = serde_json::from_value::<AnyTask>(json!({ "task": name, "arguments": {} }));
        // A person looks at what was held back, each time.
        *name != "irr_accept" && task.is_ok_and(|task| task.as_task().queueable().is_ok())
    });
    assert_eq!(told, by_itself.collect());
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard: Json = serde_json::from_str(&read("grafana/peering-manager.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert!(target["expr"].as_str().unwrap().contains("peering_manager_"), "{target}");
        }
    }
}
