//! Reads all objects that templates can reach, in a number of statements that does not depend on how many there are, and
//! makes a [`World`] of them.
//!
//! What few templates use (the PeeringDB cache, the octets of IRR lists, the journal, deleted sessions) is left
//! out at first, unless the templates' words ask for it. The world notes when a template reaches for what was left
//! out; then it is read, in the same transaction, and rendered anew. So a rendering is always what it would be with
//! everything read.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use pm_render::{
    Coverage, Data, Interface, Kind, Model, Models, Network, PrefixList, PrefixLists, Record, World,
};
use pm_store::Session;
use pm_store::irr::{Kind as ListKind, Stand};
use pm_store::objects::data::Data as Stored;
use pm_store::objects::problems::ObjectError;
use pm_store::objects::registry;
use pm_store::objects::secrets::Keyring;
use pm_store::picture::{self, Cached, CachedValue, Listed};

use super::deleted;
use super::fields::{Absent, CacheSource, Source, cache_sources, cache_table, sources};
use super::lazy::{AsList, Lack, Packed, Secret, Unread};

/// How much of the PeeringDB cache is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Cache {
    /// Nothing.
    #[default]
    Nothing,
    /// What hangs on our autonomous systems, exchanges, connections and hidden peers.
    Ours,
    /// Everything.
    All,
}

/// What is read beside the objects themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    cache: Cache,
    journal: bool,
    lists: bool,
    deleted: bool,
    /// AS numbers whose networks count as ours, beside those of the autonomous systems that are kept.
    networks: Vec<i64>,
}

/// Words by which a template gives away that it looks into the PeeringDB cache.
const CACHE_WORDS: [&str; 11] = [
    "is_abandoned",
    "general_policy",
    "can_receive_email",
    "get_contact_email_addresses",
    "ixps",
    "shared_ixps",
    "shared_facilities",
    "missing_sessions",
    "get_missing_peering_sessions",
    "get_shared_internet_exchange_points",
    "get_available_peers",
];

impl Wants {
    /// What these templates seem to need.
    pub fn of<'a>(templates: impl IntoIterator<Item = &'a str>) -> Self {
        let mut wants = Self::default();
        for text in templates {
            for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                if word.contains("peeringdb") || CACHE_WORDS.contains(&word) {
                    wants.cache = wants.cache.max(Cache::Ours);
                }
                wants.journal |= word.contains("journal");
                wants.deleted |= word == deleted::WORD;
                wants.lists |= word.contains("prefix")
                    || matches!(word, "as_list" | "fresh" | "get_irr_as_set_as_list" | "as_json" | "as_yaml");
            }
        }
        wants
    }

    /// What this and the other want.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.cache = self.cache.max(other.cache);
        self.journal |= other.journal;
        self.deleted |= other.deleted;
        self.lists |= other.lists;
        self.networks.extend(&other.networks);
        self
    }

    /// With the networks of these AS numbers and what hangs on them.
    #[must_use]
    pub fn with_networks(mut self, asns: &[i64]) -> Self {
        self.networks.extend(asns);
        self.cache = self.cache.max(Cache::Ours);
        self
    }

    /// With what a rendering reached for in vain; `None` if that is nothing, so that the rendering counts.
    pub fn more(&self, snapshot: &Snapshot) -> Option<Self> {
        let lacking = snapshot.world.lacking();
        let mut more = self.clone();
        more.lists |= snapshot.lists_asked.load(Ordering::Relaxed);
        more.journal |= lacking.contains(&"extras.journalentry");
        more.deleted |= lacking.contains(&deleted::MODEL);
        if lacking.iter().any(|model| cache_model(model)) {
            more.cache = if self.cache == Cache::Nothing { Cache::Ours } else { Cache::All };
        }
        (more != *self).then_some(more)
    }
}

fn cache_model(name: &str) -> bool {
    name.starts_with("peeringdb.") && name != "peeringdb.hiddenpeer"
}

/// A world, and what it was read with.
pub struct Snapshot {
    /// The objects.
    pub world: Arc<World>,
    lists_asked: Arc<AtomicBool>,
}

/// Reads, and has `make` work with what was read, until nothing is lacking.
///
/// # Errors
/// Those of the database, and what `make` says.
pub async fn with_snapshot<T, E>(
    session: &mut Session<'_>,
    keyring: &Arc<Keyring>,
    mut wants: Wants,
    mut make: impl FnMut(&Snapshot) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<ObjectError>,
{
    loop {
        let snapshot = read(session, keyring, &wants).await?;
        let result = make(&snapshot);
        match wants.more(&snapshot) {
            // It went wrong, or turned out so, without what is lacking.
            Some(more) => wants = more,
            None => return result,
        }
    }
}

/// Reads the objects, and what is wanted beside them.
///
/// # Errors
/// Those of the database.
pub async fn read(
    session: &mut Session<'_>,
    keyring: &Arc<Keyring>,
    wants: &Wants,
) -> Result<Snapshot, ObjectError> {
    let lists_asked = Arc::new(AtomicBool::new(false));
    let mut records: HashMap<String, Vec<Record>> = HashMap::new();
    let mut tags = tags(session).await?;
    let mut lists = Lists::read(session, wants, &lists_asked).await?;
    for model in Models::get().all() {
        let Some(stored) = registry::model(&model.name) else { continue };
        if !wants.journal && stored.label == "extras.journalentry" {
            continue;
        }
        let sources = sources(model, stored);
        let mut references: HashMap<usize, HashMap<i64, Vec<u64>>> = HashMap::new();
        for (place, field) in stored.fields.iter().enumerate() {
            if sources.iter().any(|source| matches!(source, Source::References(at) if *at == place)) {
                let pairs = picture::references(session, stored, field).await?;
                references.insert(place, grouped(pairs));
            }
        }
        let contexts: Vec<Arc<str>> =
            stored.fields.iter().map(|field| format!("{}.{}", stored.label, field.name).into()).collect();
        let mut tagged = tags.remove(stored.label).unwrap_or_default();
        let objects = picture::objects(session, stored).await?;
        let mut rows = Vec::with_capacity(objects.len());
        for object in objects {
            let (id, created, updated) = (object.id, object.created, object.updated);
            let mut values = object.into_values();
            let mut take = |place: usize, kind: Kind| {
                let stored = std::mem::replace(&mut values[place], Stored::Null);
                converted(kind, stored, || (Arc::clone(keyring), Arc::clone(&contexts[place])))
            };
            let value = |(source, field): (&Source, &pm_render::Field)| match *source {
                Source::Created => Data::Time(created),
                Source::Updated => Data::Time(updated),
                Source::Field(place) => take(place, field.kind),
                Source::References(place) => {
                    let ids = references.get_mut(&place).and_then(|of| of.remove(&id));
                    Data::References(ids.unwrap_or_default().into())
                }
                Source::Tags => Data::References(tagged.remove(&id).unwrap_or_default().into()),
                Source::Prefixes => lists.prefixes(id),
                Source::AsList => lists.as_list(id),
                Source::Absent(Absent::Null) => Data::Null,
                Source::Absent(Absent::Empty) => Data::Text("".into()),
                Source::Absent(Absent::True) => Data::Bool(true),
            };
            let values = sources.iter().zip(&model.fields).map(value).collect();
            rows.push(Record { id: id.unsigned_abs(), values });
        }
        records.insert(model.name.to_string(), rows);
    }
    if wants.deleted {
        records.insert(deleted::MODEL.to_owned(), deleted::read(session).await?);
    }
    let coverage = read_cache(session, wants, &mut records).await?;
    let synchronised = picture::peeringdb_synchronised(session).await?;
    let mut world = World::new(records).synchronised(synchronised);
    for (model, coverage) in coverage {
        world = world.holding(model, coverage);
    }
    if !wants.journal {
        world = world.holding("extras.journalentry", Coverage::Nothing);
    }
    if !wants.deleted {
        world = world.holding(deleted::MODEL, Coverage::Nothing);
    }
    Ok(Snapshot { world: Arc::new(world), lists_asked })
}

fn grouped(pairs: Vec<(i64, i64)>) -> HashMap<i64, Vec<u64>> {
    let mut of: HashMap<i64, Vec<u64>> = HashMap::new();
    for (object, target) in pairs {
        of.entry(object).or_default().push(target.unsigned_abs());
    }
    of
}

/// Tags per model and object.
async fn tags(
    session: &mut Session<'_>,
) -> Result<HashMap<&'static str, HashMap<i64, Vec<u64>>>, ObjectError> {
    let mut of: HashMap<&'static str, HashMap<i64, Vec<u64>>> = HashMap::new();
    for (model, object, tag) in picture::tags(session).await? {
        of.entry(model.label).or_default().entry(object).or_default().push(tag.unsigned_abs());
    }
    Ok(of)
}

/// The database's form of a value as the templates'.
fn converted(kind: Kind, stored: Stored, secret: impl FnOnce() -> (Arc<Keyring>, Arc<str>)) -> Data {
    match (kind, stored) {
        (Kind::ForeignKey, Stored::Integer(id)) => Data::Reference(id.unsigned_abs()),
        (Kind::Mac, Stored::Text(text)) => pm_render::mac_bytes(&text).map_or(Data::Null, Data::Mac),
        (_, Stored::Null | Stored::Ids(_)) => Data::Null,
        (_, Stored::Text(text)) => Data::Text(text.into()),
        (_, Stored::Integer(number)) => Data::Int(number),
        (_, Stored::Boolean(flag)) => Data::Bool(flag),
        (_, Stored::Time(time)) => Data::Time(time),
        (_, Stored::Json(json)) => Data::Json(Arc::new(json)),
        (Kind::Ip, Stored::Interface(net)) => Data::Ip(net.addr()),
        (_, Stored::Interface(net)) => Data::Interface(interface(net)),
        (_, Stored::Host(address)) => Data::Ip(address),
        (_, Stored::Secret(clear)) => Data::Text(clear.reveal().into()),
        (_, Stored::Sealed(sealed)) => {
            let (keyring, context) = secret();
            Data::Lazy(Arc::new(Secret { keyring, context, sealed, json: kind == Kind::Json }))
        }
    }
}

fn interface(net: IpNet) -> Interface {
    Interface { address: net.addr(), length: net.prefix_len() }
}

/// What autonomous systems show of IRR databases.
struct Lists {
    of: HashMap<i64, Vec<Listed>>,
    octets: HashMap<i64, Arc<Vec<u8>>>,
    read: bool,
    asked: Arc<AtomicBool>,
}

type Found = (Result<Arc<Vec<u8>>, Lack>, Vec<u8>, Option<DateTime<Utc>>);

impl Lists {
    async fn read(
        session: &mut Session<'_>,
        wants: &Wants,
        asked: &Arc<AtomicBool>,
    ) -> Result<Self, ObjectError> {
        let mut lists =
            Self { of: HashMap::new(), octets: HashMap::new(), read: wants.lists, asked: Arc::clone(asked) };
        if wants.lists {
            for listed in picture::lists(session).await? {
                lists.of.entry(listed.autonomous_system).or_default().push(listed);
            }
            picture::octets(session, |id, octets| {
                lists.octets.insert(id, Arc::new(octets));
            })
            .await?;
        }
        Ok(lists)
    }

    /// The octets of a list or why there are none, their digest, and when they were last looked for.
    fn find(&self, system: i64, kind: ListKind) -> Found {
        if !self.read {
            return (Err(Lack::Unread(Arc::clone(&self.asked))), Vec::new(), None);
        }
        let Some(listed) = self.of.get(&system).and_then(|of| of.iter().find(|listed| listed.kind == kind))
        else {
            return (Err(Lack::Missing("it was never fetched".into())), Vec::new(), None);
        };
        let octets = listed.list.and_then(|id| self.octets.get(&id));
        let found = match (octets, listed.state) {
            (Some(octets), _) => Ok(Arc::clone(octets)),
            (None, Stand::Off) => Err(Lack::Unwanted),
            (None, state) => Err(Lack::Missing(why(listed, state).into())),
        };
        (found, listed.digest.clone().unwrap_or_default(), listed.checked)
    }

    fn prefixes(&mut self, system: i64) -> Data {
        let list = |kind: ListKind| {
            let (found, digest, checked) = self.find(system, kind);
            let list = match found {
                Ok(octets) => PrefixList::Known(Arc::new(Packed::new(digest, octets))),
                Err(Lack::Missing(why)) => PrefixList::Missing(why),
                Err(Lack::Unwanted) => PrefixList::default(),
                Err(Lack::Unread(asked)) => PrefixList::Known(Arc::new(Unread(asked))),
            };
            (list, checked)
        };
        let ((ipv6, one), (ipv4, other)) = (list(ListKind::Ipv6), list(ListKind::Ipv4));
        // The older one; none if one of them was never looked for.
        let checked = one.zip(other).map(|(one, other)| one.min(other));
        Data::Prefixes(Arc::new(PrefixLists { ipv6, ipv4, checked }))
    }

    fn as_list(&mut self, system: i64) -> Data {
        let (octets, digest, _) = self.find(system, ListKind::AsList);
        Data::Lazy(Arc::new(AsList { digest, octets }))
    }
}

/// Why an autonomous system shows no list.
fn why(listed: &Listed, state: Stand) -> String {
    match (state, listed.too_long, &listed.failure) {
        (Stand::TooBig, Some(entries), _) => format!("it has {entries} entries, which is over the limit"),
        (_, _, Some(failure)) => format!("it could not be fetched: {failure}"),
        _ => "it was never fetched".to_owned(),
    }
}

/// Reads what is wanted of the PeeringDB cache, and says of each of its models how much that is.
async fn read_cache(
    session: &mut Session<'_>,
    wants: &Wants,
    records: &mut HashMap<String, Vec<Record>>,
) -> Result<Vec<(&'static str, Coverage)>, ObjectError> {
    let models = Models::get().all().iter().filter(|model| cache_model(&model.name));
    if wants.cache == Cache::Nothing {
        return Ok(models.map(|model| (&*model.name, Coverage::Nothing)).collect());
    }
    if wants.cache == Cache::All {
        for model in models {
            let rows = cached(session, model, &[]).await?;
            records.insert(model.name.to_string(), rows);
        }
        return Ok(Vec::new());
    }
    read_ours(session, wants, records).await
}

/// Reads what hangs on our objects. What is reached from there by other ways is noted as lacking.
async fn read_ours(
    session: &mut Session<'_>,
    wants: &Wants,
    records: &mut HashMap<String, Vec<Record>>,
) -> Result<Vec<(&'static str, Coverage)>, ObjectError> {
    let linked = |model: &str, field: &str| referred(records, model, field);
    let mut networks: BTreeSet<i64> =
        picture::networks_of(session, &wants.networks).await?.into_iter().collect();
    networks.extend(linked("peeringdb.hiddenpeer", "peeringdb_network"));
    let mut lans: BTreeSet<i64> = linked("peering.internetexchange", "peeringdb_ixlan");
    lans.extend(linked("peeringdb.hiddenpeer", "peeringdb_ixlan"));
    let ports = linked("net.connection", "peeringdb_netixlan");
    let ours: Vec<i64> = networks.iter().copied().collect();
    let our_lans: Vec<i64> = lans.iter().copied().collect();
    let ports: Vec<i64> = ports.into_iter().collect();

    let mut keep = async |session: &mut Session<'_>, name: &str, among: &[(&str, &[i64])]| {
        let Some(index) = Models::get().index(name) else { return Ok(()) };
        let rows = cached(session, &Models::get().all()[usize::from(index)], among).await?;
        records.insert(name.to_owned(), rows);
        Ok::<(), ObjectError>(())
    };
    keep(session, "peeringdb.networkixlan", &[("ixlan_id", &our_lans), ("net_id", &ours), ("id", &ports)])
        .await?;
    keep(session, "peeringdb.networkcontact", &[("net_id", &ours)]).await?;
    keep(session, "peeringdb.networkfacility", &[("net_id", &ours)]).await?;
    networks.extend(referred(records, "peeringdb.networkixlan", "net"));
    lans.extend(referred(records, "peeringdb.networkixlan", "ixlan"));
    let mut facilities = referred(records, "peeringdb.networkfacility", "fac");
    for side in ["net_side", "ix_side"] {
        facilities.extend(referred(records, "peeringdb.networkixlan", side));
    }
    let mut keep = async |session: &mut Session<'_>, name: &str, among: &[(&str, &[i64])]| {
        let Some(index) = Models::get().index(name) else { return Ok(()) };
        let rows = cached(session, &Models::get().all()[usize::from(index)], among).await?;
        records.insert(name.to_owned(), rows);
        Ok::<(), ObjectError>(())
    };
    let [networks, lans, facilities] =
        [networks, lans, facilities].map(|ids| ids.into_iter().collect::<Vec<i64>>());
    keep(session, "peeringdb.network", &[("id", &networks)]).await?;
    keep(session, "peeringdb.ixlan", &[("id", &lans)]).await?;
    keep(session, "peeringdb.ixlanprefix", &[("ixlan_id", &lans)]).await?;
    keep(session, "peeringdb.facility", &[("id", &facilities)]).await?;
    let exchanges: Vec<i64> = referred(records, "peeringdb.ixlan", "ix").into_iter().collect();
    let Some(index) = Models::get().index("peeringdb.internetexchange") else { return Ok(Vec::new()) };
    let rows = cached(session, &Models::get().all()[usize::from(index)], &[("id", &exchanges)]).await?;
    records.insert("peeringdb.internetexchange".to_owned(), rows);

    let by = |fields: &[(&str, &[i64])]| {
        let ids = |ids: &[i64]| ids.iter().map(|id| id.unsigned_abs()).collect::<HashSet<u64>>();
        Coverage::Referring(fields.iter().map(|(field, of)| ((*field).to_owned(), ids(of))).collect())
    };
    Ok(vec![
        ("peeringdb.organization", Coverage::Nothing),
        ("peeringdb.campus", Coverage::Nothing),
        ("peeringdb.internetexchangefacility", Coverage::Nothing),
        ("peeringdb.facility", by(&[])),
        ("peeringdb.network", by(&[])),
        ("peeringdb.internetexchange", by(&[])),
        ("peeringdb.ixlan", by(&[])),
        ("peeringdb.ixlanprefix", by(&[("ixlan", &lans)])),
        ("peeringdb.networkcontact", by(&[("net", &ours)])),
        ("peeringdb.networkfacility", by(&[("net", &ours)])),
        ("peeringdb.networkixlan", by(&[("net", &ours), ("ixlan", &our_lans)])),
    ])
}

/// The ids that a field of the records read so far refers to.
fn referred(records: &HashMap<String, Vec<Record>>, name: &str, field: &str) -> BTreeSet<i64> {
    let models = Models::get();
    let place = models.index(name).and_then(|index| models.all()[usize::from(index)].field(field));
    let (Some(place), Some(rows)) = (place, records.get(name)) else { return BTreeSet::new() };
    let id = |row: &Record| match row.values[place] {
        Data::Reference(id) => i64::try_from(id).ok(),
        _ => None,
    };
    rows.iter().filter_map(id).collect()
}

async fn cached(
    session: &mut Session<'_>,
    model: &Model,
    among: &[(&str, &[i64])],
) -> Result<Vec<Record>, ObjectError> {
    let Some(table) = cache_table(model) else { return Ok(Vec::new()) };
    let sources = cache_sources(model, table);
    let columns: Vec<_> = sources
        .iter()
        .filter_map(|source| match source {
            CacheSource::Column(column) => Some(*column),
            _ => None,
        })
        .collect();
    let rows = picture::cached(session, table, &columns, among).await?;
    Ok(rows.into_iter().map(|row| cached_record(model, &sources, row)).collect())
}

fn cached_record(model: &Model, sources: &[CacheSource], row: Cached) -> Record {
    let mut columns = row.values.into_iter();
    let value = |(source, field): (&CacheSource, &pm_render::Field)| match source {
        CacheSource::Created => Data::Time(row.created),
        CacheSource::Updated => Data::Time(row.updated),
        CacheSource::Absent => Data::Null,
        CacheSource::Column(_) => match (field.kind, columns.next().unwrap_or(CachedValue::Null)) {
            (_, CachedValue::Null) => Data::Null,
            (Kind::ForeignKey, CachedValue::Integer(id)) => Data::Reference(id.unsigned_abs()),
            (_, CachedValue::Integer(number)) => Data::Int(number),
            (_, CachedValue::Boolean(flag)) => Data::Bool(flag),
            (_, CachedValue::Float(number)) => Data::Float(number),
            (_, CachedValue::Time(time)) => Data::Time(time),
            (Kind::Json | Kind::List, CachedValue::Text(text)) => {
                serde_json::from_str(&text).map_or(Data::Null, |json| Data::Json(Arc::new(json)))
            }
            (Kind::Mac, CachedValue::Text(text)) => pm_render::mac_bytes(&text).map_or(Data::Null, Data::Mac),
            (_, CachedValue::Text(text)) => Data::Text(text),
            (Kind::Network, CachedValue::Address(net)) => {
                Data::Network(Network { address: net.network(), length: net.prefix_len() })
            }
            (_, CachedValue::Address(net)) => Data::Interface(interface(net)),
        },
    };
    let values = sources.iter().zip(&model.fields).map(value).collect();
    Record { id: row.id.unsigned_abs(), values }
}
