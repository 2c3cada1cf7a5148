//! Addresses with and without prefix length, as Python's `ipaddress` sees them.

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address with a prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix, at most 32 or 128.
    pub length: u8,
}

/// A prefix: host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first address.
    pub address: IpAddr,
    /// Prefix length.
    pub length: u8,
}

/// Bits of an address of that family.
pub fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// 4 or 6.
pub fn version(address: IpAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an IPv4 address has 32 bits")]
pub(crate) fn from_bits(bits: u128, v4: bool) -> IpAddr {
    if v4 { Ipv4Addr::from(bits as u32).into() } else { Ipv6Addr::from(bits).into() }
}

pub(crate) fn mask(length: u8, v4: bool) -> u128 {
    let width: u32 = if v4 { 32 } else { 128 };
    let all = if v4 { u128::from(u32::MAX) } else { u128::MAX };
    let host = width - u32::from(length).min(width);
    if host >= 128 { 0 } else { (all >> host) << host }
}

impl Interface {
    /// Reads `address/length`; without a length it is a host's.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            None => (text, None),
            Some((address, length)) => (address, Some(length)),
        };
        let address: IpAddr = address.parse().ok()?;
        let length = match length {
            None => width(address),
            Some(length) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
                length.parse().ok()?
            }
            Some(mask_text) => mask_length(mask_text.parse().ok()?, address)?,
        };
        (length <= width(address)).then_some(Self { address, length })
    }

    /// The prefix the address is in.
    pub fn network(self) -> Network {
        let v4 = self.address.is_ipv4();
        Network { address: from_bits(bits(self.address) & mask(self.length, v4), v4), length: self.length }
    }

    /// The order of PostgreSQL's `inet`: family, prefix, length, host bits.
    pub fn order(&self, other: &Self) -> Ordering {
        let v4 = self.address.is_ipv4();
        let family = version(self.address).cmp(&version(other.address));
        let common = mask(self.length.min(other.length), v4);
        family
            .then_with(|| (bits(self.address) & common).cmp(&(bits(other.address) & common)))
            .then(self.length.cmp(&other.length))
            .then_with(|| bits(self.address).cmp(&bits(other.address)))
    }
}

fn mask_length(text: Ipv4Addr, address: IpAddr) -> Option<u8> {
    if !address.is_ipv4() {
        return None;
    }
    let raw = u32::from(text);
    let length = u8::try_from(raw.leading_ones()).ok()?;
    (u128::from(raw) == mask(length, true)).then_some(length)
}

impl Network {
    /// Whether the address is in the prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        let v4 = self.address.is_ipv4();
        v4 == address.is_ipv4() && bits(address) & mask(self.length, v4) == bits(self.address)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Host(self.address), self.length)
    }
}
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Host(self.address), self.length)
    }
}

/// An address printed as Python prints it: IPv4 in IPv6 is not written with dots.
pub(crate) struct Host(pub(crate) IpAddr);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => v6.fmt(f),
            IpAddr::V6(v6) => {
                let s = v6.segments();
                write!(f, "::ffff:{:x}:{:x}", s[6], s[7])
            }
        }
    }
}
