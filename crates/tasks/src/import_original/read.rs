//! The files: which are known, and what is in them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::{cache, convert};
use crate::TaskError;

/// Columns that REST leaves out: by list, id and column.
const COLUMNS: &str = "_columns-not-in-rest";

/// What was read.
#[derive(Default)]
pub(super) struct Files {
    /// Objects by list, such as `net--connections`.
    pub(super) lists: BTreeMap<String, Vec<Map<String, Json>>>,
    /// More columns by list.
    pub(super) columns: Map<String, Json>,
}

/// Reads every list that is known, and says what else is there.
pub(super) fn read(directory: &Path) -> Result<(Files, Vec<String>), TaskError> {
    let failed = |error: std::io::Error| TaskError::Failed(format!("{}: {error}", directory.display()));
    let (mut files, mut notes) = (Files::default(), Vec::new());
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(list) = name.strip_suffix(".json") else {
            notes.push(format!("{name}: not read: its name does not end in .json"));
            continue;
        };
        let list = convert::known_as(list);
        let known = list == COLUMNS || convert::knows(list) || cache::knows(list);
        if !known {
            notes.push(format!("{name}: not read: there are no such objects here"));
            continue;
        }
        let json = parse(&path)?;
        if list == COLUMNS {
            match json {
                Json::Object(columns) => files.columns = columns,
                _ => notes.push(format!("{name}: not read: it is no JSON object")),
            }
        } else {
            let rows = rows(&name, json, &mut notes)?;
            if files.lists.insert(list.to_owned(), rows).is_some() {
                return Err(TaskError::Failed(format!(
                    "{name}: the directory holds these objects twice, under the names of two versions of the original"
                )));
            }
        }
    }
    if files.lists.is_empty() {
        return Err(TaskError::Failed(format!(
            "{} holds no list of the original's REST API: a file is called app--collection.json, such as \
             peering--autonomous-systems.json",
            directory.display()
        )));
    }
    Ok((files, notes))
}

fn parse(path: &Path) -> Result<Json, TaskError> {
    let failed = |error: &dyn std::fmt::Display| TaskError::Failed(format!("{}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    serde_json::from_reader(std::io::BufReader::new(file)).map_err(|error| failed(&error))
}

/// The objects of a bare list, of a page as the API gives it, or of a list of pages.
fn rows(name: &str, json: Json, notes: &mut Vec<String>) -> Result<Vec<Map<String, Json>>, TaskError> {
    let wrong = || TaskError::Failed(format!("{name}: neither a list of objects nor an answer with results"));
    let mut rows = Vec::new();
    let mut counted = None;
    let items = match json {
        Json::Array(items) => items,
        page @ Json::Object(_) => vec![page],
        _ => return Err(wrong()),
    };
    for item in items {
        let Json::Object(mut item) = item else { return Err(wrong()) };
        match (item.remove("results"), item.get("count").and_then(Json::as_u64)) {
            (Some(Json::Array(results)), Some(count)) => {
                counted = Some(count);
                for row in results {
                    let Json::Object(row) = row else { return Err(wrong()) };
                    rows.push(row);
                }
            }
            (None, _) if item.contains_key("id") => rows.push(item),
            _ => return Err(wrong()),
        }
    }
    if let Some(count) = counted.filter(|count| *count != rows.len() as u64) {
        notes.push(format!(
            "{name}: holds {} of {count} objects: fetch every page, or with ?limit=0",
            rows.len()
        ));
    }
    Ok(rows)
}
