//! Documents of objects as files: text of YAML or JSON on one side, objects of the store on the other.
//!
//! `read_yaml.rs` and `read_json.rs` know in which line each place of a document stands, `write_yaml.rs` writes what
//! `read_yaml.rs` reads back as the same. The lists of the original's REST API are another matter: `import_original/`.

mod read_json;
mod read_yaml;
mod write_yaml;

use std::collections::HashMap;

use pm_store::objects::document::{self, Report, Secrets};
use pm_store::objects::problems::{Fault, ObjectError, Rules};
use pm_store::objects::write::Writing;
use pm_store::{Store, StoreError};
use serde::Serialize;
use serde_json::Value as Json;

use crate::Editor;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON (RFC 8259).
    Json,
}

/// A document that was read, and where its parts stand.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it says.
    pub value: Json,
    lines: HashMap<String, usize>,
}

/// A place of a document that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misplaced {
    /// Such as `routers[3].hostname`; empty for the document as a whole.
    pub path: String,
    /// The line of the file, from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Misplaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.path.as_str(), self.line) {
            ("", None) => f.write_str(&self.message),
            ("", Some(line)) => write!(f, "line {line}: {}", self.message),
            (path, None) => write!(f, "{path}: {}", self.message),
            (path, Some(line)) => write!(f, "{path}, line {line}: {}", self.message),
        }
    }
}

/// Why a document was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Places that are wrong. Nothing was stored.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Places(Vec<Misplaced>),
    /// The objects could not be read or stored.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

impl From<StoreError> for DocumentError {
    fn from(error: StoreError) -> Self {
        Self::Objects(error.into())
    }
}

/// Reads a text in the form that it has: JSON when it begins as an object of JSON does, YAML otherwise.
///
/// # Errors
/// [`DocumentError::Places`] with the line.
pub fn read(text: &str) -> Result<Document, DocumentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let read = if text.trim_start().starts_with('{') { read_json::read(text) } else { read_yaml::read(text) };
    let (value, lines) = read.map_err(|place| DocumentError::Places(vec![place]))?;
    Ok(Document { value, lines })
}

/// A value as people write one on a command line: `true`, `64500`, `[a, b]`, or text.
///
/// # Errors
/// What is wrong with it.
pub fn read_value(text: &str) -> Result<Json, String> {
    read_yaml::read(text).map(|(value, _)| value).map_err(|place| place.message)
}

/// Writes a document.
pub fn write(value: &Json, format: Format) -> String {
    match format {
        Format::Yaml => write_yaml::write(value),
        Format::Json => {
            let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
            text.push('\n');
            text
        }
    }
}

impl Document {
    /// The line at which a place stands, or that of what it is in.
    pub fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    fn placed(&self, fault: Fault) -> Misplaced {
        Misplaced { line: self.line(&fault.path), path: fault.path, message: fault.message }
    }
}

/// Makes and changes objects until they are as the document has them, all in one transaction; with `dry_run` says what
/// that would be.
///
/// # Errors
/// [`DocumentError::Places`] with everything that is wrong.
pub async fn import(editor: &Editor, document: &Document, dry_run: bool) -> Result<Report, DocumentError> {
    let mut transaction = editor.store.begin().await?;
    let trial = editor.keyring.for_trial().filter(|_| dry_run);
    let keyring = trial.as_ref().unwrap_or(&editor.keyring);
    let writing = Writing { keyring, ..editor.writing(Rules { checked: true, ..editor.rules }) };
    let report = document::import(&mut transaction.session(), writing, &document.value).await;
    match report {
        Ok(report) if dry_run => {
            transaction.rollback().await?;
            Ok(report)
        }
        Ok(report) => {
            transaction.commit().await?;
            Ok(report)
        }
        Err(ObjectError::Document(faults)) => {
            Err(DocumentError::Places(faults.into_iter().map(|fault| document.placed(fault)).collect()))
        }
        Err(other) => Err(other.into()),
    }
}

/// All objects as one document, as they are at one moment.
///
/// # Errors
/// Secrets that do not open, when they are asked for.
pub async fn export(store: &Store, secrets: Secrets<'_>) -> Result<Json, DocumentError> {
    let mut transaction = store.begin_reading().await?;
    Ok(document::export(&mut transaction.session(), secrets).await?)
}

/// A member's place.
fn member_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
