//! Who refers to whom: ids, parents, names and addresses of everything, before any row is written. Rows carry counts
//! of their children, so all children are known first.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use rand::Rng;
use rand::rngs::StdRng;

use super::words::{self, PLACES, Place};

/// Today's number of objects in PeeringDB, about.
const FULL: Sizes = Sizes {
    org: 33_000,
    campus: 80,
    fac: 5_900,
    carrier: 280,
    carrierfac: 5_000,
    net: 34_000,
    ix: 1_300,
    ixfac: 4_700,
    netfac: 62_000,
    netixlan: 65_000,
    poc: 35_000,
};

struct Sizes {
    org: usize,
    campus: usize,
    fac: usize,
    carrier: usize,
    carrierfac: usize,
    net: usize,
    ix: usize,
    ixfac: usize,
    netfac: usize,
    netixlan: usize,
    poc: usize,
}

pub(super) struct Named {
    pub(super) id: u64,
    pub(super) name: String,
    /// Index of the organisation.
    pub(super) org: usize,
    pub(super) place: Place,
}

pub(super) struct Fac {
    pub(super) named: Named,
    /// Index of the campus.
    pub(super) campus: Option<usize>,
}

pub(super) struct Net {
    pub(super) named: Named,
    pub(super) asn: u64,
}

pub(super) struct Ix {
    pub(super) named: Named,
    /// Name of its LAN, mostly empty. The LAN has the exchange's id.
    pub(super) lan: String,
    pub(super) v4: (Ipv4Addr, u8),
    pub(super) v6: Ipv6Addr,
}

pub(super) struct Connection {
    pub(super) id: u64,
    /// Index of the network.
    pub(super) net: usize,
    /// Index of the exchange.
    pub(super) ix: usize,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
}

/// Ids and the indices of the two ends.
pub(super) type Pair = (u64, usize, usize);

pub(super) struct Plan {
    pub(super) orgs: Vec<Named>,
    pub(super) campuses: Vec<Named>,
    pub(super) facs: Vec<Fac>,
    pub(super) carriers: Vec<Named>,
    pub(super) carrierfacs: Vec<Pair>,
    pub(super) nets: Vec<Net>,
    pub(super) ixes: Vec<Ix>,
    pub(super) ixfacs: Vec<Pair>,
    pub(super) netfacs: Vec<Pair>,
    pub(super) connections: Vec<Connection>,
    /// Id and index of the network.
    pub(super) pocs: Vec<(u64, usize)>,
    /// The first IPv4 address that no exchange uses.
    pub(super) next_v4: u32,
}

impl Plan {
    pub(super) fn draw(rng: &mut StdRng, scale: f64) -> Self {
        let size = |full: usize| sized(full, scale);
        let orgs = named(rng, size(FULL.org), None, "");
        let owners = orgs.len();
        let operators = (owners / 12).max(1);
        let campuses = named(rng, size(FULL.campus), Some(operators), " Campus");
        let facs = facilities(rng, size(FULL.fac), operators, &campuses);
        let carriers = named(rng, size(FULL.carrier), Some(owners), "");
        let nets = networks(rng, size(FULL.net), &orgs);
        let (mut ixes, sizes) = exchanges(rng, size(FULL.ix), owners, size(FULL.netixlan));
        let next_v4 = number_plan(&mut ixes, &sizes);
        let connections = connections(rng, &ixes, &sizes, &nets);
        let carrierfacs = pairs(rng, size(FULL.carrierfac), carriers.len(), facs.len());
        let ixfacs = pairs(rng, size(FULL.ixfac), ixes.len(), facs.len());
        let netfacs = pairs(rng, size(FULL.netfac), nets.len(), facs.len());
        let mut ids = Ids::default();
        let pocs = (0..size(FULL.poc)).map(|_| (ids.next(rng), rng.random_range(0..nets.len()))).collect();
        Self {
            orgs,
            campuses,
            facs,
            carriers,
            carrierfacs,
            nets,
            ixes,
            ixfacs,
            netfacs,
            connections,
            pocs,
            next_v4,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a count of thousands, times a scale"
)]
fn sized(full: usize, scale: f64) -> usize {
    ((full as f64 * scale.max(0.0)).round() as usize).max(6)
}

/// Ids grow and have gaps, as after years of deletions.
#[derive(Default)]
struct Ids(u64);

impl Ids {
    fn next(&mut self, rng: &mut StdRng) -> u64 {
        self.0 += if rng.random_ratio(1, 8) { rng.random_range(2..5) } else { 1 };
        self.0
    }
}

/// Objects with unique names, owned by any of the first `owners` organisations, or each by itself.
fn named(rng: &mut StdRng, count: usize, owners: Option<usize>, suffix: &str) -> Vec<Named> {
    let mut ids = Ids::default();
    let mut taken = HashSet::with_capacity(count);
    let mut all = Vec::with_capacity(count);
    for index in 0..count {
        let stem = words::stem(rng);
        let mut name = format!("{}{suffix}", words::company(rng, &stem));
        if !taken.insert(name.clone()) {
            name = format!("{name} {index}");
            taken.insert(name.clone());
        }
        let org = owners.map_or(index, |owners| rng.random_range(0..owners));
        let place = PLACES[rng.random_range(0..PLACES.len())];
        all.push(Named { id: ids.next(rng), name, org, place });
    }
    all
}

/// Every campus has its first two facilities, without which PeeringDB would hold it as pending.
fn facilities(rng: &mut StdRng, count: usize, owners: usize, campuses: &[Named]) -> Vec<Fac> {
    let count = count.max(campuses.len() * 2);
    let mut facs: Vec<Fac> = named(rng, count, Some(owners), "")
        .into_iter()
        .enumerate()
        .map(|(index, mut named)| {
            let name: String = named.name.chars().take(60).collect();
            named.name = format!("{name} {}{}", named.place.country, index + 1);
            Fac { named, campus: None }
        })
        .collect();
    for (index, campus) in campuses.iter().enumerate() {
        for fac in &mut facs[index * 2..index * 2 + 2] {
            fac.campus = Some(index);
            fac.named.org = campus.org;
            fac.named.place = campus.place;
        }
    }
    facs
}

fn networks(rng: &mut StdRng, count: usize, orgs: &[Named]) -> Vec<Net> {
    let mut ids = Ids::default();
    let mut taken = HashSet::with_capacity(count);
    let mut asn = 999;
    let mut nets = Vec::with_capacity(count);
    for index in 0..count {
        asn = next_asn(
            if index == count / 2 { asn.max(131_071) } else { asn } + u64::from(rng.random_range(1..=2_u8)),
        );
        // Most organisations have one network, and it has their name.
        let org = if index < orgs.len() && rng.random_ratio(9, 10) {
            index
        } else {
            rng.random_range(0..orgs.len())
        };
        let mut name = orgs[org].name.clone();
        if !taken.insert(name.clone()) {
            name = format!("{name} (AS{asn})");
            taken.insert(name.clone());
        }
        nets.push(Net { named: Named { id: ids.next(rng), name, org, place: orgs[org].place }, asn });
    }
    nets
}

/// This AS number, or the next one that is neither reserved, private nor for documentation.
pub(crate) fn next_asn(asn: u64) -> u64 {
    match asn {
        23_456 => 23_457,
        64_496..=131_071 => 131_072,
        _ => asn,
    }
}

/// Exchanges without addresses yet, and the number of members of each: few are large.
fn exchanges(rng: &mut StdRng, count: usize, owners: usize, members: usize) -> (Vec<Ix>, Vec<usize>) {
    let ixes: Vec<Ix> = named(rng, count, Some(owners), "")
        .into_iter()
        .enumerate()
        .map(|(index, mut named)| {
            let stem: String = named.name.chars().take_while(|c| !c.is_whitespace()).take(30).collect();
            named.name = format!("{stem}-IX {}{}", named.place.city, index + 1);
            let lan = if rng.random_ratio(3, 5) {
                String::new()
            } else {
                format!("{} Peering LAN", named.place.city)
            };
            Ix { named, lan, v4: (Ipv4Addr::UNSPECIFIED, 24), v6: Ipv6Addr::UNSPECIFIED }
        })
        .collect();
    let weight = |rank: usize| 1_000_000 / (rank + 4);
    let total: usize = (0..count).map(weight).sum();
    let mut sizes: Vec<usize> = (0..count).map(|rank| members * weight(rank) / total).collect();
    let missing = members - sizes.iter().sum::<usize>();
    for extra in 0..missing {
        sizes[extra % count] += 1;
    }
    (ixes, sizes)
}

/// Gives every exchange an IPv4 prefix that its members fill by half at most, and an IPv6 one; says where to go on.
fn number_plan(ixes: &mut [Ix], sizes: &[usize]) -> u32 {
    let mut next = u32::from(Ipv4Addr::new(185, 0, 0, 0));
    for (index, (ix, members)) in ixes.iter_mut().zip(sizes).enumerate() {
        let mut length: u8 = 24;
        while length > 16 && members * 2 + 8 > 1 << (32 - length) {
            length -= 1;
        }
        let size = 1_u32 << (32 - length);
        let base = next.next_multiple_of(size);
        ix.v4 = (Ipv4Addr::from(base), length);
        ix.v6 = exchange_v6(index);
        next = base + size;
    }
    next
}

/// The IPv6 prefix of the exchange of this rank: a /64 of `2001:7f8::/32`.
#[expect(clippy::cast_possible_truncation, reason = "far fewer than 65,536 exchanges")]
pub(crate) fn exchange_v6(index: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0x7f8, index as u16 + 1, 0, 0, 0, 0, 0)
}

fn connections(rng: &mut StdRng, ixes: &[Ix], sizes: &[usize], nets: &[Net]) -> Vec<Connection> {
    let mut ids = Ids::default();
    let mut all = Vec::with_capacity(sizes.iter().sum());
    for (index, (ix, members)) in ixes.iter().zip(sizes).enumerate() {
        let base = u32::from(ix.v4.0);
        for (host, member) in (1_u32..).zip(0..*members) {
            let net = skewed(rng, nets.len());
            let v6 = member_v6(ix.v6, nets[net].asn, member + 1);
            all.push(Connection { id: 0, net, ix: index, v4: Ipv4Addr::from(base + host), v6 });
        }
    }
    // Ids follow the time of joining, not the exchange.
    for upper in (1..all.len()).rev() {
        all.swap(upper, rng.random_range(0..=upper));
    }
    for connection in &mut all {
        connection.id = ids.next(rng);
    }
    all
}

/// An address with the AS number's decimal digits read as hexadecimal ones, as exchanges like to assign them, and the
/// member's number in the end, which makes it unique.
#[expect(clippy::cast_possible_truncation, reason = "each part is cut to its sixteen bits on purpose")]
pub(crate) fn member_v6(prefix: Ipv6Addr, asn: u64, member: usize) -> Ipv6Addr {
    let digits = u64::from_str_radix(&asn.to_string(), 16).unwrap_or_default();
    let [a, b, c, d, ..] = prefix.segments();
    Ipv6Addr::new(a, b, c, d, (digits >> 32) as u16, (digits >> 16) as u16, digits as u16, member as u16)
}

/// Different pairs of an index below `left` and one below `right`; small indices are more likely.
fn pairs(rng: &mut StdRng, count: usize, left: usize, right: usize) -> Vec<Pair> {
    let mut ids = Ids::default();
    let count = count.min(left * right / 2);
    let mut taken = HashSet::with_capacity(count);
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let pair = (skewed(rng, left), skewed(rng, right));
        if taken.insert(pair) {
            all.push((ids.next(rng), pair.0, pair.1));
        }
    }
    all
}

/// An index below `count`, a small one rather than a large one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index of thousands"
)]
fn skewed(rng: &mut StdRng, count: usize) -> usize {
    let drawn: f64 = rng.random();
    ((drawn * drawn * count as f64) as usize).min(count.saturating_sub(1))
}
