use serde_json::json;

use super::difference;
use super::neighbors::{Joined, long, short};
use crate::{
    ConfigText, Error, Facts, Family, How, Loader, Neighbors, Pending, Platform, Router, State, Target,
};

#[test]
fn differences_of_several_drivers() {
    let unified = difference("--- running\n+++ candidate\n@@ -1 +1,2 @@\n a\n+b\n-c\n");
    assert_eq!(unified.counts(), (1, 1));
    assert_eq!(unified.text(), " --- running\n +++ candidate\n @@ -1 +1,2 @@\n a\n+b\n-c\n");
    let junos = difference("[edit protocols bgp]\n+   group x {\n+     authentication-key hunter2;\n+   }");
    assert_eq!(junos.counts(), (3, 0));
    assert!(!junos.text().contains("hunter2"));
    assert_eq!(difference("router bgp 64500\nneighbor 192.0.2.1").counts(), (2, 0));
    assert!(difference("").is_empty());
}

#[test]
fn odd_values_are_not_known() {
    let said = json!({"global": {"router_id": null, "peers": {
        "192.0.2.1": {"remote_as": "64501", "local_as": null, "is_up": true, "is_enabled": true, "uptime": 12.9,
            "address_family": {"ipv4 unicast": {"received_prefixes": 3, "accepted_prefixes": -1}, "l2vpn": {}}},
        "peer1": {"remote_as": 64502, "is_up": false, "is_enabled": false},
    }}});
    let mut joined = Joined::new("other");
    joined.short(&said).unwrap();
    let all = joined.neighbors();
    assert_eq!(all.left_out, ["global: \"peer1\" is not an address"]);
    let one = all.get("default", "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!((one.remote_as, one.local_as, one.uptime()), (Some(64_501), None, Some(12)));
    let counts = one.prefixes.get(&Family::Ipv4).unwrap();
    assert_eq!((counts.received, counts.accepted, counts.advertised), (Some(3), None, None));
    assert_eq!(one.prefixes.len(), 1);
    assert!(short(json!([])).is_err() && Joined::new("other").short(json!([])).is_err());
    assert!(short(json!({})).unwrap().is_empty());
    // The last of the same address counts, and what has no peers, or is no VRF, has none.
    let twice = json!({"a": {"peers": {"2001:db8:0::1": {"remote_as": 1}, "2001:db8::1": {"remote_as": 2}}},
        "b": {"router_id": "192.0.2.1"}, "c": 7, "d": {"peers": null}});
    let mut joined = Joined::new("other");
    joined.short(&twice).unwrap();
    let [one] = joined.neighbors().neighbors.try_into().unwrap();
    assert_eq!((one.vrf.as_str(), one.remote_as), ("a", Some(2)));
}

#[test]
fn the_long_shape_tells_more() {
    let said = json!({"global": {"peers": {
        "192.0.2.1": {"remote_as": 64501, "is_up": false, "is_enabled": true,
            "address_family": {"ipv4": {"received_prefixes": 0, "accepted_prefixes": 0, "sent_prefixes": 0}}},
    }}});
    let detailed = json!({"global": {"64501": [
        {"remote_address": "192.0.2.1", "remote_as": 64501, "connection_state": "Idle (Close in progress)",
         "last_event": "HoldTime", "flap_count": 4, "received_prefix_count": 0},
        {"remote_address": "2001:db8::1", "remote_as": 64501, "up": true, "connection_state": "Established",
         "received_prefix_count": 7, "accepted_prefix_count": 5, "advertised_prefix_count": 1},
        {"remote_address": "elsewhere"},
    ]}});
    let mut joined = Joined::new("junos");
    joined.short(&said).unwrap();
    joined.long(&detailed).unwrap();
    let all = joined.neighbors();
    assert_eq!(all.left_out.len(), 1);
    let down = all.get("default", "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(
        (down.state, down.flaps, down.last_error.as_deref()),
        (State::Idle, Some(4), Some("HoldTime"))
    );
    assert_eq!(down.prefixes.get(&Family::Ipv4).unwrap().received, None);
    let up = all.get("default", "2001:db8::1".parse().unwrap()).unwrap();
    assert_eq!(up.prefixes.get(&Family::Ipv6).unwrap().accepted, Some(5));
    let odd = json!({"global": {"64501": {}}});
    assert!(long(&odd).is_err() && Joined::new("junos").long(&odd).is_err());
}

/// A native driver that only reads.
struct Reads;

#[async_trait::async_trait]
impl Router for Reads {
    fn platform(&self) -> Platform {
        Platform::Ios
    }

    async fn facts(&self) -> Result<Facts, Error> {
        Ok(Facts { hostname: "native".into(), ..Facts::default() })
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        Ok(Neighbors::default())
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        Ok(ConfigText::new(""))
    }

    fn loader(&self, _: How) -> Option<Loader<'_>> {
        None
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        Ok(None)
    }

    async fn confirm(&self, _: &Pending) -> Result<(), Error> {
        Ok(())
    }

    async fn roll_back(&self, _: &Pending) -> Result<(), Error> {
        Ok(())
    }

    async fn close(&self) {}
}

#[tokio::test]
async fn changes_go_through_napalm_where_the_native_driver_only_reads() {
    let directory = tempfile::tempdir().unwrap();
    let device = directory.path().join("device");
    std::fs::write(&device, json!({ "config": "a\n" }).to_string()).unwrap();
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Target {
        endpoint: crate::Endpoint { host: "router".into(), port: 0 },
        platform: Platform::Ios,
        driver_name: "lab".into(),
        use_napalm: false,
        python: here.join("tests/bridge/python"),
        credentials: crate::Credentials { password: Some("Planted's-1\\".into()), ..Default::default() },
        host_keys: crate::HostKeys::KnownHosts("/nonexistent".into()),
        way: crate::Way::default(),
        tls: crate::Tls::default(),
        options: json!({ "device": device }).as_object().unwrap().clone(),
        limits: crate::Limits::default(),
    };
    let router = super::beside(Box::new(Reads), &target);
    assert_eq!(router.facts().await.unwrap().hostname, "native");
    assert!(router.capabilities().undo.is_none());
    let candidate = router.loader(How::Merge).unwrap().load(&ConfigText::new("b\n")).await.unwrap();
    assert_eq!(candidate.diff().text(), "+b\n");
    let change = candidate.commit(std::time::Duration::from_mins(1)).await.unwrap();
    assert!(router.capabilities().undo.is_some());
    router.confirm(&change).await.unwrap();
    assert_eq!(router.pending().await.unwrap(), None);
    router.close().await;
    // Without Python, reading goes on.
    let router = super::beside(Box::new(Reads), &Target { python: "/nonexistent".into(), ..target });
    assert!(router.facts().await.is_ok());
    assert!(router.loader(How::Merge).unwrap().load(&ConfigText::new("b\n")).await.is_err());
}
