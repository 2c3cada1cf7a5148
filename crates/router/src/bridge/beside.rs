//! A native driver that only reads, with NAPALM beside it for changes.

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::Bridge;
use crate::driver::{Candidate, Capabilities, ConfigText, How, Load, Loader, Pending, Platform, Router};
use crate::napalm::{NapalmDetail, NapalmNeighbors};
use crate::{Error, Facts, Neighbors, Target};

/// Python is started by the first call that has to do with a change.
pub(super) struct Beside {
    native: Box<dyn Router>,
    target: Target,
    bridge: OnceCell<Bridge>,
}

impl Beside {
    pub fn new(native: Box<dyn Router>, target: Target) -> Self {
        Self { native, target, bridge: OnceCell::new() }
    }

    async fn bridge(&self) -> Result<&Bridge, Error> {
        self.bridge.get_or_try_init(|| Bridge::connect(&self.target)).await
    }
}

#[async_trait]
impl Router for Beside {
    fn platform(&self) -> Platform {
        self.native.platform()
    }

    fn capabilities(&self) -> Capabilities {
        self.bridge.get().map_or_else(|| Platform::Napalm.capabilities(), Router::capabilities)
    }

    async fn facts(&self) -> Result<Facts, Error> {
        self.native.facts().await
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        self.native.neighbors().await
    }

    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        self.native.napalm_neighbors().await
    }

    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        self.native.napalm_detail().await
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        self.native.running_config().await
    }

    fn loader(&self, how: How) -> Option<Loader<'_>> {
        Some(Loader { driver: self, how })
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        self.bridge().await?.pending().await
    }

    async fn confirm(&self, change: &Pending) -> Result<(), Error> {
        self.bridge().await?.confirm(change).await
    }

    async fn cancel(&self, change: &Pending) -> Result<bool, Error> {
        self.bridge().await?.cancel(change).await
    }

    async fn roll_back(&self, change: &Pending) -> Result<(), Error> {
        self.bridge().await?.roll_back(change).await
    }

    async fn close(&self) {
        if let Some(bridge) = self.bridge.get() {
            bridge.close().await;
        }
        self.native.close().await;
    }
}

#[async_trait]
impl Load for Beside {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        self.bridge().await?.load(how, text).await
    }
}
