//! Questions about the lists that are stored.

use pm_irr::{Entry, PackedList, Prefix, unpack_asns};
use pm_store::Store;
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::irr::{self, Generation, Kind, List, State};
use serde::Serialize;

use super::lists;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The autonomous system is not there.
    #[error("AS{0} is not in the database; `peering-manager as add {0}` adds it")]
    NoSystem(i64),
    /// The generation is not there.
    #[error("AS{asn} has no generation {number}; it has {there}")]
    NoGeneration {
        /// AS number.
        asn: i64,
        /// What was asked for.
        number: i64,
        /// What there is.
        there: String,
    },
    /// A list cannot be read.
    #[error("a stored list cannot be read: {0}; `get_irr_data --force` fetches it again")]
    Corrupt(#[from] pm_irr::CorruptList),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] pm_store::StoreError),
}

/// What is known about an autonomous system's lists.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// The autonomous system.
    #[serde(skip)]
    pub system: AutonomousSystem,
    /// AS number.
    pub asn: i64,
    /// Where each list stands.
    pub states: Vec<State>,
    /// What was stored, newest first.
    pub generations: Vec<Generation>,
}

/// Where the lists of an autonomous system stand.
pub async fn overview(store: &Store, asn: i64) -> Result<Overview, LookError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let system = autonomous_system::by_asns(&mut session, &[asn]).await?.pop();
    let system = system.ok_or(LookError::NoSystem(asn))?;
    let states = irr::states(&mut session, &[system.id]).await?.remove(&system.id).unwrap_or_default();
    let generations = irr::generations(&mut session, system.id).await?;
    transaction.rollback().await?;
    Ok(Overview { system, asn, states, generations })
}

impl Overview {
    /// One generation; the newest when no number is given. `None` when there is none at all.
    pub fn generation(&self, number: Option<i64>) -> Result<Option<&Generation>, LookError> {
        let Some(number) = number else { return Ok(self.generations.first()) };
        let found = self.generations.iter().find(|generation| generation.number == number);
        found.map(Some).ok_or_else(|| {
            let numbers: Vec<String> =
                self.generations.iter().rev().map(|generation| generation.number.to_string()).collect();
            let there = if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") };
            LookError::NoGeneration { asn: self.asn, number, there }
        })
    }
}

/// The octets of a list.
pub struct Data {
    kind: Kind,
    data: Vec<u8>,
}

/// Fetches a list's octets.
pub async fn data(store: &Store, kind: Kind, list: &List) -> Result<Data, LookError> {
    let data = irr::data(&mut store.connection().await?.session(), list.id).await?;
    Ok(Data { kind, data: data.unwrap_or_default() })
}

impl Data {
    /// Hands over every entry as text, such as `192.0.2.0/24 le 25` or `AS64500`.
    pub fn each(&self, mut take: impl FnMut(&dyn std::fmt::Display)) -> Result<(), LookError> {
        if self.kind == Kind::AsList {
            unpack_asns(&self.data)?.iter().for_each(|asn| take(&format_args!("AS{asn}")));
        } else {
            PackedList::new(&self.data)?.iter().for_each(|entry| take(&entry));
        }
        Ok(())
    }
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `ipv6`, `ipv4` or `as_list`.
    pub list: &'static str,
    /// Whether the newer one has it and the older one has not; otherwise the reverse.
    pub added: bool,
    /// The entry.
    pub entry: String,
}

/// What a newer list has that an older one has not, and the reverse, in their order.
pub fn compare(older: Option<&Data>, newer: Option<&Data>) -> Result<Vec<Line>, LookError> {
    let Some(kind) = older.or(newer).map(|data| data.kind) else { return Ok(Vec::new()) };
    let lines = if kind == Kind::AsList {
        let read = |data: Option<&Data>| data.map_or(Ok(Vec::new()), |data| unpack_asns(&data.data));
        let changes = pm_irr::changes(read(older)?, read(newer)?);
        changes.map(|change| line(kind, change, |asn| format!("AS{asn}"))).collect()
    } else {
        let empty = Data { kind, data: lists::empty_prefixes(kind) };
        let older = PackedList::new(&older.unwrap_or(&empty).data)?;
        let newer = PackedList::new(&newer.unwrap_or(&empty).data)?;
        let changes = pm_irr::changes(older.iter(), newer.iter());
        changes.map(|change| line(kind, change, |entry| entry.to_string())).collect()
    };
    Ok(lines)
}

fn line<T>(kind: Kind, change: pm_irr::Change<T>, name: impl FnOnce(T) -> String) -> Line {
    let (added, item) = match change {
        pm_irr::Change::Added(item) => (true, item),
        pm_irr::Change::Removed(item) => (false, item),
    };
    Line { list: kind.as_str(), added, entry: name(item) }
}

/// An autonomous system that lists a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// AS number.
    pub asn: i64,
    /// Its name.
    pub name: String,
    /// The entry that permits the route.
    pub entry: String,
}

/// Which autonomous systems' current lists permit the route, by AS number.
pub async fn who(store: &Store, route: Prefix) -> Result<Vec<Listing>, LookError> {
    let mut found = Vec::new();
    let mut corrupt = None;
    let mut connection = store.connection().await?;
    let blocks = lists::blocks_of(route);
    irr::each_listing(&mut connection.session(), &blocks, |data, users| match PackedList::new(&data) {
        Ok(list) => {
            if let Some(entry) = list.permits(route) {
                found.extend(users.iter().map(|(asn, name)| listing(*asn, name, entry)));
            }
        }
        Err(error) => corrupt = Some(error),
    })
    .await?;
    if let Some(error) = corrupt {
        return Err(error.into());
    }
    found.sort_by_key(|listing| listing.asn);
    Ok(found)
}

fn listing(asn: i64, name: &str, entry: Entry) -> Listing {
    Listing { asn, name: name.to_owned(), entry: entry.to_string() }
}

/// A list that is held back.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// AS number.
    pub asn: i64,
    /// Its name.
    pub name: String,
    /// Where the list stands.
    pub state: State,
}

/// Every list that is held back, by AS number.
pub async fn review(store: &Store) -> Result<Vec<Waiting>, LookError> {
    let mut transaction = store.begin_reading().await?;
    let mut session = transaction.session();
    let systems = autonomous_system::all(&mut session).await?;
    let held = irr::held_back(&mut session).await?;
    let mut states = irr::states(&mut session, &held).await?;
    transaction.rollback().await?;
    let mut waiting = Vec::new();
    for system in systems {
        for state in states.remove(&system.id).unwrap_or_default() {
            if state.held.is_some() {
                waiting.push(Waiting { asn: system.asn, name: system.name.clone(), state });
            }
        }
    }
    Ok(waiting)
}
