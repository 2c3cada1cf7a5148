//! Routing daemons on a machine with a shell: FRR, BIRD, `OpenBGPD`, `GoBGP`.
//!
//! Exit codes are not believed where they are known to lie: the scripts look for the words that mean success.

mod bird;
mod change;
mod frr;
mod frr_texts;
mod gobgp;
mod gobgp_wanted;
mod openbgpd;
mod poll;
mod shell;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::driver::{Candidate, ConfigText, How, Load, Loader, Pending, Platform, Router};
use crate::ssh::{Bounds, Ssh};
use crate::{Error, Facts, Neighbors, Step};

/// Which daemon it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonKind {
    /// `FRRouting`.
    Frr,
    /// BIRD 2.
    Bird,
    /// `OpenBGPD`.
    Openbgpd,
    /// `GoBGP`.
    Gobgp,
}

impl DaemonKind {
    /// Every daemon.
    pub const ALL: [Self; 4] = [Self::Frr, Self::Bird, Self::Openbgpd, Self::Gobgp];

    /// The platform of the same name.
    pub fn platform(self) -> Platform {
        match self {
            Self::Frr => Platform::Frr,
            Self::Bird => Platform::Bird,
            Self::Openbgpd => Platform::Openbgpd,
            Self::Gobgp => Platform::Gobgp,
        }
    }

    /// The platform's name.
    pub fn name(self) -> &'static str {
        self.platform().name()
    }
}

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
    kind: DaemonKind,
    options: DaemonOptions,
}

impl Daemon {
    /// The daemon at the other end of a connection.
    pub fn new(ssh: Ssh, kind: DaemonKind, options: DaemonOptions) -> Self {
        Self { ssh, kind, options }
    }

    /// Which daemon it is.
    pub fn kind(&self) -> DaemonKind {
        self.kind
    }

    /// The connection.
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    fn host(&self) -> &str {
        self.ssh.host()
    }

    fn reading(&self, step: Step) -> Bounds {
        Bounds { step, time: self.ssh.limits().read, more: false }
    }

    fn changing(&self, step: Step) -> Bounds {
        // After loading comes a commit, after a commit a confirmation.
        let more = matches!(step, Step::Load | Step::Commit);
        Bounds { step, time: self.ssh.limits().change, more }
    }

    fn config_file(&self) -> &str {
        self.options.config_file.as_deref().unwrap_or(match self.kind {
            DaemonKind::Frr => "/etc/frr/frr.conf",
            DaemonKind::Bird => "/etc/bird/bird.conf",
            DaemonKind::Openbgpd => "/etc/bgpd.conf",
            DaemonKind::Gobgp => "/etc/gobgp/gobgpd.toml",
        })
    }

    fn unreadable(&self, step: Step, message: impl AsRef<str>) -> Error {
        Error::Unreadable {
            host: self.host().to_owned(),
            step,
            message: crate::mask::excerpt(message.as_ref()),
        }
    }
}

#[async_trait]
impl Router for Daemon {
    fn platform(&self) -> Platform {
        self.kind.platform()
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
        self.kind.platform().capabilities().loads.contains(&how).then_some(Loader { driver: self, how })
    }

    async fn pending(&self) -> Result<Option<Pending>, Error> {
        self.find_pending().await
    }

    async fn confirm(&self, change: &Pending) -> Result<(), Error> {
        self.confirm_change(change).await
    }

    async fn cancel(&self, change: &Pending) -> Result<bool, Error> {
        self.cancel_change(change).await
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

/// All that is made of a daemon's words for people, and of a script's answer.
pub(crate) fn texts(old: &str, new: &str) {
    let _ = (frr_texts::difference(new), frr_texts::merge_difference(old, new), frr_texts::complaints(new));
    let _ = (shell::sections(new), poll::gobgp_error(new));
    let _ = (frr::questions(new), gobgp::established(new), openbgpd::established(new));
    if let Ok(wanted) = gobgp_wanted::Wanted::read(old) {
        let _ = wanted.missing(new, new);
    }
}

/// Neighbours from what a daemon printed, without a router.
///
/// The parts are, by name: FRR `neighbors` and perhaps `received`; BIRD `status` and `protocols`; `OpenBGPD` `neighbors` and
/// perhaps `accepted`; `GoBGP` `neighbors`, `clock` and perhaps `advertised`. The error says what is not understood.
pub fn parse(kind: DaemonKind, parts: &BTreeMap<String, String>) -> Result<Neighbors, String> {
    let maybe = |name: &str| parts.get(name).map(String::as_str);
    let must = |name: &str| maybe(name).ok_or_else(|| format!("there is no part {name}"));
    match kind {
        DaemonKind::Frr => frr::neighbors(must("neighbors")?, maybe("received")),
        DaemonKind::Bird => bird::neighbors(must("status")?, must("protocols")?),
        DaemonKind::Openbgpd => openbgpd::neighbors(must("neighbors")?, maybe("accepted")),
        DaemonKind::Gobgp => gobgp::neighbors(must("neighbors")?, must("clock")?, maybe("advertised")),
    }
}
