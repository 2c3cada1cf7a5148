//! Recorded answers of Junos and IOS-XR, and what NAPALM makes of them: `$EXTRA_CASES/napalm/<platform>/<getter>__<case>/`.

#![expect(clippy::unwrap_used, reason = "for tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pm_router::{Platform, parse_napalm, parse_napalm_strictly};
use serde_json::Value as Json;

#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
fn extra_cases() -> Option<PathBuf> {
    std::env::var_os("EXTRA_CASES").map(|place| PathBuf::from(place).join("napalm"))
}

fn folders(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

fn parts(case: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.filter(|path| path.extension().is_some_and(|end| end == "txt" || end == "xml"));
    texts
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// Where two values differ first.
fn difference(found: &Json, expected: &Json, path: &str) -> Option<String> {
    match (found, expected) {
        (Json::Object(one), Json::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().find_map(|key| {
                let null = Json::Null;
                let (one, other) = (one.get(key).unwrap_or(&null), other.get(key).unwrap_or(&null));
                difference(one, other, &format!("{path}/{key}"))
            })
        }
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => one
            .iter()
            .zip(other)
            .enumerate()
            .find_map(|(at, (one, other))| difference(one, other, &format!("{path}/{at}"))),
        _ if found == expected => None,
        _ => Some(format!("{path}: {:.200} instead of {:.200}", found.to_string(), expected.to_string())),
    }
}

#[test]
fn recorded_answers_come_to_what_napalm_makes_of_them() {
    let Some(place) = extra_cases() else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for platform in [Platform::Junos, Platform::IosxrNetconf, Platform::Iosxr] {
        for case in folders(&place.join(platform.name())) {
            let Ok(expected) = std::fs::read_to_string(case.join("expected_result.json")) else { continue };
            let expected: Json = serde_json::from_str(&expected).unwrap();
            let name = case.file_name().unwrap().to_str().unwrap().to_owned();
            let getter = name.split("__").next().unwrap();
            let parts = parts(&case);
            let mut found =
                parse_napalm(platform, getter, &parts).unwrap_or_else(|error| panic!("{name}: {error}"));
            if platform == Platform::Junos && found != expected {
                // Some of NAPALM's own cases were recorded without the step that takes namespaces away.
                let strictly = parse_napalm_strictly(getter, &parts).unwrap();
                if strictly == expected {
                    found = strictly;
                }
            }
            if let Some(place) = difference(&found, &expected, "") {
                wrong.push(format!("{}/{name}: {place}", platform.name()));
            }
            count += 1;
        }
    }
    if count == 0 {
        println!("skipped: no recorded answers in {}", place.display());
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
