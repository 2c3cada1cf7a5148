//! Which addresses a webhook may lead to: not this host, and not what only its own network segment can reach.
//!
//! Refused are loopback (127.0.0.0/8, `::1`), unspecified (0.0.0.0/8, `::`), link-local (169.254.0.0/16, `fe80::/10`; cloud
//! providers hand out credentials there), multicast and broadcast addresses, also where an IPv6 address carries an IPv4
//! address inside (mapped, compatible, NAT64, 6to4). Private networks are not refused: that is where most receivers are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The exceptions.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Networks in which every address may be used.
    pub allowed: Vec<IpNet>,
}

/// An address that may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} a {kind} address, where webhooks may not go; webhook_allowed_targets can allow it",
    named(.host, *.address)
)]
pub struct Refused {
    /// What was to be reached.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
    /// What kind of address that is.
    pub kind: &'static str,
}

/// `name is 192.0.2.1,` or, for an address that was written as such, `192.0.2.1 is`.
fn named(host: &str, address: IpAddr) -> String {
    if host == address.to_string() { format!("{address} is") } else { format!("{host} is {address},") }
}

impl Targets {
    /// Whether `address`, which `host` stands for, may be used.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let plain = address.to_canonical();
        if self.allowed.iter().any(|net| net.contains(&address) || net.contains(&plain)) {
            return Ok(());
        }
        match kind(plain) {
            None => Ok(()),
            Some(kind) => Err(Refused { host: host.to_owned(), address, kind }),
        }
    }
}

/// What kind of address it is, if one that is refused.
fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<&'static str> {
    if address.is_loopback() {
        Some("loopback")
    } else if address.octets()[0] == 0 {
        Some("unspecified")
    } else if address.is_link_local() {
        Some("link-local")
    } else if address.is_multicast() {
        Some("multicast")
    } else if address.is_broadcast() {
        Some("broadcast")
    } else {
        None
    }
}

fn kind_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_loopback() {
        return Some("loopback");
    }
    if address.is_unspecified() {
        return Some("unspecified");
    }
    if address.is_unicast_link_local() {
        return Some("link-local");
    }
    if address.is_multicast() {
        return Some("multicast");
    }
    kind_v4(inside(address)?)
}

/// The IPv4 address that an IPv6 address carries: RFC 4291 (compatible), RFC 6052 (NAT64), RFC 3056 (6to4).
fn inside(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let at = |from: usize| Ipv4Addr::new(octets[from], octets[from + 1], octets[from + 2], octets[from + 3]);
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => {
            Some(at(12))
        }
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_and_its_segment_are_refused() {
        let none = Targets::default();
        for (text, kind) in [
            ("127.0.0.1", "loopback"),
            ("127.8.9.10", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::127.0.0.1", "loopback"),
            ("64:ff9b::7f00:1", "loopback"),
            ("2002:7f00:1::1", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("::", "unspecified"),
            ("::ffff:0.0.0.0", "unspecified"),
            ("169.254.169.254", "link-local"),
            ("::ffff:169.254.169.254", "link-local"),
            ("fe80::1", "link-local"),
            ("224.0.0.1", "multicast"),
            ("ff02::1", "multicast"),
            ("255.255.255.255", "broadcast"),
        ] {
            let refused = none.check("h", text.parse().unwrap()).unwrap_err();
            assert_eq!(refused.kind, kind, "{text}");
        }
        for text in ["192.0.2.1", "10.0.0.1", "172.16.3.4", "2001:db8::1", "fd00::1", "64:ff9b::c000:201"] {
            assert_eq!(none.check("h", text.parse().unwrap()), Ok(()), "{text}");
        }
        let some = Targets { allowed: vec!["127.0.0.1/32".parse().unwrap()] };
        assert!(some.check("h", "127.0.0.1".parse().unwrap()).is_ok());
        assert!(some.check("h", "::ffff:127.0.0.1".parse().unwrap()).is_ok());
        assert!(some.check("h", "127.0.0.2".parse().unwrap()).is_err());
    }
}
