//! What holds for whatever a router answers. The fuzzer runs it, and so do ordinary tests.

use pm_router::Parser;

/// Reads the octets with the parser of this name, and asserts what neighbours promise.
pub fn anything(name: &str, octets: &[u8]) {
    let parser = Parser::named(name).unwrap_or_else(|| panic!("there is no parser {name}"));
    let text = String::from_utf8_lossy(octets);
    let Ok(all) = (parser.read)(&parser.parts_of(&text)) else { return };
    for reason in &all.left_out {
        assert!(!reason.is_empty() && reason.len() < 700, "{} octets of a reason", reason.len());
        assert!(!reason.chars().any(char::is_control), "{reason:?} can be shown");
    }
    let places: Vec<_> = all.neighbors.iter().map(|one| (&one.vrf, one.address)).collect();
    assert!(places.is_sorted(), "by VRF and address");
    for one in &all.neighbors {
        assert!(!(one.is_up() && one.over_limit), "{} is up and over its limit", one.address);
    }
}
