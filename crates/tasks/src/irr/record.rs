//! Storing what was decided, many autonomous systems in a transaction, with their change log.

use std::collections::HashMap;

use pm_irr::{PackedList, changes, unpack_asns};
use pm_store::changes::{Action, Change, record};
use pm_store::entities::autonomous_system::{self, AutonomousSystem};
use pm_store::events::{self, EventKind, NewEvent};
use pm_store::irr::{self, Kind, NewList, Update, Verdict};
use serde_json::{Map, Value as Json, json};

use crate::{TaskContext, TaskError};

/// Entries that the change log names of what was added, and of what was removed.
const NAMED: usize = 10;

/// What was decided about one autonomous system.
pub(super) struct Decided {
    /// As it was when the run began.
    pub(super) system: AutonomousSystem,
    /// What to store.
    pub(super) update: Update,
}

/// Stores all of it in one transaction. Gives the AS numbers that were left out because somebody has edited or removed
/// them since the run began. `task` is the name of the running task.
pub(super) async fn store(
    context: &TaskContext,
    task: &str,
    decided: Vec<Decided>,
) -> Result<Vec<i64>, TaskError> {
    let old = old_lists(context, &decided).await?;
    let now = context.clock.now();
    let mut transaction = context.store.begin().await?;
    let mut session = transaction.session();
    context.hold_lock(&mut session).await?;
    let asns: Vec<i64> = decided.iter().map(|decided| decided.system.asn).collect();
    let present: HashMap<i64, AutonomousSystem> = autonomous_system::by_asns(&mut session, &asns)
        .await?
        .into_iter()
        .map(|system| (system.id, system))
        .collect();
    let (usable, edited): (Vec<_>, Vec<_>) = decided.into_iter().partition(|decided| {
        present.get(&decided.system.id).is_some_and(|system| asks_the_same(system, &decided.system))
    });
    let log: Vec<Change> = usable.iter().filter_map(|decided| change(decided, &old)).collect();
    let told: Vec<NewEvent> = usable
        .iter()
        .flat_map(|decided| newly_held(decided, task, context.job).chain(let_through(decided, context.job)))
        .collect();
    let updates: Vec<Update> = usable.into_iter().map(|decided| decided.update).collect();
    irr::apply(&mut session, &updates, context.config.irr_generations_keep, now).await?;
    record(&mut session, &context.author, &log, now).await?;
    events::add_in(&mut session, &told, now).await?;
    context.commit(transaction).await?;
    Ok(edited.into_iter().map(|decided| decided.system.asn).collect())
}

/// What to tell of lists that are held back and were not before.
fn newly_held(decided: &Decided, task: &str, job: i64) -> impl Iterator<Item = NewEvent> {
    decided.update.verdicts.iter().filter_map(move |(kind, verdict)| {
        let Verdict::Held { list, reason, .. } = verdict else { return None };
        let before = decided.update.before.iter().find(|state| state.kind == *kind);
        let held = before.and_then(|state| state.held.as_ref());
        if held.is_some_and(|held| held.list.digest == list.digest) {
            return None;
        }
        let (asn, kind) = (decided.system.asn, kind.as_str());
        Some(NewEvent {
            kind: EventKind::GuardHeld,
            subject: subject(asn, kind),
            title: format!("the {kind} list of {} is held back", decided.system.display()),
            message: format!(
                "The new list {reason}. The one that is there stays in use. `peering-manager irr review` shows what is held back, \
                 `peering-manager irr accept {asn}` accepts it."
            ),
            task: Some(task.to_owned()),
            router: None,
            job: Some(job),
            data: json!({ "asn": asn, "list": kind, "reason": reason, "entries": list.entries }),
        })
    })
}

/// That lists are in use in whose place others were held back, by whatever task.
fn let_through(decided: &Decided, job: i64) -> impl Iterator<Item = NewEvent> {
    decided.update.verdicts.iter().filter_map(move |(kind, verdict)| {
        let before = decided.update.before.iter().find(|state| state.kind == *kind);
        let is_used = matches!(verdict, Verdict::Same { .. } | Verdict::Replaced { .. });
        if !is_used || before.is_none_or(|state| state.held.is_none()) {
            return None;
        }
        let (asn, kind) = (decided.system.asn, kind.as_str());
        Some(NewEvent {
            kind: EventKind::GuardPassed,
            subject: subject(asn, kind),
            title: format!("the {kind} list of {} is in use", decided.system.display()),
            message: String::new(),
            task: None,
            router: None,
            job: Some(job),
            data: json!({ "asn": asn, "list": kind }),
        })
    })
}

/// What an event about a list is about.
fn subject(asn: i64, kind: &str) -> String {
    format!("irr AS{asn} {kind}")
}

/// Whether both would ask IRR servers the same questions.
fn asks_the_same(one: &AutonomousSystem, other: &AutonomousSystem) -> bool {
    let questions = |system: &AutonomousSystem| {
        (
            system.asn,
            system.irr_as_set.clone().unwrap_or_default(),
            system.retrieve_prefixes,
            system.retrieve_as_list,
            system.irr_sources_override.clone(),
            system.irr_ipv6_prefixes_args_override.clone(),
            system.irr_ipv4_prefixes_args_override.clone(),
        )
    };
    questions(one) == questions(other)
}

/// The octets of the lists that are about to be replaced, by number.
async fn old_lists(context: &TaskContext, decided: &[Decided]) -> Result<HashMap<i64, Vec<u8>>, TaskError> {
    let mut ids: Vec<i64> = decided
        .iter()
        .flat_map(|decided| replaced(&decided.update).filter_map(|(kind, _)| old_list(&decided.update, kind)))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut old = HashMap::with_capacity(ids.len());
    if !ids.is_empty() {
        let mut connection = context.store.connection().await?;
        irr::each_data(&mut connection.session(), &ids, |id, data| {
            old.insert(id, data);
        })
        .await?;
    }
    Ok(old)
}

fn replaced(update: &Update) -> impl Iterator<Item = (Kind, &NewList)> {
    update.verdicts.iter().filter_map(|(kind, verdict)| match verdict {
        Verdict::Replaced { list, .. } => Some((*kind, list)),
        _ => None,
    })
}

fn old_list(update: &Update, kind: Kind) -> Option<i64> {
    update.before.iter().find(|state| state.kind == kind)?.list.as_ref().map(|list| list.id)
}

/// The change-log row of an autonomous system whose lists change: numbers and the first few entries, not the lists.
fn change(decided: &Decided, old: &HashMap<i64, Vec<u8>>) -> Option<Change> {
    let (mut before, mut after) = (Map::new(), Map::new());
    for (kind, list) in replaced(&decided.update) {
        let old_data = old_list(&decided.update, kind).and_then(|id| old.get(&id));
        let difference = difference(kind, old_data.map(Vec::as_slice), &list.data);
        before.insert(kind.as_str().to_owned(), json!({ "entries": difference.before }));
        after.insert(
            kind.as_str().to_owned(),
            json!({
                "entries": list.entries,
                "added": difference.added,
                "first_added": difference.first_added,
                "removed": difference.removed,
                "first_removed": difference.first_removed,
            }),
        );
    }
    if after.is_empty() {
        return None;
    }
    Some(Change {
        action: Action::Update,
        model: AutonomousSystem::MODEL,
        object_id: decided.system.id,
        object_repr: decided.system.display(),
        before: Some(Json::from(before)),
        after: Some(Json::from(after)),
    })
}

#[derive(Default)]
struct Difference {
    before: usize,
    added: usize,
    removed: usize,
    first_added: Vec<String>,
    first_removed: Vec<String>,
}

impl Difference {
    fn count<T>(&mut self, change: pm_irr::Change<T>, name: impl FnOnce(T) -> String) {
        let (count, named, item) = match change {
            pm_irr::Change::Added(item) => (&mut self.added, &mut self.first_added, item),
            pm_irr::Change::Removed(item) => (&mut self.removed, &mut self.first_removed, item),
        };
        *count += 1;
        if named.len() < NAMED {
            named.push(name(item));
        }
    }
}

/// Compares two lists of one kind; an old list that cannot be read counts as empty.
fn difference(kind: Kind, old: Option<&[u8]>, new: &[u8]) -> Difference {
    let mut found = Difference::default();
    if kind == Kind::AsList {
        let read = |data| unpack_asns(data).unwrap_or_default();
        let old = old.map(read).unwrap_or_default();
        found.before = old.len();
        changes(old, read(new)).for_each(|change| found.count(change, |asn| format!("AS{asn}")));
        return found;
    }
    let old = old.and_then(|data| PackedList::new(data).ok());
    let Ok(new) = PackedList::new(new) else { return found };
    found.before = old.as_ref().map_or(0, PackedList::len);
    let old = old.iter().flat_map(PackedList::iter);
    changes(old, new.iter()).for_each(|change| found.count(change, |entry| entry.to_string()));
    found
}
