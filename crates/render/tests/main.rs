//! The tests of `pm-render`: one program, so that they are linked once.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "for tests")]

mod check;
mod corpus;
mod deleted;
mod hostile;
mod language;
mod max_prefix;
mod newer;
mod recorded;
