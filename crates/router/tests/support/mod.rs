//! Folders of cases: a folder per case, a file per answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[expect(clippy::disallowed_methods, reason = "tests are steered by the environment")]
pub fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// The folders in a folder, by name; none where it is not there.
pub fn folders(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

/// The answers of a case by name; what is expected of them is none.
pub fn parts(case: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file() && !path.file_stem().unwrap().to_string_lossy().starts_with("expected"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        })
        .collect()
}
