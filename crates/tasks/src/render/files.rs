//! Where renderings go: files that are there as a whole or not at all, and are readable by their owner only.

use std::path::{Path, PathBuf};

use crate::private_file;

/// Replaces a file, as [`private_file::replace`] does.
///
/// # Errors
/// A sentence that names the file.
pub fn replace(path: &Path, text: &str) -> Result<(), String> {
    private_file::replace(path, text)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// What a file holds; `None` if there is none.
///
/// # Errors
/// A sentence that names the file.
pub fn held(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read(path) {
        Ok(octets) => Ok(Some(String::from_utf8_lossy(&octets).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// The file of a router: `output` itself, or one in the folder `output` that is called after the router.
pub fn file_of(output: &Path, folder: bool, router: &str) -> PathBuf {
    if !folder {
        return output.to_owned();
    }
    let harmless = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    let name: String = router.chars().map(harmless).collect();
    output.join(format!("{name}.conf"))
}

/// Whether `output` is a folder: it is one, it is written as one, or there are several files.
pub fn is_folder(output: &Path, files: usize) -> bool {
    files > 1 || output.is_dir() || output.as_os_str().to_string_lossy().ends_with('/')
}

/// The difference in the form of `diff -u`; empty if there is none.
pub fn difference(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let diff = similar::TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).header(name, "rendered").to_string()
}
