//! Simulated time passes, and things change while it does.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::Serialize;
use serde_json::{Value, json};

use super::awkward::{CASES, Case};
use super::namespace::Namespace;
use super::record::Record;
use super::world::World;

/// Among how many LANs a case chooses: looking for free addresses reads all connections.
const LANS_TRIED: usize = 4;

/// What is to happen while simulated time passes.
#[derive(Debug, Clone)]
pub struct Advance {
    /// How much time passes; at least an hour does.
    pub duration: TimeDelta,
    /// How many rows change in ordinary ways, in percent of all live rows: two thirds are edits, the rest creations
    /// and deletions.
    pub percent: f64,
    /// The awkward cases to add.
    pub cases: Vec<Case>,
}

impl Advance {
    /// A day as PeeringDB has it: half a percent changes, nothing awkward.
    pub fn day() -> Self {
        Self { duration: TimeDelta::days(1), percent: 0.5, cases: Vec::new() }
    }

    /// A day with every awkward case in it.
    pub fn awkward_day() -> Self {
        Self { cases: CASES.to_vec(), ..Self::day() }
    }

    /// An hour with nothing but this case.
    pub fn only(case: Case) -> Self {
        Self { duration: TimeDelta::hours(1), percent: 0.0, cases: vec![case] }
    }
}

/// What has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Rows that are new, also those that are new as a tombstone.
    pub created: usize,
    /// Rows that were edited.
    pub updated: usize,
    /// Rows that were deleted.
    pub deleted: usize,
    /// The cases that were applied.
    pub cases: Vec<&'static str>,
    /// The cases for which this world has no fitting rows (left).
    pub unfit: Vec<&'static str>,
}

impl World {
    /// Lets time pass, publishes what was withheld, and makes the changes asked for.
    pub fn advance(&mut self, advance: &Advance) -> Changes {
        let to = self.now() + advance.duration.max(TimeDelta::hours(1));
        let mut period = Period::new(self, to);
        period.publish_withheld();
        period.ordinary(advance.percent);
        if !advance.cases.is_empty() {
            period.awkward(&advance.cases);
        }
        let changes = period.changes;
        self.set_now(to);
        changes
    }
}

/// A stretch of simulated time. Changes happen at its cursor, which moves forward, at times by less than a second.
pub(crate) struct Period<'a> {
    pub(crate) world: &'a mut World,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    at: DateTime<Utc>,
    /// The newest change of a connection that was known before, in epoch seconds. The row itself may have been changed since.
    newest_connection: Option<i64>,
    /// Rows that belong to a case already and that no other may take.
    taken: HashSet<(Namespace, u64)>,
    changes: Changes,
}

impl<'a> Period<'a> {
    fn new(world: &'a mut World, to: DateTime<Utc>) -> Self {
        let from = world.now();
        let updates = world.table(Namespace::Netixlan).values().map(|record| record.updated);
        let newest_connection = updates.filter(|updated| *updated <= from.timestamp()).max();
        Self {
            world,
            from,
            to,
            at: from + TimeDelta::seconds(1),
            newest_connection,
            taken: HashSet::new(),
            changes: Changes::default(),
        }
    }

    /// The newest change of a connection that was known before.
    pub(crate) fn newest_connection(&self) -> Option<DateTime<Utc>> {
        self.newest_connection.and_then(|seconds| DateTime::from_timestamp(seconds, 0))
    }

    /// What was known before: rows may be as new as this, not newer.
    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// The time of the next change.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Lets a moment pass before the next change.
    pub(crate) fn tick(&mut self) {
        self.at = (self.at + TimeDelta::seconds(1)).min(self.to - TimeDelta::seconds(1));
    }

    /// Moves to the very end, where changes are the newest of all.
    pub(crate) fn jump_to_end(&mut self) {
        self.at = self.to;
    }

    /// A live row that no case has taken and that fits; it is taken by this.
    pub(crate) fn pick(
        &mut self,
        namespace: Namespace,
        fits: impl Fn(&World, &Record) -> bool,
    ) -> Option<u64> {
        let world = &*self.world;
        let free: Vec<&Record> = world
            .live_records(namespace)
            .filter(|record| !self.taken.contains(&(namespace, record.id)))
            .collect();
        // The first fitting one from a random place on, as some conditions are costly to test on every row.
        let ids: Vec<u64> = free.iter().map(|record| record.id).collect();
        let start = self.world.rng().random_range(0..ids.len().max(1));
        let id = (start..ids.len())
            .chain(0..start)
            .map(|index| ids[index])
            .find(|id| self.world.record(namespace, *id).is_some_and(|record| fits(self.world, record)))?;
        self.taken.insert((namespace, id));
        Some(id)
    }

    /// A live row that no case has taken.
    pub(crate) fn any(&mut self, namespace: Namespace) -> Option<u64> {
        self.pick(namespace, |_, _| true)
    }

    /// A LAN where a new connection finds addresses. Several cases may share one, but none may take it or its exchange
    /// afterwards.
    pub(crate) fn lan(&mut self) -> Option<u64> {
        let lans: Vec<(u64, u64)> = self
            .world
            .live_records(Namespace::Ixlan)
            .map(|lan| (lan.id, lan.links[0]))
            .filter(|(lan, ix)| {
                self.world.is_live(Namespace::Ix, *ix) && self.world.fresh_addresses(*lan, 1).is_some()
            })
            .take(LANS_TRIED)
            .collect();
        let (lan, ix) = *lans.choose(self.world.rng())?;
        self.take(Namespace::Ixlan, lan);
        self.take(Namespace::Ix, ix);
        Some(lan)
    }

    /// Keeps a row from being picked by others.
    pub(crate) fn take(&mut self, namespace: Namespace, id: u64) {
        self.taken.insert((namespace, id));
    }

    /// A text field of a row.
    pub(crate) fn text(&self, namespace: Namespace, id: u64, field: &str) -> String {
        self.value(namespace, id, field).as_str().unwrap_or_default().to_owned()
    }

    /// A field of a row; null if either is absent.
    pub(crate) fn value(&self, namespace: Namespace, id: u64, field: &str) -> Value {
        let fields = self.world.record(namespace, id).map(Record::fields).unwrap_or_default();
        fields.get(field).cloned().unwrap_or_default()
    }

    /// Edits a row at the cursor.
    #[expect(clippy::needless_pass_by_value, reason = "every caller builds the patch in place")]
    pub(crate) fn edit(&mut self, namespace: Namespace, id: u64, patch: Value) -> Option<()> {
        self.world.edit_at(namespace, id, &patch, self.at).ok()?;
        self.take(namespace, id);
        self.changes.updated += 1;
        Some(())
    }

    /// Turns one row into a tombstone at the cursor, and leaves its children alone.
    pub(crate) fn delete(&mut self, namespace: Namespace, id: u64) -> Option<()> {
        self.world.delete_at(namespace, id, self.at).ok()?;
        self.take(namespace, id);
        self.changes.deleted += 1;
        Some(())
    }

    /// Deletes a row and what cannot be without it.
    pub(crate) fn delete_tree(&mut self, namespace: Namespace, id: u64) {
        let gone = self.world.delete_tree_at(namespace, id, self.at);
        self.changes.deleted += gone.len();
        self.taken.extend(gone);
    }

    /// Adds a row at the cursor: one like a live one, with the patch over it.
    #[expect(clippy::needless_pass_by_value, reason = "every caller builds the patch in place")]
    pub(crate) fn create(&mut self, namespace: Namespace, patch: Value) -> Option<u64> {
        let id = self.world.create_at(namespace, &patch, self.at)?;
        self.take(namespace, id);
        self.changes.created += 1;
        Some(id)
    }

    /// A new network of a new organisation.
    pub(crate) fn create_net(&mut self) -> Option<u64> {
        let name = self.world.fresh_name();
        let org = self.create(Namespace::Org, json!({ "name": name }))?;
        let asn = self.world.fresh_asn();
        let patch = json!({ "org_id": org, "org_name": name, "name": name, "asn": asn,
            "irr_as_set": format!("AS{asn}:AS-ALL"), "aka": "", "ix_count": 0, "fac_count": 0 });
        self.create(Namespace::Net, patch)
    }

    /// A new contact of a network.
    pub(crate) fn create_poc(&mut self, net: u64) -> Option<u64> {
        let email = format!("noc@net{net}.example");
        self.create(Namespace::Poc, json!({ "net_id": net, "visible": "Public", "email": email }))
    }

    /// A new connection of a network to a LAN, with addresses of its own.
    pub(crate) fn create_netixlan(&mut self, net: u64, ixlan: u64) -> Option<u64> {
        let asn = self.world.record(Namespace::Net, net)?.asn;
        let patch = self.netixlan_patch(net, asn, ixlan)?;
        self.create(Namespace::Netixlan, patch)
    }

    /// The fields that make a connection one of this network to this LAN.
    pub(crate) fn netixlan_patch(&self, net: u64, asn: u64, ixlan: u64) -> Option<Value> {
        let (v4, v6) = self.world.fresh_addresses(ixlan, asn)?;
        let ix = self.world.record(Namespace::Ixlan, ixlan)?.links[0];
        let name = self.text(Namespace::Ix, ix, "name");
        Some(json!({ "net_id": net, "asn": asn, "ixlan_id": ixlan, "ix_id": ix, "name": name, "notes": "",
            "ipaddr4": v4, "ipaddr6": v6, "net_side_id": null, "ix_side_id": null }))
    }

    /// A new presence of a network at a facility where it was not.
    pub(crate) fn create_netfac(&mut self, net: u64) -> Option<u64> {
        let known: HashSet<u64> = self
            .world
            .table(Namespace::Netfac)
            .values()
            .filter(|record| record.links[0] == net)
            .map(|record| record.links[1])
            .collect();
        let facs: Vec<u64> = self
            .world
            .live_records(Namespace::Fac)
            .map(|fac| fac.id)
            .filter(|fac| !known.contains(fac))
            .collect();
        let fac = *facs.choose(self.world.rng())?;
        let asn = self.world.record(Namespace::Net, net)?.asn;
        let patch = json!({ "net_id": net, "fac_id": fac, "local_asn": asn,
            "name": self.value(Namespace::Fac, fac, "name"),
            "city": self.value(Namespace::Fac, fac, "city"),
            "country": self.value(Namespace::Fac, fac, "country") });
        self.create(Namespace::Netfac, patch)
    }

    /// A new exchange with its LAN and prefixes.
    pub(crate) fn create_ix(&mut self) -> Option<u64> {
        let name = self.world.fresh_name().chars().rev().take(60).collect::<Vec<_>>();
        let name: String = name.into_iter().rev().collect();
        let ix = self.create(Namespace::Ix, json!({ "name": name, "net_count": 0, "fac_count": 0 }))?;
        let lan = json!({ "id": ix, "ix_id": ix, "name": "", "arp_sponge": null });
        let ixlan = self.create(Namespace::Ixlan, lan)?;
        let (v4, v6) = self.world.fresh_prefixes();
        for (protocol, prefix) in [("IPv4", v4), ("IPv6", v6)] {
            self.create(
                Namespace::Ixpfx,
                json!({ "ixlan_id": ixlan, "protocol": protocol, "prefix": prefix }),
            )?;
        }
        Some(ix)
    }

    fn publish_withheld(&mut self) {
        for (namespace, mut fields) in self.world.take_withheld() {
            let at = super::record::timestamp(self.at);
            fields.set("created", at.clone());
            fields.set("updated", at);
            self.take(namespace, fields.number("id"));
            self.world.put(namespace, &fields);
            self.changes.created += 1;
        }
    }

    /// Changes like those of any day, in the first four fifths of the period.
    fn ordinary(&mut self, percent: f64) {
        let live: usize =
            Namespace::ALL.into_iter().map(|namespace| self.world.live_records(namespace).count()).sum();
        let changes = share(live, percent);
        let span = (self.to - self.from).num_seconds() * 4 / 5;
        let mut seconds: Vec<i64> =
            (0..changes).map(|_| self.world.rng().random_range(1..span.max(2))).collect();
        seconds.sort_unstable();
        let urn = Urn::of(self.world);
        for second in seconds {
            self.at = self.from + TimeDelta::seconds(second);
            match self.world.rng().random_range(0..100) {
                0..66 => self.ordinary_edit(&urn),
                66..86 => self.ordinary_creation(&urn),
                _ => self.ordinary_deletion(&urn),
            };
        }
    }

    fn ordinary_edit(&mut self, urn: &Urn) -> Option<()> {
        let (namespace, id) = urn.draw(self.world)?;
        let number = self.world.rng().random_range(1..1000);
        let patch = match namespace {
            Namespace::Net => {
                json!({ "info_prefixes4": number * 10, "notes": format!("Last reviewed: {number}") })
            }
            Namespace::Netixlan => {
                json!({ "speed": 10_000 * (number % 10 + 1), "is_rs_peer": number % 2 == 0 })
            }
            Namespace::Poc => {
                json!({ "name": format!("NOC desk {number}"), "phone": format!("+4930{number:06}") })
            }
            Namespace::Org | Namespace::Fac => json!({ "address2": format!("Hall {number}") }),
            Namespace::Campus | Namespace::Carrier | Namespace::Ix => {
                json!({ "notes": format!("Edition {number}") })
            }
            Namespace::Ixlan => json!({ "descr": format!("LAN number {number}") }),
            Namespace::Ixpfx => json!({ "in_dfz": number % 2 == 0 }),
            // These were saved again with nothing changed but the time.
            Namespace::Carrierfac | Namespace::Ixfac | Namespace::Netfac => json!({}),
        };
        self.world.edit_at(namespace, id, &patch, self.at).ok()?;
        self.changes.updated += 1;
        Some(())
    }

    fn ordinary_creation(&mut self, urn: &Urn) -> Option<()> {
        match self.world.rng().random_range(0..100) {
            0..12 => {
                let net = self.create_net()?;
                self.create_poc(net)?;
                let ixlan = urn.of_kind(self.world, Namespace::Ixlan)?;
                self.create_netixlan(net, ixlan)?;
                self.create_netfac(net)?;
            }
            12..14 => {
                self.create_ix()?;
            }
            14..50 => {
                let (net, ixlan) =
                    (urn.of_kind(self.world, Namespace::Net)?, urn.of_kind(self.world, Namespace::Ixlan)?);
                self.create_netixlan(net, ixlan)?;
            }
            50..80 => {
                let net = urn.of_kind(self.world, Namespace::Net)?;
                self.create_netfac(net)?;
            }
            _ => {
                let net = urn.of_kind(self.world, Namespace::Net)?;
                self.create_poc(net)?;
            }
        }
        Some(())
    }

    fn ordinary_deletion(&mut self, urn: &Urn) -> Option<()> {
        let namespace = match self.world.rng().random_range(0..100) {
            0..45 => Namespace::Netixlan,
            45..70 => Namespace::Poc,
            70..90 => Namespace::Netfac,
            90..94 => Namespace::Carrierfac,
            94..98 => Namespace::Ixfac,
            _ => Namespace::Net,
        };
        let id = urn.of_kind(self.world, namespace)?;
        self.changes.deleted += self.world.delete_tree_at(namespace, id, self.at).len();
        Some(())
    }

    /// The cases, in the last fifth of the period and in their order.
    fn awkward(&mut self, cases: &[Case]) {
        let span = (self.to - self.from).num_seconds();
        let mut start = self.from + TimeDelta::seconds(span * 4 / 5);
        let slot = TimeDelta::seconds(
            (span / 5 / (i64::try_from(cases.len()).unwrap_or(i64::MAX).saturating_add(1))).max(1),
        );
        for case in cases {
            self.at = start;
            match case.apply(self) {
                Some(()) => self.changes.cases.push(case.name),
                None => self.changes.unfit.push(case.name),
            }
            start = (start + slot).min(self.to - TimeDelta::seconds(1));
        }
        self.world.mark_odd(std::mem::take(&mut self.taken));
    }
}

/// The rows there were at the beginning of a period, to draw from without walking the tables for every change.
struct Urn {
    all: Vec<(Namespace, u64)>,
    kinds: [Vec<u64>; Namespace::ALL.len()],
}

impl Urn {
    fn of(world: &World) -> Self {
        let kinds =
            Namespace::ALL.map(|namespace| world.live_records(namespace).map(|record| record.id).collect());
        let all = Namespace::ALL
            .into_iter()
            .flat_map(|namespace| world.live_records(namespace).map(move |record| (namespace, record.id)))
            .collect();
        Self { all, kinds }
    }

    fn draw(&self, world: &mut World) -> Option<(Namespace, u64)> {
        let (namespace, id) = *self.all.choose(world.rng())?;
        world.is_live(namespace, id).then_some((namespace, id))
    }

    fn of_kind(&self, world: &mut World, namespace: Namespace) -> Option<u64> {
        let id = *self.kinds[namespace as usize].choose(world.rng())?;
        world.is_live(namespace, id).then_some(id)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part of some hundred thousand rows"
)]
fn share(rows: usize, percent: f64) -> usize {
    (rows as f64 * percent.clamp(0.0, 100.0) / 100.0).round() as usize
}
