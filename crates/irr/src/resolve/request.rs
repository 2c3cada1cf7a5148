//! What can be asked of [`resolve`](super::resolve), and what it gives back.

use std::fmt;

use crate::{Exception, Family, Object, Prefix, PrefixRange, Sources};

/// One prefix list, one AS list, or both, of the same objects: the arguments of one run of bgpq4.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What the lists are made of.
    pub objects: Vec<Object>,
    /// What is not entered below sets.
    pub except: Vec<Exception>,
    /// Where to look. An object with a source of its own is read from there; its members and all routes from here.
    pub sources: Sources,
    /// How many levels of sets are entered (`-L`); 1 takes only the AS numbers that stand in the set itself.
    pub depth: Option<u32>,
    /// Whether private and reserved AS numbers are kept (`-p`).
    pub private: bool,
    /// Which lists.
    pub want: Want,
}

impl Request {
    /// Whether bgpq4 would expand its sets itself instead of leaving that to the server. It does not change what is
    /// asked here, but private AS numbers are dropped then, as in bgpq4.
    pub(crate) fn is_expanded_by_client(&self) -> bool {
        let has_source = |object: &Object| match object {
            Object::AsSet(set) | Object::RouteSet(set) => set.source.is_some(),
            Object::Asn(_) | Object::Prefix(_) | Object::Ignored(_) => false,
        };
        self.depth.is_some() || !self.except.is_empty() || self.objects.iter().any(has_source)
    }

    /// The lists that are wanted.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = What> {
        let Want { ipv4, ipv6, as_list } = self.want;
        let lists =
            [(ipv4, What::Prefixes(Family::V4)), (ipv6, What::Prefixes(Family::V6)), (as_list, What::AsList)];
        lists.into_iter().filter_map(|(wanted, what)| wanted.then_some(what))
    }
}

/// Which lists of a request are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Want {
    /// The IPv4 prefixes.
    pub ipv4: bool,
    /// The IPv6 prefixes.
    pub ipv6: bool,
    /// The AS numbers. Route-sets and prefixes have none.
    pub as_list: bool,
}

/// One list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Prefixes of a family.
    Prefixes(Family),
    /// AS numbers.
    AsList,
}

/// What became of looking something up. None of these may stand for another: an empty list that is installed lets
/// nothing through, and a list that is missing must not be taken for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// There it is.
    Found(T),
    /// The server knows the objects, or one of them, and there is nothing behind them.
    Empty,
    /// The server knows none of the objects; their names.
    Unknown(Vec<String>),
    /// No data, and the server does not say whether the objects exist.
    Nothing,
    /// More than is taken.
    TooBig {
        /// What is too big, and the limit.
        what: String,
        /// How many there are, or at least are.
        count: u64,
    },
    /// Some question was refused or not answered; names the question and the reason.
    Failed(String),
}

/// What stands behind the objects of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Prefixes of one family. Neither list is aggregated.
    Prefixes {
        /// Single prefixes, sorted, each once.
        prefixes: Vec<Prefix>,
        /// Ranges of route-sets and arguments, sorted, each once, none of a single prefix.
        ranges: Vec<PrefixRange>,
    },
    /// AS numbers, sorted, each once.
    Asns(Vec<u32>),
}

/// One answer of [`resolve`](super::resolve).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The place of its request.
    pub request: usize,
    /// Which list.
    pub what: What,
    /// The list.
    pub lookup: Lookup<Content>,
    /// What an operator should know about it.
    pub notes: Vec<Note>,
}

/// How much is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of sets below one object, where the server does not expand them itself.
    pub depth: u32,
    /// AS numbers and sets below one object.
    pub members: usize,
    /// Prefixes and ranges of one list.
    pub prefixes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, members: 100_000, prefixes: 3_000_000 }
    }
}

/// What an operator should know about a list that was found, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An object that does not exist, among others.
    Unknown(String),
    /// An object without data, of which the server does not say whether it exists.
    Undecided(String),
    /// An argument that means nothing here.
    Ignored(String),
    /// Members of a set that are no AS number and no set with members: most often sets that do not exist. Only known
    /// where sets are expanded level by level, and directly below a set that has a source of its own.
    Missing {
        /// The set of the request.
        set: String,
        /// How many.
        count: usize,
        /// Some of their names.
        names: Vec<String>,
    },
    /// Private and reserved AS numbers that were left out.
    Private {
        /// The set of the request.
        set: String,
        /// How many.
        count: usize,
    },
    /// Sets that were not entered because the depth was limited.
    Cut {
        /// The set of the request.
        set: String,
        /// The last level that was entered.
        depth: u32,
        /// How many were not.
        count: usize,
    },
    /// Several sources hold an object of this name. See [`collisions`](super::collisions).
    Collision {
        /// The name.
        set: String,
        /// The sources, the one that was read first.
        sources: Vec<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{name} does not exist"),
            Self::Undecided(name) => {
                write!(f, "no data for {name}; the server does not say whether it exists")
            }
            Self::Ignored(name) => write!(f, "{name} is neither an as-set nor a route-set and is ignored"),
            Self::Missing { set, count, names } => {
                let more = if *count > names.len() { ", …" } else { "" };
                let names = names.join(", ");
                write!(f, "{count} member(s) of {set} do not exist or are empty: {names}{more}")
            }
            Self::Private { set, count } => {
                write!(f, "{count} private or reserved AS number(s) of {set} left out")
            }
            Self::Cut { set, depth, count } => {
                write!(f, "{count} set(s) in {set} not entered: deeper than {depth} level(s)")
            }
            Self::Collision { set, sources } => {
                write!(f, "{set} exists in {}; the first is taken", sources.join(", "))
            }
        }
    }
}
