//! EOS and NX-OS over HTTP(S), against stand-ins that are strict.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pm_lab::routers::eapi::{Eapi, Fault, Options};
use pm_lab::routers::nxapi::{self, NxApi};
use pm_router::{
    ConfigText, Credentials, Endpoint, Error, Family, HostKeys, How, Limits, Pending, Platform, Router,
    State, Target, Tls, Way, connect,
};
use serde_json::{Map, Value, json};

const PASSWORD: &str = "hunter2-planted";
const RUNNING: &str = "hostname sw1\nrouter bgp 64500\n   neighbor 192.0.2.1 remote-as 64501\nend\n";

#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
fn extra_cases() -> Option<PathBuf> {
    std::env::var_os("EXTRA_CASES").map(PathBuf::from)
}

fn options() -> Options {
    Options { user: "admin".into(), password: PASSWORD.into(), running: RUNNING.into(), ..Options::default() }
}

fn target(address: SocketAddr, platform: Platform) -> Target {
    let mut options = Map::new();
    options.insert("transport".into(), json!("http"));
    Target {
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: false,
        python: PathBuf::new(),
        credentials: Credentials {
            user: "admin".into(),
            password: Some(PASSWORD.to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(String::new()),
        way: Way::default(),
        tls: Tls::default(),
        options,
        limits: Limits {
            read: Duration::from_secs(20),
            change: Duration::from_secs(20),
            ..Limits::default()
        },
    }
}

async fn switch(options: Options) -> (Eapi, Box<dyn Router>) {
    let eapi = Eapi::start(options).await.unwrap();
    let router = connect(&target(eapi.address, Platform::Eos)).await.unwrap();
    (eapi, router)
}

/// The name of a change's session.
fn session(change: &Pending) -> &str {
    change.id.split('/').next().unwrap()
}

fn candidate() -> ConfigText {
    ConfigText::new(
        "! by hand\nrouter bgp 64500\n   neighbor 192.0.2.2 remote-as 64502\n   neighbor 192.0.2.2 password 7 hunter2-planted\n!\n",
    )
}

#[tokio::test]
async fn a_change_is_loaded_committed_and_confirmed() {
    for newer in [false, true] {
        let (eapi, router) = switch(Options { newer, ..options() }).await;
        let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
        assert!(
            change.diff().text().contains("+   neighbor 192.0.2.2 remote-as 64502"),
            "{}",
            change.diff().text()
        );
        assert!(!change.diff().text().contains(PASSWORD));
        assert_eq!(change.diff().counts(), (2, 0));
        assert!(!eapi.running().contains("192.0.2.2"));
        let pending = change.commit(Duration::from_secs(30)).await.unwrap();
        assert!(eapi.running().contains("192.0.2.2") && !eapi.startup().contains("192.0.2.2"));
        let waiting = router.pending().await.unwrap().unwrap();
        assert_eq!(waiting.id, session(&pending));
        assert!((1..=30).contains(&waiting.seconds), "{}", waiting.seconds);
        // Another connection, as after a restart of this program.
        let again = connect(&target(eapi.address, Platform::Eos)).await.unwrap();
        again.confirm(&pending).await.unwrap();
        assert!(eapi.startup().contains("192.0.2.2"));
        assert!(again.pending().await.unwrap().is_none());
        // Twice does no harm, and it can still be undone.
        again.confirm(&pending).await.unwrap();
        again.roll_back(&pending).await.unwrap();
        assert!(!eapi.running().contains("192.0.2.2") && !eapi.startup().contains("192.0.2.2"));
    }
}

#[tokio::test]
async fn replacing_takes_away_what_is_not_there() {
    let (eapi, router) = switch(options()).await;
    let text = ConfigText::new(
        "hostname sw1\nbanner login\n! not a comment\nEOF\nrouter bgp 64500\n   neighbor 192.0.2.9 remote-as 1\nend\n",
    );
    let change = router.loader(How::Replace).unwrap().load(&text).await.unwrap();
    assert!(
        change.diff().text().contains("-   neighbor 192.0.2.1 remote-as 64501"),
        "{}",
        change.diff().text()
    );
    let pending = change.commit(Duration::from_secs(30)).await.unwrap();
    assert!(!eapi.running().contains("192.0.2.1 ") && eapi.running().contains("! not a comment"));
    router.roll_back(&pending).await.unwrap();
    assert!(eapi.running().contains("192.0.2.1 "));
    assert!(matches!(router.confirm(&pending).await, Err(Error::RolledBack { .. })));
}

#[tokio::test]
async fn nobody_confirms() {
    for newer in [false, true] {
        let (eapi, router) = switch(Options { newer, ..options() }).await;
        let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
        let pending = change.commit(Duration::from_millis(9_700)).await.unwrap();
        assert_eq!(pending.seconds, 10);
        drop(router);
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        assert!(!eapi.running().contains("192.0.2.2"));
        let again = connect(&target(eapi.address, Platform::Eos)).await.unwrap();
        assert!(matches!(again.confirm(&pending).await, Err(Error::RolledBack { .. })));
        again.roll_back(&pending).await.unwrap();
    }
}

#[tokio::test]
async fn only_what_waits_is_cancelled() {
    for newer in [false, true] {
        let (eapi, router) = switch(Options { newer, ..options() }).await;
        let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
        let named = change.change(Duration::from_secs(30)).unwrap();
        // The commit's answer is lost, and so is the one to the question what became of it.
        eapi.fault("copy running-config", Fault::CutAfter);
        eapi.fault(&format!("configure session {} abort", session(&named)), Fault::CutBefore);
        assert!(change.commit(Duration::from_secs(30)).await.unwrap_err().leaves_open());
        assert!(eapi.running().contains("192.0.2.2"));
        let again = connect(&target(eapi.address, Platform::Eos)).await.unwrap();
        assert!(again.cancel(&named).await.unwrap());
        assert!(!eapi.running().contains("192.0.2.2"));
        assert!(!again.cancel(&named).await.unwrap());
        // What somebody confirmed stays.
        let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
        let pending = change.commit(Duration::from_secs(30)).await.unwrap();
        again.confirm(&pending).await.unwrap();
        assert!(!again.cancel(&pending).await.unwrap());
        assert!(eapi.running().contains("192.0.2.2"));
    }
}

/// Loads, commits with a timer, and confirms.
async fn changed(router: &dyn Router, text: &str) -> Pending {
    let change = router.loader(How::Merge).unwrap().load(&ConfigText::new(text)).await.unwrap();
    let pending = change.commit(Duration::from_secs(30)).await.unwrap();
    router.confirm(&pending).await.unwrap();
    pending
}

/// What is in force is neither said to be gone nor undone along with what others did.
#[tokio::test]
async fn what_others_did_since_stays() {
    for newer in [false, true] {
        let (eapi, router) = switch(Options { newer, ..options() }).await;
        let first = changed(&*router, "hostname sw2\n").await;
        eapi.type_in("hostname by-hand");
        for error in [router.confirm(&first).await, router.roll_back(&first).await] {
            let Err(Error::Failed { message, .. }) = error else { panic!("{error:?}") };
            assert!(message.contains("somebody changed it since"), "{message}");
        }
        assert!(eapi.running().contains("hostname by-hand"));
        // Another change came after it, and the switch has forgotten the first.
        let second = changed(&*router, "hostname sw3\n").await;
        assert!(matches!(router.confirm(&first).await, Err(Error::Failed { .. })));
        assert!(matches!(router.roll_back(&first).await, Err(Error::Failed { .. })));
        router.confirm(&second).await.unwrap();
        assert!(eapi.running().contains("hostname sw3"));
    }
}

/// There is one file for what was there before.
#[tokio::test]
async fn what_was_there_before_is_looked_at_first() {
    let (eapi, router) = switch(options()).await;
    let first = changed(&*router, "hostname sw2\n").await;
    // Another change is made and taken back: what it kept is what the first one made.
    let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    let second = change.commit(Duration::from_secs(30)).await.unwrap();
    assert!(router.cancel(&second).await.unwrap());
    let Err(Error::Failed { message, .. }) = router.roll_back(&first).await else { panic!("it was undone") };
    assert!(message.contains("holds something else"), "{message}");
    assert!(eapi.running().contains("hostname sw2"));
    let second = changed(&*router, "hostname sw3\n").await;
    router.roll_back(&second).await.unwrap();
    assert!(eapi.running().contains("hostname sw2") && eapi.startup().contains("hostname sw2"));
}

/// A process that was killed between loading and committing leaves its session open.
#[tokio::test]
async fn a_session_that_nobody_commits_is_aborted_after_a_while() {
    let (eapi, router) = switch(options()).await;
    // The switch has run for a thousand seconds.
    eapi.leave_session("pm-10-0123456789ab");
    let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    assert_eq!(eapi.open_sessions(), 1);
    change.discard().await.unwrap();
    for name in ["pm-900-0123456789ab", "by-hand"] {
        eapi.leave_session(name);
        let Err(Error::Busy { holder, .. }) = router.loader(How::Merge).unwrap().load(&candidate()).await
        else {
            panic!("{name} is no hindrance");
        };
        assert!(holder.contains(name), "{holder}");
    }
}

#[tokio::test]
async fn one_change_at_a_time() {
    let (eapi, router) = switch(options()).await;
    let first = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    let other = connect(&target(eapi.address, Platform::Eos)).await.unwrap();
    let Err(Error::Busy { holder, .. }) = other.loader(How::Merge).unwrap().load(&candidate()).await else {
        panic!("a second session was begun");
    };
    assert!(holder.contains("pm-"), "{holder}");
    let pending = first.commit(Duration::from_secs(30)).await.unwrap();
    let Err(Error::Busy { holder, .. }) = other.loader(How::Merge).unwrap().load(&candidate()).await else {
        panic!("a second session was begun");
    };
    assert!(holder.contains(session(&pending)), "{holder}");
    router.confirm(&pending).await.unwrap();
    let second = other.loader(How::Merge).unwrap().load(&ConfigText::new("hostname sw2\n")).await.unwrap();
    // Someone types at the switch meanwhile: the session would undo that.
    eapi.type_in("hostname by-hand");
    assert!(matches!(second.commit(Duration::from_secs(30)).await, Err(Error::Changed { .. })));
    assert_eq!(eapi.open_sessions(), 0);
}

#[tokio::test]
async fn refused_candidates_leave_nothing_behind() {
    let (eapi, router) = switch(options()).await;
    let text = ConfigText::new("router bgp 64500\n   nieghbor 192.0.2.2 password hunter2-planted\n");
    let Err(error) = router.loader(How::Merge).unwrap().load(&text).await else { panic!("it was taken") };
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    assert!(error.to_string().contains("nieghbor") && !error.to_string().contains(PASSWORD), "{error}");
    assert_eq!(eapi.open_sessions(), 0);
    let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    let Err(error) = change.commit(Duration::from_hours(24)).await else { panic!("a day is too long") };
    assert!(error.to_string().contains("24 hours"), "{error}");
    assert_eq!(eapi.open_sessions(), 0);
    let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    change.discard().await.unwrap();
    assert_eq!(eapi.open_sessions(), 0);
    assert!(!eapi.running().contains("192.0.2.2"));
}

#[tokio::test]
async fn the_connection_ends() {
    let (eapi, router) = switch(options()).await;
    // While loading: the session is aborted.
    eapi.fault("rollback clean-config", Fault::CutAfter);
    assert!(router.loader(How::Replace).unwrap().load(&candidate()).await.is_err());
    assert_eq!(eapi.open_sessions(), 0);
    // While committing: it is undone.
    let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    eapi.fault("copy running-config", Fault::CutAfter);
    assert!(matches!(change.commit(Duration::from_secs(30)).await, Err(Error::Lost { .. })));
    assert!(router.pending().await.unwrap().is_none());
    assert!(!eapi.running().contains("192.0.2.2"));
    // While confirming: done, and the answer is lost; asking again tells.
    let change = router.loader(How::Merge).unwrap().load(&candidate()).await.unwrap();
    let pending = change.commit(Duration::from_secs(30)).await.unwrap();
    let commit = format!("configure session {} commit", session(&pending));
    eapi.fault(&commit, Fault::CutAfter);
    assert!(router.confirm(&pending).await.is_err());
    router.confirm(&pending).await.unwrap();
    assert!(eapi.startup().contains("192.0.2.2"));
    // Saving fails: it is in force, and that is said.
    let change = router.loader(How::Merge).unwrap().load(&ConfigText::new("hostname sw3\n")).await.unwrap();
    let pending = change.commit(Duration::from_secs(30)).await.unwrap();
    eapi.fault("write memory", Fault::CutBefore);
    assert!(matches!(router.confirm(&pending).await, Err(Error::NotSaved { .. })));
}

#[tokio::test]
async fn odd_answers_and_refused_logins() {
    let (eapi, router) = switch(options()).await;
    eapi.fault("show version", Fault::Html);
    assert!(matches!(router.facts().await, Err(Error::Unreadable { .. })));
    eapi.fault("show version", Fault::CutBefore);
    assert!(matches!(router.facts().await, Err(Error::Lost { .. })));
    eapi.fault("show version", Fault::Hang);
    let mut impatient = target(eapi.address, Platform::Eos);
    impatient.limits.read = Duration::from_secs(2);
    let hanging = connect(&impatient).await.unwrap();
    assert!(matches!(hanging.facts().await, Err(Error::Timeout { .. })));
    let facts = router.facts().await.unwrap();
    assert_eq!((facts.hostname.as_str(), facts.model.as_str()), ("sw1.example.net", "vEOS-lab"));
    let mut wrong = target(eapi.address, Platform::Eos);
    wrong.credentials.password = Some("other-planted".to_owned().into());
    let Err(error) = connect(&wrong).await else { panic!("it let us in") };
    assert!(matches!(error, Error::Login { .. }), "{error}");
    assert!(!format!("{error:?} {error}").contains("other-planted"));
    let address = eapi.address;
    drop(eapi);
    let begun = Instant::now();
    while !matches!(connect(&target(address, Platform::Eos)).await, Err(Error::Connect { .. })) {
        assert!(begun.elapsed().as_secs() < 60, "somebody still listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn certificates_are_verified() {
    let place = tempfile::tempdir().unwrap();
    let (key, certificate) = (place.path().join("key.pem"), place.path().join("certificate.pem"));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("skipped: openssl makes no certificate here");
        return;
    }
    let tls = Some((std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap()));
    let eapi = Eapi::start(Options { tls, ..options() }).await.unwrap();
    let mut target = target(eapi.address, Platform::Eos);
    target.options.clear();
    let Err(error) = connect(&target).await else { panic!("an unknown certificate was believed") };
    assert!(matches!(error, Error::Connect { .. }) && error.to_string().contains("ertificate"), "{error}");
    assert!(["ca_file", "--ca", "ssl_verify"].iter().all(|way| error.to_string().contains(way)), "{error}");
    assert!(eapi.seen().is_empty());
    target.tls.verify = false;
    connect(&target).await.unwrap().facts().await.unwrap();
    target.tls = Tls { verify: true, authorities: Some(certificate) };
    connect(&target).await.unwrap().facts().await.unwrap();
}

#[tokio::test]
async fn families_and_odd_peers() {
    let peer = |address: &str, more: Value| {
        let mut peer = json!({ "peerAddress": address, "asn": 64501, "localAsn": "64500", "routerId": "192.0.2.1",
            "state": "Established", "establishedTime": 61.5, "establishedTransitions": 3, "prefixesReceived": 10, "prefixesSent": 2,
            "v6PrefixesReceived": 4, "v6PrefixesSent": 1, "updateSource": "192.0.2.254", "description": "one" });
        peer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        peer
    };
    let both = json!({ "neighborCapabilities": { "multiprotocolCaps": { "ipv4Unicast": { "enabled": true }, "ipv6Unicast": { "enabled": true } } } });
    let peers = json!([
        peer("192.0.2.1", both),
        peer("192.0.2.2", json!({ "state": "Idle", "idleReason": "Administratively shut down" })),
        peer("192.0.2.3", json!({ "state": "Idle", "idleReason": "Maximum routes limit reached" })),
        peer("192.0.2.4", json!({ "state": "Dreaming" })),
        { "peerAddress": 5 },
    ]);
    let summary = json!({ "vrfs": { "default": { "routerId": "192.0.2.254", "peers": { "192.0.2.1": { "prefixAccepted": 9 } } } } });
    let answers = BTreeMap::from([
        ("show ip bgp summary vrf all".to_owned(), summary.clone()),
        ("show ipv6 bgp summary vrf all".to_owned(), summary),
        ("show ip bgp neighbors vrf all".to_owned(), json!({ "vrfs": { "default": { "peerList": peers } } })),
        ("show ipv6 bgp peers vrf all".to_owned(), json!({ "vrfs": {} })),
    ]);
    let (_eapi, router) = switch(Options { answers, ..options() }).await;
    let all = router.neighbors().await.unwrap();
    assert_eq!((all.neighbors.len(), all.left_out.len()), (3, 2));
    let one = &all.neighbors[0];
    assert_eq!(
        (one.state, one.uptime(), one.flaps, one.remote_as),
        (State::Established, Some(61), Some(2), Some(64501))
    );
    let counts = one.prefixes.get(&Family::Ipv6).unwrap();
    assert_eq!((counts.received, counts.accepted, counts.advertised), (Some(4), Some(9), Some(1)));
    assert_eq!(one.prefixes.len(), 2);
    assert!(!all.neighbors[1].enabled && all.neighbors[2].enabled && all.neighbors[2].over_limit);
    assert_eq!(all.neighbors[1].last_error.as_deref(), Some("Administratively shut down"));
}

fn file_name(command: &str) -> String {
    command.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The answers of a recorded case, by the commands.
fn recorded(case: &Path, commands: &[&str]) -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter_map(|path| {
            let stem = path.file_stem()?.to_str()?;
            let command = commands.iter().find(|command| file_name(command) == stem)?;
            let text = std::fs::read_to_string(&path).unwrap();
            let json = path.extension().is_some_and(|end| end == "json");
            let value = if json { serde_json::from_str(&text).unwrap() } else { Value::String(text) };
            Some(((*command).to_owned(), value))
        })
        .collect()
}

#[tokio::test]
async fn recorded_cases_over_the_wire() {
    let Some(place) = extra_cases() else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let commands = [
        "show ip bgp summary vrf all",
        "show ipv6 bgp summary vrf all",
        "show ip bgp neighbors vrf all",
        "show ipv6 bgp peers vrf all",
        "show running-config | include service routing protocols model multi-agent",
        "show bgp all summary vrf all",
    ];
    let mut count = 0;
    for platform in [Platform::Eos, Platform::Nxos] {
        let Ok(cases) = std::fs::read_dir(place.join("napalm").join(platform.name())) else { continue };
        for case in cases.map(|case| case.unwrap().path()) {
            let expected: Value =
                serde_json::from_str(&std::fs::read_to_string(case.join("expected_result.json")).unwrap())
                    .unwrap();
            let mut answers = recorded(&case, &commands);
            let found = if platform == Platform::Eos {
                let (_eapi, router) = switch(Options { answers, ..options() }).await;
                if case.to_str().unwrap().contains("detail") {
                    serde_json::to_value(router.napalm_detail().await.unwrap()).unwrap()
                } else {
                    serde_json::to_value(router.napalm_neighbors().await.unwrap()).unwrap()
                }
            } else {
                answers.insert("show hostname".to_owned(), json!({ "hostname": "sw" }));
                let options = nxapi::Options { user: "admin".into(), password: PASSWORD.into(), answers };
                let switch = NxApi::start(options).await.unwrap();
                let router = connect(&target(switch.address, platform)).await.unwrap();
                serde_json::to_value(router.napalm_neighbors().await.unwrap()).unwrap()
            };
            assert!(found == expected, "{}", case.display());
            count += 1;
        }
    }
    println!("{count} recorded cases over the wire");
}

#[tokio::test]
async fn nx_os_over_the_wire() {
    let summary = json!({ "TABLE_vrf": { "ROW_vrf": { "vrf-name-out": "default", "vrf-router-id": "192.0.2.254", "vrf-local-as": 64500,
        "TABLE_af": { "ROW_af": [
            { "af-id": "1", "TABLE_saf": { "ROW_saf": { "safi": 1, "TABLE_neighbor": { "ROW_neighbor": [
                { "neighborid": "192.0.2.1", "neighboras": "1.10", "state": "Established", "time": "1w2d", "prefixreceived": "7" },
                { "neighborid": "192.0.2.2", "neighboras": 64502, "state": "Shut (Admin)", "time": "01:00:00", "prefixreceived": 0 },
                { "neighborid": "192.0.2.3", "neighboras": 64503, "state": "Dreaming" }] } } } },
            { "af-id": 2, "TABLE_saf": { "ROW_saf": [{ "safi": "1", "TABLE_neighbor": { "ROW_neighbor":
                { "neighborid": "192.0.2.1", "neighboras": "1.10", "state": "Established", "time": "1w2d", "prefixreceived": 8 } } }] } }] } } } });
    let version = json!({ "host_name": "sw9", "chassis_id": "Nexus", "nxos_ver_str": "10.2", "kern_uptm_days": 1, "kern_uptm_hrs": "2",
        "kern_uptm_mins": 3, "kern_uptm_secs": 4 });
    let mut answers = BTreeMap::from([
        ("show hostname".to_owned(), json!({ "hostname": "sw9" })),
        ("show version".to_owned(), version),
        ("show running-config".to_owned(), json!("hostname sw9\n")),
    ]);
    let start = |answers: &BTreeMap<String, Value>| {
        NxApi::start(nxapi::Options {
            user: "admin".into(),
            password: PASSWORD.into(),
            answers: answers.clone(),
        })
    };
    let without = start(&answers).await.unwrap();
    let router = connect(&target(without.address, Platform::Nxos)).await.unwrap();
    assert!(router.neighbors().await.unwrap().neighbors.is_empty());
    answers.insert("show bgp all summary vrf all".to_owned(), summary);
    let switch = start(&answers).await.unwrap();
    let without_python =
        Target { python: "/nonexistent/python3".into(), ..target(switch.address, Platform::Nxos) };
    let router = connect(&without_python).await.unwrap();
    let all = router.neighbors().await.unwrap();
    assert_eq!((all.neighbors.len(), all.left_out.len()), (2, 1));
    let one = &all.neighbors[0];
    assert_eq!((one.remote_as, one.uptime()), (Some(65_546), Some(777_600)));
    assert_eq!(one.prefixes.get(&Family::Ipv4).unwrap().accepted, Some(7));
    assert_eq!(one.prefixes.get(&Family::Ipv6).unwrap().accepted, Some(8));
    assert!(!all.neighbors[1].enabled && all.neighbors[1].downtime() == Some(3600));
    let facts = router.facts().await.unwrap();
    assert_eq!(
        (facts.hostname.as_str(), facts.version.as_str(), facts.uptime),
        ("sw9", "10.2", Some(93_784))
    );
    assert_eq!(router.running_config().await.unwrap().expose(), "hostname sw9\n");
    // Changes are NAPALM's, and there is none.
    assert!(router.loader(How::Merge).is_some() && router.pending().await.is_err());
    let mut wrong = target(switch.address, Platform::Nxos);
    wrong.credentials.password = None;
    assert!(matches!(connect(&wrong).await, Err(Error::Login { .. })));
}
