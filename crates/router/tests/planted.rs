//! Passwords in credentials, in candidates, in what runs and in what routers say, with every driver: they show in no error, no
//! difference, no entry that is left out, nothing that is printed for debugging, and no log, however much is logged.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "for tests")]

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::Write as Output;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pm_lab::routers::cli::{self, Cli};
use pm_lab::routers::eapi::{self, Eapi, Fault};
use pm_lab::routers::netconf::{Kind, Options, Router as StandIn};
use pm_lab::routers::nxapi::{self, NxApi};
use pm_router::{
    ConfigText, Credentials, DaemonKind, Diff, Endpoint, Error, FileTarget, Git, HostKeys, How, Jump, Limits,
    Pending, Platform, Router, Target, Tls, Way, connect, parse, parse_vendor,
};
use serde_json::{Map, Value as Json, json};

const PASSWORD: &str = "Planted-credential";
const LONG: Duration = Duration::from_mins(1);

/// What somebody could come to see.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn text(&mut self, what: &str, text: impl Into<String>) {
        self.0.push((what.to_owned(), text.into()));
    }

    fn debug(&mut self, what: &str, value: &impl Debug) {
        self.text(what, format!("{value:?} {value:#?}"));
    }

    fn error(&mut self, what: &str, error: &Error) {
        self.debug(what, error);
        self.text(what, error.to_string());
    }

    fn outcome<T: Debug>(&mut self, what: &str, outcome: &Result<T, Error>) {
        match outcome {
            Ok(value) => self.debug(what, value),
            Err(error) => self.error(what, error),
        }
    }

    /// That no secret is among it, and that there is as much as should be.
    fn check(&self, who: &str, least: usize) {
        for (what, text) in &self.0 {
            assert!(!text.contains("Planted"), "{who}, {what}: {text}");
        }
        let masked = self.0.iter().filter(|(_, text)| text.contains("******")).count();
        assert!(
            masked >= least,
            "{who}: only {masked} of {} texts had a secret: {:#?}",
            self.0.len(),
            self.0
        );
    }
}

fn target(address: SocketAddr, platform: Platform) -> Target {
    Target {
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: false,
        python: PathBuf::new(),
        credentials: Credentials {
            user: "netops".into(),
            password: Some(PASSWORD.to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(String::new()),
        tls: Tls::default(),
        options: Map::new(),
        limits: Limits { connect: LONG, login: LONG, read: LONG, change: LONG, ..Limits::default() },
        way: Way::default(),
    }
}

/// All that is read.
async fn read(seen: &mut Seen, router: &dyn Router) {
    seen.outcome("facts", &router.facts().await);
    match router.neighbors().await {
        Ok(all) => seen.debug("left out", &all.left_out),
        Err(error) => seen.error("neighbours", &error),
    }
    seen.outcome("short", &router.napalm_neighbors().await.map(drop));
    seen.outcome("long", &router.napalm_detail().await.map(drop));
    seen.outcome("configuration", &router.running_config().await);
    seen.outcome("pending", &router.pending().await);
}

/// A candidate is loaded, looked at, and thrown away or committed and undone.
async fn change(seen: &mut Seen, router: &dyn Router, how: How, text: &str, keep: bool) {
    let Some(loader) = router.loader(how) else { return };
    let text = ConfigText::new(text);
    seen.debug("candidate", &text);
    let candidate = match loader.load(&text).await {
        Ok(candidate) => candidate,
        Err(error) => return seen.error("load", &error),
    };
    seen.text("difference", candidate.diff().text());
    seen.debug("difference", candidate.diff());
    if !keep {
        return seen.outcome("discard", &candidate.discard().await);
    }
    let committed = candidate.commit(Duration::from_mins(10)).await;
    seen.outcome("commit", &committed);
    if let Ok(change) = committed {
        seen.outcome("confirm", &router.confirm(&change).await);
        seen.outcome("undo", &router.roll_back(&change).await);
    }
}

async fn wrong_password(seen: &mut Seen, right: &Target) {
    let mut wrong = right.clone();
    wrong.credentials.password = Some("Planted-wrong".to_owned().into());
    seen.error("login", &connect(&wrong).await.err().unwrap());
}

async fn netconf(kind: Kind, platform: Platform) {
    let junos = kind == Kind::Junos;
    let broken = if junos {
        "<bgp-information><bgp-peer><peer-address>password Planted-said</peer-address></bgp-peer><bgp-peer>\
         <peer-address>192.0.2.1</peer-address><peer-cfg-rti>master</peer-cfg-rti><peer-state>secret Planted-said</peer-state>\
         </bgp-peer></bgp-information>"
    } else {
        "<bgp><default-vrf><neighbors><neighbor><neighbor-address>password Planted-said</neighbor-address></neighbor><neighbor>\
         <neighbor-address>192.0.2.1</neighbor-address><connection-state>secret Planted-said</connection-state></neighbor>\
         </neighbors></default-vrf></bgp>"
    };
    let refused = "<rpc-error><error-severity>error</error-severity><error-path>/key Planted-said</error-path>\
        <error-message>\nsyntax error: \"  password Planted-said\"\n</error-message><error-info>\
        <bad-element>password Planted-said</bad-element></error-info></rpc-error>";
    let answers = BTreeMap::from([
        ("get".to_owned(), broken.to_owned()),
        ("get-bgp-neighbor-information".to_owned(), broken.to_owned()),
        ("get-bgp-summary-information".to_owned(), "<bgp-information/>".to_owned()),
        ("get-instance-information".to_owned(), refused.to_owned()),
    ]);
    let options = Options {
        kind,
        config: "x {\n    password Planted-running;\n}\n".into(),
        password: PASSWORD.into(),
        answers,
        minute: LONG,
    };
    let router = StandIn::start(options).await.unwrap();
    let mut to = target(router.address(), platform);
    to.host_keys = HostKeys::Fingerprint(router.fingerprint().clone());
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "key Planted-candidate;\npassword Planted-candidate;\n", false)
        .await;
    change(&mut seen, &*one, How::Replace, "secret Planted-candidate;\n", true).await;
    change(&mut seen, &*one, How::Merge, "password Planted-candidate bogus;\n", false).await;
    change(&mut seen, &*one, How::Merge, "password Planted-candidate refused-later;\n", true).await;
    // Somebody else has the lock.
    let other = connect(&to).await.unwrap();
    let candidate =
        other.loader(How::Merge).unwrap().load(&ConfigText::new("password Planted-2;\n")).await.unwrap();
    change(&mut seen, &*one, How::Merge, "password Planted-candidate;\n", false).await;
    drop(candidate);
    // Answers that are none.
    router.fall_silent("commit-configuration", 9);
    one.close().await;
    seen.outcome("after the end", &one.running_config().await);
    seen.check(platform.name(), if junos { 9 } else { 8 });
}

async fn eos() {
    let summary = json!({ "vrfs": { "default": { "routerId": "192.0.2.254", "peers": {} } } });
    let peers = json!([
        { "peerAddress": "password Planted-said", "state": "Idle" },
        { "peerAddress": "192.0.2.1", "state": "secret Planted-said" },
        { "peerAddress": "192.0.2.2", "state": "Idle", "establishedTime": "password Planted-said" },
    ]);
    let answers = BTreeMap::from([
        ("show ip bgp summary vrf all".to_owned(), summary.clone()),
        ("show ipv6 bgp summary vrf all".to_owned(), summary),
        ("show ip bgp neighbors vrf all".to_owned(), json!({ "vrfs": { "default": { "peerList": peers } } })),
        ("show ipv6 bgp peers vrf all".to_owned(), json!({ "vrfs": {} })),
        ("show version".to_owned(), json!({ "uptime": "password Planted-said" })),
    ]);
    let options = eapi::Options {
        user: "netops".into(),
        password: PASSWORD.into(),
        enable: Some("Planted-enable".into()),
        running: "hostname one\nrouter bgp 64500\n   neighbor 192.0.2.1 password 7 Planted-running\n".into(),
        answers,
        ..eapi::Options::default()
    };
    let switch = Eapi::start(options).await.unwrap();
    let mut to = target(switch.address, Platform::Eos);
    to.options.insert("transport".into(), json!("http"));
    to.options.insert("enable_password".into(), json!("Planted-enable"));
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let mut wrong = to.clone();
    wrong.options.insert("enable_password".into(), json!("Planted-wrong"));
    seen.error("enable", &connect(&wrong).await.err().unwrap());
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    let text = "router bgp 64500\n   neighbor 192.0.2.2 password 7 Planted-candidate\n";
    change(&mut seen, &*one, How::Merge, text, false).await;
    change(&mut seen, &*one, How::Replace, text, true).await;
    let wrong = "router bgp 64500\n   nieghbor 192.0.2.2 password 7 Planted-candidate\n";
    change(&mut seen, &*one, How::Merge, wrong, true).await;
    for (fault, name) in [(Fault::CutAfter, "cut"), (Fault::Html, "html")] {
        switch.fault("configure session", fault);
        seen.text("what fails", name);
        change(&mut seen, &*one, How::Merge, text, true).await;
    }
    seen.check("eos", 6);
}

async fn nxos() {
    let row = |address: &str, state: &str| json!({ "neighborid": address, "neighboras": 1, "state": state });
    let rows = json!([row("password Planted-said", "Idle"), row("192.0.2.1", "secret Planted-said")]);
    let summary = json!({ "TABLE_vrf": { "ROW_vrf": { "vrf-name-out": "default", "TABLE_af": { "ROW_af": { "af-id": 1,
        "TABLE_saf": { "ROW_saf": { "safi": 1, "TABLE_neighbor": { "ROW_neighbor": rows } } } } } } } });
    let answers = BTreeMap::from([
        ("show hostname".to_owned(), json!({ "hostname": "x" })),
        ("show bgp all summary vrf all".to_owned(), summary),
        ("show running-config".to_owned(), json!("router bgp 1\n  password 3 Planted-running\n")),
    ]);
    let options = nxapi::Options { user: "netops".into(), password: PASSWORD.into(), answers };
    let switch = NxApi::start(options).await.unwrap();
    let mut to = target(switch.address, Platform::Nxos);
    to.options.insert("transport".into(), json!("http"));
    to.python = "/nonexistent/python3".into();
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "password 3 Planted-candidate\n", false).await;
    seen.check("nxos", 1);
}

async fn bridge() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge/python");
    let with = |fault: &str| {
        let directory = tempfile::tempdir().unwrap();
        let device = directory.path().join("device");
        std::fs::write(
            &device,
            json!({ "config": "neighbor 192.0.2.1 password Planted-running\n" }).to_string(),
        )
        .unwrap();
        let mut to = target("127.0.0.1:1".parse().unwrap(), Platform::Napalm);
        to.driver_name = "lab".into();
        to.python.clone_from(&python);
        to.credentials.password = Some("Planted's-1\\".into());
        to.host_keys = HostKeys::KnownHosts("/nonexistent".into());
        to.options.insert("device".into(), json!(device));
        to.options.insert("fault".into(), json!(fault));
        to.options.insert("enable_password".into(), json!("Planted-enable"));
        (directory, to)
    };
    let mut seen = Seen::default();
    let (_kept, to) = with("none:none");
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "neighbor 192.0.2.2 password Planted-candidate\n", false).await;
    change(&mut seen, &*one, How::Replace, "neighbor 192.0.2.2 password Planted-candidate\n", true).await;
    change(&mut seen, &*one, How::Merge, "syntax error password Planted-candidate\n", true).await;
    one.close().await;
    for place in ["open", "facts", "neighbors", "config", "load", "commit"] {
        for what in ["secret", "crash"] {
            let (_kept, to) = with(&format!("{place}:{what}"));
            match connect(&to).await {
                Err(error) => seen.error(place, &error),
                Ok(one) => {
                    read(&mut seen, &*one).await;
                    change(&mut seen, &*one, How::Merge, "password Planted-candidate\n", true).await;
                }
            }
        }
    }
    seen.check("napalm", 12);
}

/// IOS and NX-OS at a command line, directly and through a jump host.
async fn command_line(kind: cli::Kind, platform: Platform) {
    let said =
        "BGP neighbor is 192.0.2.1,  remote AS 64501, external link\n  BGP state = password Planted-said\n";
    let table = "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor V AS PfxRcd\n\
        192.0.2.1 4 64501 1 1 1 0 0 1d password Planted-said\n";
    let answers = [
        ("show bgp all summary", "BGP router identifier 192.0.2.254, local AS number 64500\n"),
        ("show bgp ipv4 unicast neighbors", said),
        ("show bgp ipv6 unicast neighbors", "% Permission denied for password Planted-said\n"),
        ("show bgp all summary vrf all", table),
        ("show version", "Cisco IOS Software, Version 15.2\n"),
        ("show running-config", "enable secret 5 Planted-running\nend\n"),
    ];
    let options = cli::Options {
        kind,
        hostname: "r1".into(),
        user: "netops".into(),
        password: PASSWORD.into(),
        secret: Some("Planted-enable".into()),
        answers: answers.map(|(command, text)| (command.to_owned(), text.to_owned())).into(),
        ..cli::Options::default()
    };
    let router = Cli::start(options).await.unwrap();
    let mut to = target(router.address(), platform);
    to.host_keys = HostKeys::Fingerprint(router.fingerprint().to_owned());
    to.python = "/nonexistent/python3".into();
    to.options.insert("secret".into(), json!("Planted-enable"));
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    if kind == cli::Kind::Ios {
        let mut wrong = to.clone();
        wrong.options.insert("secret".into(), json!("Planted-wrong"));
        seen.error("enable", &connect(&wrong).await.err().unwrap());
    }
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    change(&mut seen, &*one, How::Merge, "enable secret 5 Planted-candidate\n", true).await;
    one.close().await;
    let mut through = to.clone();
    let credentials =
        Credentials { password: Some("Planted-jump".to_owned().into()), ..to.credentials.clone() };
    let endpoint = to.endpoint.clone();
    through.way.jump = Some(Jump { endpoint, credentials, host_keys: to.host_keys.clone() });
    seen.error("jump host", &connect(&through).await.err().unwrap());
    // It lets us in, and carries nothing on.
    if let Some(jump) = &mut through.way.jump {
        jump.credentials.password = Some(PASSWORD.to_owned().into());
    }
    seen.error("jump host", &connect(&through).await.err().unwrap());
    seen.check(platform.name(), 1);
}

/// A server that gives the same to every command.
#[derive(Clone)]
struct Always(String);

impl russh::server::Handler for Always {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<russh::server::Auth, russh::Error> {
        let rejected = russh::server::Auth::Reject { proceed_with_methods: None, partial_success: false };
        Ok(if password == PASSWORD { russh::server::Auth::Accept } else { rejected })
    }

    async fn channel_open_session(
        &mut self,
        _: russh::Channel<russh::server::Msg>,
        reply: russh::server::ChannelOpenHandle,
        _: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: russh::ChannelId,
        _: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        session.data(channel, self.0.clone().into_bytes())?;
        session.extended_data(channel, 1, b"sh: password Planted-said: not found\n".to_vec())?;
        session.exit_status_request(channel, 0)?;
        session.close(channel)
    }
}

/// A daemon, of which every script has this answer.
async fn daemon(platform: Platform, neighbors: &str) {
    let sections = [
        ("host", 0, "r1"),
        ("uptime", 0, "99.5"),
        ("version", 0, "FRRouting 10.0 password Planted-said"),
        ("id", 0, "password Planted-said"),
        ("clock", 0, "1795472060"),
        ("status", 0, "Current server time is 2026-11-23 22:12:09.933"),
        ("protocols", 0, neighbors),
        ("neighbors", 0, neighbors),
        ("config", 0, "frr version 10\nneighbor 192.0.2.1 password Planted-running"),
        ("busy", 0, "password Planted-said"),
        ("check", 1, "line 2: \"neighbor 192.0.2.1 pasword x key Planted-candidate\" is unknown"),
        ("end", 1, ""),
    ];
    let mut text = String::new();
    for (name, status, lines) in sections {
        let _ = writeln!(text, "@@ {name} {status}");
        for line in lines.lines() {
            let _ = writeln!(text, " {line}");
        }
    }
    let key =
        russh::keys::PrivateKey::from(russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[1; 32]));
    let host_key = key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    let config = Arc::new(russh::server::Config { keys: vec![key], ..Default::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut to = target(listener.local_addr().unwrap(), platform);
    to.host_keys = HostKeys::Fingerprint(host_key);
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let session = russh::server::run_stream(Arc::clone(&config), stream, Always(text.clone()));
            tokio::spawn(async move { session.await.unwrap().await });
        }
    });
    let mut seen = Seen::default();
    wrong_password(&mut seen, &to).await;
    let one = connect(&to).await.unwrap();
    read(&mut seen, &*one).await;
    seen.outcome("neighbours", &one.neighbors().await);
    let text = "neighbor 192.0.2.1 password Planted-candidate\n";
    change(&mut seen, &*one, How::Replace, text, true).await;
    change(&mut seen, &*one, How::Merge, text, false).await;
    let waiting = Pending { platform, id: "c1/20261128-120000-1".into(), seconds: 60 };
    seen.outcome("confirm", &one.confirm(&waiting).await);
    seen.outcome("undo", &one.roll_back(&waiting).await);
    seen.check(platform.name(), 1);
    server.abort();
}

async fn daemons() {
    let said = "password Planted-said";
    let neighbor = json!({ said: { "bgpState": "secret Planted-said" } });
    let frr = format!("{}\n{}", json!({}), json!({ "default": neighbor }));
    daemon(Platform::Frr, &frr).await;
    daemon(Platform::Bird, &format!("Name Proto\n{said} BGP --- start {said}\n")).await;
    let openbgpd = json!({ "neighbors": [{ "remote_addr": said, "state": said, "remote_as": "1",
        "last_updown_sec": 1, "config": {} }] });
    daemon(Platform::Openbgpd, &openbgpd.to_string()).await;
    let conf = |address: &str| {
        json!({ "conf": { "neighbor_address": address, "auth_password": "Planted-said", "peer_asn": 64501 },
            "state": { "session_state": 1, "auth_password": "Planted-said" } })
    };
    daemon(Platform::Gobgp, &json!([conf("192.0.2.1"), conf(said)]).to_string()).await;
}

/// A repository that is not there, behind a URL with a password.
async fn repository() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("git");
    if !command.arg("init").arg("-q").arg(directory.path()).status().is_ok_and(|status| status.success()) {
        println!("skipped: no git");
        return;
    }
    let settings = Git {
        remote: Some("https://user:Planted-url@127.0.0.1:9/x.git".into()),
        branch: Some("main".into()),
        program: "git".into(),
        name: "x".into(),
        email: "x@example.net".into(),
        limit: LONG,
    };
    let files = FileTarget::git(directory.path(), settings);
    let mut seen = Seen::default();
    let candidate = files.load("r1.conf", &ConfigText::new("password Planted-file\n")).unwrap();
    seen.debug("difference", candidate.diff());
    let error = candidate.commit("Peers").await.unwrap_err();
    seen.debug("push", &error);
    seen.text("push", error.to_string());
    seen.check("git", 1);
}

/// Where a router's words come to be a reason why something is left out, or cannot be read.
fn parsers() {
    let part = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
    let said = "password Planted-said";
    let mut seen = Seen::default();
    let daemons: [(DaemonKind, BTreeMap<String, String>); 7] = [
        (DaemonKind::Frr, part("neighbors", &json!({ "default": {} }).to_string())),
        (
            DaemonKind::Frr,
            part(
                "neighbors",
                &format!("{}\n{}", json!({}), json!({ "default": { said: { "bgpState": said } } })),
            ),
        ),
        (DaemonKind::Frr, part("neighbors", &json!(said).to_string())),
        (DaemonKind::Openbgpd, part("neighbors", &json!({ "neighbors": said }).to_string())),
        (
            DaemonKind::Openbgpd,
            part("neighbors", &json!({ "neighbors": [{ "remote_addr": said, "state": said }] }).to_string()),
        ),
        (
            DaemonKind::Gobgp,
            [
                part("neighbors", &json!([{ "conf": { "neighbor_address": said } }]).to_string()),
                part("clock", "1"),
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        (
            DaemonKind::Bird,
            [part("status", "Current server time is 2026-11-23 22:12:09.933\n"), part("protocols", said)]
                .into_iter()
                .flatten()
                .collect(),
        ),
    ];
    for (kind, parts) in daemons {
        match parse(kind, &parts) {
            Ok(all) => seen.debug(kind.name(), &all.left_out),
            Err(why) => seen.text(kind.name(), why),
        }
    }
    let summary = "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor V AS PfxRcd\n\
        192.0.2.1 4 64501 1 1 1 0 0 1d password Planted-said\n";
    let detail = "BGP neighbor is password Planted-said,  remote AS 64501, external link\n  BGP state = Idle\n\
        BGP neighbor is 192.0.2.1,  remote AS 64501, external link\n  BGP state = password Planted-said\n";
    let vendors = [
        (Platform::NxosSsh, part("show_bgp_all_summary_vrf_all", summary)),
        (Platform::Ios, part("show_bgp_ipv4_unicast_neighbors", detail)),
        (Platform::Nxos, part("show_bgp_all_summary_vrf_all", &json!({ "TABLE_vrf": said }).to_string())),
        (Platform::Eos, part("show_ip_bgp_summary_vrf_all", &json!({ "vrfs": said }).to_string())),
        (Platform::Junos, part("get-bgp-neighbor-information", "<a><password Planted-said></b>")),
    ];
    for (platform, parts) in vendors {
        match parse_vendor(platform, &parts) {
            Ok(all) => seen.debug(platform.name(), &all.left_out),
            Err(why) => seen.text(platform.name(), pm_router::mask_text(&why)),
        }
    }
    // One keyword after another.
    for text in [
        "key-string password 7 Planted-1",
        "authentication md5 1 key \"Planted-2\"; ## SECRET-DATA",
        " ip ospf message-digest-key 1 md5 7 Planted-3",
        "ntp authentication-key 1 md5 Planted-4 7",
        "snmp {\n    community Planted-5;\n    community Planted-6 {\n        authorization read-only;\n    }\n}",
        "<authentication-key>Planted-7</authentication-key>",
    ] {
        seen.text("masked", pm_router::mask_text(text));
        seen.debug("difference", &Diff::between("", text));
    }
    seen.debug("pending", &Pending { platform: Platform::Junos, id: "x".into(), seconds: 1 });
    seen.check("parsers", 15);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Output for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_shows() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init()
        .unwrap();
    parsers();
    Box::pin(netconf(Kind::Junos, Platform::Junos)).await;
    Box::pin(netconf(Kind::IosXr, Platform::IosxrNetconf)).await;
    Box::pin(eos()).await;
    Box::pin(nxos()).await;
    Box::pin(bridge()).await;
    Box::pin(command_line(cli::Kind::Ios, Platform::Ios)).await;
    Box::pin(command_line(cli::Kind::Nxos, Platform::NxosSsh)).await;
    Box::pin(daemons()).await;
    Box::pin(repository()).await;
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("russh") && log.contains("hyper"), "the libraries log, too: {} octets", log.len());
    for secret in ["Planted", "bmV0b3BzOlBsYW50ZWQ"] {
        if let Some(at) = log.find(secret) {
            let from = (0..=at.saturating_sub(300)).rev().find(|&at| log.is_char_boundary(at)).unwrap_or(0);
            panic!("{secret} in the log: …{}", &log[from..at]);
        }
    }
}

/// What the table above looks for is found where it is.
#[test]
#[should_panic(expected = "Planted")]
fn a_secret_that_shows_is_found() {
    let mut seen = Seen::default();
    seen.debug("x", &Json::from("password Planted"));
    seen.check("nobody", 0);
}
