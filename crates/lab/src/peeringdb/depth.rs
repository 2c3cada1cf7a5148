//! `depth`: parents and sets of children inside an object, as ids or as objects.

use serde_json::{Value, json};

use super::fields::Fields;
use super::namespace::Namespace::{
    self, Campus, Carrier, Carrierfac, Fac, Ix, Ixfac, Ixlan, Ixpfx, Net, Netfac, Netixlan, Org, Poc,
};
use super::record::Record;
use super::select::seen_by;
use super::world::{Caller, World};

/// A list with depth has this many rows at most.
pub(crate) const ROW_LIMIT: usize = 250;

/// The sets of a type: name, type of the members, and the type of the rows between if there are any.
const fn sets(namespace: Namespace) -> &'static [(&'static str, Namespace, Option<Namespace>)] {
    match namespace {
        Org => &[
            ("net_set", Net, None),
            ("fac_set", Fac, None),
            ("ix_set", Ix, None),
            ("carrier_set", Carrier, None),
            ("campus_set", Campus, None),
        ],
        Campus => &[("fac_set", Fac, None)],
        Carrier => &[("carrierfac_set", Carrierfac, None)],
        Net => &[("netfac_set", Netfac, None), ("netixlan_set", Netixlan, None), ("poc_set", Poc, None)],
        Ix => &[("ixlan_set", Ixlan, None), ("fac_set", Fac, Some(Ixfac))],
        Ixlan => &[("net_set", Net, Some(Netixlan)), ("ixpfx_set", Ixpfx, None)],
        Fac | Carrierfac | Ixfac | Ixpfx | Netfac | Netixlan | Poc => &[],
    }
}

/// The object with its sets: as ids at depth 1, as objects from 2 on, which have sets of their own from 3 on.
pub(crate) fn with_sets(
    world: &World,
    namespace: Namespace,
    record: &Record,
    depth: usize,
    caller: Caller,
) -> Fields {
    let mut fields = record.fields();
    if depth == 0 {
        return fields;
    }
    for (name, members, through) in sets(namespace) {
        let mut ids = world.children(through.unwrap_or(*members), namespace, record.id);
        if let Some(through) = through {
            ids = ids.into_iter().filter_map(|id| other_end(world, *through, *members, id)).collect();
            ids.sort_unstable();
            ids.dedup();
        }
        let seen = ids.iter().filter_map(|id| seen_by(*members, world.record(*members, *id)?, caller));
        let set: Vec<Value> = if depth == 1 {
            seen.map(|member| json!(member.id)).collect()
        } else {
            seen.map(|member| {
                let mut inner = with_sets(world, *members, &member, depth - 2, caller);
                // A member does not repeat whose it is.
                inner.remove(&format!("{namespace}_id"));
                inner.into_value()
            })
            .collect()
        };
        fields.insert_before("created", name, Value::Array(set));
    }
    fields
}

/// A single object also holds its parents, from depth 1 on.
pub(crate) fn with_parents(
    world: &World,
    namespace: Namespace,
    record: &Record,
    depth: usize,
    caller: Caller,
) -> Fields {
    let mut fields = with_sets(world, namespace, record, depth, caller);
    if depth == 0 {
        return fields;
    }
    for ((column, to), id) in namespace.links().iter().zip(record.links) {
        let parent = world.record(*to, id).and_then(|parent| seen_by(*to, parent, caller));
        // A connection names its exchange, but expands its LAN only.
        if (namespace, *to) != (Netixlan, Ix) {
            let parent = parent.map(|parent| with_sets(world, *to, &parent, depth - 1, caller).into_value());
            fields.insert_after(column, to.as_str(), parent.unwrap_or_default());
        }
    }
    fields
}

/// The row that a row between two types refers to.
fn other_end(world: &World, through: Namespace, to: Namespace, id: u64) -> Option<u64> {
    let link = through.links().iter().position(|(_, target)| *target == to)?;
    let id = world.record(through, id)?.links[link];
    world.is_live(to, id).then_some(id)
}
