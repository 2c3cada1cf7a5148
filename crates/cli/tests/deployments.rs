//! From objects in the database to routers with a real BIRD and a real FRR, and back, on both engines.

use crate::support;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::lab::{HOST, Lab, PASSWORD};
use crate::postgres::Postgres;
use crate::support::{Program, Ran, until};
use pm_lab::peeringdb::Namespace;
use pm_router::DaemonKind;
use serde_json::{Value as Json, json};

/// What stands in the routers' configurations and in no output.
const PLANTED: &str = "md5-Planted";

/// The configuration of a BIRD, whole.
const BIRD: &str = r#"log "/var/log/bird.log" all;
router id 192.0.2.1;
protocol device { }
protocol static own4 { ipv4; route 203.0.113.0/24 blackhole; }
protocol static own6 { ipv6; route 2001:db8:113::/48 blackhole; }
filter own { if source = RTS_STATIC then accept; reject; }
template bgp peers4 {
  local 192.0.2.1 as 64500; connect retry time 2; error wait time 1,2; connect delay time 1;
  ipv4 { import keep filtered; import all; export filter own; };
}
template bgp peers6 {
  local 2001:db8:1::1 as 64500; connect retry time 2; error wait time 1,2; connect delay time 1;
  ipv6 { import keep filtered; import all; export filter own; };
}
{% for s in router | direct_sessions %}{% if s.enabled %}
protocol bgp session{{ s.id }} from peers{{ s | ip_version }} {
  neighbor {{ s | ip }} as {{ s.autonomous_system.asn }};
{% if s.password %}  password "{{ s.password }}";
{% endif %}}
{% endif %}{% endfor %}
"#;

/// A part of the configuration of an FRR.
const FRR: &str = "router bgp 64500
{% for s in router | direct_sessions %} neighbor {{ s | ip }} remote-as {{ s.autonomous_system.asn }}
 neighbor {{ s | ip }} password {{ s.password }}
 address-family ipv4 unicast
  neighbor {{ s | ip }} activate
  neighbor {{ s | ip }} prefix-list in4 in
  neighbor {{ s | ip }} prefix-list own4 out
  neighbor {{ s | ip }} maximum-prefix {{ s | max_prefix }}
 exit-address-family
{% endfor %}{% for s in deleted_sessions %} no neighbor {{ s | ip }}
{% endfor %}";

/// A database, the program and what it is to know.
struct Place {
    directory: tempfile::TempDir,
    program: Program,
    driver: &'static str,
    template: String,
    /// Routers: name, host, user, password or key, port.
    routers: Vec<(&'static str, String, String)>,
    /// Sessions of the first router: address, AS, status.
    sessions: Vec<(&'static str, u32, &'static str)>,
}

impl Place {
    fn new(lab: &Lab, server: Option<&Postgres>, driver: &'static str, template: &str) -> Self {
        lab.known_hosts();
        let directory = tempfile::tempdir().unwrap();
        let file = format!("sqlite://{}", directory.path().join("test.db").display());
        let program = Program::with_url(&server.map_or(file, Postgres::socket_url))
            .set("ssh_known_hosts", lab.file("known_hosts").display().to_string())
            .set("secret_key", "k".repeat(50))
            .set("napalm_timeout", 20)
            .set("max_prefix_rule", "plain");
        let key = lab.file("client").display().to_string();
        let edge =
            ("edge1", format!("hostname: {HOST}, napalm_username: netops"), format!("key_file: {key}"));
        let place = Self {
            directory,
            program,
            driver,
            template: template.to_owned(),
            routers: vec![edge],
            sessions: Vec::new(),
        };
        place.confirming_soon()
    }

    /// Sessions have a minute to come back, and a change is confirmed as soon as they are.
    fn confirming_soon(self) -> Self {
        self.with_times(90, 3, 60)
    }

    /// There is time to do something between a commit and its confirmation, also on a busy machine.
    fn confirming_late(self) -> Self {
        self.with_times(30, 20, 25)
    }

    fn with_times(mut self, timer: i64, least: i64, most: i64) -> Self {
        self.program = self
            .program
            .set("commit_confirm_seconds", timer)
            .set("post_check_min_seconds", least)
            .set("post_check_seconds", most);
        self
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn document(&self) -> String {
        let mut text = String::from("format: peering-manager objects\nversion: 1\nautonomous_systems:\n");
        text.push_str("  - {asn: 64500, name: Own, affiliated: true}\n");
        let mut asns: Vec<u32> = self.sessions.iter().map(|session| session.1).collect();
        asns.sort_unstable();
        asns.dedup();
        for asn in asns {
            let _ = writeln!(text, "  - {{asn: {asn}, name: Peer {asn}}}");
        }
        let _ = writeln!(text, "relationships:\n  - {{name: Peering, slug: peering}}");
        let driver = self.driver;
        let _ = writeln!(text, "platforms:\n  - {{name: Daemon, slug: daemon, napalm_driver: {driver}}}");
        let template = self.template.replace('\n', "\n      ");
        let _ =
            writeln!(text, "configurations:\n  - name: edge\n    template: |\n      {template}\nrouters:");
        for (name, fields, arguments) in &self.routers {
            let _ = writeln!(
                text,
                "  - {{name: {name}, {fields}, local_autonomous_system: 64500, platform: daemon, \
                 poll_bgp_sessions_state: true, configuration_template: edge, napalm_args: {{{arguments}}}}}"
            );
        }
        text.push_str("direct_peering_sessions:\n");
        for (address, asn, status) in &self.sessions {
            let password = if *asn == 64_502 && !address.contains(':') { "md5-Planted-1" } else { "" };
            let _ = writeln!(
                text,
                "  - {{autonomous_system: {asn}, local_autonomous_system: 64500, relationship: peering, router: edge1, \
                 ip_address: \"{address}\", status: {status}, password: \"{password}\"}}"
            );
        }
        text
    }

    async fn import(&self) {
        let file = self.file("world.yaml");
        std::fs::write(&file, self.document()).unwrap();
        self.run(&["import", &file.display().to_string()]).await.expect(0);
    }

    /// Runs it; whatever it says, it does not say a password.
    async fn run(&self, arguments: &[&str]) -> Ran {
        self.program.run(arguments).await.never_says(PLANTED)
    }

    async fn configure(&self, more: &[&str]) -> Ran {
        self.run(&[&["configure_routers", "--json"], more].concat()).await
    }

    async fn deployments(&self) -> Vec<Json> {
        let listed = self.run(&["deployments", "list", "--json"]).await.expect(0).json();
        listed["deployments"].as_array().unwrap().clone()
    }

    /// Waits until the newest deployment waits for its confirmation.
    async fn unconfirmed(&self, after: usize) {
        let is_so = async || {
            let rows = self.deployments().await;
            rows.len() > after && rows[0]["status"] == "unconfirmed"
        };
        until(is_so, "a deployment waits for its confirmation").await;
    }

    /// The state of a session as the last poll has it.
    async fn polled(&self, address: &str) -> Json {
        self.run(&["poll_bgp_sessions"]).await.expect(0);
        let list = self.run(&["objects", "list", "direct_peering_session", "--json"]).await.expect(0).json();
        let key = list.as_object().unwrap().values().find_map(Json::as_array).unwrap().clone();
        let one = key.into_iter().find(|one| one.to_string().contains(&format!("\"{address}/")));
        one.unwrap_or_else(|| panic!("no session {address} in {list}"))["fields"].clone()
    }
}

fn verdict(ran: &Ran, router: &str) -> Json {
    let data = ran.json();
    let routers = data["data"]["routers"].as_array().cloned().unwrap_or_default();
    routers.into_iter().find(|one| one["router"] == router).unwrap_or_else(|| panic!("no {router} in {ran}"))
}

fn on_sqlite(kind: DaemonKind, scenario: impl AsyncFnOnce(&Lab, Option<&Postgres>)) {
    let Some(lab) = Lab::start(kind) else { return };
    run(scenario(&lab, None));
}

/// The server is started before the lab, so that it stays in the network namespace that this process came from.
fn on_postgresql(kind: DaemonKind, scenario: impl AsyncFnOnce(&Lab, Option<&Postgres>)) {
    let Some(server) = Postgres::start() else { return };
    let Some(lab) = Lab::start(kind) else { return };
    run(scenario(&lab, Some(&server)));
}

fn run(scenario: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scenario);
}

#[test]
fn sessions_come_and_go_on_a_real_bird() {
    on_sqlite(DaemonKind::Bird, come_and_go);
}

#[test]
fn sessions_come_and_go_on_a_real_bird_on_postgresql() {
    on_postgresql(DaemonKind::Bird, come_and_go);
}

async fn come_and_go(lab: &Lab, server: Option<&Postgres>) {
    let mut place = Place::new(lab, server, "bird", BIRD);
    let up = |lab: &Lab, address: &str| {
        let said = lab.on("router", "/usr/sbin/birdc -r show protocols all");
        let block =
            said.split("\n\n").find(|block| block.contains(&format!("Neighbor address: {address}\n")));
        block.is_some_and(|block| block.contains("Established"))
    };
    until(async || up(lab, "192.0.2.2") && up(lab, "2001:db8:1::2"), "the lab's own sessions are up").await;

    // The first deployment is measured by what the router has: five neighbours, of which the database knows two.
    place.sessions = vec![("192.0.2.2/24", 64_502, "enabled"), ("2001:db8:1::2/64", 64_502, "enabled")];
    place.import().await;
    let refused = place.configure(&[]).await.expect(3);
    assert!(
        verdict(&refused, "edge1")["message"].as_str().unwrap().contains("lacks 3 of 5 sessions"),
        "{refused}"
    );
    place.sessions.extend([
        ("192.0.2.3/24", 64_503, "enabled"),
        ("192.0.2.9/24", 64_509, "enabled"),
        ("192.0.2.10/24", 64_510, "enabled"),
    ]);
    place.import().await;
    let first = place.configure(&[]).await.expect(0);
    assert_eq!(verdict(&first, "edge1")["verdict"], "confirmed", "{first}");
    assert!(up(lab, "192.0.2.2") && up(lab, "2001:db8:1::2"), "sessions that went down came back in time");
    place.configure(&[]).await.expect(0);
    assert_eq!(place.deployments().await.len(), 2, "nothing to change is no deployment");

    // A new peer, reviewed as a plan first.
    place.sessions.push(("192.0.2.4/24", 4_200_000_004, "enabled"));
    place.import().await;
    let planned = place.configure(&["--dry-run"]).await.expect(0);
    let plan = planned.json()["data"]["plan"].as_i64().unwrap().to_string();
    assert!(!lab.on("router", "cat /etc/bird/bird.conf").contains("192.0.2.4"));
    place.configure(&["--apply", &plan]).await.expect(0);
    until(async || place.polled("192.0.2.4").await["bgp_state"] == "established", "the new peer is up").await;
    place.configure(&["--apply", &plan]).await.expect(1);

    // It is disabled: the deployment takes it off the router, and the poll sees that.
    place.sessions[5].2 = "disabled";
    place.import().await;
    place.configure(&[]).await.expect(0);
    assert!(place.polled("192.0.2.4").await["bgp_state"].is_null());

    // What somebody changes by hand is drift.
    place.run(&["drift"]).await.expect(0);
    lab.on("router", "echo '# by hand' >>/etc/bird/bird.conf");
    place.run(&["drift"]).await.expect(5);
    lab.on("router", "sed -i '/by hand/d' /etc/bird/bird.conf");

    // A template that lost half its sessions is refused; one that BIRD does not understand, too.
    let good = place.template.clone();
    place.template = good.replace("router | direct_sessions", "(router | direct_sessions)[:1]");
    place.import().await;
    place.configure(&["--no-commit-check"]).await.expect(3).says("sessions that the router has");
    place.template = good.replace("protocol device", "protocol devise");
    place.import().await;
    let rejected = place.configure(&[]).await.expect(4);
    assert!(verdict(&rejected, "edge1")["message"].as_str().unwrap().contains("refused"), "{rejected}");
    assert!(up(lab, "192.0.2.2"));

    // Deployments are frozen.
    place.template = good;
    place.import().await;
    place.run(&["deployments", "freeze", "a quiet night", "--user", "ina"]).await.expect(0);
    place.configure(&[]).await.expect(3).says("by ina: a quiet night");
    place.run(&["deployments", "thaw"]).await.expect(0);
    place.configure(&[]).await.expect(0);

    let newest = place.deployments().await[0]["id"].as_i64().unwrap().to_string();
    for command in [["deployments", "show"], ["deployments", "diff"]] {
        place.run(&[command[0], command[1], newest.as_str()]).await.expect(0);
    }
    let text = place.run(&["deployments", "show", &newest, "--configuration"]).await.expect(0);
    assert!(text.stdout.contains("password \"******\"") || text.stdout.contains("password ******"), "{text}");
}

#[test]
fn a_deployment_that_goes_wrong_leaves_a_real_bird_as_it_was() {
    on_sqlite(DaemonKind::Bird, go_wrong);
}

#[test]
fn a_deployment_that_goes_wrong_leaves_a_real_bird_as_it_was_on_postgresql() {
    on_postgresql(DaemonKind::Bird, go_wrong);
}

async fn go_wrong(lab: &Lab, server: Option<&Postgres>) {
    let mut place = Place::new(lab, server, "bird", BIRD);
    place.sessions = vec![
        ("192.0.2.2/24", 64_502, "enabled"),
        ("2001:db8:1::2/64", 64_502, "enabled"),
        ("192.0.2.3/24", 64_503, "enabled"),
        ("192.0.2.9/24", 64_509, "enabled"),
        ("192.0.2.10/24", 64_510, "enabled"),
    ];
    place.import().await;
    place.configure(&[]).await.expect(0);
    // What is in force, whatever the file says.
    let has =
        |lab: &Lab, word: &str| lab.on("router", "/usr/sbin/birdc -r show protocols all").contains(word);
    let change = |place: &mut Place, last: u8| {
        let more = format!("protocol static more{last} {{ ipv4; }}\n");
        place.template = format!("{BIRD}{more}");
    };

    // The way to the router is cut as soon as the commit is made.
    place = place.confirming_late();
    change(&mut place, 1);
    place.import().await;
    let before = place.deployments().await.len();
    let running = place.program.spawn(["configure_routers", "--json"]);
    place.unconfirmed(before).await;
    lab.path("down");
    assert!(has(lab, "more1"), "the change is in force");
    tokio::time::sleep(Duration::from_secs(35)).await;
    lab.path("up");
    let ran = running.ended().await.expect(4);
    let message = verdict(&ran, "edge1");
    assert_eq!(message["verdict"], "rolled_back", "{ran}");
    assert!(message["message"].as_str().unwrap().contains("the router rolled back by itself"), "{ran}");
    assert!(!has(lab, "more1"));
    assert_eq!(place.deployments().await[0]["status"], "rolled_back");

    // The process is killed between commit and confirmation; the next run sees what became of it. Meanwhile a second run is
    // told who is at work.
    change(&mut place, 2);
    place.import().await;
    let before = place.deployments().await.len();
    let running = place.program.spawn(["configure_routers"]);
    place.unconfirmed(before).await;
    let id = running.id();
    place.configure(&[]).await.expect(75).says(&format!("process {id}"));
    running.kill().await;
    assert!(has(lab, "more2"), "in force, and unconfirmed");
    until(async || !has(lab, "more2"), "the router went back by itself").await;
    place = place.confirming_soon();
    let ran = place.configure(&[]).await.expect(0);
    let warnings = verdict(&ran, "edge1")["warnings"].to_string();
    let said = "ended before it recorded how it ended; the router rolled back by itself";
    assert!(warnings.contains(said), "{ran}");
    assert!(has(lab, "more2"), "and now it is there for good");

    // Sessions die: the change is undone and names them.
    place.template = BIRD.replace("local 192.0.2.1 as 64500", "local 192.0.2.1 as 64499");
    place.import().await;
    let ran = place.configure(&[]).await.expect(4);
    let one = verdict(&ran, "edge1");
    assert_eq!((&one["verdict"], &one["lost"]), (&json!("rolled_back"), &json!(["192.0.2.2"])), "{ran}");
    assert!(has(lab, "Local AS:         64500") && !has(lab, "64499"));

    // One router is dead, one refuses the login, one hangs: the other gets its configuration.
    change(&mut place, 3);
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = hanging.local_addr().unwrap().port();
    place.routers.extend([
        ("dead", "hostname: 10.87.0.99, napalm_username: netops".to_owned(), String::new()),
        (
            "stranger",
            format!("hostname: {HOST}, napalm_username: netops, napalm_password: not-{PASSWORD}"),
            String::new(),
        ),
        ("hangs", "hostname: 127.0.0.1, napalm_username: netops".to_owned(), format!("port: {port}")),
    ]);
    place.import().await;
    let ran = place.configure(&[]).await.expect(4).never_says(PASSWORD);
    let verdicts = ["edge1", "dead", "stranger", "hangs"].map(|name| verdict(&ran, name)["verdict"].clone());
    assert_eq!(verdicts, ["confirmed", "failed", "failed", "failed"], "{ran}");
    assert!(has(lab, "more3"));
    drop(hanging);

    // Ctrl-C between commit and confirmation: it says what is left.
    place.routers.truncate(1);
    place = place.confirming_late();
    change(&mut place, 4);
    place.import().await;
    let before = place.deployments().await.len();
    let running = place.program.spawn(["configure_routers", "--limit", "edge1"]);
    place.unconfirmed(before).await;
    running.signal("INT").await;
    running.ended().await.expect(1).says("the router undoes it within 30 s");
    until(async || !has(lab, "more4"), "the router went back by itself").await;
}

#[test]
fn a_limit_from_peeringdb_reaches_a_real_frr() {
    on_sqlite(DaemonKind::Frr, limit);
}

#[test]
fn a_limit_from_peeringdb_reaches_a_real_frr_on_postgresql() {
    on_postgresql(DaemonKind::Frr, limit);
}

async fn limit(lab: &Lab, server: Option<&Postgres>) {
    let peeringdb = support::lab(0.02, 1).await;
    let (id, asn) = peeringdb.world().networks()[0];
    let asn = u32::try_from(asn).unwrap();
    peeringdb.world().edit(Namespace::Net, id, &json!({"info_prefixes4": 4321})).unwrap();
    // The peer takes the number of a network that PeeringDB knows.
    lab.on(
        "peer",
        &format!("sed -i 's/as 64502/as {asn}/' /etc/bird/bird.conf && /usr/sbin/birdc configure"),
    );
    lab.on("router", "vtysh -c 'conf t' -c 'router bgp 64500' -c 'no neighbor 192.0.2.2'");
    let mut place = Place::new(lab, server, "frr", FRR);
    place.program = place.program.asking(&peeringdb);
    place.sessions = vec![("192.0.2.2/24", asn, "enabled")];
    let document = place.document().replace("password: \"\"", "password: \"md5-Planted-1\"");
    std::fs::write(place.file("world.yaml"), document).unwrap();
    place.run(&["import", &place.file("world.yaml").display().to_string()]).await.expect(0);
    place.run(&["peeringdb_sync"]).await.expect(0);
    place.configure(&[]).await.expect(0);
    let running = |lab: &Lab| lab.on("router", "vtysh -c 'show running-config'");
    assert!(running(lab).contains("neighbor 192.0.2.2 maximum-prefix 4321"), "{}", running(lab));
    assert!(running(lab).contains("neighbor 192.0.2.9 remote-as 64509"), "a merge leaves the others alone");
    until(async || place.polled("192.0.2.2").await["bgp_state"] == "established", "the session is up").await;

    // Nothing but the limit changes at PeeringDB, and it reaches the router without the session going down.
    peeringdb.world().edit(Namespace::Net, id, &json!({"info_prefixes4": 5432})).unwrap();
    place.run(&["peeringdb_sync"]).await.expect(0);
    let ran = place.configure(&[]).await.expect(0);
    assert_eq!(verdict(&ran, "edge1")["verdict"], "confirmed", "{ran}");
    assert!(running(lab).contains("neighbor 192.0.2.2 maximum-prefix 5432"), "{}", running(lab));
    // The rule that is in force if nobody chooses another: 100 and 15 % on top.
    place.program = place.program.set("max_prefix_rule", "guarded");
    let ran = place.configure(&[]).await.expect(0);
    assert_eq!(verdict(&ran, "edge1")["verdict"], "confirmed", "{ran}");
    assert!(running(lab).contains("neighbor 192.0.2.2 maximum-prefix 6362"), "{}", running(lab));
    let said = lab.on("router", "vtysh -c 'show bgp neighbors 192.0.2.2 json'");
    assert!(said.contains("\"connectionsDropped\":0"), "{said}");

    // A session that hangs on no router is skipped and counted.
    let more = format!(
        "{}  - {{autonomous_system: {asn}, local_autonomous_system: 64500, relationship: peering, \
         ip_address: \"192.0.2.200/24\"}}\n",
        place.document()
    );
    std::fs::write(place.file("more.yaml"), more.replace("password: \"\"", "password: \"md5-Planted-1\""))
        .unwrap();
    place.run(&["import", &place.file("more.yaml").display().to_string()]).await.expect(0);
    let ran = place.configure(&[]).await.expect(0);
    assert_eq!(ran.json()["data"]["sessions_without_router"], 1, "{ran}");

    // A session that is deleted here is taken from the router by a merge, and remembered until a poll has seen it gone.
    place.run(&["objects", "delete", "direct-peering-session", "id=1"]).await.expect(0);
    let still = place.run(&["poll_bgp_sessions", "--json"]).await.expect(0).json();
    assert_eq!(still["data"]["routers"][0]["deleted_standing"].as_array().unwrap().len(), 1, "{still}");
    let ran = place.configure(&[]).await.expect(0);
    assert_eq!(verdict(&ran, "edge1")["verdict"], "confirmed", "{ran}");
    assert!(!running(lab).contains("neighbor 192.0.2.2 "), "{}", running(lab));
    assert!(running(lab).contains("neighbor 192.0.2.9 remote-as 64509"), "{}", running(lab));
    let gone = place.run(&["poll_bgp_sessions", "--json"]).await.expect(0).json();
    assert_eq!(gone["data"]["routers"][0]["deleted_gone"], 1, "{gone}");
    let ran = place.configure(&[]).await.expect(0);
    assert_eq!(verdict(&ran, "edge1")["verdict"], "unchanged", "{ran}");
}
