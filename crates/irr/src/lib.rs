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
//! * `aggregate.rs`: prefixes to a list; `json.rs`: the list as bgpq4 prints it.

mod address;
mod explain;
mod names;
mod object;
mod query;
mod resolve;

pub use address::{Entry, Family, ParsePrefixError, Prefix, PrefixRange};
pub use explain::{Explanation, Reason, explain};
pub use names::{Field, SetReference, parse_field};
pub use object::{Exception, Object, ObjectError, parse_arguments, parse_prefix_range};
pub use query::{Answer, Ask, Class, Failure, Features, Kind, Outcome, Query, Sources};
pub use resolve::{
    Content, Holders, Limits, Lookup, Note, Request, Resolved, Want, What, collisions, resolve,
};
