//! How addresses and prefixes are stored: octets that sort, compare and nest the same way on both engines.
//!
//! An address with its length is `family (4 or 6) ‖ address octets (4 or 16) ‖ prefix length`. Rows inside a prefix
//! are then one range of the column: from [`range`]'s first to its last value.

use std::net::IpAddr;

use ipnet::IpNet;

/// The octets of `net` (host bits are kept).
pub fn encode(net: IpNet) -> Vec<u8> {
    let mut octets = Vec::with_capacity(18);
    match net.addr() {
        IpAddr::V4(address) => {
            octets.push(4);
            octets.extend(address.octets());
        }
        IpAddr::V6(address) => {
            octets.push(6);
            octets.extend(address.octets());
        }
    }
    octets.push(net.prefix_len());
    octets
}

/// A single address, as one with the longest prefix length.
pub fn encode_host(address: IpAddr) -> Vec<u8> {
    encode(IpNet::from(address))
}

/// The inverse of [`encode`]; `None` for octets that it did not make.
pub fn decode(octets: &[u8]) -> Option<IpNet> {
    let (family, rest) = octets.split_first()?;
    let (length, address) = rest.split_last()?;
    let address: IpAddr = match family {
        4 => <[u8; 4]>::try_from(address).ok()?.into(),
        6 => <[u8; 16]>::try_from(address).ok()?.into(),
        _ => return None,
    };
    IpNet::new(address, *length).ok()
}

/// First and last value of the column that lie inside `net`: `column BETWEEN first AND last`. Shorter prefixes that
/// begin at the same address are in the range too; compare lengths where that matters.
pub fn range(net: IpNet) -> (Vec<u8>, Vec<u8>) {
    let mut first = encode_host(net.network());
    let mut last = encode_host(net.broadcast());
    first.pop();
    first.push(0);
    last.pop();
    last.push(u8::MAX);
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn octets_come_back_as_they_went_in() {
        for text in ["192.0.2.1/24", "192.0.2.0/32", "2001:db8::1/64", "::/0"] {
            assert_eq!(decode(&encode(net(text))), Some(net(text)), "{text}");
        }
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[4, 1, 2, 3, 4, 33]), None);
        assert_eq!(decode(&[5, 1, 2, 3, 4, 32]), None);
    }

    #[test]
    fn order_is_by_family_address_and_length() {
        let mut sorted = [net("2001:db8::/32"), net("10.0.0.0/8"), net("9.255.0.0/16"), net("10.0.0.0/9")];
        sorted.sort_by_key(|net| encode(*net));
        assert_eq!(sorted, [net("9.255.0.0/16"), net("10.0.0.0/8"), net("10.0.0.0/9"), net("2001:db8::/32")]);
    }

    #[test]
    fn range_holds_the_addresses_of_a_prefix() {
        let (first, last) = range(net("192.0.2.0/24"));
        for (address, inside) in
            [("192.0.2.0", true), ("192.0.2.255", true), ("192.0.3.0", false), ("192.0.1.255", false)]
        {
            let octets = encode_host(address.parse().unwrap());
            assert_eq!(first <= octets && octets <= last, inside, "{address}");
        }
    }
}
