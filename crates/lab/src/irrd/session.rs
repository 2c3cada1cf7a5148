//! What a connection has been told, and its answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::query::{Query, Refusal};
use super::world::{Class, World};

/// What the real server says of itself.
const VERSION: &str = "IRRd -- version 4.5.4";
/// How many bytes of answers are kept before all are forgotten.
const CACHE_BYTES: usize = 256 << 20;

/// What all connections answer from.
#[derive(Debug)]
pub(crate) struct Registry {
    world: Arc<World>,
    /// The names that `!s` takes, with the index in the world; a source without objects has none.
    known: Vec<(String, Option<usize>)>,
    default: Arc<Selection>,
    /// The letters of commands that are not known.
    lacks: String,
    cache: Mutex<Cache>,
}

/// The sources that a connection looks into.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selection {
    /// As `!s-lc` prints them.
    names: String,
    /// Indices in the world, in order.
    indices: Vec<usize>,
}

/// Answers as they are sent, by everything they depend on.
#[derive(Debug, Default)]
struct Cache {
    answers: HashMap<Vec<u8>, Bytes>,
    bytes: usize,
}

impl Registry {
    /// `sources` are those that a connection begins with, in order; empty for all the world has. `lacks` are the
    /// letters of commands that are not known.
    pub(crate) fn new(world: Arc<World>, sources: &[String], lacks: String) -> Self {
        let mut known: Vec<(String, Option<usize>)> =
            world.sources().into_iter().enumerate().map(|(at, name)| (name.to_owned(), Some(at))).collect();
        for name in sources {
            let name = name.to_ascii_uppercase();
            if known.iter().all(|(other, _)| *other != name) {
                known.push((name, None));
            }
        }
        let chosen: Vec<String> = if sources.is_empty() {
            known.iter().map(|(name, _)| name.clone()).collect()
        } else {
            sources.iter().map(|name| name.to_ascii_uppercase()).collect()
        };
        // None of these is unknown.
        let default = Selection::of(&known, chosen.iter().map(String::as_str)).unwrap_or_default();
        Self { world, known, default: Arc::new(default), lacks, cache: Mutex::default() }
    }

    /// The sources a connection begins with, separated by commas.
    pub(crate) fn sources(&self) -> &str {
        &self.default.names
    }

    fn cached(&self, key: &[u8], compute: impl FnOnce() -> Bytes) -> Bytes {
        let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = lock().answers.get(key) {
            return answer.clone();
        }
        let answer = compute();
        let mut cache = lock();
        if cache.bytes > CACHE_BYTES {
            *cache = Cache::default();
        }
        cache.bytes += key.len() + answer.len();
        cache.answers.insert(key.to_owned(), answer.clone());
        answer
    }
}

impl Selection {
    /// None if one of the names is unknown.
    fn of<'a>(known: &[(String, Option<usize>)], names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut all = Vec::new();
        let mut indices = Vec::new();
        for name in names {
            let (_, index) = known.iter().find(|(other, _)| other == name)?;
            all.push(name);
            indices.extend(index.filter(|index| !indices.contains(index)));
        }
        Some(Self { names: all.join(","), indices })
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    registry: Arc<Registry>,
    selection: Arc<Selection>,
    /// Sets that are not entered, upper case: `!e`.
    excluded: Vec<String>,
    /// Whether the connection stays open after an answer: `!!`.
    pub(crate) multiple: bool,
    /// How long it may be idle.
    pub(crate) idle: Duration,
    /// The classes that the next look-up of objects is restricted to: RIPE's `-T`.
    pub(super) classes: Option<Vec<String>>,
    /// Where cache keys are put together.
    key: Vec<u8>,
}

/// What an answer consists of before it is framed.
enum Content {
    /// Nothing at all is sent.
    Silence,
    Done,
    Text(String),
    NotFound,
    /// Without frame, for queries in RIPE's manner.
    Plain(String),
}

impl Session {
    pub(crate) fn new(registry: Arc<Registry>, idle: Duration) -> Self {
        let selection = Arc::clone(&registry.default);
        Self {
            registry,
            selection,
            excluded: Vec::new(),
            multiple: false,
            idle,
            classes: None,
            key: Vec::new(),
        }
    }

    /// The sources selected, separated by commas.
    pub(crate) fn sources(&self) -> &str {
        &self.selection.names
    }

    /// The bytes that answer a line; none at all for `!!`.
    pub(crate) fn answer(&mut self, line: &str) -> Bytes {
        if let Some(letter) = line.strip_prefix('!').and_then(|rest| rest.chars().next())
            && self.registry.lacks.contains(letter)
        {
            return refused_command(letter);
        }
        let query = match Query::parse(line) {
            Ok(query) => query,
            Err(refusal) => return refused(&refusal),
        };
        if is_looked_up(&query) {
            self.key.clear();
            for part in [self.selection.names.as_str(), "\n"] {
                self.key.extend_from_slice(part.as_bytes());
            }
            for name in &self.excluded {
                self.key.extend_from_slice(name.as_bytes());
                self.key.push(b',');
            }
            self.key.push(b'\n');
            self.key.extend_from_slice(line.as_bytes());
            let registry = Arc::clone(&self.registry);
            return registry.cached(&self.key, || framed(self.look_up(&query)));
        }
        match self.obey(&query) {
            Ok(content) => framed(content),
            Err(refusal) => refused(&refusal),
        }
    }

    fn look_up(&self, query: &Query<'_>) -> Content {
        let world = &self.registry.world;
        let sources = &self.selection.indices;
        let text = match *query {
            Query::Routes(asn, families) => join(world.routes([asn], sources, families)),
            Query::SetRoutes(name, families) => {
                join(world.set_routes(name, sources, &self.excluded, families))
            }
            Query::Members(name) => join(world.members(name, sources)),
            Query::AllMembers(name) => join(world.all_members(name, sources, &self.excluded)),
            _ => String::new(),
        };
        if text.is_empty() { Content::NotFound } else { Content::Text(text) }
    }

    fn obey(&mut self, query: &Query<'_>) -> Result<Content, Refusal> {
        Ok(match *query {
            Query::KeepOpen => {
                self.multiple = true;
                Content::Silence
            }
            Query::Version => Content::Text(VERSION.to_owned()),
            Query::Timeout(idle) => {
                self.idle = idle;
                Content::Done
            }
            Query::ListSources => Content::Text(self.selection.names.clone()),
            Query::Select(list) => {
                self.select(list)?;
                Content::Done
            }
            Query::ListExcluded => Content::Text(self.excluded.join(",")),
            Query::Exclude(list) => {
                let names = list.to_uppercase();
                self.excluded =
                    if list.is_empty() { vec![] } else { names.split(',').map(Into::into).collect() };
                Content::Done
            }
            Query::Serials(list) => Content::Text(self.serials(list)),
            Query::Status(list) => Content::Text(self.status(list)),
            Query::Object(class, key) => self.object(class, key),
            Query::Ripe(line) => Content::Plain(self.ripe(line)),
            _ => Content::Done,
        })
    }

    pub(super) fn select(&mut self, list: &str) -> Result<(), Refusal> {
        let list = list.to_uppercase();
        let selection = Selection::of(&self.registry.known, list.split(','));
        let unknown = || Refusal("One or more selected sources are unavailable.".to_owned());
        self.selection = Arc::new(selection.ok_or_else(unknown)?);
        Ok(())
    }

    pub(super) fn select_default(&mut self) {
        self.selection = Arc::clone(&self.registry.default);
    }

    /// The sources of a list that hold something, and the names that are none.
    fn listed(&self, list: &str) -> (Vec<&str>, Vec<String>) {
        let names: Vec<String> = list.to_uppercase().split(',').map(str::to_owned).collect();
        let known =
            self.registry.known.iter().filter(|(_, index)| index.is_some()).map(|(name, _)| name.as_str());
        let there = known.filter(|name| list == "-*" || names.iter().any(|other| other == name)).collect();
        let unknown = |name: &String| self.registry.known.iter().all(|(known, _)| known != name);
        (there, if list == "-*" { vec![] } else { names.into_iter().filter(unknown).collect() })
    }

    /// Nothing is mirrored here, so no source has a serial number.
    fn serials(&self, list: &str) -> String {
        let (there, missing) = self.listed(list);
        let there = there.iter().map(|name| format!("{name}:N:-"));
        let missing = missing.iter().map(|name| format!("{name}:X:Database unknown"));
        there.chain(missing).collect::<Vec<_>>().join("\n")
    }

    fn status(&self, list: &str) -> String {
        let (there, missing) = self.listed(list);
        let mut all = serde_json::Map::new();
        for name in there {
            let status = json!({
                "source_type": "regular", "authoritative": false, "object_class_filter": null,
                "rpki_rov_filter": false, "scopefilter_enabled": false, "route_preference": null,
                "local_journal_kept": false, "serial_oldest_journal": null, "serial_newest_journal": null,
                "serial_last_export": null, "serial_newest_mirror": null, "synchronised_serials": false,
            });
            all.insert(name.to_owned(), status);
        }
        for name in missing {
            all.insert(name, json!({ "error": "Unknown source" }));
        }
        format!("{:#}", serde_json::Value::Object(all))
    }

    fn object(&mut self, class: &str, key: &str) -> Content {
        let wanted = self.classes.take();
        let Some(known) = Class::named(class) else { return Content::NotFound };
        if wanted.is_some_and(|wanted| wanted.iter().all(|other| other != class)) {
            return Content::NotFound;
        }
        let mut key = key.trim().to_uppercase();
        if matches!(known, Class::Route | Class::Route6) {
            key.retain(|c| c != ' ' && c != '-');
        }
        let first = self.objects(known, &key).into_iter().min_by_key(|(rank, _)| *rank);
        first.map_or(Content::NotFound, |(_, text)| Content::Text(text.to_owned()))
    }

    /// The texts of an object in the selected sources, each with the place of its source among them.
    pub(super) fn objects(&self, class: Class, key: &str) -> Vec<(usize, &str)> {
        self.registry.world.texts(class, key, &self.selection.indices)
    }
}

/// Whether the answer depends on the world, the selection and the excluded sets only, and is worth keeping.
fn is_looked_up(query: &Query<'_>) -> bool {
    matches!(query, Query::Routes(..) | Query::SetRoutes(..) | Query::Members(_) | Query::AllMembers(_))
}

fn join<T: ToString>(items: Vec<T>) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&item.to_string());
    }
    text
}

fn framed(content: Content) -> Bytes {
    match content {
        Content::Silence => Bytes::new(),
        Content::Text(text) if !text.is_empty() => Bytes::from(format!("A{}\n{text}\nC\n", text.len() + 1)),
        Content::Done | Content::Text(_) => Bytes::from_static(b"C\n"),
        Content::NotFound => Bytes::from_static(b"D\n"),
        Content::Plain(text) => Bytes::from(text),
    }
}

fn refused(refusal: &Refusal) -> Bytes {
    Bytes::from(format!("F {}\n", refusal.0))
}

/// What a server says that does not know the command.
pub(crate) fn refused_command(letter: char) -> Bytes {
    Bytes::from(format!("F Unrecognised command: {letter}\n"))
}
