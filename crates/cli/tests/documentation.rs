//! The manual names every flag, fault and case that the program has, and its links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The page that explains the commands whose names begin so; the longest that fits counts.
const PAGES: &[(&str, &str)] = &[
    ("", "docs/command-line.md"),
    ("housekeeping", "docs/tasks/housekeeping.md"),
    ("peeringdb_sync", "docs/tasks/peeringdb_sync.md"),
    ("peeringdb export", "docs/peeringdb-cache.md"),
    ("peeringdb link", "docs/objects.md"),
    ("get_irr_data", "docs/tasks/get_irr_data.md"),
    ("grab_prefixes", "docs/tasks/get_irr_data.md"),
    ("poll_bgp_sessions", "docs/tasks/poll_bgp_sessions.md"),
    ("configure_routers", "docs/tasks/configure_routers.md"),
    ("deployments", "docs/tasks/configure_routers.md"),
    ("drift", "docs/tasks/configure_routers.md"),
    ("render_configuration", "docs/tasks/render_configuration.md"),
    ("template", "docs/templates.md"),
    ("email", "docs/templates.md"),
    ("export-template", "docs/templates.md"),
    ("irr", "docs/prefix-lists.md"),
    ("jobs", "docs/jobs.md"),
    ("worker", "docs/jobs.md"),
    ("run", "docs/scheduler.md"),
    ("scheduler", "docs/scheduler.md"),
    ("schedule", "docs/scheduler.md"),
    ("notifications", "docs/notifications.md"),
    ("server", "docs/monitoring.md"),
    ("install-units", "docs/automation.md"),
    ("as", "docs/objects.md"),
    ("ix", "docs/objects.md"),
    ("sessions", "docs/sessions.md"),
    ("sessions available", "docs/objects.md"),
    ("sessions create", "docs/objects.md"),
    ("sessions deleted", "docs/objects.md"),
    ("sessions forget", "docs/objects.md"),
    ("import_all_ix_sessions", "docs/sessions.md"),
    ("objects", "docs/objects.md"),
    ("secrets", "docs/objects.md"),
    ("import", "docs/import-export.md"),
    ("export", "docs/import-export.md"),
    ("import-original", "docs/moving-over.md"),
    ("router", "docs/routers.md"),
    ("migrate", "docs/database.md"),
    ("lab peeringdb", "docs/lab.md"),
    ("lab irrd", "docs/lab-irrd.md"),
    ("lab routers", "docs/lab-routers.md"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn help(command: &[String]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_peering-manager")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

fn long_flags(help: &str) -> BTreeSet<String> {
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

/// Every command of the program with its flags, as `--help` has them.
fn commands() -> BTreeMap<Vec<String>, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let help = help(&command);
        let below = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in below.take_while(|line| !line.is_empty()) {
            let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
            let Some(name) = name.and_then(|rest| rest.split_whitespace().next()) else { continue };
            if name != "help" {
                open.push([command.as_slice(), &[name.to_owned()]].concat());
            }
        }
        found.insert(command, long_flags(&help));
    }
    found
}

fn page_of(command: &str) -> &'static str {
    let fits = |name: &str| {
        name.is_empty()
            || command.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let pages = PAGES.iter().filter(|(name, _)| fits(name));
    pages.max_by_key(|(name, _)| name.len()).map(|(_, page)| *page).unwrap()
}

/// The parts of a page that speak of a command: those between two headings that name it, with what lies below them; the
/// whole page if its title does.
fn parts_about<'a>(page: &'a str, command: &str) -> Vec<&'a str> {
    let mut starts: Vec<usize> = page.match_indices("\n#").map(|(place, _)| place + 1).collect();
    starts.insert(0, 0);
    let level = |start: usize| page[start..].chars().take_while(|letter| *letter == '#').count();
    let mut parts = Vec::new();
    for (place, start) in starts.iter().copied().enumerate() {
        let own_end = starts.get(place + 1).copied().unwrap_or(page.len());
        let below = starts[place + 1..].iter().copied().find(|next| level(*next) <= level(start));
        let heading = page[start..].lines().next().unwrap_or_default();
        // A heading speaks for all below it; a text for itself.
        if names(heading, command) {
            parts.push(&page[start..below.unwrap_or(page.len())]);
        } else if names(&page[start..own_end], command) {
            parts.push(&page[start..own_end]);
        }
    }
    parts
}

/// Whether a text names a command: `sessions list`, or `list` in a row with others of `sessions`.
fn names(text: &str, command: &str) -> bool {
    let (group, last) = command.rsplit_once(' ').unwrap_or(("", command));
    let whole = |name: &str| {
        text.match_indices(name).any(|(place, _)| {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
            !text[..place].ends_with(is_part) && !text[place + name.len()..].starts_with(is_part)
        })
    };
    whole(command) || (!group.is_empty() && whole(group) && text.contains(&format!("`{last}")))
}

#[test]
fn every_flag_is_explained() {
    let commands = commands();
    assert!(commands.len() > 80, "{:?}", commands.keys());
    let shared = &commands[&Vec::new()];
    assert!(shared.contains("--log-format"), "{shared:?}");
    let mut lacking = Vec::new();
    for (command, flags) in &commands {
        let command = command.join(" ");
        let page = page_of(&command);
        let text = read(&root().join(page));
        let parts = if command.is_empty() { vec![text.as_str()] } else { parts_about(&text, &command) };
        let own = flags.iter().filter(|flag| command.is_empty() || !shared.contains(*flag));
        let unsaid = own.filter(|flag| !parts.iter().any(|part| part.contains(&format!("`{flag}"))));
        lacking.extend(
            unsaid.map(|flag| format!("{page} does not explain {flag} where it speaks of {command:?}")),
        );
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

/// Every command stands in the table of commands.
#[test]
fn every_command_is_listed() {
    let text = read(&root().join("docs/command-line.md"));
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split(" | ").next())
        .collect();
    let commands = commands();
    let is_group = |command: &[String]| {
        commands.keys().any(|other| other.len() > command.len() && other.starts_with(command))
    };
    for command in commands.keys().filter(|command| !command.is_empty() && !is_group(command)) {
        let command = command.join(" ");
        assert!(
            rows.iter().any(|row| names(row, &command)),
            "docs/command-line.md does not list {command:?}"
        );
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
