//! An unchanging picture of all objects that templates can reach.
//!
//! The seam to the rest of the program is narrow: whoever has objects (the database, an export of the original) makes
//! one [`Record`] per object, with one [`Data`] per field in the order of [`Model::fields`], and calls [`World::new`].
//! Everything else here is looking things up, by index and without a query.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

use chrono::{DateTime, Utc};

use crate::address::{Interface, Network};
use crate::model::{Model, Models};

/// One object of the world: which model, and its place in that model's default order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// Index into [`Models`].
    pub model: u16,
    /// Place in the default order.
    pub index: u32,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub enum Data {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Anything JSON; keys are shown shorter first, then by bytes, as a database with binary JSON returns them.
    Json(Arc<serde_json::Value>),
    /// An address without prefix length.
    Ip(IpAddr),
    /// An address with prefix length.
    Interface(Interface),
    /// A prefix.
    Network(Network),
    /// A MAC address.
    Mac([u8; 6]),
    /// A time.
    Time(DateTime<Utc>),
    /// Id of the object a foreign key points to.
    Reference(u64),
    /// Ids of the objects of a many-to-many relation, in any order; tags in the order in which they were given.
    References(Arc<[u64]>),
    /// Prefix lists.
    Prefixes(Arc<PrefixLists>),
    /// A value that is made when a template asks for it: a secret to open, a list to unpack.
    Lazy(Arc<dyn Lazy>),
}

/// Makes a value when a template asks for it.
pub trait Lazy: std::fmt::Debug + Send + Sync {
    /// The value, any but another [`Data::Lazy`].
    fn open(&self) -> Result<Data, Unavailable>;
    /// The secrets in what was made, which no message may show.
    fn secrets(&self, _: &Data) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// Why a value cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// There is none, for this reason. Whether that is an error is for the template and the settings to say.
    Missing(Arc<str>),
    /// It is there, and cannot be read.
    Broken(String),
}

/// The two prefix lists of an autonomous system.
#[derive(Debug, Clone, Default)]
pub struct PrefixLists {
    /// IPv6 entries.
    pub ipv6: PrefixList,
    /// IPv4 entries.
    pub ipv4: PrefixList,
    /// When they were last looked for in an IRR database.
    pub checked: Option<DateTime<Utc>>,
}

/// A prefix list of one address family.
#[derive(Debug, Clone)]
pub enum PrefixList {
    /// It is there.
    Known(Arc<dyn PrefixSource>),
    /// There is none, for this reason.
    Missing(Arc<str>),
}

impl Default for PrefixList {
    /// One without entries.
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<PrefixEntry>> for PrefixList {
    fn from(entries: Vec<PrefixEntry>) -> Self {
        Self::Known(Arc::new(entries))
    }
}

/// Entries of a prefix list, taken out one at a time where they lie.
pub trait PrefixSource: std::fmt::Debug + Send + Sync {
    /// Makes sure that the list can be read, before it is. The error is a sentence about the list.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Entry number `at`, from 0.
    fn get(&self, at: usize) -> Option<PrefixEntry>;
}

impl PrefixSource for Vec<PrefixEntry> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }
    fn get(&self, at: usize) -> Option<PrefixEntry> {
        self.as_slice().get(at).cloned()
    }
}

/// How much of a model's objects a world holds. Looking for what it may lack is noted, see [`World::lacking`].
#[derive(Debug, Clone, Default)]
pub enum Coverage {
    /// All of them.
    #[default]
    All,
    /// Those that refer to one of these ids by this field, per field; others may be lacking.
    Referring(HashMap<String, HashSet<u64>>),
    /// None.
    Nothing,
}

/// One entry of a prefix list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixEntry {
    /// The prefix.
    pub prefix: Network,
    /// How it is written, if not in the shortest way.
    pub written: Option<Arc<str>>,
    /// Only this prefix, nothing more specific.
    pub exact: bool,
    /// Shortest length accepted.
    pub greater_equal: Option<u8>,
    /// Longest length accepted.
    pub less_equal: Option<u8>,
}

/// One object before it is part of a world.
#[derive(Debug, Clone)]
pub struct Record {
    /// Primary key.
    pub id: u64,
    /// One per field of the model.
    pub values: Vec<Data>,
}

#[derive(Default)]
struct Table {
    records: Vec<Record>,
    by_id: HashMap<u64, u32>,
    /// Per field that refers to others: id of the other → rows here, in default order.
    referring: HashMap<usize, HashMap<u64, Vec<u32>>>,
    /// For objects that hang on others of any model: (model, id) → rows here.
    hanging: HashMap<(Arc<str>, u64), Vec<u32>>,
    coverage: Held,
    missed: AtomicBool,
}

/// [`Coverage`] with the places of fields.
#[derive(Default)]
enum Held {
    #[default]
    All,
    Referring(HashMap<usize, HashSet<u64>>),
    Nothing,
}

impl Table {
    /// Notes that a template asked for what may not be here.
    fn miss(&self) {
        if !matches!(self.coverage, Held::All) {
            self.missed.store(true, Memory::Relaxed);
        }
    }
}

/// All objects. Cheap to share, never changed.
pub struct World {
    models: &'static Models,
    tables: Vec<Table>,
    networks_by_asn: HashMap<i64, u32>,
    network_model: u16,
    peeringdb_synchronised: Option<DateTime<Utc>>,
}

impl World {
    /// A world of these records, by model name. Models without an entry have no objects.
    pub fn new(mut records: HashMap<String, Vec<Record>>) -> Self {
        let models = Models::get();
        let mut tables: Vec<Table> = Vec::with_capacity(models.all().len());
        // models.txt names a model after those its order depends on.
        for model in models.all() {
            let mut rows = records.remove(&*model.name).unwrap_or_default();
            let keys = SortKeys { model, tables: &tables, models };
            rows.sort_by(|a, b| keys.compare(a, b));
            tables.push(Table::new(model, rows));
        }
        let network_model = models.index("peeringdb.network").unwrap_or_default();
        let asn = models.all()[usize::from(network_model)].field("asn").unwrap_or_default();
        let networks_by_asn = (0_u32..)
            .zip(&tables[usize::from(network_model)].records)
            .filter_map(|(at, record)| match record.values[asn] {
                Data::Int(asn) => Some((asn, at)),
                _ => None,
            })
            .collect();
        Self { models, tables, networks_by_asn, network_model, peeringdb_synchronised: None }
    }

    /// With the moment up to which the PeeringDB records are known.
    #[must_use]
    pub fn synchronised(mut self, peeringdb: Option<DateTime<Utc>>) -> Self {
        self.peeringdb_synchronised = peeringdb;
        self
    }

    /// When the PeeringDB records were last brought up to date.
    pub fn peeringdb_synchronised(&self) -> Option<DateTime<Utc>> {
        self.peeringdb_synchronised
    }

    /// Says of a model that not all of its objects are here.
    #[must_use]
    pub fn holding(mut self, model: &str, coverage: Coverage) -> Self {
        let Some(index) = self.models.index(model) else { return self };
        let description = self.model(index);
        let table = &mut self.tables[usize::from(index)];
        table.coverage = match coverage {
            Coverage::All => Held::All,
            Coverage::Nothing => Held::Nothing,
            Coverage::Referring(fields) => Held::Referring(
                fields
                    .into_iter()
                    .filter_map(|(field, ids)| Some((description.field(&field)?, ids)))
                    .collect(),
            ),
        };
        self
    }

    /// The models of which templates asked for objects that are not here but may be elsewhere. What was rendered then
    /// is worth nothing: a world that holds more is needed.
    pub fn lacking(&self) -> Vec<&'static str> {
        let tables = self.models.all().iter().zip(&self.tables);
        tables
            .filter(|(_, table)| table.missed.load(Memory::Relaxed))
            .map(|(model, _)| &*model.name)
            .collect()
    }

    /// Hands over everything that tells this world from another, the same for equal worlds: for a hash of what a rendering
    /// was made from.
    pub fn fingerprint(&self, take: &mut dyn FnMut(&[u8])) {
        use std::fmt::Write as _;
        let mut text = String::new();
        for (model, table) in self.models.all().iter().zip(&self.tables) {
            take(model.name.as_bytes());
            for record in &table.records {
                take(&record.id.to_le_bytes());
                for value in &record.values {
                    match value {
                        Data::Null => take(&[0]),
                        Data::Bool(flag) => take(&[1, u8::from(*flag)]),
                        Data::Int(number) => take(&number.to_le_bytes()),
                        Data::Reference(id) => take(&id.to_le_bytes()),
                        Data::Text(text) => take(text.as_bytes()),
                        Data::Time(time) => take(&time.timestamp_micros().to_le_bytes()),
                        Data::References(ids) => {
                            let mut ids = ids.to_vec();
                            ids.sort_unstable();
                            for id in ids {
                                take(&id.to_le_bytes());
                            }
                        }
                        other => {
                            text.clear();
                            // Writing to a text does not fail.
                            let _ = write!(text, "{other:?}");
                            take(text.as_bytes());
                        }
                    }
                    // No UTF-8 text holds it, so that neighbours cannot trade octets.
                    take(&[0xff]);
                }
            }
        }
    }

    /// The description of a model.
    pub fn model(&self, model: u16) -> &'static Model {
        &self.models.all()[usize::from(model)]
    }
    pub(crate) fn index(&self, name: &str) -> u16 {
        self.models.index(name).unwrap_or_default()
    }
    /// All objects of a model, in default order.
    pub fn all(&self, model: u16) -> Vec<u32> {
        self.tables[usize::from(model)].miss();
        (0..u32::try_from(self.tables[usize::from(model)].records.len()).unwrap_or(u32::MAX)).collect()
    }
    /// The object with that primary key.
    pub fn find(&self, model: u16, id: u64) -> Option<Row> {
        let table = &self.tables[usize::from(model)];
        let found = table.by_id.get(&id).map(|index| Row { model, index: *index });
        if found.is_none() {
            table.miss();
        }
        found
    }
    /// Primary key of an object.
    pub fn id(&self, row: Row) -> u64 {
        self.record(row).id
    }
    fn record(&self, row: Row) -> &Record {
        &self.tables[usize::from(row.model)].records[row.index as usize]
    }
    /// The stored value of a field.
    pub fn value(&self, row: Row, field: usize) -> &Data {
        &self.record(row).values[field]
    }
    /// The stored value of a field by name.
    pub fn get(&self, row: Row, field: &str) -> &Data {
        self.model(row.model).field(field).map_or(&Data::Null, |at| self.value(row, at))
    }
    pub(crate) fn text(&self, row: Row, field: &str) -> &str {
        match self.get(row, field) {
            Data::Text(text) => text,
            _ => "",
        }
    }
    pub(crate) fn int(&self, row: Row, field: &str) -> Option<i64> {
        match self.get(row, field) {
            Data::Int(number) => Some(*number),
            _ => None,
        }
    }
    pub(crate) fn flag(&self, row: Row, field: &str) -> bool {
        matches!(self.get(row, field), Data::Bool(true))
    }
    /// The object a foreign key points to.
    pub(crate) fn target(&self, row: Row, field: &str) -> Option<Row> {
        let at = self.model(row.model).field(field)?;
        self.target_at(row, at)
    }
    pub(crate) fn target_at(&self, row: Row, field: usize) -> Option<Row> {
        let Data::Reference(id) = self.value(row, field) else { return None };
        let target = self.model(row.model).fields[field].target?;
        self.find(target, *id)
    }
    /// The objects of a many-to-many relation, in their default order.
    pub(crate) fn many(&self, row: Row, field: usize) -> Vec<u32> {
        let Data::References(ids) = self.value(row, field) else { return Vec::new() };
        let Some(target) = self.model(row.model).fields[field].target else { return Vec::new() };
        let mut rows: Vec<u32> =
            ids.iter().filter_map(|id| self.find(target, *id)).map(|row| row.index).collect();
        // Tags stay in the order in which they were given to the object.
        if &*self.model(row.model).fields[field].name != "tags" {
            rows.sort_unstable();
        }
        rows
    }
    /// The objects of `model` whose `field` refers to the object with this id.
    pub(crate) fn referring(&self, model: u16, field: usize, id: u64) -> &[u32] {
        let table = &self.tables[usize::from(model)];
        match &table.coverage {
            Held::Referring(covered) if covered.get(&field).is_some_and(|ids| ids.contains(&id)) => {}
            _ => table.miss(),
        }
        table.referring.get(&field).and_then(|by| by.get(&id)).map_or(&[], Vec::as_slice)
    }
    pub(crate) fn referring_by_name(&self, model: &str, field: &str, to: Row) -> &[u32] {
        let model = self.index(model);
        let Some(field) = self.model(model).field(field) else { return &[] };
        self.referring(model, field, self.id(to))
    }
    /// The objects of `model` that hang on `row` by a content type and an id.
    pub(crate) fn hanging(&self, model: &str, row: Row) -> &[u32] {
        let key = (self.model(row.model).name.clone(), self.id(row));
        let table = &self.tables[usize::from(self.index(model))];
        table.miss();
        table.hanging.get(&key).map_or(&[], Vec::as_slice)
    }
    /// The PeeringDB network with that AS number.
    pub fn network(&self, asn: i64) -> Option<Row> {
        let found =
            self.networks_by_asn.get(&asn).map(|index| Row { model: self.network_model, index: *index });
        let table = &self.tables[usize::from(self.network_model)];
        // Whoever reads some of the networks reads those of the autonomous systems there are.
        if found.is_none() && matches!(table.coverage, Held::Nothing) {
            table.miss();
        }
        found
    }
    pub(crate) fn rows_where(&self, model: u16, field: &str, wanted: &str) -> Vec<u32> {
        let mut rows = self.all(model);
        rows.retain(|index| self.text(Row { model, index: *index }, field) == wanted);
        rows
    }
}

impl Table {
    fn new(model: &Model, records: Vec<Record>) -> Self {
        let mut table = Self::default();
        let hanging = ["content_type", "assigned_object_type"].iter().find_map(|name| model.field(name));
        for (at, record) in (0_u32..).zip(&records) {
            table.by_id.insert(record.id, at);
            for (field, value) in record.values.iter().enumerate() {
                match value {
                    Data::Reference(id) => {
                        table.referring.entry(field).or_default().entry(*id).or_default().push(at);
                    }
                    Data::References(ids) => {
                        for id in ids.iter() {
                            table.referring.entry(field).or_default().entry(*id).or_default().push(at);
                        }
                    }
                    _ => {}
                }
            }
            if let Some(field) = hanging
                && let (Data::Text(name), Data::Int(id)) =
                    (&record.values[field], &record.values[(field + 1).min(record.values.len() - 1)])
            {
                let id = u64::try_from(*id).unwrap_or_default();
                table.hanging.entry((name.clone(), id)).or_default().push(at);
            }
        }
        table.records = records;
        table
    }
}

struct SortKeys<'a> {
    model: &'a Model,
    tables: &'a [Table],
    models: &'a Models,
}

impl SortKeys<'_> {
    fn compare(&self, a: &Record, b: &Record) -> Ordering {
        for (field, descending) in &self.model.order {
            let order = match self.model.fields[*field].target {
                Some(target) => nulls_last(
                    self.rank(target, &a.values[*field]),
                    self.rank(target, &b.values[*field]),
                    Ord::cmp,
                ),
                None => compare_data(&a.values[*field], &b.values[*field]),
            };
            let order = if *descending { order.reverse() } else { order };
            if order != Ordering::Equal {
                return order;
            }
        }
        a.id.cmp(&b.id)
    }

    /// Where the target stands in its own default order; its id, if it has none.
    fn rank(&self, target: u16, value: &Data) -> Option<u64> {
        let Data::Reference(id) = value else { return None };
        if self.models.all()[usize::from(target)].order.is_empty() {
            return Some(*id);
        }
        self.tables.get(usize::from(target))?.by_id.get(id).map(|at| u64::from(*at))
    }
}

fn nulls_last<T>(a: Option<T>, b: Option<T>, compare: fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(&a, &b),
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (None, None) => Ordering::Equal,
    }
}

/// The database's order of two values of one column: text by bytes, nulls last.
pub(crate) fn compare_data(a: &Data, b: &Data) -> Ordering {
    match (a, b) {
        (Data::Null, Data::Null) => Ordering::Equal,
        (Data::Null, _) => Ordering::Greater,
        (_, Data::Null) => Ordering::Less,
        (Data::Bool(a), Data::Bool(b)) => a.cmp(b),
        (Data::Int(a), Data::Int(b)) => a.cmp(b),
        (Data::Float(a), Data::Float(b)) => a.total_cmp(b),
        (Data::Text(a), Data::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Data::Ip(a), Data::Ip(b)) => {
            let full =
                |address: &IpAddr| Interface { address: *address, length: crate::address::width(*address) };
            full(a).order(&full(b))
        }
        (Data::Interface(a), Data::Interface(b)) => a.order(b),
        (Data::Network(a), Data::Network(b)) => {
            let full = |n: &Network| Interface { address: n.address, length: n.length };
            full(a).order(&full(b))
        }
        (Data::Mac(a), Data::Mac(b)) => a.cmp(b),
        (Data::Time(a), Data::Time(b)) => a.cmp(b),
        (Data::Reference(a), Data::Reference(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
