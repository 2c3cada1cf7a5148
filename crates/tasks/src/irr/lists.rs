//! From what a server knows to a list that can be stored.

use std::collections::BTreeSet;

use ipnet::IpNet;
use pm_irr::{Content, Entry, Family, Lookup, PackedList, Prefix, Shape, pack, pack_asns, prefix_list};
use pm_store::address;
use pm_store::irr::{Kind, NewList};
use sha2::{Digest as _, Sha256};

use super::judge::Answer;
use super::plan::family_of;

/// What stands for a 32-bit AS number where only 16 bits fit (RFC 6793): nobody's.
const AS_TRANS: u32 = 23_456;

/// The answer for a list of `asn`; may take a second of work for a million prefixes.
pub(super) fn answer(kind: Kind, asn: i64, shape: Shape, lookup: Lookup<Content>) -> Answer {
    match lookup {
        Lookup::Found(Content::Prefixes { prefixes, ranges }) => {
            let Some(family) = family_of(kind) else { return empty_list(kind) };
            let found = count(prefixes.len() + ranges.len());
            let entries = prefix_list(family, prefixes, &ranges, &shape);
            Answer::List { list: of_entries(family, &entries), found }
        }
        Lookup::Found(Content::Asns(asns)) => of_members(asn, asns),
        Lookup::Empty => empty_list(kind),
        Lookup::Nothing => match empty_list(kind) {
            Answer::List { list, .. } => Answer::Nothing { list },
            other => other,
        },
        Lookup::Unknown(names) => {
            let exist = if names.len() == 1 { "does not exist" } else { "do not exist" };
            Answer::Failed(format!("{} {exist} in the IRR sources asked", names.join(", ")))
        }
        Lookup::TooBig { what, count } => Answer::Failed(format!("{what}: {count}, more than is taken")),
        Lookup::Failed(why) => Answer::Failed(why),
    }
}

/// The list of an autonomous system that a program has expanded, with what it lists besides.
pub(super) fn of_members(asn: i64, mut asns: Vec<u32>) -> Answer {
    asns.extend(u32::try_from(asn));
    asns.retain(|asn| *asn != AS_TRANS);
    asns.sort_unstable();
    asns.dedup();
    Answer::List { found: count(asns.len()), list: of_asns(&asns) }
}

/// An AS list as it is, but for order and repetitions.
pub(crate) fn of_asns(asns: &[u32]) -> NewList {
    let data = pack_asns(asns);
    let entries = pm_irr::unpack_asns(&data).map_or(0, |asns| asns.len());
    new_list(Kind::AsList, count(entries), data, Vec::new())
}

/// A prefix list.
pub(crate) fn of_entries(family: Family, entries: &[Entry]) -> NewList {
    let kind = if family == Family::V4 { Kind::Ipv4 } else { Kind::Ipv6 };
    let blocks: BTreeSet<Prefix> = entries.iter().map(|entry| block(entry.prefix)).collect();
    let blocks = blocks.into_iter().filter_map(encoded).collect();
    NewList {
        shortest: entries.iter().map(|entry| i64::from(entry.prefix.length())).min(),
        ..new_list(kind, count(entries.len()), pack(family, entries), blocks)
    }
}

/// The list without entries.
pub(super) fn empty_list(kind: Kind) -> Answer {
    let list = match family_of(kind) {
        Some(family) => of_entries(family, &[]),
        None => new_list(kind, 0, pack_asns(&[]), Vec::new()),
    };
    Answer::List { list, found: 0 }
}

/// The octets of a prefix list without entries.
pub(super) fn empty_prefixes(kind: Kind) -> Vec<u8> {
    pack(family_of(kind).unwrap_or(Family::V4), &[])
}

/// A stored list as a new one, to be taken now.
pub(super) fn restored(kind: Kind, data: Vec<u8>) -> Option<NewList> {
    if kind == Kind::AsList {
        let entries = pm_irr::unpack_asns(&data).ok()?.len();
        return Some(new_list(kind, count(entries), data, Vec::new()));
    }
    let packed = PackedList::new(&data).ok()?;
    let entries = count(packed.len());
    let blocks: BTreeSet<Prefix> = packed.iter().map(|entry| block(entry.prefix)).collect();
    let shortest = packed.iter().map(|entry| i64::from(entry.prefix.length())).min();
    let blocks = blocks.into_iter().filter_map(encoded).collect();
    Some(NewList { shortest, ..new_list(kind, entries, data, blocks) })
}

fn new_list(kind: Kind, entries: i64, data: Vec<u8>, blocks: Vec<Vec<u8>>) -> NewList {
    NewList { kind, digest: Sha256::digest(&data).to_vec(), entries, shortest: None, data, blocks }
}

/// Length of the blocks in which lists are looked for: short enough that a list lies in a few, as each is a row, and long
/// enough that most lists lie elsewhere, as those that do not are loaded and searched.
const fn block_length(family: Family) -> u8 {
    match family {
        Family::V4 => 12,
        Family::V6 => 24,
    }
}

/// The block in which an entry is found: the first bits of its prefix, or the prefix itself when it is shorter.
fn block(prefix: Prefix) -> Prefix {
    let length = prefix.length().min(block_length(prefix.family()));
    Prefix::new(prefix.family(), prefix.address(), length)
}

/// Every block that may hold an entry which permits `route`.
pub(super) fn blocks_of(route: Prefix) -> Vec<Vec<u8>> {
    let longest = route.length().min(block_length(route.family()));
    (0..=longest).filter_map(|length| encoded(Prefix::new(route.family(), route.address(), length))).collect()
}

fn encoded(prefix: Prefix) -> Option<Vec<u8>> {
    IpNet::new(prefix.network(), prefix.length()).ok().map(address::encode)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
