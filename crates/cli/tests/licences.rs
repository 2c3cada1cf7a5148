//! Everything that goes into the program on Linux has a licence that we may ship.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

/// What a package may be under; `deny.toml` has the same list.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn metadata(offline: bool) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform"]);
    command.arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
    if offline {
        command.arg("--offline");
    }
    command.output().unwrap()
}

/// The packages that Cargo resolves for Linux: what is shipped, and what builds and tests it.
fn packages() -> Vec<Json> {
    // Some package that is resolved and never built may not have been downloaded yet.
    let output = [true, false].map(metadata).into_iter().find(|output| output.status.success());
    let output = output
        .unwrap_or_else(|| panic!("cargo metadata: {}", String::from_utf8_lossy(&metadata(true).stderr)));
    let all: Json = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = all["resolve"]["nodes"].as_array().unwrap();
    let resolved = |package: &Json| nodes.iter().any(|node| node["id"] == package["id"]);
    all["packages"].as_array().unwrap().iter().filter(|package| resolved(package)).cloned().collect()
}

#[test]
fn every_package_has_an_allowed_licence() {
    let packages = packages();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let mut refused = Vec::new();
    for package in &packages {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let Some(text) = package["license"].as_str() else {
            refused.push(format!("{name} states no licence"));
            continue;
        };
        let expression = spdx::Expression::parse_mode(text, spdx::ParseMode::LAX);
        match expression {
            Ok(expression) if expression.evaluate(|one| ALLOWED.contains(&one.to_string().as_str())) => {}
            Ok(_) => refused.push(format!("{name} is under {text}")),
            Err(error) => refused.push(format!("{name} is under {text:?}, which cannot be read: {error}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn cargo_deny_allows_the_same() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deny.toml")).unwrap();
    let (_, list) = text.split_once("allow = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let listed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert_eq!(listed, ALLOWED);
}
