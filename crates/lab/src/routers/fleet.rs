//! Many stand-ins at once, for people, for the demonstration and for the benchmarks: they begin with a list of neighbours,
//! and what they say of sessions follows from their configurations from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

use super::peering::{self, Condition, Neighbor, Others};
use super::place::Place;
use super::{eapi, netconf};

/// The certificate (PEM) by which stand-ins with HTTPS are known, for 127.0.0.1 alone. Everybody can have its key.
pub const CERTIFICATE: &str = include_str!("certificate.pem");
/// Its key (PEM).
pub const KEY: &str = include_str!("certificate.key");

/// Whose router it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Juniper Junos, over NETCONF.
    Junos,
    /// Cisco IOS-XR, over NETCONF.
    IosXr,
    /// Arista EOS, over eAPI with HTTPS.
    Eos,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Junos, Self::IosXr, Self::Eos];

    /// The platform's name.
    pub fn platform(self) -> &'static str {
        match self {
            Self::Junos => "junos",
            Self::IosXr => "iosxr_netconf",
            Self::Eos => "eos",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Junos => "junos",
            Self::IosXr => "iosxr",
            Self::Eos => "eos",
        }
    }

    /// A configuration with these neighbours.
    fn config(self, name: &str, neighbors: &[Neighbor]) -> String {
        match self {
            Self::Junos => peering::junos(name, neighbors),
            Self::IosXr => peering::iosxr(name, neighbors),
            Self::Eos => peering::eos(name, neighbors),
        }
    }
}

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose routers, in turns.
    pub kinds: Vec<Kind>,
    /// How many.
    pub count: u32,
    /// The neighbours that each begins with.
    pub neighbors: Vec<Neighbor>,
    /// Configurations to begin with in place of these neighbours; of those, only who is not there counts then.
    pub configs: BTreeMap<Kind, String>,
    /// How long everything takes on its way, in each direction.
    pub delay: Duration,
    /// The port of the first on 127.0.0.1, of which the others follow; 0 takes any free ones.
    pub port: u16,
    /// Who may log in.
    pub user: String,
    /// The password.
    pub password: String,
    /// The same seed invents the same.
    pub seed: u64,
}

/// A fleet could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no port for it.
    #[error("{name} cannot listen{at}: {source}")]
    Listen {
        /// The router's name.
        name: String,
        /// On which port, if one was asked for.
        at: String,
        /// Why.
        source: std::io::Error,
    },
    /// The ports do not suffice.
    #[error("there are not so many ports from {0} on")]
    Ports(u16),
}

/// One of a fleet.
#[derive(Debug)]
pub struct Member {
    /// Its name, such as `junos1`.
    pub name: String,
    /// Whose router it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its SSH host key and the key's fingerprint; `None` where HTTPS is spoken.
    pub host_key: Option<(String, String)>,
}

/// Running stand-ins; dropping this stops them.
pub struct Fleet {
    /// Each of them.
    pub members: Vec<Member>,
    running: Vec<Running>,
}

enum Running {
    Netconf(netconf::Router),
    Eapi(eapi::Eapi),
}

impl Fleet {
    /// Starts all of them.
    pub async fn start(options: &Options) -> Result<Self, StartError> {
        let is_absent = |one: &&Neighbor| one.condition == Condition::Down;
        let absent: BTreeSet<IpAddr> =
            options.neighbors.iter().filter(is_absent).map(|one| one.address).collect();
        let mut fleet = Self { members: Vec::new(), running: Vec::new() };
        let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
        for (number, kind) in (0..options.count).zip(options.kinds.iter().copied().cycle()) {
            let port = match options.port {
                0 => 0,
                first => u16::try_from(number)
                    .ok()
                    .and_then(|number| first.checked_add(number))
                    .ok_or(StartError::Ports(first))?,
            };
            let nth = counts.entry(kind).or_default();
            *nth += 1;
            let name = format!("{}{nth}", kind.word());
            let config = match options.configs.get(&kind) {
                Some(config) => config.clone(),
                None => kind.config(&name, &options.neighbors),
            };
            let others = Others { seed: options.seed.wrapping_add(number.into()), absent: absent.clone() };
            let place = Place { port, delay: options.delay, number };
            let started = start(kind, options, place, config, others).await;
            let (address, host_key, running) = started.map_err(|source| {
                let at = if port == 0 { String::new() } else { format!(" on port {port}") };
                StartError::Listen { name: name.clone(), at, source }
            })?;
            fleet.members.push(Member { name, kind, address, host_key });
            fleet.running.push(running);
        }
        Ok(fleet)
    }

    /// The configuration that one of them runs now.
    pub fn running(&self, member: usize) -> Option<String> {
        self.running.get(member).map(|running| match running {
            Running::Netconf(router) => router.running(),
            Running::Eapi(switch) => switch.running(),
        })
    }
}

type Started = (SocketAddr, Option<(String, String)>, Running);

async fn start(
    kind: Kind,
    options: &Options,
    place: Place,
    config: String,
    others: Others,
) -> std::io::Result<Started> {
    let netconf_kind = match kind {
        Kind::Junos => netconf::Kind::Junos,
        Kind::IosXr => netconf::Kind::IosXr,
        Kind::Eos => {
            let switch = eapi::Options {
                user: options.user.clone(),
                password: options.password.clone(),
                running: config,
                newer: true,
                tls: Some((CERTIFICATE.as_bytes().to_vec(), KEY.as_bytes().to_vec())),
                ..eapi::Options::default()
            };
            let switch = eapi::Eapi::start_at(place, switch, Some(others)).await?;
            return Ok((switch.address, None, Running::Eapi(switch)));
        }
    };
    let router = netconf::Options {
        kind: netconf_kind,
        config,
        password: options.password.clone(),
        answers: BTreeMap::new(),
        minute: Duration::from_mins(1),
    };
    let router = netconf::Router::start_at(place, router, Some(others)).await?;
    let host_key = Some((router.host_key(), router.fingerprint()));
    Ok((router.address(), host_key, Running::Netconf(router)))
}
