//! Filters of IP addresses, of sessions and interfaces too, and of MAC addresses.

use std::cell::Cell;
use std::rc::Rc;

use crate::address::Interface;
use crate::args::Args;
use crate::context::Cx;
use crate::error::{Fault, Res};
use crate::names::DELETED_SESSION;
use crate::ops::undefined;
use crate::repr::type_name;
use crate::value::{MacForm, Value};
use crate::world::Row;

use super::{DIRECT, EXCHANGE, IXP_SESSION, class};

/// The remote address of a session of either kind, also of one that is deleted.
pub(super) fn session_address(cx: &Cx, value: &Value) -> Option<std::net::IpAddr> {
    let Value::Record(row) = value else { return None };
    if ![DIRECT, IXP_SESSION, DELETED_SESSION].contains(&class(cx, value)) {
        return None;
    }
    crate::peering::address(&cx.world, *row)
}

pub(super) fn parsed_address(cx: &Cx, value: &Value, v4: bool) -> Res<Value> {
    let fits = |address: std::net::IpAddr| address.is_ipv4() == v4;
    Ok(match value {
        Value::Address(address) if fits(*address) => value.clone(),
        Value::Interface(interface) if fits(interface.address) => value.clone(),
        Value::Int(number) => {
            let width = if v4 { u32::MAX.into() } else { u128::MAX };
            match u128::try_from(*number) {
                Ok(bits) if bits <= width => Value::Address(crate::address::from_bits(bits, v4)),
                _ => Value::None,
            }
        }
        Value::Str(text) | Value::Markup(text) => match Interface::parse(text) {
            Some(interface) if fits(interface.address) && text.contains('/') => Value::Interface(interface),
            Some(interface) if fits(interface.address) => Value::Address(interface.address),
            _ => Value::None,
        },
        Value::Network(_) => parsed_address(cx, &Value::str(&cx.text(value)?), v4)?,
        _ => Value::None,
    })
}

pub(super) fn ip(cx: &Cx, value: &Value) -> Res<Value> {
    let host = |address| Ok(Value::str(&crate::address::Host(address).to_string()));
    if let Some(address) = session_address(cx, value) {
        return host(address);
    }
    match value {
        Value::Address(address) => host(*address),
        Value::Interface(interface) => host(interface.address),
        Value::List(_) => {
            let hosts: Res<Vec<Value>> = cx.items(value)?.iter().map(|item| ip(cx, item)).collect();
            Ok(Value::list(hosts?))
        }
        Value::Int(number) => match u128::try_from(*number) {
            Ok(bits) => host(crate::address::from_bits(bits, bits <= u32::MAX.into())),
            Err(_) => Err(Fault::value(format!("{number} does not appear to be an IPv4 or IPv6 address"))),
        },
        other => {
            let text = cx.text(other)?;
            if let Some(interface) = Interface::parse(&text) {
                host(interface.address)
            } else {
                let shown = cx.repr(other)?;
                Err(Fault::value(format!("{shown} does not appear to be an IPv4 or IPv6 address")))
            }
        }
    }
}

pub(super) fn ip_version(cx: &Cx, value: &Value) -> Res<Value> {
    match session_address(cx, value) {
        Some(address) => Ok(Value::Int(crate::address::version(address).into())),
        None => Err(Fault::value("value is not a bgp session")),
    }
}

/// The bytes of a MAC address in any usual notation.
pub fn mac_bytes(text: &str) -> Option<[u8; 6]> {
    let separators = [':', '-', '.'];
    let parts: Vec<&str> = text.trim().split(separators).collect();
    let width = match parts.len() {
        1 => 12,
        2 => 6,
        3 => 4,
        6 => 2,
        _ => return None,
    };
    let mut hex = String::new();
    for part in parts {
        if part.is_empty() || part.len() > width || (width == 12 && part.len() != 12) {
            return None;
        }
        hex.push_str(&"0".repeat(width - part.len()));
        hex.push_str(part);
    }
    let mut bytes = [0; 6];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

pub(super) fn mac(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [format] = args.bind("mac", ["format"], 0, 1)?;
    let own = match value {
        Value::Record(_) => cx.attribute(value, "mac_address")?,
        _ => None,
    };
    let (bytes, shown) = match own.as_ref().unwrap_or(value) {
        Value::Mac(bytes, shown) => (*bytes, shown.clone()),
        Value::Str(text) => match mac_bytes(text) {
            Some(bytes) => (bytes, Rc::new(Cell::new(MacForm::Unix))),
            None => return Err(Fault::value("value is not a valid mac address")),
        },
        Value::Undefined(missing) => return Err(undefined(missing)),
        other => {
            let name = type_name(cx, other);
            return Err(Fault::attribute(format!("'{name}' object has no attribute 'dialect'")));
        }
    };
    let form = match format.as_ref().and_then(Value::as_str) {
        Some("cisco") => MacForm::Cisco,
        Some("bare") => MacForm::Bare,
        _ => MacForm::Unix,
    };
    // The address keeps the notation: printed later, it shows in it, in capitals.
    shown.set(form);
    Ok(Value::str(&crate::repr::mac(bytes, form).to_lowercase()))
}

pub(super) fn local_ips(cx: &Cx, value: &Value, args: Args) -> Res<Value> {
    let [family] = args.bind("local_ips", ["family"], 0, 1)?;
    let Value::Record(row) = value else { return Ok(Value::None) };
    match class(cx, value) {
        DIRECT => cx.stored_by_name(*row, "local_ip_address"),
        IXP_SESSION => {
            let v6 = session_address(cx, value).is_some_and(|address| address.is_ipv6());
            let Some(connection) = cx.world.target(*row, "ixp_connection") else {
                let field = if v6 { "ipv6_address" } else { "ipv4_address" };
                return Err(Fault::attribute(format!("'NoneType' object has no attribute '{field}'")));
            };
            cx.stored_by_name(connection, if v6 { "ipv6_address" } else { "ipv4_address" })
        }
        EXCHANGE => {
            let family = family.as_ref().and_then(Value::as_int).unwrap_or(0);
            let model = cx.world.index("net.connection");
            let mut out = Vec::new();
            for index in cx.world.referring_by_name("net.connection", "internet_exchange_point", *row) {
                let connection = Row { model, index: *index };
                for (field, other) in [("ipv4_address", 6), ("ipv6_address", 4)] {
                    let address = cx.stored_by_name(connection, field)?;
                    if family != other && !address.is_none() {
                        out.push(address);
                    }
                }
            }
            Ok(Value::list(out))
        }
        _ => Ok(Value::None),
    }
}
