//! What every driver can be asked.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::napalm::{self, NapalmDetail, NapalmNeighbors};
use crate::{Diff, Error, Facts, Neighbors};

/// A system that a driver was written for. The names are those of NAPALM where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// `FRRouting` (`bgpd`, `vtysh`).
    Frr,
    /// BIRD 2.
    Bird,
    /// `OpenBGPD`, the portable one too.
    Openbgpd,
    /// `GoBGP`.
    Gobgp,
    /// Juniper Junos, over NETCONF.
    Junos,
    /// Cisco IOS-XR, over NETCONF.
    IosxrNetconf,
    /// Cisco IOS-XR, over its XML agent.
    Iosxr,
    /// Arista EOS, over eAPI.
    Eos,
    /// Cisco NX-OS, over NX-API.
    Nxos,
    /// Cisco NX-OS, over SSH.
    NxosSsh,
    /// Cisco IOS and IOS-XE, over SSH.
    Ios,
    /// Any other driver of NAPALM's.
    Napalm,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 12] = [
        Self::Frr,
        Self::Bird,
        Self::Openbgpd,
        Self::Gobgp,
        Self::Junos,
        Self::IosxrNetconf,
        Self::Iosxr,
        Self::Eos,
        Self::Nxos,
        Self::NxosSsh,
        Self::Ios,
        Self::Napalm,
    ];

    /// The name that settings and commands use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frr => "frr",
            Self::Bird => "bird",
            Self::Openbgpd => "openbgpd",
            Self::Gobgp => "gobgp",
            Self::Junos => "junos",
            Self::IosxrNetconf => "iosxr_netconf",
            Self::Iosxr => "iosxr",
            Self::Eos => "eos",
            Self::Nxos => "nxos",
            Self::NxosSsh => "nxos_ssh",
            Self::Ios => "ios",
            Self::Napalm => "napalm",
        }
    }

    /// The platform with this name. Case, hyphens and underscores do not count; the name may come with NAPALM's `napalm.` in
    /// front.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = name.to_lowercase().replace(['-', '_'], "");
        let plain = plain.strip_prefix("napalm.").unwrap_or(&plain);
        Self::ALL.into_iter().find(|one| one.name().replace('_', "") == plain)
    }

    /// Whether there is a driver of our own that is taken unless NAPALM is asked for; else NAPALM is taken.
    pub fn has_native_driver(self) -> bool {
        !matches!(self, Self::Iosxr | Self::Napalm)
    }

    /// The platform whose native driver is meant when a native one is asked for: IOS-XR has one over NETCONF, in place of the
    /// XML agent. `None` where there is none.
    pub fn native(self) -> Option<Self> {
        match self {
            Self::Iosxr => Some(Self::IosxrNetconf),
            other => other.has_native_driver().then_some(other),
        }
    }

    /// What the native driver can do; known without a connection.
    pub fn capabilities(self) -> Capabilities {
        let both = &[How::Merge, How::Replace];
        let daemon = Capabilities {
            loads: &[How::Replace],
            atomic: true,
            undo: Some(Undo::Script),
            timer_step: 1,
            resets_sessions: false,
        };
        let vendor = Capabilities { loads: both, undo: Some(Undo::Router), ..daemon };
        let reading = Capabilities { loads: &[], undo: None, ..daemon };
        match self {
            Self::Frr => Capabilities { loads: both, atomic: false, ..daemon },
            Self::Bird => Capabilities { undo: Some(Undo::Router), ..daemon },
            Self::Openbgpd => daemon,
            Self::Gobgp => Capabilities { atomic: false, resets_sessions: true, ..daemon },
            Self::Junos => Capabilities { timer_step: 60, ..vendor },
            Self::IosxrNetconf | Self::Eos => vendor,
            Self::Iosxr | Self::Nxos | Self::NxosSsh | Self::Ios => reading,
            // What a driver of NAPALM's can do is known when it is loaded.
            Self::Napalm => Capabilities { loads: both, undo: None, atomic: false, ..daemon },
        }
    }
}

/// How a candidate meets the configuration that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// What the candidate does not mention stays.
    Merge,
    /// The candidate is all there will be.
    Replace,
}

/// Who undoes a change that nobody confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undo {
    /// The routing daemon itself.
    Router,
    /// A script that waits on the router. It does not survive a restart of the machine; then the machine starts with the
    /// configuration from before, except with `GoBGP`.
    Script,
}

/// What a platform can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// The kinds of candidates it takes.
    pub loads: &'static [How],
    /// A candidate takes effect as a whole or not at all. Where not, the driver restores what was there when a part of it is
    /// refused.
    pub atomic: bool,
    /// Who undoes what is not confirmed; `None` where nobody does.
    pub undo: Option<Undo>,
    /// What the time until then is rounded up to, in seconds.
    pub timer_step: u64,
    /// Every change of a neighbour, be it the description, takes its session down for a moment.
    pub resets_sessions: bool,
}

/// A configuration, whole or in part. Its text may hold passwords, so it does not show when printed for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigText(String);

impl ConfigText {
    /// From a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, with passwords in it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConfigText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigText({} octets)", self.0.len())
    }
}

/// A change that is in force and goes away unless it is confirmed.
///
/// It can be kept, for example as JSON, and confirmed over another connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The platform it was made on.
    pub platform: Platform,
    /// Which change, in the router's terms.
    pub id: String,
    /// Seconds until it goes away: from the commit on, or from now on where [`Router::pending`] asks a router that counts down; 0
    /// where the router does not tell.
    pub seconds: u64,
}

/// A connection to a router. Its calls may run at the same time.
#[async_trait]
pub trait Router: Send + Sync {
    /// The platform.
    fn platform(&self) -> Platform;

    /// What can be done there.
    fn capabilities(&self) -> Capabilities {
        self.platform().capabilities()
    }

    /// What the router is.
    async fn facts(&self) -> Result<Facts, Error>;

    /// All neighbours, of all VRFs. No neighbours are an empty list; a daemon that does not answer is an error.
    async fn neighbors(&self) -> Result<Neighbors, Error>;

    /// The neighbours as NAPALM's `get_bgp_neighbors` gives them. Its shape has no place for what could not be read; that is logged.
    async fn napalm_neighbors(&self) -> Result<NapalmNeighbors, Error> {
        Ok(napalm::neighbors(&self.neighbors().await?))
    }

    /// The neighbours as NAPALM's `get_bgp_neighbors_detail` gives them, and as said there.
    async fn napalm_detail(&self) -> Result<NapalmDetail, Error> {
        Ok(napalm::detail(&self.neighbors().await?))
    }

    /// The configuration that a candidate is compared with.
    async fn running_config(&self) -> Result<ConfigText, Error>;

    /// The way to load a candidate, or `None` where the platform has none of this kind.
    fn loader(&self, how: How) -> Option<Loader<'_>>;

    /// The change that waits for its confirmation, whoever made it; its id is empty where the router does not say which it is.
    /// `None`: none waits. That says nothing of a change that was made earlier: it was confirmed, or undone.
    ///
    /// [`Error::Untold`] where the router has no list of them and this connection made none: one may wait or not.
    async fn pending(&self) -> Result<Option<Pending>, Error>;

    /// Whether a change is gone with this connection unless it is confirmed over it.
    fn holds(&self, _change: &Pending) -> bool {
        false
    }

    /// Makes a change permanent. Fine if it was confirmed already, so that it can be called again when its answer was lost.
    ///
    /// [`Error::RolledBack`] if it is in force no more, [`Error::NotSaved`] if it is in force and confirmed, and would be lost
    /// by a restart. [`Error::Failed`] if another change came after it.
    async fn confirm(&self, change: &Pending) -> Result<(), Error>;

    /// Undoes a change that waits for its confirmation, at once, and says whether it did. One that waits no more, because it was
    /// confirmed, was undone or is followed by another, is left alone. The daemons keep one that has not begun from beginning.
    async fn cancel(&self, change: &Pending) -> Result<bool, Error> {
        if self.pending().await?.is_none_or(|waiting| waiting.id != change.id) {
            return Ok(false);
        }
        self.roll_back(change).await.map(|()| true)
    }

    /// Undoes a change, at once; the last confirmed one can be undone too. Fine if it is undone already.
    ///
    /// [`Error::Failed`] if another change came after it; nothing is undone then.
    async fn roll_back(&self, change: &Pending) -> Result<(), Error>;

    /// Ends the connection. A change that waits for its confirmation goes on waiting.
    async fn close(&self);
}

/// What a driver does when its [`Loader`] is used.
#[async_trait]
pub trait Load: Send + Sync {
    /// See [`Loader::load`].
    async fn load(&self, how: How, text: &ConfigText) -> Result<Box<dyn Candidate + '_>, Error>;
}

/// A way to load candidates, from [`Router::loader`].
pub struct Loader<'a> {
    pub(crate) driver: &'a dyn Load,
    pub(crate) how: How,
}

impl<'a> Loader<'a> {
    /// Of this driver, for this kind of candidates.
    pub fn new(driver: &'a dyn Load, how: How) -> Self {
        Self { driver, how }
    }

    /// Brings a candidate to the router, has it checked there, and makes the difference. Nothing takes effect.
    ///
    /// [`Error::Rejected`] if the router does not understand it.
    pub async fn load(&self, text: &ConfigText) -> Result<Box<dyn Candidate + 'a>, Error> {
        self.driver.load(self.how, text).await
    }
}

/// A candidate on the router. When it is dropped, its file stays there until a candidate is loaded a week later.
#[async_trait]
pub trait Candidate: Send + Sync {
    /// What it would change.
    fn diff(&self) -> &Diff;

    /// The change that its commit with this timer would make, where that has a name by now: whoever does not get the commit's
    /// answer can [`cancel`](Router::cancel) it by that.
    fn change(&self, _timer: Duration) -> Option<Pending> {
        None
    }

    /// Puts it into force and starts the timer, which is rounded up to whole seconds and is one second at least.
    ///
    /// [`Error::Changed`] if the configuration is another one than at the time of loading, or another candidate was loaded over
    /// the same connection since; [`Error::Busy`] if another change waits for its confirmation. Where the error
    /// [leaves it open](Error::leaves_open), it is unknown whether it is in force: [`Router::cancel`] it over a new connection.
    async fn commit(self: Box<Self>, timer: Duration) -> Result<Pending, Error>;

    /// Takes it off the router.
    async fn discard(self: Box<Self>) -> Result<(), Error>;
}
