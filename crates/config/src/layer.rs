//! One level of settings, all of the file or all of the environment, before the levels are laid over each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Value;

use crate::Config;
use crate::key::{Class, Key};
use crate::keys::KEYS;
use crate::load::Origin;
use crate::name::{Name, Part, Spelling, look_up, suggestion};
use crate::value::Expected;

/// A value as it was found.
struct Entry {
    key: &'static Key,
    part: Part,
    /// The name as written, for messages.
    written: String,
    value: Value,
    origin: Origin,
}

/// What a level says about one key.
pub(crate) struct Given {
    pub(crate) value: Source,
    pub(crate) origin: Origin,
}

/// A value, or the file that holds it. Files are read at the end, and only those that no later level overrides.
pub(crate) enum Source {
    Value(Value),
    /// The path as written, and the name of the setting that gives it.
    SecretFile(PathBuf, String),
}

/// Collects what one source says, with every complaint about it.
#[derive(Default)]
pub(crate) struct Layer {
    entries: Vec<Entry>,
    pub(crate) problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Layer {
    pub(crate) fn add(&mut self, key: &'static Key, part: Part, written: &str, value: Value, origin: Origin) {
        self.entries.push(Entry { key, part, written: written.to_owned(), value, origin });
    }

    /// Adds a table of settings; `origin` tells where the setting with a given dotted name stands.
    pub(crate) fn add_table(&mut self, table: toml::Table, section: &str, origin: &dyn Fn(&str) -> Origin) {
        for (written, value) in table {
            let name = if section.is_empty() { written } else { format!("{section}.{written}") };
            let at = origin(&name);
            match (look_up(&name, Spelling::File), value) {
                (Name::Key(key, part), value) => self.add(key, part, &name, value, at),
                (Name::Section, Value::Table(table)) => self.add_table(table, &name, origin),
                (Name::Section, _) => self.problems.push(format!("{at}: {name} is not a table")),
                (Name::Ignored(ignored), _) => self.ignore(&name, ignored.why, &at),
                (Name::Unknown, _) => self.unknown(&name, Spelling::File, &at),
            }
        }
    }

    pub(crate) fn ignore(&mut self, name: &str, why: &str, at: &Origin) {
        self.warnings.push(format!("{at}: {name} means nothing here: {why}; remove it"));
    }

    pub(crate) fn unknown(&mut self, name: &str, spelling: Spelling, at: &Origin) {
        let hint = match (suggestion(name, spelling), spelling) {
            (Some(name), Spelling::File) => format!("; did you mean {name}?"),
            (Some(name), Spelling::Environment) => {
                format!("; did you mean {}{}?", crate::environment::PREFIX, name.to_uppercase())
            }
            (None, _) => "; correct or remove it".to_owned(),
        };
        let what = match spelling {
            Spelling::File => format!("unknown key {name}"),
            Spelling::Environment => "no setting has this name".to_owned(),
        };
        self.problems.push(format!("{at}: {what}{hint}"));
    }

    /// The names of the secrets that this level holds in clear, as against in a file of their own.
    pub(crate) fn secrets(&self) -> Vec<&'static str> {
        // What the masked form differs in is secret: a URL without a password in it comes out as it was.
        let in_clear = |entry: &&Entry| {
            let mut scratch = Config::default();
            entry.part != Part::SecretFile
                && entry.key.sensitive
                && entry.key.apply(&mut scratch, &entry.value).is_ok()
                && (entry.key.shown)(&scratch) != entry.value
        };
        self.entries.iter().filter(in_clear).map(|entry| entry.key.name).collect()
    }

    /// One value for each key, where the names do not contradict each other.
    pub(crate) fn settle(&mut self) -> BTreeMap<&'static str, Given> {
        let mut given = BTreeMap::new();
        let mut entries = std::mem::take(&mut self.entries);
        for key in KEYS {
            let (mine, others) =
                entries.into_iter().partition::<Vec<_>, _>(|entry| entry.key.name == key.name);
            entries = others;
            if let Some(settled) = self.settle_key(mine) {
                given.insert(key.name, settled);
            }
        }
        given
    }

    fn settle_key(&mut self, entries: Vec<Entry>) -> Option<Given> {
        let (files, values): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.part == Part::SecretFile);
        for former in values.iter().filter(|entry| entry.part == Part::FormerName) {
            self.warnings.push(format!(
                "{}: {} is the former name of {}; use the new one",
                former.origin, former.written, former.key.name
            ));
        }
        if let Some((first, second)) = values.first().zip(values.get(1))
            && first.value != second.value
        {
            self.problems.push(format!(
                "{}: {} and {} ({}) are the same setting with different values; keep one",
                first.origin, first.written, second.written, second.origin
            ));
        }
        let value = values.into_iter().next();
        let empty = |entry: &Entry| entry.value.as_str().is_some_and(str::is_empty);
        let Some(file) = files.into_iter().next().filter(|file| !empty(file)) else {
            return value.map(|entry| Given { value: Source::Value(entry.value), origin: entry.origin });
        };
        if let Some(value) = value.filter(|value| !empty(value)) {
            self.problems.push(format!(
                "{}: {} and {} ({}) are both set; keep one",
                value.origin, value.written, file.written, file.origin
            ));
        }
        let Value::String(path) = file.value else {
            self.problems.push(format!("{}: {} is not the path of a file", file.origin, file.written));
            return None;
        };
        Some(Given { value: Source::SecretFile(path.into(), file.written), origin: file.origin })
    }
}

/// The complaint about a value, without the value when it could be a secret.
pub(crate) fn complaint(key: &Key, origin: &Origin, value: &Value, expected: &Expected) -> String {
    // A URL may carry a password although its key is not meant to.
    let found =
        if key.sensitive || value.to_string().contains('@') { String::new() } else { format!(" = {value}") };
    format!("{origin}: {}{found} is not {}", key.name, expected.0)
}

/// Says that a key which somebody set will not do what they expect.
pub(crate) fn caution(key: &Key, origin: &Origin) -> Option<String> {
    match (key.class, key.deprecated) {
        (Class::Later, _) => Some(format!("{origin}: {} has no effect in this version yet", key.name)),
        (Class::Used, Some(instead)) => Some(format!("{origin}: {} is deprecated: {instead}", key.name)),
        (Class::Used, None) => None,
    }
}
