use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pm_lab::routers::netconf::{Kind, Options, Router};
use serde_json::{Value as Json, json};

use super::PASSWORD;
use super::client::Client;

const FIRST: &str = "hostname edge1\n";
const CLI: &str = "http://cisco.com/ns/yang/Cisco-IOS-XR-cli-cfg";

async fn router() -> Router {
    let bgp = "<bgp xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-ipv4-bgp-oper\"><instances><instance>\
        <instance-name>default</instance-name><instance-active><default-vrf><global-process-info><vrf>\
        <router-id>192.0.2.9</router-id></vrf></global-process-info><neighbors><neighbor>\
        <neighbor-address>192.0.2.1</neighbor-address><local-as>64500</local-as><remote-as>64501</remote-as>\
        <description>One &amp; only</description><router-id>192.0.2.1</router-id>\
        <is-administratively-shut-down>false</is-administratively-shut-down><connection-state>bgp-st-estab</connection-state>\
        <connection-established-time>9</connection-established-time><connection-remote-address><afi>ipv4</afi>\
        <ipv4-address>192.0.2.1</ipv4-address></connection-remote-address><connection-local-address><afi>ipv4</afi>\
        <ipv4-address>192.0.2.9</ipv4-address></connection-local-address><af-data><af-name>ipv4</af-name>\
        <prefixes-accepted>4</prefixes-accepted><prefixes-denied>1</prefixes-denied><prefixes-advertised>2</prefixes-advertised>\
        </af-data></neighbor></neighbors></default-vrf></instance-active></instance></instances></bgp>";
    let answers: BTreeMap<String, String> = [
        ("bgp", bgp),
        (
            "system-time",
            "<system-time xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-shellutil-oper\"><uptime><host-name>edge1</host-name>\
             <uptime>42</uptime></uptime></system-time>",
        ),
        (
            "interfaces",
            "<interfaces xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-pfi-im-cmd-oper\"><interfaces><interface>\
             <interface-name>Loopback0</interface-name></interface></interfaces></interfaces>",
        ),
        (
            "inventory",
            "<inventory xmlns=\"http://cisco.com/ns/yang/Cisco-IOS-XR-invmgr-oper\"><entities><entity><name>Rack 0</name>\
             <attributes><inv-basic-bag><model-name>ASR-9901</model-name><serial-number>AB1</serial-number>\
             <software-revision>7.5.2</software-revision></inv-basic-bag></attributes></entity></entities></inventory>",
        ),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let options = Options {
        kind: Kind::IosXr,
        config: FIRST.to_owned(),
        password: PASSWORD.to_owned(),
        answers,
        minute: Duration::from_mins(1),
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
async fn napalm_reads_iosxr() {
    let Some(mut client) = Client::start() else { return };
    let router = router().await;
    client.napalm("a", "iosxr_netconf", router.address(), json!({})).await.unwrap();
    let facts = client.good("a", "get_facts", json!({})).await;
    for (name, value) in
        [("hostname", "edge1"), ("os_version", "7.5.2"), ("model", "ASR-9901"), ("serial_number", "AB1")]
    {
        assert_eq!(facts[name], value, "{facts}");
    }
    assert_eq!((&facts["uptime"], &facts["interface_list"]), (&json!(42.0), &json!(["Loopback0"])));
    let config = client.good("a", "get_config", json!({})).await;
    assert!(config["running"].as_str().unwrap().contains("\nhostname edge1\nend"), "{config}");
    let neighbors = client.good("a", "get_bgp_neighbors", json!({})).await;
    let peer = &neighbors["global"]["peers"]["192.0.2.1"];
    assert_eq!(
        (&peer["description"], &peer["uptime"], &peer["address_family"]["ipv4"]["received_prefixes"]),
        (&json!("One & only"), &json!(9), &json!(5)),
        "{neighbors}"
    );
    let detail = client.good("a", "get_bgp_neighbors_detail", json!({})).await;
    assert_eq!(detail["global"]["64501"][0]["accepted_prefix_count"], 4, "{detail}");
    client.good("a", "close", json!({})).await;
}

#[tokio::test]
async fn napalm_changes_iosxr() {
    let Some(mut client) = Client::start() else { return };
    let router = router().await;
    client.napalm("a", "iosxr_netconf", router.address(), json!({})).await.unwrap();
    client.napalm("b", "iosxr_netconf", router.address(), json!({})).await.unwrap();
    let merge = json!({ "config": "router bgp 64500\n" });
    client.good("a", "load_merge_candidate", merge.clone()).await;
    let diff = client.good("a", "compare_config", json!({})).await;
    assert!(diff.as_str().unwrap().contains("+  router bgp 64500"), "{diff}");
    // The holder of the lock is named.
    let locked = client.bad("b", "load_merge_candidate", merge.clone()).await;
    assert!(locked.is("RPCError") && locked.tag.as_deref() == Some("lock-denied"), "{locked:?}");
    assert_eq!(router.running(), FIRST);
    client.good("a", "discard_config", json!({})).await;
    assert!(router.is_clean());
    client.good("a", "load_merge_candidate", merge).await;
    client.good("a", "commit_config", json!({})).await;
    assert_eq!(router.running(), format!("{FIRST}router bgp 64500\n"));
    assert!(router.is_clean());
    client.good("a", "load_replace_candidate", json!({ "config": "hostname edge2\n" })).await;
    let diff = client.good("a", "compare_config", json!({})).await;
    assert!(diff.as_str().unwrap().contains("-  router bgp 64500"), "{diff}");
    client.good("a", "commit_config", json!({})).await;
    assert_eq!(router.running(), "hostname edge2\n");
    client.good("a", "rollback", json!({})).await;
    assert_eq!(router.running(), format!("{FIRST}router bgp 64500\n"));

    // Refused when it is loaded, and by the commit.
    let refused = client.bad("a", "load_merge_candidate", json!({ "config": "bogus\n" })).await;
    assert!(refused.is("MergeConfigException") && refused.says.contains("bogus"), "{refused:?}");
    client.good("a", "discard_config", json!({})).await;
    client.good("a", "load_replace_candidate", json!({ "config": "refused-later\n" })).await;
    let refused = client.bad("a", "commit_config", json!({})).await;
    assert!(refused.is("RPCError") && refused.says.contains("no such route-policy"), "{refused:?}");
    client.good("a", "discard_config", json!({})).await;
    assert!(router.is_clean());
    // What NAPALM cannot.
    let refused = client.bad("a", "commit_config", json!({ "revert_in": 60 })).await;
    assert!(refused.is("NotImplementedError"), "{refused:?}");
    let refused = client.bad("a", "load_merge_candidate", json!({ "config": "description a & b\n" })).await;
    assert!(refused.is("MergeConfigException"), "{refused:?}");
    client.good("a", "discard_config", json!({})).await;
    assert_eq!(client.good("a", "compare_config", json!({})).await, "");
    // An empty difference is one too.
    client.good("a", "load_merge_candidate", json!({ "config": FIRST })).await;
    let diff = client.good("a", "compare_config", json!({})).await;
    assert!(!diff.as_str().unwrap().contains(['+', '-']), "{diff}");
    client.good("a", "close", json!({})).await;
}

fn config(text: &str) -> Json {
    let config = format!(
        "<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><cli xmlns=\"{CLI}\">{text}</cli></config>"
    );
    json!({ "target": "candidate", "config": config, "error_option": "rollback-on-error" })
}

/// Confirmed commits, with and without a name, over NETCONF 1.1 in chunks.
#[tokio::test]
async fn ncclient_confirms_on_iosxr() {
    let Some(mut client) = Client::start() else { return };
    let router = router().await;
    let one = client.ncclient("a", "iosxr", router.address()).await.unwrap();
    client.ncclient("b", "default", router.address()).await.unwrap();
    client.good("a", "lock", json!({ "target": "candidate" })).await;
    let locked = client.bad("b", "lock", json!({ "target": "candidate" })).await;
    assert_eq!(locked.tag.as_deref(), Some("lock-denied"), "{locked:?}");
    assert!(locked.info.as_deref().unwrap().contains(&format!(">{one}<")), "{locked:?}");
    let refused = client.bad("a", "lock", json!({ "target": "running" })).await;
    assert_eq!(refused.tag.as_deref(), Some("operation-not-supported"), "{refused:?}");

    // With a name: another session confirms, and one that does not know the name cannot.
    client.good("a", "edit_config", config("named &lt;&amp;&gt; \u{e9}\n")).await;
    client.good("a", "commit", json!({ "confirmed": true, "timeout": "15", "persist": "x & y" })).await;
    client.good("a", "close_session", json!({})).await;
    assert_eq!(router.running(), format!("{FIRST}named <&> \u{e9}\n"));
    assert_eq!(client.bad("b", "commit", json!({})).await.tag.as_deref(), Some("in-use"));
    let refused = client.bad("b", "commit", json!({ "persist_id": "other" })).await;
    assert_eq!(refused.tag.as_deref(), Some("invalid-value"), "{refused:?}");
    client.good("b", "commit", json!({ "persist_id": "x & y" })).await;
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(router.running(), format!("{FIRST}named <&> \u{e9}\n"));

    // Nobody confirms; somebody takes it back; the session that it belongs to ends, or is ended.
    let first = router.running();
    client.good("b", "edit_config", config("gone\n")).await;
    client.good("b", "commit", json!({ "confirmed": true, "timeout": "10", "persist": "z" })).await;
    assert_eq!(router.running(), format!("{first}gone\n"));
    wait_for(&router, &first).await;
    client.good("b", "discard_changes", json!({})).await;
    client.good("b", "edit_config", config("back\n")).await;
    client.good("b", "commit", json!({ "confirmed": true, "timeout": "600", "persist": "z" })).await;
    client.good("b", "cancel_commit", json!({ "persist_id": "z" })).await;
    assert_eq!(router.running(), first);
    client.good("b", "discard_changes", json!({})).await;
    for how in ["close_session", "kill_session"] {
        let id = client.ncclient("c", "iosxr", router.address()).await.unwrap();
        client.good("c", "edit_config", config("ends\n")).await;
        client.good("c", "commit", json!({ "confirmed": true, "timeout": "600" })).await;
        assert_eq!(router.running(), format!("{first}ends\n"));
        if how == "kill_session" {
            client.good("b", how, json!({ "session_id": id })).await;
            assert!(client.call("c", "discard_changes", json!({})).await.is_err());
        } else {
            client.good("c", how, json!({})).await;
        }
        wait_for(&router, &first).await;
        client.good("b", "discard_changes", json!({})).await;
    }
    // 1 MB each way, in chunks.
    let long = "interface x\n".repeat(90_000);
    client.good("b", "edit_config", config(&format!("{long}description y\n"))).await;
    let filter = json!(["subtree", format!("<cli xmlns=\"{CLI}\"/>")]);
    client.good("b", "copy_config", json!({ "target": "candidate", "source": format!("<source><config><cli xmlns=\"{CLI}\">{long}</cli></config></source>") })).await;
    let said = client.good("b", "get_config", json!({ "source": "candidate", "filter": filter })).await;
    assert!(said.as_str().unwrap().contains(long.trim_end()), "{} octets", said.as_str().unwrap().len());
    client.good("b", "discard_changes", json!({})).await;
    let wrong = client.bad("b", "edit_config", json!({ "target": "candidate",
        "config": "<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><cli xmlns=\"urn:other\">x</cli></config>" })).await;
    assert_eq!(wrong.tag.as_deref(), Some("unknown-element"), "{wrong:?}");
}
