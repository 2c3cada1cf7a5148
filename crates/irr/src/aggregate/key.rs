//! Prefixes in as few bytes as their family needs: eight for IPv4, where a list may have millions.

use crate::{Family, Prefix};

/// A prefix whose address has `WORDS` words: one for IPv4, four for IPv6. Orders by address, then length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<const WORDS: usize> {
    address: [u32; WORDS],
    length: u8,
}

impl<const WORDS: usize> Key<WORDS> {
    pub(super) const FAMILY: Family = if WORDS == 1 { Family::V4 } else { Family::V6 };

    pub(super) const fn length(self) -> u8 {
        self.length
    }

    /// How many bits it begins with that are `other`'s too, at most the shorter length of both.
    pub(super) fn common(self, other: Self) -> u8 {
        let mut same = 0;
        for (mine, theirs) in self.address.into_iter().zip(other.address) {
            let zeros = (mine ^ theirs).leading_zeros();
            same += zeros;
            if zeros < u32::BITS {
                break;
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
        let same = same as u8;
        same.min(self.length).min(other.length)
    }

    pub(super) fn covers(self, other: Self) -> bool {
        self.common(other) == self.length
    }

    /// Bit number `at` of its address from the front, less than the family's.
    pub(super) fn bit(self, at: u8) -> bool {
        self.address[usize::from(at / 32)] >> (31 - at % 32) & 1 == 1
    }

    /// The prefix of `length` bits that it lies in.
    pub(super) fn shortened(self, length: u8) -> Self {
        Self::from(Prefix::new(Self::FAMILY, Prefix::from(self).address(), length))
    }
}

/// Of a prefix of the key's family.
impl<const WORDS: usize> From<Prefix> for Key<WORDS> {
    fn from(prefix: Prefix) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a word of the address")]
        let word = |at: usize| (prefix.address() >> (96 - 32 * at)) as u32;
        Self { address: std::array::from_fn(word), length: prefix.length() }
    }
}

impl<const WORDS: usize> From<Key<WORDS>> for Prefix {
    fn from(key: Key<WORDS>) -> Self {
        let mut address = 0;
        for (at, word) in key.address.into_iter().enumerate() {
            address |= u128::from(word) << (96 - 32 * at);
        }
        Self::new(Key::<WORDS>::FAMILY, address, key.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common<const WORDS: usize>(one: &str, other: &str) -> u8 {
        let key = |text: &str| Key::<WORDS>::from(text.parse::<Prefix>().unwrap());
        assert_eq!(Prefix::from(key(one)).to_string(), one);
        key(one).common(key(other))
    }

    #[test]
    fn keys_part_where_their_bits_do() {
        assert_eq!(common::<1>("0.0.0.0/0", "255.255.255.255/32"), 0);
        assert_eq!(common::<1>("192.0.2.0/24", "192.0.3.0/24"), 23);
        assert_eq!(common::<1>("192.0.2.1/32", "192.0.2.1/32"), 32);
        assert_eq!(common::<4>("2001:db8::/32", "2001:db8:8000::/33"), 32);
        assert_eq!(common::<4>("2001:db8::/128", "2001:db8::1/128"), 127);
        assert_eq!(common::<4>("2001:db8::1/128", "2001:db8::1/128"), 128);
        assert_eq!(common::<4>("::/0", "8000::/1"), 0);
    }
}
