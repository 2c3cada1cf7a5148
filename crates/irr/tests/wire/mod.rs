//! The client of IRRd's protocol against servers that follow a script.

mod answers;
mod asking;
mod closing;
mod failing;
mod selecting;
mod server;
