//! Cisco's type 7: each octet combined with one of a fixed text, from an offset on that stands in front.

use ring::digest::{SHA256, digest};

use crate::objects::forms::hexadecimal;

/// Known to every router.
const TABLE: &[u8; 53] = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";

/// Offsets up to 9 are written alike in decimal, as routers do, and in hexadecimal.
pub(super) fn encrypt(password: &str, neighbor: &str) -> String {
    let offset = digest(&SHA256, neighbor.as_bytes()).as_ref().first().map_or(0, |octet| octet % 10);
    let masks = TABLE.iter().cycle().skip(usize::from(offset));
    let octets: Vec<u8> = password.bytes().zip(masks).map(|(octet, mask)| octet ^ mask).collect();
    format!("7 {offset:02}{}", hexadecimal(&octets).to_uppercase())
}

pub(super) fn decrypt(text: &str) -> Option<String> {
    let digits = text.strip_prefix("7 ")?;
    if digits.len() < 4 || digits.len() % 2 != 0 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (offset, rest) = digits.split_at(2);
    // Some programs write the offset in hexadecimal: 0A to 0E.
    let offset: usize = offset.parse().ok().or_else(|| usize::from_str_radix(offset, 16).ok())?;
    let octets: Vec<u8> = (0..rest.len() / 2)
        .map(|pair| {
            let octet = u8::from_str_radix(&rest[pair * 2..pair * 2 + 2], 16).ok()?;
            Some(octet ^ TABLE[(offset + pair) % TABLE.len()])
        })
        .collect::<Option<_>>()?;
    String::from_utf8(octets).ok()
}
