//! Prefixes, ranges of prefixes and entries of a prefix list.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Length of an address: 32 or 128 bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An address prefix, host bits zero. Orders by family, address, length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    family: Family,
    /// The address in the highest bits, for both families.
    address: u128,
    length: u8,
}

impl Prefix {
    /// A prefix of `length` bits, at most the family's; `address` in the highest bits. Host bits are cleared.
    pub const fn new(family: Family, address: u128, length: u8) -> Self {
        let length = if length > family.bits() { family.bits() } else { length };
        Self { family, address: address & mask(length), length }
    }

    /// Its family.
    pub const fn family(self) -> Family {
        self.family
    }

    /// Its address in the highest bits of 128, host bits zero.
    pub const fn address(self) -> u128 {
        self.address
    }

    /// Its length in bits.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Its first address.
    pub const fn network(self) -> IpAddr {
        match self.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from_bits((self.address >> 96) as u32)),
            Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(self.address)),
        }
    }

    /// Whether `other` is this prefix or lies in it.
    pub fn covers(self, other: Self) -> bool {
        self.family == other.family
            && self.length <= other.length
            && other.address & mask(self.length) == self.address
    }
}

/// The `length` highest bits set.
const fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - length) }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::new(Family::V4, u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => Self::new(Family::V6, address.to_bits(), 128),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.length)
    }
}

/// A text that is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IP prefix such as 192.0.2.0/24 or 2001:db8::/32")]
pub struct ParsePrefixError(String);

/// Reads `192.0.2.0/24` and `2001:db8::/32`; an address alone is a host route; host bits are cleared.
impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(prefix) = plain_ipv4(text) {
            return Ok(prefix);
        }
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let wrong = || ParsePrefixError(text.chars().take(80).collect());
        let host = Self::from(address.parse::<IpAddr>().map_err(|_| wrong())?);
        match length {
            None => Ok(host),
            Some(digits)
                if !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                let length = digits.parse().map_err(|_| wrong())?;
                if length > host.family.bits() {
                    return Err(wrong());
                }
                Ok(Self::new(host.family, host.address, length))
            }
            Some(_) => Err(wrong()),
        }
    }
}

/// `192.0.2.0/24`, of which answers are full; `None` for all that is not exactly this, right or wrong. Three times as
/// fast as what reads every form of address.
fn plain_ipv4(text: &str) -> Option<Prefix> {
    let mut bytes = text.bytes();
    let mut number = |end: Option<u8>, most: u32| {
        let first = bytes.next().filter(u8::is_ascii_digit)?;
        let mut value = u32::from(first - b'0');
        loop {
            match bytes.next() {
                Some(digit @ b'0'..=b'9') if value > 0 && value <= most => {
                    value = value * 10 + u32::from(digit - b'0');
                }
                next if next == end && value <= most => return Some(value),
                _ => return None,
            }
        }
    };
    let mut address = 0;
    for end in [b'.', b'.', b'.', b'/'] {
        address = address << 8 | number(Some(end), 255)?;
    }
    let length = u8::try_from(number(None, 32)?).ok()?;
    Some(Prefix::new(Family::V4, u128::from(address) << 96, length))
}

/// The prefixes inside a prefix whose lengths lie between two bounds, both included: what RPSL's range operators mean
/// (RFC 2622, section 2: `^-` more specifics without itself, `^+` with itself, `^n`, `^n-m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefixRange {
    /// What they lie in.
    pub prefix: Prefix,
    /// Shortest length, at least the prefix's own.
    pub low: u8,
    /// Longest length, at least `low`.
    pub high: u8,
}

/// `192.0.2.0/24`, `192.0.2.0/24^26`, `192.0.2.0/24^25-26`.
impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, low, high } = self;
        match (*low == prefix.length(), low == high) {
            (true, true) => write!(f, "{prefix}"),
            (false, true) => write!(f, "{prefix}^{low}"),
            (_, false) => write!(f, "{prefix}^{low}-{high}"),
        }
    }
}

/// One line of a prefix list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    /// The prefix.
    pub prefix: Prefix,
    /// `None`: just this prefix. Otherwise all prefixes in it whose length lies between the two bounds, both included.
    pub lengths: Option<(u8, u8)>,
}

impl Entry {
    /// Whether a route for `route` is permitted by this entry.
    pub fn permits(&self, route: Prefix) -> bool {
        match self.lengths {
            None => self.prefix == route,
            Some((low, high)) => self.prefix.covers(route) && (low..=high).contains(&route.length()),
        }
    }
}

/// `192.0.2.0/24`, `192.0.2.0/24 le 26`, `192.0.2.0/24 ge 25 le 26`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        match self.lengths {
            None => Ok(()),
            Some((low, high)) if low <= self.prefix.length() => write!(f, " le {high}"),
            Some((low, high)) => write!(f, " ge {low} le {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_and_written() {
        for (text, written) in [
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.77", "192.0.2.77/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Prefix>().map(|prefix| prefix.to_string()), Ok(written.to_owned()));
        }
        for text in
            ["", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/+4", "2001:db8::/129", "192.0.2/24", "1.2.3.4/024x"]
        {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_quick_way_reads_what_the_other_does(
            octets in proptest::array::uniform4(0_u16..300),
            length in 0_u8..40,
            zero in proptest::option::of(0_usize..5),
        ) {
            let mut parts: Vec<String> = octets.iter().map(ToString::to_string).collect();
            parts.push(length.to_string());
            if let Some(place) = zero {
                parts[place].insert(0, '0');
            }
            let text = format!("{}/{}", parts[..4].join("."), parts[4]);
            let address = parts[..4].join(".").parse::<std::net::Ipv4Addr>();
            let expected = address.ok().filter(|_| length <= 32).map(|address| {
                Prefix::new(Family::V4, u128::from(u32::from(address)) << 96, length)
            });
            // A length may begin with zeros, which is left to the other way.
            if zero != Some(4) {
                proptest::prop_assert_eq!(plain_ipv4(&text), expected);
            }
            proptest::prop_assert_eq!(text.parse::<Prefix>().ok(), expected);
        }
    }

    #[test]
    fn an_entry_permits_its_lengths_only() {
        let prefix = |text: &str| text.parse::<Prefix>().unwrap_or(Prefix::new(Family::V4, 0, 0));
        let entry = Entry { prefix: prefix("192.0.2.0/23"), lengths: Some((24, 25)) };
        assert!(entry.permits(prefix("192.0.2.0/24")) && entry.permits(prefix("192.0.3.128/25")));
        assert!(!entry.permits(prefix("192.0.2.0/23")) && !entry.permits(prefix("192.0.2.0/26")));
        assert!(!entry.permits(prefix("192.0.4.0/24")) && !entry.permits(prefix("2001:db8::/24")));
        let exact = Entry { prefix: prefix("192.0.2.0/24"), lengths: None };
        assert!(exact.permits(prefix("192.0.2.0/24")) && !exact.permits(prefix("192.0.2.0/25")));
    }
}
