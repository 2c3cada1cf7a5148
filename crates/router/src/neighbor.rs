//! A BGP neighbour as a router sees it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// The states of a session (RFC 4271, section 8.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Refuses and makes no connections.
    Idle,
    /// Waits for its connection.
    Connect,
    /// Waits for the other side's connection.
    Active,
    /// Waits for an OPEN.
    OpenSent,
    /// Waits for a KEEPALIVE.
    OpenConfirm,
    /// Up.
    Established,
}

impl State {
    /// The state by its name in the RFC, whatever the case; what follows the name (`Idle (Admin)`) is left aside.
    pub fn from_name(name: &str) -> Option<Self> {
        let word: String = name.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        Some(match word.to_ascii_lowercase().as_str() {
            "idle" => Self::Idle,
            "connect" => Self::Connect,
            "active" => Self::Active,
            "opensent" => Self::OpenSent,
            "openconfirm" => Self::OpenConfirm,
            "established" => Self::Established,
            _ => return None,
        })
    }
}

/// Whose routes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4 unicast.
    Ipv4,
    /// IPv6 unicast.
    Ipv6,
}

/// Numbers of prefixes of one family. `None`: the platform does not tell, or not while the session is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefixes {
    /// What the neighbour sent, before import policy.
    pub received: Option<u64>,
    /// What import policy let through.
    pub accepted: Option<u64>,
    /// What the neighbour is sent.
    pub advertised: Option<u64>,
}

/// A neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbor {
    /// The VRF; `default` is the one without a name.
    pub vrf: String,
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's AS.
    pub remote_as: Option<u32>,
    /// Our AS towards it.
    pub local_as: Option<u32>,
    /// Our address in the session, while it is up.
    pub local_address: Option<IpAddr>,
    /// The neighbour's router ID, while the session is up.
    pub remote_id: Option<Ipv4Addr>,
    /// The configured description.
    pub description: Option<String>,
    /// The session's state.
    pub state: State,
    /// Whether the session may come up as far as the router's configuration goes.
    pub enabled: bool,
    /// Seconds since the session came up; `None` while it is down.
    pub uptime: Option<u64>,
    /// Seconds since the session went down, where the platform tells; `None` while it is up or when it never was.
    pub downtime: Option<u64>,
    /// Prefixes per family of the session.
    pub prefixes: BTreeMap<Family, Prefixes>,
    /// Whether the session is down because it went past its limit of prefixes.
    pub over_limit: bool,
    /// Why the session went down last, in the router's words.
    pub last_error: Option<String>,
    /// How often the session went down, where the platform counts.
    pub flaps: Option<u64>,
}

impl Neighbor {
    /// A neighbour of which nothing but this is known.
    pub(crate) fn new(vrf: &str, address: IpAddr, state: State) -> Self {
        Self {
            vrf: vrf.to_owned(),
            address,
            remote_as: None,
            local_as: None,
            local_address: None,
            remote_id: None,
            description: None,
            state,
            enabled: true,
            uptime: None,
            downtime: None,
            prefixes: BTreeMap::new(),
            over_limit: false,
            last_error: None,
            flaps: None,
        }
    }

    /// Whether the session is up.
    pub fn is_up(&self) -> bool {
        self.state == State::Established
    }
}

/// All neighbours of a router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbors {
    /// Sorted by VRF and address.
    pub neighbors: Vec<Neighbor>,
    /// Entries that could not be read, each with the reason. They are neither up nor down: nothing is known of them.
    #[serde(default)]
    pub left_out: Vec<String>,
}

impl Neighbors {
    pub(crate) fn sorted(mut self) -> Self {
        self.neighbors.sort_by(|a, b| (&a.vrf, a.address).cmp(&(&b.vrf, b.address)));
        // They hold words of the router's.
        self.left_out.iter_mut().for_each(|reason| *reason = crate::mask::excerpt(reason));
        self
    }

    /// The neighbour with this address in this VRF.
    pub fn get(&self, vrf: &str, address: IpAddr) -> Option<&Neighbor> {
        self.neighbors.iter().find(|one| one.vrf == vrf && one.address == address)
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn names_of_states() {
        assert_eq!(State::from_name("Idle (Admin)"), Some(State::Idle));
        assert_eq!(State::from_name("OpenSent"), Some(State::OpenSent));
        assert_eq!(State::from_name("Closed"), None);
        assert_eq!(State::from_name(""), None);
    }
}
