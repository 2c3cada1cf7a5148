//! Juniper's type 9: distances between letters of an alphabet, weighted by place.

use ring::digest::{SHA256, digest};

/// Letters by how many fillers follow the first: 3, 2, 1, 0.
const FAMILIES: [&[u8]; 4] =
    [b"QzF3n6/9CAtpu0O", b"B1IREhcSyrleKvMW8LXx", b"7N-dVbwsY2g4oaJZGUDj", b"iHkq.mPf5T"];
const LETTERS: usize = 65;
/// What each letter counts, for each octet in turn.
const WEIGHTS: [&[u8]; 7] =
    [&[1, 4, 32], &[1, 16, 32], &[1, 8, 32], &[1, 64], &[1, 32], &[1, 4, 16, 128], &[1, 32, 64]];
const MARK: &str = "$9$";

fn letter(place: usize) -> u8 {
    FAMILIES.concat()[place % LETTERS]
}

fn place(letter: u8) -> Option<usize> {
    FAMILIES.concat().iter().position(|known| *known == letter)
}

fn fillers(letter: u8) -> Option<usize> {
    FAMILIES.iter().position(|family| family.contains(&letter)).map(|family| 3 - family)
}

pub(super) fn encrypt(password: &str, neighbor: &str) -> String {
    let hash = digest(&SHA256, neighbor.as_bytes());
    let mut hashed = hash.as_ref().iter().map(|octet| letter(usize::from(*octet)));
    let salt = hashed.next().unwrap_or(FAMILIES[0][0]);
    let mut text = vec![salt];
    text.extend(hashed.take(fillers(salt).unwrap_or(0)));
    let mut last = place(salt).unwrap_or(0);
    for (octet, weights) in password.bytes().zip(WEIGHTS.iter().cycle()) {
        let mut rest = octet;
        let mut gaps: Vec<u8> = weights
            .iter()
            .rev()
            .map(|weight| {
                let gap = rest / weight;
                rest %= weight;
                gap
            })
            .collect();
        gaps.reverse();
        for gap in gaps {
            last = (last + usize::from(gap) + 1) % LETTERS;
            text.push(letter(last));
        }
    }
    format!("{MARK}{}", String::from_utf8_lossy(&text))
}

pub(super) fn decrypt(text: &str) -> Option<String> {
    let (salt, rest) = text.strip_prefix(MARK)?.as_bytes().split_first()?;
    let mut rest = rest.get(fillers(*salt)?..)?;
    if rest.is_empty() {
        return None;
    }
    let mut last = place(*salt)?;
    let mut octets = Vec::new();
    for weights in WEIGHTS.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (group, after) = rest.split_at_checked(weights.len())?;
        rest = after;
        let mut octet = 0_usize;
        for (letter, weight) in group.iter().zip(*weights) {
            let next = place(*letter)?;
            // A distance of nothing is a whole round.
            octet += ((next + LETTERS - last - 1) % LETTERS) * usize::from(*weight);
            last = next;
        }
        octets.push(u8::try_from(octet % 256).ok()?);
    }
    String::from_utf8(octets).ok()
}
