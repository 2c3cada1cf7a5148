//! Answers of one run, taken apart and kept, so that nothing is asked twice.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::request::{Limits, Lookup, Note};
use crate::names::{asn, set_class, shown};
use crate::{
    Answer, Class, Family, Kind, Outcome, Prefix, PrefixRange, Query, SetReference, Sources,
    parse_prefix_range,
};

/// Why a list is not there (yet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Some questions have no answer yet. The list begins anew when they have.
    Waiting,
    TooBig {
        what: String,
        count: u64,
    },
    Failed(String),
}

impl Stop {
    pub(crate) fn too_big(what: &str, count: usize, limit: usize) -> Self {
        Self::TooBig { what: format!("{what} (limit {limit})"), count: count as u64 }
    }

    /// `None` while waiting.
    pub(crate) fn lookup<T>(self) -> Option<Lookup<T>> {
        match self {
            Self::Waiting => None,
            Self::TooBig { what, count } => Some(Lookup::TooBig { what, count }),
            Self::Failed(reason) => Some(Lookup::Failed(reason)),
        }
    }
}

/// All results, or the reason that counts most: who has failed asks for nothing more. Every part is looked at first, so
/// that the questions of all parts go out together.
pub(crate) fn all<T>(parts: impl IntoIterator<Item = Result<T, Stop>>) -> Result<Vec<T>, Stop> {
    let mut stop = None;
    let mut found = Vec::new();
    for part in parts {
        match (part, &stop) {
            (Ok(part), None) => found.push(part),
            (Err(new), None | Some(Stop::Waiting)) => stop = Some(new),
            (Err(Stop::Failed(reason)), Some(Stop::TooBig { .. })) => stop = Some(Stop::Failed(reason)),
            (Ok(_) | Err(_), Some(_)) => {}
        }
    }
    stop.map_or(Ok(found), Err)
}

/// Both results, by the same rule.
pub(crate) fn both<A, B>(one: Result<A, Stop>, other: Result<B, Stop>) -> Result<(A, B), Stop> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => Err(all([one.map(|_| ()), other.map(|_| ())]).err().unwrap_or(Stop::Waiting)),
    }
}

/// Direct members of a set, or all AS numbers below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Sorted, each once.
    pub asns: Vec<u32>,
    /// Names, upper case, sorted, each once.
    pub sets: Vec<Arc<str>>,
    /// Of a route-set.
    pub ranges: Vec<PrefixRange>,
    /// Members that are nothing of these.
    pub others: Missing,
}

/// Members behind which there is nothing: how many, and the first few names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    count: usize,
    names: Vec<String>,
}

impl Missing {
    /// How many names are kept.
    const SHOWN: usize = 5;

    pub(crate) fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < Self::SHOWN {
            self.names.push(name.chars().take(80).flat_map(char::escape_default).collect());
        }
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        self.count += other.count;
        let room = Self::SHOWN - self.names.len();
        self.names.extend(other.names.iter().take(room).cloned());
    }

    /// What to tell about a set with such members.
    pub(crate) fn note(&self, set: &SetReference) -> Option<Note> {
        let names = self.names.clone();
        (self.count > 0).then(|| Note::Missing { set: set.to_string(), count: self.count, names })
    }
}

/// What is known about one question.
#[derive(Debug)]
enum Known {
    Prefixes(Vec<Prefix>),
    Members(Members),
    /// There was data. It was given out, and is forgotten.
    Forgotten,
    /// The object exists.
    Exists,
    /// No data.
    Nothing,
    /// The server does not answer questions of this kind.
    Unsaid,
    /// The server does not expand this set.
    Unexpanded(String),
    TooBig {
        what: String,
        count: u64,
    },
    Failed(String),
}

/// Everything that was asked.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// `None`: asked, not answered yet.
    known: HashMap<Query, Option<Known>>,
}

impl Answers {
    /// Notes that a question goes out. False if it did already, and the answer will come or is there.
    pub(crate) fn begin(&mut self, query: &Query) -> bool {
        let is_new = matches!(self.known.get(query), None | Some(Some(Known::Forgotten)));
        if is_new {
            self.known.insert(query.clone(), None);
        }
        is_new
    }

    /// Whether a list of prefixes is held.
    #[cfg(test)]
    pub(crate) fn holds_prefixes(&self) -> bool {
        self.known.values().any(|known| matches!(known, Some(Known::Prefixes(_))))
    }

    /// Keeps an answer, if one was due.
    pub(crate) fn put(&mut self, query: &Query, outcome: Outcome, limits: &Limits) {
        if let Some(known @ None) = self.known.get_mut(query) {
            *known = Some(take_apart(query, outcome, limits));
        }
    }

    /// Whether the answer to a question is due.
    pub(crate) fn is_due(&self, query: &Query) -> bool {
        matches!(self.known.get(query), Some(None))
    }

    /// Lets a list of prefixes go that nobody needs any more.
    pub(crate) fn forget(&mut self, query: &Query) {
        if let Some(Some(known @ Known::Prefixes(_))) = self.known.get_mut(query) {
            *known = Known::Forgotten;
        }
    }
}

/// The answers, as those see them who make lists: whoever looks for an answer that is not there leaves the question
/// behind.
pub(crate) struct View<'a> {
    answers: &'a Answers,
    /// Questions that have no answer yet.
    pub(crate) lacking: RefCell<Vec<Query>>,
    /// Questions for the routes of a whole set: the answers are big, and are let go when all who use them have done so.
    pub(crate) used: RefCell<Vec<Query>>,
    pub(crate) limits: &'a Limits,
    /// Whether the server answers `!a`.
    pub(crate) set_routes: bool,
    /// Whether it did not, when asked.
    pub(crate) refused: Cell<bool>,
}

impl<'a> View<'a> {
    pub(crate) fn new(answers: &'a Answers, limits: &'a Limits, set_routes: bool) -> Self {
        Self {
            answers,
            lacking: RefCell::default(),
            used: RefCell::default(),
            limits,
            set_routes,
            refused: Cell::new(false),
        }
    }

    /// Prefixes, sorted, each once, not empty. `None`: no data.
    pub(crate) fn prefixes(
        &self,
        sources: &Sources,
        kind: Kind,
        name: &str,
    ) -> Result<Option<&'a [Prefix]>, Stop> {
        let query = Query { sources: sources.clone(), kind, name: name.to_owned() };
        if matches!(kind, Kind::SetRoutes(_)) {
            self.used.borrow_mut().push(query.clone());
        }
        match self.get(query)? {
            Known::Prefixes(prefixes) => Ok(Some(prefixes)),
            _ => Ok(None),
        }
    }

    /// The prefixes that an AS originates; none is as good as no data.
    pub(crate) fn routes(&self, sources: &Sources, family: Family, asn: u32) -> Result<&'a [Prefix], Stop> {
        Ok(self.prefixes(sources, Kind::Routes(family), &format!("AS{asn}"))?.unwrap_or_default())
    }

    /// Members. `None`: no data.
    pub(crate) fn members(
        &self,
        sources: &Sources,
        kind: Kind,
        name: &str,
    ) -> Result<Option<&'a Members>, Stop> {
        match self.get(Query { sources: sources.clone(), kind, name: name.to_owned() })? {
            Known::Members(members) => Ok(Some(members)),
            _ => Ok(None),
        }
    }

    /// Whether an object exists. `None`: the server does not say.
    pub(crate) fn exists(&self, sources: &Sources, class: Class, name: &str) -> Result<Option<bool>, Stop> {
        match self.get(Query {
            sources: sources.clone(),
            kind: Kind::Object(class),
            name: name.to_owned(),
        })? {
            Known::Exists => Ok(Some(true)),
            Known::Nothing => Ok(Some(false)),
            _ => Ok(None),
        }
    }

    /// Whether one of these questions about a name was asked anyhow, and had an answer with data. What is still on its
    /// way is waited for.
    pub(crate) fn had_data(&self, sources: &Sources, kinds: &[Kind], name: &str) -> Result<bool, Stop> {
        let mut waiting = false;
        for &kind in kinds {
            let query = Query { sources: sources.clone(), kind, name: name.to_owned() };
            match self.answers.known.get(&query) {
                Some(Some(Known::Prefixes(_) | Known::Members(_) | Known::Forgotten)) => return Ok(true),
                Some(None) => {
                    waiting = true;
                    self.lacking.borrow_mut().push(query);
                }
                _ => {}
            }
        }
        if waiting { Err(Stop::Waiting) } else { Ok(false) }
    }

    fn get(&self, query: Query) -> Result<&'a Known, Stop> {
        match self.answers.known.get(&query) {
            Some(Some(Known::Failed(reason))) => Err(Stop::Failed(reason.clone())),
            Some(Some(Known::Unexpanded(reason))) => {
                self.refused.set(true);
                Err(Stop::Failed(reason.clone()))
            }
            Some(Some(Known::TooBig { what, count })) => {
                Err(Stop::TooBig { what: what.clone(), count: *count })
            }
            Some(Some(known)) if !matches!(known, Known::Forgotten) => Ok(known),
            _ => {
                self.lacking.borrow_mut().push(query);
                Err(Stop::Waiting)
            }
        }
    }
}

fn take_apart(query: &Query, outcome: Outcome, limits: &Limits) -> Known {
    let is_object = matches!(query.kind, Kind::Object(_));
    match outcome {
        Ok(Answer::Data(_) | Answer::Ambiguous | Answer::TooBig(_)) if is_object => Known::Exists,
        Ok(Answer::Done | Answer::Refused(_)) if is_object => Known::Unsaid,
        Ok(Answer::Data(text)) => match query.kind {
            Kind::Routes(family) | Kind::SetRoutes(family) => take_prefixes(query, family, &text, limits),
            Kind::Members | Kind::AllMembers | Kind::Object(_) => take_members(query, &text, limits),
        },
        Ok(Answer::NotFound | Answer::Done) => Known::Nothing,
        Ok(Answer::Ambiguous) => failed(query, "the server has several objects of this name"),
        Ok(Answer::Refused(reason)) => match failed(query, &format!("refused: {reason}")) {
            Known::Failed(reason) if matches!(query.kind, Kind::SetRoutes(_)) => Known::Unexpanded(reason),
            failed => failed,
        },
        Ok(Answer::TooBig(count)) => Known::TooBig { what: format!("bytes in the answer to {query}"), count },
        Err(failure) => failed(query, &failure.0),
    }
}

fn failed(query: &Query, reason: &str) -> Known {
    let within = match &query.sources {
        Sources::Default => String::new(),
        Sources::Only(sources) => format!(" in {sources}"),
    };
    Known::Failed(format!("{} ({query}{within}): {reason}", query.name))
}

fn take_prefixes(query: &Query, family: Family, text: &str, limits: &Limits) -> Known {
    let count = text.split_ascii_whitespace().count();
    if count > limits.prefixes {
        return too_big("prefixes", query, count, limits.prefixes);
    }
    let mut prefixes = Vec::with_capacity(count);
    for word in text.split_ascii_whitespace() {
        match word.parse::<Prefix>() {
            Ok(prefix) if prefix.family() == family => prefixes.push(prefix),
            _ => return failed(query, &format!("the server gave {} among the prefixes", shown(word))),
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    if prefixes.is_empty() { Known::Nothing } else { Known::Prefixes(prefixes) }
}

/// Members that are neither are kept by name: on the server they vanish silently, here they are counted.
fn take_members(query: &Query, text: &str, limits: &Limits) -> Known {
    let count = text.split_ascii_whitespace().count();
    let limit =
        if set_class(&query.name) == Some(Class::RouteSet) { limits.prefixes } else { limits.members };
    if count > limit {
        return too_big("members", query, count, limit);
    }
    let mut members = Members::default();
    for word in text.split_ascii_whitespace() {
        if let Some(asn) = asn(word) {
            members.asns.push(asn);
        } else if let Ok(range) = parse_prefix_range(word) {
            members.ranges.push(range);
        } else {
            let name = word.to_ascii_uppercase();
            if set_class(&name).is_some() {
                members.sets.push(name.into());
            } else {
                members.others.add(&name);
            }
        }
    }
    members.asns.sort_unstable();
    members.asns.dedup();
    members.sets.sort_unstable();
    members.sets.dedup();
    if count == 0 { Known::Nothing } else { Known::Members(members) }
}

fn too_big(what: &str, query: &Query, count: usize, limit: usize) -> Known {
    match Stop::too_big(&format!("{what} of {}", query.name), count, limit) {
        Stop::TooBig { what, count } => Known::TooBig { what, count },
        Stop::Waiting | Stop::Failed(_) => Known::Nothing,
    }
}
