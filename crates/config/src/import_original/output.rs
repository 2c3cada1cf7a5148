//! Writes the settings that were found as our file.

use toml::Value;

use super::statements::Assigned;
use super::value::{Hole, PyValue};
use super::{Converted, database};
use crate::Config;
use crate::key::Key;
use crate::keys::KEYS;
use crate::name::{Name, Part, Spelling, look_up};
use crate::value::{Expected, Kind};

/// The original's own release list. It says nothing about this program, so it is not carried over.
const ORIGINAL_RELEASES: &str = "https://api.github.com/repos/peering-manager/peering-manager/releases";

/// Collects lines and notes; every live line is checked against its key first.
struct Output {
    lines: Vec<String>,
    /// Lines of `[email]`, which has to come last in TOML.
    email: Vec<String>,
    notes: Vec<String>,
    /// Takes every value once, to see whether it is accepted.
    scratch: Config,
}

/// A setting of the original on its way to a key of ours.
struct Setting<'a> {
    key: &'static Key,
    /// As the original names it: `PAGINATE_COUNT`, `EMAIL.SERVER`.
    original: &'a str,
    line: usize,
}

pub(super) fn write(settings: Vec<Assigned>, notes: Vec<String>) -> Converted {
    let mut output = Output { lines: Vec::new(), email: Vec::new(), notes, scratch: Config::default() };
    let has = |name: &str| settings.iter().any(|assigned| assigned.name == name);
    let both_retentions = has("JOB_RETENTION") && has("JOBRESULT_RETENTION");
    for assigned in settings {
        let (name, line) = (assigned.name.as_str(), assigned.line);
        match (name, assigned.value) {
            ("DATABASE", value) => output.database(&value, line),
            ("EMAIL", PyValue::Dict(pairs)) => output.email(pairs, line),
            ("EMAIL", PyValue::None) => {}
            ("EMAIL", value) => output.unusable(name, line, &value, "[email]"),
            ("JOBRESULT_RETENTION", _) if both_retentions => {
                output.note(
                    line,
                    "JOBRESULT_RETENTION is left out: the original ignores it, JOB_RETENTION counts",
                );
            }
            ("RELEASE_CHECK_URL", PyValue::Text(url)) if url.trim_end_matches('/') == ORIGINAL_RELEASES => {
                output.note(line, "RELEASE_CHECK_URL is left out: it lists the releases of another program");
            }
            (_, value) => output.setting(name, &value, line),
        }
    }
    output.finish()
}

impl Output {
    fn note(&mut self, line: usize, text: impl AsRef<str>) {
        self.notes.push(format!("line {line}: {}", one_line(text.as_ref())));
    }

    fn comment(&mut self, key: &Key, text: &str) {
        self.push(key, format!("# {}", one_line(text)));
    }

    fn setting(&mut self, name: &str, value: &PyValue, line: usize) {
        match look_up(&name.to_lowercase(), Spelling::File) {
            Name::Key(key, Part::Value) => self.key(&Setting { key, original: name, line }, value),
            Name::Key(key, Part::FormerName) => {
                self.note(line, format!("{name} is written as {}, its present name", key.name));
                self.key(&Setting { key, original: name, line }, value);
            }
            Name::Ignored(ignored) => self.note(line, format!("{name} is left out: {}", ignored.why)),
            Name::Key(_, Part::SecretFile) | Name::Section | Name::Unknown => {
                self.note(
                    line,
                    format!("{name} is left out: it is no setting of the original that is known here"),
                );
            }
        }
    }

    fn key(&mut self, setting: &Setting<'_>, value: &PyValue) {
        let Setting { original, line, .. } = *setting;
        if matches!(value, PyValue::None) {
            return self.none(setting);
        }
        if value.holds_none() {
            self.note(line, format!("{original}: the entries that are None are left out"));
        }
        if value.holes().is_empty() { self.known(setting, value) } else { self.unknown(setting, value) }
    }

    /// A line that takes effect, if the key accepts the value.
    fn known(&mut self, setting: &Setting<'_>, value: &PyValue) {
        let Setting { key, original, line } = *setting;
        let Some(converted) = fit(key.kind, value) else { return };
        match key.apply(&mut self.scratch, &converted) {
            Ok(()) => self.push(key, format!("{} = {converted}", unqualified(key))),
            Err(Expected(expected)) => {
                self.note(line, format!("{original} is left out: it is not {expected}; set `{}`", key.name));
                self.push(key, format!("# {} =", unqualified(key)));
            }
        }
    }

    /// A commented line with what is known, and a note for each part that is not.
    fn unknown(&mut self, setting: &Setting<'_>, value: &PyValue) {
        let Setting { key, original, .. } = *setting;
        let file = if key.is_secret() { format!(" or `{}_file`", key.name) } else { String::new() };
        for hole in value.holes() {
            let (why, name, variable) = (hole.describe(), key.name, key.variable());
            self.note(
                hole.line,
                format!("{original} {why}: set it by hand, as `{name}`{file} in the file or as {variable}"),
            );
            self.comment(key, &format!("{original} {why}"));
        }
        let known = fit(key.kind, value).filter(|value| key.apply(&mut self.scratch, value).is_ok());
        let known = known.map_or_else(|| placeholder(key.kind).to_owned(), |value| value.to_string());
        // A multi-line text would leave its other lines live.
        self.push(key, format!("# {} = {}", unqualified(key), known.replace('\n', "\n# ")));
    }

    /// `None` replaces the default in the original; here a key is left out instead.
    fn none(&mut self, setting: &Setting<'_>) {
        let Setting { key, original, line } = *setting;
        let default = (key.shown)(&Config::default());
        let stands_for_none = match &default {
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Table(table) => table.is_empty(),
            _ => false,
        };
        match key.name {
            "max_page_size" => self.push(key, "max_page_size = 0".to_owned()),
            "secure_proxy_ssl_header" => self.push(key, "secure_proxy_ssl_header = []".to_owned()),
            // Two weeks in both.
            "login_timeout" => {}
            _ if stands_for_none => {}
            name => {
                self.note(
                    line,
                    format!("{original} = None is left out: `{name}` is {default} unless it is set"),
                );
            }
        }
    }

    fn database(&mut self, value: &PyValue, line: usize) {
        let Some(key) = KEYS.iter().find(|key| key.name == "database_url") else { return };
        let PyValue::Dict(pairs) = value else {
            return self.unusable("DATABASE", line, value, "`database_url`");
        };
        let converted = database::url(pairs);
        for note in converted.notes {
            self.note(line, note);
        }
        let value = Value::String(converted.url);
        let holes = value_holes(pairs);
        for (entry, hole) in &holes {
            self.note(
                hole.line,
                format!("DATABASE.{entry} {}: complete `database_url` and remove its `#`", hole.describe()),
            );
            self.comment(key, &format!("DATABASE.{entry} {}", hole.describe()));
        }
        let comment = if holes.is_empty() { "" } else { "# " };
        self.push(key, format!("{comment}database_url = {value}"));
    }

    fn email(&mut self, pairs: Vec<(String, PyValue)>, line: usize) {
        for (entry, value) in pairs {
            let original = format!("EMAIL.{entry}");
            let in_capitals = entry == entry.to_uppercase();
            match look_up(&format!("email.{}", entry.to_lowercase()), Spelling::File) {
                Name::Key(key, Part::Value) if in_capitals => {
                    self.key(&Setting { key, original: &original, line }, &value);
                }
                _ => self.note(line, format!("{original} is left out: the original does not read it")),
            }
        }
    }

    /// A dictionary of settings that is put together in a way that cannot be followed.
    fn unusable(&mut self, name: &str, line: usize, value: &PyValue, ours: &str) {
        match value.holes().first() {
            Some(hole) => self.note(line, format!("{name} {}: set {ours} by hand", hole.describe())),
            None => self.note(line, format!("{name} is left out: it is no dictionary; set {ours} by hand")),
        }
    }

    fn push(&mut self, key: &Key, line: String) {
        if key.name.starts_with("email.") { self.email.push(line) } else { self.lines.push(line) }
    }

    fn finish(self) -> Converted {
        let mut toml = String::from(
            "# Converted from the original's configuration.py. It holds secrets: keep it from other users.\n\n\
             # Templates of the original are used to these; remove the lines when yours no longer need them.\n\
             template_undefined = \"lenient\"\nprefix_list_missing = \"empty\"\n\
             max_prefix_rule = \"plain\"\n\n",
        );
        for line in self.lines {
            toml.push_str(&line);
            toml.push('\n');
        }
        if !self.email.is_empty() {
            toml.push_str("\n[email]\n");
            for line in self.email {
                toml.push_str(&line);
                toml.push('\n');
            }
        }
        Converted { toml, notes: self.notes }
    }
}

/// The holes of a dictionary with the entry that each belongs to.
fn value_holes(pairs: &[(String, PyValue)]) -> Vec<(&str, &Hole)> {
    pairs
        .iter()
        .flat_map(|(entry, value)| value.holes().into_iter().map(move |hole| (entry.as_str(), hole)))
        .collect()
}

/// A name taken from the source may hold a newline, which would end a comment and begin a setting.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The name within its table.
fn unqualified(key: &Key) -> &'static str {
    key.name.split_once('.').map_or(key.name, |(_, name)| name)
}

/// Python is free with numbers: `"587"` and `86400 / 2` are whole numbers to the original.
fn fit(kind: Kind, value: &PyValue) -> Option<Value> {
    let value = value.to_toml()?;
    Some(match (kind, value) {
        (Kind::Integer, Value::String(text)) => {
            text.trim().parse().map_or_else(|_| Value::String(text.clone()), Value::Integer)
        }
        (Kind::Integer, Value::Float(number)) if number.fract() == 0.0 => {
            format!("{number:.0}").parse().map_or(Value::Float(number), Value::Integer)
        }
        (_, value) => value,
    })
}

fn placeholder(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "\"\"",
        Kind::Integer => "0",
        Kind::Boolean => "false",
        Kind::List => "[]",
        Kind::Table => "{}",
    }
}
