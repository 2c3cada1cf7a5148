//! Stand-ins for what lives outside: the demo, the tests and the benches talk to these and not to the internet.
//!
//! A stand-in answers as the real thing does, refuses what the real thing refuses, and can be told to misbehave.
//! It knows nothing of the rest of the program and depends on none of its crates, so that a mistake made there cannot
//! hide behind the same mistake made here. Data is invented from a seed: the same seed gives the same bytes.
//!
//! Begin with [`peeringdb`] or [`irrd`]. They are built alike. [`routers`] are routers. [`receiver`]
//! and [`smtp`] take what the program tells others.

mod delay;
pub mod irrd;
pub mod peeringdb;
pub mod receiver;
pub mod routers;
pub mod smtp;
