//! What NAPALM's getters give for recorded answers of Arista and Cisco devices: a folder per case,
//! `$EXTRA_CASES/napalm/<platform>/<getter>__<case>/`, with an answer per file and `expected_result.json`.

#![expect(clippy::unwrap_used, reason = "for tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pm_router::{Platform, parse_napalm};
use serde_json::Value;

const PLATFORMS: [Platform; 4] = [Platform::Eos, Platform::Nxos, Platform::NxosSsh, Platform::Ios];

#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
fn extra_cases() -> Option<PathBuf> {
    std::env::var_os("EXTRA_CASES").map(PathBuf::from)
}

fn folders(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

fn parts(case: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file() && !path.ends_with("expected_result.json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        })
        .collect()
}

/// The first place where two values differ.
fn difference(found: &Value, expected: &Value, place: &str) -> Option<String> {
    match (found, expected) {
        (Value::Object(one), Value::Object(other)) => {
            one.keys().chain(other.keys()).find_map(|key| match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => difference(one, other, &format!("{place}/{key}")),
                (Some(_), None) => Some(format!("{place}/{key} is too much")),
                _ => Some(format!("{place}/{key} is missing")),
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => one
            .iter()
            .zip(other)
            .enumerate()
            .find_map(|(at, (one, other))| difference(one, other, &format!("{place}/{at}"))),
        _ if found == expected => None,
        _ => Some(format!("{place}: {found:.200} and not {expected:.200}")),
    }
}

#[test]
fn recorded_cases_are_exact() {
    let Some(place) = extra_cases() else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let mut count = 0;
    let mut wrong = Vec::new();
    for platform in PLATFORMS {
        for case in folders(&place.join("napalm").join(platform.name())) {
            let Ok(expected) = std::fs::read_to_string(case.join("expected_result.json")) else { continue };
            let expected: Value = serde_json::from_str(&expected).unwrap();
            let name = case.file_name().unwrap().to_str().unwrap();
            let getter = name.split("__").next().unwrap();
            match parse_napalm(platform, getter, &parts(&case)) {
                Ok(found) => {
                    wrong.extend(difference(&found, &expected, &format!("{}/{name}", platform.name())))
                }
                Err(error) => wrong.push(format!("{}/{name}: {error}", platform.name())),
            }
            count += 1;
        }
    }
    println!("{count} recorded cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest::proptest! {
    /// Nothing that a router could say does harm.
    #[test]
    fn any_text_does_no_harm(text in "(?s).{0,300}", lines in "([A-Za-z0-9 :.,()%/-]{0,60}\n){0,8}") {
        let starts = ["", "BGP neighbor is 192.0.2.1, remote AS 1, x link\n", "For address family: IPv4 Unicast\nNeighbor V\n",
            "BGP summary information for VRF default, address family IPv4 Unicast\nNeighbor  V State/PfxRcd\n192.0.2.1 "];
        for platform in PLATFORMS {
            for getter in ["get_bgp_neighbors", "get_bgp_neighbors_detail", "other"] {
                for start in starts {
                    let names = ["show_ip_bgp_summary_vrf_all", "show_ip_bgp_neighbors_vrf_all", "show_bgp_all_summary_vrf_all",
                        "show_bgp_all_summary", "show_bgp_ipv4_unicast_neighbors", "show_ip_bgp_all_sum",
                        "show_ip_bgp_ipv4_unicast_neigh_192_0_2_1"];
                    for body in [&text, &lines] {
                        let parts = names.iter().map(|name| ((*name).to_owned(), format!("{start}{body}"))).collect();
                        let _ = parse_napalm(platform, getter, &parts);
                    }
                }
            }
        }
    }
}
