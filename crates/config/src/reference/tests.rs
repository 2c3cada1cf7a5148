use std::fs;
use std::path::Path;

use super::*;
use crate::Sources;
use crate::fixture::Fixture;

const BEGIN: &str = "<!-- settings: begin, written by `UPDATE_DOCS=1 cargo test -p pm-config` -->\n";
const END: &str = "<!-- settings: end -->\n";

#[test]
fn the_commented_file_holds_the_defaults() {
    let commented = Fixture::new().file(&init_text()).loaded();
    assert!(commented.origins.is_empty());

    let live: String = init_text()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let live = Fixture::new().file(&live).loaded();
    assert_eq!(live.warnings, Vec::<String>::new());
    let defaults = Config::default();
    for key in KEYS.iter().filter(|key| key.class == Class::Used && key.deprecated.is_none()) {
        assert!(live.origins.contains_key(key.name), "{} is missing", key.name);
        assert_eq!((key.shown)(&live.config), (key.shown)(&defaults), "{}", key.name);
    }
}

#[test]
fn every_key_is_documented_with_its_unit_where_it_has_one() {
    for key in KEYS {
        let documentation = key.documentation();
        assert!(documentation.ends_with('.'), "{}: {documentation}", key.name);
        if key.name.ends_with("_timeout") || key.name.ends_with("_lease") {
            assert!(documentation.starts_with("Seconds "), "{}: {documentation}", key.name);
        }
        if key.name.ends_with("_retention") || key.name.ends_with("_days") {
            assert!(documentation.starts_with("Days "), "{}: {documentation}", key.name);
        }
    }
}

#[test]
fn the_manual_lists_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the begin marker is in the page");
    let (_, after) = rest.split_once(END).expect("the end marker is in the page");
    let current = format!("{before}{BEGIN}\n{}\n{END}{after}", reference_markdown());
    if Sources::from_process(None).environment.contains_key("UPDATE_DOCS") {
        fs::write(&path, current).unwrap();
    } else {
        assert!(
            page == current,
            "run `UPDATE_DOCS=1 cargo test -p pm-config` and commit docs/configuration.md"
        );
    }
}
