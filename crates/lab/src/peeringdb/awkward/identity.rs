//! What identifies a row moves to another row: names, AS numbers, prefixes, addresses.
//!
//! `old_first` and `new_first` say which of the two changes has the earlier `updated`, and comes first in the feed.

use serde_json::{Value, json};

use super::super::advance::Period;
use super::super::namespace::Namespace::{self, Fac, Ixlan, Ixpfx, Net, Netfac, Netixlan};

/// Two networks exchange their names, in the same second.
pub(super) fn nets_exchange_names(period: &mut Period<'_>) -> Option<()> {
    let nets = [period.any(Net)?, period.any(Net)?];
    rotate(period, Net, &nets, "name")
}

/// Three networks pass their AS numbers around, in the same second.
pub(super) fn nets_rotate_asns(period: &mut Period<'_>) -> Option<()> {
    let nets = [period.any(Net)?, period.any(Net)?, period.any(Net)?];
    rotate(period, Net, &nets, "asn")
}

/// Gives every row the next one's value.
fn rotate(period: &mut Period<'_>, namespace: Namespace, ids: &[u64], field: &str) -> Option<()> {
    let values: Vec<Value> = ids.iter().map(|id| period.value(namespace, *id, field)).collect();
    for (index, id) in ids.iter().enumerate() {
        period.edit(namespace, *id, json!({ (field): values[(index + 1) % values.len()] }))?;
    }
    Some(())
}

/// Which of two changes comes first.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Old,
    New,
}

/// Deletes a row with what hangs on it, and creates its successor, in the order given.
fn succeed(period: &mut Period<'_>, namespace: Namespace, old: u64, new: Value, first: First) -> Option<()> {
    if first == First::Old {
        period.delete_tree(namespace, old);
        period.tick();
        period.create(namespace, new)?;
    } else {
        period.create(namespace, new)?;
        period.tick();
        period.delete_tree(namespace, old);
    }
    Some(())
}

/// A network is deleted, and another with its AS number and name is created.
pub(super) fn asn_reused_old_first(period: &mut Period<'_>) -> Option<()> {
    asn_reused(period, First::Old)
}

/// As `asn_reused_old_first`, with the new network first.
pub(super) fn asn_reused_new_first(period: &mut Period<'_>) -> Option<()> {
    asn_reused(period, First::New)
}

fn asn_reused(period: &mut Period<'_>, first: First) -> Option<()> {
    let old = period.any(Net)?;
    let new = copy(period, Net, old, &["org_id", "org_name", "asn", "name"]);
    succeed(period, Net, old, new, first)
}

/// The given fields of a row, as a patch.
fn copy(period: &Period<'_>, namespace: Namespace, id: u64, fields: &[&str]) -> Value {
    let mut patch = json!({});
    for field in fields {
        patch[*field] = period.value(namespace, id, field);
    }
    patch
}

/// A prefix changes its LAN and keeps its id.
pub(super) fn prefix_moved_by_edit(period: &mut Period<'_>) -> Option<()> {
    let (prefix, ixlan) = (v6_prefix(period)?, period.any(Ixlan)?);
    period.edit(Ixpfx, prefix, json!({ "ixlan_id": ixlan }))
}

/// A prefix is deleted and created again at another LAN.
pub(super) fn prefix_moved_old_first(period: &mut Period<'_>) -> Option<()> {
    prefix_moved(period, First::Old)
}

/// As `prefix_moved_old_first`, with the new row first.
pub(super) fn prefix_moved_new_first(period: &mut Period<'_>) -> Option<()> {
    prefix_moved(period, First::New)
}

fn prefix_moved(period: &mut Period<'_>, first: First) -> Option<()> {
    let (old, ixlan) = (v6_prefix(period)?, period.any(Ixlan)?);
    let mut new = copy(period, Ixpfx, old, &["protocol", "prefix", "in_dfz"]);
    new["ixlan_id"] = json!(ixlan);
    succeed(period, Ixpfx, old, new, first)
}

/// Two prefixes of the same protocol exchange their values and keep their ids.
pub(super) fn prefixes_exchanged(period: &mut Period<'_>) -> Option<()> {
    let prefixes = [v6_prefix(period)?, v6_prefix(period)?];
    rotate(period, Ixpfx, &prefixes, "prefix")
}

fn v6_prefix(period: &mut Period<'_>) -> Option<u64> {
    period.pick(Ixpfx, |_, prefix| prefix.text.contains("\"IPv6\"") && prefix.text.contains("::/"))
}

/// A presence at a facility is deleted and created again under a new id.
pub(super) fn netfac_recreated_old_first(period: &mut Period<'_>) -> Option<()> {
    netfac_recreated(period, First::Old)
}

/// As `netfac_recreated_old_first`, with the new row first.
pub(super) fn netfac_recreated_new_first(period: &mut Period<'_>) -> Option<()> {
    netfac_recreated(period, First::New)
}

fn netfac_recreated(period: &mut Period<'_>, first: First) -> Option<()> {
    let old = period.pick(Netfac, |world, netfac| {
        world.is_live(Net, netfac.links[0]) && world.is_live(Fac, netfac.links[1])
    })?;
    let new = copy(period, Netfac, old, &["net_id", "fac_id", "local_asn", "name", "city", "country"]);
    succeed(period, Netfac, old, new, first)
}

/// Two connections to the same LAN exchange their addresses, in the same second.
pub(super) fn addresses_exchanged(period: &mut Period<'_>) -> Option<()> {
    let one = connection(period)?;
    let ixlan = period.world.record(Netixlan, one)?.links[1];
    let two = period.pick(Netixlan, |_, record| record.links[1] == ixlan)?;
    let of_one = copy(period, Netixlan, one, &["ipaddr4", "ipaddr6"]);
    let of_two = copy(period, Netixlan, two, &["ipaddr4", "ipaddr6"]);
    period.edit(Netixlan, one, of_two)?;
    period.edit(Netixlan, two, of_one)
}

/// A connection is deleted, and another network gets its addresses.
pub(super) fn address_moved_old_first(period: &mut Period<'_>) -> Option<()> {
    address_moved(period, First::Old)
}

/// As `address_moved_old_first`, with the new row first.
pub(super) fn address_moved_new_first(period: &mut Period<'_>) -> Option<()> {
    address_moved(period, First::New)
}

fn address_moved(period: &mut Period<'_>, first: First) -> Option<()> {
    let (old, net) = (connection(period)?, period.any(Net)?);
    let mut new = copy(period, Netixlan, old, &["ix_id", "ixlan_id", "name", "ipaddr4", "ipaddr6"]);
    new["net_id"] = json!(net);
    new["asn"] = json!(period.world.record(Net, net)?.asn);
    new["notes"] = json!("");
    succeed(period, Netixlan, old, new, first)
}

/// A connection with both addresses, to a LAN with others on it.
fn connection(period: &mut Period<'_>) -> Option<u64> {
    period.pick(Netixlan, |world, record| {
        !record.text.contains("\"ipaddr4\": null")
            && !record.text.contains("\"ipaddr6\": null")
            && world.live_records(Netixlan).filter(|other| other.links[1] == record.links[1]).nth(1).is_some()
    })
}
