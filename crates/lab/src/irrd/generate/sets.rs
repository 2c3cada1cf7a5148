//! Sets: a pool of nested ones, those of the networks, those of the bench's peers, and odd ones.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::routes::BIG;
use super::{ARIN, Draft, RADB, RIPE, SOURCES, SetDraft, names, pick};

/// How deep the pool is nested; with the sets that use it, one more.
const LEVELS: usize = 7;
/// How many peers a bench has.
const PEERS: usize = 200;
/// Where sets are registered, and how often.
const REGISTERED: [(usize, u32); 5] = [(RIPE, 45), (ARIN, 18), (4, 15), (5, 10), (RADB, 12)];

/// The names of the pool's sets by level; those of the first level have the others below them.
pub(super) type Levels = [Vec<String>; LEVELS];

impl Draft {
    fn set(&mut self, source: usize, name: &str, members: Vec<String>) -> &mut SetDraft {
        let set = self.sets.entry((source, name.to_ascii_uppercase())).or_default();
        for member in members {
            if !set.members.contains(&member) {
                set.members.push(member);
            }
        }
        set
    }

    fn registered(&mut self) -> usize {
        pick(&mut self.rng, &REGISTERED)
    }

    fn some_asn(&mut self) -> u32 {
        self.pool.choose(&mut self.rng).copied().unwrap_or(BIG)
    }

    fn some_of(&mut self, names: &[String]) -> Option<String> {
        names.choose(&mut self.rng).cloned()
    }

    /// Sets that others have as members: nested, with loops, missing and empty ones, names that two sources have.
    pub(super) fn pool_of_sets(&mut self) -> Levels {
        let mut levels = Levels::default();
        for nth in 0..self.sized(4_000) {
            let weights: [(usize, u32); LEVELS] =
                [(0, 30), (1, 22), (2, 16), (3, 12), (4, 9), (5, 6), (6, 5)];
            // The first ones go one to each level, so that there are all of them in small worlds too.
            let level = if nth < LEVELS { nth } else { pick(&mut self.rng, &weights) };
            let (owner, other) = (self.some_asn(), self.some_asn());
            levels[level].push(match nth {
                _ if nth % 3 == 0 => format!("AS{owner}:AS-CUST{nth:04}"),
                _ if nth % 31 == 0 => format!("AS{owner}:AS{other}:AS-DEEP{nth:04}"),
                _ => format!("AS-SUB{nth:04}"),
            });
        }
        for level in 0..LEVELS {
            for name in &levels[level] {
                self.set_of_pool(name, level, &levels);
            }
        }
        levels
    }

    fn set_of_pool(&mut self, name: &str, level: usize, levels: &Levels) {
        let source = self.registered();
        let mut members = Vec::new();
        if self.chance(90) {
            let count = 1 + most(self.heavy_tailed(1.3), 200);
            members = self.customers(count);
        }
        if let Some(below) = levels.get(level + 1) {
            for _ in 0..pick(&mut self.rng, &[(0, 40), (1, 35), (2, 18), (3, 7)]) {
                members.extend(self.some_of(below));
            }
        }
        match self.rng.random_range(0..1_000) {
            0..20 => members.push(format!("AS-MISSING{}", self.rng.random_range(0..500))),
            20..40 if level > 0 => {
                let above = self.rng.random_range(0..level);
                members.extend(self.some_of(&levels[above]));
            }
            40..45 => members.push(name.to_owned()),
            45..50 => members.push("AS64512".to_owned()),
            50..53 => members.clear(),
            _ => {}
        }
        let takes = self.chance(3).then(|| format!("MNT-{}", self.rng.random_range(0..50)));
        self.set(source, name, members).takes = takes;
        if self.chance(2) {
            let members = self.customers(3);
            self.set(if source == RADB { RIPE } else { RADB }, name, members);
        }
    }

    /// The sets that networks name in PeeringDB. One in thirty does not exist, one in fifty has no members.
    pub(super) fn sets_of_networks(&mut self, networks: &[(u32, String)], levels: &Levels) {
        for (asn, field) in networks {
            for (source, name) in names::in_field(field) {
                let source = source.unwrap_or(self.homes[asn]);
                match self.rng.random_range(0..100) {
                    0..3 => {}
                    3..5 => {
                        self.set(source, &name, vec![]);
                    }
                    5 => {
                        self.set(source, &name, vec![format!("AS-MISSING{asn}")]);
                    }
                    _ => {
                        let mut members = vec![format!("AS{asn}")];
                        members.extend(self.customers_of_network(levels));
                        self.set(source, &name, members);
                    }
                }
            }
        }
    }

    fn customers_of_network(&mut self, levels: &Levels) -> Vec<String> {
        let (asns, sets) = match self.rng.random_range(0..100) {
            0..55 => (self.rng.random_range(0..=4), 0),
            55..85 => (self.rng.random_range(0..=10), 1),
            85..99 => (self.rng.random_range(2..=20), 3),
            _ => (self.rng.random_range(20..=60), self.rng.random_range(20..=100)),
        };
        self.mixed(asns, sets, levels)
    }

    fn mixed(&mut self, asns: usize, sets: usize, levels: &Levels) -> Vec<String> {
        let mut members = self.customers(asns);
        members.extend(levels[0].choose_multiple(&mut self.rng, sets).cloned());
        members
    }

    /// The sets of the bench's peers: half have a handful of customers, one in twenty has thousands.
    pub(super) fn peers(&mut self, levels: &Levels) -> Vec<String> {
        let mut peers = Vec::new();
        for nth in 0..PEERS {
            let owner = self.some_asn();
            let name =
                if nth % 5 < 3 { format!("AS-PEER{nth:04}") } else { format!("AS{owner}:AS-PEER{nth:04}") };
            // Counted out, so that every seed has as many large ones.
            let (asns, sets) = match nth % 20 {
                0..10 => (self.rng.random_range(0..=4), 0),
                10..16 => (self.rng.random_range(0..=10), 1),
                16..19 => (self.rng.random_range(2..=20), 5),
                _ => (self.rng.random_range(20..=100), self.rng.random_range(80..=320)),
            };
            let mut members = vec![format!("AS{owner}")];
            members.extend(self.mixed(asns, sets, levels));
            let source = self.registered();
            self.set(source, &name, members);
            peers.push(name);
        }
        peers
    }

    /// A chain, a loop, the largest AS, a member that means everybody; and a set in every source, so that there are all.
    pub(super) fn odd_sets(&mut self) {
        for depth in 1..=8 {
            let mut members = self.customers(1);
            if depth < 8 {
                members.push(format!("AS-CHAIN{}", depth + 1));
            }
            self.set(RIPE, &format!("AS-CHAIN{depth}"), members);
        }
        for nth in 0..3 {
            let mut members = self.customers(1);
            members.push(format!("AS-CYCLE{}", (nth + 1) % 3));
            self.set(RADB, &format!("AS-CYCLE{nth}"), members);
        }
        self.set(ARIN, "AS-BIG", vec![format!("AS{BIG}")]);
        self.set(RIPE, "AS-EVERYBODY", vec![format!("AS{BIG}"), "AS-ANY".to_owned()]);
        for (source, name) in SOURCES.iter().enumerate() {
            let members = self.customers(2);
            self.set(source, &format!("AS-OF-{name}"), members);
            self.set(source, "AS-OF-EACH", vec![format!("AS{}", 399_990 + source)]);
        }
    }

    /// Route-sets, with every range operator, nested, with AS numbers and as-sets in them.
    pub(super) fn route_sets(&mut self, levels: &Levels) {
        let operators = ["", "^+", "^-", "^24-32", "^24", "^20-24"];
        for nth in 0..self.sized(500).max(20) {
            let mut members = Vec::new();
            for _ in 0..self.rng.random_range(1..=6) {
                let operator = operators.choose(&mut self.rng).copied().unwrap_or_default();
                let open = operator == "^+" || operator == "^-";
                let length: u32 =
                    if open { self.rng.random_range(26..=28) } else { self.rng.random_range(16..=20) };
                let address = std::net::Ipv4Addr::from_bits(
                    (100 << 24 | self.rng.random_range(0..0x1000) << 12) >> (32 - length) << (32 - length),
                );
                members.push(format!("{address}/{length}{operator}"));
            }
            if nth % 5 == 4 {
                members.push(format!("RS-GEN{:04}", self.rng.random_range(0..nth)));
            }
            if nth % 7 == 0 {
                members.extend(self.customers(1));
            }
            if nth % 50 == 0 {
                members.extend(self.some_of(&levels[0]));
            }
            let mut lines = vec![
                format!("route-set:      RS-GEN{nth:04}"),
                "descr:          invented".to_owned(),
                format!("members:        {}", members.join(", ")),
            ];
            if nth % 4 == 0 {
                let operator = ["", "^40-40", "^33"].choose(&mut self.rng).copied().unwrap_or_default();
                lines.push(format!("mp-members:     2a0f:{nth:x}::/32{operator}"));
            }
            lines.push("mnt-by:         MNT-SETS".to_owned());
            let source = pick(&mut self.rng, &[(RIPE, 1), (RADB, 1), (ARIN, 1)]);
            self.object(source, &lines);
        }
    }
}

/// The whole part, at most so many.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and a cast is capped")]
fn most(number: f64, most: usize) -> usize {
    (number as usize).min(most)
}
