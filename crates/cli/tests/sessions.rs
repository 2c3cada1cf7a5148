//! `sessions list`, `show`, `unknown`, `import`, and `router list`, `show`, after what a poll would have stored; and what polls
//! and these commands must never say.

use crate::support::{Program, each_engine};
use chrono::{DateTime, TimeDelta, Utc};
use pm_store::Store;
use pm_store::polls::{self, Polled, SessionKind};
use pm_store::strangers::{self, Stranger};
use serde_json::json;

/// The program asks the machine for the time, so what a poll stored must be of today.
#[expect(clippy::disallowed_methods, reason = "the clock of the program that is tested")]
fn today() -> DateTime<Utc> {
    Utc::now()
}

const PASSWORD: &str = "Planted-router-password";
const SESSION_PASSWORD: &str = "Planted-session-password";
const ARGUMENT: &str = "Planted-argument-secret";
const KEY: &str = "Planted-private-key";

/// Two routers at one exchange; the second is not polled.
fn world(hostname: &str, arguments: &str) -> String {
    format!(
        "format: peering-manager objects
version: 1
autonomous_systems:
  - {{asn: 64500, name: Own, affiliated: true}}
  - {{asn: 64501, name: \"Peer\\e[31m one\", ipv4_max_prefixes: 100}}
  - {{asn: 64502, name: Peer two}}
platforms:
  - {{name: FRR, slug: frr, napalm_driver: frr}}
internet_exchanges:
  - {{name: Example IX, slug: ex-ix, local_autonomous_system: 64500}}
routers:
  - name: edge1
    hostname: {hostname}
    local_autonomous_system: 64500
    platform: frr
    poll_bgp_sessions_state: true
    napalm_username: netops
    napalm_password: {PASSWORD}
    napalm_args: {arguments}
  - {{name: edge2, hostname: edge2.example.net, local_autonomous_system: 64500, platform: frr}}
connections:
  - {{internet_exchange_point: ex-ix, router: edge1, interface: eth0, ipv4_address: 198.51.100.250/24}}
internet_exchange_peering_sessions:
  - {{ixp_connection: {{internet_exchange_point: ex-ix, router: edge1, interface: eth0}}, ip_address: 198.51.100.1,
     autonomous_system: 64501, password: {SESSION_PASSWORD}}}
  - {{ixp_connection: {{internet_exchange_point: ex-ix, router: edge1, interface: eth0}}, ip_address: 198.51.100.2,
     autonomous_system: 64502}}
"
    )
}

async fn import(program: &Program, text: &str) {
    std::fs::write(program.path("world.yaml"), text).unwrap();
    program.run(["import", "world.yaml"]).await.expect(0);
}

/// What a poll stores at this time: the first session near its limit, the second as given, and a neighbour without one.
async fn polled(program: &Program, time: DateTime<Utc>, second: Option<&'static str>) {
    let store = Store::open(program.database_url()).await.unwrap();
    let row = store.row("SELECT id FROM devices_router WHERE name = 'edge1'", vec![]).await.unwrap().unwrap();
    let router: i64 = row.get(0).unwrap();
    let mut transaction = store.begin().await.unwrap();
    let mut session = transaction.session();
    let rows = [
        Polled { id: 1, state: Some("established"), received: 95, near_limit: true, ..Polled::default() },
        Polled {
            id: 2,
            state: second,
            last_error: Some("Hold timer\u{7} expired".into()),
            ..Polled::default()
        },
    ];
    polls::store(&mut session, SessionKind::Ixp, &rows, time).await.unwrap();
    let stranger = Stranger {
        vrf: "default".into(),
        ip_address: "198.51.100.9".parse().unwrap(),
        asn: Some(64_502),
        local_asn: Some(64_500),
        local_ip_address: None,
        description: Some("their second\u{1b}[2J router".into()),
        state: "established".into(),
    };
    strangers::replace(&mut session, router, &[stranger], time).await.unwrap();
    polls::stamp(&mut session, router, time).await.unwrap();
    transaction.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn the_state_of_sessions_and_routers_is_told_with_its_age() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50)).set("poll_stale_after", 3_600);
        import(&program, &world("127.0.0.1", "{}")).await;
        let never = program.run(["sessions", "list"]).await.expect(0);
        assert!(never.stdout.contains("never"), "{never}");
        let now = today();
        polled(&program, now - TimeDelta::hours(30), Some("established")).await;
        polled(&program, now - TimeDelta::hours(3), Some("idle")).await;

        let listed = program.run(["sessions", "list"]).await.expect(0);
        for text in
            ["ixp:1", "ixp:2", "3 h ago, stale", "near its limit of 100 prefixes", "30 h", "went down once"]
        {
            assert!(listed.stdout.contains(text), "no {text:?} in {listed}");
        }
        assert!(!listed.stdout.contains(['\u{1b}', '\u{7}']), "{listed}");
        assert!(
            listed.stdout.ends_with("2 sessions, 1 established; of 2 nobody knows how they are now.\n"),
            "{listed}"
        );
        let down =
            program.run(["sessions", "list", "--down", "--router", "edge1", "--json"]).await.expect(0).json();
        assert_eq!(down["sessions"].as_array().unwrap().len(), 1);
        let one = &down["sessions"][0];
        assert_eq!((&one["kind"], &one["id"], &one["state"]), (&json!("ixp"), &json!(2), &json!("idle")));
        assert_eq!((&one["stale"], &one["internet_exchange"]), (&json!(true), &json!("Example IX")));
        assert!((10_800..11_000).contains(&one["age"].as_i64().unwrap()), "{one}");
        for (flags, count) in [
            (&["--state", "established"][..], 1),
            (&["--asn", "AS64502"], 1),
            (&["--ixp", "ex-ix", "--kind", "ixp"], 2),
            (&["--kind", "direct"], 0),
        ] {
            let mut words = vec!["sessions", "list", "--json"];
            words.extend(flags);
            let found = program.run(&words).await.expect(0).json();
            assert_eq!(found["sessions"].as_array().unwrap().len(), count, "{flags:?}");
        }
        program
            .run(["sessions", "list", "--state", "up"])
            .await
            .expect(2)
            .says("the states are idle, connect");
        program
            .run(["sessions", "list", "--router", "edge9"])
            .await
            .expect(2)
            .says("no router is called edge9");

        let shown = program.run(["sessions", "show", "198.51.100.2"]).await.expect(0);
        for text in ["state         idle", "last error    Hold timer", "3 h ago, stale", "went down     once"]
        {
            assert!(shown.stdout.contains(text), "no {text:?} in {shown}");
        }
        let shown =
            program.run(["sessions", "show", "ixp:2", "--history", "1", "--json"]).await.expect(0).json();
        assert_eq!(
            (shown["history"].as_array().unwrap().len(), &shown["history"][0]["state"]),
            (1, &json!("idle"))
        );
        program.run(["sessions", "show", "ixp:9"]).await.expect(2).says("there is no session ixp:9");

        let routers = program.run(["router", "list"]).await.expect(0);
        assert!(routers.stdout.contains("3 h ago, stale") && routers.stdout.contains("1/2"), "{routers}");
        assert!(routers.stdout.contains("not enabled"), "{routers}");
        let shown = program.run(["router", "show", "edge1"]).await.expect(0);
        for text in ["driver       frr", "1 without a session here", "Down:", "Near their limit of prefixes:"]
        {
            assert!(shown.stdout.contains(text), "no {text:?} in {shown}");
        }
        let shown = program.run(["router", "show", "127.0.0.1", "--json"]).await.expect(0).json();
        assert_eq!((&shown["name"], &shown["sessions"]["near_limit"]), (&json!("edge1"), &json!(1)));
        program.run(["router", "show", "edge9"]).await.expect(2).says("no router is called edge9");
    })
    .await;
}

#[tokio::test]
async fn neighbours_without_a_session_are_listed_and_imported() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50));
        import(&program, &world("127.0.0.1", "{}")).await;
        polled(&program, today(), None).await;
        let listed = program.run(["sessions", "unknown", "--router", "edge1"]).await.expect(0);
        for text in ["198.51.100.9", "Peer two", "at Example IX on edge1 eth0", "can make sessions of 1."] {
            assert!(listed.stdout.contains(text), "no {text:?} in {listed}");
        }
        assert!(!listed.stdout.contains('\u{1b}'), "{listed}");
        let none = program.run(["sessions", "unknown", "--router", "edge2", "--json"]).await.expect(0).json();
        assert_eq!(none["neighbors"], json!([]));

        let planned =
            program.run(["sessions", "import", "ex-ix", "--dry-run", "--json"]).await.expect(0).json();
        assert_eq!(
            (&planned["data"]["dry_run"], &planned["task"]),
            (&json!(true), &json!("import_sessions"))
        );
        let made = program.run(["import_all_ix_sessions"]).await.expect(0);
        assert!(made.stderr.contains("1 sessions and 0 autonomous systems made."), "{made}");
        let shown = program.run(["sessions", "show", "198.51.100.9"]).await.expect(0);
        assert!(shown.stdout.contains("status        provisioning"), "{shown}");
        assert!(shown.stdout.contains("has not reached its router yet"), "{shown}");
        let again = program.run(["sessions", "import", "edge1", "--json"]).await.expect(0).json();
        assert_eq!((&again["outcome"], &again["data"]["sessions"]), (&json!("nothing to do"), &json!([])));
        program
            .run(["sessions", "import", "edge9"])
            .await
            .expect(1)
            .says("no router and no Internet exchange edge9");
    })
    .await;
}

#[tokio::test]
async fn polls_and_what_is_told_of_them_hold_no_secret() {
    each_engine(async |database| {
        let program = Program::on(database).set("secret_key", "k".repeat(50)).set("napalm_timeout", 2);
        std::fs::write(program.path("key"), format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{KEY}\n")).unwrap();
        let arguments = format!(
            "{{port: 9, key_file: {}, passphrase: {ARGUMENT}, secret: {ARGUMENT}}}",
            program.path("key").display()
        );
        import(&program, &world("127.0.0.1", &arguments)).await;
        // Nobody there, then a name that does not exist, then a key file that cannot be read.
        let mut said = vec![program.run(["poll_bgp_sessions", "-vv", "--json"]).await.expect(4)];
        let job = said[0].job();
        import(&program, &world("nobody.invalid", &arguments)).await;
        said.push(program.run(["poll_bgp_sessions", "--log-format", "json", "-vv"]).await.expect(4));
        let missing = format!("{{key_file: /nowhere/key, passphrase: {ARGUMENT}}}");
        import(&program, &world("127.0.0.1", &missing)).await;
        said.push(
            program.run(["poll_bgp_sessions", "-vv"]).await.expect(4).says("/nowhere/key cannot be read"),
        );
        polled(&program, today(), Some("active")).await;
        let job = job.to_string();
        for words in [
            &["jobs", "show", &job][..],
            &["jobs", "show", &job, "--json"],
            &["sessions", "list"],
            &["sessions", "list", "--json"],
            &["sessions", "show", "ixp:1", "--json"],
            &["sessions", "unknown", "--json"],
            &["sessions", "import", "edge1", "--json", "-vv"],
            &["router", "list", "--json"],
            &["router", "show", "edge1", "--json"],
        ] {
            said.push(program.run(words).await.expect(0));
        }
        for ran in said {
            for secret in [PASSWORD, SESSION_PASSWORD, ARGUMENT, KEY, "kkkkkkkkkk"] {
                assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret} in {ran}");
            }
        }
    })
    .await;
}
