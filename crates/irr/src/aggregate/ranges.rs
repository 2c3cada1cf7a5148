//! Ranges of prefixes: to single prefixes where that is not too many, as they are otherwise.

use super::key::Key;
use crate::{Entry, Prefix, PrefixRange};

/// Ranges that are kept as such, sorted; those of one prefix leave gaps between them.
pub(super) struct Kept(Vec<PrefixRange>);

/// Adds the prefixes of the ranges to `keys`, the smallest ranges first, until there would be more than `most` new ones;
/// gives back the rest.
pub(super) fn expand<const WORDS: usize>(
    ranges: &[PrefixRange],
    longest: Option<u8>,
    mut most: u64,
    keys: &mut Vec<Key<WORDS>>,
) -> Kept {
    let ranges = ranges.iter().filter(|range| range.prefix.family() == Key::<WORDS>::FAMILY);
    let mut ranges = joined(ranges.filter_map(|&range| limited(range, longest)).collect());
    ranges.sort_by_key(count);
    let mut kept = Vec::new();
    for range in ranges {
        if let Some(left) = most.checked_sub(count(&range)) {
            most = left;
            keys.extend(prefixes(range).map(Key::from));
        } else {
            kept.push(range);
        }
    }
    kept.sort_unstable();
    Kept(kept)
}

/// The range with what `-m` leaves of it.
fn limited(range: PrefixRange, longest: Option<u8>) -> Option<PrefixRange> {
    let (own, bits) = (range.prefix.length(), range.prefix.family().bits());
    let low = range.low.max(own);
    let high = match longest {
        // To bgpq4 the family's own length is no limit for prefixes, and leaves of a range its prefix alone.
        Some(longest) if longest >= bits => own,
        Some(longest) => longest,
        None => bits,
    }
    .min(range.high);
    (low <= high).then_some(PrefixRange { low, high, ..range })
}

/// The same, sorted, those of one prefix that touch or overlap made one.
fn joined(mut ranges: Vec<PrefixRange>) -> Vec<PrefixRange> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, range| {
        let touches = next.prefix == range.prefix && next.low <= range.high.saturating_add(1);
        if touches {
            range.high = range.high.max(next.high);
        }
        touches
    });
    ranges
}

/// How many prefixes it has; a number beyond all limits where 64 bits are not enough.
fn count(range: &PrefixRange) -> u64 {
    let own = range.prefix.length();
    match range.high - own {
        bits @ ..=62 => (2 << bits) - (1 << (range.low - own)),
        _ => u64::MAX,
    }
}

fn prefixes(range: PrefixRange) -> impl Iterator<Item = Prefix> {
    let PrefixRange { prefix, low, high } = range;
    (low..=high).flat_map(move |length| {
        let place = move |number: u64| if length == 0 { 0 } else { u128::from(number) << (128 - length) };
        (0..1_u64 << (length - prefix.length()))
            .map(move |number| Prefix::new(prefix.family(), prefix.address() | place(number), length))
    })
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes keys, which are sorted, that these ranges say: their own prefixes, and with `-R to` the more specifics
    /// up to that length.
    pub(super) fn relieve<const WORDS: usize>(&self, keys: &mut Vec<Key<WORDS>>, to: Option<u8>) {
        let mut ranges = self.0.iter().peekable();
        let mut above: Vec<&PrefixRange> = Vec::new();
        keys.retain(|&key| {
            let prefix = Prefix::from(key);
            while let Some(range) = ranges.next_if(|range| range.prefix <= prefix) {
                above.push(range);
            }
            above.retain(|range| range.prefix.covers(prefix));
            !above.iter().any(|range| said(range, prefix.length(), to))
        });
    }

    /// As entries: `-R to` and then `-r from` applied as to their single prefixes.
    pub(super) fn entries(&self, from: Option<u8>, to: Option<u8>) -> impl Iterator<Item = Entry> {
        self.0.iter().map(move |&PrefixRange { prefix, mut low, mut high }| {
            high = to.filter(|&to| low < to).map_or(high, |to| high.max(to));
            low = from.map_or(low, |from| low.max(from).min(high));
            Entry { prefix, lengths: (high > prefix.length()).then_some((low, high)) }
        })
    }
}

fn said(range: &PrefixRange, length: u8, to: Option<u8>) -> bool {
    length >= range.low && (length <= range.high || length > range.low && to.is_some_and(|to| length <= to))
}
