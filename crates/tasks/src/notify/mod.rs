//! Notifications: from what was noted in the database to e-mails and requests to webhooks.
//!
//! Events and changes of objects are noted where they happen, see [`pm_store::events`] and [`pm_store::notifications`]. A
//! [`Courier`] looks which rules want an event (`rules.rs`), puts together what there is to tell (`context.rs`, `message.rs`,
//! `render.rs`), and sends it (`sender.rs`). Any number of couriers may be at work.

mod context;
mod courier;
mod message;
mod render;
mod rules;
mod sender;
mod trial;

pub use courier::{Courier, Sent, dispatch};
pub use trial::{TrialError, Tried, rule as try_rule, webhook as try_webhook};
