//! Files with secrets in them: there as a whole or not at all, and readable by their owner only.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Replaces a file: readers see the old one or the new one, and nobody but its owner sees either. A new file belongs to
/// whoever owned the old one. Symbolic links are followed; what is no regular file, such as a terminal, is written to.
///
/// # Errors
/// Those of the operating system. A regular file is then as it was.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(old) if old.is_dir() => Err(Error::new(ErrorKind::IsADirectory, "it is a directory")),
        Ok(old) if !old.is_file() => OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes()),
        Ok(old) => put(&std::fs::canonicalize(path)?, text, Some(&old)),
        Err(error) if error.kind() == ErrorKind::NotFound => put(path, text, None),
        Err(error) => Err(error),
    }
}

fn put(path: &Path, text: &str, old: Option<&Metadata>) -> Result<()> {
    let whole = Whole::write(path, text, old)?;
    std::fs::rename(&whole.0, path)?;
    synchronise(path)
}

/// Makes a file that is not there yet; one that somebody else made meanwhile is left alone. It belongs to whoever owns
/// `like`.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`], and those of the operating system.
pub fn create(path: &Path, text: &str, like: &Path) -> Result<()> {
    let owner = std::fs::metadata(like).ok();
    let whole = Whole::write(path, text, owner.as_ref())?;
    // A link appears whole or not at all, and never in place of another file.
    std::fs::hard_link(&whole.0, path)?;
    synchronise(path)
}

/// A file beside the one that it becomes. It goes when this does.
struct Whole(PathBuf);

impl Whole {
    fn write(path: &Path, text: &str, owner: Option<&Metadata>) -> Result<Self> {
        let name =
            path.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "it is no file name"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", uuid::Uuid::new_v4().simple()));
        let whole = Self(path.with_file_name(hidden));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&whole.0)?;
        let own = file.metadata()?;
        if let Some(owner) = owner
            && (owner.uid(), owner.gid()) != (own.uid(), own.gid())
        {
            // Only the administrator may give files away; anybody else keeps what is his own.
            let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(whole)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Has the name of a file last, too.
fn synchronise(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_replaced_as_a_whole_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((std::fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("new", 0o600));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
        assert!(replace(folder.path(), "").is_err());
    }

    #[test]
    fn what_is_no_file_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let null = folder.path().join("null");
        symlink("/dev/null", &null).unwrap();
        replace(&null, "text").unwrap();
        assert!(!std::fs::metadata(&null).unwrap().is_file());
    }

    #[test]
    fn a_file_that_is_there_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        create(&file, "one", folder.path()).unwrap();
        assert_eq!(create(&file, "other", folder.path()).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!((std::fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("one", 0o600));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
