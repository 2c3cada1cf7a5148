//! An autonomous system's prefixes and contacts, and where its fields differ from `PeeringDB`.

use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::peering::peeringdb_network;
use crate::value::{Key, Value};
use crate::world::Row;

use super::peeringdb::peeringdb_contacts;

pub(super) fn prefixes(cx: &Cx, row: Row, family: Option<i128>, missing: Option<&Value>) -> Res<Value> {
    let allowing = match missing.map(|word| cx.text(word)).transpose()?.as_deref() {
        None => None,
        Some("error") => Some(false),
        Some("empty") => Some(true),
        Some(other) => {
            return Err(Fault::value(format!("missing=\"{other}\" is neither \"error\" nor \"empty\"")));
        }
    };
    let both = if let Some(lists) = cx.prefix_lists(row, allowing)? {
        lists
    } else {
        let pairs = ["ipv6", "ipv4"].map(|key| (Key::str(key), Value::list(Vec::new())));
        Value::dict(pairs.into_iter().collect())
    };
    let key = match family {
        Some(6) => "ipv6",
        Some(4) => "ipv4",
        _ => return Ok(both),
    };
    Ok(match &both {
        Value::Dict(items) => {
            items.borrow().get(&Key::str(key)).cloned().unwrap_or_else(|| Value::list(Vec::new()))
        }
        _ => both,
    })
}

pub(super) fn contact_addresses(cx: &Cx, row: Row) -> Value {
    let world = &cx.world;
    let mut known: Vec<String> = Vec::new();
    let mut out = Vec::new();
    let mut push = |email: &str, name: &str, known: &mut Vec<String>| {
        let label = if name.is_empty() { email.to_owned() } else { format!("{name} - {email}") };
        out.push(Value::Tuple([Value::str(email), Value::str(&label)].into()));
        known.push(email.to_owned());
    };
    let model = world.index("messaging.contactassignment");
    for index in world.hanging("messaging.contactassignment", row) {
        if let Some(contact) = world.target(Row { model, index: *index }, "contact") {
            let email = world.text(contact, "email");
            if !email.is_empty() {
                push(email, world.text(contact, "name"), &mut known);
            }
        }
    }
    let set = peeringdb_contacts(cx, row);
    for index in set.rows.iter() {
        let email = world.text(set.row(*index), "email");
        if !email.is_empty() && !known.iter().any(|one| one == email) {
            push(email, world.text(set.row(*index), "name"), &mut known);
        }
    }
    Value::list(out)
}

pub(super) fn divergence(cx: &Cx, row: Row) -> Res<Value> {
    let Some(network) = peeringdb_network(&cx.world, row) else { return Ok(Value::list(Vec::new())) };
    let fields = [
        ("Name", "name", "name"),
        ("IRR AS-SET", "irr_as_set", "irr_as_set"),
        ("IPv6 Max Prefix", "ipv6_max_prefixes", "info_prefixes6"),
        ("IPv4 Max Prefix", "ipv4_max_prefixes", "info_prefixes4"),
    ];
    let mut out = Vec::new();
    for (label, local, remote) in fields {
        let (ours, theirs) = (cx.stored_by_name(row, local)?, cx.stored_by_name(network, remote)?);
        if !cx.equal(&ours, &theirs)? {
            let pairs = [
                ("label", Value::str(label)),
                ("local_key", Value::str(local)),
                ("peeringdb_key", Value::str(remote)),
                ("local_value", ours),
                ("peeringdb_value", theirs),
            ];
            out.push(Value::dict(pairs.into_iter().map(|(key, value)| (Key::str(key), value)).collect()));
        }
    }
    Ok(Value::list(out))
}
