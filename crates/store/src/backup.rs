//! A consistent copy of the database while it is in use.

use std::path::Path;

use crate::{Engine, Store, StoreError};

/// What [`copy_to`] did or could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// The copy was made and passed the engine's integrity check; its size in octets.
    Done(u64),
    /// The engine has a tool of its own for it.
    UseTool(&'static str),
}

/// Copies a SQLite database into `file`, which must not exist. On PostgreSQL it names `pg_dump`, which sees roles
/// and settings that this program does not.
pub async fn copy_to(store: &Store, file: &Path) -> Result<Backup, StoreError> {
    if store.engine() == Engine::Postgres {
        return Ok(Backup::UseTool("pg_dump --format=custom --file=FILE DATABASE"));
    }
    let failed = |source| StoreError::File { path: file.display().to_string(), source };
    if file.exists() {
        return Err(failed(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "the file exists already; choose another name or remove it",
        )));
    }
    let name = file.to_str().ok_or_else(|| {
        failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, "the file's name is not valid UTF-8"))
    })?;
    // A name of its own until the copy is known to be good, so that a crash leaves no half backup that looks whole.
    let partial = format!("{name}.partial");
    let remove_partial = || match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    };
    remove_partial()?;
    // Nobody else may open it, not even while it grows; SQLite fills a file that is empty.
    let create = || {
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        options.open(&partial).map(drop).map_err(failed)
    };
    let made = async {
        create()?;
        // https://www.sqlite.org/lang_vacuum.html#vacuuminto: one read transaction, other processes go on.
        store.execute("VACUUM INTO ?", vec![partial.as_str().into()]).await?;
        let copy = Store::open_file(Path::new(&partial)).await?;
        let verdict: Vec<String> = copy
            .rows("PRAGMA integrity_check", vec![])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect::<Result<_, _>>()?;
        copy.close().await;
        if verdict != ["ok"] {
            return Err(StoreError::Data(format!("the copy is damaged: {}", verdict.join("; "))));
        }
        std::fs::rename(&partial, file).map_err(failed)?;
        std::fs::metadata(file).map(|data| Backup::Done(data.len())).map_err(failed)
    }
    .await;
    if made.is_err() {
        remove_partial()?;
    }
    made
}
