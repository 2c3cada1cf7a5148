//! Which rows answer, and what the caller may see of them.

use super::namespace::Namespace;
use super::record::{Record, Status, Visibility};
use super::world::{Caller, World};

/// The live rows, by id.
pub(crate) fn live(world: &World, namespace: Namespace, caller: Caller) -> Vec<Record> {
    world.live_records(namespace).filter_map(|record| seen_by(namespace, record, caller)).collect()
}

/// The rows changed after `since`, by time of change and then by id.
pub(crate) fn changed(world: &World, namespace: Namespace, since: i64, caller: Caller) -> Vec<Record> {
    changed_records(world, namespace, since).filter_map(|record| seen_by(namespace, record, caller)).collect()
}

/// As [`changed`], before anything is hidden. The comparison is strict: a row of the very second is not sent again.
pub(crate) fn changed_records(
    world: &World,
    namespace: Namespace,
    since: i64,
) -> impl Iterator<Item = &Record> {
    let mut records: Vec<&Record> = world
        .table(namespace)
        .values()
        .filter(|record| record.created > since || record.updated > since)
        // A campus waits for its second facility as pending, and facilities may name it meanwhile.
        .filter(|record| record.status != Status::Pending || namespace == Namespace::Campus)
        .collect();
    records.sort_by_key(|record| (record.updated, record.id));
    records.into_iter()
}

/// The row as the caller sees it, if at all.
pub(crate) fn seen_by(namespace: Namespace, record: &Record, caller: Caller) -> Option<Record> {
    let visible = match record.visibility {
        Visibility::Public => true,
        Visibility::Users => caller == Caller::Keyed,
        Visibility::Private => false,
    };
    match namespace {
        Namespace::Poc if !visible => None,
        Namespace::Ixlan if !visible => {
            let mut fields = record.fields();
            fields.remove("ixf_ixp_member_list_url");
            Some(Record { text: fields.to_json().into(), ..record.clone() })
        }
        _ => Some(record.clone()),
    }
}
