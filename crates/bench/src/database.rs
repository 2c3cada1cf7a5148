//! Databases for one measurement, of either kind, with the program's schema.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::ValueEnum;
use pm_store::{Store, migrations};

use crate::session::start_time;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A file.
    Sqlite,
    /// On the server that `TEST_POSTGRES_URL` names.
    Postgres,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// As an argument of this program's parts.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// A database that lives as long as the session, unless it is removed before.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    /// The file, or the name on the server.
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Server(String),
}

/// The server that `TEST_POSTGRES_URL` names.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    url: String,
}

impl Server {
    pub(crate) fn new(url: String) -> Self {
        Self { url }
    }

    /// Runs one statement that no transaction may hold.
    async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let store = Store::open(&self.url).await?;
        let done = store.execute(sql, vec![]).await;
        store.close().await;
        done.map(drop).with_context(|| sql.to_owned())
    }

    fn database_url(&self, name: &str) -> anyhow::Result<String> {
        let (base, options) = self
            .url
            .split_once('?')
            .map_or((self.url.as_str(), None), |(base, options)| (base, Some(options)));
        let (root, _) = base.rsplit_once('/').context("TEST_POSTGRES_URL names no database")?;
        Ok(options.map_or_else(|| format!("{root}/{name}"), |options| format!("{root}/{name}?{options}")))
    }

    pub(crate) async fn drop(&self, name: &str) -> anyhow::Result<()> {
        self.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }
}

impl Database {
    /// An empty file database.
    pub(crate) fn file(path: PathBuf) -> Self {
        Self { kind: Kind::Sqlite, url: format!("sqlite://{}", path.display()), place: Place::File(path) }
    }

    /// An empty database on the server.
    pub(crate) async fn create(server: &Server, name: &str) -> anyhow::Result<Self> {
        server.execute(&format!("CREATE DATABASE {name}")).await?;
        Self::on(server, name)
    }

    fn on(server: &Server, name: &str) -> anyhow::Result<Self> {
        let url = server.database_url(name)?;
        Ok(Self { kind: Kind::Postgres, url, place: Place::Server(name.to_owned()) })
    }

    /// A copy of this one, which nobody may be using: to a file, or to a database of this name on the server.
    pub(crate) async fn copy(&self, server: Option<&Server>, name: &str) -> anyhow::Result<Self> {
        match (&self.place, server) {
            (Place::File(path), _) => {
                let to = path.with_file_name(format!("{name}.db"));
                std::fs::copy(path, &to).with_context(|| format!("{} cannot be copied", path.display()))?;
                Ok(Self::file(to))
            }
            (Place::Server(from), Some(server)) => {
                server.execute(&format!("CREATE DATABASE {name} TEMPLATE {from} STRATEGY file_copy")).await?;
                Self::on(server, name)
            }
            (Place::Server(_), None) => anyhow::bail!("there is no server"),
        }
    }

    /// Brings the schema up to date.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        let store = self.open().await?;
        let ran = migrations::run(&store, start_time()).await;
        store.close().await;
        ran?;
        Ok(())
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.url).await?)
    }

    /// Gives the space back before the session ends.
    pub(crate) async fn remove(&self, server: Option<&Server>) -> anyhow::Result<()> {
        match (&self.place, server) {
            (Place::File(path), _) => {
                for suffix in ["", "-wal", "-shm"] {
                    let mut file = path.clone().into_os_string();
                    file.push(suffix);
                    // The latter two are mostly gone already.
                    let _ = std::fs::remove_file(file);
                }
                Ok(())
            }
            (Place::Server(name), Some(server)) => server.drop(name).await,
            (Place::Server(_), None) => Ok(()),
        }
    }
}
