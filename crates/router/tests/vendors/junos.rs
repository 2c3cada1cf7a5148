use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pm_lab::routers::netconf::{Kind, Options, Router};
use serde_json::json;

use super::PASSWORD;
use super::client::Client;

/// How long a minute is.
const MINUTE: Duration = Duration::from_secs(15);
const FIRST: &str = "system {\n    host-name edge1;\n}\n";

/// What a driver asks to tell what it is.
fn answers() -> BTreeMap<String, String> {
    let peer = "<bgp-peer><peer-address>192.0.2.1+179</peer-address><peer-as>64501</peer-as><local-address>192.0.2.9+40000\
        </local-address><local-as>64500</local-as><description>One &amp; only</description><peer-state>Established</peer-state>\
        <peer-id>192.0.2.1</peer-id><local-id>192.0.2.9</local-id><bgp-rib><name>inet.0</name><send-state>in sync</send-state>\
        <active-prefix-count>3</active-prefix-count><received-prefix-count>5</received-prefix-count>\
        <accepted-prefix-count>4</accepted-prefix-count><suppressed-prefix-count>0</suppressed-prefix-count>\
        <advertised-prefix-count>2</advertised-prefix-count></bgp-rib></bgp-peer>";
    [
        (
            "get-software-information",
            "<software-information><host-name>edge1</host-name><product-model>mx204</product-model>\
             <product-name>mx204</product-name><junos-version>23.4R1.10</junos-version></software-information>",
        ),
        (
            "get-route-engine-information",
            "<route-engine-information><route-engine><slot>0</slot><mastership-state>master</mastership-state>\
             <status>OK</status><model>RE-S-1600x8</model><up-time junos:seconds=\"86400\">1 day</up-time>\
             </route-engine></route-engine-information>",
        ),
        (
            "get-chassis-inventory",
            "<chassis-inventory><chassis><name>Chassis</name><serial-number>AB1234</serial-number>\
             <description>MX204</description></chassis></chassis-inventory>",
        ),
        (
            "get-interface-information",
            "<interface-information><physical-interface><name>xe-0/1/0</name></physical-interface></interface-information>",
        ),
        (
            "get-instance-information",
            "<instance-information><instance-core><instance-name>master</instance-name></instance-core></instance-information>",
        ),
        ("get-bgp-neighbor-information master", &format!("<bgp-information>{peer}</bgp-information>")),
        (
            "get-bgp-summary-information master",
            "<bgp-information><bgp-peer><peer-address>192.0.2.1</peer-address><elapsed-time junos:seconds=\"60\">1:00\
             </elapsed-time></bgp-peer></bgp-information>",
        ),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into()
}

pub async fn router(minute: Duration) -> Router {
    let options = Options {
        kind: Kind::Junos,
        config: FIRST.to_owned(),
        password: PASSWORD.to_owned(),
        answers: answers(),
        minute,
    };
    Router::start(options).await.unwrap()
}

async fn wait_for(router: &Router, text: &str) {
    let begun = Instant::now();
    while router.running() != text {
        assert!(begun.elapsed().as_secs() < 60, "it does not come back: {}", router.running());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn napalm_reads_junos() {
    let Some(mut client) = Client::start() else { return };
    let router = router(MINUTE).await;
    client.napalm("a", "junos", router.address(), json!({})).await.unwrap();
    assert_eq!(client.good("a", "is_alive", json!({})).await["is_alive"], true);
    let facts = client.good("a", "get_facts", json!({})).await;
    for (name, value) in
        [("hostname", "edge1"), ("os_version", "23.4R1.10"), ("model", "MX204"), ("serial_number", "AB1234")]
    {
        assert_eq!(facts[name], value, "{facts}");
    }
    assert_eq!((&facts["uptime"], &facts["interface_list"]), (&json!(86400.0), &json!(["xe-0/1/0"])));
    let config = client.good("a", "get_config", json!({})).await;
    assert_eq!(config["running"].as_str().unwrap().trim(), FIRST.trim());
    assert_eq!(config["candidate"], config["running"]);
    let neighbors = client.good("a", "get_bgp_neighbors", json!({})).await;
    let peer = &neighbors["global"]["peers"]["192.0.2.1"];
    assert_eq!(
        (
            &peer["remote_as"],
            &peer["description"],
            &peer["uptime"],
            &peer["address_family"]["ipv4"]["received_prefixes"]
        ),
        (&json!(64501), &json!("One & only"), &json!(60), &json!(5)),
        "{neighbors}"
    );
    let detail = client.good("a", "get_bgp_neighbors_detail", json!({})).await;
    assert_eq!(detail["global"]["64501"][0]["advertised_prefix_count"], 2, "{detail}");
    client.good("a", "close", json!({})).await;
}

#[tokio::test]
async fn napalm_changes_junos() {
    let Some(mut client) = Client::start() else { return };
    let router = router(MINUTE).await;
    client.napalm("a", "junos", router.address(), json!({})).await.unwrap();
    client.napalm("b", "junos", router.address(), json!({})).await.unwrap();
    // The difference, a lock that another one has, and nothing in force.
    let merge = json!({ "config": "protocols {\n    bgp;\n}\n" });
    client.good("a", "load_merge_candidate", merge.clone()).await;
    let diff = client.good("a", "compare_config", json!({})).await;
    assert!(diff.as_str().unwrap().starts_with("[edit]\n+  protocols {"), "{diff}");
    let locked = client.bad("b", "load_merge_candidate", merge.clone()).await;
    assert!(locked.is("LockError") && locked.says.contains("locked by"), "{locked:?}");
    assert_eq!(router.running(), FIRST);
    client.good("a", "discard_config", json!({})).await;
    assert!(router.is_clean());
    assert_eq!(client.good("a", "compare_config", json!({})).await, "");

    // Merged and committed, in every form that the stand-in takes; undone; replaced.
    client.good("a", "load_merge_candidate", merge).await;
    client.good("a", "commit_config", json!({ "message": "one & only" })).await;
    assert_eq!(router.running(), format!("{FIRST}protocols {{\n    bgp;\n}}\n"));
    client.good("a", "rollback", json!({})).await;
    assert_eq!(router.running(), FIRST);
    for (text, part) in [
        ("set system services ssh", "services ssh;"),
        ("<configuration><system><services><ftp/></services></system></configuration>", "ftp;"),
    ] {
        client.good("b", "load_merge_candidate", json!({ "config": text })).await;
        client.good("b", "commit_config", json!({})).await;
        assert!(router.running().contains(part), "{}", router.running());
    }
    client.good("b", "load_replace_candidate", json!({ "config": FIRST })).await;
    client.good("b", "commit_config", json!({})).await;
    assert_eq!(router.running(), FIRST);

    // What Junos warns of is an error unless it is told otherwise; what it refuses is one. Nothing is left behind.
    for (text, says) in [("delete protocols", "statement not found"), ("set bogus", "syntax error")] {
        let refused = client.bad("b", "load_merge_candidate", json!({ "config": text })).await;
        assert!(refused.is("MergeConfigException") && refused.says.contains(says), "{refused:?}");
        assert!(router.is_clean());
    }
    client.napalm("c", "junos", router.address(), json!({ "ignore_warning": true })).await.unwrap();
    client.good("c", "load_merge_candidate", json!({ "config": "delete protocols" })).await;
    assert_eq!(client.good("c", "compare_config", json!({})).await, "");
    client.good("c", "discard_config", json!({})).await;
    // A refused commit keeps lock and candidate, until they are given back.
    client.good("b", "load_merge_candidate", json!({ "config": "set refused-later" })).await;
    let refused = client.bad("b", "commit_config", json!({})).await;
    assert!(refused.says.contains("group not defined"), "{refused:?}");
    assert!(!router.is_clean());
    client.good("b", "discard_config", json!({})).await;
    assert!(router.is_clean());
    assert_eq!(router.running(), FIRST);
}

#[tokio::test]
async fn napalm_confirms_on_junos() {
    let Some(mut client) = Client::start() else { return };
    let router = router(MINUTE).await;
    client.napalm("a", "junos", router.address(), json!({})).await.unwrap();
    client.napalm("b", "junos", router.address(), json!({ "config_private": true })).await.unwrap();
    let refused = client.bad("a", "commit_config", json!({ "revert_in": 90 })).await;
    assert!(refused.is("CommitConfirmException"), "{refused:?}");
    // Confirmed over another connection.
    client.good("a", "load_replace_candidate", json!({ "config": "new;\n" })).await;
    client.good("a", "commit_config", json!({ "revert_in": 60 })).await;
    assert_eq!(router.running(), "new;\n");
    assert_eq!(client.good("b", "has_pending_commit", json!({})).await, true);
    client.good("b", "confirm_commit", json!({})).await;
    assert_eq!(client.good("a", "has_pending_commit", json!({})).await, false);
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(router.running(), "new;\n");
    // Nobody confirms a private candidate.
    client.good("b", "load_merge_candidate", json!({ "config": "set system x" })).await;
    let diff = client.good("b", "compare_config", json!({})).await;
    assert_eq!(diff, "[edit]\n+  system {\n+      x;\n+  }");
    client.good("b", "commit_config", json!({ "revert_in": 60 })).await;
    assert_eq!(router.running(), "new;\nsystem {\n    x;\n}\n");
    wait_for(&router, "new;\n").await;
    assert_eq!(client.good("a", "has_pending_commit", json!({})).await, false);
    client.good("a", "close", json!({})).await;
    client.good("b", "close", json!({})).await;
    assert!(router.is_clean());
}

/// ncclient speaks NETCONF 1.0 with it, and Junos's operations in NETCONF's namespace, in another, or in none.
#[tokio::test]
async fn ncclient_speaks_with_junos() {
    let Some(mut client) = Client::start() else { return };
    let router = router(MINUTE).await;
    for device in ["junos", "default"] {
        client.ncclient(device, device, router.address()).await.unwrap();
        let said = client.good(device, "rpc", json!({ "xml": "<get-system-information/>" })).await;
        assert!(said.as_str().unwrap().contains("23.4R1.10"), "{said}");
    }
    client.good("junos", "rpc", json!({ "xml": "<lock-configuration/>" })).await;
    let locked =
        client.bad("default", "rpc", json!({ "xml": "<lock-configuration xmlns=\"urn:x\"/>" })).await;
    assert!(locked.is("RPCError") && locked.says.contains("locked by"), "{locked:?}");
    let unknown = client.bad("default", "rpc", json!({ "xml": "<get-nothing/>" })).await;
    assert_eq!(unknown.tag.as_deref(), Some("unknown-element"), "{unknown:?}");
    client.good("junos", "close_session", json!({})).await;
    client.good("default", "rpc", json!({ "xml": "<lock-configuration/>" })).await;
    client.good("default", "close_session", json!({})).await;
}
