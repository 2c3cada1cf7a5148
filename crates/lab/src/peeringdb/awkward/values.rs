//! Values that surprise: some are valid and rare, some break what the API documents.

use serde_json::{Value, json};

use super::super::advance::Period;
use super::super::namespace::Namespace::{self, Fac, Ix, Ixlan, Ixpfx, Net, Netixlan, Org, Poc};
use super::super::record::{Record, Visibility};
use super::super::world::World;

/// Edits any row of the namespace.
fn edit_any(period: &mut Period<'_>, namespace: Namespace, patch: Value) -> Option<()> {
    let id = period.any(namespace)?;
    period.edit(namespace, id, patch)
}

fn has_both_addresses(_: &World, record: &Record) -> bool {
    !record.text.contains("\"ipaddr4\": null") && !record.text.contains("\"ipaddr6\": null")
}

/// A connection loses its IPv4 address.
pub(super) fn ipaddr4_null(period: &mut Period<'_>) -> Option<()> {
    let id = period.pick(Netixlan, has_both_addresses)?;
    period.edit(Netixlan, id, json!({ "ipaddr4": null }))
}

/// A connection loses both addresses, as one whose addresses were claimed by another.
pub(super) fn both_addresses_null(period: &mut Period<'_>) -> Option<()> {
    let id = period.pick(Netixlan, has_both_addresses)?;
    let notes = "Ip address None was claimed by other netixlan";
    period.edit(Netixlan, id, json!({ "ipaddr4": null, "ipaddr6": null, "notes": notes }))
}

/// A connection states at which facility the network's side of the cable is.
pub(super) fn net_side_set(period: &mut Period<'_>) -> Option<()> {
    let fac = period.any(Fac)?;
    edit_any(period, Netixlan, json!({ "net_side_id": fac }))
}

/// A connection states at which facility the exchange's side of the cable is.
pub(super) fn ix_side_set(period: &mut Period<'_>) -> Option<()> {
    let fac = period.any(Fac)?;
    edit_any(period, Netixlan, json!({ "ix_side_id": fac }))
}

/// A connection gets another speed and a facility that no answer has listed.
pub(super) fn ix_side_absent(period: &mut Period<'_>) -> Option<()> {
    let fac = period.world.take_id(Fac);
    edit_any(period, Netixlan, json!({ "ix_side_id": fac, "speed": 123_000 }))
}

/// A public contact becomes visible to users only: without a key it just stops coming.
pub(super) fn contact_hidden(period: &mut Period<'_>) -> Option<()> {
    let id = period.pick(Poc, |_, poc| poc.visibility == Visibility::Public)?;
    period.edit(Poc, id, json!({ "visible": "Users" }))
}

/// Enumerations get values that did not exist before, together with an ordinary change.
pub(super) fn new_enum_values(period: &mut Period<'_>) -> Option<()> {
    edit_any(
        period,
        Net,
        json!({ "info_type": "Satellite", "info_types": ["Satellite"], "info_prefixes4": 1_234 }),
    )?;
    edit_any(period, Net, json!({ "info_traffic": "200+Tbps", "policy_general": "By Appointment" }))?;
    edit_any(
        period,
        Fac,
        json!({ "region_continent": "Antarctica", "available_voltage_services": ["800 VDC"] }),
    )?;
    edit_any(period, Ix, json!({ "media": "Fibre Channel", "service_level": "Whenever" }))?;
    edit_any(period, Poc, json!({ "role": "Security" }))
}

/// The name of an exchange has 90 characters, where 64 were enough for long.
pub(super) fn ix_name_of_90(period: &mut Period<'_>) -> Option<()> {
    let name = format!("{:x<90}", period.world.fresh_name().chars().take(80).collect::<String>());
    edit_any(period, Ix, json!({ "name": name }))
}

/// A coordinate has seven decimals, where six are documented.
pub(super) fn seven_decimals(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Fac, json!({ "latitude": 52.123_456_7, "longitude": 4.765_432_1 }))
}

/// A website has no scheme.
pub(super) fn website_without_scheme(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Net, json!({ "website": "www.no-scheme.example", "notes": "moved" }))
}

/// An e-mail address is none.
pub(super) fn bad_email(period: &mut Period<'_>) -> Option<()> {
    let id = period.pick(Poc, |_, poc| poc.visibility == Visibility::Public)?;
    period.edit(Poc, id, json!({ "email": "noc at example dot net", "phone": "+4930555" }))
}

/// Notes of 828,000 characters, a part of them not ASCII.
pub(super) fn huge_notes(period: &mut Period<'_>) -> Option<()> {
    edit_any(
        period,
        Net,
        json!({ "notes": "Peering ist schön. ✓\n".chars().cycle().take(828_000).collect::<String>() }),
    )
}

/// A text holds the character NUL, which JSON can say and PostgreSQL cannot store.
pub(super) fn nul_in_text(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Org, json!({ "notes": "before\u{0}after" }))?;
    edit_any(period, Net, json!({ "aka": "nul\u{0}", "info_prefixes6": 77 }))
}

/// Numbers beyond what a 32-bit column holds, and an AS number beyond what there is.
pub(super) fn number_out_of_range(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Netixlan, json!({ "speed": 99_999_999_999_u64 }))?;
    edit_any(period, Net, json!({ "info_prefixes4": 18_446_744_073_709_551_615_u64 }))?;
    edit_any(period, Ixlan, json!({ "rs_asn": 4_294_967_296_u64 }))
}

/// Numbers below zero.
pub(super) fn negative_number(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Net, json!({ "info_prefixes6": -1 }))?;
    edit_any(period, Netixlan, json!({ "speed": -10_000 }))
}

/// A name is null.
pub(super) fn name_null(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Net, json!({ "name": null }))
}

/// An IPv6 address stands where an IPv4 one belongs.
pub(super) fn ipv6_in_ipaddr4(period: &mut Period<'_>) -> Option<()> {
    let id = period.pick(Netixlan, has_both_addresses)?;
    let address = period.value(Netixlan, id, "ipaddr6");
    period.edit(Netixlan, id, json!({ "ipaddr4": address }))
}

/// Prefixes with host bits, without a length, and that are none.
pub(super) fn bad_prefix(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Ixpfx, json!({ "protocol": "IPv4", "prefix": "185.255.0.1/24" }))?;
    edit_any(period, Ixpfx, json!({ "protocol": "IPv4", "prefix": "185.255.1.0" }))?;
    edit_any(period, Ixpfx, json!({ "protocol": "IPv6", "prefix": "2001:7f8:zz::/64" }))
}

/// A word stands for a truth value.
pub(super) fn yes_for_boolean(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Netixlan, json!({ "is_rs_peer": "yes" }))
}

/// A LAN has an MTU that is neither 1500 nor 9000.
pub(super) fn mtu_1492(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Ixlan, json!({ "mtu": 1492 }))
}

/// A row has a field that no one knows.
pub(super) fn unknown_field(period: &mut Period<'_>) -> Option<()> {
    edit_any(
        period,
        Fac,
        json!({ "cooling": { "kind": "immersion", "loops": [1, 2] }, "notes": "new cooling" }),
    )
}

/// Numbers stand where texts belong.
pub(super) fn number_for_text(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Org, json!({ "zipcode": 10_115 }))?;
    edit_any(period, Net, json!({ "irr_as_set": 64_500 }))
}

/// Texts stand where numbers belong.
pub(super) fn text_for_number(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Netixlan, json!({ "speed": "10G" }))?;
    edit_any(period, Fac, json!({ "latitude": "52.5" }))
}

/// A list stands where a text belongs, and a text where a list does.
pub(super) fn list_for_text(period: &mut Period<'_>) -> Option<()> {
    edit_any(period, Net, json!({ "website": ["https://www.list.example"] }))?;
    edit_any(period, Net, json!({ "info_types": "NSP" }))
}
