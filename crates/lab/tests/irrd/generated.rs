//! Invented registries.

use std::sync::Arc;

use pm_lab::irrd::{Options, Server, World};
use pm_lab::peeringdb::{self, Caller, Namespace};

use super::client::ask;

#[test]
fn a_seed_fixes_every_object() {
    let text = |seed| World::generate(0.01, seed).to_rpsl().to_owned();
    assert!(text(7) == text(7));
    assert!(text(7) != text(8));
}

#[test]
fn worlds_of_any_size_are_rpsl_with_all_sources() {
    for (scale, seed) in [(0.0, 1), (0.001, 2), (0.02, 3), (0.1, 4)] {
        let world = World::generate(scale, seed);
        assert_eq!(world.sources(), ["NTTCOM", "RADB", "RIPE", "ARIN", "APNIC", "ALTDB"]);
        assert_eq!(world.peers().len(), 200);
        let again = World::from_rpsl(world.to_rpsl()).unwrap();
        assert_eq!(again.objects(), world.objects());
        assert!(again.to_rpsl() == world.to_rpsl());
    }
}

/// What the lab's PeeringDB says is what the lab's IRRd has; but for a few, as in real life.
#[tokio::test(flavor = "multi_thread")]
async fn the_sets_that_networks_name_are_there() {
    let (scale, seed) = (0.02, 5);
    let now = chrono::DateTime::from_timestamp(1_750_000_000, 0).unwrap();
    let networks = peeringdb::World::generate(scale, seed, now).live(Namespace::Net, Caller::Anonymous);
    let server = Server::start(Arc::new(World::generate(scale, seed)), Options::default()).await.unwrap();
    let (mut named, mut found) = (0, 0);
    for network in networks {
        let name = network["irr_as_set"].as_str().unwrap();
        if name.starts_with("AS-") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            named += 1;
            let member = format!("AS{}", network["asn"]);
            let answer = ask(&server, &format!("!i{name},1"));
            found += usize::from(answer.split([' ', '\n']).any(|word| word == member));
        }
    }
    assert!(named > 200, "{named}");
    assert!(found * 100 > named * 85 && found * 100 < named * 99, "{found} of {named}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_something_of_everything() {
    let world = World::generate(0.02, 1);
    let peers = world.peers().to_vec();
    let server = Server::start(Arc::new(world), Options::default()).await.unwrap();
    let count = |line: &str| ask(&server, line).split([' ', '\n']).count();
    assert_eq!(count("!gAS399999"), 2_000 + 3);
    assert_eq!(count("!iAS-CHAIN1,1"), 8 + 3);
    assert_eq!(count("!iAS-CYCLE0,1"), count("!iAS-CYCLE1,1"));
    assert_eq!(ask(&server, "!iAS-OF-EACH"), "A9\nAS399990\nC\n");
    assert_eq!(ask(&server, "!sRIPE\n!iAS-OF-EACH"), "C\nA9\nAS399992\nC\n");
    assert!(count("!iRS-GEN0000,1") > 3);
    let routes: Vec<usize> = peers.iter().map(|peer| count(&format!("!a4{peer}"))).collect();
    let largest = routes.iter().max().copied().unwrap();
    let median = {
        let mut sorted = routes.clone();
        sorted.sort_unstable();
        sorted[100]
    };
    assert!(largest > 10 * median && median > 3, "median {median}, largest {largest}");
}
