//! Configurations as files, for those who bring them to the routers by other means: in a directory, or in a git repository.
//!
//! Load → difference → commit, as with a router; there is nothing to confirm, and there are no neighbours.

mod git;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::{Capabilities, ConfigText, Diff, How};
pub use git::Git;

/// Why a file could not be written, committed or pushed. Texts hold no credential of a URL and no configuration.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The name leads out of the directory.
    #[error("{name:?} is no name for a file in {}: it must be relative, without .. and not in .git", .directory.display())]
    Name {
        /// The directory.
        directory: PathBuf,
        /// The name.
        name: String,
    },
    /// The directory or the file cannot be used.
    #[error("{}: {message}", .path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The file is another one than the difference was made against. Nothing was written.
    #[error("{} changed since the difference was made; look at it again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// `git` failed.
    #[error("{}: git {step} failed: {message}", .directory.display())]
    Git {
        /// The repository.
        directory: PathBuf,
        /// `add`, `commit`, …
        step: &'static str,
        /// What git says.
        message: String,
    },
    /// It is committed here, and the remote did not take it. The next commit, of whatever file, pushes it too.
    #[error("{}: committed, but not pushed to {remote}: {message}", .directory.display())]
    Push {
        /// The repository.
        directory: PathBuf,
        /// The remote's name, or its URL without credentials.
        remote: String,
        /// What git says.
        message: String,
    },
    /// Somebody else works in the repository for too long.
    #[error("{}: another process works in this repository for more than {} s", .directory.display(), .limit.as_secs())]
    Busy {
        /// The repository.
        directory: PathBuf,
        /// How long was waited.
        limit: Duration,
    },
}

/// A directory that holds configurations.
#[derive(Clone, Debug)]
pub struct FileTarget {
    directory: PathBuf,
    git: Option<Git>,
}

/// What came of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Whether the file is another one than before.
    pub changed: bool,
    /// The commit that was made, in a git repository.
    pub commit: Option<String>,
    /// Whether the remote took something.
    pub pushed: bool,
}

impl FileTarget {
    /// A directory that exists.
    pub fn directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), git: None }
    }

    /// The working tree of a git repository, or a directory in it.
    pub fn git(directory: impl Into<PathBuf>, git: Git) -> Self {
        Self { directory: directory.into(), git: Some(git) }
    }

    /// A file is replaced as a whole. Nobody undoes anything, and there are no neighbours to be read.
    pub fn capabilities() -> Capabilities {
        Capabilities {
            loads: &[How::Replace],
            atomic: true,
            undo: None,
            timer_step: 1,
            resets_sessions: false,
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, FileError> {
        let path = Path::new(name);
        let mut parts = path.components().peekable();
        let is_file = parts.peek().is_some() && !name.ends_with('/');
        let is_inside =
            parts.all(|part| matches!(part, Component::Normal(part) if !part.eq_ignore_ascii_case(".git")));
        if is_file && is_inside && !name.contains('\0') {
            Ok(self.directory.join(path))
        } else {
            Err(FileError::Name { directory: self.directory.clone(), name: name.to_owned() })
        }
    }

    /// What is there under a name; `None` if nothing is.
    pub fn read(&self, name: &str) -> Result<Option<ConfigText>, FileError> {
        let path = self.path(name)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(ConfigText::new(text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.directory.is_dir() => Ok(None),
            Err(error) => Err(FileError::File { path, message: error.to_string() }),
        }
    }

    /// Compares a configuration with what is there. Nothing is written.
    pub fn load(&self, name: &str, text: &ConfigText) -> Result<FileCandidate<'_>, FileError> {
        let path = self.path(name)?;
        let old = self.read(name)?;
        let diff = Diff::between(old.as_ref().map_or("", ConfigText::expose), text.expose());
        Ok(FileCandidate { target: self, name: name.to_owned(), path, old, new: text.clone(), diff })
    }
}

/// A configuration that is not written yet.
#[derive(Debug)]
pub struct FileCandidate<'a> {
    target: &'a FileTarget,
    name: String,
    path: PathBuf,
    old: Option<ConfigText>,
    new: ConfigText,
    diff: Diff,
}

impl FileCandidate<'_> {
    /// What would change.
    pub fn diff(&self) -> &Diff {
        &self.diff
    }

    /// Writes the file, readable by its owner only, and replaces what was there as a whole. In a git repository it is committed
    /// with the message, alone, and pushed if there is a remote. What is as it was is neither written nor committed.
    pub async fn commit(self, message: &str) -> Result<Written, FileError> {
        let Some(git) = &self.target.git else {
            return Ok(Written { changed: self.write()?, ..Written::default() });
        };
        let directory = &self.target.directory;
        // Index and branch are shared by all files of the repository.
        let _lock = git.lock(directory).await?;
        let changed = self.write()?;
        let commit = git.commit(directory, &self.name, message).await?;
        let pushed = git.push(directory).await?;
        Ok(Written { changed, commit, pushed })
    }

    fn write(&self) -> Result<bool, FileError> {
        if self.target.read(&self.name)? != self.old {
            return Err(FileError::Changed { path: self.path.clone() });
        }
        if self.old.as_ref() == Some(&self.new) {
            return Ok(false);
        }
        replace(&self.path, self.new.expose())
            .map_err(|error| FileError::File { path: self.path.clone(), message: error.to_string() })?;
        Ok(true)
    }
}

/// Writes beside the file and puts it in its place, so that nobody ever reads a half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    std::fs::create_dir_all(directory)?;
    let beside = directory.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        std::fs::File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}
