//! Why there is no configuration.

use std::io;
use std::path::PathBuf;

/// Why the settings could not be read.
///
/// The text names the file, the line, the key and what to do, and never holds the value of a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file named on the command line or in `PEERING_MANAGER_CONFIG` is not there.
    #[error("the configuration file {path} named by {named_by} does not exist: create it or correct the path", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// `--config` or the variable.
        named_by: &'static str,
    },
    /// The file is there and cannot be read.
    #[error("cannot read the configuration file {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{path} line {line}: not valid TOML: {message}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// Keys that nobody knows, or values that are out of range; every one that was found.
    #[error("{}", problems.join("\n"))]
    Invalid {
        /// One line each.
        problems: Vec<String>,
    },
}
