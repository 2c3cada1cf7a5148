//! The settings of Peering Manager: one typed [`Config`] from a TOML file, the environment and the defaults.
//!
//! This crate is the one place where the three meet. The rest of the program takes a [`Config`] and never looks
//! at a file or a variable to find a setting. The crate knows nothing of the database, the network or the clock,
//! and it runs nothing: it reads text and gives back values.
//!
//! Later sources win: default, file, systemd's credentials, well-known variable (`PEERINGDB_API_KEY`),
//! `PEERING_MANAGER_<KEY>`. A name that nobody knows is an error, because a mistyped limit that is silently ignored is worse
//! than no start.
//!
//! Begin with `keys.rs`: every key with its type, default, unit and documentation, once. [`Config`], the parsing,
//! the names in the environment, `config init`, `config show` and the manual page all come from that table.
//! `load.rs` merges the sources, `check.rs` looks for what is legal and still unwise, `show.rs` and `reference.rs`
//! write the settings down, and [`import_original`] turns the original's `configuration.py` into our file.

mod address;
mod check;
mod choices;
mod credentials;
mod environment;
mod error;
mod file;
#[cfg(test)]
mod fixture;
pub mod import_original;
mod key;
mod keys;
mod layer;
mod load;
mod name;
mod reference;
mod show;
mod sources;
mod value;

pub use address::{HttpUrl, SecretUrl};
pub use check::{Finding, Level, check};
pub use choices::{IrrBackend, ListMerge, LogFormat, LogLevel, MaxPrefixRule, MissingPrefixes, Undefined};
pub use error::ConfigError;
pub use keys::Config;
pub use load::{Loaded, Origin, load};
pub use reference::{init_text, reference_markdown};
pub use sources::Sources;
pub use value::{CcContact, DeviceArguments};

/// What a secret looks like wherever it is shown.
pub const MASK: &str = "********";
