//! What changed between two sorted lists.

use std::cmp::Ordering;
use std::iter::{self, Peekable};

/// One difference between two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// In the new list only.
    Added(T),
    /// In the old list only.
    Removed(T),
}

/// The differences of two lists, each sorted and without repetition, in order, found while both are read once.
pub fn changes<T: Ord>(
    old: impl IntoIterator<Item = T>,
    new: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = Change<T>> {
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    iter::from_fn(move || next(&mut old, &mut new))
}

fn next<T: Ord>(
    old: &mut Peekable<impl Iterator<Item = T>>,
    new: &mut Peekable<impl Iterator<Item = T>>,
) -> Option<Change<T>> {
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(removed), Some(added)) => removed.cmp(added),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => return old.next().map(Change::Removed),
            Ordering::Greater => return new.next().map(Change::Added),
            Ordering::Equal => {
                old.next();
                new.next();
            }
        }
    }
}

/// What was added and what was removed, both in order. See [`changes`].
pub fn diff<T: Ord>(old: impl IntoIterator<Item = T>, new: impl IntoIterator<Item = T>) -> (Vec<T>, Vec<T>) {
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for change in changes(old, new) {
        match change {
            Change::Added(item) => added.push(item),
            Change::Removed(item) => removed.push(item),
        }
    }
    (added, removed)
}
