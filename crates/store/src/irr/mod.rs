//! What IRR databases say about autonomous systems: prefix lists and AS lists, their generations, and where each
//! stands.
//!
//! A list is octets that this crate does not look into, kept once under their digest. `read.rs` answers questions,
//! `write.rs` stores what a run found.

mod read;
mod write;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

pub use read::{data, each_data, each_listing, generations, held_back, states};
pub use write::{NewList, Update, Verdict, apply, remove_unused, unused};

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// IPv6 prefixes.
    Ipv6,
    /// IPv4 prefixes.
    Ipv4,
    /// AS numbers.
    AsList,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Ipv6, Self::Ipv4, Self::AsList];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv6 => "ipv6",
            Self::Ipv4 => "ipv4",
            Self::AsList => "as_list",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// The newest list is in use.
    Current,
    /// The newest answer was longer than the operator wants; nothing is shown.
    TooBig,
    /// The operator does not want one; nothing is shown.
    Off,
    /// No answer has brought a list yet.
    Missing,
}

impl Stand {
    pub(crate) const ALL: [Self; 4] = [Self::Current, Self::TooBig, Self::Off, Self::Missing];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::TooBig => "too_big",
            Self::Off => "off",
            Self::Missing => "missing",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stand| stand.as_str() == text)
    }
}

/// A stored list, without its octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct List {
    /// Its number.
    pub id: i64,
    /// SHA-256 of its octets.
    #[serde(skip)]
    pub digest: Vec<u8>,
    /// How many entries it has.
    pub entries: i64,
    /// Length of its shortest prefix, if it has any.
    pub shortest: Option<i64>,
}

/// A list that was found and is held back for somebody to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Held {
    /// The list.
    pub list: List,
    /// Prefixes or AS numbers behind it.
    pub found: i64,
    /// Why it is held back.
    pub reason: String,
    /// Since when the same list has been held back.
    pub since: DateTime<Utc>,
    /// Server, sources, serials, names and arguments.
    pub details: Json,
}

/// Where one list of one autonomous system stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// The autonomous system's number in this database.
    #[serde(skip)]
    pub autonomous_system: i64,
    /// What it is about.
    pub kind: Kind,
    /// Where it stands.
    pub state: Stand,
    /// The newest list that was taken, shown or not.
    pub list: Option<List>,
    /// Prefixes or AS numbers behind it, before anything was aggregated.
    pub found: i64,
    /// Length of the answer that was too long.
    pub too_long: Option<i64>,
    /// When the list last changed.
    pub taken: Option<DateTime<Utc>>,
    /// When it was last looked for.
    pub checked: DateTime<Utc>,
    /// When it was last answered for, so that what is there is what the server had.
    pub answered: Option<DateTime<Utc>>,
    /// Why the last look brought nothing, when it did not.
    pub failure: Option<String>,
    /// What is held back.
    pub held: Option<Held>,
}

impl State {
    /// The list that is shown.
    pub fn shown(&self) -> Option<&List> {
        self.list.as_ref().filter(|_| self.state == Stand::Current)
    }
}

/// The lists of an autonomous system after a run that changed any of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generation {
    /// Counts up from 1 for each autonomous system.
    pub number: i64,
    /// When it was stored.
    pub time: DateTime<Utc>,
    /// IPv6 prefixes.
    pub ipv6: Option<List>,
    /// IPv4 prefixes.
    pub ipv4: Option<List>,
    /// AS numbers.
    pub as_list: Option<List>,
    /// Server, sources, serials, names and arguments, and what was behind each list.
    pub details: Json,
}

impl Generation {
    /// The list of one kind.
    pub fn list(&self, kind: Kind) -> Option<&List> {
        match kind {
            Kind::Ipv6 => self.ipv6.as_ref(),
            Kind::Ipv4 => self.ipv4.as_ref(),
            Kind::AsList => self.as_list.as_ref(),
        }
    }
}
