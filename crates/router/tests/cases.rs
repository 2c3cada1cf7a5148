//! What the daemons print, and what is read from it: a folder per case, `cases/<platform>/<case>/`, with a part per file and
//! the neighbours in `expected.json`. `UPDATE_CASES=1` writes that file; then look at the difference.

#![expect(clippy::unwrap_used, reason = "for tests")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use pm_router::{DaemonKind, Neighbors, parse};
use support::{folders, parts, variable};

fn check(place: &Path, update: bool) -> usize {
    let mut count = 0;
    for platform in DaemonKind::ALL {
        for case in folders(&place.join(platform.name())) {
            let found =
                parse(platform, &parts(&case)).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
            let expected = case.join("expected.json");
            if update {
                std::fs::write(&expected, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
            }
            let expected: Neighbors =
                serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
            assert_eq!(found.left_out, expected.left_out, "{}", case.display());
            for (one, other) in found.neighbors.iter().zip(&expected.neighbors) {
                assert_eq!(one, other, "{}", case.display());
            }
            assert_eq!(found.neighbors.len(), expected.neighbors.len(), "{}", case.display());
            count += 1;
        }
    }
    count
}

#[test]
fn what_the_daemons_print_is_understood() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    assert!(check(&place, variable("UPDATE_CASES").is_some()) >= 13);
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
}
