//! The keys written down for people: the commented file of `config init` and the tables of the manual.

use std::borrow::Cow;

use crate::Config;
use crate::key::{Class, Key};
use crate::keys::{IGNORED, KEYS};
use crate::show::push;

/// Widest comment line of the commented file, in characters.
const WIDTH: usize = 98;

/// A configuration file with every key that has an effect, its documentation and its default, commented out.
pub fn init_text() -> String {
    let defaults = Config::default();
    let mut text = String::from(
        "# Settings of Peering Manager.\n\
         #\n\
         # Every line shows the default; remove the `#` in front of a key to change it. Any key can also be set\n\
         # in the environment as PEERING_MANAGER_<KEY>, which goes before this file. A secret can be kept in a\n\
         # file of its own, named by <key>_file.\n",
    );
    for key in KEYS.iter().filter(|key| key.class == Class::Used && key.deprecated.is_none()) {
        text.push('\n');
        for line in wrap(&key.documentation()) {
            push(&mut text, format_args!("# {line}\n"));
        }
        if let Some(range) = &key.range {
            push(&mut text, format_args!("# From {} to {}.\n", range.start(), range.end()));
        }
        push(&mut text, format_args!("#{} = {}\n", key.name, (key.shown)(&defaults)));
    }
    text
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The tables of the manual page on settings, in Markdown.
pub fn reference_markdown() -> String {
    let mut text = String::from("## Settings\n\n");
    key_table(&mut text, Class::Used);
    text.push_str(
        "\n## Settings for later versions\n\n\
         Read and checked, and without effect in this version; a value other than the default gives a warning.\n\n",
    );
    key_table(&mut text, Class::Later);
    text.push_str(
        "\n## Settings of the original without a meaning here\n\n\
         Accepted with a warning, so that a converted file need not be cleaned first.\n\n\
         | Key | Why |\n| --- | --- |\n",
    );
    for ignored in IGNORED {
        push(&mut text, format_args!("| `{}` | {} |\n", ignored.name, cell(ignored.why)));
    }
    text
}

fn key_table(text: &mut String, class: Class) {
    let defaults = Config::default();
    text.push_str("| Key | Type | Default | Environment | Meaning |\n| --- | --- | --- | --- | --- |\n");
    for key in KEYS.iter().filter(|key| key.class == class) {
        push(
            text,
            format_args!(
                "| `{}` | {} | {} | {} | {} |\n",
                key.name,
                key.type_text(),
                default_cell(key, &defaults),
                variables_cell(key),
                meaning_cell(key),
            ),
        );
    }
}

fn default_cell(key: &Key, defaults: &Config) -> String {
    match (key.shown)(defaults) {
        toml::Value::String(text) if text.is_empty() => String::new(),
        value => format!("`{}`", cell(&value.to_string())),
    }
}

fn variables_cell(key: &Key) -> String {
    let names = std::iter::once(key.variable()).chain(key.variables.iter().map(|name| (*name).to_owned()));
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn meaning_cell(key: &Key) -> String {
    let mut meaning = cell(&key.documentation()).into_owned();
    if let Some(instead) = key.deprecated {
        push(&mut meaning, format_args!(" Deprecated: {}.", cell(instead)));
    }
    for alias in key.aliases {
        push(&mut meaning, format_args!(" Former name: `{alias}`."));
    }
    if key.is_secret() {
        push(&mut meaning, format_args!(" Or `{}_file`, a file that holds it.", key.name));
    }
    meaning
}

/// A bar would end the cell of a Markdown table, also inside code.
fn cell(text: &str) -> Cow<'_, str> {
    if text.contains('|') { text.replace('|', "\\|").into() } else { text.into() }
}

#[cfg(test)]
mod tests;
