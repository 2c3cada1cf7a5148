//! A BGP neighbour as a router sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use arcstr::ArcStr;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
        const NAMES: [(&str, State); 6] = [
            ("established", State::Established),
            ("idle", State::Idle),
            ("connect", State::Connect),
            ("active", State::Active),
            ("opensent", State::OpenSent),
            ("openconfirm", State::OpenConfirm),
        ];
        let name = name.trim_start();
        let end = name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(name.len());
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name[..end])).map(|(_, state)| *state)
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

impl Family {
    const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];
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

/// Numbers of prefixes, by family: what a map does, in an eighth of the room that the numbers take by themselves. A router
/// with thousands of neighbours has as many of these. More than four thousand million prefixes count as that many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PrefixCounts {
    has: [bool; Family::ALL.len()],
    counts: [[u32; 3]; Family::ALL.len()],
}

/// In place of a number that is not known.
const NOT_KNOWN: u32 = u32::MAX;

impl Default for PrefixCounts {
    fn default() -> Self {
        Self { has: [false; Family::ALL.len()], counts: [[NOT_KNOWN; 3]; Family::ALL.len()] }
    }
}

impl PrefixCounts {
    /// The numbers of a family.
    pub fn get(&self, family: &Family) -> Option<Prefixes> {
        let known = |count: u32| (count != NOT_KNOWN).then(|| count.into());
        let [received, accepted, advertised] = self.counts[*family as usize].map(known);
        self.contains_key(family).then_some(Prefixes { received, accepted, advertised })
    }

    /// Whether this family is among them.
    pub fn contains_key(&self, family: &Family) -> bool {
        self.has[*family as usize]
    }

    /// Sets the numbers of a family; those that were there come back.
    pub fn insert(&mut self, family: Family, prefixes: Prefixes) -> Option<Prefixes> {
        let before = self.get(&family);
        self.has[family as usize] = true;
        self.counts[family as usize] = [prefixes.received, prefixes.accepted, prefixes.advertised]
            .map(|count| count.map_or(NOT_KNOWN, |count| limited(count).min(NOT_KNOWN - 1)));
        before
    }

    /// The families stay, and nothing is known of them any more.
    pub(crate) fn forget(&mut self) {
        self.counts = Self::default().counts;
    }

    /// Every family with its numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Family, Prefixes)> {
        Family::ALL.into_iter().filter_map(|family| Some((family, self.get(&family)?)))
    }

    /// The families.
    pub fn keys(&self) -> impl Iterator<Item = Family> {
        self.iter().map(|(family, _)| family)
    }

    /// The numbers of every family.
    pub fn values(&self) -> impl Iterator<Item = Prefixes> {
        self.iter().map(|(_, prefixes)| prefixes)
    }

    /// How many families there are.
    pub fn len(&self) -> usize {
        self.keys().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A number in the room that is kept for one; one that does not fit is the greatest that does.
pub(crate) fn limited(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl fmt::Debug for PrefixCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Extend<(Family, Prefixes)> for PrefixCounts {
    fn extend<I: IntoIterator<Item = (Family, Prefixes)>>(&mut self, all: I) {
        for (family, prefixes) in all {
            self.insert(family, prefixes);
        }
    }
}

impl FromIterator<(Family, Prefixes)> for PrefixCounts {
    fn from_iter<I: IntoIterator<Item = (Family, Prefixes)>>(all: I) -> Self {
        let mut counts = Self::default();
        counts.extend(all);
        counts
    }
}

impl<const N: usize> From<[(Family, Prefixes); N]> for PrefixCounts {
    fn from(all: [(Family, Prefixes); N]) -> Self {
        all.into_iter().collect()
    }
}

impl Serialize for PrefixCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for PrefixCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

/// A neighbour. There may be tens of thousands of one router, so each takes little room, and shares its texts with its copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The VRF; `default` is the one without a name.
    pub vrf: ArcStr,
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
    pub description: Option<ArcStr>,
    /// The session's state.
    pub state: State,
    /// Whether the session may come up as far as the router's configuration goes.
    pub enabled: bool,
    /// Seconds since the session came up or, while it is down, since it went down; where the platform tells, and `None` when
    /// it never was up.
    pub age: Option<u32>,
    /// Prefixes per family of the session.
    pub prefixes: PrefixCounts,
    /// Whether the session is down because it went past its limit of prefixes.
    pub over_limit: bool,
    /// Why the session went down last, in the router's words.
    pub last_error: Option<ArcStr>,
    /// How often the session went down, where the platform counts.
    pub flaps: Option<u32>,
}

impl Neighbor {
    /// A neighbour of which nothing but this is known.
    pub(crate) fn new(vrf: &str, address: IpAddr, state: State) -> Self {
        Self::in_vrf(vrf_name(vrf), address, state)
    }

    /// The same, of a VRF whose name many share.
    pub(crate) fn in_vrf(vrf: ArcStr, address: IpAddr, state: State) -> Self {
        Self {
            vrf,
            address,
            remote_as: None,
            local_as: None,
            local_address: None,
            remote_id: None,
            description: None,
            state,
            enabled: true,
            age: None,
            prefixes: PrefixCounts::default(),
            over_limit: false,
            last_error: None,
            flaps: None,
        }
    }

    /// Whether the session is up.
    pub fn is_up(&self) -> bool {
        self.state == State::Established
    }

    /// Seconds since the session came up; `None` while it is down.
    pub fn uptime(&self) -> Option<u64> {
        self.age.filter(|_| self.is_up()).map(Into::into)
    }

    /// Seconds since the session went down, where the platform tells; `None` while it is up or when it never was.
    pub fn downtime(&self) -> Option<u64> {
        self.age.filter(|_| !self.is_up()).map(Into::into)
    }
}

/// A VRF's name. That of the one that almost all are in is there once.
pub(crate) fn vrf_name(name: &str) -> ArcStr {
    static DEFAULT: LazyLock<ArcStr> = LazyLock::new(|| "default".into());
    if name == DEFAULT.as_str() { DEFAULT.clone() } else { name.into() }
}

impl Serialize for Neighbor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Neighbor", 15)?;
        fields.serialize_field("vrf", self.vrf.as_str())?;
        fields.serialize_field("address", &self.address)?;
        fields.serialize_field("remote_as", &self.remote_as)?;
        fields.serialize_field("local_as", &self.local_as)?;
        fields.serialize_field("local_address", &self.local_address)?;
        fields.serialize_field("remote_id", &self.remote_id)?;
        fields.serialize_field("description", &self.description.as_deref())?;
        fields.serialize_field("state", &self.state)?;
        fields.serialize_field("enabled", &self.enabled)?;
        fields.serialize_field("uptime", &self.uptime())?;
        fields.serialize_field("downtime", &self.downtime())?;
        fields.serialize_field("prefixes", &self.prefixes)?;
        fields.serialize_field("over_limit", &self.over_limit)?;
        fields.serialize_field("last_error", &self.last_error.as_deref())?;
        fields.serialize_field("flaps", &self.flaps)?;
        fields.end()
    }
}

/// All neighbours of a router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Neighbors {
    /// Sorted by VRF and address.
    pub neighbors: Vec<Neighbor>,
    /// Entries that could not be read, each with the reason. They are neither up nor down: nothing is known of them. Also what
    /// could not be counted of the others.
    pub left_out: Vec<String>,
}

impl Neighbors {
    pub(crate) fn sorted(mut self) -> Self {
        sort(&mut self.neighbors);
        self.leave_out_ambiguous();
        // An answer whose parts are of two moments says both.
        self.neighbors.iter_mut().for_each(|one| one.over_limit &= !one.is_up());
        // They hold words of the router's.
        self.left_out.iter_mut().for_each(|reason| *reason = crate::mask::excerpt(reason));
        self
    }

    /// The same link-local address on several interfaces: two neighbours, and a session of ours could be either.
    fn leave_out_ambiguous(&mut self) {
        let ambiguous: BTreeSet<(ArcStr, IpAddr)> = self
            .neighbors
            .windows(2)
            .filter(|two| (&two[0].vrf, two[0].address) == (&two[1].vrf, two[1].address))
            .filter(|two| matches!(two[0].address, IpAddr::V6(address) if address.is_unicast_link_local()))
            .map(|two| (two[0].vrf.clone(), two[0].address))
            .collect();
        if ambiguous.is_empty() {
            return;
        }
        self.neighbors.retain(|one| !ambiguous.contains(&(one.vrf.clone(), one.address)));
        self.left_out.extend(ambiguous.into_iter().map(|(vrf, address)| {
            format!("{address} in VRF {vrf}: it is a neighbour on several interfaces, and the address does not say on which")
        }));
    }

    /// The neighbour with this address in this VRF.
    pub fn get(&self, vrf: &str, address: IpAddr) -> Option<&Neighbor> {
        self.neighbors.iter().find(|one| one.vrf == vrf && one.address == address)
    }
}

/// By VRF and address; those of the same place stay in their order. Nothing is held beside them but their numbers, where
/// what the standard library does takes as much again.
pub(crate) fn sort(all: &mut [Neighbor]) {
    fn key(one: &Neighbor) -> (&str, IpAddr) {
        (&one.vrf, one.address)
    }
    if all.is_sorted_by_key(key) {
        return;
    }
    let mut from: Vec<usize> = (0..all.len()).collect();
    from.sort_by_key(|&at| key(&all[at]));
    for begin in 0..all.len() {
        let mut at = begin;
        while from[at] != begin {
            let next = std::mem::replace(&mut from[at], at);
            all.swap(at, next);
            at = next;
        }
        from[at] = at;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Family, Neighbor, Neighbors, PrefixCounts, Prefixes, State, sort};

    proptest! {
        #[test]
        fn sorted_as_the_standard_library_does(places in proptest::collection::vec((0_u8..4, 0_u8..4), 0..40)) {
            let all = places.iter().zip(0..).map(|((vrf, address), number)| {
                let mut one = Neighbor::new(&vrf.to_string(), [192, 0, 2, *address].into(), State::Idle);
                one.flaps = Some(number);
                one
            });
            let mut all: Vec<_> = all.collect();
            let mut expected = all.clone();
            expected.sort_by(|a, b| (&a.vrf, a.address).cmp(&(&b.vrf, b.address)));
            sort(&mut all);
            prop_assert_eq!(all, expected);
        }
    }

    #[test]
    fn numbers_by_family() {
        let some = Prefixes { received: Some(1), ..Prefixes::default() };
        let mut all = PrefixCounts::from([(Family::Ipv6, some)]);
        assert_eq!((all.len(), all.get(&Family::Ipv4), all.get(&Family::Ipv6)), (1, None, Some(some)));
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#"{"ipv6":{"received":1,"accepted":null,"advertised":null}}"#);
        assert_eq!(serde_json::from_str::<PrefixCounts>(&text).unwrap(), all);
        assert_eq!(all.insert(Family::Ipv6, Prefixes::default()), Some(some));
        all.extend([(Family::Ipv4, some)]);
        assert!(all.keys().eq(Family::ALL) && !all.is_empty());
        let much = Prefixes { received: Some(u64::MAX), accepted: Some(0), advertised: None };
        all.insert(Family::Ipv4, much);
        let most = Prefixes { received: Some(u64::from(u32::MAX) - 1), ..much };
        assert_eq!(all.get(&Family::Ipv4), Some(most));
        all.forget();
        assert!(all.values().eq([Prefixes::default(); 2]));
    }

    #[test]
    fn a_neighbour_takes_little_room() {
        assert!(size_of::<Neighbor>() <= 128, "{} octets", size_of::<Neighbor>());
        let (one, other) =
            (Neighbor::new("default", [192, 0, 2, 1].into(), State::Idle), super::vrf_name("default"));
        assert!(arcstr::ArcStr::ptr_eq(&one.vrf, &other));
    }

    #[test]
    fn the_age_of_a_session() {
        let mut one = Neighbor::new("default", [192, 0, 2, 1].into(), State::Established);
        one.age = Some(7);
        assert_eq!((one.uptime(), one.downtime()), (Some(7), None));
        let shown = serde_json::to_value(&one).unwrap();
        assert_eq!((&shown["uptime"], &shown["downtime"]), (&serde_json::json!(7), &serde_json::json!(null)));
        one.state = State::Idle;
        assert_eq!((one.uptime(), one.downtime()), (None, Some(7)));
    }

    #[test]
    fn names_of_states() {
        assert_eq!(State::from_name("Idle (Admin)"), Some(State::Idle));
        assert_eq!(State::from_name("OpenSent"), Some(State::OpenSent));
        assert_eq!(State::from_name("Closed"), None);
        assert_eq!(State::from_name(""), None);
    }

    #[test]
    fn who_is_up_is_not_over_the_limit() {
        let one = |state| Neighbor {
            over_limit: true,
            ..Neighbor::new("default", "192.0.2.1".parse().unwrap(), state)
        };
        let of = |state| Neighbors { neighbors: vec![one(state)], left_out: Vec::new() }.sorted().neighbors;
        assert!(!of(State::Established)[0].over_limit);
        assert!(of(State::Idle)[0].over_limit);
    }

    #[test]
    fn what_cannot_be_told_apart_is_left_out() {
        let one = |text: &str| Neighbor::new("default", text.parse().unwrap(), State::Idle);
        let neighbors =
            vec![one("fe80::1"), one("192.0.2.1"), one("fe80::2"), one("fe80::1"), one("192.0.2.1")];
        let all = Neighbors { neighbors, left_out: Vec::new() }.sorted();
        let left: Vec<String> = all.neighbors.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(left, ["192.0.2.1", "192.0.2.1", "fe80::2"]);
        assert_eq!(all.left_out.len(), 1);
        assert!(all.left_out[0].starts_with("fe80::1 in VRF default: "), "{}", all.left_out[0]);
    }
}
