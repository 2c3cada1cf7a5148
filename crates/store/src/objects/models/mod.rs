//! The descriptions, one file per object: columns, relations, rules, display.

mod base;
mod session;

pub mod autonomous_system;
pub mod bfd;
pub mod bgp_group;
pub mod community;
pub mod config_context;
pub mod config_context_assignment;
pub mod configuration;
pub mod connection;
pub mod contact;
pub mod contact_assignment;
pub mod contact_role;
pub mod direct_peering_session;
pub mod email;
pub mod export_template;
pub mod hidden_peer;
pub mod internet_exchange;
pub mod internet_exchange_peering_session;
pub mod ixapi;
pub mod journal_entry;
pub mod notification_rule;
pub mod platform;
pub mod relationship;
pub mod router;
pub mod routing_policy;
pub mod tag;
pub mod webhook;
