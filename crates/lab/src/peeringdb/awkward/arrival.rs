//! Rows that come before what they refer to, or in a second that was looked at already.

use serde_json::json;

use super::super::advance::Period;
use super::super::namespace::Namespace::{Net, Netixlan, Org};
use super::super::record::timestamp;

/// A connection appears in the very second of the newest one known before: committed after that second was read.
/// An answer to `since` with that second, which compares strictly, never has it.
pub(super) fn same_second_as_newest(period: &mut Period<'_>) -> Option<()> {
    let newest = timestamp(period.newest_connection()?);
    let (net, ixlan) = (period.any(Net)?, period.lan()?);
    let asn = period.world.record(Net, net)?.asn;
    let mut patch = period.netixlan_patch(net, asn, ixlan)?;
    patch["created"] = newest.clone();
    patch["updated"] = newest;
    period.create(Netixlan, patch)?;
    Some(())
}

/// A network of an organisation that arrives with the next advance only.
pub(super) fn net_of_absent_org(period: &mut Period<'_>) -> Option<()> {
    let (name, asn) = (period.world.fresh_name(), period.world.fresh_asn());
    let at = period.at();
    let org = period.world.draft(Org, &json!({ "name": name }), at)?;
    let patch = json!({ "org_id": org.number("id"), "org_name": name, "name": name, "asn": asn });
    period.world.withhold(Org, org);
    period.create(Net, patch)?;
    Some(())
}

/// A connection of a network that arrives with the next advance only.
pub(super) fn netixlan_of_absent_net(period: &mut Period<'_>) -> Option<()> {
    let ixlan = period.lan()?;
    let (net, asn) = absent_net(period)?;
    let patch = period.netixlan_patch(net, asn, ixlan)?;
    period.create(Netixlan, patch)?;
    Some(())
}

/// A contact of a network that arrives with the next advance only.
pub(super) fn poc_of_absent_net(period: &mut Period<'_>) -> Option<()> {
    let (net, _) = absent_net(period)?;
    period.create_poc(net)?;
    Some(())
}

/// The id and AS number of a network that is not published yet.
fn absent_net(period: &mut Period<'_>) -> Option<(u64, u64)> {
    let org = period.any(Org)?;
    let (name, asn) = (period.world.fresh_name(), period.world.fresh_asn());
    let org_name = period.text(Org, org, "name");
    let patch = json!({ "org_id": org, "org_name": org_name, "name": name, "asn": asn });
    let at = period.at();
    let net = period.world.draft(Net, &patch, at)?;
    let id = net.number("id");
    period.world.withhold(Net, net);
    Some((id, asn))
}

/// A connection and a contact whose `updated` lies before that of their network, and this one's before that of its
/// organisation, as after an approval.
pub(super) fn children_before_parents(period: &mut Period<'_>) -> Option<()> {
    let ixlan = period.lan()?;
    let net = period.create_net()?;
    let org = period.world.record(Net, net)?.links[0];
    period.create_netixlan(net, ixlan)?;
    period.create_netfac(net)?;
    period.create_poc(net)?;
    period.tick();
    period.edit(Net, net, json!({}))?;
    period.tick();
    period.edit(Org, org, json!({}))?;
    Some(())
}
