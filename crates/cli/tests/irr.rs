//! IRR data from the command line: what is printed, how it ends, and what a kill leaves behind.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{Program, each_engine};
use pm_lab::irrd::{Options, Server, World};
use pm_store::testing::TestDatabase;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value as Json;

/// AS numbers in the tests.
const ASNS: [u32; 3] = [64_496, 64_497, 64_498];

/// Two sets of one AS each, with so many routes that do not aggregate.
fn rpsl(routes: u32, third_octet_step: u32) -> String {
    let mut text = String::new();
    for (place, asn) in ASNS.iter().enumerate() {
        let member = asn - 60_000;
        write!(text, "as-set: AS-PEER{asn}\nmembers: AS{member}\nmnt-by: M\nsource: RIPE\n\n").unwrap();
        for route in 0..routes {
            let (second, third) =
                (route / 128 + 16 * u32::try_from(place).unwrap(), (route % 128) * third_octet_step % 256);
            let route = format!("route: 10.{second}.{third}.0/24");
            write!(text, "{route}\norigin: AS{member}\nmnt-by: M\nsource: RIPE\n\n").unwrap();
        }
    }
    text
}

async fn serve(text: &str) -> Server {
    Server::start(Arc::new(World::from_rpsl(text).unwrap()), Options::default()).await.unwrap()
}

/// The program with the three autonomous systems, asking this server.
async fn program(database: &TestDatabase, server: &Server) -> Program {
    let program = asking(Program::on(database), server);
    let asns = ASNS.map(|asn| asn.to_string());
    let mut arguments = vec!["as", "add"];
    arguments.extend(asns.iter().map(String::as_str));
    program.run(arguments).await.expect(0);
    let store = database.open().await;
    let sql = "UPDATE peering_autonomoussystem SET irr_as_set = 'AS-PEER' || CAST(asn AS TEXT)";
    store.execute(sql, vec![]).await.unwrap();
    store.close().await;
    program
}

fn asking(program: Program, server: &Server) -> Program {
    program
        .set("bgpq3_host", server.address().to_string())
        .set("bgpq3_sources", "RIPE")
        .set("irr_idle_timeout", 30)
}

async fn shown(program: &Program, asn: u32) -> Json {
    program.run(["--json", "irr", "show", &asn.to_string(), "--generation"]).await.expect(0).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_fetched_shown_compared_and_found() {
    each_engine(async |database| {
        let server = serve(&rpsl(3, 2)).await;
        let program = program(database, &server).await;
        let ran = program.run(["grab_prefixes"]).await.expect(0);
        assert!(ran.stderr.contains("`grab_prefixes` is deprecated"), "{}", ran.stderr);
        let ran = program.run(["--json", "get_irr_data", "--asn", "64496,AS64497"]).await.expect(0).json();
        assert_eq!((ran["data"]["changed"].as_i64(), ran["data"]["same"].as_i64()), (Some(2), Some(4)));

        let lists = shown(&program, 64_496).await["lists"].clone();
        assert_eq!(lists["ipv4"], serde_json::json!(["10.0.0.0/24", "10.0.2.0/24", "10.0.4.0/24"]));
        assert_eq!(lists["as_list"], serde_json::json!(["AS4496", "AS64496"]));
        let text = program.run(["irr", "show", "AS64496"]).await.expect(0).stdout;
        assert!(text.contains("ipv4          3 entries") && text.contains("AS-PEER64496"), "{text}");
        let who = program.run(["irr", "who", "10.16.2.0/24"]).await.expect(0).stdout;
        assert!(who.contains("64497") && !who.contains("64496"), "{who}");
        let why = program.run(["irr", "explain", "64496", "10.0.2.0/24"]).await.expect(0).stdout;
        assert!(why.contains("AS4496") && why.contains("RIPE") && why.contains("AS-PEER64496"), "{why}");

        let server = serve(&rpsl(4, 2)).await;
        let program = asking(program, &server);
        program.run(["get_irr_data", "-a", "64496"]).await.expect(0);
        let diff = program.run(["irr", "diff", "64496"]).await.expect(0).stdout;
        assert_eq!(diff.trim(), "+ ipv4    10.0.6.0/24");
        program.run(["irr", "show", "64496", "--generation", "9"]).await.expect(1);
        program.run(["irr", "show", "1"]).await.expect(1);
        program.run(["irr", "who", "nonsense"]).await.expect(2);
        program.run(["get_irr_data", "--asn", "x"]).await.expect(2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_is_reviewed_and_accepted() {
    each_engine(async |database| {
        let server = serve(&rpsl(40, 2)).await;
        let program = program(database, &server).await;
        program.run(["get_irr_data"]).await.expect(0);
        let server = serve(&rpsl(4, 2)).await;
        let program = asking(program, &server);
        let ran = program.run(["-q", "get_irr_data"]).await.expect(4);
        assert!(ran.stderr.contains("Held back: AS64496 ipv4"), "{}", ran.stderr);
        let review = program.run(["irr", "review"]).await.expect(0).stdout;
        assert_eq!(
            review.lines().filter(|line| line.contains("shrinks from 40 to 4")).count(),
            3,
            "{review}"
        );
        let diff = program.run(["irr", "diff", "64496", "--held"]).await.expect(0).stdout;
        assert_eq!(diff.lines().filter(|line| line.starts_with("- ipv4")).count(), 36, "{diff}");
        program.run(["irr", "accept", "64496"]).await.expect(0);
        assert_eq!(shown(&program, 64_496).await["lists"]["ipv4"].as_array().unwrap().len(), 4);
        assert_eq!(shown(&program, 64_497).await["lists"]["ipv4"].as_array().unwrap().len(), 40);
        program.run(["get_irr_data", "--force"]).await.expect(0);
        let review = program.run(["irr", "review"]).await.expect(0).stdout;
        assert!(review.contains("Nothing is held back."), "{review}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_prints_what_bgpq4_prints_and_says_when_there_is_nothing() {
    let server = serve(&rpsl(9, 1)).await;
    let host = server.address().to_string();
    let program = Program::with_url("sqlite:///nonexistent/never.db");
    let bgpq4 = std::process::Command::new("bgpq4").arg("-v").output().is_ok();
    if !bgpq4 {
        eprintln!("skipped: bgpq4 is not installed");
    }
    for arguments in [
        &["-4", "-A", "-j", "-l", "x", "AS-PEER64496"][..],
        &["-jl", "NAME", "-R", "26", "AS-PEER64496", "AS4497"],
        &["-4Aj", "-m24", "-S", "RIPE", "RIPE::AS-PEER64498", "EXCEPT", "AS1"],
        &["-j", "-t", "-W", "1", "AS-PEER64496", "AS-PEER64497"],
        &["-j", "-f", "1", "AS-PEER64496"],
        &["-6", "-j", "192.0.2.0/24", "AS4496"],
        &["-4", "-j", "192.0.2.0/24^25-26"],
    ] {
        let mut ours = vec!["irr", "query", "-h", &host];
        ours.extend(arguments);
        let ours = program.run(ours).await;
        if bgpq4 && arguments[0] != "-6" {
            let theirs =
                std::process::Command::new("bgpq4").args(["-h", &host]).args(arguments).output().unwrap();
            assert_eq!(ours.stdout, String::from_utf8(theirs.stdout).unwrap(), "{arguments:?}");
            assert_eq!(ours.code, 0, "{arguments:?}: {}", ours.stderr);
        }
    }
    let ran = program.run(["irr", "query", "-h", &host, "AS-NOBODY"]).await.expect(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("AS-NOBODY"), "{}", ran.stderr);
    program.run(["irr", "query", "-h", &host, "-S", "NOPE", "AS-PEER64496"]).await.expect(1);
    program.run(["irr", "query", "-h", "127.0.0.1:9", "AS-PEER64496"]).await.expect(1);
    program.run(["irr", "query", "-h", &host, "-A", "-t", "AS-PEER64496"]).await.expect(2);
    program.run(["irr", "query", "-h", &host, "NONSENSE"]).await.expect(2);
}

/// Runs that are killed, per engine.
const KILLS: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_each_autonomous_system_old_or_new() {
    each_engine(async |database| {
        let worlds = [serve(&rpsl(200, 2)).await, serve(&rpsl(200, 1)).await];
        let mut program = program(database, &worlds[0]).await;
        program.run(["get_irr_data"]).await.expect(0);
        let old = shown(&program, 64_496).await["lists"]["ipv4"].clone();
        program = asking(program, &worlds[1]);
        let began = Instant::now();
        program.run(["get_irr_data"]).await.expect(0);
        let mut takes = began.elapsed();
        let new = shown(&program, 64_496).await["lists"]["ipv4"].clone();
        assert_ne!(old, new, "a world without changes proves nothing");
        let states = [old, new];
        let mut random = SmallRng::seed_from_u64(3);
        let mut killed = 0;
        for kill in 0..KILLS {
            program = asking(program, &worlds[usize::try_from(kill).unwrap() % 2]);
            let delay = takes.mul_f64(random.random_range(0.0..1.2));
            let running = program.spawn(["get_irr_data"]);
            tokio::time::sleep(delay).await;
            if running.kill().await.code == 137 {
                killed += 1;
            } else {
                // The first run was slower than those after it.
                takes = takes.mul_f64(0.7);
            }
            let held = shown(&program, 64_496).await["lists"]["ipv4"].clone();
            assert!(
                states.contains(&held),
                "killed after {delay:?}: {} entries",
                held.as_array().unwrap().len()
            );
        }
        assert!(killed > KILLS / 4, "only {killed} runs were killed before their end");
        let began = Instant::now();
        program.run(["get_irr_data"]).await.expect(0);
        assert!(began.elapsed() < Duration::from_mins(1), "a killed run holds nobody up");
        let held = shown(&program, 64_496).await["lists"]["ipv4"].clone();
        assert_eq!(held, states[usize::try_from(KILLS - 1).unwrap() % 2]);
    })
    .await;
}
