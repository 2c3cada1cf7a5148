//! Takes an answer of the API apart while it arrives.
//!
//! The answer is cut into one slice of text per record, and each slice is parsed on its own. That is as fast
//! as parsing the whole, needs memory for one record only, and an element that is no record does not cost the
//! others. Nor does a value that cannot be held (a number of 400 digits, a hundred nested lists) cost its
//! record: where a slice cannot be parsed at once, each of its values is parsed on its own. What is no JSON at
//! all does: then the answer as a whole is not to be trusted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::error::ReadError;
use crate::printable::{excerpt_of_bytes, printable};
use crate::record::{Draft, Record};
use crate::repair::repair;
use crate::splitter::Splitter;
use crate::types::Namespace;

/// A batch is handed out when it has this many records,
const BATCH_RECORDS: usize = 500;
/// or when their text has this many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// An answer with more unusable elements than this is not the API's, and they must not fill the memory.
const UNUSABLE_LIMIT: usize = 10_000;

/// Whoever takes the records does not want any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes the records any more")]
pub struct SinkClosed;

/// What an answer held besides the records that were handed out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// `meta.generated`: when `PeeringDB` made the answer. Cached answers have it.
    pub generated: Option<DateTime<Utc>>,
    /// Records handed out.
    pub records: u64,
    /// Length of the text, after decompression.
    pub bytes: u64,
    /// Elements that are no record.
    pub unusable: Vec<Unusable>,
}

/// An element of an answer that cannot be stored: it is no object, or has no whole number as its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Where it stood in the answer; the first is 0.
    pub position: u64,
    /// When it last changed, as far as that could be read.
    pub updated: Option<DateTime<Utc>>,
    /// For people.
    pub why: String,
    /// The first 200 characters of its text, with spaces for control characters.
    pub excerpt: String,
}

/// Reads an answer: `{"meta": {…}, "data": […]}` in either order, or the list alone, as in saved dumps.
///
/// Records go to `sink` in batches of up to 500 or about 1 MB of text, whichever comes first. Some may have
/// gone there already when the answer turns out to be cut or broken.
pub fn read(
    namespace: Namespace,
    reader: impl Read,
    sink: &mut dyn FnMut(Vec<Record>) -> Result<(), SinkClosed>,
) -> Result<Contents, ReadError> {
    walk(namespace, BufReader::with_capacity(64 * 1024, reader), sink)
}

pub(crate) fn walk(
    namespace: Namespace,
    input: impl BufRead,
    sink: &mut dyn FnMut(Vec<Record>) -> Result<(), SinkClosed>,
) -> Result<Contents, ReadError> {
    let mut walk = Walk {
        namespace,
        text: Splitter::new(input),
        slice: Vec::new(),
        position: 0,
        batch: Vec::new(),
        batch_bytes: 0,
        contents: Contents::default(),
        sink,
    };
    match walk.text.peek()? {
        Some(b'[') => walk.list()?,
        Some(b'{') => walk.envelope()?,
        Some(_) => return Err(walk.text.malformed("it begins neither with { nor with [")),
        None => return Err(walk.text.cut()),
    }
    if walk.text.peek()?.is_some() {
        return Err(walk.text.malformed("it goes on after its end"));
    }
    walk.hand_out()?;
    walk.contents.bytes = walk.text.position();
    Ok(walk.contents)
}

struct Walk<'a, R> {
    namespace: Namespace,
    text: Splitter<R>,
    /// The text of the value at hand.
    slice: Vec<u8>,
    /// Of the next element in the list.
    position: u64,
    batch: Vec<Record>,
    batch_bytes: usize,
    contents: Contents,
    sink: &'a mut dyn FnMut(Vec<Record>) -> Result<(), SinkClosed>,
}

impl<R: BufRead> Walk<'_, R> {
    fn envelope(&mut self) -> Result<(), ReadError> {
        let mut listed = false;
        self.text.expect(b'{')?;
        let mut more = !self.text.skip(b'}')?;
        while more {
            let key: String = self.value("a key is missing")?;
            self.text.expect(b':')?;
            if key == "data" {
                if listed {
                    return Err(self.text.malformed("it has two lists of records"));
                }
                self.list()?;
                listed = true;
            } else if key == "meta" {
                let IgnoredAny = self.value("a value is missing")?;
                // It is no reason to refuse the answer if this one value cannot be held.
                let meta: Json = serde_json::from_slice(&self.slice).unwrap_or_default();
                self.contents.generated = meta.get("generated").and_then(moment);
            } else {
                let IgnoredAny = self.value("a value is missing")?;
            }
            more = self.text.another(b'}')?;
        }
        if listed { Ok(()) } else { Err(self.text.malformed("it has no list of records named data")) }
    }

    fn list(&mut self) -> Result<(), ReadError> {
        self.text.expect(b'[')?;
        let mut more = !self.text.skip(b']')?;
        while more {
            self.text.value(&mut self.slice)?;
            self.element()?;
            more = self.text.another(b']')?;
        }
        Ok(())
    }

    fn value<T: serde::de::DeserializeOwned>(&mut self, what: &str) -> Result<T, ReadError> {
        self.text.value(&mut self.slice)?;
        serde_json::from_slice(&self.slice).map_err(|error| self.text.malformed(&format!("{what}: {error}")))
    }

    fn element(&mut self) -> Result<(), ReadError> {
        match element(self.namespace, &self.slice) {
            Ok(record) => {
                self.batch.push(record);
                self.batch_bytes += self.slice.len();
                if self.batch.len() >= BATCH_RECORDS || self.batch_bytes >= BATCH_BYTES {
                    self.hand_out()?;
                }
            }
            Err(NoRecord::Unusable { .. }) if self.contents.unusable.len() == UNUSABLE_LIMIT => {
                return Err(self
                    .text
                    .malformed(&format!("more than {UNUSABLE_LIMIT} elements of the list are no records")));
            }
            Err(NoRecord::Unusable { why, updated }) => {
                self.contents.unusable.push(Unusable {
                    position: self.position,
                    updated,
                    why: printable(&why),
                    excerpt: excerpt_of_bytes(&self.slice),
                });
            }
            Err(NoRecord::Malformed(why)) => {
                return Err(self.text.malformed(&format!("element {} of the list: {why}", self.position)));
            }
        }
        self.position += 1;
        Ok(())
    }

    fn hand_out(&mut self) -> Result<(), ReadError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.contents.records += self.batch.len() as u64;
        self.batch_bytes = 0;
        (self.sink)(std::mem::take(&mut self.batch))?;
        Ok(())
    }
}

enum NoRecord {
    Unusable { why: String, updated: Option<DateTime<Utc>> },
    Malformed(String),
}

fn element(namespace: Namespace, text: &[u8]) -> Result<Record, NoRecord> {
    let unusable = |why: String| NoRecord::Unusable { why, updated: None };
    if text.first() != Some(&b'{') {
        return match serde_json::from_slice::<IgnoredAny>(text) {
            Ok(IgnoredAny) => Err(unusable("it is no object".to_owned())),
            Err(error) => Err(NoRecord::Malformed(error.to_string())),
        };
    }
    let draft = draft(namespace, text).or_else(|_| {
        // Ignoring checks the grammar, but neither the range of numbers nor the characters of texts.
        if let Err(error) = serde_json::from_slice::<IgnoredAny>(text) {
            return Err(NoRecord::Malformed(error.to_string()));
        }
        let repaired = repair(text);
        let mut draft = draft_in_pieces(namespace, repaired.as_deref().unwrap_or(text))
            .map_err(|error| unusable(error.to_string()))?;
        if repaired.is_some() {
            draft.repaired();
        }
        Ok(draft)
    })?;
    let updated = draft.updated();
    draft.finish().map_err(|error| NoRecord::Unusable { why: error.to_string(), updated })
}

fn draft(namespace: Namespace, text: &[u8]) -> serde_json::Result<Draft> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let mut draft = Draft::new(namespace);
    deserializer.deserialize_map(Keys(&mut draft))?;
    deserializer.end()?;
    Ok(draft)
}

/// The draft of an object of which some values may be beyond what can be held: those keep their text.
fn draft_in_pieces(namespace: Namespace, text: &[u8]) -> serde_json::Result<Draft> {
    let pieces: BTreeMap<String, &RawValue> = serde_json::from_slice(text)?;
    let mut draft = Draft::new(namespace);
    for (key, piece) in pieces {
        // In brackets it is nested as deep as in the record. On its own it could be one level deeper, and then
        // nobody could read the record again.
        match serde_json::from_str::<[Json; 1]>(&format!("[{}]", piece.get())) {
            Ok([value]) => draft.put(&key, value),
            Err(_) => draft.put_text(&key, piece.get()),
        }
    }
    Ok(draft)
}

/// Puts every key of an object into the draft, without making a map of them first.
struct Keys<'a>(&'a mut Draft);

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            self.0.put(&key, map.next_value()?);
        }
        Ok(())
    }
}

/// A key, borrowed from the text unless it has escapes in it.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// A time given as seconds since 1970, whole or with a fraction.
fn moment(seconds: &Json) -> Option<DateTime<Utc>> {
    if let Some(whole) = seconds.as_i64() {
        return DateTime::from_timestamp(whole, 0);
    }
    let since_epoch = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::from_std(since_epoch).ok()?)
}
