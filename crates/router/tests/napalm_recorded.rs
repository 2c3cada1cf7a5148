//! What NAPALM's getters give for recorded answers of vendors' routers: a folder per case,
//! `$EXTRA_CASES/napalm/<platform>/<getter>__<case>/`, with an answer per file and `expected_result.json`.

use crate::support::{folders, parts, variable};
use pm_router::{Platform, parse_napalm, parse_napalm_strictly};
use serde_json::Value as Json;

/// The first place where two values differ.
fn difference(found: &Json, expected: &Json, place: &str) -> Option<String> {
    match (found, expected) {
        (Json::Object(one), Json::Object(other)) => {
            one.keys().chain(other.keys()).find_map(|key| match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => difference(one, other, &format!("{place}/{key}")),
                (Some(_), None) => Some(format!("{place}/{key} is too much")),
                _ => Some(format!("{place}/{key} is missing")),
            })
        }
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => one
            .iter()
            .zip(other)
            .enumerate()
            .find_map(|(at, (one, other))| difference(one, other, &format!("{place}/{at}"))),
        _ if found == expected => None,
        _ => Some(format!("{place}: {:.200} instead of {:.200}", found.to_string(), expected.to_string())),
    }
}

#[test]
fn recorded_answers_come_to_what_napalm_makes_of_them() {
    let Some(place) = variable("EXTRA_CASES").map(|place| place.join("napalm")) else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let mut wrong = Vec::new();
    let mut all = 0;
    // IOS-XR's agent, and those that have a driver of our own (`recorded_transports.rs`).
    let platforms = [
        Platform::Junos,
        Platform::IosxrNetconf,
        Platform::Iosxr,
        Platform::Eos,
        Platform::Nxos,
        Platform::NxosSsh,
        Platform::Ios,
    ];
    for platform in platforms {
        let mut count = 0;
        for case in folders(&place.join(platform.name())) {
            let Ok(expected) = std::fs::read_to_string(case.join("expected_result.json")) else { continue };
            let expected: Json = serde_json::from_str(&expected).unwrap();
            let name = case.file_name().unwrap().to_str().unwrap();
            let getter = name.split("__").next().unwrap();
            let parts = parts(&case);
            let mut found = parse_napalm(platform, getter, &parts);
            // Some of NAPALM's own cases were recorded without the step that takes namespaces away.
            if platform == Platform::Junos && found.as_ref() != Ok(&expected) {
                let strictly = parse_napalm_strictly(getter, &parts);
                if strictly.as_ref() == Ok(&expected) {
                    found = strictly;
                }
            }
            let place = format!("{}/{name}", platform.name());
            match found {
                Ok(found) => wrong.extend(difference(&found, &expected, &place)),
                Err(error) => wrong.push(format!("{place}: {error}")),
            }
            count += 1;
        }
        assert!(count > 0, "no recorded answers in {}", place.join(platform.name()).display());
        all += count;
    }
    println!("{all} recorded cases");
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}
