//! Routers of vendors, as far as their manuals tell how they behave.

pub mod netconf;
