//! The key for secrets at rest: from the settings, or from a file beside a SQLite database.
//!
//! The file has a key per line; the first seals, all of them open. It is made when the first secret is stored. Once there
//! are secrets it is never made anew, because a new key would not open them.

use std::path::{Path, PathBuf};

use pm_config::Config;
use pm_store::objects::secrets::{Keyring, keys_in_use, random_text};
use pm_store::{Store, StoreError};
use secrecy::ExposeSecret as _;

use crate::private_file;

/// What is added to the database's file name.
pub const SUFFIX: &str = ".secret-key";

/// The keys of this installation. When there is none, what needs one says what to do; everything else works.
pub async fn keyring(config: &Config, store: &Store) -> Keyring {
    let setting: Vec<String> =
        config.secret_key.iter().map(|text| text.expose_secret().trim().to_owned()).collect();
    let previous =
        config.secret_key_previous.as_ref().map(|texts| lines(texts.expose_secret())).unwrap_or_default();
    let file = file_of(store);
    let kept = match file.as_deref().map(read) {
        Some(Ok(Some(keys))) => keys,
        Some(Err(reason)) if setting.is_empty() => return Keyring::refusing(reason),
        // The setting can do without the file.
        None | Some(Ok(None) | Err(_)) => Vec::new(),
    };
    let all: Vec<&str> = setting.iter().chain(&kept).chain(&previous).map(String::as_str).collect();
    if !setting.is_empty() || !kept.is_empty() {
        return Keyring::from_texts(all);
    }
    let Some(file) = file else {
        return Keyring::refusing(
            "there is no secret_key: set it in the settings file, or in a file that secret_key_file names, to at least 50 \
             random characters; `peering-manager secrets generate` prints some",
        );
    };
    let in_use = async { keys_in_use(&mut store.connection().await?.session()).await };
    match in_use.await {
        Ok(in_use) if in_use.is_empty() => Keyring::on_demand(move || make(&file)),
        Ok(_) => Keyring::refusing(format!(
            "the key is gone: there is no {} and no secret_key in the settings. Put the file back from where backups of \
             this installation are, or set secret_key to what it was. If the key is lost for good, enter the passwords \
             again: write a new key into that file with `peering-manager secrets generate`",
            file.display()
        )),
        Err(error) => Keyring::refusing(format!("whether there are secrets cannot be seen: {error}")),
    }
}

/// Where the key of a SQLite database is kept when the settings have none.
pub fn file_of(store: &Store) -> Option<PathBuf> {
    let mut file = store.file()?.into_os_string();
    if file.is_empty() || file == ":memory:" {
        return None;
    }
    file.push(SUFFIX);
    Some(file.into())
}

/// Where the key is without which secrets of a database are lost, for people; `None` while nothing is encrypted.
///
/// # Errors
/// Those of the database.
pub async fn place(config: &Config, store: &Store) -> Result<Option<String>, StoreError> {
    let in_use = keys_in_use(&mut store.connection().await?.session()).await?;
    if in_use.is_empty() {
        return Ok(None);
    }
    let file = file_of(store).filter(|file| config.secret_key.is_none() || file.exists());
    Ok(Some(match (config.secret_key.is_some(), file) {
        (true, None) => "the setting secret_key".to_owned(),
        (true, Some(file)) => format!("the setting secret_key, and earlier ones in {}", file.display()),
        (false, Some(file)) => format!("the key in {}", file.display()),
        (false, None) => "the setting secret_key, which is missing".to_owned(),
    }))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The keys in a file, if it is there.
pub(crate) fn read(file: &Path) -> Result<Option<Vec<String>>, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let keys = lines(&text);
            if keys.is_empty() {
                return Err(format!("{} is empty: put the key back that was in it", file.display()));
            }
            Ok(Some(keys))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!(
            "{} cannot be read: {error}; let this user read it, or set secret_key",
            file.display()
        )),
    }
}

/// A new file that belongs to the database's owner, or the key of whoever was faster.
fn make(file: &Path) -> Result<String, String> {
    let key = random_text().ok_or("the operating system gives no randomness")?;
    let database = file.with_file_name(
        file.file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(SUFFIX))
            .unwrap_or("."),
    );
    match private_file::create(file, &format!("{key}\n"), &database) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let keys = read(file)?.unwrap_or_default();
            keys.into_iter().next().ok_or_else(|| format!("{} vanished", file.display()))
        }
        Err(error) => {
            Err(format!("{} cannot be made: {error}; set secret_key in the settings instead", file.display()))
        }
    }
}

/// Replaces what is in the file.
pub(crate) fn replace(file: &Path, keys: &[String]) -> Result<(), String> {
    private_file::replace(file, &format!("{}\n", keys.join("\n")))
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use pm_store::objects::telling::{ENDS, WORDS, is_telling};

    /// The store hides members of JSON by their names, the masks of configurations go by words. What is secret by its name in
    /// the one is so in the other, but for words that configurations have for other things as well.
    #[test]
    fn what_is_secret_by_its_name_is_hidden_in_configurations_too() {
        let of_configurations_too = ["community", "pass"];
        for word in WORDS.iter().chain(&ENDS).filter(|word| !of_configurations_too.contains(word)) {
            let line = format!("  \"x_{word}\": \"hunter2\",");
            assert!(is_telling(&format!("x_{word}")), "{word}");
            assert!(!pm_router::mask_text(&line).contains("hunter2"), "{line}");
        }
        assert!(!pm_router::mask_text("snmp-server community hunter2").contains("hunter2"));
    }
}
