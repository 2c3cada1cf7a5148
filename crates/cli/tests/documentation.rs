//! The manual names every flag, fault and case that the program has, and its links lead somewhere.

#![expect(clippy::unwrap_used, reason = "the lint exempts test functions, not what they share")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commands with flags of their own, and the page that explains each.
const PAGES: &[(&[&str], &str)] = &[
    (&[], "docs/command-line.md"),
    (&["housekeeping"], "docs/tasks/housekeeping.md"),
    (&["peeringdb_sync"], "docs/tasks/peeringdb_sync.md"),
    (&["get_irr_data"], "docs/tasks/get_irr_data.md"),
    (&["grab_prefixes"], "docs/tasks/get_irr_data.md"),
    (&["configure_routers"], "docs/tasks/configure_routers.md"),
    (&["deployments", "list"], "docs/tasks/configure_routers.md"),
    (&["deployments", "show"], "docs/tasks/configure_routers.md"),
    (&["deployments", "freeze"], "docs/tasks/configure_routers.md"),
    (&["drift"], "docs/tasks/configure_routers.md"),
    (&["render_configuration"], "docs/tasks/render_configuration.md"),
    (&["template", "check"], "docs/templates.md"),
    (&["email", "render"], "docs/templates.md"),
    (&["irr", "show"], "docs/prefix-lists.md"),
    (&["irr", "diff"], "docs/prefix-lists.md"),
    (&["irr", "accept"], "docs/prefix-lists.md"),
    (&["jobs", "list"], "docs/jobs.md"),
    (&["jobs", "cancel"], "docs/jobs.md"),
    (&["worker"], "docs/jobs.md"),
    (&["as", "set"], "docs/objects.md"),
    (&["ix", "import-from-peeringdb"], "docs/objects.md"),
    (&["sessions", "list"], "docs/sessions.md"),
    (&["sessions", "show"], "docs/sessions.md"),
    (&["sessions", "unknown"], "docs/sessions.md"),
    (&["sessions", "import"], "docs/sessions.md"),
    (&["import_all_ix_sessions"], "docs/sessions.md"),
    (&["sessions", "available"], "docs/objects.md"),
    (&["sessions", "create"], "docs/objects.md"),
    (&["sessions", "deleted"], "docs/objects.md"),
    (&["sessions", "forget"], "docs/objects.md"),
    (&["objects", "list"], "docs/objects.md"),
    (&["objects", "set"], "docs/objects.md"),
    (&["objects", "delete"], "docs/objects.md"),
    (&["secrets", "rotate"], "docs/objects.md"),
    (&["import"], "docs/import-export.md"),
    (&["export"], "docs/import-export.md"),
    (&["import-original"], "docs/moving-over.md"),
    (&["router", "neighbors"], "docs/routers.md"),
    (&["router", "diff"], "docs/routers.md"),
    (&["migrate"], "docs/database.md"),
    (&["lab", "peeringdb"], "docs/lab.md"),
    (&["lab", "irrd"], "docs/lab-irrd.md"),
    (&["lab", "routers"], "docs/lab-routers.md"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn long_flags(command: &[&str]) -> BTreeSet<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_peering-manager")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?} --help");
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.split_once(", ").filter(|(short, _)| short.len() == 2).map_or(line, |(_, rest)| rest);
        let flag = line
            .strip_prefix("--")?
            .split(|letter: char| !letter.is_ascii_lowercase() && letter != '-')
            .next()?;
        Some(format!("--{flag}"))
    });
    flags.collect()
}

#[test]
fn every_flag_is_explained() {
    let shared = long_flags(&[]);
    assert!(shared.contains("--log-format"), "{shared:?}");
    for (command, page) in PAGES {
        let text = read(&root().join(page));
        for flag in long_flags(command) {
            let elsewhere = !command.is_empty() && shared.contains(&flag);
            assert!(
                elsewhere || text.contains(&format!("`{flag}")),
                "{page} does not explain {flag} of {command:?}"
            );
        }
    }
}

#[test]
#[cfg(feature = "lab")]
fn every_fault_and_case_of_the_lab_is_named() {
    let text = read(&root().join("docs/lab.md"));
    let faults = pm_lab::peeringdb::FaultKind::ALL.iter().map(|kind| kind.as_str());
    let cases = pm_lab::peeringdb::awkward::CASES.iter().map(|case| case.name);
    for name in faults.chain(cases) {
        assert!(text.contains(&format!("`{name}`")), "docs/lab.md does not name {name}");
    }
    let text = read(&root().join("docs/lab-irrd.md"));
    for kind in pm_lab::irrd::FaultKind::ALL {
        assert!(text.contains(&format!("`{kind}`")), "docs/lab-irrd.md does not name {kind}");
    }
}

/// What the README promises to whoever has just cloned it.
#[test]
fn the_readme_names_two_commands_that_make_has() {
    let (readme, makefile) = (read(&root().join("README.md")), read(&root().join("Makefile")));
    let targets: BTreeSet<&str> = readme
        .split("make ")
        .skip(1)
        .filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_lowercase()).next())
        .collect();
    assert_eq!(targets, BTreeSet::from(["demo", "test"]));
    for target in targets {
        let defined = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
        assert!(defined, "the Makefile has no target {target}");
    }
}

fn pages_below(directory: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages_below(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// Targets of the Markdown links in `text` that are neither an address nor a place in the same page.
fn relative_links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        let target = target.split_once('#').map_or(target, |(path, _)| path);
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

#[test]
fn every_link_leads_somewhere() {
    let root = root();
    let mut pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .map(|page| root.join(page))
        .to_vec();
    pages_below(&root.join("docs"), &mut pages);
    for page in pages {
        let text = read(&page);
        for target in relative_links(&text) {
            let path = page.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {target} does not exist", page.display());
        }
    }
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let docs = root().join("docs");
    let summary = read(&docs.join("SUMMARY.md"));
    let listed: BTreeSet<PathBuf> = relative_links(&summary).map(PathBuf::from).collect();
    let mut pages = Vec::new();
    pages_below(&docs, &mut pages);
    for page in pages {
        let page = page.strip_prefix(&docs).unwrap().to_path_buf();
        assert!(
            page == Path::new("SUMMARY.md") || listed.contains(&page),
            "{} is not in SUMMARY.md",
            page.display()
        );
    }
}
