//! What routers answer, and what is read from it: a folder per case, `cases/<platform>/<case>/`, with a part per file and
//! the neighbours in `expected.json`. `UPDATE_CASES=1` writes that file; then look at the difference. The daemons' answers are
//! what they printed; the vendors' are written after their documentation.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{folders, parts, variable};
use pm_router::{DaemonKind, Family, Neighbors, Platform, State, parse, parse_vendor};
use serde_json::Value as Json;

const VENDORS: [Platform; 6] = [
    Platform::Junos,
    Platform::IosxrNetconf,
    Platform::Eos,
    Platform::Nxos,
    Platform::NxosSsh,
    Platform::Ios,
];

fn check(place: &Path, update: bool) -> usize {
    let mut count = 0;
    for platform in DaemonKind::ALL {
        for case in folders(&place.join(platform.name())) {
            check_case(&case, update, parse(platform, &parts(&case)));
            count += 1;
        }
    }
    for platform in VENDORS {
        for case in folders(&place.join(platform.name())) {
            check_case(&case, update, parse_vendor(platform, &parts(&case)));
            count += 1;
        }
    }
    count
}

fn check_case(case: &Path, update: bool, found: Result<Neighbors, String>) {
    let found = found.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    let expected = case.join("expected.json");
    if update {
        std::fs::write(&expected, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let expected: Json = serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
    let found = serde_json::to_value(&found).unwrap();
    assert_eq!(found["left_out"], expected["left_out"], "{}", case.display());
    let list = |all: &Json| all["neighbors"].as_array().unwrap().clone();
    for (one, other) in list(&found).iter().zip(&list(&expected)) {
        assert_eq!(one, other, "{}", case.display());
    }
    assert_eq!(found, expected, "{}", case.display());
}

#[test]
fn what_the_daemons_print_is_understood() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    assert!(check(&place, variable("UPDATE_CASES").is_some()) >= 13 + 9 * VENDORS.len());
}

/// What the cases of the same name have in common, whoever the vendor is.
#[test]
fn the_vendors_tell_the_same() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for platform in VENDORS {
        let read = |case: &str| {
            let folder = place.join(platform.name()).join(case);
            parse_vendor(platform, &parts(&folder))
                .unwrap_or_else(|why| panic!("{}: {why}", folder.display()))
        };
        let name = platform.name();
        let ip = |text: &str| text.parse().unwrap();
        let steady = read("steady");
        let one = steady.get("default", ip("192.0.2.1")).unwrap();
        assert_eq!(
            (one.remote_as, one.local_as, one.uptime()),
            (Some(64_501), Some(64_500), Some(93_600)),
            "{name}"
        );
        assert_eq!(one.prefixes.get(&Family::Ipv4).unwrap().accepted, Some(9), "{name}");
        assert_eq!((steady.neighbors.len(), steady.left_out.len()), (2, 0), "{name}");

        let down = read("down");
        assert_eq!((down.neighbors.len(), down.left_out.len()), (4, 0), "{name}");
        let active = down.get("default", ip("192.0.2.1")).unwrap();
        assert!(active.state == State::Active && active.enabled && active.uptime().is_none(), "{name}");
        // The summaries of NX-OS do not say why.
        if !matches!(platform, Platform::Nxos | Platform::NxosSsh) {
            let why = active.last_error.as_deref().unwrap_or_default().to_lowercase().replace('-', " ");
            assert!(why.contains("hold"), "{name}: {why}");
        }

        let shut = read("shut");
        let one = shut.get("default", ip("192.0.2.2")).unwrap();
        assert!(!one.enabled && !one.is_up() && !one.over_limit, "{name}");
        assert!(shut.get("default", ip("192.0.2.1")).unwrap().enabled, "{name}");

        let limit = read("limit");
        let one = limit.get("default", ip("192.0.2.2")).unwrap();
        assert!(one.over_limit && one.enabled && !one.is_up(), "{name}");
        assert!(!limit.get("default", ip("192.0.2.1")).unwrap().over_limit, "{name}");

        let vrfs = read("vrfs");
        let place: Vec<_> = vrfs
            .neighbors
            .iter()
            .map(|one| (one.vrf.as_str(), one.address.to_string(), one.remote_as))
            .collect();
        let expected = [
            ("blue", "192.0.2.1", 64_511),
            ("blue", "192.0.2.5", 64_512),
            ("default", "192.0.2.1", 64_501),
            ("green-2", "2001:db8:5::1", 64_513),
        ];
        assert_eq!(place, expected.map(|(vrf, address, asn)| (vrf, address.to_owned(), Some(asn))), "{name}");

        let six = read("ipv6");
        assert_eq!((six.neighbors.len(), six.left_out.len()), (4, 0), "{name}: {:?}", six.left_out);
        assert!(six.get("default", ip("fe80::1")).unwrap().prefixes.contains_key(&Family::Ipv6), "{name}");
        assert_eq!(six.get("default", ip("192.0.2.1")).unwrap().prefixes.len(), 2, "{name}");

        let four = read("four_octets");
        let numbers: Vec<_> = four.neighbors.iter().map(|one| one.remote_as).collect();
        assert_eq!(numbers, [Some(4_200_000_001), Some(4_259_840_010), Some(4_294_967_294)], "{name}");

        assert_eq!(read("no_bgp"), Neighbors::default(), "{name}");
        let broken = read("broken");
        assert!(broken.get("default", ip("192.0.2.1")).is_some_and(pm_router::Neighbor::is_up), "{name}");
        assert!(broken.get("default", ip("2001:db8::1")).is_some(), "{name}");
        assert_eq!(broken.neighbors.len(), 2, "{name}: {:?}", broken.neighbors);
        let named = |part: &str| broken.left_out.iter().any(|why| why.contains(part));
        assert!(named("192.0.2.300") && named("192.0.2.3"), "{name}: {:?}", broken.left_out);
    }
}

#[test]
fn further_cases() {
    match variable("EXTRA_CASES") {
        // It may well hold cases of other kinds only.
        Some(place) => println!("{} further cases", check(&place, false)),
        None => println!("skipped: EXTRA_CASES not set"),
    }
}

/// Every beginning of an answer is an error or a list, never a panic; so is one with octets missing in the middle.
#[test]
fn cut_answers_do_no_harm() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for platform in DaemonKind::ALL {
        for case in folders(&place.join(platform.name())) {
            let whole = parts(&case);
            for (name, text) in &whole {
                for at in (0..text.len()).step_by(97).filter(|&at| text.is_char_boundary(at)) {
                    let mut cut = whole.clone();
                    cut.insert(name.clone(), text[..at].to_owned());
                    let _ = parse(platform, &cut);
                    let after = (at + 31).min(text.len());
                    if text.is_char_boundary(after) {
                        cut.insert(name.clone(), format!("{}{}", &text[..at], &text[after..]));
                        let _ = parse(platform, &cut);
                    }
                }
            }
        }
    }
}

proptest::proptest! {
    /// Nothing that a router could say does harm.
    #[test]
    fn any_text_does_no_harm(text in "(?s).{0,400}", line in "[A-Za-z0-9 :.,\"{}/%-]{0,200}") {
        for platform in DaemonKind::ALL {
            for text in [&text, &line] {
                let names = ["neighbors", "status", "protocols", "clock", "received", "accepted", "advertised"];
                let parts = names.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
                let _ = parse(platform, &parts);
            }
        }
        let mut parts = BTreeMap::new();
        parts.insert("status".to_owned(), "Current server time is 2026-11-23 22:12:09.933\n".to_owned());
        parts.insert("protocols".to_owned(), format!("Name Proto\nx BGP {line}\n  BGP state: {line}\n    {line}\n"));
        let _ = parse(DaemonKind::Bird, &parts);
    }

    /// What follows the word for a secret never shows, and masking twice is masking once.
    #[test]
    fn secrets_are_masked(before in "[a-z ]{0,20}", secret in "[!-:<-|~]{8,30}", quoted in proptest::bool::ANY) {
        proptest::prop_assume!(!secret.contains('"') && !secret.contains('\\') && !secret.ends_with([',', '}']));
        let word = if quoted { format!("\"{secret}\"") } else { secret.clone() };
        let masked = pm_router::mask_line(&format!("{before} password {word};"));
        proptest::prop_assert!(!masked.contains(&secret), "{masked}");
        proptest::prop_assert_eq!(pm_router::mask_line(&masked), masked);
    }

    /// So is one with white space and quotes in it, wherever it stands; capitals are the secret's alone.
    #[test]
    fn secrets_of_several_words_are_masked(
        before in "[a-z ]{0,20}",
        wild in "[a-z \"'\\\\]{0,20}",
        secret in "[A-Z]([A-Z \"']{0,20}[A-Z])?",
    ) {
        let plain = secret.replace(['"', '\''], "");
        for line in [
            format!("{before} neighbor x password {secret}"),
            format!("{before} neighbor x password 7 {secret}  "),
            format!("\"{before} neighbor x password {plain}\" y"),
            format!("{before} password \"{}\"; x", secret.replace('"', "")),
            format!("{before} password '{}'; x", secret.replace('\'', "")),
            format!("{before} password = '{}'", secret.replace('\'', "")),
            format!("{{\"{before}\":\"{before}\",\"password\":\"{plain}\"}}"),
            format!("{wild} neighbor x password {}", secret.replace(' ', "")),
            format!("{wild} password {} x", plain.replace(' ', "")),
            format!("{wild} password \"{plain}\" x"),
        ] {
            let masked = pm_router::mask_line(&line);
            proptest::prop_assert!(!masked.contains(|c: char| c.is_ascii_uppercase()), "{} {}", line, masked);
            proptest::prop_assert_eq!(pm_router::mask_line(&masked), masked);
        }
    }
}
