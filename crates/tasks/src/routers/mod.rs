//! Work on routers: which are meant (`hosts.rs`), who they are and how they are reached (`reach.rs`), who works on one (`locks.rs`), and the tasks that
//! talk to them.

mod hosts;
mod locks;
mod matching;
mod poll;
mod reach;

use async_trait::async_trait;
use pm_router::{Error, Router, Target};

pub(crate) use hosts::words;
pub use hosts::{Host, limited};
pub use poll::{Looked, PollBgpSessions, PollReport, Strange};
pub use reach::{NoWay, Reached, routers};

/// The way to routers. Tests have their own.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Connects to a router and logs in.
    async fn connect(&self, target: &Target) -> Result<Box<dyn Router>, Error>;
}

/// The real one.
pub struct Network;

#[async_trait]
impl Connector for Network {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Router>, Error> {
        pm_router::connect(target).await
    }
}
