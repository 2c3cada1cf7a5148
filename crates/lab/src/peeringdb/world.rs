use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::fields::Fields;
use super::generate;
use super::namespace::Namespace;
use super::record::{Record, Status, timestamp};
use super::select;

/// The rows of one namespace by id, tombstones included.
pub(crate) type Table = BTreeMap<u64, Record>;

/// Everything the stand-in knows, and the simulated time.
///
/// Every change obeys the API's contract: it sets `updated` to the simulated time of the change, which is later than
/// the row's `updated` before, and a deletion leaves a tombstone. The hostile rows of [`super::awkward`] break the
/// contract of single values, never this one.
pub struct World {
    tables: [Table; Namespace::ALL.len()],
    next_ids: [u64; Namespace::ALL.len()],
    next_asn: u64,
    next_v4: u32,
    exchanges: usize,
    newcomers: u64,
    /// Rows that live rows refer to, and that the next advance brings.
    withheld: Vec<(Namespace, Fields)>,
    /// Rows that were part of an awkward case: no new row is made after their likeness.
    odd: HashSet<(Namespace, u64)>,
    rng: StdRng,
    now: DateTime<Utc>,
    dump: Dump,
}

/// The last published dump: what everyone could see at that time.
#[derive(Debug, Clone)]
pub(crate) struct Dump {
    pub(crate) taken: DateTime<Utc>,
    pub(crate) rows: Vec<Vec<Record>>,
}

/// Who asks: contacts and member list URLs may be visible to users only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// No key: sees what is `Public`.
    Anonymous,
    /// A valid key: sees what is `Public` or `Users`.
    Keyed,
}

/// Without the rows, which would fill a hundred megabytes.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}

/// A change of a row that does not exist or is deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no live {namespace} {id}")]
pub struct NoSuchRow {
    /// The namespace that was to have it.
    pub namespace: Namespace,
    /// The id that was asked for.
    pub id: u64,
}

impl World {
    pub(crate) fn new(
        tables: [Table; Namespace::ALL.len()],
        rng: StdRng,
        now: DateTime<Utc>,
        next_asn: u64,
        next_v4: u32,
        exchanges: usize,
    ) -> Self {
        let next_ids = tables.each_ref().map(|table| table.keys().next_back().map_or(1, |id| id + 1));
        let dump = Dump { taken: now, rows: Vec::new() };
        let mut world = Self {
            tables,
            next_ids,
            next_asn,
            next_v4,
            exchanges,
            newcomers: 0,
            withheld: Vec::new(),
            odd: HashSet::new(),
            rng,
            now,
            dump,
        };
        world.freeze();
        world
    }

    /// The simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Every live row that the caller may see, by id: exactly what the API answers without `since`.
    pub fn live(&self, namespace: Namespace, caller: Caller) -> Vec<Value> {
        select::live(self, namespace, caller).iter().map(Record::value).collect()
    }

    /// Every row, tombstones included, that changed after `since` (seconds since the epoch) and that the caller may
    /// see, by time of change: exactly what the API answers with this `since` and the default order.
    pub fn changed(&self, namespace: Namespace, since: i64, caller: Caller) -> Vec<Value> {
        select::changed(self, namespace, since, caller).iter().map(Record::value).collect()
    }

    /// The id and AS number of every live network, by id.
    pub fn networks(&self) -> Vec<(u64, u64)> {
        self.live_records(Namespace::Net).map(|net| (net.id, net.asn)).collect()
    }

    /// Rows that live rows refer to although they were never published. The next advance publishes them.
    pub fn withheld(&self) -> Vec<(Namespace, u64)> {
        self.withheld.iter().map(|(namespace, fields)| (*namespace, fields.number("id"))).collect()
    }

    /// Adds a row like some live one, except for the fields in `patch`, one second after now; gives its id, unless
    /// the namespace is empty. The patch should replace what is unique.
    pub fn create(&mut self, namespace: Namespace, patch: &Value) -> Option<u64> {
        self.now += TimeDelta::seconds(1);
        self.create_at(namespace, patch, self.now)
    }

    /// Changes the fields in `patch`, one second after now.
    pub fn edit(&mut self, namespace: Namespace, id: u64, patch: &Value) -> Result<(), NoSuchRow> {
        self.now += TimeDelta::seconds(1);
        self.edit_at(namespace, id, patch, self.now)
    }

    /// Deletes a row and everything below it, one second after now.
    pub fn delete(&mut self, namespace: Namespace, id: u64) -> Result<(), NoSuchRow> {
        self.now += TimeDelta::seconds(1);
        if !self.is_live(namespace, id) {
            return Err(NoSuchRow { namespace, id });
        }
        self.delete_tree_at(namespace, id, self.now);
        Ok(())
    }

    /// Publishes the dump: from now on it shows this moment.
    pub fn freeze(&mut self) {
        let rows = Namespace::ALL.map(|namespace| select::live(self, namespace, Caller::Anonymous));
        self.dump = Dump { taken: self.now, rows: rows.into() };
    }

    pub(crate) fn dump(&self) -> &Dump {
        &self.dump
    }

    pub(crate) fn set_now(&mut self, now: DateTime<Utc>) {
        self.now = self.now.max(now);
    }

    pub(crate) fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    pub(crate) fn table(&self, namespace: Namespace) -> &Table {
        &self.tables[namespace as usize]
    }

    pub(crate) fn record(&self, namespace: Namespace, id: u64) -> Option<&Record> {
        self.table(namespace).get(&id)
    }

    pub(crate) fn is_live(&self, namespace: Namespace, id: u64) -> bool {
        self.record(namespace, id).is_some_and(|record| record.status != Status::Deleted)
    }

    pub(crate) fn live_records(&self, namespace: Namespace) -> impl Iterator<Item = &Record> {
        self.table(namespace).values().filter(|record| record.status == Status::Ok)
    }

    /// The live rows of `children` whose first link to `parent` is this id.
    pub(crate) fn children(&self, children: Namespace, parent: Namespace, id: u64) -> Vec<u64> {
        let Some(link) = children.links().iter().position(|(_, to)| *to == parent) else { return Vec::new() };
        self.live_records(children)
            .filter(|record| record.links[link] == id)
            .map(|record| record.id)
            .collect()
    }

    /// Stores a row as it is, replacing one of the same id.
    pub(crate) fn put(&mut self, namespace: Namespace, fields: &Fields) {
        let record = Record::new(namespace, fields);
        let next = &mut self.next_ids[namespace as usize];
        *next = (*next).max(record.id + 1);
        self.tables[namespace as usize].insert(record.id, record);
    }

    /// An id that no row has had.
    pub(crate) fn take_id(&mut self, namespace: Namespace) -> u64 {
        let next = &mut self.next_ids[namespace as usize];
        *next += 1;
        *next - 1
    }

    /// The fields of a new row: those of some live row with the patch over them, a new id and this time.
    pub(crate) fn draft(&mut self, namespace: Namespace, patch: &Value, at: DateTime<Utc>) -> Option<Fields> {
        let ids: Vec<u64> = self
            .live_records(namespace)
            .map(|record| record.id)
            .filter(|id| !self.odd.contains(&(namespace, *id)))
            .collect();
        let id = *ids.get(self.rng.random_range(0..ids.len().max(1)))?;
        let mut fields = self.record(namespace, id)?.fields();
        fields.set("id", json!(self.take_id(namespace)));
        fields.set("created", timestamp(at));
        fields.set("updated", timestamp(at));
        fields.patch(patch);
        Some(fields)
    }

    pub(crate) fn create_at(
        &mut self,
        namespace: Namespace,
        patch: &Value,
        at: DateTime<Utc>,
    ) -> Option<u64> {
        let fields = self.draft(namespace, patch, at)?;
        self.put(namespace, &fields);
        Some(fields.number("id"))
    }

    /// Keeps a row back until the next advance, although others refer to it already.
    pub(crate) fn withhold(&mut self, namespace: Namespace, fields: Fields) {
        self.withheld.push((namespace, fields));
    }

    pub(crate) fn mark_odd(&mut self, rows: impl IntoIterator<Item = (Namespace, u64)>) {
        self.odd.extend(rows);
    }

    pub(crate) fn take_withheld(&mut self) -> Vec<(Namespace, Fields)> {
        std::mem::take(&mut self.withheld)
    }

    /// Changes a row; a tombstone can be changed back to life by its status only.
    pub(crate) fn edit_at(
        &mut self,
        namespace: Namespace,
        id: u64,
        patch: &Value,
        at: DateTime<Utc>,
    ) -> Result<(), NoSuchRow> {
        let revives = patch.get("status").is_some();
        let record = self
            .record(namespace, id)
            .filter(|record| revives || record.status != Status::Deleted)
            .ok_or(NoSuchRow { namespace, id })?;
        let at = at.timestamp().max(record.updated + 1);
        let mut fields = record.fields();
        fields.patch(patch);
        fields.set("updated", timestamp(DateTime::from_timestamp(at, 0).unwrap_or(self.now)));
        self.put(namespace, &fields);
        Ok(())
    }

    /// Turns this row, and no other, into a tombstone. A deleted contact keeps no personal data.
    pub(crate) fn delete_at(
        &mut self,
        namespace: Namespace,
        id: u64,
        at: DateTime<Utc>,
    ) -> Result<(), NoSuchRow> {
        let patch = match namespace {
            Namespace::Poc => json!({ "status": "deleted", "name": "", "phone": "", "email": "", "url": "" }),
            _ => json!({ "status": "deleted" }),
        };
        self.edit_at(namespace, id, &patch, at)
    }

    /// Deletes a row and all rows that cannot be without it, as PeeringDB does; gives what was deleted.
    pub(crate) fn delete_tree_at(
        &mut self,
        namespace: Namespace,
        id: u64,
        at: DateTime<Utc>,
    ) -> Vec<(Namespace, u64)> {
        let mut gone = Vec::new();
        let mut seen = HashSet::from([(namespace, id)]);
        let mut doomed = vec![(namespace, id)];
        while let Some((namespace, id)) = doomed.pop() {
            if !self.is_live(namespace, id) || self.delete_at(namespace, id, at).is_err() {
                continue;
            }
            gone.push((namespace, id));
            for children in Namespace::ALL {
                // A facility outlives its campus.
                if (children, namespace) == (Namespace::Fac, Namespace::Campus) {
                    continue;
                }
                for child in self.children(children, namespace, id) {
                    if seen.insert((children, child)) {
                        doomed.push((children, child));
                    }
                }
            }
        }
        gone
    }

    /// A company name that no row has.
    pub(crate) fn fresh_name(&mut self) -> String {
        self.newcomers += 1;
        format!("{} {}", generate::newcomer(&mut self.rng), 100_000 + self.newcomers)
    }

    /// An AS number that no row has.
    pub(crate) fn fresh_asn(&mut self) -> u64 {
        self.newcomers += 1;
        let asn = generate::next_asn(self.next_asn);
        self.next_asn = asn + 1;
        asn
    }

    /// An IPv4 and an IPv6 prefix that no exchange has.
    pub(crate) fn fresh_prefixes(&mut self) -> (String, String) {
        let base = self.next_v4.next_multiple_of(256);
        self.next_v4 = base + 256;
        let v6 = generate::exchange_v6(self.exchanges);
        self.exchanges += 1;
        (format!("{}/24", Ipv4Addr::from(base)), format!("{v6}/64"))
    }

    /// Addresses on this LAN that no row has or had, for a network of this AS number. The LAN must have prefixes.
    pub(crate) fn fresh_addresses(&self, ixlan: u64, asn: u64) -> Option<(String, String)> {
        let prefixes: Vec<String> = self
            .children(Namespace::Ixpfx, Namespace::Ixlan, ixlan)
            .into_iter()
            .filter_map(|id| self.record(Namespace::Ixpfx, id))
            .map(|record| record.fields().text("prefix").to_owned())
            .collect();
        let split =
            |prefix: &str| prefix.split_once('/').map(|(base, length)| (base.to_owned(), length.to_owned()));
        let (v4, length) = prefixes.iter().filter(|p| p.contains('.')).find_map(|p| split(p))?;
        let (v6, _) = prefixes.iter().filter(|p| p.contains(':')).find_map(|p| split(p))?;
        let (base, length): (Ipv4Addr, u32) = (v4.parse().ok()?, length.parse().ok()?);
        let base = u32::from(base);
        let last = base + 1_u32.checked_shl(32_u32.checked_sub(length)?)?.checked_sub(2)?;
        let taken: HashSet<String> = self
            .table(Namespace::Netixlan)
            .values()
            .filter(|record| record.links[1] == ixlan)
            .map(|record| record.fields().text("ipaddr4").to_owned())
            .collect();
        let free = (base + 1..=last).rev().map(Ipv4Addr::from).find(|v4| !taken.contains(&v4.to_string()))?;
        // The host part of the IPv4 address is unique on this LAN, and so is the IPv6 address that ends in it.
        let host = usize::try_from(u32::from(free) - base).ok()? + 1;
        let v6: Ipv6Addr = v6.parse().ok()?;
        Some((free.to_string(), generate::member_v6(v6, asn, host).to_string()))
    }
}
