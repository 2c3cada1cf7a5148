//! IOS and NX-OS at their command lines over SSH, against stand-ins that are strict.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pm_lab::routers::cli::{Cli, Fault, Kind, Options};
use pm_router::{
    ConfigText, Credentials, Endpoint, Error, Family, HostKeys, How, Key, Limits, Platform, Router, State,
    Target, Tls, Way, connect, mask_text,
};
use serde_json::json;

const PASSWORD: &str = "hunter2-planted";
const SECRET: &str = "enable-planted";
const SUMMARY: &str = "For address family: IPv4 Unicast\nBGP router identifier 192.0.2.254, local AS number 64500\n\n\
    Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
    192.0.2.1       4        64501       1       1        1    0    0 1d02h           5\n\
    192.0.2.2       4        64502       1       1        1    0    0 never    Idle (Admin)\n\n\
    For address family: IPv6 Unicast\nBGP router identifier 192.0.2.254, local AS number 64500\n\n\
    Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
    2001:DB8::1     4        64501       1       1        1    0    0 00:10:00        7\n";
/// What a neighbour may write into the answer: prompts, commands and marks.
const FOUR: &str = "BGP neighbor is 192.0.2.1,  remote AS 64501, external link\n Description: r1#show bgp all summary\nr1#\n\
    r1#show bgp ipv6 unicast neighbors\nr1#!00000000\nr1>\n BGP version 4, remote router ID 198.51.100.1\n  \
    BGP state = Established, up for 1d02h\n\n For address family: IPv4 Unicast\n    Prefixes Current:     2   5\n\
    \x20 Local Policy Denied Prefixes:    --------    -------\n  \
    Connections established 3; dropped 2\n  Last reset 1d02h, due to Peer closed the session\n\
    Local host: 192.0.2.254, Local port: 179\nBGP neighbor is 192.0.2.2,  remote AS 64502, external link\n \
    Administratively shut down\n  BGP version 4, remote router ID 0.0.0.0\n  BGP state = Idle\n\n \
    For address family: IPv4 Unicast\n  Local Policy Denied Prefixes: - -\n  Connections established 0; dropped 0\n  Last reset never\n";
const SIX: &str = "BGP neighbor is 2001:DB8::1,  remote AS 64501, external link\n  BGP version 4, remote router ID 198.51.100.1\n  \
    BGP state = Established, up for 00:10:00\n\n For address family: IPv6 Unicast\n    Prefixes Current:     1   7\n  Local Policy Denied Prefixes: - -\n  \
    Connections established 1; dropped 0\n  Last reset never\n";
const VERSION: &str = "Cisco IOS Software, 7200 Software (C7200-ADVENTERPRISEK9-M), Version 15.2(4)S5, RELEASE SOFTWARE\n\
    r1 uptime is 2 weeks, 3 minutes\nCisco 7206VXR (NPE400) processor (revision A) with 491520K/32768K bytes of memory.\n";
const NXOS: &str = "BGP summary information for VRF default, address family IPv4 Unicast\nBGP router identifier 192.0.2.254, \
    local AS number 64500\n\nNeighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
    192.0.2.1       4 64501       1       1        1    0    0     1d2h 5\nsw1# \n\
    192.0.2.2       4 64502       1       1        1    0    0 00:00:09 Shut (Admin)\n";

fn answers(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(command, text)| ((*command).to_owned(), (*text).to_owned())).collect()
}

fn ios() -> Options {
    Options {
        hostname: "r1".into(),
        user: "netops".into(),
        password: PASSWORD.into(),
        secret: Some(SECRET.into()),
        banner: "\n###\nr1#\nr1>\nPassword: \nWelcome to r1# --More-- \n\n".into(),
        answers: answers(&[
            ("show bgp all summary", SUMMARY),
            ("show bgp ipv4 unicast neighbors", FOUR),
            ("show bgp ipv6 unicast neighbors", SIX),
            ("show bgp ipv4 multicast neighbors", ""),
            ("show version", VERSION),
            (
                "show running-config",
                "Building configuration...\n\nCurrent configuration : 99 bytes\n!\nenable secret 5 Planted\nend\n",
            ),
        ]),
        ..Options::default()
    }
}

fn nxos() -> Options {
    Options {
        kind: Kind::Nxos,
        hostname: "sw1".into(),
        answers: answers(&[
            ("show bgp all summary vrf all", NXOS),
            ("show version", "  NXOS: version 9.3(3)\n"),
        ]),
        ..ios()
    }
}

fn target(to: &Cli, platform: Platform) -> Target {
    Target {
        endpoint: Endpoint { host: to.address().ip().to_string(), port: to.address().port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: false,
        python: "/nonexistent/python3".into(),
        credentials: Credentials {
            user: "netops".into(),
            password: Some(PASSWORD.to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(to.fingerprint().to_owned()),
        way: Way::default(),
        tls: Tls::default(),
        options: serde_json::Map::new(),
        limits: Limits {
            login: Duration::from_secs(4),
            read: Duration::from_secs(4),
            answer: 1 << 20,
            ..Limits::default()
        },
    }
}

async fn router(options: Options) -> (Cli, Box<dyn Router>) {
    let platform = if options.kind == Kind::Ios { Platform::Ios } else { Platform::NxosSsh };
    let cli = Cli::start(options).await.unwrap();
    let router = connect(&target(&cli, platform)).await.unwrap();
    (cli, router)
}

/// The error's text, in which nothing is that was planted.
fn told(error: &Error) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("planted") && !text.contains("Planted"), "{text}");
    error.to_string()
}

#[tokio::test]
async fn ios_tells_its_neighbours() {
    let (cli, router) = router(ios()).await;
    let all = router.neighbors().await.unwrap();
    assert_eq!((all.neighbors.len(), all.left_out.len()), (3, 0), "{:?}", all.left_out);
    let one = all.get("default", "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(one.description.as_deref(), Some("r1#show bgp all summary"));
    assert_eq!((one.uptime(), one.prefixes.get(&Family::Ipv4).unwrap().accepted), (Some(93_600), Some(5)));
    let shut = all.get("default", "192.0.2.2".parse().unwrap()).unwrap();
    assert!(!shut.enabled && shut.state == State::Idle);
    let six = all.get("default", "2001:db8::1".parse().unwrap()).unwrap();
    assert_eq!(six.prefixes.get(&Family::Ipv6).unwrap().advertised, Some(1));
    // All is asked at once: after the login, that is one packet.
    assert_eq!(cli.packets(), 2);
    assert_eq!(cli.commands()[..2], ["terminal length 0", "terminal width 511"]);
    assert_eq!(cli.commands().len(), 10);

    let facts = router.facts().await.unwrap();
    assert_eq!((facts.hostname.as_str(), facts.version.as_str()), ("r1", "15.2(4)S5"));
    assert_eq!((facts.model.as_str(), facts.uptime), ("7206VXR", Some(1_209_780)));
    assert_eq!(router.napalm_neighbors().await.unwrap()["global"].peers.len(), 3);
    // Changes are NAPALM's, which is not here.
    let loader = router.loader(How::Merge).unwrap();
    assert!(loader.load(&ConfigText::new("hostname r2\n")).await.is_err());
    router.close().await;
}

#[tokio::test]
async fn many_neighbours_take_few_round_trips() {
    let mut summary =
        "For address family: IPv4 Unicast\nBGP router identifier 192.0.2.254, local AS number 64500\n\nNeighbor V AS\n".to_owned();
    let mut options = ios();
    for number in 1..=200 {
        let _ = writeln!(summary, "198.51.100.{number} 4 64501 1 1 1 0 0 1d02h 5");
        let command = format!("show ip bgp ipv4 unicast neigh 198.51.100.{number}");
        let text = FOUR.split("BGP neighbor is 192.0.2.2").next().unwrap();
        options.answers.insert(command, text.replace("192.0.2.1,", &format!("198.51.100.{number},")));
    }
    options.answers.insert("show ip bgp all sum".into(), summary);
    let (cli, router) = router(options).await;
    let before = cli.packets();
    let detail = router.napalm_detail().await.unwrap();
    assert_eq!(detail["global"]["64501"].len(), 200);
    assert_eq!(detail["global"]["64501"][199].remote_address, "198.51.100.200");
    assert!(cli.packets() - before < 101, "{} packets", cli.packets() - before);
}

#[tokio::test]
async fn a_router_that_forgets_what_is_typed_ahead_is_asked_again() {
    let (cli, router) = router(Options { forgetful: true, ..ios() }).await;
    for _ in 0..2 {
        assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 3);
    }
    // Each was answered once.
    assert_eq!(cli.commands().len(), 2 + 8 * 2);
}

/// Where pages cannot be switched off they are turned, and nothing is typed ahead that would turn them wrongly.
#[tokio::test]
async fn pages_are_turned() {
    for mut options in [ios(), nxos()] {
        for text in options.answers.values_mut().filter(|text| text.contains("192.0.2.1")) {
            *text = format!("{}{text}{}", "a remark of no weight\n".repeat(40), "\n".repeat(40));
        }
        let expected = router(options.clone()).await.1.neighbors().await.unwrap();
        let forbidden = ["terminal length 0".to_owned()].into();
        let (_cli, router) = router(Options { forbidden, ..options }).await;
        let found = router.neighbors().await.unwrap();
        assert_eq!((found.neighbors.len() > 1, found), (true, expected));
    }
}

#[tokio::test]
async fn nx_os_tells_its_neighbours() {
    let (cli, router) = router(nxos()).await;
    let all = router.neighbors().await.unwrap();
    assert_eq!((all.neighbors.len(), all.left_out.len()), (2, 0), "{:?}", all.left_out);
    assert_eq!(all.neighbors[0].prefixes.get(&Family::Ipv4).unwrap().accepted, Some(5));
    assert!(!all.neighbors[1].enabled);
    assert_eq!(router.napalm_neighbors().await.unwrap()["global"].peers.len(), 2);
    assert_eq!(router.napalm_detail().await.unwrap()["global"]["64501"].len(), 1);
    let facts = router.facts().await.unwrap();
    assert_eq!((facts.hostname.as_str(), facts.version.as_str()), ("sw1", "9.3(3)"));
    assert_eq!(cli.commands()[2], "show bgp all summary vrf all");
    // Without BGP there is no such command, and there are no neighbours.
    let (_cli, router) = self::router(Options { answers: BTreeMap::new(), ..nxos() }).await;
    assert_eq!(router.neighbors().await.unwrap().neighbors, Vec::new());
}

#[tokio::test]
async fn the_privileged_mode() {
    // Without the secret: neighbours, but no configuration.
    let (_cli, router) = router(ios()).await;
    let refused = told(&router.running_config().await.unwrap_err());
    assert!(refused.contains("% Invalid input") && refused.contains("argument secret"), "{refused}");
    assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 3);

    let cli = Cli::start(ios()).await.unwrap();
    let mut with = target(&cli, Platform::Ios);
    with.options.insert("secret".into(), json!(SECRET));
    let router = connect(&with).await.unwrap();
    let config = router.running_config().await.unwrap();
    assert_eq!(config.expose(), "!\nenable secret 5 Planted\nend\n");
    assert!(!mask_text(config.expose()).contains("Planted"));
    assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 3);
    // Who stays below does not say the secret; who says a wrong one is told.
    with.options.insert("force_no_enable".into(), json!(true));
    let router = connect(&with).await.unwrap();
    assert!(router.running_config().await.is_err());
    with.options = json!({ "secret": "other-planted" }).as_object().unwrap().clone();
    let wrong = connect(&with).await.err().unwrap();
    assert!(matches!(wrong, Error::Login { .. }), "{wrong}");
    assert!(told(&wrong).contains("enable"), "{wrong}");
    // Where there is no secret, and where nobody has to ask.
    let none = Cli::start(Options { secret: None, ..ios() }).await.unwrap();
    let wrong = connect(&Target { options: with.options.clone(), ..target(&none, Platform::Ios) }).await;
    assert!(matches!(wrong, Err(Error::Login { .. })));
    let privileged = Cli::start(Options { privileged: true, secret: None, ..ios() }).await.unwrap();
    let router =
        connect(&Target { options: with.options, ..target(&privileged, Platform::Ios) }).await.unwrap();
    assert!(router.running_config().await.is_ok());
}

#[tokio::test]
async fn keys_passwords_and_host_keys() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    let cli = Cli::start(Options { key: Some(public), ..ios() }).await.unwrap();
    let mut with_key = target(&cli, Platform::Ios);
    with_key.credentials.password = None;
    with_key.credentials.keys =
        vec![Key { text: std::fs::read_to_string(&file).unwrap().into(), passphrase: None }];
    assert_eq!(connect(&with_key).await.unwrap().neighbors().await.unwrap().neighbors.len(), 3);

    // The same, encrypted.
    let encrypted = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "phrase-planted", "-f"])
        .arg(&file)
        .status();
    assert!(encrypted.unwrap().success());
    let text = std::fs::read_to_string(&file).unwrap();
    for (passphrase, fits) in [(Some("phrase-planted"), true), (Some("other-planted"), false), (None, false)]
    {
        let passphrase = passphrase.map(|text| text.to_owned().into());
        with_key.credentials.keys = vec![Key { text: text.clone().into(), passphrase }];
        match connect(&with_key).await {
            Ok(router) => assert!(fits && router.facts().await.is_ok()),
            Err(error) => assert!(!fits && matches!(error, Error::Login { .. }), "{}", told(&error)),
        }
    }

    let mut wrong = target(&cli, Platform::Ios);
    wrong.credentials.password = Some("other-planted".to_owned().into());
    let error = connect(&wrong).await.err().unwrap();
    assert!(matches!(error, Error::Login { .. }), "{error}");
    told(&error);
    let mut wrong = target(&cli, Platform::NxosSsh);
    wrong.host_keys = HostKeys::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
    let error = connect(&wrong).await.err().unwrap();
    assert!(matches!(error, Error::HostKey { .. }), "{error}");
    told(&error);
}

#[tokio::test]
async fn what_may_not_be_run_is_an_error() {
    for (options, command) in
        [(ios(), "show bgp ipv6 unicast neighbors"), (nxos(), "show bgp all summary vrf all")]
    {
        let (_cli, router) = router(Options { forbidden: [command.to_owned()].into(), ..options }).await;
        let error = router.neighbors().await.unwrap_err();
        assert!(matches!(error, Error::Failed { .. }), "{error}");
        assert!(told(&error).contains(command), "{error}");
        // It goes on.
        assert!(router.facts().await.is_ok());
    }
    // A system without the summary says nothing of its neighbours; one without BGP does.
    let mut without = ios();
    without.answers.remove("show bgp all summary");
    let (_cli, router) = router(without).await;
    let error = router.neighbors().await.unwrap_err();
    assert!(told(&error).contains("% Invalid input"), "{error}");
    let mut none = ios();
    none.answers.insert("show bgp all summary".into(), "% BGP not active\n".into());
    let (_cli, router) = self::router(none).await;
    assert_eq!(router.neighbors().await.unwrap().neighbors, Vec::new());
}

#[tokio::test]
async fn a_router_that_hangs_ends_or_never_ends() {
    let silent = Cli::start(Options { fault: Fault::SilentAfterLogin, ..ios() }).await.unwrap();
    let mut quick = target(&silent, Platform::Ios);
    quick.limits.login = Duration::from_secs(1);
    let begun = Instant::now();
    let error = connect(&quick).await.err().unwrap();
    assert!(matches!(error, Error::Timeout { step: pm_router::Step::Login, .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_mins(1));
    told(&error);

    for (options, command) in
        [(ios(), "show bgp ipv4 unicast neighbors"), (nxos(), "show bgp all summary vrf all")]
    {
        let platform = if options.kind == Kind::Ios { Platform::Ios } else { Platform::NxosSsh };
        for fault in [
            Fault::Hang(command.to_owned()),
            Fault::Cut(command.to_owned()),
            Fault::Endless(command.to_owned()),
        ] {
            let cli = Cli::start(Options { fault: fault.clone(), ..options.clone() }).await.unwrap();
            let mut quick = target(&cli, platform);
            quick.limits.read =
                if matches!(fault, Fault::Hang(_)) { Duration::from_secs(1) } else { Duration::from_mins(2) };
            let router = connect(&quick).await.unwrap();
            let begun = Instant::now();
            let error = router.neighbors().await.unwrap_err();
            assert!(begun.elapsed() < Duration::from_secs(119));
            told(&error);
            match fault {
                Fault::Hang(_) => assert!(matches!(error, Error::Timeout { .. }), "{error}"),
                Fault::Cut(_) => assert!(matches!(error, Error::Lost { .. }), "{error}"),
                _ => assert!(error.to_string().contains("longer than 1048576 octets"), "{error}"),
            }
            // What comes late is not taken for the answer to something else.
            let error = router.facts().await.unwrap_err();
            assert!(matches!(error, Error::Lost { .. }), "{error}");
            told(&error);
        }
    }
}

#[tokio::test]
async fn a_question_that_was_given_up_leaves_no_answer_for_the_next() {
    let (_cli, router) = router(Options { fault: Fault::Hang("show version".into()), ..ios() }).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), router.facts()).await.is_err());
    assert!(matches!(router.neighbors().await, Err(Error::Lost { .. })));
}

#[tokio::test]
async fn what_only_napalm_can_do_is_left_to_it() {
    let cli = Cli::start(ios()).await.unwrap();
    for (name, value) in [("transport", "telnet"), ("ssh_config_file", "/etc/ssh/ssh_config")] {
        let mut target = target(&cli, Platform::Ios);
        target.options.insert(name.into(), json!(value));
        let error = connect(&target).await.err().unwrap();
        assert!(told(&error).contains("/nonexistent/python3"), "{error}");
    }
    // NAPALM goes no way of ours, and is not silently sent by another.
    let mut target = target(&cli, Platform::Ios);
    target.use_napalm = true;
    target.way.source = Some([127, 0, 0, 1].into());
    let error = connect(&target).await.err().unwrap();
    assert!(told(&error).contains("source_address"), "{error}");
    assert_eq!(cli.packets(), 0);
}
