//! Rows that go, come back, or wait.

use serde_json::json;

use super::super::advance::Period;
use super::super::namespace::Namespace::{
    self, Campus, Carrierfac, Fac, Ix, Ixlan, Ixpfx, Net, Netfac, Netixlan, Org, Poc,
};
use super::super::record::{Status, Visibility};

/// An organisation is merged into another: it is deleted, its networks, facilities and exchanges move, and what hangs
/// on those stays as it is.
pub(super) fn org_merged(period: &mut Period<'_>) -> Option<()> {
    let from = period.pick(Org, |world, org| {
        world.children(Net, Org, org.id).first().is_some_and(|net| {
            [Netixlan, Netfac, Poc].iter().any(|of| !world.children(*of, Net, *net).is_empty())
        })
    })?;
    let into = period.any(Org)?;
    let name = period.text(Org, into, "name");
    for namespace in Namespace::ALL.into_iter().filter(|namespace| namespace.link("org_id") == Some(0)) {
        for id in period.world.children(namespace, Org, from) {
            period.edit(namespace, id, json!({ "org_id": into, "org_name": name }))?;
        }
    }
    period.tick();
    period.delete(Org, from)
}

/// An exchange is deleted with its LAN, prefixes, facilities and members.
pub(super) fn ix_deleted(period: &mut Period<'_>) -> Option<()> {
    let ix = ix_with_members(period)?;
    period.delete_tree(Ix, ix);
    Some(())
}

/// As `ix_deleted`, and nothing newer happens in any of these namespaces.
pub(super) fn ix_deletion_is_newest(period: &mut Period<'_>) -> Option<()> {
    let ix = ix_with_members(period)?;
    period.jump_to_end();
    period.delete_tree(Ix, ix);
    Some(())
}

fn ix_with_members(period: &mut Period<'_>) -> Option<u64> {
    period.pick(Ix, |world, ix| {
        let lans = world.children(Ixlan, Ix, ix.id);
        lans.iter().any(|lan| {
            let members = world.children(Netixlan, Ixlan, *lan);
            !members.is_empty() && members.len() < 200 && !world.children(Ixpfx, Ixlan, *lan).is_empty()
        })
    })
}

/// The newest change of a namespace is a deletion: of connections, presences, contacts and carriers at facilities.
pub(super) fn deletion_is_newest(period: &mut Period<'_>) -> Option<()> {
    period.jump_to_end();
    for namespace in [Netixlan, Netfac, Carrierfac] {
        let id = period.any(namespace)?;
        period.delete(namespace, id)?;
    }
    let poc = visible_poc(period)?;
    period.delete(Poc, poc)
}

fn visible_poc(period: &mut Period<'_>) -> Option<u64> {
    period.pick(Poc, |_, poc| poc.visibility == Visibility::Public)
}

/// Rows appear and are deleted before anyone has seen them: a network, a connection whose addresses were taken by
/// another already, a contact.
pub(super) fn unseen_row_deleted(period: &mut Period<'_>) -> Option<()> {
    let (parent, ixlan) = (period.any(Net)?, period.lan()?);
    let net = period.create_net()?;
    let connection = period.create_netixlan(parent, ixlan)?;
    let poc = period.create_poc(parent)?;
    period.tick();
    period.edit(Netixlan, connection, json!({ "ipaddr4": null, "ipaddr6": null }))?;
    period.tick();
    period.delete(Net, net)?;
    period.delete(Netixlan, connection)?;
    period.delete(Poc, poc)
}

/// A network is deleted, but its contacts and presences at facilities stay `ok`, and it even gets a new connection.
pub(super) fn net_deleted_children_ok(period: &mut Period<'_>) -> Option<()> {
    let net = period.pick(Net, |world, net| {
        !world.children(Poc, Net, net.id).is_empty() && !world.children(Netfac, Net, net.id).is_empty()
    })?;
    let ixlan = period.lan()?;
    period.delete(Net, net)?;
    period.tick();
    period.create_netixlan(net, ixlan)?;
    Some(())
}

/// A row that was deleted earlier lives again. Without an earlier tombstone, one is deleted and comes back at once.
pub(super) fn row_undeleted(period: &mut Period<'_>) -> Option<()> {
    let before = period.from().timestamp();
    let world = &period.world;
    let tombstone = [Netfac, Netixlan].into_iter().find_map(|namespace| {
        let gone = world.table(namespace).values().find(|record| {
            record.status == Status::Deleted
                && record.updated <= before
                && namespace.links().iter().zip(record.links).all(|((_, to), id)| world.is_live(*to, id))
        })?;
        Some((namespace, gone.id))
    });
    let (namespace, id) = if let Some(found) = tombstone {
        found
    } else {
        let netfac = period.any(Netfac)?;
        period.delete(Netfac, netfac)?;
        period.tick();
        (Netfac, netfac)
    };
    period.edit(namespace, id, json!({ "status": "ok" }))
}

/// A campus loses a facility and with it its approval: it is `pending`, listed with `since` only, while the other
/// facility still names it.
pub(super) fn campus_pending(period: &mut Period<'_>) -> Option<()> {
    let campus = period.pick(Campus, |world, campus| {
        world.live_records(Fac).filter(|fac| fac.links[1] == campus.id).count() >= 2
    })?;
    let fac = period.world.live_records(Fac).find(|fac| fac.links[1] == campus).map(|fac| fac.id)?;
    period.edit(Fac, fac, json!({ "campus_id": null }))?;
    period.edit(Campus, campus, json!({ "status": "pending" }))
}

/// A facility names a campus that no answer has ever listed.
pub(super) fn fac_in_unlisted_campus(period: &mut Period<'_>) -> Option<()> {
    let fac = period.any(Fac)?;
    let campus = period.world.take_id(Campus);
    period.edit(Fac, fac, json!({ "campus_id": campus, "notes": "Part of a campus to be" }))
}
