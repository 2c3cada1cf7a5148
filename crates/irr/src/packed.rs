//! Lists as bytes, to be stored as one value and searched as they are.
//!
//! A header of ten bytes: version (1), what it holds (4, 6: prefix lists of a family; 0: AS numbers), how many (64
//! bits). Then records of one width, sorted, none twice: for prefixes the address (4 or 16 bytes), its length, the
//! shortest and the longest length permitted, both 0 for an entry that permits its prefix only; for AS numbers 4 bytes.
//! All numbers are big-endian. Equal lists are equal bytes.

mod merge;

pub use merge::{Change, changes, diff};

use crate::{Entry, Family, Prefix};

const VERSION: u8 = 1;
const AS_NUMBERS: u8 = 0;
const IPV4: u8 = 4;
const IPV6: u8 = 6;
const HEADER: usize = 10;

/// Bytes that are no packed list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a packed list: {0}; fetch the list again")]
pub struct CorruptList(String);

/// A packed prefix list that has been checked. Reads entries where they lie.
#[derive(Clone, Copy, Debug)]
pub struct PackedList<'a> {
    family: Family,
    records: &'a [u8],
    /// Which lengths its prefixes have, as [`length_bit`] gives them.
    lengths: u128,
}

/// Packs a list of one family. Sorts, leaves out what comes twice, what belongs to the other family and what permits
/// nothing; lengths outside the prefix's and the family's are cut to them.
pub fn pack(family: Family, entries: &[Entry]) -> Vec<u8> {
    let mut tidied = Vec::new();
    let mut entries = entries;
    // What comes from `prefix_list` need not be copied.
    if !entries.is_sorted_by(|one, next| one < next)
        || !entries.iter().all(|&entry| tidy(family, entry) == Some(entry))
    {
        tidied.extend(entries.iter().filter_map(|&entry| tidy(family, entry)));
        tidied.sort_unstable();
        tidied.dedup();
        entries = &tidied;
    }
    let mut bytes = header(kind(family), entries.len(), width(family));
    for Entry { prefix, lengths } in entries {
        let (low, high) = lengths.unwrap_or((0, 0));
        bytes.extend_from_slice(&prefix.address().to_be_bytes()[..address_width(family)]);
        bytes.extend_from_slice(&[prefix.length(), low, high]);
    }
    bytes
}

/// Packs AS numbers. Sorts, and leaves out what comes twice.
pub fn pack_asns(asns: &[u32]) -> Vec<u8> {
    let mut asns = asns.to_vec();
    asns.sort_unstable();
    asns.dedup();
    let mut bytes = header(AS_NUMBERS, asns.len(), 4);
    bytes.extend(asns.into_iter().flat_map(u32::to_be_bytes));
    bytes
}

/// The AS numbers that [`pack_asns`] packed, sorted.
pub fn unpack_asns(bytes: &[u8]) -> Result<Vec<u32>, CorruptList> {
    let (kind, records) = parts(bytes)?;
    if kind != AS_NUMBERS {
        return Err(CorruptList("it holds no AS numbers".to_owned()));
    }
    let (asns, _) = records.as_chunks();
    let asns: Vec<u32> = asns.iter().map(|&asn| u32::from_be_bytes(asn)).collect();
    match asns.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(at) => Err(CorruptList(format!("its AS number {} is out of order", at + 1))),
        None => Ok(asns),
    }
}

impl<'a> PackedList<'a> {
    /// Of what [`pack`] gave. Looks at every record, so that none can surprise later.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CorruptList> {
        let (kind, records) = parts(bytes)?;
        let family = match kind {
            IPV4 => Family::V4,
            IPV6 => Family::V6,
            _ => return Err(CorruptList("it holds no prefixes".to_owned())),
        };
        let mut list = Self { family, records, lengths: 0 };
        let mut before = None;
        for (at, record) in records.chunks_exact(width(family)).enumerate() {
            let entry = read(family, record);
            let prefix = entry.prefix;
            let (address, rest) = record.split_at(address_width(family));
            if *address != prefix.address().to_be_bytes()[..address.len()]
                || rest[0] != prefix.length()
                || tidy(family, entry) != Some(entry)
                || before.is_some_and(|before| before >= entry)
            {
                return Err(CorruptList(format!("its entry {at} is out of bounds or out of order")));
            }
            list.lengths |= length_bit(prefix.length());
            before = Some(entry);
        }
        Ok(list)
    }

    /// Its family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.records.len() / width(self.family)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Entry number `at`, from 0, in the order of the list.
    pub fn get(&self, at: usize) -> Option<Entry> {
        (at < self.len()).then(|| self.at(at))
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry> + Clone + use<'a> {
        self.after(0)
    }

    /// The entry that permits a route for `route`: of several, one of the longest prefix.
    pub fn permits(&self, route: Prefix) -> Option<Entry> {
        let lengths = (0..=route.length()).rev().filter(|&length| self.lengths & length_bit(length) != 0);
        lengths.map(|length| Prefix::new(route.family(), route.address(), length)).find_map(|prefix| {
            let entries = self.after(self.position(prefix));
            entries.take_while(|entry| entry.prefix == prefix).find(|entry| entry.permits(route))
        })
    }

    /// The entries whose prefix is `prefix` or lies in it, in order.
    pub fn covered_by(&self, prefix: Prefix) -> impl Iterator<Item = Entry> + use<'a> {
        self.after(self.position(prefix)).take_while(move |entry| prefix.covers(entry.prefix))
    }

    /// How many entries come before those of `prefix`.
    fn position(&self, prefix: Prefix) -> usize {
        let (mut begin, mut end) = (0, self.len());
        while begin < end {
            let middle = usize::midpoint(begin, end);
            if self.at(middle).prefix < prefix { begin = middle + 1 } else { end = middle }
        }
        begin
    }

    fn after(&self, begin: usize) -> impl ExactSizeIterator<Item = Entry> + Clone + use<'a> {
        let width = width(self.family);
        let family = self.family;
        self.records[begin * width..].chunks_exact(width).map(move |record| read(family, record))
    }

    /// Entry number `at`, less than the length.
    fn at(&self, at: usize) -> Entry {
        let width = width(self.family);
        read(self.family, &self.records[at * width..(at + 1) * width])
    }
}

/// A packed prefix list with its bytes, checked once. Entries are read where they lie.
#[derive(Clone)]
pub struct OwnedList {
    family: Family,
    bytes: std::sync::Arc<Vec<u8>>,
}

impl OwnedList {
    /// Of what [`pack`] gave. Looks at every record, as [`PackedList::new`] does.
    pub fn new(bytes: std::sync::Arc<Vec<u8>>) -> Result<Self, CorruptList> {
        let family = PackedList::new(&bytes)?.family();
        Ok(Self { family, bytes })
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.records().len() / width(self.family)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.records().is_empty()
    }

    /// Entry number `at`, from 0, in the order of the list.
    pub fn get(&self, at: usize) -> Option<Entry> {
        let width = width(self.family);
        let begin = at.checked_mul(width)?;
        let record = self.records().get(begin..begin.checked_add(width)?)?;
        Some(read(self.family, record))
    }

    /// The bytes it was made of.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn records(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

impl std::fmt::Debug for OwnedList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnedList({} entries)", self.len())
    }
}

/// One bit per length; 0 and 128 share theirs.
const fn length_bit(length: u8) -> u128 {
    1 << (length % 128)
}

const fn kind(family: Family) -> u8 {
    match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    }
}

const fn address_width(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

const fn width(family: Family) -> usize {
    address_width(family) + 3
}

fn header(kind: u8, count: usize, width: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + count * width);
    bytes.extend_from_slice(&[VERSION, kind]);
    bytes.extend_from_slice(&(count as u64).to_be_bytes());
    bytes
}

/// What the bytes hold, and the records; these are as many as the header says, of the right width.
fn parts(bytes: &[u8]) -> Result<(u8, &[u8]), CorruptList> {
    let corrupt = |reason: String| Err(CorruptList(reason));
    let Some((&[version, kind, ref count @ ..], records)) = bytes.split_first_chunk::<HEADER>() else {
        return corrupt(format!("{} bytes are too few", bytes.len()));
    };
    let width = match kind {
        _ if version != VERSION => return corrupt(format!("version {version} is unknown")),
        AS_NUMBERS => 4,
        IPV4 => width(Family::V4),
        IPV6 => width(Family::V6),
        _ => return corrupt(format!("kind {kind} is unknown")),
    };
    let count = u64::from_be_bytes(*count);
    if count.checked_mul(width as u64) != Some(records.len() as u64) {
        return corrupt(format!("{count} entries were announced, and {} bytes are there", records.len()));
    }
    Ok((kind, records))
}

/// A record of the family's width.
fn read(family: Family, record: &[u8]) -> Entry {
    let (written, rest) = record.split_at(address_width(family));
    let mut address = [0; 16];
    address[..written.len()].copy_from_slice(written);
    let prefix = Prefix::new(family, u128::from_be_bytes(address), rest[0]);
    let lengths = if rest[1..] == [0, 0] { None } else { Some((rest[1], rest[2])) };
    Entry { prefix, lengths }
}

/// The entry with lengths that can be, if it permits anything in this family.
fn tidy(family: Family, entry: Entry) -> Option<Entry> {
    let Entry { prefix, lengths } = entry;
    let lengths = lengths.map(|(low, high)| (low.max(prefix.length()), high.min(family.bits())));
    let permits = prefix.family() == family && lengths.is_none_or(|(low, high)| low <= high);
    permits.then_some(Entry { prefix, lengths: lengths.filter(|&lengths| lengths != (0, 0)) })
}

#[cfg(test)]
mod tests;
