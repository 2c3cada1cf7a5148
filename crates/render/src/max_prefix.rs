//! The filter `max_prefix`: how many prefixes a router accepts of a peer.

use std::net::IpAddr;

use crate::context::Cx;
use crate::environment::MaxPrefix;
use crate::error::Res;
use crate::peering::is_private;
use crate::value::Value;
use crate::world::Row;

/// The limit for a peer's session at this address.
///
/// What a peer says of itself at `PeeringDB` may be the exact number that it announces today, nothing at all, or far more than
/// a router can hold. What a person has set is taken as it is.
pub(crate) fn of(cx: &Cx, peer: Row, address: IpAddr) -> Res<Value> {
    let (field, synchronised, family, which) = if address.is_ipv4() {
        ("ipv4_max_prefixes", "ipv4_max_prefixes_peeringdb_sync", "IPv4", 0)
    } else {
        ("ipv6_max_prefixes", "ipv6_max_prefixes_peeringdb_sync", "IPv6", 1)
    };
    let value = cx.stored_by_name(peer, field)?;
    let MaxPrefix::Guarded { headroom, percent, ceilings } = cx.settings.max_prefix else { return Ok(value) };
    let ceiling = ceilings[which];
    let named = match value {
        Value::Int(number) => i64::try_from(number).unwrap_or(i64::MAX),
        _ => 0,
    };
    if named <= 0 {
        let who = cx.display(peer)?;
        cx.warn(format!("{who} has no limit of {family} prefixes, and {ceiling} is used"));
        return Ok(Value::Int(ceiling.into()));
    }
    if !from_peeringdb(cx, peer, synchronised) {
        return Ok(value);
    }
    let limit = with_headroom(named, headroom, percent);
    if limit > ceiling.into() {
        let who = cx.display(peer)?;
        cx.warn(format!("{who} asks for {named} {family} prefixes, and the ceiling of {ceiling} is used"));
    }
    Ok(Value::Int(limit.min(ceiling.into()).into()))
}

/// Whether the limit is the peer's own word. A synchronisation never changes what it knows nothing of, and it knows no AS
/// number for private use.
fn from_peeringdb(cx: &Cx, peer: Row, synchronised: &str) -> bool {
    cx.world.flag(peer, synchronised) && !is_private(cx.world.int(peer, "asn").unwrap_or(0))
}

/// The sum, plus the percentage of it, rounded up.
fn with_headroom(named: i64, headroom: u32, percent: u32) -> i64 {
    let sum = named.saturating_add(headroom.into());
    sum.saturating_add(sum.saturating_mul(percent.into()).saturating_add(99) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headroom_is_rounded_up_and_never_overflows() {
        assert_eq!(with_headroom(1, 100, 15), 117);
        assert_eq!(with_headroom(1_000, 0, 0), 1_000);
        assert_eq!(with_headroom(1, 0, 1), 2);
        assert!(with_headroom(i64::MAX, u32::MAX, u32::MAX) > 0);
    }
}
