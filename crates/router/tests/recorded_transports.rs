//! Recorded answers of vendors' routers, and those of our own cases, given to the drivers over the transports that they use:
//! NETCONF over SSH, HTTPS, and a command line over SSH. What comes out is exactly what is expected of the parser alone.
//!
//! `$EXTRA_CASES/napalm/<platform>/<getter>__<case>/` holds an answer per file and `expected_result.json`. The XML agent of
//! IOS-XR has no driver of our own, so its cases are read in `napalm_recorded.rs` only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{folders, parts, variable};
use pm_lab::routers::cli::{self, Cli};
use pm_lab::routers::eapi::{self, Eapi};
use pm_lab::routers::fleet;
use pm_lab::routers::netconf::{self, Router as Netconf};
use pm_lab::routers::nxapi::{self, NxApi};
use pm_router::{Credentials, Endpoint, HostKeys, Limits, Platform, Router, Target, Tls, Way, connect};
use serde_json::{Value as Json, json};

const USER: &str = "netops";
const PASSWORD: &str = "hunter2";
/// Those that have a driver of our own.
const PLATFORMS: [Platform; 6] = [
    Platform::Junos,
    Platform::IosxrNetconf,
    Platform::Eos,
    Platform::Nxos,
    Platform::NxosSsh,
    Platform::Ios,
];
/// What is asked of switches over HTTPS.
const COMMANDS: [&str; 6] = [
    "show ip bgp summary vrf all",
    "show ipv6 bgp summary vrf all",
    "show ip bgp neighbors vrf all",
    "show ipv6 bgp peers vrf all",
    "show running-config | include service routing protocols model multi-agent",
    "show bgp all summary vrf all",
];

/// A stand-in, which lives as long as this.
enum Served {
    Netconf(Netconf),
    Eapi(Eapi),
    NxApi(NxApi),
    Cli(Cli),
}

/// A text of XML without what stands before its first element.
fn element(text: &str) -> String {
    let text = text.trim_start();
    let text = text.strip_prefix("<?").and_then(|rest| Some(rest.split_once("?>")?.1)).unwrap_or(text);
    text.trim_start().to_owned()
}

/// What answers of NETCONF are for, and their text: Junos is asked per instance, and IOS-XR for what is in `<bgp>`.
fn netconf_answers(platform: Platform, case: &Path) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    for (name, text) in parts(case).into_iter().filter(|(_, text)| text.trim_start().starts_with('<')) {
        let text = element(&text);
        if platform == Platform::IosxrNetconf {
            let whole = text.find("<bgp").zip(text.rfind("</bgp>"));
            let inner = whole.map_or(String::new(), |(from, to)| text[from..to + 6].to_owned());
            answers.insert("bgp".to_owned(), inner);
            continue;
        }
        let operations = ["get-bgp-neighbor-information", "get-bgp-summary-information"];
        let of = operations.iter().find_map(|one| Some((*one, name.strip_prefix(one)?)));
        let question = match of {
            Some((operation, instance)) if !instance.is_empty() => format!("{operation} {instance}"),
            _ => name,
        };
        answers.insert(question, text);
    }
    // Where only the long form was recorded, there is no summary.
    let asked: Vec<String> = answers
        .keys()
        .filter_map(|one| one.strip_prefix("get-bgp-neighbor-information").map(str::to_owned))
        .collect();
    for instance in asked {
        let summary = format!("get-bgp-summary-information{instance}");
        answers.entry(summary).or_insert_with(|| "<bgp-information/>".to_owned());
    }
    answers
}

/// Answers to commands: JSON or text.
fn switch_answers(case: &Path) -> BTreeMap<String, Json> {
    let file_name = |command: &str| -> String {
        command.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    };
    let files = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter_map(|path| {
            let stem = path.file_stem()?.to_str()?.to_owned();
            let command = COMMANDS.iter().find(|command| file_name(command) == stem)?;
            let text = std::fs::read_to_string(&path).unwrap();
            let is_json = path.extension().is_some_and(|end| end == "json");
            // Without BGP there may be no JSON at all.
            let is_json = is_json && !text.trim().is_empty();
            let value = if is_json {
                serde_json::from_str(&text).unwrap()
            } else {
                Json::String(text.trim_start().to_owned())
            };
            Some(((*command).to_owned(), value))
        })
        .collect()
}

async fn serve(platform: Platform, case: &Path) -> Served {
    match platform {
        Platform::Junos | Platform::IosxrNetconf => {
            let junos = platform == Platform::Junos;
            let options = netconf::Options {
                kind: if junos { netconf::Kind::Junos } else { netconf::Kind::IosXr },
                config: String::new(),
                password: PASSWORD.into(),
                answers: netconf_answers(platform, case),
                minute: Duration::from_mins(1),
            };
            Served::Netconf(Netconf::start(options).await.unwrap())
        }
        Platform::Eos => {
            let options = eapi::Options {
                user: USER.into(),
                password: PASSWORD.into(),
                answers: switch_answers(case),
                tls: Some((fleet::CERTIFICATE.into(), fleet::KEY.into())),
                ..eapi::Options::default()
            };
            Served::Eapi(Eapi::start(options).await.unwrap())
        }
        Platform::Nxos => {
            let mut answers = switch_answers(case);
            answers.insert("show hostname".to_owned(), json!({ "hostname": "switch" }));
            let options = nxapi::Options { user: USER.into(), password: PASSWORD.into(), answers };
            Served::NxApi(NxApi::start_with_tls(options).await.unwrap())
        }
        _ => {
            let kind = if platform == Platform::Ios { cli::Kind::Ios } else { cli::Kind::Nxos };
            let options = cli::Options {
                kind,
                hostname: "router".into(),
                user: USER.into(),
                password: PASSWORD.into(),
                answers: parts(case),
                ..cli::Options::default()
            };
            Served::Cli(Cli::start(options).await.unwrap())
        }
    }
}

/// The driver's connection to the stand-in, as strict about who that is as in operation.
async fn driver(platform: Platform, served: &Served, certificate: &Path) -> Box<dyn Router> {
    let (address, fingerprint): (SocketAddr, String) = match served {
        Served::Netconf(router) => (router.address(), router.fingerprint()),
        Served::Cli(router) => (router.address(), router.fingerprint().to_owned()),
        Served::Eapi(switch) => (switch.address, String::new()),
        Served::NxApi(switch) => (switch.address, String::new()),
    };
    let target = Target {
        endpoint: Endpoint { host: address.ip().to_string(), port: address.port() },
        platform,
        driver_name: platform.name().into(),
        use_napalm: false,
        python: PathBuf::from("/nonexistent/python3"),
        credentials: Credentials {
            user: USER.into(),
            password: Some(PASSWORD.to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(fingerprint),
        way: Way::default(),
        tls: Tls { verify: true, authorities: Some(certificate.to_owned()) },
        options: serde_json::Map::new(),
        limits: Limits::default(),
    };
    connect(&target).await.unwrap_or_else(|error| panic!("{}: {error}", platform.name()))
}

/// A file with the certificate of the stand-ins, in a directory that lives as long as this.
fn certificate() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("certificate.pem");
    std::fs::write(&file, fleet::CERTIFICATE).unwrap();
    (directory, file)
}

/// Without the places in JSON, which is written anew on its way.
fn placeless(mut all: Json) -> Json {
    for reason in all["left_out"].as_array_mut().unwrap() {
        let text = reason.as_str().unwrap();
        *reason = text.split(" at line ").next().into();
    }
    all
}

#[tokio::test]
async fn our_own_cases_come_over_every_transport_as_they_are() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let (_kept, certificate) = certificate();
    for platform in PLATFORMS {
        let cases = folders(&place.join(platform.name()));
        assert!(cases.len() >= 9, "{}: {} cases", platform.name(), cases.len());
        for case in cases {
            let served = serve(platform, &case).await;
            let router = driver(platform, &served, &certificate).await;
            let found =
                router.neighbors().await.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
            let expected = std::fs::read_to_string(case.join("expected.json")).unwrap();
            let expected: Json = serde_json::from_str(&expected).unwrap();
            let found = serde_json::to_value(found).unwrap();
            assert_eq!(placeless(found), placeless(expected), "{}", case.display());
            router.close().await;
        }
    }
}

#[tokio::test]
async fn recorded_answers_come_over_every_transport_to_what_napalm_makes_of_them() {
    let Some(place) = variable("EXTRA_CASES").map(|place| place.join("napalm")) else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let (_kept, certificate) = certificate();
    let mut all = 0;
    for platform in PLATFORMS {
        let cases = folders(&place.join(platform.name()));
        let mut count = 0;
        for case in cases.iter().filter(|case| case.join("expected_result.json").exists()) {
            let expected = std::fs::read_to_string(case.join("expected_result.json")).unwrap();
            let expected: Json = serde_json::from_str(&expected).unwrap();
            let served = serve(platform, case).await;
            let router = driver(platform, &served, &certificate).await;
            let is_long = case.file_name().unwrap().to_str().unwrap().starts_with("get_bgp_neighbors_detail");
            let found = if is_long {
                router.napalm_detail().await.map(serde_json::to_value)
            } else {
                router.napalm_neighbors().await.map(serde_json::to_value)
            };
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", case.display())).unwrap();
            assert_eq!(found, expected, "{}", case.display());
            router.close().await;
            count += 1;
        }
        assert!(count > 0, "no recorded answers in {}", place.join(platform.name()).display());
        all += count;
    }
    println!("{all} recorded cases over their transports");
}
