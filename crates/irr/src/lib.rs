//! IRR databases: which prefixes and which AS numbers stand behind an AS-SET.
//!
//! An AS-SET goes in, a prefix list comes out that equals, entry for entry, what bgpq4 prints for the same arguments.
//! Nothing here knows a database or a setting. From the wire upwards:
//!
//! * `address.rs`: prefixes, ranges of prefixes, entries of a prefix list;
//! * `query.rs`: one question to a server, and the answers that are told apart;
//! * `answer.rs`, `connection.rs`, `client.rs`: the whois protocol of IRRd, pipelined over few connections;
//! * `names.rs`: names of sets as people write them; `object.rs`: arguments as bgpq4 takes them;
//! * `resolve/`: sets to prefixes and AS numbers; `explain.rs`: which path led to a prefix;
//! * `shape.rs`: the arguments of a list; `aggregate.rs`: prefixes to a list; `json.rs`: the list as bgpq4 prints it;
//!   `packed.rs`: lists as bytes that are searched without taking them apart;
//! * `program.rs`: bgpq4 itself, for people who want the program.

mod address;
mod aggregate;
pub mod answer;
mod client;
mod connection;
mod explain;
mod json;
mod names;
mod object;
mod packed;
mod program;
mod query;
mod resolve;
mod shape;

pub use address::{Entry, Family, ParsePrefixError, Prefix, PrefixRange};
pub use aggregate::prefix_list;
pub use client::{Client, Options, OptionsError, Statistics};
pub use explain::{Explanation, Reason, explain};
pub use json::{AS_LIST_WIDTH, AsListJson, PrefixListJson, as_list_json, prefix_list_json};
pub use names::{Field, SetReference, parse_field};
pub use object::{Exception, Object, ObjectError, parse_arguments, parse_prefix_range};
pub use packed::{Change, CorruptList, OwnedList, PackedList, changes, diff, pack, pack_asns, unpack_asns};
pub use program::Program;
pub use query::{Answer, Ask, Class, Failure, Features, Kind, Outcome, Query, Sources};
pub use resolve::{
    Content, Holders, Limits, Lookup, Note, Request, Resolved, Want, What, collisions, resolve,
};
pub use shape::{ArgumentError, ListArguments, Shape};
