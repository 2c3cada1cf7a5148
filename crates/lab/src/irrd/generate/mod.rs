//! Invents registries from a seed: first who has which routes, then who has whom as a customer.
//!
//! The networks are those of the PeeringDB of the same scale and seed, and their AS-SETs are called as they are there.
//! So whoever takes a network from the one stand-in finds its sets in the other.

mod names;
mod routes;
mod sets;

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::world::World;
use crate::peeringdb;

/// The sources, in the order in which a connection has them selected.
const SOURCES: [&str; 6] = ["NTTCOM", "RADB", "RIPE", "ARIN", "APNIC", "ALTDB"];
const NTTCOM: usize = 0;
const RADB: usize = 1;
const RIPE: usize = 2;
const ARIN: usize = 3;
/// Where objects are at home, and how often.
const HOMES: [(usize, u32); 4] = [(RIPE, 50), (ARIN, 20), (4, 20), (5, 10)];

impl World {
    /// Invents registries of the given size, up to 10: 1.0 is some 300,000 objects, and one AS with 100,000 routes. The
    /// same arguments give the same world.
    ///
    /// The AS-SETs that the networks of [`peeringdb::World::generate`] name exist here, given the same scale and seed;
    /// a few are missing or empty, as in real life.
    #[expect(
        clippy::missing_panics_doc,
        reason = "what is invented is RPSL; a test invents worlds of several sizes"
    )]
    pub fn generate(scale: f64, seed: u64) -> Self {
        let scale = scale.clamp(0.0, 10.0);
        let networks = peeringdb::as_sets(scale, seed);
        let mut draft = Draft::new(scale, seed, &networks);
        draft.all_routes();
        let levels = draft.pool_of_sets();
        draft.sets_of_networks(&networks, &levels);
        let peers = draft.peers(&levels);
        draft.odd_sets();
        draft.aut_nums();
        draft.route_sets(&levels);
        let text = draft.finish();
        #[expect(
            clippy::expect_used,
            reason = "what is invented is RPSL; a test reads worlds of several sizes"
        )]
        let mut world = Self::from_rpsl(&text).expect("invented RPSL");
        world.peers = peers;
        world
    }
}

/// An as-set that may still get members.
#[derive(Debug, Default)]
struct SetDraft {
    members: Vec<String>,
    /// The maintainer whose objects may make themselves members.
    takes: Option<String>,
}

/// Registries under construction.
struct Draft {
    rng: StdRng,
    scale: f64,
    /// Every network's AS number.
    asns: Vec<u32>,
    /// Those that have many routes and are customers of others.
    pool: Vec<u32>,
    /// Where each AS number is at home.
    homes: BTreeMap<u32, usize>,
    /// The objects of each source, as RPSL.
    texts: [String; SOURCES.len()],
    /// By source and name.
    sets: BTreeMap<(usize, String), SetDraft>,
}

impl Draft {
    fn new(scale: f64, seed: u64, networks: &[(u32, String)]) -> Self {
        // Not the numbers that PeeringDB was drawn with.
        let mut rng = StdRng::seed_from_u64(seed ^ 0x1a2b);
        let asns: Vec<u32> = networks.iter().map(|(asn, _)| *asn).collect();
        let homes = asns.iter().map(|asn| (*asn, pick(&mut rng, &HOMES))).collect();
        let mut pool = asns.clone();
        pool.shuffle(&mut rng);
        pool.truncate((asns.len() * 14 / 34).max(1));
        pool.sort_unstable();
        Self { rng, scale, asns, pool, homes, texts: Default::default(), sets: BTreeMap::new() }
    }

    /// So many, at this scale, and at least one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thousands, times a scale")]
    fn sized(&self, full: u32) -> usize {
        ((f64::from(full) * self.scale).round() as usize).max(1)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    /// A number from 1 up, mostly small, now and then very large: Pareto's distribution.
    fn heavy_tailed(&mut self, shape: f64) -> f64 {
        (1.0 - self.rng.random::<f64>()).powf(-1.0 / shape)
    }

    /// Some AS numbers of the pool, at most as many as there are.
    fn customers(&mut self, count: usize) -> Vec<String> {
        let chosen: Vec<u32> = self.pool.choose_multiple(&mut self.rng, count).copied().collect();
        chosen.into_iter().map(|asn| format!("AS{asn}")).collect()
    }

    fn object(&mut self, source: usize, lines: &[String]) {
        let text = &mut self.texts[source];
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("source:         ");
        text.push_str(SOURCES[source]);
        text.push_str("\n\n");
    }

    /// Most networks say who they are; some also that they belong to a set that takes them.
    fn aut_nums(&mut self) {
        let taking: Vec<(usize, String, String)> = self
            .sets
            .iter()
            .filter_map(|((source, name), set)| Some((*source, name.clone(), set.takes.clone()?)))
            .collect();
        for asn in self.asns.clone() {
            let in_pool = self.pool.binary_search(&asn).is_ok();
            if !in_pool && self.chance(4) {
                continue;
            }
            let mut source = self.homes[&asn];
            let mut maintainer = maintainer(asn);
            let mut lines = vec![format!("aut-num:        AS{asn}"), format!("as-name:        NET-{asn}")];
            if !taking.is_empty() && self.chance(2) {
                let (at, name, takes) = taking[self.rng.random_range(0..taking.len())].clone();
                lines.push(format!("member-of:      {name}"));
                // One in five is in another registry, one in five has another maintainer: neither counts.
                source = if self.chance(80) { at } else { source };
                maintainer = if self.chance(80) { takes } else { maintainer };
            }
            lines.push(format!("mnt-by:         {maintainer}"));
            self.object(source, &lines);
        }
    }

    fn finish(mut self) -> String {
        for ((source, name), set) in std::mem::take(&mut self.sets) {
            let mut lines = vec![format!("as-set:         {name}"), "descr:          invented".to_owned()];
            lines.extend(
                set.members.chunks(12).map(|members| format!("members:        {}", members.join(", "))),
            );
            lines.extend(set.takes.map(|takes| format!("mbrs-by-ref:    {takes}")));
            lines.push("mnt-by:         MNT-SETS".to_owned());
            self.object(source, &lines);
        }
        self.texts.concat()
    }
}

fn maintainer(asn: u32) -> String {
    format!("MNT-{}", asn % 997)
}

fn pick(rng: &mut StdRng, weighted: &[(usize, u32)]) -> usize {
    let total: u32 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut at = rng.random_range(0..total);
    for (value, weight) in weighted {
        if at < *weight {
            return *value;
        }
        at -= weight;
    }
    weighted[0].0
}
