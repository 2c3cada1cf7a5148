//! The template language of router configurations, e-mails and exports: Jinja2 with Python's values, over a picture of
//! the objects.
//!
//! Nothing here knows a database, a network or a clock: a template sees a [`World`] that does not change, and the time it
//! is given. An error is a [`TemplateError`] with its place, never text that could reach a router.
//!
//! Begin reading at [`Environment`], which is the way in, then `world.rs` and `models.txt` for what templates see, and
//! `parser.rs`, `eval.rs` and `run.rs` for the language. `filters/` holds the filters for peering, `methods/` what
//! objects can do. Why the language is not an existing crate: `docs/decisions/template-engine.md`.

mod access;
mod address;
mod args;
mod ast;
mod builtin;
mod check;
mod checks;
mod containers;
mod context;
mod datetime;
mod definition;
mod environment;
mod error;
mod eval;
mod expression;
mod filters;
mod format;
mod fresh;
mod functions;
mod inclusion;
mod lexer;
mod lookup;
mod max_prefix;
mod methods;
mod model;
mod names;
mod objects;
mod ops;
pub mod original;
mod parser;
mod passwords;
mod peering;
mod prefixes;
mod queryset;
mod repr;
mod run;
mod scope;
mod serialise;
mod statement;
mod strings;
mod typed;
mod value;
mod world;
mod wrap;
mod yamltext;

pub use address::{Interface, Network};
pub use check::{About, Finding};
pub use environment::{
    Environment, Limits, ListMerge, MaxPrefix, MissingPrefixes, PasswordForm, Rendered, Settings, Source,
    Templates, Undefined,
};
pub use error::{ErrorKind, Frame, TemplateError};
pub use filters::mac_bytes;
pub use fresh::age;
pub use model::{Field, Kind, Model, Models, Reverse};
pub use world::{
    Coverage, Data, Lazy, PrefixEntry, PrefixList, PrefixLists, PrefixSource, Record, Row, Unavailable, World,
};
