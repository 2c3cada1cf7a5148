//! From sets to prefixes and AS numbers, for many requests at once.
//!
//! [`resolve`] asks round by round: every list says which answers it lacks, all lists together, each question once;
//! the questions go out in one batch, and a list is given out as soon as its last answer is there. With a server that
//! answers `!a` a plain as-set is ready after one round. Where to read: `request.rs` says what goes in and comes out,
//! `lists.rs` which questions lead from an object to its list, `expand.rs` how sets are entered level by level,
//! `answers.rs` how answers are taken apart and kept, `conclude.rs` how the parts become a list.

mod answers;
mod collisions;
mod conclude;
mod expand;
mod lists;
mod request;
mod run;

pub use collisions::{Holders, collisions};
pub use request::{Content, Limits, Lookup, Note, Request, Resolved, Want, What};
pub use run::resolve;

pub(crate) use answers::{Stop, View, all};
pub(crate) use collisions::single_sources;
pub(crate) use conclude::Standing;
pub(crate) use expand::{Expansion, expand, root_sources};
pub(crate) use lists::{is_private, refusal, standing_of_as, standing_of_set};
pub(crate) use run::settle;
