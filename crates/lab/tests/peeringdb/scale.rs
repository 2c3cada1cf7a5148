//! The world's size and consistency.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use std::time::Instant;

use pm_lab::peeringdb::{Advance, Caller, Namespace, Options, Server, World};
use serde_json::Value;

use super::client::{KEY, get, start_time, with_key, world};

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

#[test]
fn every_reference_has_its_row() {
    let world = world();
    let rows: HashMap<Namespace, Vec<Value>> = Namespace::ALL
        .into_iter()
        .map(|namespace| (namespace, world.live(namespace, Caller::Keyed)))
        .collect();
    for namespace in Namespace::ALL {
        for (column, to) in namespace.links() {
            let known: HashSet<u64> = rows[to].iter().map(|row| row["id"].as_u64().unwrap()).collect();
            for row in rows[&namespace].iter().filter(|row| !row[*column].is_null()) {
                assert!(known.contains(&row[*column].as_u64().unwrap()), "{namespace}: {row}");
            }
        }
        let unique = match namespace {
            Namespace::Net => &["name", "asn"][..],
            Namespace::Org | Namespace::Campus | Namespace::Fac | Namespace::Carrier | Namespace::Ix => {
                &["name"]
            }
            Namespace::Ixpfx => &["prefix"],
            Namespace::Netixlan => &["ipaddr4", "ipaddr6"],
            _ => &[],
        };
        for field in unique {
            let values: Vec<String> = rows[&namespace]
                .iter()
                .filter(|r| !r[*field].is_null())
                .map(|r| r[*field].to_string())
                .collect();
            let different: HashSet<&String> = values.iter().collect();
            assert_eq!(different.len(), values.len(), "{namespace}.{field} is unique");
        }
    }
    for ix in &rows[&Namespace::Ix] {
        assert!(text(ix, "name").chars().count() <= 64, "{ix}");
    }
}

#[test]
fn addresses_lie_in_the_prefixes_of_their_lan() {
    let world = world();
    let prefixes = world.live(Namespace::Ixpfx, Caller::Anonymous);
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    for row in world.live(Namespace::Netixlan, Caller::Anonymous) {
        for field in ["ipaddr4", "ipaddr6"] {
            let Some(address) = row[field].as_str() else { continue };
            let address: IpAddr = address.parse().unwrap();
            let (value, width) = bits(address);
            let inside =
                prefixes.iter().filter(|prefix| prefix["ixlan_id"] == row["ixlan_id"]).any(|prefix| {
                    let (base, length) = text(prefix, "prefix").split_once('/').unwrap();
                    let (base, of) = bits(base.parse().unwrap());
                    let host = width - length.parse::<u32>().unwrap();
                    of == width && base >> host == value >> host
                });
            assert!(inside, "{row}");
        }
    }
}

#[test]
fn as_numbers_are_public_and_known_beforehand() {
    let world = world();
    let networks = world.networks();
    assert_eq!(networks.len(), 340);
    assert!(
        networks
            .iter()
            .all(|(_, asn)| (1_000..64_496).contains(asn) || (131_072..4_200_000_000).contains(asn))
    );
    assert!(networks.iter().any(|(_, asn)| *asn > 131_071));
}

#[test]
fn even_the_smallest_world_is_one() {
    let world = World::generate(0.0, 1, start_time());
    assert!(Namespace::ALL.into_iter().all(|namespace| !world.live(namespace, Caller::Keyed).is_empty()));
}

#[tokio::test]
#[ignore = "takes five seconds and 300 MB"]
async fn a_full_size_world_is_about_as_large_as_peeringdb() {
    let start = Instant::now();
    let world = World::generate(1.0, 42, start_time());
    println!("generated in {:?}", start.elapsed());
    let server =
        Server::start(world, Options { api_keys: vec![KEY.to_owned()], ..Options::default() }).await.unwrap();
    let mut total = 0;
    for namespace in Namespace::ALL {
        let start = Instant::now();
        let request = with_key(get(&server, namespace.as_str())).header("Accept-Encoding", "identity");
        let bytes = request.send().await.unwrap().bytes().await.unwrap().len();
        let packed = Instant::now();
        let request = with_key(get(&server, namespace.as_str())).header("Accept-Encoding", "gzip");
        request.send().await.unwrap().bytes().await.unwrap();
        println!("{namespace}: {bytes} bytes in {:?}, with gzip in {:?}", packed - start, packed.elapsed());
        total += bytes;
    }
    println!("{total} bytes in all");
    assert!((100_000_000..125_000_000).contains(&total));
    let start = Instant::now();
    let changes = server.world().advance(&Advance::awkward_day());
    println!("{changes:?} in {:?}", start.elapsed());
    assert!(changes.unfit.is_empty());
    server.stop().await;
}
