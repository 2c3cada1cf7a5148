//! The drivers against a fleet of stand-ins, whose sessions follow from their configurations.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pm_lab::routers::fleet::{CERTIFICATE, Fleet, Kind, Member, Options};
use pm_lab::routers::peering;
use pm_router::{
    ConfigText, Credentials, Endpoint, Error, HostKeys, How, Limits, Neighbors, Platform, Router, State,
    Target, Tls, connect,
};

const NEIGHBORS: &str = "# who is there\n192.0.2.1 64501 up One & only\n2001:db8::1 64501\n192.0.2.9 64509 down Nobody\n\
    192.0.2.10 64510 shut Shut\n";
const NEW: &str = "192.0.2.4";

async fn fleet(delay: u64) -> Fleet {
    let options = Options {
        kinds: Kind::ALL.to_vec(),
        count: 3,
        neighbors: peering::neighbors(NEIGHBORS).unwrap(),
        configs: BTreeMap::new(),
        delay: Duration::from_millis(delay),
        port: 0,
        user: "netops".into(),
        password: "Planted".into(),
        seed: 1,
    };
    Fleet::start(&options).await.unwrap()
}

async fn driver(member: &Member, certificate: &std::path::Path) -> Box<dyn Router> {
    let (_, fingerprint) = member.host_key.clone().unwrap_or_default();
    let target = Target {
        endpoint: Endpoint { host: member.address.ip().to_string(), port: member.address.port() },
        platform: Platform::from_name(member.kind.platform()).unwrap(),
        driver_name: String::new(),
        use_napalm: false,
        python: "python3".into(),
        credentials: Credentials {
            user: "netops".into(),
            password: Some("Planted".to_owned().into()),
            ..Credentials::default()
        },
        host_keys: HostKeys::Fingerprint(fingerprint),
        tls: Tls { verify: true, authorities: Some(certificate.to_owned()) },
        options: serde_json::Map::new(),
        limits: Limits {
            read: Duration::from_secs(20),
            change: Duration::from_secs(20),
            ..Limits::default()
        },
        way: pm_router::Way::default(),
    };
    connect(&target).await.unwrap()
}

/// A part with one more neighbour.
fn more(kind: Kind) -> String {
    match kind {
        Kind::Junos => {
            format!("protocols {{ bgp {{ group ipv4-peers {{ neighbor {NEW} {{ peer-as 64504; }} }} }} }}")
        }
        Kind::IosXr => format!("router bgp 64500\n neighbor {NEW}\n  remote-as 64504\n !\n!\n"),
        Kind::Eos => format!("router bgp 64500\n   neighbor {NEW} remote-as 64504\n"),
    }
}

/// A part without it, and with the first neighbour's AS wrong.
fn less(kind: Kind) -> String {
    match kind {
        Kind::Junos => format!(
            "protocols {{ bgp {{ group ipv4-peers {{ delete: neighbor {NEW}; neighbor 192.0.2.1 {{ peer-as 64999; }} }} }} }}"
        ),
        Kind::IosXr => {
            format!("router bgp 64500\n no neighbor {NEW}\n neighbor 192.0.2.1\n  remote-as 64999\n !\n!\n")
        }
        Kind::Eos => {
            format!("router bgp 64500\n   no neighbor {NEW}\n   neighbor 192.0.2.1 remote-as 64999\n")
        }
    }
}

fn told(all: &Neighbors) -> Vec<(String, u32, bool, bool)> {
    assert_eq!(all.left_out, Vec::<String>::new());
    all.neighbors
        .iter()
        .map(|one| (one.address.to_string(), one.remote_as.unwrap(), one.is_up(), one.enabled))
        .collect()
}

#[tokio::test]
async fn sessions_follow_from_configurations() {
    let place = tempfile::tempdir().unwrap();
    let certificate = place.path().join("ca.pem");
    std::fs::write(&certificate, CERTIFICATE).unwrap();
    let fleet = fleet(0).await;
    for (at, member) in fleet.members.iter().enumerate() {
        let kind = member.kind;
        let router = driver(member, &certificate).await;
        assert!(router.facts().await.unwrap().hostname.starts_with(&member.name), "{kind:?}");
        let first = router.neighbors().await.unwrap();
        let expected = [
            ("192.0.2.1", 64501, true, true),
            ("192.0.2.9", 64509, false, true),
            ("192.0.2.10", 64510, false, false),
            ("2001:db8::1", 64501, true, true),
        ];
        let mut expected: Vec<_> =
            expected.map(|(address, asn, up, enabled)| (address.to_owned(), asn, up, enabled)).to_vec();
        assert_eq!(told(&first), expected, "{kind:?}");
        let one = first.get("default", "192.0.2.1".parse().unwrap()).unwrap();
        assert_eq!(one.description.as_deref(), Some("One & only"));
        let counts = one.prefixes.values().next().unwrap();
        assert!(
            counts.received > Some(0) && counts.accepted <= counts.received && counts.advertised == Some(12)
        );
        assert_eq!(first.get("default", "192.0.2.10".parse().unwrap()).unwrap().state, State::Idle);

        // A neighbour more, kept.
        let before = fleet.running(at).unwrap();
        let candidate = router.loader(How::Merge).unwrap().load(&ConfigText::new(more(kind))).await.unwrap();
        assert!(candidate.diff().text().contains(NEW), "{}", candidate.diff().text());
        let change = candidate.commit(Duration::from_mins(5)).await.unwrap();
        expected.insert(1, (NEW.to_owned(), 64504, true, true));
        assert_eq!(told(&router.neighbors().await.unwrap()), expected, "{kind:?}");
        router.confirm(&change).await.unwrap();
        let kept = fleet.running(at).unwrap();
        assert_ne!(kept, before);

        // It goes, a session with the wrong AS goes down, and all comes back.
        let candidate = router.loader(How::Merge).unwrap().load(&ConfigText::new(less(kind))).await.unwrap();
        let change = candidate.commit(Duration::from_mins(5)).await.unwrap();
        let all = router.neighbors().await.unwrap();
        let now = told(&all);
        assert!(!now.iter().any(|(address, ..)| address == NEW), "{kind:?} {now:?}");
        assert_eq!(now[0], ("192.0.2.1".to_owned(), 64999, false, true), "{kind:?}");
        let reason = all.neighbors[0].last_error.clone().unwrap().to_lowercase().replace('-', " ");
        assert!(reason.contains("open message error"), "{reason}");
        router.roll_back(&change).await.unwrap();
        let back = router.neighbors().await.unwrap();
        assert_eq!(told(&back), expected, "{kind:?}");
        assert!(back.neighbors[0].flaps > first.neighbors[0].flaps && back.neighbors[0].uptime() < Some(60));
        assert_eq!(fleet.running(at).unwrap(), kept);

        // What is wrong is refused.
        let refused =
            router.loader(How::Merge).unwrap().load(&ConfigText::new("bogus statement;\n")).await.err();
        assert!(matches!(refused, Some(Error::Rejected { .. })), "{kind:?}");
        router.close().await;
    }
}

#[tokio::test]
async fn a_way_takes_its_time() {
    let place = tempfile::tempdir().unwrap();
    let certificate = place.path().join("ca.pem");
    std::fs::write(&certificate, CERTIFICATE).unwrap();
    let fleet = fleet(10).await;
    let mut host_keys = Vec::new();
    for member in &fleet.members {
        let begun = Instant::now();
        let router = driver(member, &certificate).await;
        assert_eq!(router.neighbors().await.unwrap().neighbors.len(), 4);
        // Four round trips are the least with which anybody could log in and ask.
        assert!(begun.elapsed() >= Duration::from_millis(80), "{:?} {:?}", member.kind, begun.elapsed());
        host_keys.extend(member.host_key.clone());
    }
    assert_ne!(host_keys[0], host_keys[1]);
}
