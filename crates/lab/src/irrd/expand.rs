//! How sets are taken apart and prefixes found: the rules of IRRd 4.
//!
//! - A name: the first selected source that has it counts. An as-set of that name in any of them comes before a
//!   route-set.
//! - Prefixes: those of all selected sources together, each once.
//! - Recursion goes level by level and enters a name once, so that cycles end. A name that no source has is nothing.
//! - An as-set holds AS numbers and as-sets. In a route-set AS numbers and as-sets stand for their prefixes.
//! - Range operators belong to prefixes. `AS-X^24` is a name, which no set has.

use std::collections::HashSet;

use ipnet::IpNet;

use super::world::{Class, Member, World};

/// IPv4, IPv6 or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Families {
    V4,
    V6,
    Both,
}

/// What all members of a set come down to.
#[derive(Debug, Default)]
struct Leaves {
    asns: HashSet<u32>,
    /// Of route-sets: prefixes with range operators.
    prefixes: HashSet<String>,
}

impl World {
    fn find(&self, name: &str, sources: &[usize], classes: &[Class]) -> Option<(&[Member], Class)> {
        classes.iter().find_map(|class| {
            sources.iter().find_map(|source| {
                let source = self.source(*source);
                let sets = if *class == Class::AsSet { &source.as_sets } else { &source.route_sets };
                sets.get(name).map(|members| (members.as_slice(), *class))
            })
        })
    }

    /// The direct members of a set, sorted as text. `name` is as the client wrote it: IRRd leaves out what equals it
    /// to the letter.
    pub(crate) fn members(&self, name: &str, sources: &[usize]) -> Vec<String> {
        let found = self.find(&name.to_uppercase(), sources, &[Class::AsSet, Class::RouteSet]);
        let members = found.map_or(&[][..], |(members, _)| members);
        let mut texts: Vec<String> =
            members.iter().map(Member::to_string).filter(|member| member != name).collect();
        texts.sort_unstable();
        texts
    }

    /// All AS numbers below an as-set, all prefixes below a route-set; sorted as text.
    pub(crate) fn all_members(&self, name: &str, sources: &[usize], excluded: &[String]) -> Vec<String> {
        let leaves = self.leaves(name, sources, excluded, None);
        let asns = leaves.asns.into_iter().map(|asn| format!("AS{asn}"));
        let mut texts: Vec<String> = asns.chain(leaves.prefixes).collect();
        texts.sort_unstable();
        texts
    }

    /// All prefixes of all AS numbers below an as-set, in no order.
    pub(crate) fn set_routes(
        &self,
        name: &str,
        sources: &[usize],
        excluded: &[String],
        families: Families,
    ) -> Vec<IpNet> {
        let leaves = self.leaves(name, sources, excluded, Some(Class::AsSet));
        self.routes(leaves.asns, sources, families)
    }

    /// All prefixes of these AS numbers, each once, in no order: the real server's order differs between its workers,
    /// so nobody may count on one.
    pub(crate) fn routes(
        &self,
        origins: impl IntoIterator<Item = u32>,
        sources: &[usize],
        families: Families,
    ) -> Vec<IpNet> {
        let mut all: Vec<IpNet> = Vec::new();
        for origin in origins {
            for source in sources {
                let source = self.source(*source);
                if families != Families::V6 {
                    all.extend(source.routes.get(&origin).into_iter().flatten().copied().map(IpNet::V4));
                }
                if families != Families::V4 {
                    all.extend(source.routes6.get(&origin).into_iter().flatten().copied().map(IpNet::V6));
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all.sort_by_cached_key(scrambled);
        all
    }

    /// `root` is the class of the set that was asked for, if that is known beforehand.
    fn leaves(&self, name: &str, sources: &[usize], excluded: &[String], root: Option<Class>) -> Leaves {
        let mut leaves = Leaves::default();
        let mut root = root;
        let mut seen: HashSet<String> = HashSet::new();
        let mut level = vec![name.to_uppercase()];
        while !level.is_empty() {
            seen.extend(level.iter().cloned());
            let mut next = Vec::new();
            for name in &level {
                let both = [Class::AsSet, Class::RouteSet];
                let classes = if root == Some(Class::AsSet) { &both[..1] } else { &both };
                let Some((members, class)) = self.find(name, sources, classes) else { continue };
                let root = *root.get_or_insert(class);
                for member in members {
                    match member {
                        Member::Asn(asn) => {
                            leaves.asns.insert(*asn);
                        }
                        Member::Prefix(text) if root == Class::RouteSet => {
                            leaves.prefixes.insert(text.to_string());
                        }
                        Member::Prefix(_) => {}
                        Member::Name(name) => next.push(name.to_string()),
                    }
                }
            }
            next.retain(|name| !seen.contains(name) && !excluded.contains(name));
            next.sort_unstable();
            next.dedup();
            level = next;
        }
        if root == Some(Class::RouteSet) {
            let asns = std::mem::take(&mut leaves.asns);
            let routes = self.routes(asns, sources, Families::Both);
            leaves.prefixes.extend(routes.iter().map(IpNet::to_string));
        }
        leaves
    }
}

/// A number for a prefix that has nothing to do with its place among others.
fn scrambled(prefix: &IpNet) -> u64 {
    let address = match prefix {
        IpNet::V4(prefix) => u128::from(prefix.network().to_bits()),
        IpNet::V6(prefix) => prefix.network().to_bits(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let folded = (address >> 64) as u64 ^ (address as u64).rotate_left(17) ^ u64::from(prefix.prefix_len());
    let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
