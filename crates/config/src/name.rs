//! What a name in the file or in the environment stands for.

use crate::key::{Ignored, Key};
use crate::keys::{IGNORED, KEYS};

/// How a name is spelled: `email.server` in the file, `email_server` in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    File,
    Environment,
}

/// Which of the names of a key was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Value,
    /// A former name of the key.
    FormerName,
    /// `<key>_file`, which names a file that holds the value.
    SecretFile,
}

pub(crate) enum Name {
    Key(&'static Key, Part),
    /// A table of keys, such as `email`.
    Section,
    Ignored(&'static Ignored),
    Unknown,
}

/// Looks up a name in lower case.
pub(crate) fn look_up(written: &str, spelling: Spelling) -> Name {
    for key in KEYS {
        let name = spelled(key.name, spelling);
        if written == name {
            return Name::Key(key, Part::Value);
        }
        if key.aliases.contains(&written) {
            return Name::Key(key, Part::FormerName);
        }
        if key.is_secret() && written.strip_suffix("_file") == Some(name.as_str()) {
            return Name::Key(key, Part::SecretFile);
        }
    }
    if is_section(written) {
        return Name::Section;
    }
    IGNORED.iter().find(|ignored| ignored.covers(written)).map_or(Name::Unknown, Name::Ignored)
}

fn spelled(name: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::File => name.to_owned(),
        Spelling::Environment => name.replace('.', "_"),
    }
}

fn is_section(written: &str) -> bool {
    KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == written))
}

/// The known name closest to `written`, if one is close enough to be meant.
pub(crate) fn suggestion(written: &str, spelling: Spelling) -> Option<String> {
    let written = written.to_lowercase();
    // The original's names are in capitals, and some of ours were others once.
    if let Name::Key(key, Part::FormerName) = look_up(&written, spelling) {
        return Some(spelled(key.name, spelling));
    }
    let names = KEYS.iter().flat_map(|key| {
        let name = spelled(key.name, spelling);
        let secret_file = key.is_secret().then(|| format!("{name}_file"));
        std::iter::once(name).chain(secret_file)
    });
    let furthest = (written.chars().count() / 4).max(2);
    names
        .map(|name| (strsim::damerau_levenshtein(&written, &name), name))
        .filter(|(distance, _)| *distance <= furthest)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_however_they_are_spelled() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            for name in std::iter::once(&key.name).chain(key.aliases) {
                assert!(seen.insert(name.replace('.', "_")), "{name} is there twice");
                assert!(!IGNORED.iter().any(|ignored| ignored.covers(name)), "{name} is also ignored");
            }
        }
    }

    #[test]
    fn a_near_miss_is_recognised() {
        assert_eq!(suggestion("SECRET_KEY", Spelling::File).as_deref(), Some("secret_key"));
        assert_eq!(suggestion("CHANGELOG_RETENTION", Spelling::File).as_deref(), Some("changelog_retention"));
        assert_eq!(suggestion("JOBRESULT_RETENTION", Spelling::File).as_deref(), Some("job_retention"));
        assert_eq!(suggestion("RQ_DEFAULT_TIMEOUT", Spelling::File).as_deref(), Some("job_timeout"));
        assert_eq!(suggestion("peeringdb_apikey", Spelling::File).as_deref(), Some("peeringdb_api_key"));
        assert_eq!(suggestion("email_sever", Spelling::Environment).as_deref(), Some("email_server"));
        assert_eq!(suggestion("colour", Spelling::File), None);
    }
}
