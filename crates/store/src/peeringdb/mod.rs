//! The PeeringDB cache: a mirror of somebody else's database, so nothing is refused and nothing is dropped.
//!
//! Begin with [`tables`] (what is kept), then [`staging`] (how a synchronisation gets in), [`lookup`] (questions to
//! the cache) and [`runs`] (what each synchronisation did).

pub mod lookup;
pub mod runs;
pub mod staging;
pub mod tables;
