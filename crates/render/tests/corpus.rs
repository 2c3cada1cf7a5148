//! The corpus of what the original renders: same bytes, or an error of the same class, message and place.
//!
//! Runs over `$EXTRA_CASES/render` (`world/`, `cases/<name>/`), if that is set.

use crate::recorded;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use pm_render::World;
use serde_json::Value as Json;

/// Where this program is meant to differ: case and reason.
const DIFFERENT: &[(&str, &str)] = &[(
    "err_communities_field",
    "the field of communities is given, as version 1.11 does and all manuals said",
)];

fn read_world(folder: &Path) -> World {
    let mut lists = HashMap::new();
    let mut columns = Json::Null;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let json: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if name.starts_with('_') {
            columns = json;
        } else {
            lists.insert(name, json);
        }
    }
    pm_render::original::world(&lists, &columns)
}

#[test]
fn renders_what_the_original_renders() {
    let Some(root) = recorded::extra_cases() else { return };
    let world = Arc::new(read_world(&root.join("world")));
    let (count, failed) =
        recorded::differences(&root, DIFFERENT, |flags, text| recorded::render(&world, flags, text, &|_| {}));
    println!("{} of {count} cases equal or meant to differ", count - failed.len());
    assert!(failed.is_empty(), "{} cases differ:\n{}", failed.len(), failed.join("\n"));
}
