//! The sessions of a stand-in. Which there are follows from its configuration; what becomes of them is invented, and for the
//! same configuration and seed the same.
//!
//! The other side of each session remembers how it was first configured: a session with another AS, another AS of ours or
//! another password than that does not come up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Instant;

/// A neighbour as the configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peer {
    /// Empty: the one without a name.
    pub(super) vrf: String,
    pub(super) remote_as: u32,
    pub(super) local_as: u32,
    pub(super) description: String,
    pub(super) shut: bool,
    pub(super) password: Option<String>,
    /// More prefixes than this end the session.
    pub(super) limit: Option<u64>,
}

/// The neighbours of a configuration, by VRF and address.
pub(super) type Peers = BTreeMap<(String, IpAddr), Peer>;

/// Who is at the other ends.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// The same seed invents the same.
    pub seed: u64,
    /// Addresses at which nobody is.
    pub absent: BTreeSet<IpAddr>,
}

/// Sessions in the course of time.
#[derive(Debug)]
pub(super) struct Peering {
    others: Others,
    begun: Instant,
    known: BTreeMap<(String, IpAddr), Known>,
}

/// What the other side remembers, and how the session went.
#[derive(Debug)]
struct Known {
    first: Peer,
    is_up: bool,
    since: Instant,
    /// Seconds before the stand-in began.
    before: u64,
    flaps: u64,
    last_error: &'static str,
}

/// A session now.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) address: IpAddr,
    pub(super) peer: Peer,
    pub(super) state: &'static str,
    /// Seconds in this state.
    pub(super) seconds: u64,
    pub(super) received: u64,
    pub(super) accepted: u64,
    pub(super) advertised: u64,
    pub(super) flaps: u64,
    /// Why it went down last, as Junos has it; empty if it never did.
    pub(super) last_error: &'static str,
}

impl Session {
    pub(super) fn is_up(&self) -> bool {
        self.state == "Established"
    }

    /// An address of the other side's that is an IPv4 address as router IDs are.
    pub(super) fn router_id(&self) -> String {
        let number = mixed(0, &self.peer.remote_as);
        format!("10.{}.{}.{}", number & 255, number >> 8 & 255, number >> 16 & 255)
    }
}

/// The router's own address in a session.
pub(super) fn local_address(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "198.18.0.1" } else { "2001:db8:18::1" }
}

fn mixed(seed: u64, of: &impl Hash) -> u64 {
    // This hasher has the same keys in every process.
    let mut hasher = DefaultHasher::new();
    (seed, of).hash(&mut hasher);
    hasher.finish()
}

impl Peering {
    pub(super) fn new(others: Others, peers: &Peers) -> Self {
        let mut peering = Self { others, begun: Instant::now(), known: BTreeMap::new() };
        let begun = peering.begun;
        peering.look(peers, begun, true);
        peering
    }

    /// The sessions that a configuration has, at this moment.
    pub(super) fn sessions(&mut self, peers: &Peers) -> Vec<Session> {
        let now = Instant::now();
        self.look(peers, now, false);
        peers
            .iter()
            .filter_map(|(key, peer)| Some(self.session(key, peer, self.known.get(key)?, now)))
            .collect()
    }

    /// Notes what has come up and what has gone down since the last time.
    fn look(&mut self, peers: &Peers, now: Instant, at_first: bool) {
        for (key, peer) in peers {
            let is_absent = self.others.absent.contains(&key.1);
            let received = received(self.others.seed, key);
            let known = self.known.entry(key.clone()).or_insert_with(|| Known {
                first: peer.clone(),
                is_up: false,
                since: now,
                before: if at_first { mixed(self.others.seed, &(key, "time")) % 2_600_000 } else { 0 },
                flaps: if at_first { mixed(self.others.seed, &(key, "flaps")) % 4 } else { 0 },
                last_error: "",
            });
            let reason = known.keeps_down(peer, is_absent, received);
            let is_up = reason.is_none();
            if let Some(reason) = reason {
                known.last_error = reason;
            }
            if is_up == known.is_up {
                continue;
            }
            if known.is_up {
                known.flaps += 1;
            }
            if !at_first {
                known.before = 0;
            }
            (known.is_up, known.since) = (is_up, now);
        }
        for (key, known) in &mut self.known {
            if !peers.contains_key(key) && known.is_up {
                (known.is_up, known.since, known.before) = (false, now, 0);
            }
        }
    }

    fn session(&self, key: &(String, IpAddr), peer: &Peer, known: &Known, now: Instant) -> Session {
        let received = if known.is_up { received(self.others.seed, key) } else { 0 };
        let state = match (known.is_up, peer.shut, known.last_error) {
            (true, ..) => "Established",
            (false, true, _) | (false, _, LIMIT) => "Idle",
            (false, ..) => "Active",
        };
        Session {
            address: key.1,
            peer: peer.clone(),
            state,
            seconds: known.before + now.duration_since(known.since).as_secs(),
            received,
            accepted: received - received / 50,
            advertised: if known.is_up { 12 } else { 0 },
            flaps: known.flaps,
            last_error: known.last_error,
        }
    }
}

pub(super) const LIMIT: &str = "Maximum Prefix Limit Reached";
pub(super) const SHUT: &str = "Administratively shut down";

impl Known {
    fn keeps_down(&self, peer: &Peer, is_absent: bool, received: u64) -> Option<&'static str> {
        if peer.shut {
            Some(SHUT)
        } else if is_absent {
            Some("Hold Timer Expired Error")
        } else if peer.remote_as != self.first.remote_as || peer.local_as != self.first.local_as {
            Some("Open Message Error")
        } else if peer.password != self.first.password {
            // No segment arrives.
            Some("Hold Timer Expired Error")
        } else if peer.limit.is_some_and(|limit| received > limit) {
            Some(LIMIT)
        } else {
            None
        }
    }
}

fn received(seed: u64, key: &(String, IpAddr)) -> u64 {
    let most = if key.1.is_ipv4() { 4000 } else { 700 };
    1 + mixed(seed, &(key, "prefixes")) % most
}

/// How a neighbour of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is there.
    Up,
    /// It is configured, and nobody is there.
    Down,
    /// It is configured and shut down.
    Shut,
}

/// A neighbour that a stand-in begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: u32,
    /// How it is.
    pub condition: Condition,
    /// Who it is; empty: nothing is said of it.
    pub description: String,
}

/// Neighbours out of a text with one on a line: address, AS, `up`, `down` or `shut` (up without any), description. What
/// follows a `#` at the beginning of a line does not count. The error names the line.
pub fn neighbors(text: &str) -> Result<Vec<Neighbor>, String> {
    let mut all = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split_whitespace();
        let Some(address) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let address = address.parse().map_err(|_| format!("line {number}: {address} is no address"))?;
        let asn = words.next().unwrap_or_default();
        let asn = asn.parse().map_err(|_| format!("line {number}: {asn:?} is no AS"))?;
        let mut words = words.peekable();
        let condition = match words.peek() {
            Some(&"up") => Some(Condition::Up),
            Some(&"down") => Some(Condition::Down),
            Some(&"shut") => Some(Condition::Shut),
            _ => None,
        };
        if condition.is_some() {
            words.next();
        }
        let description = words.collect::<Vec<_>>().join(" ").replace('"', "'");
        all.push(Neighbor { address, asn, condition: condition.unwrap_or(Condition::Up), description });
    }
    Ok(all)
}

/// So many invented neighbours, IPv4 and IPv6 in turns, two of an AS. Of twenty, one is not there, and of forty one is shut.
pub fn invented(count: u32) -> Vec<Neighbor> {
    (0..count)
        .map(|number| {
            let (peer, host) = (number / 2, number / 2 + 256 + 10);
            let address = if number % 2 == 0 {
                IpAddr::from([198, 18, (host >> 8 & 255) as u8, (host & 255) as u8])
            } else {
                IpAddr::from([0x2001, 0xdb8, 0x18, 0, 0, 0, (host >> 16) as u16, (host & 0xffff) as u16])
            };
            let condition = match number % 40 {
                19 => Condition::Shut,
                9 | 29 => Condition::Down,
                _ => Condition::Up,
            };
            let asn = if peer < 1000 { 64_512 + peer } else { 4_200_000_000 + peer };
            Neighbor { address, asn, condition, description: format!("Peer {}", peer + 1) }
        })
        .collect()
}

/// Our AS in configurations that are invented.
pub const LOCAL_AS: u32 = 64_500;

/// A configuration of Junos with these neighbours.
pub(super) fn junos(name: &str, all: &[Neighbor]) -> String {
    let mut out = format!(
        "system {{\n    host-name {name};\n}}\nrouting-options {{\n    router-id 198.18.0.1;\n    autonomous-system {LOCAL_AS};\n}}\n\
         protocols {{\n    bgp {{\n"
    );
    for (group, is_ipv4) in [("ipv4-peers", true), ("ipv6-peers", false)] {
        let _ = writeln!(out, "        group {group} {{\n            type external;");
        for one in all.iter().filter(|one| one.address.is_ipv4() == is_ipv4) {
            let _ = writeln!(out, "            neighbor {} {{", one.address);
            if !one.description.is_empty() {
                let _ = writeln!(out, "                description \"{}\";", one.description);
            }
            if one.condition == Condition::Shut {
                out.push_str("                shutdown;\n");
            }
            let _ = writeln!(out, "                peer-as {};\n            }}", one.asn);
        }
        out.push_str("        }\n");
    }
    out + "    }\n}\n"
}

/// A configuration of IOS-XR with these neighbours.
pub(super) fn iosxr(name: &str, all: &[Neighbor]) -> String {
    let mut out = format!("hostname {name}\nrouter bgp {LOCAL_AS}\n bgp router-id 198.18.0.1\n");
    for one in all {
        let _ = writeln!(out, " neighbor {}\n  remote-as {}", one.address, one.asn);
        if !one.description.is_empty() {
            let _ = writeln!(out, "  description {}", one.description);
        }
        if one.condition == Condition::Shut {
            out.push_str("  shutdown\n");
        }
    }
    out
}

/// A configuration of EOS with these neighbours.
pub(super) fn eos(name: &str, all: &[Neighbor]) -> String {
    let mut out = format!("hostname {name}\n!\nrouter bgp {LOCAL_AS}\n   router-id 198.18.0.1\n");
    for one in all {
        let _ = writeln!(out, "   neighbor {} remote-as {}", one.address, one.asn);
        if !one.description.is_empty() {
            let _ = writeln!(out, "   neighbor {} description {}", one.address, one.description);
        }
        if one.condition == Condition::Shut {
            let _ = writeln!(out, "   neighbor {} shutdown", one.address);
        }
    }
    out + "!\nend\n"
}
