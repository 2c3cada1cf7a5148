//! The TOML file, with the line of every key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::ConfigError;
use crate::layer::Layer;
use crate::load::Origin;

/// Reads the file; what it says is judged later, together with the rest.
pub(crate) fn read(path: &Path) -> Result<Layer, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Layer, ConfigError> {
    // Only the parser's own words: its full message quotes the line, which may hold a secret.
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_at(text, span.start)),
        message: error.message().to_owned(),
    };
    let table: toml::Table = toml::from_str(text).map_err(syntax)?;
    let lines = lines(text).map_err(syntax)?;
    let path = PathBuf::from(path);
    let mut layer = Layer::default();
    layer.add_table(table, "", &|name| Origin::File {
        path: path.clone(),
        line: lines.get(name).copied().unwrap_or(1),
    });
    Ok(layer)
}

/// The line of every key, and of every key of a table by its dotted name.
fn lines(text: &str) -> Result<BTreeMap<String, usize>, toml::de::Error> {
    let mut lines = BTreeMap::new();
    for (name, value) in DeTable::parse(text)?.get_ref() {
        lines.insert(name.get_ref().to_string(), line_at(text, name.span().start));
        if let DeValue::Table(table) = value.get_ref() {
            for inner in table.keys() {
                let line = line_at(text, inner.span().start);
                lines.insert(format!("{}.{}", name.get_ref(), inner.get_ref()), line);
            }
        }
    }
    Ok(lines)
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
