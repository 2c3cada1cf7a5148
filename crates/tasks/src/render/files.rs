//! Where renderings go: files that are there as a whole or not at all, and are readable by their owner only.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Replaces a file: readers see the old one or the new one, and nobody but its owner sees either.
///
/// # Errors
/// A sentence that names the file.
pub fn replace(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    let name = path.file_name().ok_or_else(|| format!("{} is no file name", path.display()))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let temporary = path.with_file_name(hidden);
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        failed(error)
    })
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
