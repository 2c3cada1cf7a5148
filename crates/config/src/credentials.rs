//! Secrets that a service manager hands over as files: systemd's credentials (`LoadCredential=`, systemd.exec(5)).

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use toml::Value;

use crate::key::Key;
use crate::keys::KEYS;
use crate::layer::Layer;
use crate::load::Origin;
use crate::name::{Name, Part, Spelling, look_up, suggestion};

/// Names the directory with the files.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// A file that is longer is not blank, or its reader complains.
const LONGEST_BLANK: u64 = 64;

/// The level of the credentials: one file for each secret, named as its setting, with a dot or `_` for one in a table.
///
/// A blank file counts as unset, since that is what `SetCredential=` puts in the place of a file that is not there. Files
/// with other names are left alone: they may be keys for something that this program starts.
pub(crate) fn layer(environment: &BTreeMap<String, String>) -> Layer {
    let mut layer = Layer::default();
    let Some(directory) = environment.get(DIRECTORY).filter(|path| !path.is_empty()) else { return layer };
    let directory = Path::new(directory);
    let origin = || Origin::Variable { name: DIRECTORY.to_owned() };
    for key in KEYS.iter().filter(|key| key.is_secret()) {
        for path in names(key).iter().map(|name| directory.join(name)).filter(|path| is_set(path)) {
            let value = Value::String(path.to_string_lossy().into_owned());
            layer.add(key, Part::SecretFile, DIRECTORY, value, origin());
        }
    }
    layer.warnings = others(directory).iter().filter_map(|name| doubt(name, &origin())).collect();
    layer
}

/// The names that a key's file may have.
fn names(key: &Key) -> Vec<String> {
    let plain = key.name.replace('.', "_");
    if plain == key.name { vec![plain] } else { vec![key.name.to_owned(), plain] }
}

/// Whether the file says something. One that cannot be read is complained of by whoever reads it.
fn is_set(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() <= LONGEST_BLANK => {
            fs::read_to_string(path).map_or(true, |text| !text.trim().is_empty())
        }
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// The files that are no secret of ours, by name.
fn others(directory: &Path) -> Vec<String> {
    let known: Vec<String> = KEYS.iter().filter(|key| key.is_secret()).flat_map(names).collect();
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut others: Vec<String> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| !known.contains(name))
        .collect();
    others.sort();
    others
}

/// What to say about a file that looks as if it was meant for us.
fn doubt(name: &str, origin: &Origin) -> Option<String> {
    match look_up(name, Spelling::Environment) {
        Name::Key(key, Part::Value) => Some(format!(
            "{origin}: {name} is not read, because it is no secret; set {} in the settings file",
            key.name
        )),
        Name::Unknown => suggestion(name, Spelling::Environment)
            .map(|meant| format!("{origin}: {name} is not read; did you mean {meant}?")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use crate::Loaded;
    use crate::fixture::Fixture;

    fn handed(fixture: Fixture) -> Fixture {
        let directory = fixture.directory.path().join("credentials");
        fixture.set("CREDENTIALS_DIRECTORY", directory.to_str().unwrap())
    }

    fn key(loaded: &Loaded) -> Option<&str> {
        loaded.config.peeringdb_api_key.as_ref().map(ExposeSecret::expose_secret)
    }

    #[test]
    fn a_file_named_as_a_secret_is_its_value() {
        let fixture = handed(Fixture::new().file("peeringdb_api_key = 'of-the-file'"));
        assert_eq!(key(&fixture.loaded()), Some("of-the-file"), "there is no such directory");
        fixture.write("credentials/peeringdb_api_key", "handed-over\n");
        fixture.write("credentials/database_url", "postgres://pm:word@db.example/pm\n");
        fixture.write("credentials/email_password", "of-the-mail");
        let loaded = fixture.loaded();
        assert_eq!(key(&loaded), Some("handed-over"));
        assert_eq!(loaded.config.database_url.expose_secret(), "postgres://pm:word@db.example/pm");
        assert_eq!(loaded.config.email_password.as_ref().unwrap().expose_secret(), "of-the-mail");
        let origin = loaded.origins["peeringdb_api_key"].to_string();
        assert!(origin.ends_with("credentials/peeringdb_api_key (CREDENTIALS_DIRECTORY)"), "{origin}");
        assert_eq!(key(&fixture.set("PEERINGDB_API_KEY", "by-hand").loaded()), Some("by-hand"));
    }

    #[test]
    fn a_blank_file_counts_as_unset() {
        let fixture = handed(Fixture::new().file("peeringdb_api_key = 'of-the-file'"));
        fixture.write("credentials/peeringdb_api_key", "\n");
        fixture.write("credentials/napalm_password", "");
        let loaded = fixture.loaded();
        assert_eq!(key(&loaded), Some("of-the-file"));
        assert!(loaded.config.napalm_password.is_none());
    }

    #[test]
    fn a_file_that_was_meant_for_us_is_told_of_and_others_are_left_alone() {
        let fixture = handed(Fixture::new());
        for name in ["peeringdb_apikey", "log_level", "ssh_key", "id_ed25519"] {
            fixture.write(&format!("credentials/{name}"), "word-of-mouth");
        }
        let warnings = fixture.loaded().warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("log_level is not read, because it is no secret"), "{warnings:?}");
        assert!(warnings[1].contains("did you mean peeringdb_api_key?"), "{warnings:?}");
        assert!(!warnings.concat().contains("word-of-mouth"));
    }

    #[test]
    fn one_that_cannot_be_read_is_named() {
        let fixture = handed(Fixture::new());
        fixture.write("credentials/secret_key/file", "a directory, not a file");
        let problem = fixture.problem();
        assert!(problem.contains("cannot take secret_key from"), "{problem}");
    }
}
