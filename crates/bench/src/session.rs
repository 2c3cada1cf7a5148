//! What all measures share: the program, a directory, a server, and what must be cleared away in the end.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tempfile::TempDir;
use tokio::process::Command;

use crate::database::{Database, Kind, Server};
use crate::process::command;

/// Why rows for PostgreSQL are missing.
pub(crate) const NO_SERVER: &str = "TEST_POSTGRES_URL is not set";

/// The simulated time at which everything begins, the same in every run.
pub(crate) fn start_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
}

/// One run of the benchmarks.
pub(crate) struct Session {
    /// Size of the data: 1.0 is about today's PeeringDB.
    pub(crate) scale: f64,
    /// How often slow things are repeated.
    pub(crate) rounds: u32,
    pub(crate) server: Option<Server>,
    program: PathBuf,
    ourselves: PathBuf,
    directory: TempDir,
    made: Mutex<Vec<Database>>,
}

impl Session {
    #[expect(clippy::disallowed_methods, reason = "the one place where the benchmarks learn of the server")]
    pub(crate) fn new(quick: bool, rounds: u32) -> anyhow::Result<Self> {
        let ourselves = std::env::current_exe().context("this program's own path is not known")?;
        let program = ourselves.with_file_name("peering-manager");
        anyhow::ensure!(
            program.is_file(),
            "{} is missing: cargo build --release -p peering-manager",
            program.display()
        );
        Ok(Self {
            scale: if quick { 0.1 } else { 1.0 },
            rounds,
            server: std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty()).map(Server::new),
            program,
            ourselves,
            directory: tempfile::Builder::new()
                .prefix("pm-bench.")
                .tempdir()
                .context("no temporary directory")?,
            made: Mutex::default(),
        })
    }

    /// The engines that can be had.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::BOTH.into_iter().filter(|kind| *kind == Kind::Sqlite || self.server.is_some())
    }

    /// An empty database with the program's schema.
    pub(crate) async fn database(&self, kind: Kind, name: &str) -> anyhow::Result<Database> {
        let database = match (kind, &self.server) {
            (Kind::Sqlite, _) => Database::file(self.directory.path().join(format!("{name}.db"))),
            (Kind::Postgres, Some(server)) => Database::create(server, &server_name(name)).await?,
            (Kind::Postgres, None) => anyhow::bail!(NO_SERVER),
        };
        self.keep(&database);
        database.migrate().await?;
        Ok(database)
    }

    /// A copy of a database that nobody is using.
    pub(crate) async fn copy(&self, of: &Database, name: &str) -> anyhow::Result<Database> {
        let name = if of.kind == Kind::Postgres { server_name(name) } else { name.to_owned() };
        let copy = of.copy(self.server.as_ref(), &name).await?;
        self.keep(&copy);
        Ok(copy)
    }

    /// Removes one database now.
    pub(crate) async fn remove(&self, database: &Database) -> anyhow::Result<()> {
        database.remove(self.server.as_ref()).await?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).retain(|made| made.url != database.url);
        Ok(())
    }

    /// Removes every database that is left.
    pub(crate) async fn remove_databases(&self) -> anyhow::Result<()> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut ended = Ok(());
        for database in made {
            ended = ended.and(database.remove(self.server.as_ref()).await);
        }
        ended
    }

    /// The program, with no settings but these: a database and a PeeringDB.
    pub(crate) fn program(&self, database: Option<&Database>, api: Option<&str>) -> Command {
        let mut command = command(&self.program);
        // Where no settings file lies.
        command.current_dir(self.directory.path());
        command.arg("--config").arg(self.settings_file());
        if let Some(database) = database {
            command.env("PEERING_MANAGER_DATABASE_URL", &database.url);
        }
        if let Some(api) = api {
            command.env("PEERING_MANAGER_PEERINGDB_API", api);
        }
        command
    }

    /// Where a file of this name may be written; it is removed with the session.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// This program, for one of its parts.
    pub(crate) fn part(&self, name: &str) -> Command {
        let mut command = command(&self.ourselves);
        command.arg(name);
        command
    }

    /// An empty one, so that none of the machine's is read.
    fn settings_file(&self) -> PathBuf {
        let path: &Path = self.directory.path();
        let file = path.join("settings.toml");
        // A file that cannot be written is reported by the program that cannot read it.
        let _ = std::fs::write(&file, "# Defaults.\n");
        file
    }

    fn keep(&self, database: &Database) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(database.clone());
    }
}

/// Two runs on one server do not get into each other's way.
fn server_name(name: &str) -> String {
    format!("pm_bench_{}_{name}", std::process::id())
}
