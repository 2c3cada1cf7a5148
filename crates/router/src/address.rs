//! Addresses in the form in which NAPALM writes them.

use std::net::IpAddr;

/// The address in its shortest form, in small letters; a zone stays behind it. `None` if it is no address.
pub(crate) fn canonical_ip(text: &str) -> Option<String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    Some(match zone {
        Some(zone) if !zone.is_empty() => format!("{address}%{zone}"),
        _ => address.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::canonical_ip;

    #[test]
    fn the_shortest_form() {
        for (text, wanted) in [
            ("2001:0DB8::0:1", Some("2001:db8::1")),
            ("fe80::1%em0.1", Some("fe80::1%em0.1")),
            ("::FFFF:192.0.2.1", Some("::ffff:192.0.2.1")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1+179", None),
            ("", None),
        ] {
            assert_eq!(canonical_ip(text).as_deref(), wanted, "{text}");
        }
    }
}
