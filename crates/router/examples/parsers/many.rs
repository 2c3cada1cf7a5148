//! Answers of routers with very many neighbours: the first neighbour of a case, again and again with another address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use pm_router::{DaemonKind, Parts};
use serde_json::{Map, Value, json};

/// How much memory a parser may take beside the answer, in sizes of the answer: three with the answer.
pub const MEMORY: u32 = 2;

/// What is wanted of a parser that reads neighbours.
pub struct Goal {
    /// Its name.
    pub name: &'static str,
    /// How quick it has to be, in MB/s: 100 for JSON and text, 50 for XML.
    pub speed: u32,
}

const fn goal(name: &'static str, speed: u32) -> Goal {
    Goal { name, speed }
}

/// All of them.
pub const GOALS: [Goal; 14] = [
    goal("frr", 100),
    goal("bird", 100),
    goal("openbgpd", 100),
    goal("gobgp", 100),
    goal("junos", 50),
    goal("iosxr_netconf", 50),
    goal("iosxr", 50),
    goal("eos", 100),
    goal("eos_text", 100),
    goal("nxos", 100),
    goal("nxos_ssh", 100),
    goal("ios", 100),
    goal("ios_detail", 100),
    goal("napalm", 100),
];

fn address(number: u32) -> String {
    std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string()
}

fn file(path: &str) -> String {
    // The benchmarks read them, too.
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../router").join(path)).unwrap()
}

fn recorded(platform: DaemonKind, name: &str) -> String {
    file(&format!("tests/cases/{}/steady/{name}.txt", platform.name()))
}

fn steady(platform: &str, name: &str) -> String {
    file(&format!("tests/cases/{platform}/steady/{name}"))
}

/// What a parser reads when there are so many neighbours.
pub fn many(name: &str, count: u32) -> Parts {
    let one = |name: &str, text: String| Parts::from([(name.to_owned(), text)]);
    match name {
        "frr" => daemon(DaemonKind::Frr, count),
        "bird" => daemon(DaemonKind::Bird, count),
        "openbgpd" => daemon(DaemonKind::Openbgpd, count),
        "gobgp" => daemon(DaemonKind::Gobgp, count),
        "junos" => ["get-bgp-neighbor-information", "get-bgp-summary-information"]
            .map(|part| {
                (
                    part.to_owned(),
                    entries(&steady(name, &format!("{part}.xml")), "<bgp-peer", "</bgp-peer>\n", count),
                )
            })
            .into(),
        "iosxr_netconf" => {
            one("bgp", entries(&steady(name, "bgp.xml"), "<neighbor>", "</neighbor>\n", count))
        }
        "iosxr" => one("get", entries(&file("fuzz/seeds/iosxr/one"), "<Neighbor>", "</Neighbor>", count)),
        "eos" => eos(count),
        "eos_text" => eos_text(count),
        "nxos" => one("show_bgp_all_summary_vrf_all", nxos(count)),
        "nxos_ssh" => {
            let text = steady(name, "show_bgp_all_summary_vrf_all.txt");
            one("show_bgp_all_summary_vrf_all", entries(&text, "192.0.2.1 ", " 9\n", count))
        }
        "ios" => ["show_bgp_all_summary", "show_bgp_ipv4_unicast_neighbors"]
            .map(|part| {
                let text = steady(name, &format!("{part}.txt"));
                let (begin, end) = if part.ends_with("summary") {
                    ("192.0.2.1 ", " 9\n")
                } else {
                    ("BGP neighbor is", "Foreign port: 40123\n\n")
                };
                (part.to_owned(), entries(&text, begin, end, count))
            })
            .into(),
        "ios_detail" => ios_detail(count),
        "napalm" => napalm(count),
        other => panic!("nothing is known of {other}"),
    }
}

/// A table, and an answer for each neighbour in it.
fn ios_detail(count: u32) -> Parts {
    let seed = file("fuzz/seeds/ios_detail/one");
    let (summary, rest) = seed.split_once("=== show_ip_bgp_ipv4_unicast_neigh_192_0_2_1\n").unwrap();
    let summary = summary.split_once('\n').unwrap().1;
    let row = summary.lines().find(|line| line.starts_with("192.0.2.1 ")).unwrap();
    let mut parts = Parts::from([("show_ip_bgp_all_sum".to_owned(), entries(summary, row, "\n", count))]);
    for number in 0..count {
        let name = format!("show_ip_bgp_ipv4_unicast_neigh_{}", address(number).replace('.', "_"));
        parts.insert(name, rest.replace("192.0.2.1", &address(number)));
    }
    parts
}

/// The text with the first piece between these two many times in place of all such pieces.
fn entries(text: &str, begin: &str, end: &str, count: u32) -> String {
    let from = text.find(begin).unwrap();
    let to = from + text[from..].find(end).unwrap() + end.len();
    let last = text.rfind(end).unwrap() + end.len();
    let mut all = text[..from].to_owned();
    for number in 0..count {
        all.push_str(&text[from..to].replace("192.0.2.1", &address(number)));
    }
    all + &text[last.max(to)..]
}

fn eos(count: u32) -> Parts {
    let read = |part: &str| serde_json::from_str::<Value>(&steady("eos", &format!("{part}.json"))).unwrap();
    let mut summary = read("show_ip_bgp_summary_vrf_all");
    let peers = summary.pointer_mut("/vrfs/default/peers").unwrap();
    let peer = peers["192.0.2.1"].clone();
    *peers = Value::Object((0..count).map(|number| (address(number), peer.clone())).collect());
    let mut details = read("show_ip_bgp_neighbors_vrf_all");
    let list = details.pointer_mut("/vrfs/default/peerList").unwrap();
    let peer = list[0].clone();
    let with = |number| {
        let mut peer = peer.clone();
        peer["peerAddress"] = json!(address(number));
        peer
    };
    *list = (0..count).map(with).collect();
    [
        ("show_ip_bgp_summary_vrf_all", summary.to_string()),
        ("show_ipv6_bgp_summary_vrf_all", json!({ "vrfs": {} }).to_string()),
        ("show_ip_bgp_neighbors_vrf_all", details.to_string()),
        ("show_ipv6_bgp_peers_vrf_all", json!({ "vrfs": {} }).to_string()),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

fn eos_text(count: u32) -> Parts {
    let seed = file("fuzz/seeds/eos_text/multi_agent");
    let text = entries(&seed, "BGP neighbor is", "Send-Q: 0/32768\n\n", count);
    let text = text.split_once('\n').unwrap().1.split("=== ").next().unwrap().to_owned();
    let model = "service routing protocols model multi-agent\n".to_owned();
    [
        ("show_ip_bgp_neighbors_vrf_all", text),
        ("show_running_config___include_service_routing_protocols_model_multi_agent", model),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

fn nxos(count: u32) -> String {
    let mut all: Value = serde_json::from_str(&steady("nxos", "show_bgp_all_summary_vrf_all.json")).unwrap();
    let rows = all
        .pointer_mut("/TABLE_vrf/ROW_vrf/TABLE_af/ROW_af/0/TABLE_saf/ROW_saf/TABLE_neighbor/ROW_neighbor")
        .unwrap();
    let row = rows[0].clone();
    let with = |number| {
        let mut row = row.clone();
        row["neighborid"] = json!(address(number));
        row
    };
    *rows = (0..count).map(with).collect();
    format!("{all:#}")
}

fn napalm(count: u32) -> Parts {
    let counts = json!({ "received_prefixes": 20, "accepted_prefixes": 18, "sent_prefixes": 1 });
    let peer = json!({ "local_as": 64500, "remote_as": 64501, "remote_id": "192.0.2.1", "is_up": true, "is_enabled": true,
        "description": "One", "uptime": 99, "address_family": { "ipv4": counts, "ipv6": counts } });
    let peers: Map<_, _> = (0..count).map(|number| (address(number), peer.clone())).collect();
    let all = json!({ "global": { "router_id": "192.0.2.9", "peers": peers } });
    Parts::from([("neighbors".to_owned(), all.to_string())])
}

/// The recorded answer with its first neighbour many times.
fn daemon(platform: DaemonKind, count: u32) -> Parts {
    let mut parts = BTreeMap::new();
    match platform {
        DaemonKind::Frr => {
            let text = recorded(platform, "neighbors");
            let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
            let documents: Vec<Value> = documents.map(Result::unwrap).collect();
            let peer = &documents[0]["default"]["ipv4Unicast"]["peers"]["192.0.2.2"];
            let peers: Map<_, _> = (0..count).map(|number| (address(number), peer.clone())).collect();
            let detail = &documents[1]["default"]["192.0.2.2"];
            let details: Map<_, _> = (0..count).map(|number| (address(number), detail.clone())).collect();
            let summary = serde_json::json!({"default": {"ipv4Unicast": {"peers": peers}}});
            parts.insert(
                "neighbors".to_owned(),
                format!("{summary:#}\n{:#}\n", serde_json::json!({"default": details})),
            );
        }
        DaemonKind::Bird => {
            let text = recorded(platform, "protocols");
            let (head, _) = text.split_once("device1").unwrap();
            let (_, rest) = text.split_once("\ngood4").unwrap();
            let (block, _) = rest.split_once("\ngood6").unwrap();
            let mut all = head.to_owned();
            for number in 0..count {
                let block = block.replace("192.0.2.2", &address(number));
                let _ = writeln!(all, "good{number}{block}");
            }
            parts.insert("status".to_owned(), recorded(platform, "status"));
            parts.insert("protocols".to_owned(), all);
        }
        DaemonKind::Openbgpd | DaemonKind::Gobgp => {
            let all: Value = serde_json::from_str(&recorded(platform, "neighbors")).unwrap();
            let list = if platform == DaemonKind::Gobgp { &all } else { &all["neighbors"] };
            let list = Value::Array(vec![list[0].clone(); count as usize]);
            let list =
                if platform == DaemonKind::Gobgp { list } else { serde_json::json!({"neighbors": list}) };
            let text = if platform == DaemonKind::Gobgp { list.to_string() } else { format!("{list:#}") };
            parts.insert("neighbors".to_owned(), text);
            parts.insert("clock".to_owned(), "1795472060".to_owned());
        }
    }
    parts
}
