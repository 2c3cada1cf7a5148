//! A router that stops answering, at every step of every driver: the error names host and step, and comes when the time for
//! that step is over, whatever there would be to tidy up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::iter;
use pm_lab::routers::cli::{self, Cli};
use pm_lab::routers::eapi::{self, Eapi, Fault};
use pm_lab::routers::netconf::{Kind, Options, Router as StandIn};
use pm_lab::routers::nxapi::{self, NxApi};
use pm_router::{
    ConfigText, Credentials, Endpoint, Error, HostKeys, How, Jump, Limits, Pending, Platform, Step, Target,
    Tls, Way, connect,
};
use serde_json::{Map, json};

const PASSWORD: &str = "Planted-1";
/// For the step that is not answered.
const LIMIT: Duration = Duration::from_secs(6);
/// For what is answered, on a machine that has much to do.
const LONG: Duration = Duration::from_secs(40);
/// Later than this after the limit is too late: a farewell of two seconds, and a machine that has much to do.
const SLACK: Duration = Duration::from_secs(30);

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
        host_keys: HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43))),
        tls: Tls::default(),
        options: Map::new(),
        limits: Limits { connect: LONG, login: LONG, read: LIMIT, change: LIMIT, ..Limits::default() },
        way: Way::default(),
    }
}

/// So many at the same time, so that what is answered is answered in time.
async fn all<F: Future<Output = ()>>(cases: impl IntoIterator<Item = F>) {
    iter(cases.into_iter().map(Box::pin)).buffer_unordered(8).collect::<()>().await;
}

/// What is done when the router stops answering.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Connect,
    Facts,
    Neighbors,
    Config,
    Pending,
    Load(How),
    Commit,
    Discard,
    Confirm,
    RollBack,
    /// To undo what was confirmed.
    Restore,
}

impl Act {
    fn step(self) -> Step {
        match self {
            Self::Connect => Step::Login,
            Self::Facts => Step::Facts,
            Self::Neighbors => Step::Neighbors,
            Self::Config => Step::Config,
            Self::Pending => Step::Pending,
            Self::Load(_) => Step::Load,
            Self::Commit => Step::Commit,
            Self::Discard => Step::Discard,
            Self::Confirm => Step::Confirm,
            Self::RollBack | Self::Restore => Step::RollBack,
        }
    }
}

/// A configuration as the platform writes it.
fn named(platform: Platform, name: &str) -> String {
    if platform == Platform::Junos { format!("host-name {name};\n") } else { format!("hostname {name}\n") }
}

/// Does it; `fall_silent` is called just before. The error, and how long it took.
async fn run(target: &Target, act: Act, fall_silent: impl FnOnce()) -> (Error, Duration) {
    if act == Act::Connect {
        fall_silent();
        let begun = Instant::now();
        let error = connect(target).await.err().unwrap_or_else(|| panic!("{act:?}: it is answered"));
        return (error, begun.elapsed());
    }
    let router = connect(target).await.unwrap();
    let how = if let Act::Load(how) = act { how } else { How::Merge };
    let load =
        async || router.loader(how).unwrap().load(&ConfigText::new(named(target.platform, "other"))).await;
    let nothing = Pending { platform: target.platform, id: "x".into(), seconds: 60 };
    let mut change = nothing;
    let mut candidate = None;
    match act {
        Act::Commit | Act::Discard => candidate = Some(load().await.unwrap()),
        Act::Confirm | Act::RollBack if router.loader(How::Merge).is_some() => {
            change = load().await.unwrap().commit(Duration::from_hours(1)).await.unwrap();
        }
        Act::Restore => {
            change = load().await.unwrap().commit(Duration::from_hours(1)).await.unwrap();
            router.confirm(&change).await.unwrap();
        }
        _ => {}
    }
    fall_silent();
    let begun = Instant::now();
    let done = match act {
        Act::Connect => unreachable!(),
        Act::Facts => router.facts().await.map(drop),
        Act::Neighbors => router.neighbors().await.map(drop),
        Act::Config => router.running_config().await.map(drop),
        Act::Pending => router.pending().await.map(drop),
        Act::Load(_) => load().await.map(drop),
        Act::Commit => candidate.unwrap().commit(Duration::from_hours(1)).await.map(drop),
        Act::Discard => candidate.unwrap().discard().await,
        Act::Confirm => router.confirm(&change).await,
        Act::RollBack | Act::Restore => router.roll_back(&change).await,
    };
    let error = done.err().unwrap_or_else(|| panic!("{act:?}: it is answered"));
    let took = begun.elapsed();
    let begun = Instant::now();
    router.close().await;
    assert!(begun.elapsed() < SLACK, "{act:?}: closing took {:?}", begun.elapsed());
    (error, took)
}

fn check(what: &str, act: Act, error: &Error, took: Duration, limit: Duration) {
    check_step(what, act.step(), error, took, limit);
}

fn check_step(what: &str, expected: Step, error: &Error, took: Duration, expected_limit: Duration) {
    let Error::Timeout { host, step, limit } = error else { panic!("{what}: {error}") };
    assert!(host.contains("127.0.0.1"), "{what}: {error}");
    assert_eq!((*step, *limit), (expected, expected_limit), "{what}: {error}");
    assert!(took >= expected_limit && took < expected_limit + SLACK, "{what}: {took:?}");
    assert!(!format!("{error} {error:?}").contains("Planted"), "{error}");
}

/// Where a router with NETCONF falls silent, after how many of its kind, and while what is done.
type Case = (&'static str, usize, Act);

async fn netconf(kind: Kind, platform: Platform, (at, before, act): Case) {
    let bgp = "<bgp-information/>".to_owned();
    let answers = ["get-bgp-neighbor-information", "get-bgp-summary-information"]
        .map(|name| (name.to_owned(), bgp.clone()));
    let options = Options {
        kind,
        config: named(platform, "one"),
        password: PASSWORD.into(),
        answers: answers.into(),
        minute: Duration::from_mins(1),
    };
    let router = StandIn::start(options).await.unwrap();
    let mut target = target(router.address(), platform);
    target.host_keys = HostKeys::Fingerprint(router.fingerprint().clone());
    if act == Act::Connect {
        target.limits.login = LIMIT;
    }
    let (error, took) = run(&target, act, || router.fall_silent(at, before)).await;
    check(&format!("{} {at}", platform.name()), act, &error, took, LIMIT);
    // Neither lock nor candidate outlives the connection.
    let begun = Instant::now();
    while !router.is_clean() {
        assert!(begun.elapsed() < SLACK, "{at} {act:?}: the lock or the candidate stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn junos_stops_answering() {
    let cases = [
        ("login", 0, Act::Connect),
        ("subsystem", 0, Act::Connect),
        ("hello", 0, Act::Connect),
        ("get-system-information", 0, Act::Facts),
        ("get-system-uptime-information", 0, Act::Facts),
        ("get-bgp-neighbor-information", 0, Act::Neighbors),
        ("get-bgp-summary-information", 0, Act::Neighbors),
        ("get-configuration", 0, Act::Config),
        ("get-commit-information", 0, Act::Pending),
        ("lock-configuration", 0, Act::Load(How::Merge)),
        ("get-commit-information", 0, Act::Load(How::Merge)),
        ("load-configuration", 0, Act::Load(How::Merge)),
        ("load-configuration", 0, Act::Load(How::Replace)),
        ("get-configuration", 0, Act::Load(How::Merge)),
        ("get-commit-information", 0, Act::Commit),
        ("commit-configuration", 0, Act::Commit),
        ("get-commit-information", 1, Act::Commit),
        ("get-system-uptime-information", 0, Act::Commit),
        ("load-configuration", 0, Act::Discard),
        ("unlock-configuration", 0, Act::Discard),
        ("lock-configuration", 0, Act::Confirm),
        ("get-commit-information", 0, Act::Confirm),
        ("commit-configuration", 0, Act::Confirm),
        ("get-commit-information", 1, Act::Confirm),
        ("lock-configuration", 0, Act::RollBack),
        ("get-commit-information", 0, Act::RollBack),
        ("load-configuration", 0, Act::RollBack),
        ("commit-configuration", 0, Act::RollBack),
        ("get-commit-information", 1, Act::RollBack),
    ];
    all(cases.into_iter().map(|case| netconf(Kind::Junos, Platform::Junos, case))).await;
}

#[tokio::test]
async fn iosxr_stops_answering() {
    let cases = [
        ("login", 0, Act::Connect),
        ("subsystem", 0, Act::Connect),
        ("hello", 0, Act::Connect),
        ("get", 0, Act::Facts),
        ("get", 0, Act::Neighbors),
        ("get-config", 0, Act::Config),
        ("lock", 0, Act::Load(How::Merge)),
        ("edit-config", 0, Act::Load(How::Merge)),
        ("copy-config", 0, Act::Load(How::Replace)),
        ("get-cli-config-diff", 0, Act::Load(How::Merge)),
        ("commit", 0, Act::Commit),
        ("get-cli-config-diff", 0, Act::Commit),
        ("get-config", 0, Act::Commit),
        ("discard-changes", 0, Act::Discard),
        ("unlock", 0, Act::Discard),
        ("lock", 0, Act::Confirm),
        ("get-cli-config-diff", 0, Act::Confirm),
        ("commit", 0, Act::Confirm),
        ("get-config", 0, Act::Confirm),
        ("cancel-commit", 0, Act::RollBack),
        ("cancel-commit", 0, Act::Restore),
        ("get-config", 0, Act::Restore),
        ("roll-back-configuration-last", 0, Act::Restore),
    ];
    all(cases.into_iter().map(|case| netconf(Kind::IosXr, Platform::IosxrNetconf, case))).await;
}

/// The stand-in for NETCONF runs no commands: whatever a daemon's script is, it is not answered.
#[tokio::test]
async fn daemons_stop_answering() {
    let daemons = [Platform::Frr, Platform::Bird, Platform::Openbgpd, Platform::Gobgp];
    let acts = [Act::Facts, Act::Neighbors, Act::Config, Act::Pending, Act::Load(How::Replace)];
    let options = Options {
        kind: Kind::Junos,
        config: String::new(),
        password: PASSWORD.into(),
        answers: BTreeMap::new(),
        minute: Duration::from_mins(1),
    };
    let router = StandIn::start(options).await.unwrap();
    let mut cases = Vec::new();
    for platform in daemons {
        for act in acts {
            let mut target = target(router.address(), platform);
            target.host_keys = HostKeys::Fingerprint(router.fingerprint().clone());
            cases.push(async move {
                let (error, took) = run(&target, act, || {}).await;
                check(platform.name(), act, &error, took, LIMIT);
            });
        }
        // What was committed before, by another connection.
        let mut target = target(router.address(), platform);
        target.host_keys = HostKeys::Fingerprint(router.fingerprint().clone());
        let router = connect(&target).await.unwrap();
        let change = Pending { platform, id: "x".into(), seconds: 60 };
        for act in [Act::Confirm, Act::RollBack] {
            let begun = Instant::now();
            let done = if act == Act::Confirm {
                router.confirm(&change).await
            } else {
                router.roll_back(&change).await
            };
            check(platform.name(), act, &done.unwrap_err(), begun.elapsed(), LIMIT);
        }
    }
    all(cases).await;
}

async fn eos(at: &'static str, act: Act) {
    let options = eapi::Options {
        user: "netops".into(),
        password: PASSWORD.into(),
        running: "hostname one\n".into(),
        ..eapi::Options::default()
    };
    let switch = Eapi::start(options).await.unwrap();
    let mut target = target(switch.address, Platform::Eos);
    target.options.insert("transport".into(), json!("http"));
    if act == Act::Connect {
        target.limits.login = LIMIT;
    }
    let (error, took) = run(&target, act, || switch.fault(at, Fault::Deaf)).await;
    check(&format!("eos {at}"), act, &error, took, LIMIT);
}

#[tokio::test]
async fn eos_stops_answering() {
    let cases = [
        ("show hostname", Act::Connect),
        ("show version", Act::Facts),
        ("show ip bgp summary", Act::Neighbors),
        ("show running-config", Act::Config),
        ("show configuration sessions", Act::Pending),
        ("show configuration sessions", Act::Load(How::Merge)),
        ("show running-config", Act::Load(How::Merge)),
        ("configure session", Act::Load(How::Merge)),
        ("rollback clean-config", Act::Load(How::Replace)),
        ("show session-config", Act::Load(How::Merge)),
        ("show configuration sessions", Act::Commit),
        ("show running-config", Act::Commit),
        ("copy running-config", Act::Commit),
        ("configure session", Act::Discard),
        ("show configuration sessions", Act::Confirm),
        ("configure session", Act::Confirm),
        ("show configuration sessions", Act::RollBack),
        ("configure session", Act::RollBack),
    ];
    all(cases.into_iter().map(|(at, act)| eos(at, act))).await;
}

/// What is confirmed is in force: that it is not saved is said, and in time.
#[tokio::test]
async fn eos_stops_answering_when_it_saves() {
    let options = eapi::Options {
        user: "netops".into(),
        password: PASSWORD.into(),
        running: "hostname one\n".into(),
        ..eapi::Options::default()
    };
    let switch = Eapi::start(options).await.unwrap();
    let mut target = target(switch.address, Platform::Eos);
    target.options.insert("transport".into(), json!("http"));
    let router = connect(&target).await.unwrap();
    let text = ConfigText::new("hostname other\n");
    let candidate = router.loader(How::Merge).unwrap().load(&text).await.unwrap();
    let change = candidate.commit(Duration::from_hours(1)).await.unwrap();
    switch.fault("write memory", Fault::Deaf);
    let begun = Instant::now();
    let error = router.confirm(&change).await.unwrap_err();
    assert!(matches!(error, Error::NotSaved { .. }), "{error}");
    assert!(begun.elapsed() >= LIMIT && begun.elapsed() < LIMIT + SLACK, "{:?}", begun.elapsed());
    assert!(switch.running().contains("other") && !switch.startup().contains("other"));
}

#[tokio::test]
async fn command_lines_stop_answering() {
    let one = async |(platform, at, act): (Platform, &'static str, Act)| {
        let ios = platform == Platform::Ios;
        let commands =
            ["show version", "show running-config", "show bgp all summary", "show bgp all summary vrf all"];
        let options = cli::Options {
            kind: if ios { cli::Kind::Ios } else { cli::Kind::Nxos },
            hostname: "r1".into(),
            user: "netops".into(),
            password: PASSWORD.into(),
            privileged: true,
            answers: commands.map(|command| (command.to_owned(), "one\ntwo\n".to_owned())).into(),
            fault: cli::Fault::Hang(at.to_owned()),
            ..cli::Options::default()
        };
        let router = Cli::start(options).await.unwrap();
        let mut target = target(router.address(), platform);
        target.host_keys = HostKeys::Fingerprint(router.fingerprint().to_owned());
        let (error, took) = run(&target, act, || {}).await;
        check(&format!("{} {at}", platform.name()), act, &error, took, LIMIT);
    };
    let cases = [
        (Platform::Ios, "show version", Act::Facts),
        (Platform::Ios, "show bgp all summary", Act::Neighbors),
        (Platform::Ios, "show running-config", Act::Config),
        (Platform::NxosSsh, "show version", Act::Facts),
        (Platform::NxosSsh, "show bgp all summary vrf all", Act::Neighbors),
        (Platform::NxosSsh, "show running-config", Act::Config),
    ];
    all(cases.into_iter().map(one)).await;
}

/// A jump host that lets in, and never says whether it gets to the router.
struct Nowhere;

impl russh::server::Handler for Nowhere {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<russh::server::Auth, russh::Error> {
        Ok(russh::server::Auth::Accept)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _: russh::Channel<russh::server::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: russh::server::ChannelOpenHandle,
        _: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_jump_host_stops_answering() {
    let listen = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listen().await;
    let options = Options {
        kind: Kind::Junos,
        config: String::new(),
        password: PASSWORD.into(),
        answers: BTreeMap::new(),
        minute: Duration::from_mins(1),
    };
    let login = StandIn::start(options).await.unwrap();
    login.fall_silent("login", 0);
    let nowhere = listen().await;
    let key =
        russh::keys::PrivateKey::from(russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[1; 32]));
    let host_key = key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    let cases = [
        ("TCP", silent.local_addr().unwrap(), host_key.clone(), Step::Connect),
        ("login", login.address(), login.fingerprint(), Step::Login),
        ("the way on", nowhere.local_addr().unwrap(), host_key, Step::Connect),
    ];
    let config = std::sync::Arc::new(russh::server::Config { keys: vec![key], ..Default::default() });
    let server = tokio::spawn(async move {
        let (stream, _) = nowhere.accept().await.unwrap();
        russh::server::run_stream(config, stream, Nowhere).await.unwrap().await
    });
    all(cases.into_iter().map(async |(what, address, host_key, step)| {
        let mut target = target("127.0.0.1:1".parse().unwrap(), Platform::Junos);
        target.limits = Limits { connect: LIMIT, login: LIMIT, ..target.limits };
        target.way.jump = Some(Jump {
            endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
            credentials: target.credentials.clone(),
            host_keys: HostKeys::Fingerprint(host_key),
        });
        let begun = Instant::now();
        let error = connect(&target).await.err().unwrap();
        check_step(what, step, &error, begun.elapsed(), LIMIT);
        assert_eq!(error.to_string().contains("jump host"), what != "the way on", "{error}");
    }))
    .await;
    server.abort();
}

#[tokio::test]
async fn nxos_stops_answering() {
    let nxos = async |(at, act): (&'static str, Act)| {
        let options = nxapi::Options {
            user: "netops".into(),
            password: PASSWORD.into(),
            answers: BTreeMap::from([("show hostname".into(), json!({ "hostname": "x" }))]),
        };
        let switch = NxApi::start(options).await.unwrap();
        let mut target = target(switch.address, Platform::Nxos);
        target.options.insert("transport".into(), json!("http"));
        if act == Act::Connect {
            target.limits.login = LIMIT;
        }
        let (error, took) = run(&target, act, || switch.fall_silent(at)).await;
        check(&format!("nxos {at}"), act, &error, took, LIMIT);
    };
    let cases = [
        ("show hostname", Act::Connect),
        ("show version", Act::Facts),
        ("show bgp all summary vrf all", Act::Neighbors),
        ("show running-config", Act::Config),
    ];
    all(cases.into_iter().map(nxos)).await;
}

/// A port that takes connections and says nothing.
#[tokio::test]
async fn nobody_speaks() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            kept.push(socket);
        }
    });
    let one = async |platform: Platform| {
        let mut target = target(address, platform);
        target.limits.connect = LIMIT;
        let begun = Instant::now();
        let error = connect(&target).await.err().unwrap();
        check_step(platform.name(), Step::Connect, &error, begun.elapsed(), LIMIT);
    };
    let platforms = [
        Platform::Frr,
        Platform::Bird,
        Platform::Openbgpd,
        Platform::Gobgp,
        Platform::Junos,
        Platform::IosxrNetconf,
        Platform::Eos,
        Platform::Nxos,
        Platform::Ios,
        Platform::NxosSsh,
    ];
    all(platforms.into_iter().map(one)).await;
    silent.abort();
}

/// NAPALM's process, which is ended.
#[tokio::test]
async fn napalm_stops_answering() {
    let bridge = async |(place, act): (&'static str, Act)| {
        let directory = tempfile::tempdir().unwrap();
        let device = directory.path().join("device");
        std::fs::write(&device, json!({ "config": "router\n" }).to_string()).unwrap();
        let mut target = target("127.0.0.1:1".parse().unwrap(), Platform::Napalm);
        target.driver_name = "lab".into();
        target.python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge/python");
        target.credentials.password = Some("Planted's-1\\".into());
        target.host_keys = HostKeys::KnownHosts("/nonexistent".into());
        target.options.insert("device".into(), json!(device));
        target.options.insert("fault".into(), json!(format!("{place}:hang")));
        // Python must have started within the time for reading.
        let limit = Duration::from_secs(40);
        target.limits = Limits { read: limit, change: limit, ..target.limits };
        let mut limit_of_act = limit;
        if act == Act::Connect {
            target.limits.connect = Duration::from_secs(1);
            target.limits.login = Duration::from_secs(39);
            limit_of_act = limit;
        }
        let (error, took) = run(&target, act, || {}).await;
        let step = if act == Act::Connect { Step::Connect } else { act.step() };
        let Error::Timeout { step: found, limit: said, .. } = &error else { panic!("{place}: {error}") };
        assert_eq!((*found, *said), (step, limit_of_act), "{place}: {error}");
        assert!(took < 3 * limit_of_act, "{place}: {took:?}");
    };
    let cases = [
        ("open", Act::Connect),
        ("facts", Act::Facts),
        ("neighbors", Act::Neighbors),
        ("config", Act::Config),
        ("pending", Act::Pending),
        ("load", Act::Load(How::Merge)),
        ("commit", Act::Commit),
        ("discard", Act::Discard),
        ("confirm", Act::Confirm),
        ("rollback", Act::RollBack),
    ];
    all(cases.into_iter().map(bridge)).await;
}
