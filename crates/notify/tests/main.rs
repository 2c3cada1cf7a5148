//! The tests of `pm-notify`: one program, so that they are linked once.

#![expect(clippy::unwrap_used, reason = "for tests")]

mod mail;
mod webhooks;
