//! Where settings come from: the one place that looks at the process's environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::ConfigError;
use crate::address::SecretUrl;

/// Names the configuration file, for services that cannot be given `--config`.
const FILE_VARIABLE: &str = "PEERING_MANAGER_CONFIG";

/// Everything that [`crate::load`] reads from.
#[derive(Clone)]
pub struct Sources {
    /// The file named with `--config`.
    pub file: Option<PathBuf>,
    /// The environment; other programs' variables are left alone.
    pub environment: BTreeMap<String, String>,
    /// Where `peering-manager.toml` is looked for, and where relative paths from the environment start.
    pub directory: PathBuf,
    /// The file used when none is named: `/etc/peering-manager/config.toml`.
    pub system_file: PathBuf,
    /// Where the database goes if this directory exists: `/var/lib/peering-manager`.
    pub state_directory: PathBuf,
}

impl Sources {
    /// The sources of this process: its environment, its directory and the usual paths.
    ///
    /// Bytes in a variable that are not UTF-8 are replaced, since no setting has a use for them.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process(file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        Self {
            file,
            environment,
            directory: PathBuf::from("."),
            system_file: PathBuf::from("/etc/peering-manager/config.toml"),
            state_directory: PathBuf::from("/var/lib/peering-manager"),
        }
    }

    /// The configuration file that somebody names, if somebody does.
    pub fn named_file(&self) -> Option<PathBuf> {
        self.named().map(|(path, _)| self.directory.join(path))
    }

    fn named(&self) -> Option<(&Path, &'static str)> {
        let variable = self.environment.get(FILE_VARIABLE).filter(|path| !path.is_empty());
        match (&self.file, variable) {
            (Some(file), _) => Some((file.as_path(), "--config")),
            (None, Some(file)) => Some((Path::new(file), FILE_VARIABLE)),
            (None, None) => None,
        }
    }

    /// The configuration file to read: the one that is named, or the first of the usual ones that exists.
    pub(crate) fn configuration_file(&self) -> Result<Option<PathBuf>, ConfigError> {
        if let Some((path, named_by)) = self.named() {
            let path = self.directory.join(path);
            return match path.try_exists() {
                Ok(true) => Ok(Some(path)),
                Ok(false) => Err(ConfigError::Missing { path, named_by }),
                Err(source) => Err(ConfigError::Unreadable { path, source }),
            };
        }
        let system = self.system_file.clone();
        match system.try_exists() {
            Ok(true) => return Ok(Some(system)),
            Ok(false) => {}
            // A directory that may not be entered could hide the file that was meant.
            Err(source) => return Err(ConfigError::Unreadable { path: system, source }),
        }
        let here = self.directory.join("peering-manager.toml");
        is_here(here.try_exists())
            .map(|found| found.then(|| here.clone()))
            .map_err(|source| ConfigError::Unreadable { path: here, source })
    }

    /// A file in the state directory where there is one, as on an installed host, else beside the user.
    pub(crate) fn default_database_url(&self) -> SecretUrl {
        if self.state_directory.is_dir() {
            SecretUrl::new(&format!("sqlite://{}/peering-manager.db", self.state_directory.display()))
        } else {
            SecretUrl::new("sqlite://./peering-manager.db")
        }
    }
}

/// Whether the current directory has the file. Whoever becomes another user with sudo often stands in a directory that this user
/// may not enter; nobody put settings for him there.
fn is_here(found: std::io::Result<bool>) -> std::io::Result<bool> {
    match found {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(false),
        other => other,
    }
}

/// Without the values of the environment, which hold every secret of the process.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .field("directory", &self.directory)
            .field("system_file", &self.system_file)
            .field("state_directory", &self.state_directory)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::is_here;

    #[test]
    fn a_directory_of_somebody_else_holds_no_settings() {
        assert!(!is_here(Err(Error::from(ErrorKind::PermissionDenied))).unwrap());
        assert!(is_here(Err(Error::from(ErrorKind::NotADirectory))).is_err());
        assert!(is_here(Ok(true)).unwrap());
    }
}
