//! Databases for tests: one of each engine, empty and migrated, gone when the test ends.
//!
//! PostgreSQL is used when `TEST_POSTGRES_URL` names a server on which databases may be created (`make test` starts
//! one). Without it a line that begins with `skipped:` says so, and `make test` counts those lines.

use std::future::Future;

use chrono::{DateTime, Utc};

use crate::{Store, migrations};

/// The time at which test databases are made.
pub fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
}

/// How many statements this process has run so far, whoever ran them.
pub fn statements() -> u64 {
    crate::database::STATEMENTS.load(std::sync::atomic::Ordering::Relaxed)
}

/// A database of its own for one test.
pub struct TestDatabase {
    /// URL to open it with.
    pub url: String,
    engine: &'static str,
    server: Option<(String, String)>,
    _directory: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// An empty SQLite file.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        Self { url, engine: "SQLite", server: None, _directory: Some(directory) }
    }

    /// An empty PostgreSQL database, or `None` with a line that says why.
    ///
    /// # Panics
    /// When the server that `TEST_POSTGRES_URL` names does not let databases be created.
    #[expect(clippy::expect_used, clippy::print_stderr, reason = "for tests")]
    #[expect(clippy::disallowed_methods, reason = "the one place where tests learn of the server")]
    pub async fn postgres() -> Option<Self> {
        let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
            eprintln!("skipped: PostgreSQL, because TEST_POSTGRES_URL is not set");
            return None;
        };
        let name = format!("pm_test_{}", uuid::Uuid::new_v4().simple());
        let admin = Store::open(&server).await.expect("the server that TEST_POSTGRES_URL names");
        admin.execute(&format!("CREATE DATABASE {name}"), vec![]).await.expect("a database of its own");
        admin.close().await;
        let (base, options) =
            server.split_once('?').map_or((server.as_str(), ""), |(base, options)| (base, options));
        let (root, _) = base.rsplit_once('/').expect("a URL with a database name");
        let url =
            if options.is_empty() { format!("{root}/{name}") } else { format!("{root}/{name}?{options}") };
        Some(Self { url, engine: "PostgreSQL", server: Some((server, name)), _directory: None })
    }

    /// One of each engine that can be had.
    pub async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        all.extend(Self::postgres().await);
        all
    }

    /// Opens it and brings its schema up to date.
    ///
    /// # Panics
    /// When that fails.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub async fn open(&self) -> Store {
        let store = Store::open(&self.url).await.expect("a test database");
        migrations::run(&store, epoch()).await.expect("migrations");
        store
    }

    /// Removes it.
    ///
    /// # Panics
    /// When the server does not let it go.
    #[expect(clippy::expect_used, reason = "for tests")]
    pub async fn remove(self) {
        if let Some((server, name)) = &self.server {
            let admin = Store::open(server).await.expect("the server");
            admin.execute(&format!("DROP DATABASE {name} WITH (FORCE)"), vec![]).await.expect("dropped");
            admin.close().await;
        }
    }
}

/// Runs a test on a database of each engine, one after the other.
///
/// # Panics
/// When a database cannot be had.
#[expect(clippy::print_stderr, reason = "for tests")]
pub async fn each_engine<F, Fut>(test: F)
where
    F: Fn(Store) -> Fut,
    Fut: Future<Output = ()>,
{
    for database in TestDatabase::each().await {
        eprintln!("on {}", database.engine);
        let store = database.open().await;
        test(store.clone()).await;
        store.close().await;
        database.remove().await;
    }
}
