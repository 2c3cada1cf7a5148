//! Prefixes to a prefix list: the entries that bgpq4 prints for the same prefixes and arguments, in the same order.
//!
//! Where it differs is in `deviations.md` beside this crate's manifest.

mod key;
mod ranges;
mod trie;

use key::Key;
use trie::Trie;

use crate::{Entry, Family, Prefix, PrefixRange, Shape};

/// How many prefixes ranges may become, all ranges of a list together. Beyond that they stay ranges.
const MOST_EXPANDED: u64 = 1 << 20;

/// The list of one family, sorted by prefix and then by lengths; prefixes of the other family are left out. Takes the
/// prefixes in any order, also twice.
///
/// Ranges count as all prefixes in them, up to 1,048,576 together. When they have more, the largest ones stay ranges
/// in the list: they permit the same, but are not aggregated with their surroundings. `shape` should be one that
/// [`Shape::parse`] gives for that family.
pub fn prefix_list(
    family: Family,
    prefixes: impl IntoIterator<Item = Prefix>,
    ranges: &[PrefixRange],
    shape: &Shape,
) -> Vec<Entry> {
    match family {
        Family::V4 => list::<1>(prefixes, ranges, *shape, MOST_EXPANDED),
        Family::V6 => list::<4>(prefixes, ranges, *shape, MOST_EXPANDED),
    }
}

fn list<const WORDS: usize>(
    prefixes: impl IntoIterator<Item = Prefix>,
    ranges: &[PrefixRange],
    shape: Shape,
    most_expanded: u64,
) -> Vec<Entry> {
    let longest = shape.longest.unwrap_or(u8::MAX);
    let wanted = |prefix: &Prefix| prefix.family() == Key::<WORDS>::FAMILY && prefix.length() <= longest;
    let mut keys: Vec<Key<WORDS>> = prefixes.into_iter().filter(wanted).map(Key::from).collect();
    let kept = ranges::expand(ranges, shape.longest, most_expanded, &mut keys);
    let widest = shape.widest(Key::<WORDS>::FAMILY);
    keys.sort_unstable();
    keys.dedup();
    if !kept.is_empty() {
        kept.relieve(&mut keys, widest);
    }
    let mut trie = Trie::new(&keys);
    drop(keys);
    if let Some(to) = widest {
        trie.widen(shape.from, to);
    }
    if shape.aggregate {
        trie.aggregate();
    }
    let mut entries = trie.entries();
    if !kept.is_empty() {
        entries.extend(kept.entries(shape.from, widest));
        entries.sort_unstable();
    }
    entries
}

#[cfg(test)]
mod tests;
