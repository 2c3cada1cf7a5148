use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pm_lab::routers::eapi::{Eapi, Options};
use serde_json::json;

use super::PASSWORD;
use super::client::Client;

const RUNNING: &str = "hostname sw1\nrouter bgp 64500\n   neighbor 192.0.2.1 remote-as 64501\nend\n";
pub const CANDIDATE: &str = "! by hand\n\nrouter bgp 64500\n   neighbor 192.0.2.2 remote-as 64502\n!\n";

pub async fn switch(newer: bool) -> Eapi {
    let peer = json!({ "peerAddress": "192.0.2.1", "asn": "64501", "localAsn": "64500", "routerId": "192.0.2.1",
        "state": "Established", "establishedTime": 61, "description": "One & only", "prefixesReceived": 10, "prefixesSent": 2,
        "v6PrefixesReceived": 0, "v6PrefixesSent": 0 });
    let summary = json!({ "vrfs": { "default": { "routerId": "192.0.2.254", "peers": { "192.0.2.1": { "prefixAccepted": 9 } } } } });
    let answers = BTreeMap::from([
        ("show ip bgp summary vrf all".to_owned(), summary),
        (
            "show ipv6 bgp summary vrf all".to_owned(),
            json!({ "vrfs": { "default": { "routerId": "192.0.2.254", "peers": {} } } }),
        ),
        (
            "show ip bgp neighbors vrf all".to_owned(),
            json!({ "vrfs": { "default": { "peerList": [peer] } } }),
        ),
        ("show ipv6 bgp peers vrf all".to_owned(), json!({ "vrfs": {} })),
        ("show interfaces".to_owned(), json!({ "interfaces": { "Ethernet1": {}, "Ethernet1.5": {} } })),
    ]);
    let options = Options {
        user: "netops".into(),
        password: PASSWORD.into(),
        enable: Some("Planted-2".into()),
        running: RUNNING.into(),
        answers,
        newer,
        ..Options::default()
    };
    Eapi::start(options).await.unwrap()
}

async fn open(client: &mut Client, name: &str, switch: &Eapi) {
    let options = json!({ "transport": "http", "enable_password": "Planted-2" });
    client.napalm(name, "eos", switch.address, options).await.unwrap();
}

#[tokio::test]
async fn napalm_reads_eos() {
    let Some(mut client) = Client::start() else { return };
    let switch = switch(false).await;
    open(&mut client, "a", &switch).await;
    let facts = client.good("a", "get_facts", json!({})).await;
    for (name, value) in
        [("hostname", "sw1"), ("fqdn", "sw1.example.net"), ("os_version", "4.30.1F-1"), ("model", "vEOS-lab")]
    {
        assert_eq!(facts[name], value, "{facts}");
    }
    assert_eq!(facts["interface_list"], json!(["Ethernet1"]));
    let config = client.good("a", "get_config", json!({})).await;
    assert_eq!(config["running"], switch.running());
    assert_eq!(config["startup"], switch.startup());
    let neighbors = client.good("a", "get_bgp_neighbors", json!({})).await;
    let peer = &neighbors["global"]["peers"]["192.0.2.1"];
    assert_eq!(
        (&peer["remote_as"], &peer["description"], &peer["address_family"]["ipv4"]["accepted_prefixes"]),
        (&json!(64501), &json!("One & only"), &json!(9)),
        "{neighbors}"
    );
    let wrong = json!({ "transport": "http", "enable_password": "Other" });
    let refused = client.napalm("b", "eos", switch.address, wrong).await.unwrap_err();
    assert!(refused.is("CommandError") && refused.says.contains("Bad secret"), "{refused:?}");
}

#[tokio::test]
async fn napalm_changes_eos() {
    let Some(mut client) = Client::start() else { return };
    let switch = switch(false).await;
    open(&mut client, "a", &switch).await;
    open(&mut client, "b", &switch).await;
    let merge = json!({ "config": CANDIDATE });
    client.good("a", "load_merge_candidate", merge.clone()).await;
    let diff = client.good("a", "compare_config", json!({})).await;
    assert!(diff.as_str().unwrap().contains("+   neighbor 192.0.2.2 remote-as 64502"), "{diff}");
    let candidate = client.good("a", "get_config", json!({ "retrieve": "candidate" })).await;
    assert!(candidate["candidate"].as_str().unwrap().contains("192.0.2.2"), "{candidate}");
    // NAPALM takes another's open session for a lock.
    let locked = client.bad("b", "load_merge_candidate", merge.clone()).await;
    assert!(locked.is("SessionLockedException"), "{locked:?}");
    client.good("a", "discard_config", json!({})).await;
    assert_eq!(switch.open_sessions(), 0);
    assert!(!switch.running().contains("192.0.2.2"));

    client.good("a", "load_merge_candidate", merge).await;
    client.good("a", "commit_config", json!({})).await;
    assert!(switch.running().contains("192.0.2.2") && switch.startup().contains("192.0.2.2"));
    client.good("a", "rollback", json!({})).await;
    assert!(!switch.running().contains("192.0.2.2") && !switch.startup().contains("192.0.2.2"));
    let text = "hostname sw1\nbanner login\n! mind the gap\nEOF\nrouter bgp 64500\n   neighbor 192.0.2.9 remote-as 64509\n";
    client.good("a", "load_replace_candidate", json!({ "config": text })).await;
    let diff = client.good("a", "compare_config", json!({})).await;
    assert!(diff.as_str().unwrap().contains("-   neighbor 192.0.2.1 remote-as 64501"), "{diff}");
    client.good("a", "commit_config", json!({})).await;
    assert!(!switch.running().contains("192.0.2.1 "), "{}", switch.running());

    let refused = client.bad("a", "load_merge_candidate", json!({ "config": "nonsense\n" })).await;
    assert!(refused.is("MergeConfigException") && refused.says.contains("nonsense"), "{refused:?}");
    assert_eq!(switch.open_sessions(), 0);
    client.good("a", "close", json!({})).await;
}

#[tokio::test]
async fn napalm_confirms_on_eos() {
    let Some(mut client) = Client::start() else { return };
    for newer in [false, true] {
        let switch = switch(newer).await;
        open(&mut client, "a", &switch).await;
        open(&mut client, "b", &switch).await;
        client.good("a", "load_merge_candidate", json!({ "config": CANDIDATE })).await;
        client.good("a", "commit_config", json!({ "revert_in": 60 })).await;
        assert!(switch.running().contains("192.0.2.2") && !switch.startup().contains("192.0.2.2"));
        assert_eq!(client.good("b", "has_pending_commit", json!({})).await, true);
        let refused = client.bad("b", "confirm_commit", json!({})).await;
        assert!(refused.is("CommitError"), "{refused:?}");
        client.good("a", "confirm_commit", json!({})).await;
        assert!(switch.startup().contains("192.0.2.2"));
        assert_eq!(client.good("b", "has_pending_commit", json!({})).await, false);

        // Taken back at once, and by the timer.
        client.good("a", "load_merge_candidate", json!({ "config": "hostname sw2\n" })).await;
        client.good("a", "commit_config", json!({ "revert_in": 60 })).await;
        client.good("a", "rollback", json!({})).await;
        assert!(switch.running().contains("hostname sw1"));
        client.good("a", "load_merge_candidate", json!({ "config": "hostname sw3\n" })).await;
        client.good("a", "commit_config", json!({ "revert_in": 10 })).await;
        assert!(switch.running().contains("hostname sw3"));
        let begun = Instant::now();
        while switch.running().contains("hostname sw3") {
            assert!(begun.elapsed().as_secs() < 60, "it does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(client.good("a", "has_pending_commit", json!({})).await, false);
    }
}
