//! `router`, which needs no database, with a stand-in for NAPALM.

use std::path::{Path, PathBuf};

use crate::support::{Program, Ran};
use serde_json::{Value as Json, json};

/// The Python whose NAPALM is a stand-in.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../router/tests/bridge/python")
}

struct Place {
    program: Program,
}

impl Place {
    fn new() -> Self {
        let program = Program::with_url("postgres://nobody@127.0.0.1:9/none");
        let device = json!({ "config": "router bgp 64500\nneighbor 192.0.2.9 password Planted-0\n" });
        std::fs::write(program.path("device"), device.to_string()).unwrap();
        std::fs::write(program.path("password"), "Planted's-1\\\nsecond line\n").unwrap();
        std::fs::write(program.path("part"), "neighbor 192.0.2.7 password Planted-2\n").unwrap();
        Self { program }
    }

    async fn router(&self, words: &[&str]) -> Ran {
        let device = format!("device={}", self.program.path("device").display());
        let python = python();
        let more = [
            "--driver",
            "napalm",
            "--python",
            python.to_str().unwrap(),
            "--host",
            "router",
            "--username",
            "netops",
            "--password-file",
            "password",
            "--arg",
            &device,
        ];
        self.program.run(["router"].iter().chain(words).chain(&more)).await
    }

    fn device(&self) -> Json {
        serde_json::from_str(&std::fs::read_to_string(self.program.path("device")).unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbors_in_three_shapes() {
    let place = Place::new();
    let table = place.router(&["neighbors", "--platform", "lab"]).await.expect(0);
    assert!(table.stdout.contains("192.0.2.1    64501  Established"), "{table}");
    assert!(table.stdout.contains("1m 39s  20"), "{table}");
    let listed = place.router(&["neighbors", "--platform", "lab", "--json"]).await.expect(0).json();
    assert_eq!(listed["neighbors"][0]["prefixes"]["ipv4"]["accepted"], 18);
    assert_eq!(listed["left_out"], json!([]));
    let short = ["neighbors", "--platform", "L-AB", "--format", "napalm"];
    let said = place.router(&short).await.expect(0).json();
    assert_eq!(said["global"]["router_id"], "192.0.2.254");
    let long = ["neighbors", "--platform", "lab", "--format", "napalm", "--detail"];
    let said = place.router(&long).await.expect(0).json();
    assert_eq!(said["global"]["64501"][1]["connection_state"], "OpenConfirm");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_router_is_and_has() {
    let place = Place::new();
    let facts = place.router(&["facts", "--platform", "lab"]).await.expect(0);
    assert!(facts.stdout.contains("Vendor     Invented"), "{facts}");
    let config = place.router(&["config", "--platform", "lab"]).await.expect(0);
    assert_eq!(config.stdout, place.device()["config"].as_str().unwrap());
    let ping = place.router(&["ping", "--platform", "lab"]).await.expect(0);
    assert!(ping.stdout.starts_with("router is lab (Invented M1 1.2)."), "{ping}");
    let ping = place.router(&["ping", "--platform", "lab", "--json"]).await.expect(0).json();
    assert!(ping["login_seconds"].as_f64().unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_change_nothing() {
    let place = Place::new();
    let before = place.device()["config"].clone();
    let diff = place.router(&["diff", "part", "--platform", "lab"]).await.expect(0).never_says("Planted");
    assert_eq!(diff.stdout, "+neighbor 192.0.2.7 password ******\n");
    let diff = place.router(&["diff", "part", "--replace", "--platform", "lab", "--json"]).await.expect(0);
    assert_eq!(diff.json()["removed"], 2);
    assert_eq!((place.device()["config"].clone(), place.device()["discards"].clone()), (before, json!(2)));
    std::fs::write(place.program.path("wrong"), "syntax error\n").unwrap();
    place
        .router(&["diff", "wrong", "--platform", "lab"])
        .await
        .expect(1)
        .says("the configuration is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong() {
    let place = Place::new();
    let known = "known are frr, bird, openbgpd, gobgp, junos, iosxr_netconf";
    let words = ["router", "facts", "--platform", "nonesuch", "--host", "router"];
    place.program.run(words).await.expect(2).says(known);
    place.router(&["facts", "--platform", "nonesuch"]).await.expect(1).says("pip install napalm-nonesuch");
    place.router(&["facts", "--platform", "lab", "--arg", "x"]).await.expect(2).says("NAME=VALUE");
    for argument in ["fault=facts:secret", "fault=facts:crash"] {
        let ran = place.router(&["facts", "--platform", "lab", "--arg", argument]).await;
        ran.expect(1).never_says("Planted");
    }
    let both =
        ["diff", "-", "--platform", "lab", "--host", "x", "--password-file", "-", "--driver", "napalm"];
    place.program.run(["router"].iter().chain(&both)).await.expect(2).says("cannot both");
    std::fs::write(place.program.path("password"), "Planted-wrong\n").unwrap();
    place.router(&["facts", "--platform", "lab"]).await.expect(1).says("user netops is refused");
    // Nobody listens there; the port and the platform's own driver are taken.
    let known_hosts = place.program.path("known");
    std::fs::write(&known_hosts, "").unwrap();
    let words = [
        "router",
        "ping",
        "--platform",
        "frr",
        "--host",
        "127.0.0.1",
        "--port",
        "9",
        "--known-hosts",
        "known",
    ];
    place.program.run(words).await.expect(1).says("127.0.0.1 port 9: cannot connect");
    // IOS-XR natively is NETCONF; the way there is taken out of the arguments.
    let words = "router ping --platform iosxr --driver native --host 127.0.0.1 --port 9 --known-hosts known";
    let words: Vec<&str> = words.split(' ').collect();
    place.program.run(&words).await.expect(1).says("127.0.0.1 port 9: cannot connect");
    let jump = [&words[..], &["--arg", "jump_host=127.0.0.1:9", "--arg", "jump_password=Planted"]].concat();
    let ran = place.program.run(jump).await.expect(1);
    ran.says("127.0.0.1 port 9 (the jump host of 127.0.0.1 port 9): cannot connect").never_says("Planted");
    // So are those that every driver has; what nobody knows is not left aside, as the way would be another one.
    let other = "router ping --platform iosxr --arg driver=native --arg port=8 --host 127.0.0.1";
    let other: Vec<&str> = other.split(' ').collect();
    place.program.run(&other).await.expect(1).says("127.0.0.1 port 8: cannot connect");
    let key = [&other[..], &["--arg", "key_file=nowhere"]].concat();
    place.program.run(key).await.expect(2).says("the key file nowhere cannot be read");
    let pinned = [&other[..], &["--arg", "host_key=5"]].concat();
    place.program.run(pinned).await.expect(2).says("the argument host_key is not a text");
    let typo = [&words[..], &["--arg", "jump_hots=127.0.0.1", "--arg", "config_lock=true"]].concat();
    place.program.run(typo).await.expect(2).says("no argument jump_hots;");
    let wrong = [&words[..], &["--arg", "jump_host=127.0.0.1:x"]].concat();
    place.program.run(wrong).await.expect(2).says("[USER@]HOST[:PORT]");
    place
        .router(&["facts", "--platform", "lab", "--arg", "source_address=127.0.0.1"])
        .await
        .expect(1)
        .says("source_address");
}
