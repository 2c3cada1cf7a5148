//! Routing daemons on a machine with a shell: FRR, BIRD, `OpenBGPD`, `GoBGP`.
//!
//! Exit codes are not believed where they are known to lie: the scripts look for the words that mean success.

mod bird;
mod change;
mod frr;
mod frr_texts;
mod gobgp;
mod openbgpd;
mod poll;
mod shell;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::driver::{Candidate, ConfigText, How, Load, Loader, Pending, Platform, Router};
use crate::ssh::{Bounds, Ssh};
use crate::{Error, Facts, Neighbors, Step};

/// Where things are on the router, if not where Debian has them.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// The daemon's configuration file. FRR has none here: it is asked for what runs.
    pub config_file: Option<String>,
    /// A directory on the router for changes under way; `.peering-manager` in the user's home, with BIRD beside the
    /// configuration file. Changes are kept apart only between users that share it.
    pub state_directory: Option<String>,
    /// Leave out what the daemon must count route by route: received prefixes with FRR, accepted ones with `OpenBGPD`.
    pub without_counting: bool,
}

/// A routing daemon that is reached over SSH.
pub struct Daemon {
    ssh: Ssh,
    platform: Platform,
    options: DaemonOptions,
}

impl Daemon {
    /// The daemon at the other end of a connection.
    pub fn new(ssh: Ssh, platform: Platform, options: DaemonOptions) -> Self {
        Self { ssh, platform, options }
    }

    /// The connection.
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    fn host(&self) -> &str {
        self.ssh.host()
    }

    fn reading(&self, step: Step) -> Bounds {
        Bounds { step, time: self.ssh.limits().read }
    }

    fn changing(&self, step: Step) -> Bounds {
        Bounds { step, time: self.ssh.limits().change }
    }

    fn config_file(&self) -> &str {
        self.options.config_file.as_deref().unwrap_or(match self.platform {
            Platform::Frr => "/etc/frr/frr.conf",
            Platform::Bird => "/etc/bird/bird.conf",
            Platform::Openbgpd => "/etc/bgpd.conf",
            Platform::Gobgp => "/etc/gobgp/gobgpd.toml",
        })
    }

    fn unreadable(&self, step: Step, message: String) -> Error {
        Error::Unreadable { host: self.host().to_owned(), step, message }
    }
}

#[async_trait]
impl Router for Daemon {
    fn platform(&self) -> Platform {
        self.platform
    }

    async fn facts(&self) -> Result<Facts, Error> {
        self.read_facts().await
    }

    async fn neighbors(&self) -> Result<Neighbors, Error> {
        self.read_neighbors().await
    }

    async fn running_config(&self) -> Result<ConfigText, Error> {
        self.read_config().await
    }

    fn loader(&self, how: How) -> Option<Loader<'_>> {
        self.platform.capabilities().loads.contains(&how).then_some(Loader { driver: self, how })
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        self.find_pending().await
    }

    async fn confirm(&self, change: &Pending) -> Result<(), Error> {
        self.confirm_change(change).await
    }

    async fn roll_back(&self, change: &Pending) -> Result<(), Error> {
        self.undo_change(change).await
    }

    async fn close(&self) {
        self.ssh.close().await;
    }
}

#[async_trait]
impl Load for Daemon {
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error> {
        self.load_candidate(how, text).await
    }
}

/// Neighbours from what a daemon printed, without a router.
///
/// The parts are, by name: FRR `neighbors` and perhaps `received`; BIRD `status` and `protocols`; `OpenBGPD` `neighbors` and
/// perhaps `accepted`; `GoBGP` `neighbors`, `clock` and perhaps `advertised`. The error says what is not understood.
pub fn parse(platform: Platform, parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let maybe = |name: &str| parts.get(name).map(String::as_str);
    let must = |name: &str| maybe(name).ok_or_else(|| format!("there is no part {name}"));
    match platform {
        Platform::Frr => frr::neighbors(must("neighbors")?, maybe("received")),
        Platform::Bird => bird::neighbors(must("status")?, must("protocols")?),
        Platform::Openbgpd => openbgpd::neighbors(must("neighbors")?, maybe("accepted")),
        Platform::Gobgp => gobgp::neighbors(must("neighbors")?, must("clock")?, maybe("advertised")),
    }
}
