//! Arista's type 7: DES in CBC mode under a key made of the neighbour's address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::des::{Des, OCTETS};

/// What the key grows from.
const SEED: [u8; OCTETS] = [0xd5, 0xa8, 0xc9, 0x1e, 0xf5, 0xd5, 0x8a, 0x23];
/// What every text begins with, before the octet that says how much is padding.
const HEAD: [u8; 3] = [0x4c, 0x88, 0xbb];

fn key(neighbor: &str) -> Des {
    let mut key = SEED;
    for (place, octet) in format!("{neighbor}_passwd").bytes().enumerate() {
        key[place % OCTETS] ^= octet;
    }
    // Without the highest bit, and with odd parity in the lowest.
    for octet in &mut key {
        let bits = *octet & 0x7e;
        *octet = bits | u8::from(bits.count_ones() % 2 == 0);
    }
    Des::new(key)
}

pub(super) fn encrypt(password: &str, neighbor: &str) -> String {
    let length = HEAD.len() + 1 + password.len();
    let padding = (OCTETS - length % OCTETS) % OCTETS;
    let mut octets = HEAD.to_vec();
    octets.push((u8::try_from(padding).unwrap_or(0) << 4) | 0x0e);
    octets.extend(password.bytes());
    octets.resize(length + padding, 0);
    key(neighbor).encrypt(&mut octets);
    format!("7 {}", STANDARD.encode(octets))
}

pub(super) fn decrypt(text: &str, neighbor: &str) -> Option<String> {
    let mut octets = STANDARD.decode(text.strip_prefix("7 ")?).ok()?;
    if octets.is_empty() || octets.len() % OCTETS != 0 {
        return None;
    }
    key(neighbor).decrypt(&mut octets);
    let (head, rest) = octets.split_at_checked(HEAD.len() + 1)?;
    if head[..HEAD.len()] != HEAD || head[HEAD.len()] & 0x0f != 0x0e {
        return None;
    }
    let padding = usize::from(head[HEAD.len()] >> 4);
    let password = rest.get(..rest.len().checked_sub(padding)?)?;
    String::from_utf8(password.to_vec()).ok()
}
