//! A place for the tests of this crate: a directory, an environment, and nothing of the real process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{ConfigError, Loaded, Sources, load};

pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) sources: Sources,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let sources = Sources {
            file: None,
            environment: BTreeMap::new(),
            directory: directory.path().to_owned(),
            system_file: directory.path().join("etc/config.toml"),
            state_directory: directory.path().join("state"),
        };
        Self { directory, sources }
    }

    /// Writes a file below the directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Makes the text the configuration file.
    pub(crate) fn file(self, text: &str) -> Self {
        self.write("peering-manager.toml", text);
        self
    }

    pub(crate) fn set(mut self, variable: &str, text: &str) -> Self {
        self.sources.environment.insert(variable.to_owned(), text.to_owned());
        self
    }

    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.sources)
    }

    pub(crate) fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The text of the error, which must be there.
    pub(crate) fn problem(&self) -> String {
        self.load().expect_err("these settings should be refused").to_string()
    }
}
