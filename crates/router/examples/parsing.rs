//! How quickly answers of routers with very many neighbours are read, in MB/s:
//! `cargo run --release -p pm-router --example parsing`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use pm_router::{DaemonKind, parse};
use serde_json::{Map, Value};

const NEIGHBORS: u32 = 20_000;

fn address(number: u32) -> String {
    std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string()
}

fn recorded(platform: DaemonKind, name: &str) -> String {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(platform.name());
    std::fs::read_to_string(place.join("steady").join(format!("{name}.txt"))).unwrap()
}

/// The recorded answer with its first neighbour many times.
fn many(platform: DaemonKind) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    match platform {
        DaemonKind::Frr => {
            let text = recorded(platform, "neighbors");
            let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
            let documents: Vec<Value> = documents.map(Result::unwrap).collect();
            let peer = &documents[0]["default"]["ipv4Unicast"]["peers"]["192.0.2.2"];
            let peers: Map<_, _> = (0..NEIGHBORS).map(|number| (address(number), peer.clone())).collect();
            let detail = &documents[1]["default"]["192.0.2.2"];
            let details: Map<_, _> = (0..NEIGHBORS).map(|number| (address(number), detail.clone())).collect();
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
            for number in 0..NEIGHBORS {
                let block = block.replace("192.0.2.2", &address(number));
                let _ = writeln!(all, "good{number}{block}");
            }
            parts.insert("status".to_owned(), recorded(platform, "status"));
            parts.insert("protocols".to_owned(), all);
        }
        DaemonKind::Openbgpd | DaemonKind::Gobgp => {
            let all: Value = serde_json::from_str(&recorded(platform, "neighbors")).unwrap();
            let list = if platform == DaemonKind::Gobgp { &all } else { &all["neighbors"] };
            let list = Value::Array(vec![list[0].clone(); NEIGHBORS as usize]);
            let list =
                if platform == DaemonKind::Gobgp { list } else { serde_json::json!({"neighbors": list}) };
            let text = if platform == DaemonKind::Gobgp { list.to_string() } else { format!("{list:#}") };
            parts.insert("neighbors".to_owned(), text);
            parts.insert("clock".to_owned(), "1795472060".to_owned());
        }
    }
    parts
}

fn main() {
    for platform in DaemonKind::ALL {
        let parts = many(platform);
        let octets: usize = parts.values().map(String::len).sum();
        let begun = Instant::now();
        let found = parse(platform, &parts).unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(found.neighbors.len(), NEIGHBORS as usize);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let megabytes = octets as f64 / 1e6;
        println!(
            "{:9} {megabytes:6.1} MB in {seconds:.3} s: {:.0} MB/s",
            platform.name(),
            megabytes / seconds
        );
    }
}
