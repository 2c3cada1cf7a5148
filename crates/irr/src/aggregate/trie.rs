//! The tree that a list is made with: a binary trie with path compression, all nodes in one array, each before what lies
//! below it.
//!
//! Its nodes are the keys and the places where keys part, whatever order they come in; sorted keys give the array in one
//! go. A pass from the front meets a node before its children, a pass from the back meets it after them: so widening,
//! joining and printing are loops. The rules are bgpq4's, with its gaps: what could be said in fewer entries is not
//! always.

use std::num::NonZeroU32;

use super::key::Key;
use crate::{Entry, Prefix};

/// Shortest and longest length that is permitted, both included.
type Lengths = (u8, u8);

/// The tree. See the module's documentation.
pub(super) struct Trie<const WORDS: usize> {
    nodes: Vec<Node<WORDS>>,
    more: Vec<More>,
}

struct Node<const WORDS: usize> {
    key: Key<WORDS>,
    /// Not printed: just a place where keys part, or said by another node.
    hidden: bool,
    /// `None`: just the key itself.
    lengths: Option<Lengths>,
    /// The second child, if there are two. The first is the next node.
    second: Option<NonZeroU32>,
    /// Further lengths of the same key: one more than their place in `Trie::more`.
    more: Option<NonZeroU32>,
}

/// A second, third … entry for a node's key. Aggregation makes one where a node is needed for itself and also speaks for
/// what lies below, and the lengths leave a gap.
#[derive(Clone, Copy)]
struct More {
    hidden: bool,
    lengths: Lengths,
    next: Option<NonZeroU32>,
}

impl<const WORDS: usize> Trie<WORDS> {
    /// Of keys that are sorted, none twice.
    pub(super) fn new(keys: &[Key<WORDS>]) -> Self {
        // There are fewer places where keys part than keys. Memory that is not used is not touched.
        let mut trie = Self { nodes: Vec::with_capacity(2 * keys.len()), more: Vec::new() };
        trie.grow(keys);
        trie
    }

    /// Adds a node for what these keys have in common, then those below. Each call goes at least one bit deeper.
    fn grow(&mut self, keys: &[Key<WORDS>]) {
        let (Some(&first), Some(&last)) = (keys.first(), keys.last()) else { return };
        let common = first.common(last);
        let is_key = common == first.length();
        let below = if is_key { &keys[1..] } else { keys };
        let (zeros, ones) = below.split_at(below.partition_point(|key| !key.bit(common)));
        let at = self.nodes.len();
        let key = first.shortened(common);
        self.nodes.push(Node { key, hidden: !is_key, lengths: None, second: None, more: None });
        self.grow(zeros);
        if !zeros.is_empty() && !ones.is_empty() {
            self.nodes[at].second = index(self.nodes.len());
        }
        self.grow(ones);
    }

    /// `-R to` and then `-r from`: each key permits more specifics, up to `to`, and those that are keys are not needed
    /// any more. Longer ones stay as they are.
    pub(super) fn widen(&mut self, from: Option<u8>, to: u8) {
        let mut widened: Option<Key<WORDS>> = None;
        for node in &mut self.nodes {
            let length = node.key.length();
            if widened.is_some_and(|key| key.covers(node.key)) {
                node.hidden |= length <= to;
            } else if !node.hidden && length < to {
                node.lengths = Some((length, to));
                widened = Some(node.key);
            }
            if let Some(from) = from
                && !node.hidden
                && length <= from
            {
                // A key as long as both `-r` and `-R` permits all lengths below it, as with bgpq4.
                let longest = node.lengths.map_or(Key::<WORDS>::FAMILY.bits(), |(_, longest)| longest);
                node.lengths = Some((from, longest));
            }
        }
    }

    /// `-A`: two halves that permit the same are said by their whole.
    pub(super) fn aggregate(&mut self) {
        for at in (0..self.nodes.len()).rev() {
            let Some(second) = self.nodes[at].second.and_then(|at| usize::try_from(at.get()).ok()) else {
                continue;
            };
            let (first, length) = (at + 1, self.nodes[at].key.length() + 1);
            if self.nodes[first].key.length() == length && self.nodes[second].key.length() == length {
                self.join(at, first, second, length);
            }
        }
    }

    /// Lets the node `at` speak for its two halves, nodes of the given length, where they permit the same.
    fn join(&mut self, at: usize, first: usize, second: usize, length: u8) {
        let (a, b) = (&self.nodes[first], &self.nodes[second]);
        let (a_more, b_more) = (self.more_lengths(a.more), self.more_lengths(b.more));
        match (a.lengths, b.lengths) {
            (None, None) if !a.hidden && !b.hidden => {
                let node = &mut self.nodes[at];
                node.lengths = Some((if node.hidden { length } else { length - 1 }, length));
                node.hidden = false;
                self.nodes[at].more = self.join_more(first, second);
                self.hide(&[first, second]);
            }
            (Some(lengths), Some(same)) if lengths == same => {
                let node = &mut self.nodes[at];
                if node.hidden {
                    node.hidden = false;
                    node.lengths = Some(lengths);
                } else if lengths.0 == length {
                    node.lengths = Some((length - 1, lengths.1));
                } else {
                    let next = self.join_more(first, second);
                    self.nodes[at].more = self.add_more(lengths, next);
                }
                self.hide(&[first, second]);
            }
            (_, Some(lengths)) if a_more == Some(lengths) => self.join_crosswise(at, lengths, first, second),
            (Some(lengths), _) if b_more == Some(lengths) => self.join_crosswise(at, lengths, second, first),
            _ => {}
        }
    }

    /// Where both halves have the same further lengths: those, for their whole.
    fn join_more(&mut self, first: usize, second: usize) -> Option<NonZeroU32> {
        let (a, b) = (self.nodes[first].more, self.nodes[second].more);
        let lengths = self.more_lengths(a)?;
        if self.more_lengths(b) != Some(lengths) {
            return None;
        }
        self.hide_more(a);
        self.hide_more(b);
        self.add_more(lengths, None)
    }

    /// One half has as further lengths what the other permits: the whole says that, and the one half keeps its own.
    fn join_crosswise(&mut self, at: usize, lengths: Lengths, with_more: usize, other: usize) {
        let node = &mut self.nodes[at];
        if node.hidden {
            node.hidden = false;
            node.lengths = Some(lengths);
        } else {
            self.nodes[at].more = self.add_more(lengths, None);
        }
        self.hide(&[other]);
        self.hide_more(self.nodes[with_more].more);
    }

    fn hide(&mut self, nodes: &[usize]) {
        for &at in nodes {
            self.nodes[at].hidden = true;
        }
    }

    fn hide_more(&mut self, at: Option<NonZeroU32>) {
        if let Some(more) = place(at).and_then(|at| self.more.get_mut(at)) {
            more.hidden = true;
        }
    }

    fn more_lengths(&self, at: Option<NonZeroU32>) -> Option<Lengths> {
        Some(self.more.get(place(at)?)?.lengths)
    }

    fn add_more(&mut self, lengths: Lengths, next: Option<NonZeroU32>) -> Option<NonZeroU32> {
        self.more.push(More { hidden: false, lengths, next });
        index(self.more.len())
    }

    /// The list, in order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let shown = self.nodes.iter().filter(|node| !node.hidden).count();
        let mut entries = Vec::with_capacity(shown + self.more.iter().filter(|more| !more.hidden).count());
        for node in &self.nodes {
            let prefix = Prefix::from(node.key);
            if !node.hidden {
                entries.push(Entry { prefix, lengths: node.lengths });
            }
            let mut at = node.more;
            while let Some(more) = place(at).and_then(|at| self.more.get(at)) {
                if !more.hidden {
                    entries.push(Entry { prefix, lengths: Some(more.lengths) });
                }
                at = more.next;
            }
        }
        entries
    }
}

/// `None` beyond four billion: such nodes are printed, only not joined.
fn index(at: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(at).ok()?)
}

/// Place in `Trie::more` of what `index` gave for its length.
fn place(at: Option<NonZeroU32>) -> Option<usize> {
    usize::try_from(at?.get() - 1).ok()
}
