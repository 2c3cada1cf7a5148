//! Invents a whole PeeringDB from a seed: first who refers to whom, then every row.

mod objects;
mod plan;
mod relations;
mod words;

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::namespace::Namespace;
use super::record::{Record, timestamp};
use super::world::{Table, World};

pub(super) use plan::{exchange_v6, member_v6, next_asn};

use plan::Plan;

impl World {
    /// Invents a world of the given size (1.0 is about today's PeeringDB, some 250,000 rows and 110 MB of JSON) as of
    /// `now`. The same arguments give the same bytes.
    pub fn generate(scale: f64, seed: u64, now: DateTime<Utc>) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let plan = Plan::draw(&mut rng, scale);
        let counts = Counts::of(&plan);
        let mut draft = Draft { rng, now, plan: &plan, counts: &counts };
        let tables = Namespace::ALL.map(|namespace| draft.table(namespace));
        let next_asn = plan.nets.last().map_or(1000, |net| next_asn(net.asn + 1));
        let exchanges = plan.ixes.len();
        Self::new(tables, StdRng::seed_from_u64(seed ^ 0x5eed), now, next_asn, plan.next_v4, exchanges)
    }
}

/// The AS number of every network of the world of this scale and seed, with what it states as its AS-SET.
pub(crate) fn as_sets(scale: f64, seed: u64) -> Vec<(u32, String)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = Plan::draw(&mut rng, scale);
    let counts = Counts::of(&plan);
    let mut draft = Draft { rng, now: DateTime::UNIX_EPOCH, plan: &plan, counts: &counts };
    // The rows before the networks are invented too: each takes its numbers from the same stream.
    for namespace in Namespace::ALL.into_iter().take_while(|namespace| *namespace != Namespace::Net) {
        draft.table(namespace);
    }
    (0..plan.nets.len())
        .filter_map(|index| {
            let fields = draft.net(index);
            let text = fields.get("irr_as_set").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some((u32::try_from(plan.nets[index].asn).ok()?, text))
        })
        .collect()
}

/// A company name for an object that appears later.
pub(super) fn newcomer(rng: &mut StdRng) -> String {
    let stem = words::stem(rng);
    words::company(rng, &stem)
}

/// Rows under construction.
struct Draft<'a> {
    rng: StdRng,
    now: DateTime<Utc>,
    plan: &'a Plan,
    counts: &'a Counts,
}

impl Draft<'_> {
    fn table(&mut self, namespace: Namespace) -> Table {
        let plan = self.plan;
        let count = match namespace {
            Namespace::Org => plan.orgs.len(),
            Namespace::Campus => plan.campuses.len(),
            Namespace::Fac => plan.facs.len(),
            Namespace::Carrier => plan.carriers.len(),
            Namespace::Carrierfac => plan.carrierfacs.len(),
            Namespace::Net => plan.nets.len(),
            Namespace::Ix | Namespace::Ixlan => plan.ixes.len(),
            Namespace::Ixpfx => plan.ixes.len() * 2,
            Namespace::Ixfac => plan.ixfacs.len(),
            Namespace::Netfac => plan.netfacs.len(),
            Namespace::Netixlan => plan.connections.len(),
            Namespace::Poc => plan.pocs.len(),
        };
        let mut table = BTreeMap::new();
        for index in 0..count {
            let fields = match namespace {
                Namespace::Org => self.org(index),
                Namespace::Campus => self.campus(index),
                Namespace::Fac => self.fac(index),
                Namespace::Carrier => self.carrier(index),
                Namespace::Carrierfac => self.carrierfac(index),
                Namespace::Net => self.net(index),
                Namespace::Ix => self.ix(index),
                Namespace::Ixfac => self.ixfac(index),
                Namespace::Ixlan => self.ixlan(index),
                Namespace::Ixpfx => self.ixpfx(index),
                Namespace::Netfac => self.netfac(index),
                Namespace::Netixlan => self.netixlan(index),
                Namespace::Poc => self.poc(index),
            };
            let record = Record::new(namespace, &fields);
            table.insert(record.id, record);
        }
        table
    }

    /// When a row was created and last changed; the last change lies in the recent past more often than long ago.
    fn times(&mut self) -> (Value, Value) {
        let age = self.rng.random_range(40..5_800_i64);
        let idle = if self.rng.random_ratio(1, 6) { age } else { self.rng.random_range(1..=age) };
        let second = self.rng.random_range(0..86_400_i64);
        // Rows from before PeeringDB 2.0 were all created in the same moment.
        let created = if age > 5_300 { self.days_ago(5_300, 0) } else { self.days_ago(age, second) };
        let updated = self.days_ago(idle.min(5_299), if idle == age { second } else { 86_399 - second });
        (timestamp(created.min(updated)), timestamp(updated))
    }

    fn days_ago(&self, days: i64, seconds: i64) -> DateTime<Utc> {
        self.now - TimeDelta::days(days) + TimeDelta::seconds(seconds)
    }

    /// Some past moment if there is something it could be the time of, else null.
    fn past_if(&mut self, there_is: bool) -> Value {
        let (days, seconds) = (self.rng.random_range(1..2_500), self.rng.random_range(0..86_400));
        if there_is { timestamp(self.days_ago(days, seconds)) } else { Value::Null }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    /// The text in so many percent of all cases, else none.
    fn sometimes(&mut self, percent: u32, text: impl FnOnce(&mut StdRng) -> String) -> String {
        if self.chance(percent) { text(&mut self.rng) } else { String::new() }
    }

    /// As `sometimes`; without a text it is null rather than empty in half of the cases.
    fn sometimes_null(&mut self, percent: u32, text: impl FnOnce(&mut StdRng) -> String) -> Value {
        if self.chance(percent) {
            json!(text(&mut self.rng))
        } else if self.chance(50) {
            Value::Null
        } else {
            json!("")
        }
    }

    /// Notes as people write them: mostly none, now and then pages.
    fn notes(&mut self, percent: u32, asn: u64) -> String {
        if !self.chance(percent) {
            return String::new();
        }
        let sentences = match self.rng.random_range(0..100) {
            0..70 => self.rng.random_range(1..4),
            70..97 => self.rng.random_range(4..12),
            _ => self.rng.random_range(12..40),
        };
        words::prose(&mut self.rng, sentences, asn)
    }

    fn website(&mut self, percent: u32, host: &str) -> String {
        self.sometimes(percent, |rng| {
            let scheme = words::weighted(rng, &[("https", 4), ("http", 1)]);
            let path = words::weighted(rng, &[("", 6), ("/", 3), ("/en/about-us/", 1)]);
            format!("{scheme}://www.{host}.example{path}")
        })
    }

    fn social_media(&mut self, website: &str, host: &str) -> Value {
        let mut media = Vec::new();
        if !website.is_empty() {
            media.push(json!({ "service": "website", "identifier": website }));
        }
        for service in ["x", "linkedin", "facebook", "instagram"] {
            if self.rng.random_ratio(1, 60) {
                media.push(json!({ "service": service, "identifier": host }));
            }
        }
        Value::Array(media)
    }

    fn logo(&mut self, percent: u32, kind: &str, id: u64) -> Value {
        if self.chance(percent) {
            let hash: u32 = self.rng.random();
            json!(format!(
                "https://media.peeringdb.example/media/logos_user_supplied/{kind}-{id}-{hash:08x}.png"
            ))
        } else {
            Value::Null
        }
    }

    fn phone(&mut self, percent: u32) -> String {
        self.sometimes(percent, |rng| {
            format!("+{}{}", rng.random_range(1..99), rng.random_range(100_000_000_u64..999_999_999))
        })
    }
}

/// How many children the rows of the plan have, by index of the parent.
struct Counts {
    fac_nets: Vec<u32>,
    fac_ixes: Vec<u32>,
    fac_carriers: Vec<u32>,
    carrier_facs: Vec<u32>,
    net_ixes: Vec<u32>,
    net_facs: Vec<u32>,
    net_pocs: Vec<u32>,
    ix_nets: Vec<u32>,
    ix_facs: Vec<u32>,
}

impl Counts {
    fn of(plan: &Plan) -> Self {
        let facs = plan.facs.len();
        let (nets, ixes) = (plan.nets.len(), plan.ixes.len());
        // A network with two connections at an exchange is one member of it.
        let members: HashSet<(usize, usize)> = plan.connections.iter().map(|c| (c.net, c.ix)).collect();
        Self {
            fac_nets: tally(facs, plan.netfacs.iter().map(|pair| pair.2)),
            fac_ixes: tally(facs, plan.ixfacs.iter().map(|pair| pair.2)),
            fac_carriers: tally(facs, plan.carrierfacs.iter().map(|pair| pair.2)),
            carrier_facs: tally(plan.carriers.len(), plan.carrierfacs.iter().map(|pair| pair.1)),
            net_ixes: tally(nets, members.iter().map(|member| member.0)),
            net_facs: tally(nets, plan.netfacs.iter().map(|pair| pair.1)),
            net_pocs: tally(nets, plan.pocs.iter().map(|poc| poc.1)),
            ix_nets: tally(ixes, members.iter().map(|member| member.1)),
            ix_facs: tally(ixes, plan.ixfacs.iter().map(|pair| pair.1)),
        }
    }
}

fn tally(size: usize, indices: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut counts = vec![0; size];
    for index in indices {
        counts[index] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_every_byte() {
        let now = DateTime::from_timestamp(1_750_000_000, 0).unwrap();
        let bytes = |seed| {
            let world = World::generate(0.01, seed, now);
            Namespace::ALL.map(|namespace| {
                world.table(namespace).values().map(|record| record.text.to_string()).collect::<Vec<_>>()
            })
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }

    /// Whatever the time is.
    #[test]
    fn as_sets_are_those_of_the_world() {
        let world = World::generate(0.01, 7, DateTime::from_timestamp(1_750_000_000, 0).unwrap());
        let stated: Vec<(u32, String)> = world
            .table(Namespace::Net)
            .values()
            .map(|net| {
                let text = net.fields().get("irr_as_set").and_then(Value::as_str).unwrap().to_owned();
                (u32::try_from(net.asn).unwrap(), text)
            })
            .collect();
        assert!(stated.iter().any(|(_, text)| !text.is_empty()));
        assert!(stated == as_sets(0.01, 7));
    }

    #[test]
    fn asns_skip_the_reserved_ranges() {
        assert_eq!(next_asn(64_495), 64_495);
        assert_eq!(next_asn(64_496), 131_072);
        assert_eq!(next_asn(23_456), 23_457);
    }

    /// The fields of a row must be in place: a misspelt one would be appended by the first change.
    #[test]
    fn every_row_has_the_columns_that_link_it() {
        let world = World::generate(0.01, 1, DateTime::from_timestamp(1_750_000_000, 0).unwrap());
        for namespace in Namespace::ALL {
            for record in world.table(namespace).values() {
                let fields = record.fields();
                for column in ["id", "status", "created", "updated"] {
                    assert!(fields.get(column).is_some(), "{namespace} lacks {column}");
                }
                for (column, _) in namespace.links() {
                    assert!(fields.get(column).is_some(), "{namespace} lacks {column}");
                }
                assert!(0 < record.created && record.created <= record.updated, "{}", record.text);
                assert!(record.updated <= world.now().timestamp(), "{}", record.text);
            }
        }
    }
}
