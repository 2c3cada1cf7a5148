//! The client of IRRd's protocol against servers that follow a script.
#![expect(clippy::unwrap_used, reason = "for tests")]

mod answers;
mod asking;
mod closing;
mod failing;
mod selecting;
mod server;
