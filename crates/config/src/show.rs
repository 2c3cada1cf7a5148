//! The effective settings, for `config show`.

use std::fmt::Write as _;

use serde_json::json;

use crate::Loaded;
use crate::key::{Class, Key};
use crate::keys::KEYS;

impl Loaded {
    /// The effective settings as TOML, secrets masked, with a comment after each value that is not the default.
    ///
    /// Settings for parts that are not built yet appear when they were set.
    pub fn show_toml(&self) -> String {
        let mut text = match &self.file {
            Some(path) => format!("# configuration file: {}\n", path.display()),
            None => "# no configuration file\n".to_owned(),
        };
        let mut section = "";
        for key in self.shown_keys() {
            let name = match key.name.split_once('.') {
                Some((table, name)) => {
                    if table != section {
                        section = table;
                        push(&mut text, format_args!("\n[{table}]\n"));
                    }
                    name
                }
                None => key.name,
            };
            push(&mut text, format_args!("{name} = {}", (key.shown)(&self.config)));
            if let Some(origin) = self.origins.get(key.name) {
                push(&mut text, format_args!("  # {origin}"));
            }
            text.push('\n');
        }
        text
    }

    /// The same as JSON: `file` (path or null), `settings` (by key, each with `value` and `origin`, which is null
    /// for a default) and `warnings` (texts).
    pub fn show_json(&self) -> serde_json::Value {
        let setting = |key: &Key| {
            let origin = self.origins.get(key.name).map(ToString::to_string);
            (key.name.to_owned(), json!({ "value": (key.shown)(&self.config), "origin": origin }))
        };
        json!({
            "file": self.file.as_ref().map(|path| path.display().to_string()),
            "settings": self.shown_keys().map(setting).collect::<serde_json::Map<_, _>>(),
            "warnings": self.warnings,
        })
    }

    /// The keys of tables last, as TOML wants it and as the table of keys has them.
    fn shown_keys(&self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(|key| key.class == Class::Used || self.origins.contains_key(key.name))
    }
}

/// Appends to a text, which cannot fail.
pub(crate) fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // `String` never refuses a write; the result exists for the sake of the trait.
    let _ = text.write_fmt(what);
}

#[cfg(test)]
mod tests;
