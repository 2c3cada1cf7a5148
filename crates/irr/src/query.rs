//! One question to an IRRd server, and the answers that are told apart.
//!
//! Source: IRRd 4's documentation, "IRRd whois queries" (<https://irrd.readthedocs.io/en/stable/users/queries/whois/>).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::Family;

/// Which sources a server should look into, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sources {
    /// Those that the server takes by itself.
    #[default]
    Default,
    /// These, upper case, separated by commas: the first that has a set wins; routes come from all of them.
    Only(Arc<str>),
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Query {
    /// Where to look (`!s`, sent when the connection's selection is another one).
    pub sources: Sources,
    /// What to ask.
    pub kind: Kind,
    /// About what: a set's name, or an AS number as `AS64500`. One word: no blank, no control character.
    pub name: String,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `!iNAME`: direct members of a set.
    Members,
    /// `!iNAME,1`: AS numbers (or prefixes) of a set and all sets in it.
    AllMembers,
    /// `!gASn`, `!6ASn`: prefixes that an AS originates.
    Routes(Family),
    /// `!a4NAME`, `!a6NAME`: prefixes of all AS numbers of a set.
    SetRoutes(Family),
    /// `!mCLASS,NAME`: the object itself, from the first source that has it.
    Object(Class),
}

/// Classes of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// `as-set`.
    AsSet,
    /// `route-set`.
    RouteSet,
    /// `aut-num`.
    AutNum,
}

/// The line that is sent, without the line feed.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.kind {
            Kind::Members => write!(f, "!i{name}"),
            Kind::AllMembers => write!(f, "!i{name},1"),
            Kind::Routes(Family::V4) => write!(f, "!g{name}"),
            Kind::Routes(Family::V6) => write!(f, "!6{name}"),
            Kind::SetRoutes(Family::V4) => write!(f, "!a4{name}"),
            Kind::SetRoutes(Family::V6) => write!(f, "!a6{name}"),
            Kind::Object(class) => write!(f, "!m{class},{name}"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsSet => "as-set",
            Self::RouteSet => "route-set",
            Self::AutNum => "aut-num",
        })
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `A`: data, without its last line feed.
    Data(String),
    /// `C`: done, nothing to say.
    Done,
    /// `D`: no such key; or a key with nothing behind it, the protocol cannot tell.
    NotFound,
    /// `E`: several keys.
    Ambiguous,
    /// `F`: the server cannot or will not; its text.
    Refused(String),
    /// An answer of so many bytes was announced: more than is taken.
    TooBig(u64),
}

/// Why there is no answer: no server gave one in time that could be read. Names servers and reasons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// What became of one question.
pub type Outcome = Result<Answer, Failure>;

/// What a server said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `host:port`.
    pub server: String,
    /// `!v`, such as `IRRd -- version 4.5.4`.
    pub version: Option<String>,
    /// `!s-lc`: the sources it takes by itself, in their order; empty when it did not say.
    pub sources: Vec<String>,
    /// `!j-*`: per source what it says about mirroring, such as `N:1-2345`; empty when it did not say.
    pub serials: BTreeMap<String, String>,
    /// Whether it answers `!a`.
    pub set_routes: bool,
}

/// Whoever answers questions: the client, and in tests whatever takes its place.
#[async_trait::async_trait]
pub trait Ask: Send + Sync {
    /// What the server that is used says about itself. Connects if need be.
    async fn features(&self) -> Result<Features, Failure>;

    /// What the server that is used has said about itself so far; nobody is asked.
    fn known(&self) -> Option<Features> {
        None
    }

    /// Asks all of them, as fast as the server takes them. Each question is answered exactly once, with its place in
    /// `queries`, in any order; then the channel ends. Whoever does not read holds the answers back; whoever drops the
    /// receiver ends the asking.
    fn ask(&self, queries: Vec<Query>) -> mpsc::Receiver<(usize, Outcome)>;
}
