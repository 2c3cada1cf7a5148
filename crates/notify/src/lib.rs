//! Telling others: e-mail over SMTP ([`mail`]) and HTTP requests to webhooks ([`webhook`]).
//!
//! An adapter: it takes plain values and gives plain values. It knows no database and no settings, and neither clock nor
//! environment. What it says of an attempt holds no secret of the one who sends. Begin with [`webhook::send`] and
//! [`mail::send`]; [`target`] says which addresses a webhook may lead to.

pub mod mail;
pub mod target;
mod text;
pub mod webhook;
