//! Lays the levels over each other and makes a [`Config`] of what is left on top.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::Value;

use crate::key::Key;
use crate::keys::KEYS;
use crate::layer::{Given, Layer, Source, caution, complaint};
use crate::{Config, ConfigError, SecretUrl, Sources, credentials, environment, file};

/// A secret is a line of text; whatever is larger was not meant.
const SECRET_FILE_LIMIT: u64 = 64 * 1024;

/// Where a value that is not the default was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A file that holds one secret.
    SecretFile {
        /// The file.
        path: PathBuf,
        /// The key or variable that names the file.
        named_by: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Variable { name } => write!(f, "environment variable {name}"),
            Self::SecretFile { path, named_by } => write!(f, "secret file {} ({named_by})", path.display()),
        }
    }
}

/// The settings, and how they came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What an operator should know: settings without effect, deprecated ones, former names. One line each.
    pub warnings: Vec<String>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// Where each value that is not the default came from, by key (`email.server` for a key in a table).
    pub origins: BTreeMap<&'static str, Origin>,
    /// The secrets that the configuration file holds in clear, also those that the environment overrides.
    pub(crate) secrets_in_file: Vec<&'static str>,
}

/// Reads the file and the environment.
///
/// The error lists everything that is wrong with keys and values at once.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let path = sources.configuration_file()?;
    let from_file = path.as_deref().map(file::read).transpose()?;
    let secrets_in_file = from_file.as_ref().map(Layer::secrets).unwrap_or_default();

    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut given = BTreeMap::new();
    let handed_over = credentials::layer(&sources.environment);
    let layers = from_file.into_iter().chain([handed_over]).chain(environment::layers(&sources.environment));
    for mut layer in layers {
        given.extend(layer.settle());
        problems.append(&mut layer.problems);
        warnings.append(&mut layer.warnings);
    }

    let defaults = Config::default();
    let mut config = Config { database_url: sources.default_database_url(), ..Config::default() };
    let mut origins = BTreeMap::new();
    for key in KEYS {
        let Some(setting) = given.remove(key.name) else { continue };
        match take(key, setting, sources, &mut config) {
            Ok(origin) => {
                // A file may spell a default out; nobody is misled by that.
                if (key.shown)(&config) != (key.shown)(&defaults) {
                    warnings.extend(caution(key, &origin));
                }
                origins.insert(key.name, origin);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(Loaded { config, warnings, file: path, origins, secrets_in_file })
    } else {
        Err(ConfigError::Invalid { problems })
    }
}

/// Stores one value, from the file that holds it if there is one; the error is a line for the operator.
fn take(key: &Key, given: Given, sources: &Sources, config: &mut Config) -> Result<Origin, String> {
    let (value, origin) = match given.value {
        Source::Value(value) => (value, given.origin),
        Source::SecretFile(written, named_by) => {
            let path = match &given.origin {
                Origin::File { path, .. } => path.parent().unwrap_or(Path::new("")).join(written),
                _ => sources.directory.join(written),
            };
            let secret = read_secret(&path).map_err(|problem| {
                format!("{}: cannot take {} from {}: {problem}", given.origin, key.name, path.display())
            })?;
            (Value::String(secret), Origin::SecretFile { path, named_by })
        }
    };
    match key.apply(config, &value) {
        Ok(()) => Ok(origin),
        Err(expected) => Err(complaint(key, &origin, &value, &expected)),
    }
}

/// The text of the file without the newline at its end.
fn read_secret(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(SECRET_FILE_LIMIT + 1).read_to_string(&mut text)?;
    if read as u64 > SECRET_FILE_LIMIT {
        return Err(io::Error::other("it is too large for a secret"));
    }
    let secret =
        text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(secret.to_owned())
}

impl Config {
    /// The defaults with the given database, for tests of the rest of the program.
    pub fn for_tests(database_url: &str) -> Self {
        Self { database_url: SecretUrl::new(database_url), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
