//! Deleted sessions, as templates see them.

use pm_render::{Data, Models, Record};
use pm_store::tombstones::{self, Tombstone};
use pm_store::{Session, StoreError};

/// Their model.
pub(super) const MODEL: &str = "peering.deletedsession";

/// What templates call them.
pub(super) const WORD: &str = "deleted_sessions";

/// Those of all routers: one statement.
pub(super) async fn read(session: &mut Session<'_>) -> Result<Vec<Record>, StoreError> {
    let Some(index) = Models::get().index(MODEL) else { return Ok(Vec::new()) };
    let fields = &Models::get().all()[usize::from(index)].fields;
    let record = |one: &Tombstone| Record {
        id: one.id.unsigned_abs(),
        values: fields.iter().map(|field| value(one, &field.name)).collect(),
    };
    Ok(tombstones::all(session).await?.iter().map(record).collect())
}

fn value(one: &Tombstone, field: &str) -> Data {
    let text = |text: &str| Data::Text(text.into());
    let optional = |found: &Option<String>| found.as_deref().map_or(Data::Null, text);
    match field {
        "created" | "updated" | "deleted_at" => Data::Time(one.deleted_at),
        "router" => Data::Reference(one.router.unsigned_abs()),
        "kind" => text(one.kind.as_str()),
        "ip_address" => Data::Ip(one.ip_address),
        "family" => Data::Int(if one.ip_address.is_ipv4() { 4 } else { 6 }),
        "remote_asn" => Data::Int(one.remote_asn),
        "remote_name" => text(&one.remote_name),
        "local_asn" => one.local_asn.map_or(Data::Null, Data::Int),
        "group_name" => optional(&one.group_name),
        "group_slug" => optional(&one.group_slug),
        "vrf" => optional(&one.vrf),
        "deleted_by" => text(&one.deleted_by),
        _ => Data::Null,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use pm_store::polls::SessionKind;

    use super::*;

    #[test]
    fn every_field_has_a_value() {
        let one = Tombstone {
            id: 1,
            router: 2,
            router_name: "edge1".to_owned(),
            kind: SessionKind::Ixp,
            ip_address: "192.0.2.1".parse().unwrap(),
            remote_asn: 64_500,
            remote_name: "Peer".to_owned(),
            local_asn: Some(64_496),
            group_name: Some("IX".to_owned()),
            group_slug: Some("ix".to_owned()),
            vrf: Some("default".to_owned()),
            deleted_at: DateTime::UNIX_EPOCH,
            deleted_by: "somebody".to_owned(),
        };
        let index = Models::get().index(MODEL).unwrap();
        for field in &Models::get().all()[usize::from(index)].fields {
            assert!(!matches!(value(&one, &field.name), Data::Null), "{}", field.name);
        }
    }
}
