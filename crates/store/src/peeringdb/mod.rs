//! The PeeringDB cache: a mirror of somebody else's database, so nothing is refused and nothing is dropped.
//!
//! Begin with [`tables`] (what is kept), then [`feed`] (what comes, and which row wins), [`staging`] (how it gets in),
//! [`references`] (who lacks a parent), [`lookup`] (questions to the cache), [`links`] (which records our own objects are), [`peers`]
//! (whom to peer with) and [`runs`] (what each synchronisation
//! did).

pub mod feed;
pub mod links;
pub mod lookup;
pub mod peers;
pub mod references;
pub mod runs;
pub mod staging;
pub mod tables;
